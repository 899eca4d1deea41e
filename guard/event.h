/*
 * event.h: one perf event of the target: its attributes, how it is opened, and what a refusal
 * means in words. perf_event_open(2), include/uapi/linux/perf_event.h.
 *
 * What the kernel has and allows is found by trying, never by its version or by the number in
 * kernel.perf_event_paranoid (distributions patch its meaning):
 *   - read_format LOST: Linux 6.0; inherit_thread: 5.13. Either unknown gives EINVAL.
 *   - kernel samples refused: EACCES (EPERM below a seccomp filter); user samples may still work.
 * The first event that opens settles it for the session, so that all its events are alike.
 */
#ifndef GUARD_EVENT_H
#define GUARD_EVENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    GUARD_EVENT_PERIOD_MIN_NS = 10000, /* kernel/events/core.c clamps the cpu-clock timer here */
    GUARD_EVENT_READ_WORDS = 2,        /* read(2): count, and lost when has_lost */
};

struct guard_event_plan {
    uint64_t regs;            /* PERF_SAMPLE_REGS_USER mask */
    uint32_t stack_bytes;     /* PERF_SAMPLE_STACK_USER */
    uint32_t watermark_bytes; /* 0: one wake-up a sample */
    int inherit;              /* new threads too; the event is then bound to one CPU */
    int kernel;               /* wanted; 0 after a refusal */
    int has_lost;             /* start with 1; 0 once the kernel did not know it */
    int has_inherit_thread;   /* start with 1; 0: forked children are sampled too */
    int family;               /* forked children are to be sampled too */
    int settled;              /* start with 0; 1 once an event was opened */
};

/**
 * guard_event_open(plan, tid, cpu, period_ns): disabled event of one thread; ${cpu} < 0: any. The
 * descriptor (close-on-exec), or -errno. Lowers ${plan} while it is not settled.
 */
int guard_event_open(struct guard_event_plan *plan, pid_t tid, int cpu, uint64_t period_ns);

/** guard_event_read(plan, fd, ret_count_ns, ret_lost): what it counted, its children with it. */
int guard_event_read(const struct guard_event_plan *plan, int fd, uint64_t *ret_count_ns,
                     uint64_t *ret_lost);

struct guard_event_rights {
    int user_errno;   /* 0: user samples work; else a positive errno */
    int kernel_errno; /* the same with kernel samples */
};

/** guard_event_probe(pid, ret): open an event of the target both ways, and close it at once. */
void guard_event_probe(pid_t pid, struct guard_event_rights *ret);

/**
 * guard_event_text(err, out, bytes): the reason of a failure (a negative errno) in the midst of the
 * work and what would help, for people, one line. Returns ${out}.
 */
const char *guard_event_text(int err, char *out, size_t bytes);

#endif
