/*
 * goroutine_stacks.h: every goroutine with its stack, as a panic shows them (debug=2).
 *
 * Kept as a rope: a stack or a creator that many goroutines share is there once, and named once.
 * So a hundred thousand goroutines cost as much memory as their first lines.
 */
#ifndef SAMPLER_GOROUTINE_STACKS_H
#define SAMPLER_GOROUTINE_STACKS_H

#include "sampler/go/goroutines.h"
#include "wire/rope.h"

enum {
    /* Stacks and creators that are remembered; further ones are written out each time. */
    GOROUTINE_STACKS_PARTS_MAX = 64 * 1024,
    GOROUTINE_STACKS_KEYS_MAX_BYTES = 8 * 1024 * 1024,
};

/**
 * goroutine_stacks_build(rt, system, budget, out, ret_counts, e): read and append to ${out};
 * ${system}: the runtime's own too. What does not fit is counted in the last line, as Go cuts its
 * own at 64 MiB. 0, what goroutines_read() says, -E2BIG, -ENOMEM.
 */
int goroutine_stacks_build(struct go_runtime *rt, bool system, struct go_budget *budget,
                           struct rope *out, struct goroutines_counts *ret_counts, struct err *e);

#endif
