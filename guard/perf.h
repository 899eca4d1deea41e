/*
 * perf.h: the guard's half of perf sessions: opens, paces and closes the events of the target.
 *
 * It decides only what the kernel makes it decide: which threads, which CPUs, how large the rings
 * can be. It never reads a ring; the sampler gets the descriptors and maps them itself. Of the
 * target it reads the names in /proc/PID/task and nothing else (its CPUs come from
 * sched_getaffinity(2)). The functions have the shapes of struct answer_guard_ops (wire/).
 *
 * Shape PER_CPU: one event per (thread, CPU), inherited by threads born later; the first event of
 * a CPU owns its ring (mapped here too, since SET_OUTPUT needs a ring and the locked memory is to
 * be the guard's), the others join it. All stay open to the end: closing an event would end what
 * was inherited from it. Descriptors = threads x CPUs.
 * Several processes (target.all) share the rings, one a CPU all the same; what they fork inherits.
 * Shape PER_THREAD, when those are too many: one event and one small ring a thread, nothing
 * inherited; new threads are found by listing at each tick.
 */
#ifndef GUARD_PERF_H
#define GUARD_PERF_H

#include <stdbool.h>
#include <sys/types.h>

#include "guard/event.h"
#include "wire/answer_guard.h"

enum {
    GUARD_PERF_PASSES_MAX = 16,        /* listings until no new thread shows up */
    GUARD_PERF_ATTACH_MAX_MS = 1000,   /* …and how long that may take */
    GUARD_PERF_DESCRIPTORS_SPARE = 96, /* kept for everything else the guard does */
    GUARD_PERF_RING_MAX_PAGES = 128,   /* data pages of a CPU's ring: 512 KiB */
    GUARD_PERF_RING_START_PAGES = 32,  /* at 100 Hz: 1 to 2 s of samples */
    GUARD_PERF_RING_MIN_PAGES = 4,
    GUARD_PERF_THREAD_RING_PAGES = 8, /* of a thread's ring; halved down to the next */
    GUARD_PERF_THREAD_RING_MIN_PAGES = 2,
};

struct guard_perf_slot; /* opaque */

/* The processes of one session. */
struct guard_perf_who {
    pid_t pid[WIRE_MEMBERS_MAX]; /* [0]: the session ends with this one */
    int pidfd[WIRE_MEMBERS_MAX]; /* of each; [0] is not looked at */
    uint32_t count;
    bool family; /* processes that they fork are sampled too, from their first moment on */
};

struct guard_perf {
    struct guard_perf_slot *slots[WIRE_PERF_SLOTS]; /* NULL: free */
    uint64_t random;                                /* state of a xorshift64* */
};

/** guard_perf_init(p): no session; seeds the random first periods. */
void guard_perf_init(struct guard_perf *p);

/** guard_perf_release(p): close every session (the target went, or the sampler did); NULL-safe. */
void guard_perf_release(struct guard_perf *p);

/**
 * guard_perf_open(p, who, hz_max, want, ret, ret_fd): open the events of ${who}, disabled. The
 * caller makes sure before and after that the first one is still its target (pidfd), and has
 * checked the generation; others that have ended are left out. Fills ${ret} with result and text;
 * on success *ret_fd is a bulk of struct wire_event, the caller's to close. ${ret}->text may hold a
 * remark then. A period shorter than 1/${hz_max} s is refused: -EINVAL. May take
 * GUARD_PERF_ATTACH_MAX_MS and some.
 */
void guard_perf_open(struct guard_perf *p, const struct guard_perf_who *who, uint32_t hz_max,
                     const struct wire_perf_open *want, struct wire_perf_opened *ret, int *ret_fd);

/** guard_perf_wants(p, slot): must it be told of new processes? Not where they inherit. */
bool guard_perf_wants(const struct guard_perf *p, uint32_t slot);

/** guard_perf_add(p, slot, pid, pidfd): one more from the next tick on; false: it has that one
 * already, it has ended, or there are as many as can be. */
bool guard_perf_add(struct guard_perf *p, uint32_t slot, pid_t pid, int pidfd);

/** guard_perf_rings(p, slot, from, ret): descriptors stay the guard's; head.count 0 at the end. */
void guard_perf_rings(const struct guard_perf *p, uint32_t slot, uint32_t from,
                      struct answer_guard_rings *ret);

/** guard_perf_enable(p, slot, on): 0, -EBADSLT when the slot is not open. */
int guard_perf_enable(struct guard_perf *p, uint32_t slot, int on);

/**
 * guard_perf_tick(p, slot, periods, count, ret, ret_from): set the periods (within a quarter of
 * the nominal one, else -EINVAL); per-thread shape: drop the rings of threads that ended, find new
 * threads. ret->result -ESRCH: the target is gone.
 */
void guard_perf_tick(struct guard_perf *p, uint32_t slot, const struct wire_period *periods,
                     uint32_t count, struct wire_perf_ticked *ret, uint32_t *ret_from);

/** guard_perf_close(p, slot, ret): sum up and close; -EBADSLT when it is not open. */
void guard_perf_close(struct guard_perf *p, uint32_t slot, struct wire_perf_closed *ret);

/** guard_perf_is_open(p, slot): 1 or 0. */
int guard_perf_is_open(const struct guard_perf *p, uint32_t slot);

#endif
