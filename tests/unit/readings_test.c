/* Readings on a real loop with a sampler played by the test: one of a kind at a time, in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "sidecar/state.h"
#include "wire/answer_sampler.h"
#include "wire/front.h"

enum { PATIENCE_MS = 5000, ASKERS = 4 };

static struct scene {
    uv_loop_t loop;
    struct state st;
    struct link guard, sampler; /* the test's ends */
    struct wire_status status;
    int ups;
    /* what each asker was told */
    int answers[ASKERS];
    enum peers_fate fate[ASKERS];
    int32_t result[ASKERS];
} w;

static void on_status(void *ctx, const struct wire_status *s)
{
    (void)ctx;
    w.st.status = *s;
}

static void on_sampler(void *ctx, bool up)
{
    (void)ctx;
    w.ups += up;
}

static void on_gone(void *ctx, const char *why)
{
    (void)ctx;
    fail_msg("the guard is gone: %s", why);
}

static void then(void *data, const struct peers_answer *a)
{
    size_t i = (size_t)((int *)data - w.answers);

    assert_true(i < ASKERS);
    w.answers[i]++;
    w.fate[i] = a->fate;
    if (a->fate == PEERS_ANSWERED)
        w.result[i] = a->answer->body.runtime.result;
}

static void turn(void)
{
    (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    (void)usleep(1000);
}

/* Turn the loop until ${*what} reaches ${value}. */
static void until(const int *what, int value)
{
    uint64_t end = clock_mono_ns() + PATIENCE_MS * CLOCK_NS_PER_MS;

    while (*what < value) {
        turn();
        if (clock_mono_ns() > end)
            fail_msg("nothing happened in %d ms", PATIENCE_MS);
    }
}

/* The next question that the sampler gets. */
static struct answer_sampler_question question(void)
{
    uint64_t end = clock_mono_ns() + PATIENCE_MS * CLOCK_NS_PER_MS;
    struct answer_sampler_question q;
    int r;

    while ((r = answer_sampler_next(&w.sampler, &q)) == -EAGAIN) {
        turn();
        if (clock_mono_ns() > end)
            fail_msg("no question in %d ms", PATIENCE_MS);
    }
    assert_int_equal(r, 0);
    return q;
}

/* For longer than any kind rests after a quick answer. */
static void silence(void)
{
    struct answer_sampler_question q;

    for (int i = 0; i < 3 * READINGS_REST_MIN_MS; i++)
        turn();
    assert_int_equal(answer_sampler_next(&w.sampler, &q), -EAGAIN);
}

static void answer(uint32_t id, int result, uint64_t count, const char *text)
{
    struct wire_runtime_read read = {.result = result, .count = count, .torn = 2};
    int fd = result ? -1 : bulk_make("x", 1);

    (void)snprintf(read.text, sizeof(read.text), "%s", text);
    assert_int_equal(answer_sampler_runtime(&w.sampler, id, &read, fd), 0);
    if (fd >= 0)
        (void)close(fd);
}

static uint32_t ask(size_t asker, uint32_t kind)
{
    const struct wire_runtime want = {.kind = kind};
    uint32_t ticket = 0;

    assert_int_equal(readings_ask(w.st.readings, &want, then, &w.answers[asker], &ticket), 0);
    assert_int_not_equal(ticket, 0);
    assert_int_equal(w.answers[asker], 0); /* never from inside */
    return ticket;
}

static void send_sampler(void)
{
    int pair[2];

    assert_int_equal(link_pair(pair), 0);
    link_close(&w.sampler);
    answer_sampler_open(&w.sampler, pair[0]);
    w.status.sampler_up = 1;
    w.status.target.state = WIRE_TARGET_UP;
    w.status.target.generation = 1;
    assert_int_equal(front_tell(&w.guard, &w.status, pair[1]), 0);
    (void)close(pair[1]);
}

static int setup(void **state)
{
    struct peers_hooks hooks = {&w, on_status, on_sampler, on_gone, NULL};
    int pair[2];

    (void)state;
    memset(&w, 0, sizeof(w));
    w.sampler.fd = -1;
    assert_int_equal(link_pair(pair), 0);
    assert_int_equal(uv_loop_init(&w.loop), 0);
    assert_int_equal(peers_new(&w.loop, pair[1], &hooks, &w.st.peers), 0);
    assert_int_equal(readings_new(&w.loop, &w.st, &w.st.readings), 0);
    front_guard_open(&w.guard, pair[0]);
    send_sampler();
    until(&w.ups, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    peers_free(w.st.peers);
    readings_free(w.st.readings);
    link_close(&w.guard);
    link_close(&w.sampler);
    for (int i = 0; i < 4; i++)
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&w.loop), 0); /* no handle is left */
    return 0;
}

static void one_of_a_kind_at_a_time(void **state)
{
    struct answer_sampler_question a, b;

    (void)state;
    (void)ask(0, WIRE_RUNTIME_HEAP);
    (void)ask(1, WIRE_RUNTIME_HEAP);
    (void)ask(2, WIRE_RUNTIME_GOROUTINE); /* another kind does not wait */
    a = question();
    b = question();
    assert_int_not_equal(a.runtime.kind, b.runtime.kind);
    silence();
    assert_int_equal(readings_waiting(w.st.readings, WIRE_RUNTIME_HEAP), 2);
    answer(a.runtime.kind == WIRE_RUNTIME_HEAP ? a.id : b.id, 0, 1, "");
    until(&w.answers[0], 1);
    a = question(); /* its turn, after a rest */
    assert_int_equal(a.runtime.kind, WIRE_RUNTIME_HEAP);
    answer(a.id, -ENOTSUP, 0, "why");
    until(&w.answers[1], 1);
    assert_int_equal(w.result[1], -ENOTSUP);
    assert_int_equal(w.answers[0], 1);
    assert_int_equal(w.answers[2], 0);
}

static void what_was_learned_is_remembered(void **state)
{
    const struct readings_last *last = readings_last(w.st.readings, WIRE_RUNTIME_GOROUTINE);

    (void)state;
    assert_false(last->known);
    (void)ask(0, WIRE_RUNTIME_GOROUTINE);
    answer(question().id, 0, 42, "");
    until(&w.answers[0], 1);
    last = readings_last(w.st.readings, WIRE_RUNTIME_GOROUTINE);
    assert_true(last->known);
    assert_int_equal(last->read.count, 42);
    assert_int_equal(w.st.metrics.goroutine_readings, 1);
    assert_int_equal(w.st.metrics.goroutines_torn, 2);
    (void)ask(1, WIRE_RUNTIME_BLOCK);
    answer(question().id, -ENOTSUP, 0, "the rate is 0");
    until(&w.answers[1], 1);
    last = readings_last(w.st.readings, WIRE_RUNTIME_BLOCK);
    assert_int_equal(last->result, -ENOTSUP);
    assert_string_equal(last->read.text, "the rate is 0");
    w.st.status.target.generation = 2; /* of another target nothing is known */
    assert_false(readings_last(w.st.readings, WIRE_RUNTIME_GOROUTINE)->known);
}

static void leaving_cancels_and_holds_the_turn(void **state)
{
    struct answer_sampler_question q, cancel;
    uint32_t first, second;

    (void)state;
    first = ask(0, WIRE_RUNTIME_HEAP);
    q = question();
    second = ask(1, WIRE_RUNTIME_HEAP);
    (void)ask(2, WIRE_RUNTIME_HEAP);
    readings_forget(w.st.readings, second); /* it was never asked */
    readings_forget(w.st.readings, first);
    cancel = question();
    assert_int_equal(cancel.type, WIRE_ASK_CANCEL);
    assert_int_equal(cancel.id, q.id);
    silence(); /* the sampler still reads: the next one waits for it */
    answer(q.id, -ECANCELED, 0, "cancelled");
    q = question();
    answer(q.id, 0, 3, "");
    until(&w.answers[2], 1);
    assert_int_equal(w.answers[0] + w.answers[1], 0);
    assert_int_equal(readings_waiting(w.st.readings, WIRE_RUNTIME_HEAP), 0);
    readings_forget(w.st.readings, first); /* long gone */
    readings_forget(w.st.readings, 0);
}

static void a_death_is_told_to_all_and_counted_once_a_kind(void **state)
{
    (void)state;
    (void)ask(0, WIRE_RUNTIME_HEAP);
    (void)question();
    (void)ask(1, WIRE_RUNTIME_HEAP);
    link_close(&w.sampler);
    until(&w.answers[0], 1);
    until(&w.answers[1], 1);
    assert_int_equal(w.fate[0], PEERS_DIED);
    assert_int_equal(w.fate[1], PEERS_DIED);
    assert_int_equal(w.st.session.crashes[SESSION_HEAP].count, 1); /* the second was never put */
    send_sampler();
    until(&w.ups, 2);
    (void)ask(2, WIRE_RUNTIME_HEAP);
    answer(question().id, 0, 1, "");
    until(&w.answers[2], 1);
    assert_int_equal(w.st.session.crashes[SESSION_HEAP].count, 0);
}

static void the_table_is_bounded(void **state)
{
    const struct wire_runtime want = {.kind = WIRE_RUNTIME_HEAP};
    uint32_t ticket;

    (void)state;
    for (int i = 0; i < READINGS_MAX; i++)
        assert_int_equal(readings_ask(w.st.readings, &want, then, &w.answers[3], &ticket), 0);
    assert_int_equal(readings_ask(w.st.readings, &want, then, &w.answers[3], &ticket), -EBUSY);
    readings_forget(w.st.readings, ticket);
    assert_int_equal(readings_ask(w.st.readings, &want, then, &w.answers[3], &ticket), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_of_a_kind_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_learned_is_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(leaving_cancels_and_holds_the_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_death_is_told_to_all_and_counted_once_a_kind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_table_is_bounded, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
