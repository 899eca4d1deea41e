/*
 * sidecar/confine.c: what stays readable after it. Each attempt is a process of its own, which is
 * confined for a configuration file here or there and then opens another file beside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sandbox.h"
#include "sidecar/confine.h"

static char folder[64];
static char own[80], beside[80]; /* the configuration, and what lies beside it */

static int prepare(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/pillion-confine-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(own, sizeof(own), "%s/pillion.yaml", folder);
    (void)snprintf(beside, sizeof(beside), "%s/other", folder);
    (void)close(open(own, O_WRONLY | O_CREAT, 0600));
    (void)close(open(beside, O_WRONLY | O_CREAT, 0600));
    return access(beside, F_OK);
}

static int clean(void **state)
{
    (void)state;
    (void)unlink(own);
    (void)unlink(beside);
    return rmdir(folder);
}

/* What else the next configuration holds; NULL: nothing. */
static const char *holds;

/* 0 or the errno of opening ${path} when confined for a configuration in ${config}. */
static int opens(const char *config, const char *home, const char *path)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct config *c = calloc(1, sizeof(*c));
        struct err e = {0};

        if (holds && config_parse(c, "/x/c.yaml", holds, strlen(holds), &e) != 0)
            _exit(251);
        (void)snprintf(c->path, sizeof(c->path), "%s", config);
        c->limits.connections = 8;
        if (setenv("HOME", home, 1) != 0 || chdir(folder) != 0 || confine_enter(c, &e) != 0)
            _exit(250);
        _exit(open(path, O_RDONLY) >= 0 ? 0 : errno);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool has_landlock(void)
{
    return opens(own, "/", "/etc/passwd") == EACCES;
}

static void a_folder_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(opens(own, "/", own), 0);
    assert_int_equal(opens(own, "/", beside), 0); /* the next one, before it is renamed */
    assert_int_equal(opens("pillion.yaml", "/", own), 0);
    assert_int_equal(opens("pillion.yaml", "/", beside), 0);
    if (!has_landlock())
        skip();
    assert_int_equal(opens(own, "/", "/etc/passwd"), EACCES);
}

static void a_home_folder(void **state)
{
    (void)state;
    assert_int_equal(opens(own, folder, own), 0);
    assert_int_equal(opens("pillion.yaml", folder, own), 0);
    if (!has_landlock())
        skip();
    assert_int_equal(opens(own, folder, beside), EACCES);
    assert_int_equal(opens("pillion.yaml", folder, beside), EACCES);
}

static void a_folder_of_many(void **state)
{
    (void)state;
    assert_int_equal(opens("/etc/hostname", "/", "/etc/hostname"), 0);
    if (!has_landlock())
        skip();
    assert_int_equal(opens("/etc/hostname", "/", "/etc/passwd"), EACCES);
    assert_int_equal(opens("/no-such-file.yaml", "/", "/etc/passwd"), EACCES); /* "/" is not open */
}

/* What no key names by itself: resolver and CAs, for who opens connections and for nobody else. */
static void a_connection_to_somewhere(void **state)
{
    char yaml[256];

    (void)state;
    if (!has_landlock())
        skip();
    (void)snprintf(yaml, sizeof(yaml), "auth: {basic: {htpasswd: %s, scopes: []}}", own);
    holds = yaml;
    assert_int_equal(opens("/x/c.yaml", "/", own), 0);
    assert_int_equal(opens("/x/c.yaml", "/", beside), 0);
    assert_int_equal(opens("/x/c.yaml", "/", "/etc/hosts"), EACCES);
    holds = "forward: [{name: a, type: parca, url: 'https://x'}]";
    assert_int_equal(opens("/x/c.yaml", "/", beside), EACCES);
    assert_int_equal(opens("/x/c.yaml", "/", "/etc/hosts"), 0);
    assert_int_equal(opens("/x/c.yaml", "/", "/etc/resolv.conf"), 0);
    assert_int_equal(opens("/x/c.yaml", "/", "/etc/passwd"), EACCES);
    holds = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_of_its_own),
        cmocka_unit_test(a_home_folder),
        cmocka_unit_test(a_folder_of_many),
        cmocka_unit_test(a_connection_to_somewhere),
    };

    return cmocka_run_group_tests(tests, prepare, clean);
}
