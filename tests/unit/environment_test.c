/* sidecar/environment.c: what stays of the environment, and what a later file is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/expand.h"
#include "sidecar/environment.h"

static char path[] = "/tmp/pillion-environment-XXXXXX";

static int prepare(void **state)
{
    static const char yaml[] =
        "labels: {a: '${NAMED}', b: \"${DEFAULTED:-x}\", c: '${LONGER_NAME}'}";
    int fd = mkstemp(path);

    (void)state;
    return fd >= 0 && write(fd, yaml, sizeof(yaml) - 1) > 0 ? close(fd) : -1;
}

static int clean(void **state)
{
    (void)state;
    return unlink(path);
}

static bool taken(const char *name)
{
    const char *value = getenv(name);

    assert_non_null(value);
    return strcmp(value, CONFIG_EXPAND_TAKEN) == 0;
}

static void what_is_named_stays(void **state)
{
    static char secret[] = "SECRET=planted", cut[] = "LONGER=planted";
    static char *own[] = {secret,
                          cut,
                          (char *)(uintptr_t) "EMPTY=",
                          (char *)(uintptr_t) "NAMED=1",
                          (char *)(uintptr_t) "DEFAULTED=2",
                          (char *)(uintptr_t) "LONGER_NAME=3",
                          (char *)(uintptr_t) "https_proxy=http://p:1",
                          (char *)(uintptr_t) "KUBERNETES_SERVICE_HOST=10.0.0.1",
                          (char *)(uintptr_t) "no equals sign",
                          NULL};
    static const char gone[sizeof(secret) - sizeof("SECRET=") - 1] = {0};
    struct config *c = calloc(1, sizeof(*c));
    char **before = environ;
    char why[256] = "";
    struct buf out;

    (void)state;
    assert_non_null(c);
    (void)snprintf(c->path, sizeof(c->path), "%s", path);
    environ = own;
    assert_int_equal(environment_keep(c), 2);
    assert_true(taken("SECRET") && taken("LONGER"));
    assert_memory_equal(secret + sizeof("SECRET=") - 1 + 1, gone, sizeof(gone));
    assert_string_equal(getenv("NAMED"), "1");
    assert_string_equal(getenv("DEFAULTED"), "2");
    assert_string_equal(getenv("LONGER_NAME"), "3");
    assert_string_equal(getenv("https_proxy"), "http://p:1");
    assert_string_equal(getenv("KUBERNETES_SERVICE_HOST"), "10.0.0.1");
    assert_string_equal(getenv("EMPTY"), "");
    buf_init(&out, 100);
    assert_int_equal(config_expand("${NAMED}", &out, why, sizeof(why)), 0);
    assert_true(config_expand("${SECRET:-default}", &out, why, sizeof(why)) < 0);
    assert_non_null(strstr(why, "restart"));
    assert_int_equal(environment_keep(c), 2); /* nothing more, nothing less */
    environ = before;
    buf_release(&out);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_named_stays),
    };

    return cmocka_run_group_tests(tests, prepare, clean);
}
