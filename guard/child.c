#include "guard/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sandbox.h"
#include "base/sibling.h"

/* Lift our descriptors above the places they go to, put them there, close everything else. */
static int place_fds(const struct child_want *want)
{
    int lifted[CHILD_FDS_MAX];

    for (int i = 0; i < want->fds_count; i++) {
        lifted[i] = fcntl(want->fds[i], F_DUPFD, CHILD_FD_FIRST + CHILD_FDS_MAX);
        if (lifted[i] < 0)
            return -1;
    }
    for (int i = 0; i < want->fds_count; i++) {
        if (dup2(lifted[i], CHILD_FD_FIRST + i) < 0)
            return -1;
    }
    return (int)syscall(SYS_close_range, CHILD_FD_FIRST + want->fds_count, ~0U, 0);
}

/*
 * No child has our input: what is typed into a terminal is not for a program that was taken over.
 * A terminal as standard error is mostly open for reading too, so it is opened again, to write.
 */
static int place_standard_fds(bool no_output)
{
    int fd;

    (void)close(STDIN_FILENO);
    if (no_output)
        (void)close(STDOUT_FILENO);
    if (sandbox_standard_fds() != 0)
        return -1;
    if (isatty(STDERR_FILENO) != 1)
        return 0;
    fd = open("/proc/self/fd/2", O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    return dup2(fd, STDERR_FILENO) < 0 ? -1 : 0;
}

/*
 * Another uid where we can; without the right to it the child stays what we are. Without CAP_KILL
 * too: we could not end it any more.
 */
static int change_user(uint32_t uid)
{
    const uint64_t needed =
        UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID | UINT64_C(1) << CAP_KILL;

    if (uid == 0 || geteuid() != 0 || (sandbox_caps() & needed) != needed)
        return 0;
    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        return errno == EPERM ? 0 : -1;
    return 0;
}

/* Runs in the forked child up to the exec: system calls only. */
__attribute__((noreturn)) static void become(const struct child_want *want, const char *path,
                                             char *const *argv, pid_t parent)
{
    static char *const nothing[] = {NULL};
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGHUP, SIG_IGN); /* a reload that comes before it can take it: it reads all now */
    if (place_standard_fds(want->no_output) != 0 || place_fds(want) != 0 ||
        change_user(want->uid) != 0 || sandbox_set_caps(0) != 0)
        _exit(127);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) /* it died before the line above */
        _exit(127);
    (void)execve(path, argv, want->empty_environment ? nothing : environ);
    _exit(127);
}

int child_start(const struct child_want *want, pid_t *ret_pid, struct err *e)
{
    const char *argv[CHILD_ARGS_MAX + 2] = {want->program};
    pid_t parent = getpid();
    char path[4096];
    int n = 0;
    pid_t pid;
    int r = sibling_path(want->program, path, sizeof(path));

    if (r == -EPERM)
        return err_set(e, r,
                       "%s or its folder could be replaced by others than root and the owner of "
                       "pillion-guard, which has file capabilities: not started",
                       want->program);
    if (r)
        return err_set(e, r, "%s is not beside pillion-guard, nor in ../bin or ../libexec/pillion",
                       want->program);
    for (; want->args[n]; n++) {
        if (n == CHILD_ARGS_MAX)
            return err_set(e, -E2BIG, "more than %d arguments", CHILD_ARGS_MAX);
        argv[n + 1] = want->args[n];
    }
    pid = fork();
    if (pid < 0)
        return err_set(e, -errno, "cannot start %s: %s", want->program, strerror(errno));
    if (pid == 0)
        become(want, path, (char *const *)(uintptr_t)argv, parent);
    *ret_pid = pid;
    return 0;
}

void child_started(struct child *c, pid_t pid)
{
    c->pid = pid;
    c->started_ns = clock_mono_ns();
    c->ends_by_ns = 0;
}

void child_lingers(struct child *c)
{
    if (c->pid > 0 && c->ends_by_ns == 0)
        c->ends_by_ns = clock_mono_ns() + CHILD_LINGER_MS * CLOCK_NS_PER_MS;
}

void child_ended(struct child *c, int wait_status)
{
    uint64_t now = clock_mono_ns();

    c->pid = 0;
    c->ends_by_ns = 0;
    c->restarts++;
    c->last_signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    c->last_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    if (now - c->started_ns > CHILD_STEADY_MS * CLOCK_NS_PER_MS || c->backoff_ms == 0)
        c->backoff_ms = CHILD_BACKOFF_FIRST_MS;
    else if (c->backoff_ms < CHILD_BACKOFF_MAX_MS)
        c->backoff_ms =
            c->backoff_ms * 2 > CHILD_BACKOFF_MAX_MS ? CHILD_BACKOFF_MAX_MS : c->backoff_ms * 2;
    c->start_at_ns = now + c->backoff_ms * CLOCK_NS_PER_MS;
}

void child_kill(const struct child *c)
{
    if (c && c->pid > 0)
        (void)kill(c->pid, SIGKILL);
}
