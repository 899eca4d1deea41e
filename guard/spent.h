/*
 * spent.h: how much CPU time each thread of the target has used since its last sample, so that a
 * sample weighs what it stands for.
 *
 * Source: the first number of /proc/PID/task/TID/schedstat (ns on a CPU, Documentation/scheduler/
 * sched-stats.rst; brought up to date at each timer interrupt of a running thread, exact when it
 * does not run) and the third (how often it was put on one); where the kernel has no such file, the
 * ticks of stat. A thread that is met for the first
 * time cannot have used more than the time since the listing before, in which it was not: so one
 * that a listing has missed (readdir(3) of /proc may) is not charged with its whole life.
 */
#ifndef GUARD_SPENT_H
#define GUARD_SPENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    SPENT_THREADS_MAX = 4096, /* further ones are not sampled, and counted */
};

/* What the kernel says of a thread at one moment. */
struct spent_look {
    uint64_t at_ns;  /* monotonic */
    uint64_t cpu_ns; /* it has used */
    uint64_t slices; /* how often it was put on a CPU; 0: not known */
};

struct spent_row {
    uint32_t tid;
    bool known;             /* has a base */
    struct spent_look base; /* at its last sample */
    struct spent_look last; /* the last one */
};

struct spent {
    pid_t pid;
    uint32_t count, missed;
    uint64_t listed_ns;     /* the last listing; 0: none */
    struct spent_row *rows; /* ascending tids */
    struct spent_row *next; /* room for the next listing */
    uint32_t *tids;         /* likewise */
};

/** spent_open(s, pid): 0, -ENOMEM. */
int spent_open(struct spent *s, pid_t pid);
void spent_close(struct spent *s); /* repeatable */

/**
 * spent_list(s, now_ns): which threads are there now? The first listing charges nobody with what
 * was before it. 0, -ESRCH, -errno.
 */
int spent_list(struct spent *s, uint64_t now_ns);

/**
 * spent_owed(s, row, now_ns, ret_stayed): CPU time that the thread has used since its last sample,
 * in ns; 0 when it is gone. ${ret_stayed}, NULL allowed: it has not been put on a CPU since the
 * last look: so if it is stopped now, it was running until then.
 */
uint64_t spent_owed(struct spent *s, struct spent_row *row, uint64_t now_ns, bool *ret_stayed);

/** spent_settle(row): what the last look showed has been sampled. */
void spent_settle(struct spent_row *row);

/** spent_find(s, tid): NULL when it is not listed. */
struct spent_row *spent_find(struct spent *s, uint32_t tid);

/** spent_state(s, tid): R S D T t Z … of stat, 0 when it is gone. */
char spent_state(const struct spent *s, uint32_t tid);

/** spent_process_ns(pid): CPU time of the whole process, also of threads that have ended; 0. */
uint64_t spent_process_ns(pid_t pid);

#endif
