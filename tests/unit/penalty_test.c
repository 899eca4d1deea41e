#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "sidecar/http/penalty.h"

#define MS(n) ((uint64_t)(n)*CLOCK_NS_PER_MS)

static const uint64_t start = 1000 * CLOCK_NS_PER_SEC;

static struct limits_key key(uint32_t ipv4)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ipv4)};
    struct sockaddr_storage addr = {0};
    struct limits_key k;

    memcpy(&addr, &in, sizeof(in));
    limits_key(&addr, &k);
    return k;
}

static struct penalty *table(void)
{
    struct penalty *t = NULL;

    assert_int_equal(penalty_new(&t), 0);
    return t;
}

static void test_grows(void **state)
{
    struct penalty *t = table();
    struct limits_key a = key(0xcb007109), b = key(0xcb00710a);
    uint64_t now = start;

    (void)state;
    for (int i = 0; i < PENALTY_FREE; i++)
        penalty_failed(t, &a, PENALTY_CREDENTIALS, now);
    assert_int_equal(penalty_left_ms(t, &a, now), 0); /* at the limit */
    for (uint64_t n = 1; n <= 130; n++) {             /* and above it */
        uint64_t ms = n * PENALTY_STEP_MS < PENALTY_MAX_MS ? n * PENALTY_STEP_MS : PENALTY_MAX_MS;

        penalty_failed(t, &a, PENALTY_CREDENTIALS, now);
        assert_int_equal(penalty_left_ms(t, &a, now), ms);
        assert_int_equal(penalty_left_ms(t, &a, now + MS(ms) - 1), 1);
        assert_int_equal(penalty_left_ms(t, &a, now + MS(ms)), 0);
        now += MS(ms);
    }
    assert_int_equal(penalty_left_ms(t, &b, now), 0);
    penalty_free(t);
    penalty_free(NULL);
}

static void test_forgets(void **state)
{
    struct penalty *t = table();
    struct limits_key a = key(0xcb007109);
    uint64_t now = start;

    (void)state;
    for (int i = 0; i < PENALTY_FREE; i++)
        penalty_failed(t, &a, PENALTY_CREDENTIALS, now);
    now += MS(PENALTY_FORGET_MS); /* not yet */
    penalty_failed(t, &a, PENALTY_CREDENTIALS, now);
    assert_int_equal(penalty_left_ms(t, &a, now), PENALTY_STEP_MS);
    now += MS(PENALTY_STEP_MS) + MS(PENALTY_FORGET_MS) + 1;
    penalty_failed(t, &a, PENALTY_CREDENTIALS, now);
    assert_int_equal(penalty_left_ms(t, &a, now), 0);
    for (int i = 0; i < 10; i++)
        penalty_failed(t, &a, PENALTY_CREDENTIALS, now);
    assert_true(penalty_left_ms(t, &a, now) > 0);
    assert_false(penalty_known(t, &a, now));
    penalty_passed(t, &a, now);
    assert_int_equal(penalty_left_ms(t, &a, now), 0);
    penalty_failed(t, &a, PENALTY_CREDENTIALS, now); /* and begins anew */
    assert_int_equal(penalty_left_ms(t, &a, now), 0);
    assert_true(penalty_known(t, &a, now + MS(PENALTY_KNOWN_MS) - 1));
    assert_false(penalty_known(t, &a, now + MS(PENALTY_KNOWN_MS)));
    penalty_free(t);
}

/* A handshake weighs a tenth of a credential, and on loopback nothing. */
static void test_handshakes(void **state)
{
    struct penalty *t = table();
    struct limits_key a = key(0xcb007109), b = key(0xcb00710a), loop = key(INADDR_LOOPBACK);
    const int ratio = PENALTY_CREDENTIALS / PENALTY_HANDSHAKE;

    (void)state;
    for (int i = 0; i < PENALTY_FREE * ratio; i++)
        penalty_failed(t, &a, PENALTY_HANDSHAKE, start);
    assert_int_equal(penalty_left_ms(t, &a, start), 0); /* at the limit */
    penalty_failed(t, &a, PENALTY_HANDSHAKE, start);
    assert_int_equal(penalty_left_ms(t, &a, start), PENALTY_STEP_MS / ratio);
    penalty_failed(t, &a, PENALTY_CREDENTIALS, start);
    assert_int_equal(penalty_left_ms(t, &a, start), PENALTY_STEP_MS + PENALTY_STEP_MS / ratio);
    /* valid credentials from there, as of others behind the same NAT: all is forgiven */
    for (int i = 0; i < 100 * PENALTY_FREE * ratio; i++) {
        if (i % (PENALTY_FREE * ratio) == 0)
            penalty_passed(t, &b, start);
        penalty_failed(t, &b, PENALTY_HANDSHAKE, start);
        assert_int_equal(penalty_left_ms(t, &b, start), 0);
    }
    for (int i = 0; i < 10000; i++)
        penalty_failed(t, &loop, PENALTY_HANDSHAKE, start);
    assert_int_equal(penalty_left_ms(t, &loop, start), 0);
    penalty_free(t);
}

/* Whoever guesses on loopback must not lock the operator out who comes by it. */
static void test_loopback(void **state)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_storage addr = {0};
    struct limits_key keys[3] = {key(INADDR_LOOPBACK), key(0x7fffffff)};

    (void)state;
    memcpy(&addr, &in6, sizeof(in6));
    limits_key(&addr, &keys[2]);
    for (int k = 0; k < 3; k++) {
        struct penalty *t = table();

        for (int i = 0; i < PENALTY_LOOPBACK_FREE; i++)
            penalty_failed(t, &keys[k], PENALTY_CREDENTIALS, start);
        assert_int_equal(penalty_left_ms(t, &keys[k], start), 0);
        for (int i = 0; i < 10000; i++)
            penalty_failed(t, &keys[k], PENALTY_CREDENTIALS, start);
        assert_int_equal(penalty_left_ms(t, &keys[k], start), PENALTY_LOOPBACK_MS);
        penalty_free(t);
    }
}

/* Ten times as many addresses as there is room: who is punished most is forgotten last. */
static void test_bounded(void **state)
{
    struct penalty *t = table();
    struct limits_key bad = key(0xcb007109), none = {.counted = false};

    (void)state;
    for (int i = 0; i < 200; i++)
        penalty_failed(t, &bad, PENALTY_CREDENTIALS, start);
    for (uint32_t i = 0; i < 10u * PENALTY_SETS * PENALTY_WAYS; i++) {
        struct limits_key k = key(0x0a000000 + i);

        penalty_failed(t, &k, PENALTY_CREDENTIALS, start + i);
    }
    assert_int_equal(penalty_left_ms(t, &bad, start), PENALTY_MAX_MS);
    for (int i = 0; i < 10; i++)
        penalty_failed(t, &none, PENALTY_CREDENTIALS, start); /* a unix socket: nobody's address */
    penalty_passed(t, &none, start);
    assert_int_equal(penalty_left_ms(t, &none, start), 0);
    assert_false(penalty_known(t, &none, start));
    penalty_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows),      cmocka_unit_test(test_forgets),
        cmocka_unit_test(test_handshakes), cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
