/*
 * unwind.h: from one sample to a stack of addresses, leaf first.
 *
 * Kernel part (if any): one marker. User part: the kernel's frame-pointer chain, cut where it
 * leaves code; in Go, the leaf's caller is repaired from the sample's own registers and stack copy
 * by the pcsp table (a frameless or half-built leaf hides its direct caller from the chain).
 * Nothing is read from the target here. (.eh_frame rules will be a second source beside
 * unwind_fp: room for sampler/unwind/cfi.)
 */
#ifndef SAMPLER_UNWIND_UNWIND_H
#define SAMPLER_UNWIND_UNWIND_H

#include "sampler/perf/record.h"
#include "sampler/symbols/space.h"

enum {
    UNWIND_DEPTH_MAX = 512,
};

/* Addresses that are no addresses; the top bits keep them apart from any user address. */
#define UNWIND_KERNEL    UINT64_C(0xffffffffffff0001) /* [kernel] */
#define UNWIND_MISSING   UINT64_C(0xffffffffffff0002) /* [missing]: a caller could not be read */
#define UNWIND_TRUNCATED UINT64_C(0xffffffffffff0003) /* [truncated]: the stack goes on */
#define UNWIND_RUNNING   UINT64_C(0xffffffffffff0004) /* [running]: it has no stack to be read */

struct unwind_stack {
    uint32_t depth;
    uint64_t address[UNWIND_DEPTH_MAX]; /* [0] the leaf's own; callers' moved back into the call */
};

/* Samples, except for unrepaired: every [missing] counts there. */
struct unwind_counts {
    uint64_t repaired;   /* a hidden caller was found */
    uint64_t unrepaired; /* a caller is hidden and could not be had */
    uint64_t cut;        /* the chain left all code and was ended there */
    uint64_t truncated;  /* [truncated] was put at the root */
};

/** unwind_sample(space, record, ret, counts): never fails; at least one address. */
void unwind_sample(struct space *space, const struct record *record, struct unwind_stack *ret,
                   struct unwind_counts *counts);

/**
 * unwind_blocked(space, record, ret, counts): of a thread that waits: the record has its program
 * counter, its stack pointer and its stack, and neither a chain nor a frame pointer. Go's frames by
 * the pcsp tables alone; of other code the leaf. Never fails; at least one address.
 */
void unwind_blocked(struct space *space, const struct record *record, struct unwind_stack *ret,
                    struct unwind_counts *counts);

#endif
