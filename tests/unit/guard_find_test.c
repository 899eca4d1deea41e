/*
 * guard/find.c: who is never taken for the target: init programs and a container that is still
 * being made. Real processes: copies of this program's helper, sleep, under the names in question.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "guard/find.h"

enum {
    RUNNING_MAX = 4,
    WAIT_TRIES = 500,
    WAIT_MS = 10,
};

static struct {
    char folder[64];
    char mark[64]; /* NAME=VALUE, nobody else's */
    pid_t pid[RUNNING_MAX];
    size_t count;
} t;

/* A process with this name: a link to sleep(1), which is what comm is taken from at an exec. */
static pid_t start(const char *name)
{
    char path[160];
    char *const argv[] = {path, (char[]){"600"}, NULL};
    char *const environment[] = {t.mark, NULL};
    struct proc_stat st = {0};
    pid_t pid;

    (void)snprintf(path, sizeof(path), "%s/%s", t.folder, name);
    (void)symlink("/bin/sleep", path);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execve(path, argv, environment);
        _exit(127);
    }
    assert_true(pid > 0 && t.count < RUNNING_MAX);
    t.pid[t.count++] = pid;
    for (int i = 0; i < WAIT_TRIES && strcmp(st.comm, name) != 0; i++) {
        (void)usleep(WAIT_MS * 1000);
        assert_int_equal(proc_stat(pid, &st), 0);
    }
    assert_string_equal(st.comm, name);
    return pid;
}

static int begin(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    (void)snprintf(t.folder, sizeof(t.folder), "/tmp/pillion-find-XXXXXX");
    (void)snprintf(t.mark, sizeof(t.mark), "PILLION_FIND_TEST=%d", (int)getpid());
    return mkdtemp(t.folder) ? 0 : -1;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    for (size_t i = 0; i < t.count; i++) {
        (void)kill(t.pid[i], SIGKILL);
        (void)waitpid(t.pid[i], NULL, 0);
    }
    (void)snprintf(command, sizeof(command), "rm -r '%s'", t.folder);
    return system(command);
}

static void look(uint32_t select, const char *text, struct find *ret)
{
    struct find_skip skip = {0};
    struct plan plan = {.select = select};

    (void)snprintf(plan.text, sizeof(plan.text), "%s", text);
    assert_int_equal(find_target(&plan, &skip, NULL, 0, ret), 0);
}

/* runc's init has the environment of the program to come, and waits: it is not that program. */
static void a_container_that_is_being_made(void **state)
{
    struct find found;
    pid_t pid;

    (void)state;
    (void)start("runc:[2:INIT]");
    (void)start("runc:[1:CHILD]");
    look(PLAN_SELECT_ENV, t.mark, &found);
    assert_int_equal(found.matches, 0);
    pid = start("server");
    look(PLAN_SELECT_ENV, t.mark, &found);
    assert_int_equal(found.matches, 1);
    assert_int_equal(found.pid, pid);
}

/* Named by name, one that is called so is meant: no rule of ours knows better. */
static void named_by_its_name(void **state)
{
    struct find found;
    pid_t pid;

    (void)state;
    pid = start("runc:[2:INIT]");
    look(PLAN_SELECT_PROCESS, "runc:[2:INIT]", &found);
    assert_true(found.matches >= 1);
    if (found.matches == 1)
        assert_int_equal(found.pid, pid);
}

static void init_programs(void **state)
{
    struct find found;
    pid_t pid;

    (void)state;
    (void)start("tini");
    (void)start("conmon");
    look(PLAN_SELECT_ENV, t.mark, &found);
    assert_int_equal(found.matches, 0);
    pid = start("runcible"); /* not runc:[ */
    look(PLAN_SELECT_ENV, t.mark, &found);
    assert_int_equal(found.matches, 1);
    assert_int_equal(found.pid, pid);
    (void)start("other"); /* none is guessed at */
    look(PLAN_SELECT_ENV, t.mark, &found);
    assert_int_equal(found.matches, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_container_that_is_being_made),
        TEST(named_by_its_name),
        TEST(init_programs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
