/* The two links on a real loop, with a guard and a sampler played by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "sidecar/peers.h"
#include "wire/answer_sampler.h"
#include "wire/front.h"

enum { PATIENCE_MS = 5000 };

static struct scene {
    uv_loop_t loop;
    struct peers *peers;
    struct link guard; /* the test's ends */
    struct link sampler;
    struct wire_status status;
    /* what the hooks were told */
    int news, ups, downs, gone;
    char gone_why[64];
    /* what the askers were told */
    int answers;
    enum peers_fate fate;
    int32_t result;
    int fd_was;
    uint64_t incident;
    char why[512];
    struct ask_sampler_answer last;
} w;

static void on_status(void *ctx, const struct wire_status *s)
{
    (void)ctx;
    (void)s;
    w.news++;
}

static void on_sampler(void *ctx, bool up)
{
    (void)ctx;
    if (up)
        w.ups++;
    else
        w.downs++;
}

static void on_gone(void *ctx, const char *why)
{
    (void)ctx;
    w.gone++;
    (void)snprintf(w.gone_why, sizeof(w.gone_why), "%s", why);
}

static void then(void *data, const struct peers_answer *a)
{
    assert_ptr_equal(data, &w);
    w.answers++;
    w.fate = a->fate;
    w.incident = a->incident;
    (void)snprintf(w.why, sizeof(w.why), "%s", a->why);
    if (a->fate != PEERS_ANSWERED)
        return;
    w.last = *a->answer;
    w.fd_was = a->answer->fd;
}

static void send_sampler(void)
{
    int pair[2];

    assert_int_equal(link_pair(pair), 0);
    link_close(&w.sampler);
    answer_sampler_open(&w.sampler, pair[0]);
    w.status.sampler_up = 1;
    assert_int_equal(front_tell(&w.guard, &w.status, pair[1]), 0);
    (void)close(pair[1]);
}

/* Turn the loop until ${*what} reaches ${value}. */
static void until(const int *what, int value)
{
    uint64_t end = clock_mono_ns() + PATIENCE_MS * CLOCK_NS_PER_MS;

    while (*what < value) {
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
        if (clock_mono_ns() > end)
            fail_msg("nothing happened in %d ms", PATIENCE_MS);
        (void)usleep(1000);
    }
}

static struct answer_sampler_question question(void)
{
    struct answer_sampler_question q;

    assert_int_equal(answer_sampler_next(&w.sampler, &q), 0);
    return q;
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
    assert_int_equal(peers_new(&w.loop, pair[1], &hooks, &w.peers), 0);
    front_guard_open(&w.guard, pair[0]);
    send_sampler();
    until(&w.ups, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    peers_free(w.peers);
    link_close(&w.guard);
    link_close(&w.sampler);
    for (int i = 0; i < 4; i++)
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&w.loop), 0); /* no handle is left */
    return 0;
}

static uint32_t ask_cpu(void)
{
    const struct wire_cpu cpu = {.duration_ms = 1000, .hz = 100};
    uint32_t ticket = 0;

    assert_int_equal(peers_cpu(w.peers, &cpu, then, &w, &ticket), 0);
    assert_int_not_equal(ticket, 0);
    return ticket;
}

static void news_are_passed_on(void **state)
{
    (void)state;
    assert_int_equal(w.news, 1);
    assert_int_equal(front_tell(&w.guard, &w.status, -1), 0);
    until(&w.news, 2);
    assert_int_equal(w.ups, 1);
}

static void ready_is_told(void **state)
{
    enum front_said said;

    (void)state;
    assert_int_equal(peers_say_ready(w.peers), 0);
    assert_int_equal(front_listen(&w.guard, &said), 0);
    assert_int_equal(said, FRONT_SAID_READY);
}

static void answers_find_their_questions(void **state)
{
    struct wire_about about = {.generation = 3};
    struct wire_profile profile = {.samples = 5};
    struct answer_sampler_question first, second;
    uint32_t ticket;
    int fd = bulk_make("x", 1);

    (void)state;
    (void)ask_cpu();
    assert_int_equal(peers_about(w.peers, then, &w, &ticket), 0);
    first = question();
    second = question();
    assert_int_equal(first.type, WIRE_ASK_CPU);
    assert_int_equal(second.type, WIRE_ASK_ABOUT);
    /* out of order */
    assert_int_equal(answer_sampler_about(&w.sampler, second.id, &about), 0);
    until(&w.answers, 1);
    assert_int_equal(w.last.type, WIRE_ANS_ABOUT);
    assert_int_equal(w.last.body.about.generation, 3);
    assert_int_equal(answer_sampler_cpu(&w.sampler, first.id, &profile, fd), 0);
    until(&w.answers, 2);
    assert_int_equal(w.last.type, WIRE_ANS_CPU);
    assert_int_equal(w.last.body.cpu.samples, 5);
    assert_int_equal(close(w.fd_was), -1); /* it was closed for the asker */
    (void)close(fd);
}

static void an_answer_of_another_kind_is_nobodys(void **state)
{
    struct answer_sampler_question q;

    (void)state;
    (void)ask_cpu();
    q = question();
    assert_int_equal(answer_sampler_said(&w.sampler, WIRE_ANS_ARGV, q.id, -EIO, "", -1), 0);
    for (int i = 0; i < 20; i++)
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_int_equal(w.answers, 0);
}

static void leaving_cancels_and_is_not_called(void **state)
{
    struct wire_profile profile = {.result = -ECANCELED, .ended = WIRE_ENDED_CANCEL};
    struct answer_sampler_question q, cancel;
    uint32_t ticket;

    (void)state;
    ticket = ask_cpu();
    q = question();
    peers_forget(w.peers, ticket);
    cancel = question();
    assert_int_equal(cancel.type, WIRE_ASK_CANCEL);
    assert_int_equal(cancel.id, q.id);
    assert_int_equal(answer_sampler_cpu(&w.sampler, q.id, &profile, -1), 0);
    for (int i = 0; i < 20; i++)
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_int_equal(w.answers, 0);
    peers_forget(w.peers, ticket); /* unknown by now */
    peers_forget(w.peers, 0);
}

static void finishing_asks_for_what_there_is(void **state)
{
    struct answer_sampler_question q;

    (void)state;
    (void)ask_cpu();
    q = question();
    assert_int_equal(q.type, WIRE_ASK_CPU);
    peers_finish(w.peers);
    q = question();
    assert_int_equal(q.type, WIRE_ASK_CANCEL);
    assert_int_equal(q.finish, 1);
}

static void a_death_is_told_with_the_guards_reason(void **state)
{
    uint32_t ticket;

    (void)state;
    (void)ask_cpu();
    link_close(&w.sampler);
    until(&w.downs, 1);
    assert_int_equal(w.answers, 0); /* the guard's word is waited for */
    assert_int_equal(peers_about(w.peers, then, &w, &ticket), -EPIPE);
    w.status.sampler_up = 0;
    (void)snprintf(w.status.note, sizeof(w.status.note), "the sampler died (SIGSEGV)");
    assert_int_equal(front_tell(&w.guard, &w.status, -1), 0);
    until(&w.answers, 1);
    assert_int_equal(w.fate, PEERS_DIED);
    assert_int_equal(w.incident, 1);
    assert_string_equal(w.why, "the sampler died (SIGSEGV)");
    w.status.note[0] = '\0';
    send_sampler();
    until(&w.ups, 2);
    (void)ask_cpu();
    assert_int_equal(question().type, WIRE_ASK_CPU);
}

static void a_death_is_told_without_it_too(void **state)
{
    (void)state;
    (void)ask_cpu();
    link_close(&w.sampler);
    until(&w.answers, 1);
    assert_int_equal(w.fate, PEERS_DIED);
    assert_non_null(strstr(w.why, "the sampler died"));
}

static void a_new_sampler_ends_the_old_ones_questions(void **state)
{
    (void)state;
    (void)ask_cpu();
    send_sampler();
    until(&w.ups, 2);
    assert_int_equal(w.answers, 1);
    assert_int_equal(w.fate, PEERS_DIED);
    assert_int_equal(w.downs, 1);
}

static void a_sampler_that_breaks_the_rules_is_blamed(void **state)
{
    enum front_said said;

    (void)state;
    assert_int_equal(peers_say_ready(w.peers), 0);
    assert_int_equal(front_listen(&w.guard, &said), 0);
    (void)ask_cpu();
    assert_int_equal(link_send(&w.sampler, WIRE_ASK_HELLO, 1, "junk", 4, NULL, 0, NULL, 0), 0);
    until(&w.downs, 1);
    assert_int_equal(front_listen(&w.guard, &said), 0);
    assert_int_equal(said, FRONT_SAID_BLAME);
    until(&w.answers, 1);
    assert_non_null(strstr(w.why, "broke the rules"));
}

static void the_guards_end_is_told(void **state)
{
    (void)state;
    link_close(&w.guard);
    until(&w.gone, 1);
    assert_string_equal(w.gone_why, "");
}

static void a_guard_that_breaks_the_rules_is_told(void **state)
{
    (void)state;
    assert_int_equal(link_send(&w.guard, WIRE_TELL_STATUS, 0, "x", 1, NULL, 0, NULL, 0), 0);
    until(&w.gone, 1);
    assert_string_not_equal(w.gone_why, "");
}

static void the_table_of_questions_is_bounded(void **state)
{
    uint32_t ticket;

    (void)state;
    for (int i = 0; i < PEERS_PENDING_MAX; i++) {
        assert_int_equal(peers_argv(w.peers, then, &w, &ticket), 0);
        assert_int_equal(question().type, WIRE_ASK_ARGV);
    }
    assert_int_equal(peers_argv(w.peers, then, &w, &ticket), -EBUSY);
    link_close(&w.sampler);
    until(&w.answers, PEERS_PENDING_MAX); /* each exactly once */
    assert_int_equal(w.answers, PEERS_PENDING_MAX);
}

static void too_many_addresses_are_refused(void **state)
{
    static const uint64_t many[WIRE_SYMBOLS_MAX + 1];
    uint32_t ticket;

    (void)state;
    assert_int_equal(peers_symbol(w.peers, many, WIRE_SYMBOLS_MAX, then, &w, &ticket), 0);
    assert_int_equal(question().count, WIRE_SYMBOLS_MAX);
    assert_int_equal(peers_symbol(w.peers, many, WIRE_SYMBOLS_MAX + 1, then, &w, &ticket), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(news_are_passed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(ready_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_find_their_questions, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_of_another_kind_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(leaving_cancels_and_is_not_called, setup, teardown),
        cmocka_unit_test_setup_teardown(finishing_asks_for_what_there_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_death_is_told_with_the_guards_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(a_death_is_told_without_it_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_sampler_ends_the_old_ones_questions, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sampler_that_breaks_the_rules_is_blamed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_guards_end_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_guard_that_breaks_the_rules_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(the_table_of_questions_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_addresses_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
