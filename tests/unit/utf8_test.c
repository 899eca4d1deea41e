/* base/utf8.c against RFC 3629: every border of its table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/utf8.h"

static size_t step(const char *s, size_t bytes)
{
    return utf8_step((const unsigned char *)s, bytes);
}

static void borders(void **state)
{
    static const struct {
        const char *bytes;
        size_t len, step;
    } rows[] = {
        {"\x00", 1, 1},
        {"\x7f", 1, 1},
        {"\x80", 1, 0},
        {"\xbf", 1, 0},
        {"\xc0\x80", 2, 0},
        {"\xc1\xbf", 2, 0},
        {"\xc2\x80", 2, 2},
        {"\xdf\xbf", 2, 2},
        {"\xdf\x7f", 2, 0},
        {"\xdf\xc0", 2, 0},
        {"\xe0\x9f\xbf", 3, 0},
        {"\xe0\xa0\x80", 3, 3},
        {"\xed\x9f\xbf", 3, 3},
        {"\xed\xa0\x80", 3, 0},
        {"\xee\x80\x80", 3, 3},
        {"\xef\xbf\xbf", 3, 3},
        {"\xf0\x8f\xbf\xbf", 4, 0},
        {"\xf0\x90\x80\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\xf4\x90\x80\x80", 4, 0},
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xff", 1, 0},
        {"\xf0\x90\x80x", 4, 0},
        {"\xe2x\xac", 3, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(step(rows[i].bytes, rows[i].len), rows[i].step);
}

/* Nothing is read behind the end: a cut sequence is none. */
static void cut(void **state)
{
    (void)state;
    assert_int_equal(step("", 0), 0);
    assert_int_equal(step("\xc3\xa4", 1), 0);
    for (size_t n = 1; n < 3; n++)
        assert_int_equal(step("\xe2\x82\xac", n), 0);
    for (size_t n = 1; n < 4; n++)
        assert_int_equal(step("\xf0\x9f\x98\x80", n), 0);
    assert_int_equal(step("ab", 2), 1);
}

static void controls(void **state)
{
    (void)state;
    assert_int_equal(utf8_control(""), 0);
    assert_int_equal(utf8_control("\x01"), 1);
    assert_int_equal(utf8_control("\x1f"), 1);
    assert_int_equal(utf8_control(" "), 0);
    assert_int_equal(utf8_control("\x7f"), 1);
    assert_int_equal(utf8_control("\xc2\x80"), 2);
    assert_int_equal(utf8_control("\xc2\x9f"), 2);
    assert_int_equal(utf8_control("\xc2\xa0"), 0);
    assert_int_equal(utf8_control("\xc2"), 0);
    assert_int_equal(utf8_control("\xc3\x80"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borders),
        cmocka_unit_test(cut),
        cmocka_unit_test(controls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
