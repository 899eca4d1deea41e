#include "guard/tracee.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"

static void drop(struct tracees *t, uint32_t i)
{
    t->tid[i] = t->tid[--t->count];
}

static uint32_t find(const struct tracees *t, pid_t tid)
{
    uint32_t i = 0;

    while (i < t->count && t->tid[i] != tid)
        i++;
    return i;
}

bool tracee_held(const struct tracees *t, pid_t tid)
{
    return find(t, tid) < t->count;
}

int tracee_seize(struct tracees *t, pid_t tid)
{
    if (t->count >= WIRE_STOPS_MAX)
        return -ENOSPC;
    if (tracee_held(t, tid))
        return -EALREADY;
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0)
        return -errno;
    /* from here on it is ours until it has stopped or ended: also if this fails, as it then ends */
    t->tid[t->count++] = tid;
    (void)ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
    return 0;
}

/* The signal that a stop is about, to be passed on; 0: none. */
static int signal_of(int status)
{
    return status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
}

void tracee_status(struct tracees *t, pid_t tid, int status, tracee_look look, void *ctx)
{
    uint32_t i = find(t, tid);
    bool ours = i < t->count;

    if (!WIFSTOPPED(status)) {
        if (ours)
            drop(t, i);
        return;
    }
    if (look && ours)
        look(ctx, tid);
    /* it fails when the thread was killed in its stop: then its end is still to be taken in */
    if (ptrace(PTRACE_DETACH, tid, NULL, (void *)(uintptr_t)signal_of(status)) == 0 && ours)
        drop(t, i);
}

void tracee_collect(struct tracees *t, tracee_look look, void *ctx)
{
    uint32_t i = t->count;

    /* backwards: a row that goes is replaced by the last one, which was looked at */
    while (i-- > 0) {
        pid_t tid = t->tid[i];
        int status = 0;
        pid_t r = waitpid(tid, &status, __WALL | WNOHANG);

        if (r == tid)
            tracee_status(t, tid, status, look, ctx);
        else if (r < 0 && errno == ECHILD) /* not ours any more: it has called execve(2) */
            drop(t, i);
    }
}

/*
 * SIGCHLD is blocked, and its descriptor (signalfd(2)) is not read here: who calls this looks
 * after the children afterwards, since the news of one of them may have been taken.
 */
void tracee_wait(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / CLOCK_NS_PER_SEC), (long)(ns % CLOCK_NS_PER_SEC)};
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigtimedwait(&set, NULL, &t);
}

#if defined(__x86_64__)
/* An interrupt leaves -1 where a system call has its number (arch/x86/entry/entry_64.S). */
int tracee_regs(pid_t tid, struct tracee_regs *ret)
{
    struct user_regs_struct r;
    struct iovec io = {&r, sizeof(r)};

    if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &io) != 0)
        return -errno;
    if (io.iov_len != sizeof(r))
        return -ENOTSUP;
    *ret = (struct tracee_regs){
        .pc = r.rip, .sp = r.rsp, .fp = r.rbp, .g = r.r14, .in_syscall = (int64_t)r.orig_rax >= 0};
    return 0;
}
#elif defined(__aarch64__)
/* NO_SYSCALL is -1 (arch/arm64/include/asm/ptrace.h). */
int tracee_regs(pid_t tid, struct tracee_regs *ret)
{
    struct user_regs_struct r;
    struct iovec io = {&r, sizeof(r)};
    int number = -1;
    struct iovec call = {&number, sizeof(number)};

    if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &io) != 0)
        return -errno;
    if (io.iov_len != sizeof(r))
        return -ENOTSUP;
    (void)ptrace(PTRACE_GETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL, &call);
    *ret = (struct tracee_regs){.pc = r.pc,
                                .sp = r.sp,
                                .fp = r.regs[29],
                                .lr = r.regs[30],
                                .g = r.regs[28],
                                .in_syscall = number >= 0};
    return 0;
}
#else
#    error "the registers of this machine are not known"
#endif

/* It is no tracee of ours, which the kernel says after any filter has had its say. */
int tracee_allowed(pid_t pid)
{
    if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 || errno == ESRCH)
        return 0;
    return -errno;
}
