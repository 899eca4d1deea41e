#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "config/cidr.h"
#include "sidecar/http/forwarded.h"

static struct config_cidr trusted[2];

static const char *client(const char *list)
{
    static char text[INET6_ADDRSTRLEN];
    uint8_t address[16];

    if (forwarded_client(list, trusted, 2, address))
        return "bad";
    (void)inet_ntop(AF_INET6, address, text, sizeof(text));
    return strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text;
}

static void test_rightmost_untrusted(void **state)
{
    static const struct {
        const char *list, *client;
    } rows[] = {
        {"203.0.113.9", "203.0.113.9"},
        {"203.0.113.9, 10.0.0.1", "203.0.113.9"},
        {"203.0.113.9,10.0.0.1 ,\t10.0.0.2", "203.0.113.9"},
        {"1.1.1.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"}, /* the left one is the client's lie */
        {"10.0.0.9, 203.0.113.9, 10.0.0.1", "203.0.113.9"},
        {"10.0.0.9, 10.0.0.1", "10.0.0.9"}, /* all trusted: the leftmost */
        {"10.0.0.9", "10.0.0.9"},
        {"2001:db8::7, fd00::1", "2001:db8::7"},
        {"[2001:db8::7]", "2001:db8::7"},
        {"[2001:db8::7]:4711, 10.0.0.1:80", "2001:db8::7"},
        {"203.0.113.9:4711", "203.0.113.9"},
        {"::ffff:203.0.113.9", "203.0.113.9"},
        {"203.0.113.9, ::ffff:10.0.0.1", "203.0.113.9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(client(rows[i].list), rows[i].client);
}

static void test_malformed(void **state)
{
    static const char *const rows[] = {
        "",
        " ",
        ",",
        "203.0.113.9,",
        ",203.0.113.9",
        "1.1.1.1,,2.2.2.2",
        "unknown",
        "_hidden",
        "localhost",
        "203.0.113",
        "203.0.113.9 10.0.0.1",
        "203.0.113.256",
        "203.0.113.9:0",
        "203.0.113.9:99999",
        "[::1",
        "::1]",
        "[::1]x",
        "fe80::1%eth0",
        "\"::1\"",
        "for=1.1.1.1",
        "0x7f.1",
        "2130706433",
        "1.1.1.1;2.2.2.2",
        "[203.0.113.9]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(client(rows[i]), "bad") != 0)
            fail_msg("\"%s\"", rows[i]);
    }
    /* one bad entry is enough, wherever it stands: a proxy of ours writes none */
    assert_string_equal(client("x, 203.0.113.9, 10.0.0.1"), "bad");
}

static void test_bounds(void **state)
{
    char list[FORWARDED_MAX_BYTES + 2] = "";
    size_t used = 0;

    (void)state;
    for (int i = 0; i < FORWARDED_MAX; i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s1.1.1.1", i ? "," : "");
    assert_string_equal(client(list), "1.1.1.1");
    (void)snprintf(list + used, sizeof(list) - used, ",1.1.1.1");
    assert_string_equal(client(list), "bad");
    memset(list, ' ', sizeof(list));
    memcpy(list, "1.1.1.1", 7);
    list[FORWARDED_MAX_BYTES] = '\0';
    assert_string_equal(client(list), "1.1.1.1");
    list[FORWARDED_MAX_BYTES] = ' ';
    list[FORWARDED_MAX_BYTES + 1] = '\0';
    assert_string_equal(client(list), "bad");
}

static int setup(void **state)
{
    (void)state;
    return config_cidr_parse("10.0.0.0/8", &trusted[0], NULL) ||
           config_cidr_parse("fd00::/8", &trusted[1], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rightmost_untrusted),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
