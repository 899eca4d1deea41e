/* sidecar/routes/trail.c: which part of a path the audit log shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/routes/table.h"
#include "sidecar/routes/trail.h"

static const uint64_t key[2] = {1, 2};
#define TOKEN "plln_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *shown(const char *path, bool known, unsigned status, bool met)
{
    static char out[TRAIL_BYTES];
    const struct trail t = {.path = path,
                            .route = met ? table_custom() : NULL,
                            .known = known,
                            .status = status,
                            .key = key};

    return trail_path(&t, out);
}

static void test_ours(void **state)
{
    static const char *const paths[] = {"/", "/debug/pprof/", "/debug/pprof/heap", "/metrics",
                                        "/api/v1/status"};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_string_equal(shown(paths[i], false, 401, false), paths[i]);
        assert_string_equal(shown(paths[i], true, 200, true), paths[i]);
    }
    assert_string_equal(shown("", false, 400, false), "");
}

static void test_strangers(void **state)
{
    char first[TRAIL_BYTES];

    (void)state;
    (void)snprintf(first, sizeof(first), "%s", shown("/debug/pprof/" TOKEN, false, 401, false));
    assert_int_equal(strncmp(first, "/debug/pprof/{48:", 17), 0);
    assert_int_equal(strlen(first), 17 + 8 + 1);
    assert_string_equal(first, shown("/debug/pprof/" TOKEN, false, 401, false));
    assert_string_not_equal(first, shown("/debug/pprof/" TOKEN "b", false, 401, false));
    assert_int_equal(strncmp(shown("/" TOKEN, false, 401, false), "/{48:", 5), 0);
    assert_int_equal(strncmp(shown("/a/b", false, 404, false), "/{3:", 4), 0);
    assert_int_equal(
        strncmp(shown("/api/v1/profiles/a/b", false, 401, false), "/api/v1/profiles/{3:", 20), 0);
    assert_int_equal(strncmp(shown("*", false, 400, false), "{1:", 3), 0);
}

static void test_callers(void **state)
{
    (void)state;
    assert_string_equal(shown("/debug/pprof/goroutines", true, 404, false),
                        "/debug/pprof/goroutines");
    assert_string_equal(shown("/debug/pprof/heap/", true, 404, false), "/debug/pprof/heap/");
    assert_string_equal(shown("/a//b..c/", true, 404, false), "/a//b..c/");
    /* at the limit, and a byte more */
    assert_string_equal(shown("/abcdefghijklmnopqrstuvwx", true, 404, false),
                        "/abcdefghijklmnopqrstuvwx");
    assert_int_equal(strncmp(shown("/abcdefghijklmnopqrstuvwxy", true, 404, false), "/{25:", 5), 0);
    assert_int_equal(
        strncmp(shown("/debug/pprof/" TOKEN "/x", true, 404, false), "/debug/pprof/{48:", 17), 0);
    assert_non_null(strstr(shown("/debug/pprof/" TOKEN "/x", true, 404, false), "}/x"));
    assert_int_equal(strncmp(shown("/a%2fb", true, 404, false), "/{5:", 4), 0);
    /* a name beneath one of ours is shown when there is such a thing */
    assert_string_equal(shown("/debug/pprof/connections_that_are_open_now", true, 200, true),
                        "/debug/pprof/connections_that_are_open_now");
    assert_null(
        strstr(shown("/debug/pprof/connections_that_are_open_now", true, 404, true), "open"));
}

/* As long as a path may be: there is an end, and nothing of the secret's. */
static void test_long(void **state)
{
    char path[2049], many[2049];

    (void)state;
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[2048] = '\0';
    assert_int_equal(strncmp(shown(path, true, 404, false), "/{2047:", 7), 0);
    assert_int_equal(strncmp(shown(path, true, 200, true), "/{2047:", 7), 0);
    for (size_t i = 0; i < 2048; i++)
        many[i] = i % 2 ? 'x' : '/';
    many[2048] = '\0';
    assert_true(strlen(shown(many, true, 404, false)) < TRAIL_BYTES);
    assert_non_null(strchr(shown(many, true, 404, false), '{'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ours),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_callers),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
