/* Are the runtime's counters, read from outside, those that it gives itself? */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "sampler/go/stats.h"
#include "tests/unit/helper_gobuckets.h"

enum {
    TRIES = 8, /* the program's scavenger may give memory back between two readings */
    SETTLE_US = 30000,
    PAUSES = 256,
    STACK_SPAN_BYTES = 32768,
    STACK_SPANS_MAX = 64,
};

/* runtime.MemStats as it is in memory (runtime/mstats.go, the same since Go 1.10). */
struct memstats {
    uint64_t alloc, total_alloc, sys, lookups, mallocs, frees;
    uint64_t heap_alloc, heap_sys, heap_idle, heap_inuse, heap_released, heap_objects;
    uint64_t stack_inuse, stack_sys, mspan_inuse, mspan_sys, mcache_inuse, mcache_sys;
    uint64_t buck_hash_sys, gc_sys, other_sys;
    uint64_t next_gc, last_gc, pause_total, pause[PAUSES], pause_end[PAUSES];
    uint32_t num_gc, num_forced_gc;
    double gc_cpu_fraction;
};

static unsigned differs(const char *name, uint64_t ours, uint64_t theirs, bool show)
{
    if (ours != theirs && show)
        print_error("%s: %" PRIu64 " read, %" PRIu64 " said\n", name, ours, theirs);
    return ours != theirs;
}

/*
 * ReadMemStats has each P give back its cache of stacks too, which can move whole spans (32 KiB,
 * runtime/stack.go) from the stacks to the free heap: that much may be different, and no more.
 */
static uint64_t moved_stacks(const struct go_stats *s, const struct memstats *m)
{
    uint64_t moved = s->stack_inuse_bytes - m->stack_inuse;

    return moved % STACK_SPAN_BYTES == 0 && moved <= STACK_SPANS_MAX * STACK_SPAN_BYTES ? moved : 0;
}

static unsigned compare(const struct go_stats *s, const struct memstats *m, bool show)
{
    const uint64_t moved = moved_stacks(s, m);
    const struct {
        const char *name;
        uint64_t ours, theirs;
    } rows[] = {
        {"HeapAlloc", s->heap_alloc_bytes, m->heap_alloc},
        {"TotalAlloc", s->alloc_bytes_total, m->total_alloc},
        {"Sys", s->sys_bytes, m->sys},
        {"Mallocs", s->mallocs_total, m->mallocs},
        {"Frees", s->frees_total, m->frees},
        {"HeapSys", s->heap_sys_bytes + moved, m->heap_sys},
        {"HeapIdle", s->heap_idle_bytes + moved, m->heap_idle},
        {"HeapInuse", s->heap_inuse_bytes, m->heap_inuse},
        {"HeapReleased", s->heap_released_bytes, m->heap_released},
        {"HeapObjects", s->heap_objects, m->heap_objects},
        {"StackInuse", s->stack_inuse_bytes, m->stack_inuse + moved},
        {"StackSys", s->stack_sys_bytes, m->stack_sys + moved},
        {"BuckHashSys", s->buck_hash_sys_bytes, m->buck_hash_sys},
        {"GCSys", s->gc_sys_bytes, m->gc_sys},
        {"OtherSys", s->other_sys_bytes, m->other_sys},
        {"NextGC", moved ? 0 : s->next_gc_bytes, moved ? 0 : m->next_gc}, /* hangs on the rest */
        {"LastGC", s->last_gc_unix_ns, m->last_gc},
        {"PauseTotalNs", s->gc_pause_total_ns, m->pause_total},
        {"PauseNs", s->gc_last_pause_ns, m->pause[(m->num_gc + PAUSES - 1) % PAUSES]},
        {"NumGC", s->gc_count, m->num_gc},
        {"NumForcedGC", s->gc_forced_count, m->num_forced_gc},
        {"MSpanSys", s->mspan_sys_bytes, m->mspan_sys},
        {"MCacheSys", s->mcache_sys_bytes, m->mcache_sys},
        {"Alloc", s->alloc_bytes, m->alloc},
        {"PauseNs, all", s->has_pauses ? 0 : 1,
         (uint64_t)(memcmp(s->pause_ns, m->pause, sizeof(m->pause)) != 0)},
        {"PauseEnd", 0,
         (uint64_t)(memcmp(s->pause_end_ns, m->pause_end, sizeof(m->pause_end)) != 0)},
        {"GCCPUFraction", 0, (uint64_t)(s->gc_cpu_fraction != m->gc_cpu_fraction)},
        {"quantiles", 1,
         (uint64_t)(s->gc_pause_0_ns <= s->gc_pause_50_ns &&
                    s->gc_pause_50_ns <= s->gc_pause_100_ns &&
                    s->gc_pause_100_ns >= s->gc_last_pause_ns)},
    };
    unsigned n = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        n += differs(rows[i].name, rows[i].ours, rows[i].theirs, show);
    return n;
}

/* Ours first, with the caches as the program left them; then its own, which empties them. */
static void check_memory(struct helper_gobuckets *g, const char *before)
{
    unsigned n = 1;

    for (int i = 0; n != 0 && i < TRIES; i++) {
        struct go_stats s = {0};
        struct err e = {0};
        size_t bytes = 0;
        char *own;
        int r;

        assert_int_equal(helper_gobuckets_do(g, before), 0);
        if (i > 0) /* a collection may still be going on */
            (void)usleep(SETTLE_US);
        r = go_stats_read(&g->rt, &s, &e);
        assert_int_equal(helper_gobuckets_do(g, "m"), 0);
        if (r != 0)
            print_error("%d %s\n", r, e.text);
        assert_int_equal(r, 0);
        own = helper_gobuckets_file(g, "memstats", &bytes);
        assert_non_null(own);
        assert_true(bytes >= sizeof(struct memstats));
        n = compare(&s, (const void *)own, i == TRIES - 1);
        free(own);
    }
    assert_int_equal(n, 0);
}

/* A thread may be born between the program's word and our reading: then both are asked again. */
static void check_scheduler(struct helper_gobuckets *g)
{
    uint64_t goroutines = 0, threads = 0, procs = 0, limit = 0;
    struct go_stats s = {0};

    for (int i = 0; i < TRIES; i++) {
        assert_int_equal(helper_gobuckets_do(g, "s"), 0);
        assert_int_equal(go_stats_read(&g->rt, &s, NULL), 0);
        assert_int_equal(sscanf(g->line,
                                "goroutines %" SCNu64 " threads %" SCNu64 " gomaxprocs %" SCNu64
                                " memrate %*d mutexfraction %*d limit %" SCNu64,
                                &goroutines, &threads, &procs, &limit),
                         4);
        if (s.goroutines == goroutines && s.threads == threads)
            break;
        (void)usleep(SETTLE_US);
    }
    assert_int_equal(s.goroutines, goroutines);
    assert_int_equal(s.threads, threads);
    assert_int_equal(s.gomaxprocs, procs);
    if (g->rt.layout->minor >= 19)
        assert_int_equal(s.memory_limit_bytes, limit);
    else
        assert_false(s.has & GO_STATS_BIT(memory_limit_bytes));
}

static void check_build(const char *toolchain, const struct helper_goway *build)
{
    struct helper_gobuckets g;
    int r = helper_gobuckets_start(&g, toolchain, build);

    if (r == 77) {
        print_message("go%s is not to be had here: not tested\n", toolchain);
        return;
    }
    assert_int_equal(r, 0);
    print_message("go%s%s\n", toolchain, build->suffix);
    check_memory(&g, "");
    check_scheduler(&g);
    check_memory(&g, "ga");
    check_memory(&g, "g");
    helper_gobuckets_release(&g);
}

static void test_versions(void **state)
{
    const char *const *toolchain = helper_goversions();

    (void)state;
    for (; *toolchain; toolchain++) {
        for (const struct helper_goway *way = helper_goways(*toolchain); way->suffix; way++)
            check_build(*toolchain, way);
    }
}

static void test_newest(void **state)
{
    (void)state;
    if (helper_goversions_chosen()) { /* every way was among theirs */
        print_message("the newest is tested with the others\n");
        return;
    }
    for (size_t i = 0; helper_goways_newest[i].suffix; i++)
        check_build(HELPER_GOVERSIONS_NEWEST, &helper_goways_newest[i]);
}

/* The goal of the next collection hangs on the limit: it is a formula, and ours must be theirs. */
static void test_limit(void **state)
{
    (void)state;
    assert_int_equal(setenv("GOMEMLIMIT", "60MiB", 1), 0);
    check_build("1.18.10", helper_goway_stripped);
    check_build("1.26.8", helper_goway_stripped);
    assert_int_equal(setenv("GOMEMLIMIT", "4MiB", 1), 0); /* less than what is alive */
    check_build("1.22.12", helper_goway_stripped);
    assert_int_equal(unsetenv("GOMEMLIMIT"), 0);
}

static void test_refused(void **state)
{
    struct helper_gobuckets g;
    struct go_runtime rt;
    struct go_stats s = {.has = 77};
    struct err e = {0};

    (void)state;
    if (helper_gobuckets_start(&g, "1.22.12", helper_goway_stripped) != 0)
        skip();
    rt = g.rt;
    rt.certain = false; /* a version whose structures nobody has looked at */
    assert_int_equal(go_stats_read(&rt, &s, &e), -ENOTSUP);
    assert_non_null(strstr(e.text, "go1.22.12"));
    rt = g.rt;
    rt.memstats = rt.gc_controller = rt.sched = rt.allp = rt.allgs = 0;
    assert_int_equal(go_stats_read(&rt, &s, &e), -ENOTSUP);
    rt.allp = g.rt.allp; /* what is there is given, the rest is absent */
    assert_int_equal(go_stats_read(&rt, &s, &e), 0);
    assert_true(s.has == GO_STATS_BIT(gomaxprocs));
    rt = g.rt;
    rt.sched = 64; /* not mapped */
    s.has = 77;
    assert_int_equal(go_stats_read(&rt, &s, &e), -EFAULT);
    g.t.fail_read = -ESRCH;
    assert_int_equal(go_stats_read(&g.rt, &s, &e), -ESRCH);
    assert_true(s.has == 77);
    helper_gobuckets_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_newest),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
