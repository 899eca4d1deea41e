/* sampler/perf/weigh.c: a simulated timer stands for the kernel's, so that the sums can be exact.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampler/perf/weigh.h"

enum {
    MS = 1000 * 1000,
    P = 10 * MS,
};

static struct weigh *make(uint32_t events)
{
    struct weigh *w;

    assert_int_equal(weigh_new(P, events, &w), 0);
    return w;
}

static void add(struct weigh *w, uint64_t id, uint32_t tid, uint32_t first_ns)
{
    struct wire_event e = {.id = id, .tid = tid, .first_period_ns = first_ns};

    assert_int_equal(weigh_add(w, &e, 0), 0);
}

/* The weight of one sample; -1 and so on for what does not count. */
static int64_t shot(struct weigh *w, uint64_t id, uint64_t stream, uint32_t tid, uint64_t time_ns,
                    uint64_t period_ns)
{
    struct record r = {.kind = RECORD_SAMPLE,
                       .id = id,
                       .stream = stream,
                       .tid = tid,
                       .time_ns = time_ns,
                       .period_ns = period_ns};
    uint64_t weight = 77;
    enum weigh_verdict v = weigh_sample(w, &r, &weight);

    if (v == WEIGH_COUNTS)
        return (int64_t)weight;
    assert_int_equal(weight, 0);
    return -(int64_t)v;
}

static void test_limits(void **state)
{
    struct wire_event e = {.id = 1, .tid = 1, .first_period_ns = 1};
    struct weigh *w;

    (void)state;
    assert_int_equal(weigh_new(0, 1, &w), -EINVAL);
    assert_int_equal(weigh_new(1, 0, &w), -EINVAL);
    assert_int_equal(weigh_new(1, WIRE_PERF_EVENTS_MAX + 1, &w), -EINVAL);
    assert_int_equal(weigh_new(1, WIRE_PERF_EVENTS_MAX, &w), 0);
    weigh_free(w);
    w = make(2);
    assert_int_equal(weigh_add(w, &e, 0), 0);
    assert_int_equal(weigh_add(w, &e, 0), -EEXIST);
    e.id = 2;
    assert_int_equal(weigh_add(w, &e, 0), 0);
    e.id = 3;
    assert_int_equal(weigh_add(w, &e, 0), -ENOSPC);
    assert_int_equal(weigh_events(w), 2);
    weigh_free(w);
    weigh_free(NULL);
}

static void test_first_then_settling_then_steady(void **state)
{
    struct wire_period due[4];
    struct weigh *w = make(4);
    uint32_t from = 0;

    (void)state;
    add(w, 1, 10, 4 * MS);
    add(w, 2, 11, 4 * MS);
    assert_int_equal(weigh_hurries(w), 0);
    assert_int_equal(shot(w, 1, 1, 10, 4 * MS, 4 * MS), P);
    assert_int_equal(weigh_hurries(w), 1);
    assert_int_equal(shot(w, 1, 1, 10, 8 * MS, 4 * MS), -WEIGH_SETTLING);
    /* 12 ms: 2 ms beyond what the first one told */
    assert_int_equal(shot(w, 1, 1, 10, 12 * MS, 4 * MS), 2 * MS);
    assert_int_equal(shot(w, 1, 1, 10, 16 * MS, 4 * MS), 4 * MS);
    assert_int_equal(weigh_due(w, 0, &from, due, 4), 1);
    assert_int_equal(from, 2);
    assert_int_equal(due[0].event, 0);
    assert_in_range(due[0].period_ns, P * 8 / 10, P * 12 / 10);
    weigh_changed(w, due, 1, 18 * MS);
    assert_int_equal(weigh_hurries(w), 0);
    /* (4 - 1) x 4 ms of which 6 were told, and 2 ms from the last shot to the change */
    assert_int_equal(shot(w, 1, 1, 10, 30 * MS, 4 * MS), due[0].period_ns + 6 * MS + 2 * MS);
    assert_int_equal(shot(w, 1, 1, 10, 40 * MS, 4 * MS), due[0].period_ns);
    weigh_free(w);
}

/* Only events that fired often enough get a new period, and only at a full tick. */
static void test_due(void **state)
{
    struct wire_period due[4];
    struct weigh *w = make(4);
    const uint64_t last = (4 + 10 * WEIGH_FIRES_MIN) * MS;
    uint32_t from = 0;

    (void)state;
    add(w, 1, 10, 4 * MS);
    (void)shot(w, 1, 1, 10, 4 * MS, 4 * MS);
    assert_int_equal(weigh_due(w, 0, &from, due, 4), 1);
    due[0].period_ns = P;
    weigh_changed(w, due, 1, 4 * MS);
    for (uint64_t i = 1; i < WEIGH_FIRES_MIN; i++)
        (void)shot(w, 1, 1, 10, (4 + 10 * i) * MS, 4 * MS);
    from = 0;
    assert_int_equal(weigh_due(w, 1, &from, due, 4), 0);
    (void)shot(w, 1, 1, 10, last, 4 * MS);
    from = 0;
    assert_int_equal(weigh_due(w, 0, &from, due, 4), 0);
    from = 0;
    assert_int_equal(weigh_due(w, 1, &from, due, 4), 1);
    due[0].period_ns = P;
    weigh_changed(w, due, 1, last + 6 * MS); /* 6 ms after the last shot, always running */
    /* one that was fired before the change and read after it: then only 1 ms was lost */
    assert_int_equal(shot(w, 1, 1, 10, last + 5 * MS, 4 * MS), P);
    assert_int_equal(shot(w, 1, 1, 10, last + 16 * MS, 4 * MS), P + 1 * MS);
    assert_int_equal(shot(w, 1, 1, 10, last + 26 * MS, 4 * MS), P);
    /* a thread that ended wants nothing any more */
    for (uint64_t i = 0; i < WEIGH_FIRES_MIN; i++)
        (void)shot(w, 1, 1, 10, last + (36 + 10 * i) * MS, 4 * MS);
    weigh_exit(w, 10, last + 300 * MS);
    from = 0;
    assert_int_equal(weigh_due(w, 1, &from, due, 4), 0);
    weigh_free(w);
}

static void test_due_in_batches(void **state)
{
    struct wire_period due[2];
    struct weigh *w = make(5);
    uint32_t from = 0;

    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        add(w, 1 + i, 10 + i, 4 * MS);
        (void)shot(w, 1 + i, 1 + i, 10 + i, 4 * MS, 4 * MS);
    }
    assert_int_equal(weigh_due(w, 0, &from, due, 2), 2);
    assert_int_equal(due[1].event, 1);
    assert_int_equal(weigh_due(w, 0, &from, due, 2), 2);
    assert_int_equal(due[1].event, 3);
    assert_int_equal(weigh_due(w, 0, &from, due, 2), 1);
    assert_int_equal(due[0].event, 4);
    assert_int_equal(weigh_due(w, 0, &from, due, 2), 0);
    due[0].event = 99; /* not ours: no harm */
    weigh_changed(w, due, 1, 5 * MS);
    weigh_free(w);
}

static void test_copies(void **state)
{
    struct weigh *w = make(4);

    (void)state;
    add(w, 1, 10, 4 * MS);
    assert_int_equal(shot(w, 1, 100, 20, 1, 9 * MS), 9 * MS * 3 / 2);
    assert_int_equal(shot(w, 1, 100, 20, 2, 9 * MS), 9 * MS);
    assert_int_equal(shot(w, 1, 101, 21, 3, 9 * MS), 9 * MS * 3 / 2);
    /* the copy that the kernel swapped with the opened event is still a copy */
    assert_int_equal(shot(w, 1, 101, 10, 4, 9 * MS), 9 * MS);
    assert_int_equal(shot(w, 1, 1, 20, 5, 4 * MS), P);
    assert_int_equal(shot(w, 99, 99, 20, 5, 4 * MS), -WEIGH_UNKNOWN);
    weigh_free(w);
}

/* As many copies as are told apart, and one more, which then weighs its plain period. */
static void test_copies_limit(void **state)
{
    struct weigh *w = make(4);

    (void)state;
    add(w, 1, 10, 4 * MS);
    for (uint64_t i = 0; i < WEIGH_COPIES_MAX; i++)
        assert_int_equal(shot(w, 1, 100 + i, 20, 1, 2 * MS), 3 * MS);
    assert_int_equal(shot(w, 1, 100 + WEIGH_COPIES_MAX, 20, 1, 2 * MS), 2 * MS);
    assert_int_equal(shot(w, 1, 100, 20, 1, 2 * MS), 2 * MS);
    weigh_free(w);
}

static void test_duplicates(void **state)
{
    struct weigh *w = make(4);

    (void)state;
    add(w, 1, 10, 4 * MS);
    add(w, 2, 20, 4 * MS); /* 20 was born from 10 while the events were opened */
    assert_int_equal(shot(w, 1, 100, 20, 5, 4 * MS), -WEIGH_DUPLICATE);
    assert_int_equal(shot(w, 2, 2, 20, 5, 4 * MS), P);
    weigh_exit(w, 20, 50);
    weigh_exit(w, 99, 50); /* never heard of */
    /* older than the exit, though read after it */
    assert_int_equal(shot(w, 1, 100, 20, 50, 4 * MS), -WEIGH_DUPLICATE);
    /* a later thread with that number, inherited from 10 */
    assert_int_equal(shot(w, 1, 102, 20, 51, 4 * MS), 6 * MS);
    weigh_free(w);
}

/* A thread that starts others: its silent events get a period near the nominal one at once. */
static void test_fork(void **state)
{
    struct wire_period due[4];
    struct weigh *w = make(4);
    uint32_t from = 0;

    (void)state;
    add(w, 1, 10, 4 * MS);
    add(w, 2, 10, 3 * MS);
    add(w, 3, 11, 3 * MS);
    weigh_fork(w, 99);
    assert_int_equal(weigh_hurries(w), 0);
    weigh_fork(w, 10);
    assert_int_equal(weigh_hurries(w), 1);
    assert_int_equal(weigh_due(w, 0, &from, due, 4), 2);
    assert_int_equal(weigh_hurries(w), 0);
    weigh_changed(w, due, 2, 5 * MS);
    assert_int_equal(shot(w, 1, 1, 10, 20 * MS, 4 * MS), due[0].period_ns + due[0].period_ns / 2);
    assert_int_equal(shot(w, 1, 1, 10, 40 * MS, 4 * MS), due[0].period_ns);
    weigh_fork(w, 10); /* known already */
    assert_int_equal(weigh_hurries(w), 0);
    weigh_free(w);
}

/*
 * Without bias: ${threads} threads, each running for ${run_ns} of CPU time on its own event, with
 * random first periods, settled at once after the first shot. The sum of the weights is the CPU
 * time, also when each runs for less than a period.
 */
static void unbiased(uint32_t threads, uint64_t run_ns, double part)
{
    struct weigh *w = make(threads);
    uint64_t sum = 0;
    double want = (double)threads * (double)run_ns;

    for (uint32_t i = 0; i < threads; i++)
        add(w, 1 + i, 1 + i, 1 + (uint32_t)(((uint64_t)i * 7919 % threads) * P / threads));
    for (uint32_t i = 0; i < threads; i++) {
        uint64_t first = 1 + ((uint64_t)i * 7919 % threads) * P / threads;
        uint64_t at = first, step = first;

        while (at <= run_ns) {
            struct wire_period due[1];
            uint32_t from = i;
            int64_t weight = shot(w, 1 + i, 1 + i, 1 + i, at, first);

            sum += weight > 0 ? (uint64_t)weight : 0;
            if (weigh_hurries(w) && weigh_due(w, 0, &from, due, 1) == 1) {
                weigh_changed(w, due, 1, at);
                step = due[0].period_ns;
            }
            at += step;
        }
    }
    if (fabs((double)sum / want - 1) > part)
        fail_msg("%lu of %.0f", sum, want);
    weigh_free(w);
}

static void test_unbiased(void **state)
{
    (void)state;
    unbiased(20000, P / 20, 0.02);
    unbiased(20000, P / 2, 0.02);
    unbiased(20000, P, 0.06); /* the second shot comes after 0.8 to 1.2 P: 4.5 % too much here */
    unbiased(10000, 3 * P + P / 3, 0.02);
    unbiased(2000, 50 * P, 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_first_then_settling_then_steady),
        cmocka_unit_test(test_due),        cmocka_unit_test(test_due_in_batches),
        cmocka_unit_test(test_copies),     cmocka_unit_test(test_copies_limit),
        cmocka_unit_test(test_duplicates), cmocka_unit_test(test_fork),
        cmocka_unit_test(test_unbiased),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
