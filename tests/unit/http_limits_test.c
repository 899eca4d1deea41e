#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "sidecar/http/limits.h"
#include "sidecar/http/server.h"

static struct limits_key key(uint32_t ipv4)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ipv4)};
    struct sockaddr_storage addr = {0};
    struct limits_key k;

    memcpy(&addr, &in, sizeof(in));
    limits_key(&addr, &k);
    return k;
}

static void add(struct limits *l, struct limits_entry *e, uint32_t ipv4, enum limits_rank rank)
{
    *e = (struct limits_entry){.key = key(ipv4)};
    limits_add(l, e);
    e->rank = rank;
}

static void start(struct limits *l, uint32_t max, uint32_t per_address)
{
    limits_init(l);
    limits_set(l, &(struct limits_caps){.max = max, .max_per_address = per_address});
}

/* One below the cap comes in freely, at the cap somebody has to leave. */
static void test_per_address(void **state)
{
    struct limits_entry e[4], *victim = NULL;
    struct limits_key one = key(1), two = key(2);
    struct limits l;

    (void)state;
    start(&l, 64, 3);
    add(&l, &e[0], 1, LIMITS_HANDSHAKE);
    add(&l, &e[1], 1, LIMITS_SILENT);
    assert_int_equal(limits_admit(&l, &one, &victim), 0);
    add(&l, &e[2], 1, LIMITS_SILENT);
    assert_int_equal(limits_admit(&l, &one, &victim), -EAGAIN);
    assert_ptr_equal(victim, &e[1]); /* least rank, then oldest */
    assert_int_equal(limits_admit(&l, &two, &victim), 0);
    limits_remove(&l, victim);
    limits_remove(&l, victim); /* repeatable */
    assert_int_equal(l.count, 2);
    assert_int_equal(limits_admit(&l, &one, &victim), 0);
    e[0].rank = e[2].rank = LIMITS_BUSY;
    add(&l, &e[3], 1, LIMITS_BUSY);
    assert_int_equal(limits_admit(&l, &one, &victim), -EBUSY);
    assert_int_equal(limits_admit(&l, &two, &victim), 0);
}

static void test_preauth(void **state)
{
    struct limits_entry e[SERVER_PREAUTH_MAX + 1], *victim = NULL;
    struct limits_key other = key(999);
    struct limits l;

    (void)state;
    start(&l, 1000, 1000);
    for (uint32_t i = 0; i < SERVER_PREAUTH_MAX; i++) {
        assert_int_equal(limits_admit(&l, &other, &victim), 0);
        add(&l, &e[i], i, LIMITS_READING);
    }
    assert_int_equal(limits_admit(&l, &other, &victim), -EAGAIN);
    assert_ptr_equal(victim, &e[0]);
    limits_authenticated(&l, &e[0]);
    limits_authenticated(&l, &e[0]); /* counts once */
    assert_int_equal(l.preauth, SERVER_PREAUTH_MAX - 1);
    assert_int_equal(limits_admit(&l, &other, &victim), 0);
    add(&l, &e[SERVER_PREAUTH_MAX], 500, LIMITS_READING);
    /* the authenticated one is idle, but it is not under this cap */
    e[0].rank = LIMITS_IDLE;
    assert_int_equal(limits_admit(&l, &other, &victim), -EAGAIN);
    assert_ptr_equal(victim, &e[1]);
    limits_remove(&l, &e[0]);
    assert_int_equal(l.preauth, SERVER_PREAUTH_MAX);
}

static void test_total(void **state)
{
    struct limits_entry e[4], *victim = NULL;
    struct limits_key other = key(999);
    struct limits l;

    (void)state;
    start(&l, 4, 100);
    assert_int_equal(l.max_preauth, 2);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(limits_admit(&l, &other, &victim), 0);
        add(&l, &e[i], i, LIMITS_BUSY);
        limits_authenticated(&l, &e[i]);
    }
    assert_int_equal(limits_admit(&l, &other, &victim), -EBUSY);
    assert_null(limits_victim(&l));
    e[2].rank = LIMITS_IDLE; /* an idle one makes room, though it is authenticated */
    assert_int_equal(limits_admit(&l, &other, &victim), -EAGAIN);
    assert_ptr_equal(victim, &e[2]);
    assert_ptr_equal(limits_victim(&l), &e[2]);
    limits_set(&l, &(struct limits_caps){0});
    assert_int_equal(l.max, 1);
    assert_int_equal(l.max_per_address, 1);
    assert_int_equal(l.max_preauth, 1);
}

static void test_keys(void **state)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_storage addr = {0};
    struct limits_key a, b, v4 = key(0x01020304);

    (void)state;
    in6.sin6_addr.s6_addr[0] = 0x20;
    in6.sin6_addr.s6_addr[15] = 1;
    memcpy(&addr, &in6, sizeof(in6));
    limits_key(&addr, &a);
    in6.sin6_addr.s6_addr[15] = 2;
    in6.sin6_addr.s6_addr[8] = 9; /* the same /64 */
    memcpy(&addr, &in6, sizeof(in6));
    limits_key(&addr, &b);
    assert_true(a.counted);
    assert_memory_equal(a.bytes, b.bytes, 16);
    in6.sin6_addr.s6_addr[7] = 1; /* another one */
    memcpy(&addr, &in6, sizeof(in6));
    limits_key(&addr, &b);
    assert_memory_not_equal(a.bytes, b.bytes, 16);
    memset(&in6.sin6_addr, 0, 10);
    memcpy(in6.sin6_addr.s6_addr + 8, "\0\0\xff\xff\1\2\3\4", 8); /* ::ffff:1.2.3.4 */
    memcpy(&addr, &in6, sizeof(in6));
    limits_key(&addr, &b);
    assert_memory_equal(v4.bytes, b.bytes, 16);
    addr.ss_family = AF_UNIX;
    limits_key(&addr, &b);
    assert_false(b.counted);
}

static void test_handshakes(void **state)
{
    uint64_t now = 1000 * CLOCK_NS_PER_SEC;
    struct limits l;

    (void)state;
    start(&l, 64, 8);
    for (int i = 0; i < SERVER_HANDSHAKES_BURST; i++)
        assert_int_equal(limits_handshake(&l, false, now), 0);
    assert_int_equal(limits_handshake(&l, false, now), 1000 / SERVER_HANDSHAKES_PER_SEC);
    now += CLOCK_NS_PER_SEC / SERVER_HANDSHAKES_PER_SEC - 1;
    assert_int_equal(limits_handshake(&l, false, now), 1);
    now += 1;
    assert_int_equal(limits_handshake(&l, false, now), 0);
    assert_true(limits_handshake(&l, false, now) > 0);
    now += CLOCK_NS_PER_SEC; /* a second gives its number and no more */
    for (int i = 0; i < SERVER_HANDSHAKES_PER_SEC; i++)
        assert_int_equal(limits_handshake(&l, false, now), 0);
    assert_true(limits_handshake(&l, false, now) > 0);
    now += 3600 * CLOCK_NS_PER_SEC; /* an hour no more than the burst */
    for (int i = 0; i < SERVER_HANDSHAKES_BURST; i++)
        assert_int_equal(limits_handshake(&l, false, now), 0);
    assert_true(limits_handshake(&l, false, now) > 0);
}

/* The configured numbers, at each of them and one above; a burst is 2.5 times the rate. */
static void test_configured(void **state)
{
    struct limits_entry e[8], *victim = NULL;
    struct limits_key other = key(999);
    struct limits l;

    (void)state;
    limits_init(&l);
    limits_set(&l, &(struct limits_caps){
                       .max = 100, .max_per_address = 100, .max_preauth = 7, .handshakes = 4});
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(limits_admit(&l, &other, &victim), 0);
        add(&l, &e[i], i, LIMITS_READING);
    }
    assert_int_equal(limits_admit(&l, &other, &victim), -EAGAIN);
    for (int i = 0; i < 10; i++)
        assert_int_equal(limits_handshake(&l, false, CLOCK_NS_PER_SEC), 0);
    assert_int_equal(limits_handshake(&l, false, CLOCK_NS_PER_SEC), 250);
}

/* Strangers cannot use up what is kept for known addresses, nor have them leave first. */
static void test_known(void **state)
{
    struct limits_entry e[3], *victim = NULL;
    struct limits_key other = key(999);
    struct limits l;

    (void)state;
    start(&l, 6, 100);
    assert_int_equal(l.max_preauth, 3);
    add(&l, &e[0], 1, LIMITS_SILENT);
    e[0].known = true;
    add(&l, &e[1], 2, LIMITS_READING);
    add(&l, &e[2], 3, LIMITS_HANDSHAKE);
    assert_int_equal(limits_admit(&l, &other, &victim), -EAGAIN);
    assert_ptr_equal(victim, &e[2]);
    limits_remove(&l, &e[2]);
    limits_remove(&l, &e[1]);
    assert_ptr_equal(limits_victim(&l), &e[0]);
    for (int i = 0; i < SERVER_HANDSHAKES_BURST; i++)
        assert_int_equal(limits_handshake(&l, false, CLOCK_NS_PER_SEC), 0);
    assert_true(limits_handshake(&l, false, CLOCK_NS_PER_SEC) > 0);
    for (int i = 0; i < SERVER_HANDSHAKES_BURST; i++)
        assert_int_equal(limits_handshake(&l, true, CLOCK_NS_PER_SEC), 0);
    assert_true(limits_handshake(&l, true, CLOCK_NS_PER_SEC) > 0);
}

/* A proxy's connection is counted at its client's address from when that is known. */
static void test_claim(void **state)
{
    struct limits_key none = {.counted = false}, one = key(1);
    struct limits_entry e[3], *victim = NULL;
    struct limits l;

    (void)state;
    start(&l, 64, 2);
    for (int i = 0; i < 3; i++) {
        e[i] = (struct limits_entry){.key = none};
        limits_add(&l, &e[i]);
    }
    assert_int_equal(limits_claim(&l, &e[0], &one, &victim), 0);
    assert_int_equal(limits_claim(&l, &e[1], &one, &victim), 0);
    assert_int_equal(limits_claim(&l, &e[1], &one, &victim), 0); /* not its own rival */
    assert_int_equal(limits_claim(&l, &e[2], &one, &victim), -EAGAIN);
    assert_ptr_equal(victim, &e[0]);
    e[0].rank = e[1].rank = LIMITS_BUSY;
    assert_int_equal(limits_claim(&l, &e[2], &one, &victim), -EBUSY);
    assert_int_equal(limits_claim(&l, &e[2], &none, &victim), 0);
    assert_int_equal(l.count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_per_address), cmocka_unit_test(test_preauth),
        cmocka_unit_test(test_total),       cmocka_unit_test(test_keys),
        cmocka_unit_test(test_handshakes),  cmocka_unit_test(test_configured),
        cmocka_unit_test(test_known),       cmocka_unit_test(test_claim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
