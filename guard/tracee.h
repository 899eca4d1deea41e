/*
 * tracee.h: threads of the target that are held by ptrace(2) for the moment of a sample: seized,
 * interrupted, looked at, let go. Nothing stays attached.
 *
 * Why it is done so (ptrace(2), "PTRACE_SEIZE", "Signal-delivery-stop", and Linux' ptrace.c):
 * - A seized thread that gets a signal stops too, and stays so until its tracer lets it go: Go
 *   programs get a hundred a second. So a thread is let go by PTRACE_DETACH at its first stop,
 *   whatever stop that is: there it can be looked at just as well. A signal goes on to the thread
 *   (its number is PTRACE_DETACH's last argument); a stop by PTRACE_INTERRUPT or of job control
 *   (status >> 16 == PTRACE_EVENT_STOP) has none. A thread that job control has stopped is in that
 *   stop again after it: it is not woken.
 * - PTRACE_DETACH works in a stop alone. A thread that is not there in time (it waits for a disk,
 *   or for a CPU) stays on the list, and is let go when the kernel says that it has stopped:
 *   SIGCHLD, which the guard always hears of. Nobody waits for it.
 * - When the tracer dies, by SIGKILL too, the kernel detaches what it holds, and a pending signal
 *   is delivered (exit_ptrace()). PTRACE_O_EXITKILL, the one thing that could hurt, is not set.
 * - The tracer is a thread and not a process. The one that takes over from a blocked one
 *   (relief.h) cannot let go what the other holds: then the guard ends, so that the target runs.
 * - After an execve(2) the thread that called it has the number of the first one: who stops and is
 *   not on the list is let go likewise.
 */
#ifndef GUARD_TRACEE_H
#define GUARD_TRACEE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/wire.h"

struct tracees {
    uint32_t count;
    pid_t tid[WIRE_STOPS_MAX];
};

/** Called while the thread is stopped, before it is let go; must not wait for anything. */
typedef void (*tracee_look)(void *ctx, pid_t tid);

/**
 * tracee_seize(t, tid): seize and interrupt. 0; -EPERM: not allowed, or somebody else traces it;
 * -ESRCH: it has ended; -EALREADY: held; -ENOSPC: the list is full.
 */
int tracee_seize(struct tracees *t, pid_t tid);

/**
 * tracee_collect(t, look, ctx): take in what has stopped or ended, without waiting. ${look} may be
 * NULL.
 */
void tracee_collect(struct tracees *t, tracee_look look, void *ctx);

/** tracee_status(t, tid, status, look, ctx): the same for one that waitpid(2) has named already. */
void tracee_status(struct tracees *t, pid_t tid, int status, tracee_look look, void *ctx);

/** tracee_held(t, tid): is it on the list? */
bool tracee_held(const struct tracees *t, pid_t tid);

/** tracee_wait(ms): until a child or a tracee changes its state, at most so long. */
void tracee_wait(uint64_t ns);

/* Registers of a stopped thread. */
struct tracee_regs {
    uint64_t pc, sp, fp, lr, g;
    bool in_syscall;
};

/** tracee_regs(tid, ret): 0, -ESRCH, -ENOTSUP (a program of another word size). */
int tracee_regs(pid_t tid, struct tracee_regs *ret);

/** tracee_allowed(pid): may ptrace(2) be called at all? 0, or what a filter answers. Stops nothing.
 */
int tracee_allowed(pid_t pid);

#endif
