/*
 * A program whose runtime lies, changes or goes away while its goroutines are read: bounded time,
 * an error that names it or a count of what was left out, never a profile that looks whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sampler/go/glist.h"
#include "sampler/go/gview.h"
#include "sampler/go/waitreason.h"
#include "sampler/goroutine_profile.h"
#include "sampler/goroutine_stacks.h"
#include "tests/unit/helper_gotarget.h"
#include "tests/unit/helper_liar.h"
#include "tests/unit/helper_rope.h"

enum {
    WORD = 8,
    VICTIMS = 8, /* goroutines that are lied about */
};

struct subject {
    struct helper_gotarget g;
    struct helper_liar liar;
    struct go_image *image;
    struct go_runtime rt;
    uint64_t array, count; /* of allgs */
    uint64_t victims[VICTIMS];
};

static struct go_budget plenty(void)
{
    return (struct go_budget){.deadline_ns = clock_mono_ns() + 30 * CLOCK_NS_PER_SEC,
                              .bytes_left = UINT64_C(1) << 32};
}

static int setup(void **state)
{
    static char path[256];
    static char *argv[] = {path, NULL};
    struct subject *s = calloc(1, sizeof(*s));
    struct err e = {0};

    *state = s;
    if (!s || helper_gotarget_build("local", "goruntime", "-s", "'-ldflags=-s -w'", path,
                                    sizeof(path)) != 0)
        return 0; /* the tests skip */
    assert_int_equal(helper_gotarget_start(&s->g, argv, NULL, NULL), 0);
    helper_liar_init(&s->liar, s->g.t.pid);
    assert_int_equal(go_image_open(s->g.elf, &s->liar.target, s->g.bias, &s->image, &e), 0);
    assert_int_equal(go_runtime_open(s->image, &s->liar.target, &s->rt, &e), 0);
    s->array = helper_liar_word(&s->liar, s->rt.allgs);
    s->count = helper_liar_word(&s->liar, s->rt.allgs + WORD);
    assert_true(s->count > 80);
    for (uint64_t i = 0, n = 0; i < s->count && n < VICTIMS; i++) {
        uint64_t g = helper_liar_word(&s->liar, s->array + i * WORD);
        uint64_t status = helper_liar_word(&s->liar, g + (uint64_t)s->rt.layout->g_atomicstatus);

        if (i > 20 && (uint32_t)status == GVIEW_WAITING)
            s->victims[n++] = g;
    }
    return 0;
}

static int teardown(void **state)
{
    struct subject *s = *state;

    if (s && s->image) {
        go_image_free(s->image);
        helper_gotarget_release(&s->g);
    }
    free(s);
    return 0;
}

static struct subject *subject(void **state)
{
    struct subject *s = *state;

    if (!s || !s->image)
        skip();
    helper_liar_clear(&s->liar);
    return s;
}

struct seen {
    uint64_t user, with_stack, labelled, ids[VICTIMS];
    struct subject *s;
};

static int note(void *ctx, const struct goroutine *g)
{
    struct seen *seen = ctx;

    seen->user += !(g->flags & GOROUTINE_SYSTEM);
    seen->with_stack += g->depth > 0;
    seen->labelled += g->labels != NULL;
    assert_true(g->depth <= GOROUTINES_DEPTH_MAX);
    assert_true(strlen(g->state) < GOROUTINES_REASON_BYTES + 16);
    for (uint32_t i = 0; i < g->depth; i++)
        assert_true(go_image_has(seen->s->image, g->pcs[i]));
    return 0;
}

/* Reads everything; what it took is bounded. */
static int read_all(struct subject *s, struct seen *seen, struct goroutines_counts *counts,
                    struct err *e)
{
    struct go_budget budget = plenty();
    uint64_t began = clock_mono_ns();
    int r;

    *seen = (struct seen){.s = s};
    memset(counts, 0, sizeof(*counts));
    *e = (struct err){0};
    r = goroutines_read(&s->rt, &budget, note, seen, counts, e);
    assert_true(clock_mono_ns() - began < 10 * CLOCK_NS_PER_SEC);
    if (r != 0)
        assert_true(e->text[0] != '\0');
    return r;
}

static uint64_t field(const struct subject *s, int victim, int32_t at)
{
    return s->victims[victim] + (uint64_t)at;
}

static void test_truth(void **state)
{
    struct subject *s = subject(state);
    struct goroutines_counts c;
    struct seen seen;
    struct err e;

    assert_int_equal(read_all(s, &seen, &c, &e), 0);
    assert_int_equal(c.unreadable, 0);
    assert_int_equal(c.user, seen.user);
    assert_true(seen.labelled >= 5);
}

/* ---- The list. */

static void list_is_refused(struct subject *s, uint64_t array, uint64_t count, uint64_t capacity)
{
    uint64_t slice[3] = {array, count, capacity};
    struct goroutines_counts c;
    struct seen seen;
    struct err e;

    helper_liar_clear(&s->liar);
    (void)helper_liar_put(&s->liar, s->rt.allgs, slice, sizeof(slice));
    assert_true(read_all(s, &seen, &c, &e) < 0);
    assert_int_equal(seen.user, 0);
    assert_non_null(strstr(e.text, "allgs"));
}

static void test_list(void **state)
{
    struct subject *s = subject(state);

    list_is_refused(s, s->array, 0, 16);
    list_is_refused(s, s->array, s->count, s->count - 1);
    list_is_refused(s, s->array, UINT64_C(1) << 40, UINT64_C(1) << 41);
    list_is_refused(s, s->array, GOROUTINES_MAX + UINT64_C(1), UINT64_C(1) << 41);
    list_is_refused(s, s->array, UINT64_MAX, UINT64_MAX);
    list_is_refused(s, s->array + 1, s->count, s->count);
    list_is_refused(s, 0, s->count, s->count);
    list_is_refused(s, UINT64_C(0xffff888000000000), s->count, s->count);
}

/* Readable limits: an array of GOROUTINES_MAX is tried, and fails for what is in it. */
static void test_list_unmapped(void **state)
{
    struct subject *s = subject(state);
    uint64_t slice[3] = {UINT64_C(0x100000000000), s->count, s->count};
    struct goroutines_counts c;
    struct seen seen;
    struct err e;

    (void)helper_liar_put(&s->liar, s->rt.allgs, slice, sizeof(slice));
    assert_true(read_all(s, &seen, &c, &e) < 0);
}

static void test_list_in_a_circle(void **state)
{
    struct subject *s = subject(state);
    struct goroutines_counts c;
    struct seen seen;
    struct err e;
    uint64_t entries[64];

    for (size_t i = 0; i < 64; i++)
        entries[i] = s->victims[i % 4];
    (void)helper_liar_put(&s->liar, s->array, entries, sizeof(entries));
    assert_int_equal(read_all(s, &seen, &c, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "twice"));
    assert_int_equal(seen.user, 0);

    helper_liar_clear(&s->liar);
    helper_liar_put64(&s->liar, s->array + 5 * WORD, 0);
    assert_int_equal(read_all(s, &seen, &c, &e), -EBADMSG);
    helper_liar_clear(&s->liar);
    helper_liar_put64(&s->liar, s->array + 5 * WORD, UINT64_C(0xffffffff81000000));
    assert_int_equal(read_all(s, &seen, &c, &e), -EBADMSG);
}

/* g's that point into other things: most of them are impossible, and that is an error. */
static void test_list_of_anything(void **state)
{
    struct subject *s = subject(state);
    struct goroutines_counts c;
    struct seen seen;
    struct err e;
    uint64_t lo, hi, entries[1000];

    go_image_data(s->image, &lo, &hi);
    for (size_t i = 0; i < s->count && i < 1000; i++)
        entries[i] = (lo & ~UINT64_C(7)) + i * 64;
    (void)helper_liar_put(&s->liar, s->array, entries, (s->count < 1000 ? s->count : 1000) * WORD);
    assert_int_equal(read_all(s, &seen, &c, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "impossible"));
}

/* ---- Single goroutines. */

/* The victim is counted as impossible, all others are there. */
static void victim_is_left_out(struct subject *s, const char *what)
{
    struct goroutines_counts c;
    struct seen seen;
    struct err e;

    if (read_all(s, &seen, &c, &e) != 0)
        fail_msg("%s: %s", what, e.text);
    if (c.unreadable != 1)
        fail_msg("%s: %d impossible", what, (int)c.unreadable);
    assert_int_equal(c.user + c.system + c.dead + c.unreadable, c.total);
}

static void lie_about(struct subject *s, int32_t at, uint64_t value, const char *what)
{
    helper_liar_clear(&s->liar);
    helper_liar_put64(&s->liar, field(s, 0, at), value);
    victim_is_left_out(s, what);
}

static void test_status(void **state)
{
    static const uint32_t none[] = {0, 5, 7, 12, 99, 0xff00, 0xffffffff, 0x1005};
    struct subject *s = subject(state);

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        helper_liar_clear(&s->liar);
        (void)helper_liar_put(&s->liar, field(s, 0, s->rt.layout->g_atomicstatus), &none[i],
                              sizeof(none[i]));
        victim_is_left_out(s, "status");
    }
}

static void test_stack_bounds(void **state)
{
    struct subject *s = subject(state);
    const struct go_layout *l = s->rt.layout;
    uint64_t lo = helper_liar_word(&s->liar, field(s, 0, l->g_stack_lo));
    uint64_t hi = helper_liar_word(&s->liar, field(s, 0, l->g_stack_hi));
    int32_t sp = l->g_sched + l->gobuf_sp, pc = l->g_sched + l->gobuf_pc;

    lie_about(s, l->g_stack_lo, hi, "lo is hi");
    lie_about(s, l->g_stack_lo, 0, "no lo");
    lie_about(s, l->g_stack_hi, UINT64_MAX, "hi");
    lie_about(s, l->g_stack_hi, hi + 1, "hi not aligned");
    lie_about(s, sp, lo - WORD, "sp below");
    lie_about(s, sp, hi, "sp at the end");
    lie_about(s, sp, 0, "sp 0");
    lie_about(s, sp, UINT64_MAX - 7, "sp at the top");
    lie_about(s, sp, hi - WORD, "nothing but one word");
    lie_about(s, sp, hi - 64 + 1, "sp not aligned");
    lie_about(s, pc, 0, "pc 0");
    lie_about(s, pc, 1, "pc 1");
    lie_about(s, pc, UINT64_MAX, "pc");
    lie_about(s, l->g_syscallsp, hi + 64, "system call outside");
    lie_about(s, l->g_goid, 0, "no goid");
}

/* Another stack under a true sp: the calls do not fit to the code. */
static void test_stack_contents(void **state)
{
    struct subject *s = subject(state);
    const struct go_layout *l = s->rt.layout;
    uint64_t sp = helper_liar_word(&s->liar, field(s, 0, l->g_sched + l->gobuf_sp));
    uint64_t hi = helper_liar_word(&s->liar, field(s, 0, l->g_stack_hi));
    uint64_t words[64], entry, end, n = (hi - sp) / WORD < 64 ? (hi - sp) / WORD : 64;

    assert_int_equal(go_image_function(s->image, "runtime.mallocgc", &entry, &end), 0);
    for (uint64_t i = 0; i < n; i++)
        words[i] = entry + 64 + i; /* code of ours, but no call led from there */
    (void)helper_liar_put(&s->liar, sp, words, n * WORD);
    victim_is_left_out(s, "code everywhere");

    helper_liar_clear(&s->liar);
    memset(words, 0, sizeof(words));
    (void)helper_liar_put(&s->liar, sp, words, n * WORD);
    victim_is_left_out(s, "zeros");

    helper_liar_clear(&s->liar);
    memset(words, 0xff, sizeof(words));
    (void)helper_liar_put(&s->liar, sp, words, n * WORD);
    victim_is_left_out(s, "ones");
}

/* One whose struct is another's, stack and all, but not its stack's contents. */
static void test_swapped_stacks(void **state)
{
    struct subject *s = subject(state);
    const struct go_layout *l = s->rt.layout;
    uint64_t a = helper_liar_word(&s->liar, field(s, 0, l->g_sched + l->gobuf_sp));
    uint64_t hi = helper_liar_word(&s->liar, field(s, 0, l->g_stack_hi));
    uint64_t pc;

    /* it stands in another function than its stack says */
    assert_int_equal(go_image_function(s->image, "runtime.selectgo", &pc, &hi), 0);
    helper_liar_put64(&s->liar, field(s, 0, l->g_sched + l->gobuf_pc), pc + 1);
    assert_true(a != 0);
    victim_is_left_out(s, "pc of another function");
}

static void test_labels(void **state)
{
    static const uint64_t bad[] = {
        1, 8, 0x10000, UINT64_C(0x7ffffffffff8), UINT64_MAX, UINT64_C(0xffffffff81000000)};
    struct subject *s = subject(state);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct goroutines_counts c;
        struct seen seen;
        struct err e;

        helper_liar_clear(&s->liar);
        for (int v = 0; v < VICTIMS; v++)
            helper_liar_put64(&s->liar, field(s, v, s->rt.layout->g_labels), bad[i]);
        assert_int_equal(read_all(s, &seen, &c, &e), 0);
        assert_int_equal(c.unlabelled, VICTIMS); /* they are there, without */
    }
}

/* A slice of 2^60 labels. */
static void test_huge_labels(void **state)
{
    struct subject *s = subject(state);
    uint64_t at = s->victims[1], slice[3] = {at, UINT64_C(1) << 60, UINT64_C(1) << 60};
    struct goroutines_counts c;
    struct seen seen;
    struct err e;

    (void)helper_liar_put(&s->liar, at + 4096, slice, sizeof(slice));
    helper_liar_put64(&s->liar, field(s, 0, s->rt.layout->g_labels), at + 4096);
    assert_int_equal(read_all(s, &seen, &c, &e), 0);
    assert_int_equal(c.unlabelled, 1);
}

/* A counter that moves with each reading: never accepted, and said. */
static void test_never_still(void **state)
{
    struct subject *s = subject(state);
    struct goroutines_counts c;
    struct seen seen;
    struct err e;
    unsigned char seq = 7;

    for (int v = 0; v < 3; v++)
        helper_liar_put(&s->liar, field(s, v, s->rt.layout->g_tracking_seq), &seq, 1)->changes =
            true;
    assert_int_equal(read_all(s, &seen, &c, &e), 0);
    assert_int_equal(c.torn, 3);
    assert_int_equal(c.total, c.user + c.system + c.dead); /* given, without a stack */
    assert_int_equal(seen.with_stack, c.total - c.dead - c.torn - c.running);
}

/* A running one's thread and an m that points anywhere. */
static void test_m(void **state)
{
    static const uint64_t bad[] = {1, UINT64_C(0x7ffffffffff8), UINT64_MAX};
    struct subject *s = subject(state);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct goroutines_counts c;
        struct seen seen;
        struct err e;

        helper_liar_clear(&s->liar);
        helper_liar_put64(&s->liar, field(s, 0, s->rt.layout->g_m), bad[i]);
        assert_int_equal(read_all(s, &seen, &c, &e), 0);
        assert_int_equal(c.user + c.system + c.dead + c.unreadable, c.total);
    }
}

static void test_wait_reasons(void **state)
{
    struct subject *s = subject(state);
    struct waitreasons w;
    unsigned char reason = 255;
    struct goroutines_counts c;
    struct seen seen;
    struct err e;
    char longest[WAITREASON_BYTES];
    uint64_t string[2] = {s->victims[0] + 8192, WAITREASON_BYTES - 1};

    (void)helper_liar_put(&s->liar, field(s, 0, s->rt.layout->g_waitreason), &reason, 1);
    assert_int_equal(read_all(s, &seen, &c, &e), 0);
    assert_int_equal(c.unreadable, 0);

    /* a text at the limit, and one above: the array ends there */
    memset(longest, 'x', sizeof(longest));
    (void)helper_liar_put(&s->liar, string[0], longest, sizeof(longest));
    (void)helper_liar_put(&s->liar, s->rt.wait_reasons + 20 * 16, string, sizeof(string));
    assert_int_equal(waitreason_read(&s->liar.target, s->rt.wait_reasons, &w), 0);
    assert_true(w.count > 21);
    assert_int_equal(strlen(w.text[20]), WAITREASON_BYTES - 1);
    string[1]++;
    (void)helper_liar_put(&s->liar, s->rt.wait_reasons + 20 * 16, string, sizeof(string));
    assert_int_equal(waitreason_read(&s->liar.target, s->rt.wait_reasons, &w), 0);
    assert_int_equal(w.count, 20);
    string[1] = 0;
    (void)helper_liar_put(&s->liar, s->rt.wait_reasons + 3 * 16, string, sizeof(string));
    assert_int_equal(waitreason_read(&s->liar.target, s->rt.wait_reasons, &w), -EBADMSG);
    assert_int_equal(waitreason_read(&s->liar.target, 8, &w), -EBADMSG);
}

/* ---- Faults. */

/* Memory that goes away at any moment: an error, or counts that say it. */
static void test_unmapped_while_read(void **state)
{
    struct subject *s = subject(state);
    struct goroutines_counts c;
    struct seen seen;
    struct err e;
    uint64_t reads;

    assert_int_equal(read_all(s, &seen, &c, &e), 0);
    reads = s->liar.reads;
    for (uint64_t at = 1; at <= reads; at += 1 + reads / 100) {
        helper_liar_clear(&s->liar);
        s->liar.gone_from = at;
        assert_true(read_all(s, &seen, &c, &e) < 0); /* at the latest by the look at the end */
    }
}

/* The program ends, or becomes another, at any moment. */
static void test_end_while_read(void **state)
{
    static const int ends[] = {-ESRCH, -ESTALE, -EPERM};
    struct subject *s = subject(state);
    struct goroutines_counts c;
    struct seen seen;
    struct err e;
    uint64_t calls;

    assert_int_equal(read_all(s, &seen, &c, &e), 0);
    calls = s->liar.calls;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        for (uint64_t at = 1; at <= calls; at += 1 + calls / 40) {
            int r;

            helper_liar_clear(&s->liar);
            s->liar.end_at = at;
            s->liar.end_with = ends[i];
            r = read_all(s, &seen, &c, &e);
            assert_true(r < 0);
        }
    }
}

/* The list becomes shorter: no Go program's does. */
static void test_list_shrinks(void **state)
{
    struct subject *s = subject(state);
    struct glist l = {NULL, s->count};
    struct err e = {0};

    assert_int_equal(glist_still(&s->rt, &l, &e), 0);
    l.count++;
    assert_int_equal(glist_still(&s->rt, &l, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "changed"));
}

static bool after_calls(void *ctx)
{
    uint64_t *left = ctx;

    return (*left)-- == 0;
}

static void test_budget(void **state)
{
    struct subject *s = subject(state);
    struct goroutines_counts c;
    struct seen seen = {.s = s};
    struct err e = {0};
    struct go_budget b = plenty();
    uint64_t used;

    assert_int_equal(goroutines_read(&s->rt, &b, note, &seen, &c, &e), 0);
    used = (UINT64_C(1) << 32) - b.bytes_left;
    for (uint64_t bytes = 0; bytes < used; bytes += used / 20 + 1) {
        b = plenty();
        b.bytes_left = bytes;
        assert_int_equal(goroutines_read(&s->rt, &b, note, &seen, &c, &e), -ETIMEDOUT);
        assert_non_null(strstr(e.text, "bytes"));
    }
    b = plenty();
    b.deadline_ns = clock_mono_ns();
    assert_int_equal(goroutines_read(&s->rt, &b, note, &seen, &c, &e), -ETIMEDOUT);
    for (uint64_t calls = 0; calls < 4; calls++) {
        uint64_t left = calls;

        b = plenty();
        b.cancelled = after_calls;
        b.ctx = &left;
        assert_int_equal(goroutines_read(&s->rt, &b, note, &seen, &c, &e), -ECANCELED);
        assert_string_equal(e.text, "cancelled");
    }
}

/* One byte less than is wanted is too little, the last one is not. */
static void test_budget_at_the_limit(void **state)
{
    struct go_budget b = plenty();

    (void)state;
    b.bytes_left = 100;
    assert_true(budget_spend(&b, 100));
    assert_true(budget_spend(&b, 0));
    assert_false(budget_spend(&b, 1));
    assert_non_null(b.why);
    assert_false(budget_spend(&b, 0)); /* once used up, always */
}

/* A lying program's profile says what is missing. */
static void test_profile_says_it(void **state)
{
    struct subject *s = subject(state);
    struct goroutines_counts c;
    struct go_budget b = plenty();
    struct err e = {0};
    struct rope rope;
    struct buf out;
    char *text;
    uint32_t none = 77;

    for (int v = 0; v < VICTIMS; v++)
        (void)helper_liar_put(&s->liar, field(s, v, s->rt.layout->g_atomicstatus), &none,
                              sizeof(none));
    buf_init(&out, 1 << 24);
    assert_int_equal(goroutine_profile_build(&s->rt, NULL, GOROUTINE_GROUPED, 0, &b, &out, &c, &e),
                     0);
    assert_int_equal(c.unreadable, VICTIMS);
    assert_non_null(strstr(buf_text(&out), "impossible, left out: 8"));
    buf_release(&out);

    /* what does not fit into debug=2 is counted */
    helper_liar_clear(&s->liar);
    b = plenty();
    rope_init(&rope, 4096);
    assert_int_equal(goroutine_stacks_build(&s->rt, false, &b, &rope, &c, &e), 0);
    assert_true(rope.bytes <= 4096);
    text = helper_rope_text(&rope);
    assert_non_null(strstr(text, "goroutines left out...\n"));
    free(text);
    rope_release(&rope);
}

/* ---- Limits of a view. */

static void test_view_limits(void **state)
{
    struct gview v = {.status = GVIEW_WAITING, .goid = 1, .lo = 0x10000, .hi = 0x12000};

    (void)state;
    v.sp = v.lo;
    assert_true(gview_is_sane(&v));
    v.sp = v.lo - WORD;
    assert_false(gview_is_sane(&v));
    v.sp = v.hi - WORD;
    assert_true(gview_is_sane(&v));
    v.sp = v.hi;
    assert_false(gview_is_sane(&v));
    v.lo = 0x8;
    v.hi = v.lo + GVIEW_STACK_MAX_BYTES / WORD * WORD;
    v.sp = v.hi - WORD;
    assert_true(gview_is_sane(&v));
    v.hi += WORD;
    assert_false(gview_is_sane(&v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truth),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_unmapped),
        cmocka_unit_test(test_list_in_a_circle),
        cmocka_unit_test(test_list_of_anything),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_stack_bounds),
        cmocka_unit_test(test_stack_contents),
        cmocka_unit_test(test_swapped_stacks),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_huge_labels),
        cmocka_unit_test(test_never_still),
        cmocka_unit_test(test_m),
        cmocka_unit_test(test_wait_reasons),
        cmocka_unit_test(test_unmapped_while_read),
        cmocka_unit_test(test_end_while_read),
        cmocka_unit_test(test_list_shrinks),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_budget_at_the_limit),
        cmocka_unit_test(test_profile_says_it),
        cmocka_unit_test(test_view_limits),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
