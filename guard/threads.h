/*
 * threads.h: which threads the target has, and which CPUs they may use.
 *
 * Reads the names in /proc/PID/task and asks sched_getaffinity(2); parses nothing else. /proc/PID
 * is held open: the descriptor names this very process, also when its number is given away again.
 * All tables are of fixed size, so the target decides how much of them is used, never how large
 * they are.
 */
#ifndef GUARD_THREADS_H
#define GUARD_THREADS_H

#include <stdint.h>
#include <sys/types.h>

#include "wire/wire.h"

enum {
    GUARD_THREADS_MAX = 65536,                   /* names read in one listing, tids remembered */
    GUARD_THREADS_CPUS_MAX = 8192,               /* NR_CPUS of the largest x86-64 configuration */
    GUARD_THREADS_SLOTS = 2 * GUARD_THREADS_MAX, /* a power of two; at most half full */
};

struct guard_threads {
    int proc_fd; /* /proc/PID */
    int pid_fd;  /* -1 before Linux 5.3 */
    uint32_t others;
    int other_fd[WIRE_MEMBERS_MAX - 1]; /* /proc/PID of further processes (target.all) */
    uint32_t nlist, nseen, cpus;
    uint16_t cpu[GUARD_THREADS_CPUS_MAX]; /* numbers of the CPUs, ascending */
    uint32_t list[GUARD_THREADS_MAX];     /* tids, as listed last */
    uint32_t seen[GUARD_THREADS_SLOTS];   /* a hash of tids; 0 = free */
};

/** guard_threads_open(t, pid): ${t} is zeroed memory. 0, -ESRCH. */
int guard_threads_open(struct guard_threads *t, pid_t pid);

/**
 * guard_threads_add(t, pid, pidfd): the threads of the process behind ${pidfd} too, whose number is
 * ${pid} as long as it runs. 0, -ESRCH, -E2BIG.
 */
int guard_threads_add(struct guard_threads *t, pid_t pid, int pidfd);

/** guard_threads_close(t): repeatable. */
void guard_threads_close(struct guard_threads *t);

/**
 * guard_threads_list(t): fill t->list with the tids there are now. 0, -ESRCH (the first process has
 * gone; others may), -errno.
 */
int guard_threads_list(struct guard_threads *t);

/** guard_threads_exists(t, tid): is this a thread of one of the processes, now? */
int guard_threads_exists(const struct guard_threads *t, uint32_t tid);

/** guard_threads_gone(t): 1 when the first process ended (a zombie has ended). */
int guard_threads_gone(const struct guard_threads *t);

/**
 * guard_threads_cpus(t): fill t->cpu with the online CPUs that any listed thread may use: a thread
 * pinned later than its birth keeps its creator's events, so the union is wanted. 0, -ESRCH.
 */
int guard_threads_cpus(struct guard_threads *t);

/** guard_threads_see(t, tid): remember it; 1 when it is new, 0 when known or the table is full. */
int guard_threads_see(struct guard_threads *t, uint32_t tid);

/** guard_threads_forget(t): nothing was seen. */
void guard_threads_forget(struct guard_threads *t);

#endif
