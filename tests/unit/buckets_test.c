/* Are heap, block, mutex and thread profiles, read from outside, those that the program writes? */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "profile/gzip.h"
#include "profile/profile.h"
#include "tests/unit/helper_gobuckets.h"

enum {
    SECONDS = 30,
    TRIES = 8,
    PROFILE_BYTES = 64 * 1024 * 1024,
    GROWTH_BYTES = 16 * 1024 * 1024, /* of a heap that is not collected, by writing profiles */
};

static const char *const names[] = {"heap", "allocs", "block", "mutex", "threadcreate"};

static struct go_budget budget(void)
{
    return (struct go_budget){.deadline_ns = clock_mono_ns() + SECONDS * CLOCK_NS_PER_SEC,
                              .bytes_left = UINT64_C(1) << 32};
}

/* ---- A profile as lines of text: one a sample, frames by function and line, sorted, summed */

struct line {
    char *key;
    int64_t values[4];
};

struct lines {
    struct line *all;
    size_t count;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->key, ((const struct line *)b)->key);
}

/* Samples of nothing: records that have not been published yet, or no more. */
static bool is_zero(const struct profile *p, const struct profile_sample_view *s)
{
    for (size_t i = 0; i < profile_types(p); i++) {
        if (s->values[i] != 0)
            return false;
    }
    return true;
}

/* Frames without a name are what Go 1.23 and newer make of the zeros in m.createstack. */
static char *key_of(const struct profile *p, const struct profile_sample_view *s, size_t sample)
{
    struct profile_label label;
    struct buf b;
    char *key;

    buf_init(&b, PROFILE_BYTES);
    for (size_t i = 0; i < s->depth; i++) {
        struct profile_line_view line;

        for (size_t k = 0; profile_get_line(p, s->locations[i], k, &line); k++) {
            if (line.name[0])
                buf_printf(&b, "%s %s:%" PRId64 " (%" PRId64 ")\n", line.name, line.filename,
                           line.line, line.start_line);
        }
    }
    for (size_t i = 0; profile_get_label(p, sample, i, &label); i++)
        buf_printf(&b, "label %s=%s %" PRId64 " %s\n", label.key, label.str ? label.str : "",
                   label.num, label.unit ? label.unit : "");
    key = strdup(buf_text(&b));
    buf_release(&b);
    return key;
}

static struct lines lines_of(const struct profile *p)
{
    struct lines l = {calloc(profile_samples(p) + 1, sizeof(struct line)), 0};
    struct profile_sample_view s;
    size_t n = 0;

    assert_true(profile_types(p) <= 4);
    for (size_t i = 0; profile_get_sample(p, i, &s); i++) {
        struct line *to = &l.all[l.count];

        if (is_zero(p, &s))
            continue;
        l.count++;
        to->key = key_of(p, &s, i);
        memcpy(to->values, s.values, profile_types(p) * sizeof(int64_t));
    }
    qsort(l.all, l.count, sizeof(*l.all), by_text);
    for (size_t i = 0; i < l.count; i++) {
        if (n > 0 && strcmp(l.all[n - 1].key, l.all[i].key) == 0) {
            for (size_t k = 0; k < 4; k++)
                l.all[n - 1].values[k] += l.all[i].values[k];
            free(l.all[i].key);
        } else {
            l.all[n++] = l.all[i];
        }
    }
    l.count = n;
    return l;
}

static void lines_release(struct lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->all[i].key);
    free(l->all);
}

static void show(const char *who, const struct line *l)
{
    print_error("%s: %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n%s\n", who, l->values[0],
                l->values[1], l->values[2], l->values[3], l->key);
}

static unsigned compare_lines(const struct lines *ours, const struct lines *theirs, bool loud)
{
    size_t i = 0, k = 0;
    unsigned n = 0;

    while ((i < ours->count || k < theirs->count) && n < 3) {
        int order = i == ours->count     ? 1
                    : k == theirs->count ? -1
                                         : strcmp(ours->all[i].key, theirs->all[k].key);

        if (order < 0) {
            if (loud)
                show("only ours", &ours->all[i]);
            i++;
            n++;
        } else if (order > 0) {
            if (loud)
                show("only theirs", &theirs->all[k]);
            k++;
            n++;
        } else {
            if (memcmp(ours->all[i].values, theirs->all[k].values, sizeof(ours->all[i].values)) !=
                0) {
                if (loud) {
                    show("ours", &ours->all[i]);
                    show("theirs", &theirs->all[k]);
                }
                n++;
            }
            i++;
            k++;
        }
    }
    return n;
}

/* ---- Reading both */

static struct profile *decoded(const void *data, size_t bytes)
{
    struct profile *p = NULL;
    struct err e = {0};

    if (profile_decode(data, bytes, &p, &e) != 0)
        fail_msg("%s", e.text);
    return p;
}

static struct profile *theirs_of(const struct helper_gobuckets *g, const char *name)
{
    struct profile *p;
    struct err e = {0};
    struct buf b;
    char file[64];
    size_t bytes;
    char *packed;

    (void)snprintf(file, sizeof(file), "%s.pb.gz", name);
    packed = helper_gobuckets_file(g, file, &bytes);
    assert_non_null(packed);
    buf_init(&b, PROFILE_BYTES);
    assert_int_equal(gzip_unpack(packed, bytes, &b, &e), 0);
    p = decoded(b.data, b.len);
    buf_release(&b);
    free(packed);
    return p;
}

static int build(struct helper_gobuckets *g, enum bucket_profile_kind kind, bool text,
                 struct buf *out, uint64_t *ret_count, struct err *e)
{
    const struct bucket_profile_want want = {.kind = kind, .text = text};
    struct go_budget b = budget();

    buf_init(out, PROFILE_BYTES);
    return bucket_profile_build(&g->rt, g->space, &want, &b, out, ret_count, e);
}

static struct profile *ours_of(struct helper_gobuckets *g, enum bucket_profile_kind kind)
{
    struct err e = {0};
    struct profile *p;
    uint64_t count = 0;
    struct buf b;
    int r = build(g, kind, false, &b, &count, &e);

    if (r != 0)
        fail_msg("%s: %d %s", names[kind], r, e.text);
    p = decoded(b.data, b.len);
    if (profile_validate(p, &e) != 0)
        fail_msg("%s: %s", names[kind], e.text);
    assert_true(count >= profile_samples(p));
    buf_release(&b);
    return p;
}

static void check_head(const struct profile *a, const struct profile *b)
{
    assert_int_equal(profile_types(a), profile_types(b));
    for (size_t i = 0; i < profile_types(a); i++) {
        assert_string_equal(profile_type_name(a, i), profile_type_name(b, i));
        assert_string_equal(profile_type_unit(a, i), profile_type_unit(b, i));
    }
    assert_string_equal(profile_period_type(a), profile_period_type(b));
    assert_string_equal(profile_period_unit(a), profile_period_unit(b));
    assert_int_equal(profile_period(a), profile_period(b));
    assert_string_equal(profile_default_type(a), profile_default_type(b));
    assert_int_equal(profile_duration_ns(a), 0);
    assert_true(profile_time_ns(a) > 0);
}

/* The number of differences; the first ones are shown if ${loud}. */
static unsigned differences(struct helper_gobuckets *g, enum bucket_profile_kind kind, bool loud)
{
    struct profile *a = ours_of(g, kind), *b = theirs_of(g, names[kind]);
    struct lines ours = lines_of(a), theirs = lines_of(b);
    bool times = kind == BUCKET_PROFILE_BLOCK || kind == BUCKET_PROFILE_MUTEX;
    unsigned n;

    check_head(a, b);
    n = compare_lines(&ours, &theirs, loud);
    if (n && loud)
        print_error("%s: %zu stacks read, %zu written\n", names[kind], ours.count, theirs.count);
    /* there was something to compare; how often threads met is the scheduler's */
    if (kind <= BUCKET_PROFILE_MUTEX)
        assert_true(ours.count >= (times ? 2 : 20));
    lines_release(&ours);
    lines_release(&theirs);
    profile_free(a);
    profile_free(b);
    return n;
}

/* A thread may have been made after the program wrote: then it writes again. */
static void check_profile(struct helper_gobuckets *g, enum bucket_profile_kind kind)
{
    unsigned n = differences(g, kind, kind != BUCKET_PROFILE_THREADCREATE);

    for (int i = 0; n > 0 && kind == BUCKET_PROFILE_THREADCREATE && i < TRIES; i++) {
        assert_int_equal(helper_gobuckets_do(g, "p"), 0);
        n = differences(g, kind, i == TRIES - 1);
    }
    assert_int_equal(n, 0);
}

/* ---- The texts: the same records; their order is free where what they are sorted by is equal */

static int by_string(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines before the first with an "@ 0x" belong to the head; what follows it. */
static char *cut_head(char *text)
{
    char *next = strchr(text, '\n');

    while (next && strncmp(next + 1, "cycles/", 7) == 0)
        next = strchr(next + 1, '\n');
    while (next && strncmp(next + 1, "sampling ", 9) == 0)
        next = strchr(next + 1, '\n');
    if (!next)
        return text + strlen(text);
    *next = '\0';
    return next + 1;
}

/* The head (all before the first record), then the records, cut at blank lines; it ends at the
 * memory statistics. */
static size_t records_of(char *text, char **out, size_t max)
{
    char *end = strstr(text, "\n# runtime.MemStats");
    size_t n = 1;

    out[0] = text;
    if (end)
        *end = '\0';
    text = cut_head(text);
    for (char *p = text; p && *p && n < max;) {
        char *next = strstr(p, "\n\n");

        if (strncmp(p, "0: 0 [0: 0] ", 12) != 0) /* not published */
            out[n++] = p;
        if (next) {
            *next = '\0';
            next += 2;
        }
        p = next;
    }
    return n;
}

/* What Go 1.23 and newer make of the zeros in m.createstack: one of our two differences. */
static void drop_zeros(char *text)
{
    char *to = text;

    for (const char *p = text; *p;) {
        if (strncmp(p, " 0x0", 4) == 0 && (p[4] == ' ' || p[4] == '\n' || p[4] == '\0'))
            p += 4;
        else
            *to++ = *p++;
    }
    *to = '\0';
}

static unsigned text_differences(char *ours, char *theirs, bool loud)
{
    enum { RECORDS = 4096 };
    static char *a[RECORDS], *b[RECORDS];
    size_t n = records_of(ours, a, RECORDS), m = records_of(theirs, b, RECORDS);

    qsort(a + 1, n - 1, sizeof(*a), by_string);
    qsort(b + 1, m - 1, sizeof(*b), by_string);
    for (size_t i = 0; i < n && i < m; i++) {
        if (strcmp(a[i], b[i]) == 0)
            continue;
        if (loud)
            print_error("ours:\n%s\ntheirs:\n%s\n", a[i], b[i]);
        return 1;
    }
    return n != m;
}

static void check_text(struct helper_gobuckets *g, enum bucket_profile_kind kind)
{
    bool threads = kind == BUCKET_PROFILE_THREADCREATE;
    unsigned n = 1;

    for (int i = 0; n > 0 && i < (threads ? TRIES : 1); i++) {
        char file[64], *ours, *theirs;
        struct err e = {0};
        uint64_t count;
        struct buf out;

        if (i > 0)
            assert_int_equal(helper_gobuckets_do(g, "p"), 0);
        if (build(g, kind, true, &out, &count, &e) != 0)
            fail_msg("%s: %s", names[kind], e.text);
        ours = strdup(buf_text(&out));
        (void)snprintf(file, sizeof(file), "%s.txt", names[kind]);
        theirs = helper_gobuckets_file(g, file, NULL);
        assert_non_null(theirs);
        drop_zeros(theirs);
        n = text_differences(ours, theirs, !threads || i == TRIES - 1);
        free(ours);
        free(theirs);
        buf_release(&out);
    }
    assert_int_equal(n, 0);
}

static void check_build(const char *toolchain, const struct helper_goway *b)
{
    struct helper_gobuckets g;
    int r = helper_gobuckets_start(&g, toolchain, b);

    if (r == 77) {
        print_message("go%s is not to be had here: not tested\n", toolchain);
        return;
    }
    assert_int_equal(r, 0);
    print_message("go%s%s\n", toolchain, b->suffix);
    /* Go 1.18 and 1.19 scale mutex events when they write them: by nothing without a fraction */
    assert_int_equal(helper_gobuckets_do(&g, g.rt.layout->minor < 20 ? "grp" : "gp"), 0);
    for (int k = BUCKET_PROFILE_HEAP; k <= BUCKET_PROFILE_THREADCREATE; k++)
        check_profile(&g, (enum bucket_profile_kind)k);
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

static void test_texts(void **state)
{
    const char *const *toolchain = helper_goversions();
    struct helper_gobuckets g;

    (void)state;
    for (; *toolchain; toolchain++) {
        if (helper_gobuckets_start(&g, *toolchain, helper_goway_stripped) != 0)
            continue;
        print_message("go%s\n", *toolchain);
        assert_int_equal(helper_gobuckets_do(&g, "gp"), 0);
        for (int k = BUCKET_PROFILE_HEAP; k <= BUCKET_PROFILE_THREADCREATE; k++) {
            check_text(&g, (enum bucket_profile_kind)k);
        }
        helper_gobuckets_release(&g);
    }
}

/* ---- What is not there, and why */

static int refused(struct helper_gobuckets *g, enum bucket_profile_kind kind, struct err *e)
{
    uint64_t count = 77;
    struct buf out;
    int r = build(g, kind, false, &out, &count, e);

    if (r != 0)
        assert_int_equal(count, 77);
    assert_int_equal(bucket_profile_available(&g->rt, kind, NULL), r);
    buf_release(&out);
    return r;
}

/* A program that imports no pprof: the linker has switched its heap's sampling off; contention is
 * recorded all the same, and no profile of its own could show it. */
static void test_without_pprof(void **state)
{
    static const struct helper_goway bare = {"-bare", "-tags nopprof '-ldflags=-s -w'", NULL};
    static const char *const toolchains[] = {"1.18.10", "1.22.12", "1.26.8"};

    (void)state;
    for (size_t i = 0; i < sizeof(toolchains) / sizeof(toolchains[0]); i++) {
        struct helper_gobuckets g;
        struct profile *p;
        struct err e = {0};

        if (helper_gobuckets_start(&g, toolchains[i], &bare) != 0)
            continue;
        assert_int_equal(refused(&g, BUCKET_PROFILE_HEAP, &e), -ENOTSUP);
        assert_non_null(strstr(e.text, "MemProfileRate is 0"));
        assert_non_null(strstr(e.text, "import"));
        assert_int_equal(refused(&g, BUCKET_PROFILE_ALLOCS, &e), -ENOTSUP);
        p = ours_of(&g, BUCKET_PROFILE_BLOCK);
        assert_true(profile_total(p, 0) > 10);
        assert_true(profile_total(p, 1) > 1000000);
        profile_free(p);
        p = ours_of(&g, BUCKET_PROFILE_THREADCREATE);
        assert_true(profile_total(p, 0) > 3);
        profile_free(p);
        helper_gobuckets_release(&g);
    }
}

static void test_rates(void **state)
{
    struct helper_gobuckets g;
    struct buckets_rates rates;
    struct go_runtime kept;
    struct err e = {0};
    double ticks;

    (void)state;
    if (helper_gobuckets_start(&g, "1.26.8", helper_goway_stripped) != 0)
        skip();
    assert_int_equal(helper_gobuckets_do(&g, "r"), 0);
    assert_int_equal(buckets_rates(&g.rt, &rates), 0);
    ticks = buckets_ticks_per_second(&g.rt);
    assert_int_equal(rates.memory, 4096);
    assert_int_equal(rates.mutex, 5);
    assert_in_range(rates.block, (int64_t)(ticks * 6.9e-6), (int64_t)(ticks * 7.1e-6));
    kept = g.rt;
    g.rt.mbuckets = g.rt.bbuckets = g.rt.xbuckets = g.rt.allm = 0;
    for (int k = BUCKET_PROFILE_HEAP; k <= BUCKET_PROFILE_THREADCREATE; k++) {
        assert_int_equal(refused(&g, (enum bucket_profile_kind)k, &e), -ENOTSUP);
        assert_non_null(strstr(e.text, "not found"));
    }
    g.rt = kept;
    g.rt.mem_profile_rate = 0; /* samples cannot be scaled: no heap rather than a wrong one */
    assert_int_equal(refused(&g, BUCKET_PROFILE_HEAP, &e), -ENOTSUP);
    assert_non_null(strstr(e.text, "scaled"));
    helper_gobuckets_release(&g);
}

/* With the rates set back to 0, what was recorded is still shown, as the program itself shows it:
 * memory as sampled. Whoever knows what the rate was gets it scaled. */
static void test_rates_back_at_zero(void **state)
{
    struct helper_gobuckets g;
    struct bucket_profile_want want = {.kind = BUCKET_PROFILE_HEAP, .heap_rate = 4096};
    struct go_budget b = budget();
    struct profile *before, *after;
    struct lines x, y;
    uint64_t count;
    struct buf out;

    (void)state;
    if (helper_gobuckets_start(&g, "1.22.12", helper_goway_stripped) != 0)
        skip();
    assert_int_equal(helper_gobuckets_do(&g, "g"), 0);
    before = ours_of(&g, BUCKET_PROFILE_HEAP);
    assert_int_equal(helper_gobuckets_do(&g, "zp"), 0);
    check_profile(&g, BUCKET_PROFILE_HEAP);
    check_profile(&g, BUCKET_PROFILE_BLOCK);
    buf_init(&out, PROFILE_BYTES);
    assert_int_equal(bucket_profile_build(&g.rt, g.space, &want, &b, &out, &count, NULL), 0);
    after = decoded(out.data, out.len);
    assert_int_equal(profile_period(after), 4096);
    x = lines_of(before);
    y = lines_of(after);
    assert_int_equal(compare_lines(&x, &y, true), 0);
    lines_release(&x);
    lines_release(&y);
    profile_free(before);
    profile_free(after);
    buf_release(&out);
    helper_gobuckets_release(&g);
}

/* Bytes that do not suffice, an output that is too small, a program that is gone: no profile. */
static void test_limits(void **state)
{
    struct bucket_profile_want want = {.kind = BUCKET_PROFILE_HEAP};
    struct helper_gobuckets g;
    struct go_budget b = budget();
    struct err e = {0};
    uint64_t count;
    struct buf out;

    (void)state;
    if (helper_gobuckets_start(&g, "1.22.12", helper_goway_stripped) != 0)
        skip();
    for (int text = 0; text < 2; text++) {
        want.text = text;
        b = budget();
        b.bytes_left = 64 * 1024;
        buf_init(&out, PROFILE_BYTES);
        assert_int_equal(bucket_profile_build(&g.rt, g.space, &want, &b, &out, &count, &e),
                         -ETIMEDOUT);
        b = budget();
        buf_release(&out);
        buf_init(&out, 1024);
        assert_true(bucket_profile_build(&g.rt, g.space, &want, &b, &out, &count, &e) < 0);
        assert_true(e.text[0] != '\0');
        buf_release(&out);
    }
    g.t.fail_read = -ESRCH;
    buf_init(&out, PROFILE_BYTES);
    want.kind = BUCKET_PROFILE_THREADCREATE;
    assert_int_equal(bucket_profile_build(&g.rt, g.space, &want, &b, &out, &count, &e), -ESRCH);
    buf_release(&out);
    helper_gobuckets_release(&g);
}

/* "# Name = number" of the heap's text. */
static uint64_t said(const char *text, const char *name)
{
    const char *section = strstr(text, "\n# runtime.MemStats\n");
    char line[64];
    const char *at;

    (void)snprintf(line, sizeof(line), "\n# %s = ", name);
    at = section ? strstr(section, line) : NULL;
    return at ? strtoull(at + strlen(line), NULL, 10) : UINT64_MAX;
}

/* The memory statistics under the heap's text are those of the program's own text. */
static void test_memstats_of_the_text(void **state)
{
    static const char *const names_there[] = {
        "Alloc",     "TotalAlloc", "Sys",       "Lookups",     "Mallocs",     "Frees",
        "HeapAlloc", "HeapSys",    "HeapInuse", "HeapObjects", "Stack",       "BuckHashSys",
        "GCSys",     "OtherSys",   "LastGC",    "NumGC",       "NumForcedGC",
    };
    struct helper_gobuckets g;
    struct err e = {0};
    uint64_t count;
    struct buf out;
    char *theirs;

    (void)state;
    if (helper_gobuckets_start(&g, "1.26.8", helper_goway_stripped) != 0)
        skip();
    assert_int_equal(helper_gobuckets_do(&g, "gpp"), 0); /* the second time has all it needs */
    assert_int_equal(build(&g, BUCKET_PROFILE_HEAP, true, &out, &count, &e), 0);
    theirs = helper_gobuckets_file(&g, "heap.txt", NULL);
    for (size_t i = 0; i < sizeof(names_there) / sizeof(names_there[0]); i++) {
        uint64_t ours = said(buf_text(&out), names_there[i]), own = said(theirs, names_there[i]);

        uint64_t apart = ours > own ? ours - own : own - ours; /* go_stats_test is exact */

        if (ours == UINT64_MAX || apart > GROWTH_BYTES)
            print_error("%s: %" PRIu64 ", not %" PRIu64 "\n", names_there[i], ours, own);
        assert_true(ours != UINT64_MAX && apart <= GROWTH_BYTES);
    }
    free(theirs);
    buf_release(&out);
    helper_gobuckets_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions), cmocka_unit_test(test_newest),
        cmocka_unit_test(test_texts),    cmocka_unit_test(test_without_pprof),
        cmocka_unit_test(test_rates),    cmocka_unit_test(test_rates_back_at_zero),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_memstats_of_the_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
