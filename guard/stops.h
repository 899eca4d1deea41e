/*
 * stops.h: CPU samples without perf: threads are stopped by ptrace(2) for the moment that it takes
 * to copy their registers and a part of their stack (tracee.h). Opt-in: target.unsafe.
 *
 * At most WIRE_STOPS_HZ_MAX ticks a second, whatever the sampler asks for: one may come early, as
 * jitter has it, and those after it then come later. In a tick:
 * - Only threads that have used CPU time since their last sample are looked at (spent.h), and of
 *   those only the ones that run or are runnable are stopped. A thread that waits is left alone:
 *   the stop would end its system call with EINTR, and it uses no CPU where it waits. Its time is
 *   owed until it is met running: at a random moment that has the probability of its share of the
 *   CPU, so what such samples weigh comes out right (a Horvitz-Thompson estimate), and nothing is
 *   lost of a thread that runs seldom.
 * - A runnable thread that has no CPU just now stands where it was preempted. Kernels preempt
 *   lazily, at the next return to user mode: mostly that of a system call, however little time goes
 *   into those (measured on a loaded machine: 35 % of the samples for 1 % of the time). So a stop
 *   counts if the thread was on a CPU up to it (it has not been put on one since it was looked at
 *   before), or was interrupted in user mode. Else the thread goes on owing.
 * - A tick might be in step with the target, or run only when the target does not (on a single
 *   CPU). So when a thread owes STOPS_OWED_NS its time goes to wherever it is met, also where it
 *   waits (interruptibly), with the system call's [kernel] frame: ${waiting} counts.
 * - No more than WIRE_STOPS_MAX threads are held at a time. Who is left out owes, and the next tick
 *   begins with it; ${left_out} counts.
 * - Stops are awaited for STOPS_WAIT_NS, or STOPS_MORE_NS after the first sample, since labels age.
 *   What comes later comes with a later answer.
 *
 * An execve(2) shows in /proc/PID/auxv, which has the address of the program's random bytes:
 * -ESTALE. Samples of the tick in which it happened are dropped.
 *
 * If the stack of a stopped thread is under userfaultfd(2) or FUSE and its copying never returns,
 * the relieving thread cannot let it go: then the guard ends (guard_stops_relieve()).
 */
#ifndef GUARD_STOPS_H
#define GUARD_STOPS_H

#include "guard/spent.h"
#include "guard/target.h"
#include "guard/tracee.h"

enum {
    STOPS_PERIOD_NS = 1000000000 / WIRE_STOPS_HZ_MAX,
    STOPS_TICK_MIN_NS = STOPS_PERIOD_NS / 4 * 3, /* jitter has its room */
    STOPS_WAIT_NS = 2000000,
    STOPS_LATE_NS = 500000, /* the same without a tick */
    STOPS_MORE_NS = 60000,
    STOPS_OWED_NS = 50000000,  /* five of the shortest periods */
    STOPS_LOOKS_MAX = 256,     /* threads whose CPU time is read in one tick */
    STOPS_LIST_FEW = 256,      /* so many threads are listed at each tick, more … */
    STOPS_LIST_NS = 100000000, /* … no sooner than this */
    STOPS_AUXV_BYTES = 1024,
};

struct stops_session; /* opaque: what one recording knows of the threads */

struct guard_stops {
    bool wanted; /* target.unsafe.ptrace_sampling */
    struct tracees held;
    struct stops_session *session; /* NULL: none */
    uint64_t ticked_ns;
    uint64_t due_ns; /* when the next tick would be, had each had its whole period */
};

/** guard_stops_init(s, wanted): no session, nothing held. */
void guard_stops_init(struct guard_stops *s, bool wanted);

/**
 * guard_stops_right(s, t): the target has just been taken or the plan has changed: does
 * WIRE_RIGHT_STOPS belong into its rights? Sets or clears it; true when that is news.
 */
bool guard_stops_right(const struct guard_stops *s, struct target *t);

/** guard_stops_open(s, t, generation, ret): fills ${ret} with result and text. */
void guard_stops_open(struct guard_stops *s, const struct target *t, uint32_t generation,
                      struct wire_stops_opened *ret);

/**
 * guard_stops_take(s, t, ask, ret, ret_rows): tick if asked to, and hand over what has come: rows
 * in ${ret_rows}, their stacks in the target's arena. -EBADSLT in ${ret}: no session. The caller
 * looks after the children afterwards (tracee_wait()).
 */
void guard_stops_take(struct guard_stops *s, struct target *t, const struct wire_stops_ask *ask,
                      struct wire_stops *ret, struct wire_stop ret_rows[static WIRE_STOPS_MAX]);

/** guard_stops_close(s): ends the session; what is held is let go as it stops. Repeatable. */
void guard_stops_close(struct guard_stops *s);

/** guard_stops_status(s, t, tid, status): waitpid(2) has named somebody who is no child. */
void guard_stops_status(struct guard_stops *s, struct target *t, pid_t tid, int status);

/** guard_stops_relieve(s): in the thread that took over: 0, or -EIO: threads are held by the other
 * one, and only its end lets them go. */
int guard_stops_relieve(const struct guard_stops *s);

#endif
