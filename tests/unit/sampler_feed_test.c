/*
 * sampler/{feed,stops,ticker}.c and both ends of their questions: which way a profile is taken,
 * what a stop becomes, and that answers which cannot be end the link.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sampler/feed.h"
#include "sampler/perf/regs.h"
#include "sampler/stops.h"
#include "sampler/ticker.h"
#include "wire/answer_guard.h"

/* --- which way --- */

static void ways(void **state)
{
    struct wire_target t = {.rights = WIRE_RIGHT_PERF | WIRE_RIGHT_STOPS};

    (void)state;
    assert_int_equal(feed_source(&t, false), WIRE_SOURCE_PERF);
    assert_int_equal(feed_source(&t, true), WIRE_SOURCE_WAITS);
    t.rights = WIRE_RIGHT_STOPS;
    assert_int_equal(feed_source(&t, false), WIRE_SOURCE_STOPS);
    t.rights = 0;
    assert_int_equal(feed_source(&t, false), WIRE_SOURCE_PERF); /* which says why not */
}

static void rates(void **state)
{
    (void)state;
    assert_int_equal(feed_hz(WIRE_SOURCE_PERF, 1000), 1000);
    assert_int_equal(feed_hz(WIRE_SOURCE_STOPS, 99), 99);
    assert_int_equal(feed_hz(WIRE_SOURCE_STOPS, 100), 100);
    assert_int_equal(feed_hz(WIRE_SOURCE_STOPS, 101), 100);
    assert_int_equal(feed_hz(WIRE_SOURCE_WAITS, 100), 100);
    assert_int_equal(feed_hz(WIRE_SOURCE_WAITS, 101), 100);
}

static void ticks(void **state)
{
    const uint64_t period = CLOCK_NS_PER_SEC / 100;
    uint64_t now = 5 * CLOCK_NS_PER_SEC, lowest = UINT64_MAX, highest = 0, sum = 0;
    struct ticker t;

    (void)state;
    ticker_start(&t, 100, now);
    assert_true(t.next_ns >= now && t.next_ns < now + period);
    assert_int_equal(ticker_due(&t, t.next_ns - 1), false);
    assert_int_equal(ticker_due(&t, t.next_ns), true);
    for (int i = 0; i < 1000; i++) {
        uint64_t was = t.next_ns;

        ticker_next(&t, was);
        sum += t.next_ns - was;
        lowest = t.next_ns - was < lowest ? t.next_ns - was : lowest;
        highest = t.next_ns - was > highest ? t.next_ns - was : highest;
    }
    assert_true(lowest >= period / 5 * 4 && highest <= period / 5 * 6);
    assert_true(highest - lowest > period / 5); /* it does vary */
    assert_true(sum / 1000 > period / 100 * 97 && sum / 1000 < period / 100 * 103);
    /* far behind: not made up for */
    now = t.next_ns + 100 * period;
    ticker_next(&t, now);
    assert_true(t.next_ns > now && t.next_ns <= now + period / 5 * 6);
}

/* --- a stop as a record --- */

static uint64_t chain[RECORD_CHAIN_MAX];
static uint64_t stack[WIRE_STOP_STACK_BYTES / 8];

static struct wire_stop stop_at(uint64_t fp)
{
    return (struct wire_stop){.time_ns = 7,
                              .weight_ns = 8,
                              .pc = 0x401000,
                              .sp = 0x7000,
                              .fp = fp,
                              .g = 0xc000001,
                              .tid = 9,
                              .stack_bytes = sizeof(stack)};
}

/* A frame at word ${at} of the stack: whose frame pointer stands there, and who called. */
static uint64_t frame(size_t at, uint64_t next, uint64_t caller)
{
    stack[at] = next;
    stack[at + 1] = caller;
    return 0x7000 + at * 8;
}

static struct record record_of(const struct wire_stop *row)
{
    struct record r;

    stops_record(row, (const uint8_t *)stack, chain, &r);
    assert_int_equal(r.kind, RECORD_SAMPLE);
    assert_ptr_equal(r.chain, chain);
    assert_int_equal(chain[0], (uint64_t)PERF_CONTEXT_USER);
    assert_int_equal(chain[1], row->pc);
    return r;
}

static void frames(void **state)
{
    struct wire_stop row = stop_at(0x7000 + 10 * 8);
    struct record r;

    (void)state;
    memset(stack, 0, sizeof(stack));
    (void)frame(10, frame(20, frame(30, 0, 0x401300), 0x401200), 0x401100);
    r = record_of(&row);
    assert_int_equal(r.chain_count, 5);
    assert_int_equal(chain[2], 0x401100);
    assert_int_equal(chain[3], 0x401200);
    assert_int_equal(chain[4], 0x401300);
    assert_int_equal(r.user, 1);
    assert_int_equal(r.tid, 9);
    assert_int_equal(r.regs[REG_SP], 0x7000);
    assert_int_equal(r.regs[REG_G], 0xc000001);
    assert_int_equal(r.stack_bytes, sizeof(stack));
    row.flags = WIRE_STOP_KERNEL;
    assert_int_equal(record_of(&row).user, 0);
}

static void hostile_frames(void **state)
{
    size_t last = sizeof(stack) / 8 - 2;
    struct wire_stop row = stop_at(0x7000 + 8);

    (void)state;
    memset(stack, 0, sizeof(stack));
    assert_int_equal(record_of(&row).chain_count, 2); /* nobody called */
    (void)frame(1, 0x7000 + 8, 0x401100);             /* its own frame pointer */
    assert_int_equal(record_of(&row).chain_count, 3);
    (void)frame(1, 0x7000, 0x401100); /* downwards */
    assert_int_equal(record_of(&row).chain_count, 3);
    (void)frame(1, 0x7000 + 3 * 8 + 1, 0x401100); /* between words */
    assert_int_equal(record_of(&row).chain_count, 3);
    (void)frame(1, UINT64_MAX - 7, 0x401100); /* far away, and about to wrap */
    assert_int_equal(record_of(&row).chain_count, 3);
    (void)frame(1, frame(5, 0, (uint64_t)PERF_CONTEXT_KERNEL), 0x401100); /* a mark is no caller */
    assert_int_equal(record_of(&row).chain_count, 3);
    row.fp = 0x6ff8; /* below the stack pointer */
    assert_int_equal(record_of(&row).chain_count, 2);
    /* the last frame that is copied whole, and one word further */
    (void)frame(last, 0, 0x401900);
    row.fp = 0x7000 + last * 8;
    assert_int_equal(record_of(&row).chain_count, 3);
    row.fp += 8;
    assert_int_equal(record_of(&row).chain_count, 2);
    row.fp -= 8;
    row.stack_bytes -= 8;
    assert_int_equal(record_of(&row).chain_count, 2);
}

static void deep_frames(void **state)
{
    struct wire_stop row = stop_at(0x7000);

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(stack) / 8; i += 2)
        (void)frame(i, 0x7000 + (i + 2) * 8, 0x401000 + i);
    assert_int_equal(record_of(&row).chain_count, RECORD_CHAIN_MAX);
}

/* --- both ends of the questions --- */

static struct link guard;
static struct ask_guard sampler;
static struct wire_stops told;
static struct wire_stop told_row;
static struct wire_waits told_waits;
static struct wire_wait told_wait;
static uint8_t arena[16];

static void on_open(void *ctx, uint32_t generation, struct wire_stops_opened *ret)
{
    (void)ctx;
    ret->result = generation == 3 ? 0 : -ESTALE;
    ret->threads = 5;
}

static void on_stops(void *ctx, const struct wire_stops_ask *ask, struct wire_stops *ret,
                     struct wire_stop ret_rows[static WIRE_STOPS_MAX])
{
    (void)ctx;
    (void)ask;
    *ret = told;
    for (uint32_t i = 0; i < told.count && i < WIRE_STOPS_MAX; i++)
        ret_rows[i] = told_row;
}

static void on_waits(void *ctx, const struct wire_waits_ask *ask, struct wire_waits *ret,
                     struct wire_wait ret_rows[static WIRE_WAITS_MAX])
{
    (void)ctx;
    (void)ask;
    *ret = told_waits;
    for (uint32_t i = 0; i < told_waits.count && i < WIRE_WAITS_MAX; i++)
        ret_rows[i] = told_wait;
}

static void on_close(void *ctx)
{
    (void)ctx;
}

static const struct answer_guard_ops ops = {
    .stops_open = on_open, .stops = on_stops, .stops_close = on_close, .waits = on_waits};

/* Answers one question; its result is the thread's. */
static void *answer(void *unused)
{
    int r = -EAGAIN;

    (void)unused;
    for (int i = 0; i < 5000 && r == -EAGAIN; i++) {
        r = answer_guard_one(&guard, &ops, NULL);
        if (r == -EAGAIN)
            (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(const struct timespec){0, 1000000}, NULL);
    }
    return (void *)(intptr_t)r;
}

static int begin(void **state)
{
    int fds[2];

    (void)state;
    if (link_pair(fds) != 0)
        return -1;
    memset(&sampler, 0, sizeof(sampler));
    answer_guard_open(&guard, fds[0]);
    link_init(&sampler.link, fds[1], WIRE_ROLE_SAMPLER, WIRE_ROLE_GUARD);
    guard.turn.state = sampler.link.turn.state = WIRE_STATE_RUN;
    sampler.target.generation = 3;
    sampler.arena = arena;
    told = (struct wire_stops){.count = 2, .threads = 2};
    told_row = (struct wire_stop){.stack_bytes = WIRE_STOP_STACK_BYTES, .flags = WIRE_STOP_KERNEL};
    told_waits = (struct wire_waits){.count = 2};
    told_wait = (struct wire_wait){.stack_bytes = WIRE_WAIT_STACK_BYTES, .comm = "worker"};
    return 0;
}

static int end(void **state)
{
    (void)state;
    link_close(&guard);
    link_close(&sampler.link);
    return 0;
}

static int ask_stops(uint32_t tick)
{
    const struct wire_stops_ask q = {.generation = 3, .tick = tick};
    static struct wire_stop rows[WIRE_STOPS_MAX];
    struct wire_stops ret;
    pthread_t thread;
    void *answered;
    int r;

    assert_int_equal(pthread_create(&thread, NULL, answer, NULL), 0);
    r = ask_guard_stops(&sampler, &q, &ret, rows);
    assert_int_equal(pthread_join(thread, &answered), 0);
    if (r == 0)
        assert_memory_equal(&rows[0], &told_row, told.count ? sizeof(told_row) : 0);
    return r;
}

static int ask_waits(void)
{
    const struct wire_waits_ask q = {.generation = 3};
    static struct wire_wait rows[WIRE_WAITS_MAX];
    struct wire_waits ret;
    pthread_t thread;
    int r;

    assert_int_equal(pthread_create(&thread, NULL, answer, NULL), 0);
    r = ask_guard_waits(&sampler, &q, &ret, rows);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return r;
}

static void right_answers(void **state)
{
    struct wire_stops_opened opened;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, answer, NULL), 0);
    assert_int_equal(ask_guard_stops_open(&sampler, &opened), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(opened.threads, 5);
    assert_int_equal(ask_stops(1), 0);
    told.count = WIRE_STOPS_MAX;
    assert_int_equal(ask_stops(0), 0);
    assert_int_equal(ask_waits(), 0);
    told_waits.count = WIRE_WAITS_MAX;
    assert_int_equal(ask_waits(), 0);
    assert_int_equal(pthread_create(&thread, NULL, answer, NULL), 0);
    assert_int_equal(ask_guard_stops_close(&sampler), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_wrong_question(void **state)
{
    const struct wire_stops_ask q = {.generation = 3, .tick = 2};

    (void)state;
    assert_int_equal(link_send(&sampler.link, WIRE_ASK_STOPS, 1, &q, sizeof(q), NULL, 0, NULL, 0),
                     0);
    assert_int_equal(answer_guard_one(&guard, &ops, NULL), -EPROTO);
}

static void wrong_stops(void **state)
{
    (void)state;
    told.result = 1;
    assert_int_equal(ask_stops(0), -EPROTO);
}

static void rows_of_a_failure(void **state)
{
    (void)state;
    told.result = -ESRCH;
    assert_int_equal(ask_stops(0), -EPROTO);
}

static void a_stack_too_long(void **state)
{
    (void)state;
    told_row.stack_bytes++;
    assert_int_equal(ask_stops(0), -EPROTO);
}

static void an_unknown_flag(void **state)
{
    (void)state;
    told_row.flags = 2;
    assert_int_equal(ask_stops(0), -EPROTO);
}

static void too_many_pending(void **state)
{
    (void)state;
    told.pending = WIRE_STOPS_MAX;
    assert_int_equal(ask_stops(0), 0);
    told.pending++;
    assert_int_equal(ask_stops(0), -EPROTO);
}

static void wrong_waits(void **state)
{
    (void)state;
    told_wait.stack_bytes++;
    assert_int_equal(ask_waits(), -EPROTO);
}

static void an_unknown_state(void **state)
{
    (void)state;
    told_wait.state = WIRE_WAIT_STATES;
    assert_int_equal(ask_waits(), -EPROTO);
}

static void a_name_without_an_end(void **state)
{
    (void)state;
    memset(told_wait.comm, 'x', sizeof(told_wait.comm));
    assert_int_equal(ask_waits(), -EPROTO);
}

static void a_name_that_rings(void **state)
{
    (void)state;
    told_wait.comm[0] = '\a';
    assert_int_equal(ask_waits(), -EPROTO);
}

#define LINKED(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways),
        cmocka_unit_test(rates),
        cmocka_unit_test(ticks),
        cmocka_unit_test(frames),
        cmocka_unit_test(hostile_frames),
        cmocka_unit_test(deep_frames),
        LINKED(right_answers),
        LINKED(a_wrong_question),
        LINKED(wrong_stops),
        LINKED(rows_of_a_failure),
        LINKED(a_stack_too_long),
        LINKED(an_unknown_flag),
        LINKED(too_many_pending),
        LINKED(wrong_waits),
        LINKED(an_unknown_state),
        LINKED(a_name_without_an_end),
        LINKED(a_name_that_rings),
    };

    return cmocka_run_group_tests_name("sampler_feed", tests, NULL, NULL);
}
