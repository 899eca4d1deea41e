/* wire/answer_guard.c: a rate that is asked for, over a real socket pair, and who ends whom. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire/answer_guard.h"

static struct link guard, sampler;
static struct wire_rate_ask heard;
static int result;

static int on_rate(void *ctx, const struct wire_rate_ask *ask)
{
    (void)ctx;
    heard = *ask;
    return result;
}

static void on_members(void *ctx, uint32_t generation, struct wire_members *ret)
{
    (void)ctx;
    if (generation != 3)
        return;
    ret->count = 2;
    ret->row[1] = (struct wire_member){.generation = 8, .pid = 99, .name = "worker"};
}

static const struct answer_guard_ops ops = {.rate = on_rate, .members = on_members};

static int begin(void **state)
{
    int fds[2];

    (void)state;
    if (link_pair(fds) != 0)
        return -1;
    answer_guard_open(&guard, fds[0]);
    link_init(&sampler, fds[1], WIRE_ROLE_SAMPLER, WIRE_ROLE_GUARD);
    guard.turn.state = sampler.turn.state = WIRE_STATE_RUN;
    memset(&heard, 0, sizeof(heard));
    return 0;
}

static int end(void **state)
{
    (void)state;
    link_close(&guard);
    link_close(&sampler);
    return 0;
}

static const struct wire_rate_ask ask = {
    .generation = 3, .rate = WIRE_RATE_MUTEX, .address = 0x601000, .old = 5};

static int send_ask(size_t bytes)
{
    return link_send(&sampler, WIRE_ASK_RATE, 9, &ask, bytes, NULL, 0, NULL, 0);
}

static void answered(void **state)
{
    static const int results[] = {0, -EPERM, -EACCES, -EALREADY, -EAGAIN};
    struct wire_result got;
    struct packet p;

    (void)state;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        result = results[i];
        assert_int_equal(send_ask(sizeof(ask)), 0);
        assert_int_equal(answer_guard_one(&guard, &ops, NULL), 0);
        assert_memory_equal(&heard, &ask, sizeof(ask));
        assert_int_equal(link_recv(&sampler, 1000, &p), 0);
        assert_int_equal(p.head.type, WIRE_ANS_RATE);
        assert_int_equal(p.head.id, 9);
        memcpy(&got, p.body, sizeof(got));
        assert_int_equal(got.result, results[i]);
    }
}

/* What no sampler of ours sends ends it, without an answer. */
static void impossible(void **state)
{
    struct packet p;

    (void)state;
    result = -EPROTO;
    assert_int_equal(send_ask(sizeof(ask)), 0);
    assert_int_equal(answer_guard_one(&guard, &ops, NULL), -EPROTO);
    assert_non_null(strstr(guard.why, "rate"));
    assert_int_equal(link_recv(&sampler, 0, &p), -EAGAIN);
}

static void before_hello(void **state)
{
    (void)state;
    guard.turn.state = WIRE_STATE_START;
    assert_int_equal(send_ask(sizeof(ask)), 0);
    assert_int_equal(answer_guard_one(&guard, &ops, NULL), -EPROTO);
    assert_int_equal(heard.address, 0);
}

static void a_wrong_length(void **state)
{
    (void)state;
    assert_int_equal(send_ask(sizeof(ask) - 1), 0);
    assert_int_equal(answer_guard_one(&guard, &ops, NULL), -EPROTO);
    assert_int_equal(heard.address, 0);
}

static void members_answered(void **state)
{
    struct wire_gen q = {.generation = 3};
    struct wire_members got;
    struct packet p;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(link_send(&sampler, WIRE_ASK_MEMBERS, 5, &q, sizeof(q), NULL, 0, NULL, 0),
                         0);
        assert_int_equal(answer_guard_one(&guard, &ops, NULL), 0);
        assert_int_equal(link_recv(&sampler, 1000, &p), 0);
        assert_int_equal(p.head.type, WIRE_ANS_MEMBERS);
        memcpy(&got, p.body, sizeof(got));
        assert_int_equal(got.count, i == 0 ? 2 : 0);
        assert_int_equal(got.row[1].generation, i == 0 ? 8 : 0);
        q.generation = 4; /* another's: nobody */
    }
    assert_int_equal(link_send(&sampler, WIRE_ASK_MEMBERS, 5, &q, sizeof(q) - 1, NULL, 0, NULL, 0),
                     0);
    assert_int_equal(answer_guard_one(&guard, &ops, NULL), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answered, begin, end),
        cmocka_unit_test_setup_teardown(impossible, begin, end),
        cmocka_unit_test_setup_teardown(before_hello, begin, end),
        cmocka_unit_test_setup_teardown(a_wrong_length, begin, end),
        cmocka_unit_test_setup_teardown(members_answered, begin, end),
    };

    return cmocka_run_group_tests_name("answer_guard", tests, NULL, NULL);
}
