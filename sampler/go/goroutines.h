/*
 * goroutines.h: every goroutine of a running program, read without stopping it.
 *
 * In batches: the g structs, their stacks, the g structs again; a g counts only if its status,
 * goid, stack bounds, saved registers and trackingSeq are the same in both (else it is read again,
 * GOROUTINES_RETRIES_MAX times, then counted as torn). Stacks are walked by the pcsp tables.
 * Nothing is kept: each goroutine is handed to ${each} and forgotten. facts: runtime/runtime2.go,
 * runtime/traceback.go, runtime/proc.go of Go 1.18 to 1.26.
 */
#ifndef SAMPLER_GO_GOROUTINES_H
#define SAMPLER_GO_GOROUTINES_H

#include "sampler/go/budget.h"
#include "sampler/go/runtime.h"

enum {
    GOROUTINES_MAX = 4 * 1024 * 1024,
    GOROUTINES_BATCH = 256,
    GOROUTINES_RETRIES_MAX = 3,
    GOROUTINES_DEPTH_MAX = 512,          /* physical frames; deeper ones are cut and marked */
    GOROUTINES_STACK_READ_BYTES = 65536, /* at once; deeper stacks are continued */
    GOROUTINES_STACK_MAX_BYTES = 64 * 1024 * 1024,
    GOROUTINES_REASON_BYTES = 64,
};

enum goroutine_flag {
    GOROUTINE_SYSTEM = 1,    /* hidden as runtime.isSystemGoroutine does */
    GOROUTINE_RUNNING = 2,   /* on a thread now: no stack */
    GOROUTINE_LOCKED = 4,    /* to its thread */
    GOROUTINE_TRUNCATED = 8, /* deeper than GOROUTINES_DEPTH_MAX, or the walk ended early */
    GOROUTINE_NEVER_RAN = 16,
    GOROUTINE_IN_CGO = 32,
    /* on a thread now, with the stack that its thread's last CPU sample had */
    GOROUTINE_SAMPLED = 128,
    GOROUTINE_TORN = 64, /* it is there, but never held still: no stack; state as last seen */
};

struct goroutine {
    uint64_t goid, parent_goid;
    const char *state; /* "chan receive", "select", "runnable", "syscall" …, as debug=2 prints it */
    uint64_t wait_ns;   /* 0: unknown or not long enough */
    unsigned flags;     /* enum goroutine_flag */
    uint32_t tid;       /* of the thread it is on, 0: none */
    const void *labels; /* as labelset.h writes a set; NULL: none */
    size_t labels_bytes;
    uint64_t created_by; /* pc of the go statement (a return address), 0: none */
    uint32_t depth;
    const uint64_t *pcs;  /* leaf first; callers' are return addresses */
    const uint8_t *exact; /* 1: the pc itself is meant (leaf that was preempted …), 0: pc - 1 */
};

struct goroutines_counts {
    uint64_t total, user, system, dead;
    uint64_t running;    /* on a thread, without a stack */
    uint64_t sampled;    /* on a thread, with the stack of its last CPU sample … */
    uint64_t oldest_ns;  /* … which was at most so old */
    uint64_t torn;       /* never held still; given without a stack where its goid is sure */
    uint64_t unreadable; /* impossible: no such status, a stack outside its bounds … */
    uint64_t truncated;  /* given, but the stack is not whole */
    uint64_t unlabelled; /* given without its labels: they could not be read */
};

/**
 * goroutines_read(rt, budget, each, ctx, ret, e): hand every live goroutine to ${each} (non-zero
 * ends it). -ENOTSUP (allgs not found), -EBADMSG (the list is impossible), -ESRCH, -EPERM,
 * -ETIMEDOUT / -ECANCELED (budget; counts say how far it came).
 */
int goroutines_read(struct go_runtime *rt, struct go_budget *budget,
                    int (*each)(void *ctx, const struct goroutine *g), void *ctx,
                    struct goroutines_counts *ret, struct err *e);

#endif
