#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "sidecar/http/query.h"

static void test_get(void **state)
{
    static const struct {
        const char *query, *key;
        int r;
        const char *value;
    } TABLE[] = {
        {"", "a", 0, ""},
        {"a=1", "a", 1, "1"},
        {"a=1", "b", 0, ""},
        {"a=1&a=2", "a", 1, "1"},
        {"b=0&a=2&a=1", "a", 1, "2"},
        {"a", "a", 1, ""},
        {"a=", "a", 1, ""},
        {"a=&a=5", "a", 1, ""}, /* FormValue: the first, even an empty one */
        {"&&a=1&&", "a", 1, "1"},
        {"=x&a=1", "", 1, "x"},
        {"a=b=c", "a", 1, "b=c"},
        {"A=1", "a", 0, ""},
        {"ab=1", "a", 0, ""},
        {"%61=1", "a", 1, "1"},
        {"a=%31%2B+x", "a", 1, "1+ x"},
        {"a=%7e%7E", "a", 1, "~~"},
        {"a=%c3%a4", "a", 1, "\xc3\xa4"},
        {"a=%", "a", -EINVAL, ""},
        {"a=%1", "a", -EINVAL, ""},
        {"a=%1&", "a", -EINVAL, ""},
        {"a=%g1", "a", -EINVAL, ""},
        {"a=%1g", "a", -EINVAL, ""},
        {"a=%00", "a", -EINVAL, ""},
        {"b=%&a=1", "a", 1, "1"}, /* Go: a bad pair is skipped */
        {"%=3&a=1", "a", 1, "1"},
        {"a;b=1&a=2", "a", 1, "2"}, /* Go since 1.17: a pair with ';' is skipped */
        {"a=1;b=2", "a", 0, ""},
        {"a=1234567", "a", 1, "1234567"},
        {"a=12345678", "a", -E2BIG, ""},
        {"a=%31%31%31%31%31%31%31", "a", 1, "1111111"},
        {"0123456789012345678901234567890123456789012345678901234567890123456789=1&a=2", "a", 1,
         "2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        char out[8] = "";
        int r = query_get(TABLE[i].query, TABLE[i].key, out, sizeof(out));

        if (r != TABLE[i].r || (r == 1 && strcmp(out, TABLE[i].value) != 0))
            fail_msg("%s: got %d \"%s\"", TABLE[i].query, r, out);
    }
}

static void test_no_room(void **state)
{
    char out[1] = "x";

    (void)state;
    assert_int_equal(query_get("a=", "a", out, 1), 1);
    assert_int_equal(out[0], '\0');
    assert_int_equal(query_get("a=1", "a", out, 1), -E2BIG);
    assert_int_equal(query_get("a=", "a", out, 0), -E2BIG);
}

static void test_token(void **state)
{
    static const struct {
        const char *query;
        bool token;
    } TABLE[] = {
        {"", false},           {"seconds=5", false},       {"token=x", true},
        {"TOKEN=x", true},     {"seconds=5&token=", true}, {"%74oken=x", true},
        {"a=token", false},    {"access_token=x", true},   {"x=1;token=y", true},
        {"tokens=1", false},   {"authorization=a", true},  {"X-Pprof-Token=1", true},
        {"%=1&token=x", true}, {"password=1", true},       {"token", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        if (query_has_token(TABLE[i].query) != TABLE[i].token)
            fail_msg("%s", TABLE[i].query);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
