#include "guard/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "guard/child.h"

/* Everything up to the end of the pipe, at most a struct and one byte. */
static size_t read_plan(int fd, unsigned char *out, size_t bytes)
{
    uint64_t deadline = clock_mono_ns() + GUARD_PLAN_TIMEOUT_MS * CLOCK_NS_PER_MS;
    size_t n = 0;

    while (n < bytes) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (poll(&p, 1, clock_wait_ms(deadline)) <= 0)
            return n;
        got = read(fd, out + n, bytes - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return n;
        n += (size_t)got;
    }
    return n;
}

/* Wait for the child until the deadline, then end it. Its wait status. */
static int reap(pid_t pid)
{
    uint64_t deadline = clock_mono_ns() + GUARD_PLAN_TIMEOUT_MS * CLOCK_NS_PER_MS;
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_wait_ms(deadline) == 0) {
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
            break;
        }
        (void)usleep(2000);
    }
    return status;
}

int guard_plan(const char *const *args, struct plan *ret, int *ret_exit, struct err *e)
{
    const char *argv[CHILD_ARGS_MAX + 1] = {"plan"};
    struct {
        struct plan plan;
        unsigned char more; /* a longer one is no plan of ours */
    } raw;
    struct child_want want = {.program = "pillion", .args = argv, .fds_count = 1};
    const char *why = "";
    int pipe_fds[2];
    int status;
    size_t n;
    pid_t pid;
    int r;

    *ret_exit = 2;
    for (int i = 0; args[i]; i++) {
        if (i + 1 >= CHILD_ARGS_MAX)
            return err_set(e, -E2BIG, "more than %d arguments", CHILD_ARGS_MAX - 1);
        argv[i + 1] = args[i];
    }
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return err_set(e, -errno, "cannot make a pipe");
    want.fds[0] = pipe_fds[1];
    r = child_start(&want, &pid, e);
    (void)close(pipe_fds[1]);
    if (r) {
        (void)close(pipe_fds[0]);
        return r;
    }
    n = read_plan(pipe_fds[0], (unsigned char *)&raw, sizeof(raw.plan) + 1);
    (void)close(pipe_fds[0]);
    status = reap(pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) >= 126)
        return err_set(e, -EPROTO, "pillion plan could not run");
    if (WEXITSTATUS(status) != 0) {
        *ret_exit = WEXITSTATUS(status);
        return -EINVAL; /* it has said why */
    }
    if (plan_check(&raw.plan, n, &why) != 0)
        return err_set(e, -EPROTO, "pillion plan: %s (another version beside this guard?)", why);
    *ret = raw.plan;
    return 0;
}
