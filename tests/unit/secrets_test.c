/* cli/secrets.c: which variables hold what looks like a long-lived secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "cli/secrets.h"

static bool looks(const char *name, const char *value)
{
    return secrets_looks(name, strlen(name), value);
}

static void test_looks(void **state)
{
    static const char *const yes[] = {"TOKEN",      "my_token",       "DB_PASSWORD", "X_SECRET",
                                      "DD_API_KEY", "AWS_ACCESS_KEY", "PRIVATE_KEY"};
    static const char *const no[] = {"TOKEN_FILE", "TOKENS", "SECRET_NAME", "KEY", "API_KEYS", "T"};

    (void)state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        assert_true(looks(yes[i], "x"));
        assert_false(looks(yes[i], ""));
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        assert_false(looks(no[i], "x"));
    assert_true(looks("A", "plln_x"));
    assert_true(looks("A", "eyJx.y.z"));
    assert_false(looks("A", "eyJx.y"));
    assert_false(looks("A", "xplln_"));
}

static char told[256];

static void note(const char *name, const char *what)
{
    assert_null(strstr(what, "hidden"));
    (void)snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s ", name);
}

static void test_environment(void **state)
{
    static char named[] = "A_TOKEN=hidden", unnamed[] = "B_TOKEN=hidden", ours[] = "C=plln_hidden",
                plain[] = "D=x", none[] = "nothing", empty[] = "=x";
    static char *const env[] = {named, unnamed, ours, plain, none, empty, NULL};
    static struct config c;
    FILE *f;

    (void)state;
    secrets_of_environment(&c, env, note); /* without a file */
    assert_string_equal(told, "C ");
    told[0] = '\0';
    (void)snprintf(c.path, sizeof(c.path), "/tmp/pillion-secrets.%d", (int)getpid());
    f = fopen(c.path, "w");
    assert_non_null(f);
    assert_true(fputs("labels: {a: \"${A_TOKEN:-x}\", d: \"${D}\", e: \"$B_TOKEN\"}\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    secrets_of_environment(&c, env, note);
    assert_string_equal(told, "A_TOKEN C ");
    (void)unlink(c.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_looks),
                                       cmocka_unit_test(test_environment)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
