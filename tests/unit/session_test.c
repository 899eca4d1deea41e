/* The rules of `limits`, with a clock of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sidecar/session.h"

enum { MINUTE_MS = 60000 };

static struct session s;
static uint64_t wait_ms;
static uint32_t ticket;

static void rules(uint64_t min_interval_ms, uint32_t concurrent, bool share)
{
    const struct session_rules r = {min_interval_ms, concurrent, share};

    session_init(&s, &r);
    wait_ms = 0;
    ticket = 0;
}

static enum session_verdict begin_as(const char *identity, uint64_t now_ms, uint32_t generation)
{
    const struct session_ask ask = {SESSION_CPU, identity, 10000, now_ms, generation};

    return session_begin(&s, &ask, &ticket, &wait_ms);
}

static enum session_verdict begin(const char *identity, uint64_t now_ms)
{
    return begin_as(identity, now_ms, 1);
}

static void end(enum session_end how, uint64_t incident)
{
    session_end(&s, ticket, how, incident, 1);
}

static void one_at_a_time(void **state)
{
    uint32_t first;

    (void)state;
    rules(0, 1, false);
    assert_int_equal(begin("a", 1000), SESSION_GO);
    first = ticket;
    assert_int_equal(session_count(&s), 1);
    assert_int_equal(begin("b", 4000), SESSION_BUSY);
    assert_int_equal(wait_ms, 7000);
    assert_int_equal(begin("a", 4000), SESSION_BUSY);
    session_end(&s, first, SESSION_DONE, 0, 1);
    assert_int_equal(session_count(&s), 0);
    assert_int_equal(begin("b", 4000), SESSION_GO);
}

/* Traces are made in the target: one of them at a time, beside the samples. */
static void a_trace_is_beside_the_samples(void **state)
{
    const struct session_ask ask = {SESSION_TRACE, "a", 5000, 1000, 1};
    struct session_ask next = {SESSION_TRACE, "b", 5000, 3000, 1};
    uint32_t cpu[SESSION_RUNNING_MAX], trace;

    (void)state;
    rules(10000, 1, true);
    assert_int_equal(session_begin(&s, &ask, &trace, &wait_ms), SESSION_GO);
    for (int i = 0; i < SESSION_RUNNING_MAX; i++) {
        assert_int_equal(begin("a", 1500), SESSION_GO);
        cpu[i] = ticket;
    }
    assert_int_equal(begin("a", 1500), SESSION_BUSY);
    assert_int_equal(session_count(&s), SESSION_RUNNING_MAX + SESSION_TRACES_MAX);
    assert_int_equal(session_begin(&s, &next, &ticket, &wait_ms), SESSION_BUSY);
    assert_int_equal(wait_ms, 3000); /* of the trace, not of the samples */
    session_end(&s, trace, SESSION_DONE, 0, 1);
    next.identity = "a"; /* share lets nobody make traces without a pause */
    next.now_ms = 10999;
    assert_int_equal(session_begin(&s, &next, &ticket, &wait_ms), SESSION_SOON);
    assert_int_equal(wait_ms, 1);
    next.now_ms = 11000;
    assert_int_equal(session_begin(&s, &next, &ticket, &wait_ms), SESSION_GO);
    for (int i = 0; i < SESSION_RUNNING_MAX; i++)
        session_end(&s, cpu[i], SESSION_DONE, 0, 1);
    assert_int_equal(session_count(&s), 1);
}

static void wait_is_never_zero(void **state)
{
    (void)state;
    rules(0, 1, false);
    assert_int_equal(begin("a", 0), SESSION_GO);
    assert_int_equal(begin("b", MINUTE_MS), SESSION_BUSY); /* it should have ended long ago */
    assert_true(wait_ms >= 1);
}

static void concurrent_at_the_limit_and_above(void **state)
{
    (void)state;
    rules(0, 2, false);
    assert_int_equal(begin("a", 0), SESSION_GO);
    assert_int_equal(begin("b", 0), SESSION_GO);
    assert_int_equal(begin("c", 0), SESSION_BUSY);
    rules(0, 1000, false); /* never more than the sampler has slots */
    for (int i = 0; i < SESSION_RUNNING_MAX; i++)
        assert_int_equal(begin("a", 0), SESSION_GO);
    assert_int_equal(begin("a", 0), SESSION_BUSY);
    rules(0, 0, false); /* would lock everybody out */
    assert_int_equal(begin("a", 0), SESSION_GO);
    assert_int_equal(begin("a", 0), SESSION_BUSY);
}

static void min_interval_at_the_limit_and_below(void **state)
{
    (void)state;
    rules(10000, 1, false);
    assert_int_equal(begin("a", 5000), SESSION_GO);
    end(SESSION_DONE, 0);
    assert_int_equal(begin("a", 14999), SESSION_SOON);
    assert_int_equal(wait_ms, 1);
    assert_int_equal(begin("b", 14999), SESSION_GO); /* another identity */
    end(SESSION_DONE, 0);
    assert_int_equal(begin("a", 15000), SESSION_GO);
}

static void leaving_does_not_shorten_the_interval(void **state)
{
    (void)state;
    rules(10000, 1, false);
    assert_int_equal(begin("a", 0), SESSION_GO);
    end(SESSION_LEFT, 0);
    assert_int_equal(session_count(&s), 0);
    assert_int_equal(begin("a", 1000), SESSION_SOON);
}

static void failing_gives_the_interval_back(void **state)
{
    (void)state;
    rules(10000, 1, false);
    assert_int_equal(begin("a", 0), SESSION_GO);
    end(SESSION_FAILED, 0);
    assert_int_equal(begin("a", 1), SESSION_GO);
    end(SESSION_CRASHED, 1);
    assert_int_equal(begin("a", 2), SESSION_GO);
}

static void share_lets_overlap_but_not_hurry(void **state)
{
    uint32_t tickets[SESSION_RUNNING_MAX];

    (void)state;
    rules(10000, 1, true);
    for (int i = 0; i < SESSION_RUNNING_MAX; i++) {
        assert_int_equal(begin("a", 100), SESSION_GO);
        tickets[i] = ticket;
    }
    assert_int_equal(begin("a", 100), SESSION_BUSY);
    for (int i = 0; i < SESSION_RUNNING_MAX; i++)
        session_end(&s, tickets[i], SESSION_DONE, 0, 1);
    assert_int_equal(begin("a", 9000), SESSION_SOON); /* nothing runs: nothing to share */
}

static void three_crashes_in_a_row(void **state)
{
    (void)state;
    rules(0, 1, false);
    for (uint64_t i = 1; i <= SESSION_CRASHES_MAX; i++) {
        assert_int_equal(begin("a", i), SESSION_GO);
        end(SESSION_CRASHED, i);
    }
    assert_int_equal(begin("a", 100), SESSION_BROKEN);
    assert_int_equal(begin("b", MINUTE_MS), SESSION_BROKEN);
    assert_int_equal(begin_as("a", MINUTE_MS, 2), SESSION_GO); /* another target */
}

static void a_profile_between_crashes_forgets_them(void **state)
{
    (void)state;
    rules(0, 1, false);
    for (uint64_t i = 1; i <= 2 * SESSION_CRASHES_MAX; i++) {
        assert_int_equal(begin("a", i), SESSION_GO);
        end(i % 3 ? SESSION_CRASHED : SESSION_DONE, i);
    }
    assert_int_equal(begin("a", 100), SESSION_GO);
}

static void one_death_counts_once(void **state)
{
    uint32_t tickets[3];

    (void)state;
    rules(0, 4, false);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(begin("a", 0), SESSION_GO);
        tickets[i] = ticket;
    }
    for (int i = 0; i < 3; i++)
        session_end(&s, tickets[i], SESSION_CRASHED, 7, 1);
    assert_int_equal(begin("a", 1), SESSION_GO);
}

static void reload_forgets_crashes_and_keeps_running(void **state)
{
    const struct session_rules r = {0, 1, false};

    (void)state;
    rules(0, 2, false);
    for (uint64_t i = 1; i <= SESSION_CRASHES_MAX; i++) {
        assert_int_equal(begin("a", i), SESSION_GO);
        end(SESSION_CRASHED, i);
    }
    assert_int_equal(begin("a", 50), SESSION_BROKEN);
    session_set_rules(&s, &r);
    assert_int_equal(begin("a", 50), SESSION_GO);
    session_set_rules(&s, &r);
    assert_int_equal(session_count(&s), 1);
}

static void odd_tickets_are_ignored(void **state)
{
    (void)state;
    rules(0, 1, false);
    assert_int_equal(begin("a", 0), SESSION_GO);
    session_end(&s, 0, SESSION_DONE, 0, 1);
    session_end(&s, ticket + 1, SESSION_DONE, 0, 1);
    assert_int_equal(session_count(&s), 1);
    session_end(&s, ticket, SESSION_DONE, 0, 1);
    session_end(&s, ticket, SESSION_DONE, 0, 1);
    assert_int_equal(session_count(&s), 0);
}

static void a_full_memory_forgets_the_oldest(void **state)
{
    char name[32];

    (void)state;
    rules(UINT64_C(1000000), 1, false);
    for (int i = 0; i <= SESSION_IDENTITIES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "id%d", i);
        assert_int_equal(begin(name, (uint64_t)i + 1), SESSION_GO);
        end(SESSION_DONE, 0);
    }
    assert_int_equal(begin("id1", 1000), SESSION_SOON);
    assert_int_equal(begin("id0", 1000), SESSION_GO); /* its row was taken by the last one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(a_trace_is_beside_the_samples),
        cmocka_unit_test(wait_is_never_zero),
        cmocka_unit_test(concurrent_at_the_limit_and_above),
        cmocka_unit_test(min_interval_at_the_limit_and_below),
        cmocka_unit_test(leaving_does_not_shorten_the_interval),
        cmocka_unit_test(failing_gives_the_interval_back),
        cmocka_unit_test(share_lets_overlap_but_not_hurry),
        cmocka_unit_test(three_crashes_in_a_row),
        cmocka_unit_test(a_profile_between_crashes_forgets_them),
        cmocka_unit_test(one_death_counts_once),
        cmocka_unit_test(reload_forgets_crashes_and_keeps_running),
        cmocka_unit_test(odd_tickets_are_ignored),
        cmocka_unit_test(a_full_memory_forgets_the_oldest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
