#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <string.h>

#include "config/cidr.h"

static void address(const char *text, uint8_t out[static 16])
{
    if (inet_pton(AF_INET6, text, out) == 1)
        return;
    memset(out, 0, 16);
    out[10] = out[11] = 0xff;
    assert_int_equal(inet_pton(AF_INET, text, out + 12), 1);
}

static bool holds(const char *range, const char *text)
{
    struct config_cidr c;
    uint8_t bytes[16];

    assert_int_equal(config_cidr_parse(range, &c, NULL), 0);
    address(text, bytes);
    return config_cidr_holds(&c, 1, bytes);
}

/* Each range at its first and last address, and one to either side. */
static void test_edges(void **state)
{
    static const struct {
        const char *range, *first, *last, *before, *after;
    } rows[] = {
        {"10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
        {"172.16.0.0/12", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
        {"192.0.2.128/25", "192.0.2.128", "192.0.2.255", "192.0.2.127", "192.0.3.0"},
        {"192.0.2.6/31", "192.0.2.6", "192.0.2.7", "192.0.2.5", "192.0.2.8"},
        {"192.0.2.6", "192.0.2.6", "192.0.2.6", "192.0.2.5", "192.0.2.7"},
        {"2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
         "2001:db7:ffff::", "2001:db9::"},
        {"2001:db8::80/121", "2001:db8::80", "2001:db8::ff", "2001:db8::7f", "2001:db8::100"},
        {"fe80::/10", "fe80::", "febf:ffff::1", "fe7f:ffff::", "fec0::"},
        {"::1", "::1", "::1", "::", "::2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!holds(rows[i].range, rows[i].first) || !holds(rows[i].range, rows[i].last) ||
            holds(rows[i].range, rows[i].before) || holds(rows[i].range, rows[i].after))
            fail_msg("%s", rows[i].range);
    }
}

/* A dual-stack socket reports IPv4 clients as ::ffff:a.b.c.d. */
static void test_mapped(void **state)
{
    (void)state;
    assert_true(holds("127.0.0.0/8", "::ffff:127.1.2.3"));
    assert_false(holds("127.0.0.0/8", "::127.1.2.3"));
    assert_false(holds("127.0.0.0/8", "::1"));
    assert_true(holds("0.0.0.0/0", "203.0.113.9"));
    assert_false(holds("0.0.0.0/0", "2001:db8::1"));
    assert_true(holds("::/0", "203.0.113.9")); /* as the kernel sees it */
    assert_true(holds("::ffff:203.0.113.0/120", "203.0.113.9"));
}

static void test_lists(void **state)
{
    struct config_cidr list[2];
    uint8_t bytes[16];

    (void)state;
    assert_int_equal(config_cidr_parse("10.0.0.0/8", &list[0], NULL), 0);
    assert_int_equal(config_cidr_parse("2001:db8::/32", &list[1], NULL), 0);
    address("2001:db8::1", bytes);
    assert_true(config_cidr_holds(list, 2, bytes));
    assert_false(config_cidr_holds(list, 1, bytes));
    assert_false(config_cidr_holds(list, 0, bytes));
    address("10.1.1.1", bytes);
    assert_true(config_cidr_holds(list, 2, bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_mapped),
        cmocka_unit_test(test_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
