/* base/json.c: what comes out is JSON whatever bytes go in. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/json.h"

static const char *text(struct buf *b)
{
    return buf_text(b);
}

static void shapes(void **state)
{
    struct json j;
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    json_begin(&j, &b);
    json_object_begin(&j, NULL);
    json_str(&j, "a", "x");
    json_str(&j, "n", NULL);
    json_array_begin(&j, "l");
    json_u64(&j, NULL, UINT64_MAX);
    json_i64(&j, NULL, INT64_MIN);
    json_object_begin(&j, NULL);
    json_object_end(&j);
    json_array_begin(&j, NULL);
    json_array_end(&j);
    json_array_end(&j);
    json_bool(&j, "t", true);
    json_bool(&j, "f", false);
    json_object_end(&j);
    assert_string_equal(text(&b), "{\"a\":\"x\",\"n\":null,\"l\":[18446744073709551615,"
                                  "-9223372036854775808,{},[]],\"t\":true,\"f\":false}");
    buf_release(&b);
}

static void strings(void **state)
{
    static const struct {
        const char *in;
        size_t bytes;
        const char *out;
    } rows[] = {
        {"", 0, "\"\""},
        {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
        {"\n\t\x01\x7f", 4, "\"\\u000a\\u0009\\u0001\\u007f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xc3\xa4\xe2\x82\xac", 5, "\"\xc3\xa4\xe2\x82\xac\""},
        {"\xff\xc3", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json j;
        struct buf b;

        buf_init(&b, 4096);
        json_begin(&j, &b);
        json_bytes(&j, NULL, rows[i].in, rows[i].bytes);
        assert_string_equal(text(&b), rows[i].out);
        buf_release(&b);
    }
}

static void numbers(void **state)
{
    struct json j;
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    json_begin(&j, &b);
    json_array_begin(&j, NULL);
    json_double(&j, NULL, 0.5);
    json_double(&j, NULL, -1e20);
    json_double(&j, NULL, NAN);
    json_double(&j, NULL, (double)INFINITY);
    json_array_end(&j);
    assert_string_equal(text(&b), "[0.5,-1e+20,null,null]");
    buf_release(&b);
}

static void keys_are_escaped(void **state)
{
    struct json j;
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    json_begin(&j, &b);
    json_object_begin(&j, NULL);
    json_u64(&j, "a\"\n", 1);
    json_object_end(&j);
    assert_string_equal(text(&b), "{\"a\\\"\\u000a\":1}");
    buf_release(&b);
}

/* A full buffer shows as failed; nobody takes half a document for a whole one. */
static void too_long(void **state)
{
    struct json j;
    struct buf b;

    (void)state;
    buf_init(&b, 7);
    json_begin(&j, &b);
    json_str(&j, NULL, "12345");
    assert_false(b.failed);
    buf_clear(&b);
    json_begin(&j, &b);
    json_str(&j, NULL, "123456");
    assert_true(b.failed);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),           cmocka_unit_test(strings),  cmocka_unit_test(numbers),
        cmocka_unit_test(keys_are_escaped), cmocka_unit_test(too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
