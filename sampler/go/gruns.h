/*
 * gruns.h: many structures of one size in few ranges. g's were allocated one behind the other,
 * mostly; those that are close are read in one go, which saves the kernel the look at their page
 * for each (a fifth of all that reading 10,000 goroutines costs).
 */
#ifndef SAMPLER_GO_GRUNS_H
#define SAMPLER_GO_GRUNS_H

#include <stddef.h>

#include "sampler/symbols/target.h"

enum {
    GRUNS_MAX = 256,       /* structures */
    GRUNS_MAX_BYTES = 512, /* of one */
    GRUNS_GAP_BYTES = 64,  /* between two that are read together: 480 bytes for one of 456 */
};

struct gruns {
    uint32_t bytes; /* of each structure */
    size_t count;
    struct target_range *one[GRUNS_MAX]; /* in the order of their addresses, once planned */
    uint8_t memory[GRUNS_MAX * (GRUNS_MAX_BYTES + GRUNS_GAP_BYTES)];
};

/** gruns_begin(r, bytes): none yet; ${bytes} each, at most GRUNS_MAX_BYTES. */
void gruns_begin(struct gruns *r, uint32_t bytes);

/** gruns_add(r, one): one more, as if it were read alone; at most GRUNS_MAX. Kept by pointer. */
void gruns_add(struct gruns *r, struct target_range *one);

/** gruns_plan(r, out): the ranges to read instead, at most as many; returns how many. */
size_t gruns_plan(struct gruns *r, struct target_range *out);

/**
 * gruns_share(r, ranges, count): these were read: give each structure its bytes and its got. A
 * structure behind a hole in its run has got 0, whether it is there or not.
 */
void gruns_share(struct gruns *r, const struct target_range *ranges, size_t count);

#endif
