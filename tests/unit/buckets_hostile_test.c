/* Bucket lists that lie, break off, move and end: each has its answer, soon. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sampler/go/buckets.h"
#include "sampler/go/window.h"
#include "tests/unit/helper_fakemem.h"

enum {
    PAGE = 4096,
    MEMORY_BYTES = 1024 * 1024,
    HEADER_BYTES = 48,
    SEEN_MAX = 4096,
};

#define BASE  UINT64_C(0xc000000000)
#define LIST  BASE        /* the variable */
#define CYCLE (BASE + 8)  /* mProfCycle */
#define ALLM  (BASE + 16) /* allm */
#define RATE  (BASE + 24)
#define TICKS (BASE + 64)
#define FIRST (BASE + 0x1000) /* the first bucket */

struct seen {
    size_t count;
    struct bucket buckets[SEEN_MAX];
    uint64_t first_pc[SEEN_MAX];
    int answer;
};

static struct helper_fakemem memory;
static struct go_runtime rt;
static struct seen seen;
static struct err error;

static int setup(void **state)
{
    (void)state;
    helper_fakemem_init(&memory, BASE, MEMORY_BYTES);
    rt = (struct go_runtime){
        .target = &memory.target,
        .layout = go_layout_find("go1.22.12"),
        .certain = true,
        .mbuckets = LIST,
        .bbuckets = LIST,
        .xbuckets = LIST,
        .mprof_cycle = CYCLE,
        .allm = ALLM,
        .mem_profile_rate = RATE,
        .block_profile_rate = RATE + 8,
        .ticks = TICKS,
    };
    memset(&seen, 0, sizeof(seen));
    memset(&error, 0, sizeof(error));
    return memory.bytes ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    helper_fakemem_release(&memory);
    return 0;
}

static int each(void *ctx, const struct bucket *b)
{
    struct seen *s = ctx;

    assert_true(s->count < SEEN_MAX);
    s->buckets[s->count] = *b;
    s->first_pc[s->count++] = b->depth ? b->pcs[0] : 0;
    return s->answer;
}

static struct go_budget budget_of(uint64_t bytes)
{
    return (struct go_budget){.deadline_ns = clock_mono_ns() + 60 * CLOCK_NS_PER_SEC,
                              .bytes_left = bytes};
}

static int read_list(enum buckets_kind kind)
{
    struct go_budget b = budget_of(UINT64_C(1) << 30);

    seen.count = 0;
    return buckets_read(&rt, kind, &b, each, &seen, NULL, &error);
}

/* A bucket with ${depth} pcs; its record is all zero. Returns where the record is. */
static uint64_t put_bucket(uint64_t at, uint64_t next, uint64_t typ, uint64_t depth)
{
    helper_fakemem_put(&memory, at + 8, next);
    helper_fakemem_put(&memory, at + 16, typ);
    helper_fakemem_put(&memory, at + 32, 64);
    helper_fakemem_put(&memory, at + 40, depth);
    for (uint64_t i = 0; i < depth && i < BUCKETS_DEPTH_MAX; i++)
        helper_fakemem_put(&memory, at + HEADER_BYTES + i * 8, 0x400000 + i);
    return at + HEADER_BYTES + depth * 8;
}

/* {allocs, frees, alloc_bytes, free_bytes}; cycle 0 is the active one, 1 to 3 the future ones. */
static void put_cycle(uint64_t record, int cycle, uint64_t a, uint64_t f, uint64_t ab, uint64_t fb)
{
    const uint64_t words[4] = {a, f, ab, fb};

    for (uint64_t i = 0; i < 4; i++)
        helper_fakemem_put(&memory, record + (uint64_t)cycle * 32 + i * 8, words[i]);
}

static void put_double(uint64_t at, double v)
{
    uint64_t word;

    memcpy(&word, &v, sizeof(word));
    helper_fakemem_put(&memory, at, word);
}

static void refused(enum buckets_kind kind, int code, const char *word)
{
    memory.reads = 0;
    assert_int_equal(read_list(kind), code);
    assert_int_equal(seen.count, 0); /* nothing is handed out before all is known to be well */
    if (!strstr(error.text, word))
        print_error("\"%s\" does not say \"%s\"\n", error.text, word);
    assert_non_null(strstr(error.text, word));
}

/* ---- The memory cycles */

static void test_cycles(void **state)
{
    uint64_t record = put_bucket(FIRST, 0, BUCKETS_MEMORY, 3);

    (void)state;
    helper_fakemem_put(&memory, LIST, FIRST);
    put_cycle(record, 0, 10, 4, 640, 256);
    put_cycle(record, 1, 1, 0, 64, 0);
    put_cycle(record, 2, 2, 1, 128, 64);
    put_cycle(record, 3, 100, 0, 6400, 0);
    helper_fakemem_put(&memory, CYCLE, (3 * 7 + 1) << 1 | 1);
    assert_int_equal(read_list(BUCKETS_MEMORY), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.buckets[0].allocs, 12);
    assert_int_equal(seen.buckets[0].frees, 5);
    assert_int_equal(seen.buckets[0].alloc_bytes, 768);
    assert_int_equal(seen.buckets[0].free_bytes, 320);
    assert_int_equal(seen.buckets[0].size, 64);
    assert_int_equal(seen.buckets[0].depth, 3);
    assert_int_equal(seen.first_pc[0], 0x400000);
    helper_fakemem_put(&memory, CYCLE, 3 << 1);
    assert_int_equal(read_list(BUCKETS_MEMORY), 0);
    assert_int_equal(seen.buckets[0].allocs, 11);
    rt.layout = go_layout_find("go1.18.10"); /* there it is not shifted: 6 % 3 */
    assert_int_equal(read_list(BUCKETS_MEMORY), 0);
    assert_int_equal(seen.buckets[0].allocs, 11);
    helper_fakemem_put(&memory, CYCLE, 8);
    assert_int_equal(read_list(BUCKETS_MEMORY), 0);
    assert_int_equal(seen.buckets[0].allocs, 110);
    rt.mprof_cycle = 0; /* not found: what has been published */
    assert_int_equal(read_list(BUCKETS_MEMORY), 0);
    assert_int_equal(seen.buckets[0].allocs, 10);
}

/* No collection yet: all cycles count, of all buckets; one that is published ends that. */
static void test_before_the_first_collection(void **state)
{
    uint64_t a = put_bucket(FIRST, FIRST + 0x1000, BUCKETS_MEMORY, 1);
    uint64_t b = put_bucket(FIRST + 0x1000, 0, BUCKETS_MEMORY, 0);

    (void)state;
    helper_fakemem_put(&memory, LIST, FIRST);
    put_cycle(a, 2, 5, 1, 50, 10);
    put_cycle(a, 3, 7, 0, 70, 0);
    put_cycle(b, 3, 1, 0, 8, 0);
    assert_int_equal(read_list(BUCKETS_MEMORY), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.buckets[0].allocs, 12);
    assert_int_equal(seen.buckets[0].free_bytes, 10);
    assert_int_equal(seen.buckets[1].allocs, 1);
    put_cycle(b, 0, 1, 1, 8, 8);
    assert_int_equal(read_list(BUCKETS_MEMORY), 0);
    assert_int_equal(seen.buckets[0].allocs, 0);
    assert_int_equal(seen.buckets[1].frees, 1);
}

/* ---- Lists */

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(read_list(BUCKETS_MEMORY), 0);
    assert_int_equal(seen.count, 0);
    rt.mbuckets = 0;
    refused(BUCKETS_MEMORY, -ENOTSUP, "not found");
}

static void test_circles(void **state)
{
    enum { MANY = 2000 };

    (void)state;
    helper_fakemem_put(&memory, LIST, FIRST);
    (void)put_bucket(FIRST, FIRST, BUCKETS_MEMORY, 2);
    refused(BUCKETS_MEMORY, -EBADMSG, "circle");
    (void)put_bucket(FIRST, FIRST + 256, BUCKETS_MEMORY, 2);
    (void)put_bucket(FIRST + 256, FIRST, BUCKETS_MEMORY, 2);
    refused(BUCKETS_MEMORY, -EBADMSG, "circle");
    assert_in_range(memory.reads, 1, 4);
    for (uint64_t i = 0; i < MANY; i++) /* a long way into a long circle */
        (void)put_bucket(FIRST + i * 256, FIRST + (i + 1 < MANY ? i + 1 : 700) * 256, BUCKETS_MUTEX,
                         2);
    refused(BUCKETS_MUTEX, -EBADMSG, "circle");
    assert_in_range(memory.reads, 1, 100);
}

static void test_impossible(void **state)
{
    static const uint64_t nowhere[] = {1,          8,          PAGE - 8,  FIRST + 4,
                                       UINT64_MAX, 1ULL << 48, 1ULL << 63};

    (void)state;
    helper_fakemem_put(&memory, LIST, FIRST);
    (void)put_bucket(FIRST, 0, BUCKETS_MEMORY, BUCKETS_DEPTH_MAX);
    assert_int_equal(read_list(BUCKETS_MEMORY), 0);
    assert_int_equal(seen.buckets[0].depth, BUCKETS_DEPTH_MAX);
    helper_fakemem_put(&memory, FIRST + 40, BUCKETS_DEPTH_MAX + 1);
    refused(BUCKETS_MEMORY, -EBADMSG, "deeper");
    helper_fakemem_put(&memory, FIRST + 40, UINT64_C(1) << 40);
    refused(BUCKETS_MEMORY, -EBADMSG, "deeper");
    (void)put_bucket(FIRST, 0, BUCKETS_MEMORY, 3);
    refused(BUCKETS_BLOCK, -EBADMSG, "another kind");
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        helper_fakemem_put(&memory, FIRST + 8, nowhere[i]);
        refused(BUCKETS_MEMORY, -EBADMSG, "no address");
    }
    helper_fakemem_put(&memory, FIRST + 8, BASE + MEMORY_BYTES);
    refused(BUCKETS_MEMORY, -EBADMSG, "nothing is mapped");
    helper_fakemem_put(&memory, FIRST + 8, BASE + MEMORY_BYTES - 8); /* its header leads out */
    refused(BUCKETS_MEMORY, -EBADMSG, "nothing is mapped");
    memory.fail = -ESRCH;
    refused(BUCKETS_MEMORY, -ESRCH, "cannot be read");
}

static void test_numbers(void **state)
{
    uint64_t record = put_bucket(FIRST, 0, BUCKETS_MEMORY, 3);
    const uint64_t most = UINT64_C(1) << 62;

    (void)state;
    helper_fakemem_put(&memory, LIST, FIRST);
    put_cycle(record, 0, 3, 3, most, most);
    assert_int_equal(read_list(BUCKETS_MEMORY), 0);
    assert_true(seen.buckets[0].alloc_bytes == INT64_C(1) << 62);
    put_cycle(record, 0, 3, 3, most + 1, most);
    refused(BUCKETS_MEMORY, -EBADMSG, "negative");
    put_cycle(record, 0, UINT64_MAX, 0, 0, 0);
    refused(BUCKETS_MEMORY, -EBADMSG, "negative");
    put_cycle(record, 0, 3, 4, 30, 30);
    refused(BUCKETS_MEMORY, -EBADMSG, "more was freed");
    put_cycle(record, 0, 3, 3, 30, 31);
    refused(BUCKETS_MEMORY, -EBADMSG, "more was freed");
    record = put_bucket(FIRST, 0, BUCKETS_BLOCK, 3);
    put_double(record, 2.5);
    helper_fakemem_put(&memory, record + 8, 77);
    assert_int_equal(read_list(BUCKETS_BLOCK), 0);
    assert_true(seen.buckets[0].count == 2.5);
    assert_int_equal(seen.buckets[0].cycles, 77);
    helper_fakemem_put(&memory, record + 8, UINT64_MAX);
    refused(BUCKETS_BLOCK, -EBADMSG, "negative");
    helper_fakemem_put(&memory, record + 8, 0);
    put_double(record, -1);
    refused(BUCKETS_BLOCK, -EBADMSG, "no number of events");
    put_double(record, NAN);
    refused(BUCKETS_BLOCK, -EBADMSG, "no number of events");
    put_double(record, INFINITY);
    refused(BUCKETS_BLOCK, -EBADMSG, "no number of events");
    put_double(record, 1e30);
    refused(BUCKETS_BLOCK, -EBADMSG, "no number of events");
}

static void test_the_caller_ends_it(void **state)
{
    (void)state;
    helper_fakemem_put(&memory, LIST, FIRST);
    (void)put_bucket(FIRST, FIRST + 256, BUCKETS_MEMORY, 1);
    (void)put_bucket(FIRST + 256, 0, BUCKETS_MEMORY, 1);
    seen.answer = -ENOSPC;
    assert_int_equal(read_list(BUCKETS_MEMORY), -ENOSPC);
    assert_int_equal(seen.count, 1);
}

/* ---- Memory that moves */

/* A collection: what waited becomes active; from the ${at}th read on. */
struct collection {
    unsigned at, every;
    uint64_t record;
};

static void collect(struct helper_fakemem *m, void *ctx)
{
    const struct collection *c = ctx;
    uint64_t cycle = helper_fakemem_get(m, CYCLE) >> 1;

    if (m->reads != c->at && (c->every == 0 || m->reads % c->every != 0))
        return;
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t from = c->record + 32 + cycle % 3 * 32 + i * 8;
        uint64_t sum = helper_fakemem_get(m, c->record + i * 8) + helper_fakemem_get(m, from);

        helper_fakemem_put(m, c->record + i * 8, sum);
        helper_fakemem_put(m, from, 0);
    }
    helper_fakemem_put(m, CYCLE, (cycle + 1) << 1 | 1);
}

static void test_collection_meanwhile(void **state)
{
    (void)state;
    for (unsigned at = 1; at <= 8; at++) { /* wherever it comes, nothing is lost or counted twice */
        uint64_t record = put_bucket(FIRST, 0, BUCKETS_MEMORY, 1);
        struct collection c = {.at = at, .record = record};

        helper_fakemem_put(&memory, LIST, FIRST);
        helper_fakemem_put(&memory, CYCLE, 0);
        put_cycle(record, 0, 10, 0, 100, 0);
        put_cycle(record, 1, 5, 0, 50, 0); /* cycle 0: due */
        put_cycle(record, 2, 0, 0, 0, 0);
        memory.reads = 0;
        memory.before = collect;
        memory.ctx = &c;
        assert_int_equal(read_list(BUCKETS_MEMORY), 0);
        assert_int_equal(seen.buckets[0].allocs, 15);
        memory.before = NULL;
    }
}

static void count_on(struct helper_fakemem *m, void *ctx)
{
    const uint64_t *cycles = ctx;

    helper_fakemem_put(m, *cycles, helper_fakemem_get(m, *cycles) + 1);
}

/* What is published moves with each read: no moment can be had, whole records can. */
static void test_mixed(void **state)
{
    uint64_t moves = put_bucket(FIRST, FIRST + 0x1000, BUCKETS_MEMORY, 1);
    uint64_t rests = put_bucket(FIRST + 0x1000, 0, BUCKETS_MEMORY, 1);
    struct go_budget b = budget_of(UINT64_C(1) << 30);
    uint64_t mixed = 0;

    (void)state;
    helper_fakemem_put(&memory, LIST, FIRST);
    put_cycle(moves, 0, 10, 0, 100, 0);
    put_cycle(rests, 0, 7, 0, 70, 0);
    memory.before = count_on;
    memory.ctx = &moves;
    assert_int_equal(buckets_read(&rt, BUCKETS_MEMORY, &b, each, &seen, &mixed, &error), 0);
    assert_int_equal(mixed, 1);
    assert_int_equal(seen.count, 2);
    assert_in_range(seen.buckets[0].allocs, 11, 10 + memory.reads);
    assert_int_equal(seen.buckets[1].allocs, 7);
    assert_in_range(memory.reads, 4, 64);
}

static int torn_readv(void *ctx, struct target_range *ranges, size_t count)
{
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++) { /* a moment for each range */
        r = memory.target.ops->readv(ctx, &ranges[i], 1);
    }
    return r;
}

static void test_never_still(void **state)
{
    static const struct target_ops ops = {.readv = torn_readv};
    const struct target target = {.ops = &ops, .ctx = &memory};
    uint64_t moves = put_bucket(FIRST, 0, BUCKETS_MEMORY, 1);

    (void)state;
    rt.target = &target;
    helper_fakemem_put(&memory, LIST, FIRST);
    put_cycle(moves, 0, 10, 0, 100, 0);
    memory.before = count_on;
    memory.ctx = &moves;
    refused(BUCKETS_MEMORY, -EAGAIN, "hold still");
    assert_in_range(memory.reads, 4, 1024);
}

/* Contention goes on while it is read: what is given is one of the values it had. */
static void test_events_meanwhile(void **state)
{
    uint64_t cycles = put_bucket(FIRST, 0, BUCKETS_BLOCK, 1) + 8;

    (void)state;
    helper_fakemem_put(&memory, LIST, FIRST);
    memory.before = count_on;
    memory.ctx = &cycles;
    assert_int_equal(read_list(BUCKETS_BLOCK), 0);
    assert_in_range(seen.buckets[0].cycles, 1, memory.reads);
}

static void change_bucket(struct helper_fakemem *m, void *ctx)
{
    const unsigned *at = ctx;

    if (m->reads >= *at)
        helper_fakemem_put(m, FIRST + 40, 2);
}

/* The headers never change in a real runtime: one that does is another program's. */
static void test_another_list(void **state)
{
    unsigned at = 2;

    (void)state;
    helper_fakemem_put(&memory, LIST, FIRST);
    (void)put_bucket(FIRST, 0, BUCKETS_BLOCK, 1);
    helper_fakemem_put(&memory, CYCLE, 0);
    memory.before = change_bucket;
    memory.ctx = &at;
    refused(BUCKETS_BLOCK, -EBADMSG, "another one than before");
}

/* ---- Budget */

static bool yes(void *ctx)
{
    (void)ctx;
    return true;
}

static void test_budget(void **state)
{
    struct go_budget b = budget_of(64 * 1024 * 3 - 1); /* list, record, record again */

    (void)state;
    helper_fakemem_put(&memory, LIST, FIRST);
    (void)put_bucket(FIRST, 0, BUCKETS_BLOCK, 1);
    assert_int_equal(buckets_read(&rt, BUCKETS_BLOCK, &b, each, &seen, NULL, &error), 0);
    b = budget_of(64 * 1024 - 1);
    assert_int_equal(buckets_read(&rt, BUCKETS_BLOCK, &b, each, &seen, NULL, &error), -ETIMEDOUT);
    assert_non_null(strstr(error.text, "limit of bytes"));
    b = budget_of(UINT64_MAX);
    b.deadline_ns = clock_mono_ns();
    assert_int_equal(buckets_read(&rt, BUCKETS_BLOCK, &b, each, &seen, NULL, &error), -ETIMEDOUT);
    b = budget_of(UINT64_MAX);
    b.cancelled = yes;
    assert_int_equal(buckets_read(&rt, BUCKETS_BLOCK, &b, each, &seen, NULL, &error), -ECANCELED);
    assert_int_equal(buckets_threads(&rt, &b, NULL, NULL, &error), -ECANCELED);
}

/* ---- The limit of buckets: a list that goes on as far as one reads */

static uint64_t endless_last; /* the last bucket of it */

static void endless(uint64_t address, unsigned char *out, size_t bytes)
{
    const uint64_t size = 64; /* header and block record, no stack */

    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t at = address + i, word = 0;

        if (at == LIST)
            word = FIRST;
        else if (at >= FIRST && (at - FIRST) % size == 8)
            word = at - 8 == endless_last ? 0 : at - 8 + size;
        else if (at >= FIRST && (at - FIRST) % size == 16)
            word = BUCKETS_BLOCK;
        memcpy(out + i, &word, sizeof(word));
    }
}

static int endless_readv(void *ctx, struct target_range *ranges, size_t count)
{
    (void)ctx;
    for (size_t i = 0; i < count; i++) {
        endless(ranges[i].address, ranges[i].out, ranges[i].bytes);
        ranges[i].got = ranges[i].bytes;
    }
    return 0;
}

static int count_only(void *ctx, const struct bucket *b)
{
    size_t *count = ctx;

    (void)b;
    (*count)++;
    return 0;
}

static void test_too_many(void **state)
{
    static const struct target_ops ops = {.readv = endless_readv};
    const struct target target = {.ops = &ops};
    struct go_budget b = budget_of(UINT64_C(1) << 40);
    size_t count = 0;

    (void)state;
    rt.target = &target;
    endless_last = FIRST + (uint64_t)(BUCKETS_MAX - 1) * 64;
    assert_int_equal(buckets_read(&rt, BUCKETS_BLOCK, &b, count_only, &count, NULL, &error), 0);
    assert_int_equal(count, BUCKETS_MAX);
    endless_last += 64;
    count = 0;
    assert_int_equal(buckets_read(&rt, BUCKETS_BLOCK, &b, count_only, &count, NULL, &error),
                     -E2BIG);
    assert_int_equal(count, 0);
}

/* ---- Threads */

struct threads {
    size_t count;
    uint32_t tids[8], depths[8];
};

static int each_thread(void *ctx, uint32_t tid, const uint64_t *pcs, uint32_t depth)
{
    struct threads *t = ctx;

    assert_true(t->count < 8);
    assert_true(depth == 0 || pcs[0] != 0);
    t->tids[t->count] = tid;
    t->depths[t->count++] = depth;
    return 0;
}

static int read_threads(struct threads *t)
{
    struct go_budget b = budget_of(UINT64_C(1) << 30);

    t->count = 0;
    return buckets_threads(&rt, &b, each_thread, t, &error);
}

static void put_thread(uint64_t at, uint64_t next, uint64_t tid, uint64_t depth)
{
    helper_fakemem_put(&memory, at + (uint64_t)rt.layout->m_alllink, next);
    helper_fakemem_put(&memory, at + (uint64_t)rt.layout->m_procid, tid);
    for (uint64_t i = 0; i < depth; i++)
        helper_fakemem_put(&memory, at + (uint64_t)rt.layout->m_createstack + i * 8, 0x400000);
}

static void test_threads(void **state)
{
    struct threads t;

    (void)state;
    helper_fakemem_put(&memory, ALLM, FIRST);
    put_thread(FIRST, FIRST + PAGE, 77, 0);
    put_thread(FIRST + PAGE, FIRST + 2 * PAGE, 78, 32);
    put_thread(FIRST + 2 * PAGE, 0, UINT64_C(1) << 40, 3);
    assert_int_equal(read_threads(&t), 0);
    assert_int_equal(t.count, 3);
    assert_int_equal(t.tids[1], 78);
    assert_int_equal(t.depths[1], 32);
    assert_int_equal(t.tids[2], 0); /* no thread has such an id */
    assert_int_equal(t.depths[2], 3);
    put_thread(FIRST + 2 * PAGE, FIRST + PAGE, 79, 0);
    assert_int_equal(read_threads(&t), -EBADMSG);
    assert_non_null(strstr(error.text, "circle"));
    put_thread(FIRST + 2 * PAGE, BASE + MEMORY_BYTES, 79, 0);
    assert_int_equal(read_threads(&t), -EBADMSG);
    assert_non_null(strstr(error.text, "mapped"));
    put_thread(FIRST + 2 * PAGE, FIRST + 1, 79, 0);
    assert_int_equal(read_threads(&t), -EBADMSG);
    assert_int_equal(t.count, 0);
    rt.allm = 0;
    assert_int_equal(read_threads(&t), -ENOTSUP);
}

/* ---- The window */

static void test_window(void **state)
{
    struct go_budget b = budget_of(UINT64_C(1) << 30);
    const uint64_t block = WINDOW_BLOCK_PAGES * WINDOW_PAGE_BYTES;
    unsigned char bytes[2 * PAGE];
    struct window *w;
    uint64_t word;

    (void)state;
    assert_int_equal(window_new(&memory.target, &b, &w), 0);
    helper_fakemem_put(&memory, BASE + block - 4, UINT64_C(0x1122334455667788));
    assert_int_equal(window_read(w, BASE + block - 4, &word, sizeof(word)), 0);
    assert_true(word == UINT64_C(0x1122334455667788)); /* across two blocks */
    assert_int_equal(memory.reads, 2);
    helper_fakemem_put(&memory, BASE + block - 4, 1);
    assert_int_equal(window_read(w, BASE + block - 4, &word, sizeof(word)), 0);
    assert_true(word == UINT64_C(0x1122334455667788)); /* one moment */
    assert_int_equal(memory.reads, 2);
    window_forget(w);
    assert_int_equal(window_read(w, BASE + block - 4, &word, sizeof(word)), 0);
    assert_true(word == 1);
    memory.hole = BASE + 3 * PAGE; /* its neighbours can be read */
    window_forget(w);
    assert_int_equal(window_read(w, BASE + 2 * PAGE, bytes, PAGE), 0);
    assert_int_equal(window_read(w, BASE + 4 * PAGE, bytes, 2 * PAGE), 0);
    assert_int_equal(window_read(w, BASE + 3 * PAGE - 1, bytes, 2), -EFAULT);
    assert_int_equal(window_read(w, BASE + 4 * PAGE - 1, bytes, 1), -EFAULT);
    assert_int_equal(window_read(w, 64, bytes, 1), -EFAULT);
    assert_int_equal(window_read(w, UINT64_MAX - 4, bytes, 8), -EFAULT);
    window_free(w);
    window_free(NULL);
}

/* ---- Numbers */

static void test_scale(void **state)
{
    static const struct {
        int64_t count, bytes, rate, scaled_count, scaled_bytes;
    } rows[] = {
        {0, 0, 524288, 0, 0},
        {0, 64, 524288, 0, 0},
        {3, 0, 524288, 0, 0},
        {3, 192, 1, 3, 192},
        {3, 192, 0, 3, 192},
        {3, 192, -5, 3, 192},
        {1, 524288, 524288, 1, 829411}, /* 1 / (1 - 1/e) = 1.58197... */
        {10, 160, 524288, 327685, 5242960},
        {1, 1 << 30, 524288, 1, 1 << 30}, /* larger than any chance to be missed */
        {-2, -32, 524288, -65537, -1048592},
        {INT64_C(1) << 62, INT64_C(1) << 62, INT64_C(1) << 40, INT64_MAX, INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t count, bytes;

        buckets_scale(rows[i].count, rows[i].bytes, rows[i].rate, &count, &bytes);
        assert_int_equal(count, rows[i].scaled_count);
        assert_int_equal(bytes, rows[i].scaled_bytes);
    }
}

static void test_rates(void **state)
{
    struct buckets_rates r;

    (void)state;
    helper_fakemem_put(&memory, RATE, 524288);
    helper_fakemem_put(&memory, RATE + 8, UINT64_MAX);
    assert_int_equal(buckets_rates(&rt, &r), 0);
    assert_int_equal(r.memory, 524288);
    assert_int_equal(r.block, -1); /* no rate */
    assert_int_equal(r.mutex, -1); /* not found */
}

/* The target's answer counts as long as it can be the machine's. */
static void test_ticks(void **state)
{
    double own, r;

    (void)state;
    rt.ticks = 0;
    own = buckets_ticks_per_second(&rt);
    assert_true(own > 1e6); /* amd64 and arm64 have a counter */
    rt.ticks = TICKS;
    helper_fakemem_put(&memory, TICKS + (uint64_t)rt.layout->ticks_val, (uint64_t)(own * 1.001));
    r = buckets_ticks_per_second(&rt);
    assert_true(r == (double)(uint64_t)(own * 1.001));
    helper_fakemem_put(&memory, TICKS + (uint64_t)rt.layout->ticks_val, (uint64_t)(own * 2));
    r = buckets_ticks_per_second(&rt);
    assert_true(fabs(r - own) < own * 0.01);
    helper_fakemem_put(&memory, TICKS + (uint64_t)rt.layout->ticks_val, 0);
    r = buckets_ticks_per_second(&rt); /* start values of 0: since the machine was started */
    assert_true(fabs(r - own) < own * 0.01);
    memory.fail = -ESRCH;
    r = buckets_ticks_per_second(&rt);
    assert_true(fabs(r - own) < own * 0.01);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cycles),
        TEST(test_before_the_first_collection),
        TEST(test_empty),
        TEST(test_circles),
        TEST(test_impossible),
        TEST(test_numbers),
        TEST(test_the_caller_ends_it),
        TEST(test_collection_meanwhile),
        TEST(test_mixed),
        TEST(test_never_still),
        TEST(test_events_meanwhile),
        TEST(test_another_list),
        TEST(test_budget),
        TEST(test_too_many),
        TEST(test_threads),
        TEST(test_window),
        TEST(test_scale),
        TEST(test_rates),
        TEST(test_ticks),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
