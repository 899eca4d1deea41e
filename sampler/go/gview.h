/*
 * gview.h: one runtime.g as bytes, and what it says. The bytes are copied from a program that runs:
 * a view is only true when a second copy, taken after whatever else was read, is the same.
 */
#ifndef SAMPLER_GO_GVIEW_H
#define SAMPLER_GO_GVIEW_H

#include <stdbool.h>

#include "sampler/go/layout.h"

enum {
    GVIEW_MAX_BYTES = 512, /* of one g; Go 1.26 has 456 */
    /* Go's own limit of a stack is 1 GB (runtime/proc.go, main: maxstacksize); a growing one is
     * twice the old one. */
    GVIEW_STACK_MAX_BYTES = 0x7fffffff,
};

/* runtime/runtime2.go: the values of g.atomicstatus. 5 and 7 are unused. */
enum gview_status {
    GVIEW_IDLE = 0,
    GVIEW_RUNNABLE = 1,
    GVIEW_RUNNING = 2,
    GVIEW_SYSCALL = 3,
    GVIEW_WAITING = 4,
    GVIEW_DEAD = 6,
    GVIEW_COPYSTACK = 8,
    GVIEW_PREEMPTED = 9,
    GVIEW_LEAKED = 10,    /* Go 1.26: waits for what nobody can reach any more */
    GVIEW_DEADEXTRA = 11, /* Go 1.26: an extra M's g between two callbacks from C */
};

struct gview {
    uint64_t address;
    uint64_t lo, hi;    /* its stack: [lo, hi) */
    uint64_t sp, pc;    /* where it stands: in a system call, or where it was stopped */
    bool in_syscall;    /* sp and pc are those that entersyscall kept */
    uint32_t status;    /* enum gview_status, without the scan bit */
    uint64_t goid;      /* 0 in a g that was never used */
    uint64_t parent;    /* goid of its creator; 0 before Go 1.21 */
    uint64_t waitsince; /* nanotime, set by collections only: about when it began to wait */
    uint64_t m, lockedm, labels, gopc, startpc;
    uint8_t waitreason;
    bool cleans; /* a cleanup goroutine in the user's code (Go 1.25) */
};

/** gview_fits(l): does this layout have all that a view needs, within the bounds above? */
bool gview_fits(const struct go_layout *l);

/** gview_read(l, address, raw, ret): ${raw} has l->g_size bytes. */
void gview_read(const struct go_layout *l, uint64_t address, const uint8_t *raw, struct gview *ret);

/**
 * gview_same(l, a, b): two copies of one g that say the same in every byte but the scan bit. Not
 * only in the fields that matter: trackingSeq is one byte and comes round after 256 switches, which
 * two goroutines that talk to each other do in a tenth of a millisecond; but then the time stamps
 * that every eighth switch leaves (runtime/proc.go, casgstatus) are others.
 */
bool gview_same(const struct go_layout *l, const uint8_t *a, const uint8_t *b);

/** gview_has_stack(v): it stands still, so that its stack can be read. */
bool gview_has_stack(const struct gview *v);

/** gview_is_sane(v): a status that exists, bounds in order, sp inside and aligned. */
bool gview_is_sane(const struct gview *v);

/**
 * gview_is_settled(v): is its switch away from its thread over? casgstatus() stores the new status
 * before it counts the switch, and dropg() takes the m away after both: a g without m has been
 * counted. One that keeps its m (in a system call, or waiting while the runtime works on the
 * thread's system stack) gives no such sign.
 */
bool gview_is_settled(const struct gview *v);

#endif
