/*
 * stacks.h: what one recording has seen: each distinct (label set, stack) once, with its count and
 * weight. Nothing is symbolized here. Bounded: a table that is full says so, and the recording
 * ends with what it has.
 */
#ifndef SAMPLER_STACKS_H
#define SAMPLER_STACKS_H

#include "base/intern.h"

enum {
    STACKS_MAX = 262144,                 /* distinct ones */
    STACKS_MAX_BYTES = 64 * 1024 * 1024, /* of addresses */
    STACKS_SETS_MAX = 65536,             /* distinct label sets */
    STACKS_SETS_MAX_BYTES = 8 * 1024 * 1024,
    STACKS_DEPTH_MAX = 512,
};

struct stacks_row {
    uint64_t count;
    uint64_t weight_ns;
};

struct stacks {
    struct intern keys; /* u32 label set, u32 depth, then u64 addresses, leaf first */
    struct intern sets; /* label sets as labels.h writes them */
    struct stacks_row *rows;
    uint32_t rows_cap;
};

void stacks_init(struct stacks *s);
void stacks_release(struct stacks *s);

/** stacks_add(s, set, addresses, depth, weight_ns, ret_row): 0, -ENOSPC when the table is full. */
int stacks_add(struct stacks *s, uint32_t set, const uint64_t *addresses, uint32_t depth,
               uint64_t weight_ns, uint32_t *ret_row);

/** stacks_get(s, i, ret_set, ret_depth): addresses of row ${i} (< s->keys.count), leaf first. */
const uint64_t *stacks_get(const struct stacks *s, uint32_t i, uint32_t *ret_set,
                           uint32_t *ret_depth);

#endif
