/* base/err.c: texts are cut at their limit, hostile bytes are cleaned, NULL is allowed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"

static void sets(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(err_set(&e, -EIO, "%s:%d", "file", 12), -EIO);
    assert_int_equal(e.code, -EIO);
    assert_string_equal(e.text, "file:12");
    err_prefix(&e, "%s", "cannot read");
    assert_string_equal(e.text, "cannot read: file:12");
    assert_int_equal(e.code, -EIO);
    err_clear(&e);
    assert_int_equal(e.code, 0);
    assert_string_equal(e.text, "");
    err_clear(NULL);
    err_prefix(NULL, "x");
    assert_int_equal(err_set(NULL, -EPERM, "nobody listens"), -EPERM);
}

static void cuts(void **state)
{
    char long_text[2 * ERR_TEXT_BYTES];
    struct err e;

    (void)state;
    memset(long_text, 'a', sizeof(long_text));
    long_text[ERR_TEXT_BYTES - 1] = '\0';
    (void)err_set(&e, -EIO, "%s", long_text); /* fits to the last byte */
    assert_string_equal(e.text, long_text);
    err_prefix(&e, "p");
    assert_memory_equal(e.text, "p: aaa", 6);
    assert_int_equal(strlen(e.text), ERR_TEXT_BYTES - 1);
    long_text[ERR_TEXT_BYTES - 1] = 'b';
    long_text[ERR_TEXT_BYTES] = '\0';
    (void)err_set(&e, -EIO, "%s", long_text);
    assert_int_equal(strlen(e.text), ERR_TEXT_BYTES - 1);
    assert_int_equal(e.text[ERR_TEXT_BYTES - 2], 'a');
    (void)err_set(&e, -EIO, "short");
    err_prefix(&e, "%s", long_text);
    assert_int_equal(strlen(e.text), ERR_TEXT_BYTES - 1);
}

static void cleans(void **state)
{
    char out[8];

    (void)state;
    assert_string_equal(err_clean(out, sizeof(out), "a\n\x1b[\xff\0z", 7), "a??[??z");
    assert_string_equal(err_clean(out, sizeof(out), "12345678", 8), "1234567");
    assert_string_equal(err_clean(out, sizeof(out), " ~\x7f", 3), " ~?");
    assert_string_equal(err_clean(out, sizeof(out), NULL, 0), "");
    assert_string_equal(err_clean(out, 1, "abc", 3), "");
    out[0] = 'x';
    (void)err_clean(out, 0, "abc", 3);
    assert_int_equal(out[0], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets),
        cmocka_unit_test(cuts),
        cmocka_unit_test(cleans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
