/* cli/pattern.c: what the guard would have to match with is refused when it is dear. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/pattern.h"
#include "wire/plan.h"

static void taken(void **state)
{
    static const char *const good[] = {
        "server",    "^/usr/bin/server --port=[0-9]+$",
        "a{2}{100}", "(a|b)*c?",
        "a{0,256}",  "a{256,}",
        "\\.",       "\\\\1",
        "[{]9999",   "a{2,3}b{4}c{10}",
        "\xc3\xa4",
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (pattern_check(good[i], &e) != 0)
            fail_msg("%s: %s", good[i], e.text);
    }
}

static void refused(void **state)
{
    static const char *const bad[] = {
        "(a)\\1",
        "(a)(b)\\2",
        "(a)\\9",
        "(",
        "a)(",
        "[",
        "[a",
        "a{257}",
        "a{1,257}",
        "a{0,99999999}",
        "a{16}b{17}",
        "((a{16}){16}){2}",
        "a{99999999999999999999}",
        "a{3,2}",
        "[[:nope:]]",
        "a\\",
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err_clear(&e);
        if (pattern_check(bad[i], &e) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
        assert_memory_equal(e.text, "cmdline: ", 9);
    }
}

static void length(void **state)
{
    char text[PLAN_CMDLINE_MAX_BYTES + 2];
    struct err e;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[PLAN_CMDLINE_MAX_BYTES] = '\0';
    assert_int_equal(pattern_check(text, &e), 0);
    text[PLAN_CMDLINE_MAX_BYTES] = 'a';
    text[PLAN_CMDLINE_MAX_BYTES + 1] = '\0';
    assert_int_equal(pattern_check(text, &e), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken),
        cmocka_unit_test(refused),
        cmocka_unit_test(length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
