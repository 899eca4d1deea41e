/*
 * budget.h: what one reading of a runtime may cost. Every list and loop over the target's memory
 * asks it; when it is used up the reading ends with what there is and says so.
 */
#ifndef SAMPLER_GO_BUDGET_H
#define SAMPLER_GO_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct go_budget {
    uint64_t deadline_ns;         /* monotonic */
    uint64_t bytes_left;          /* of target memory still to be read */
    bool (*cancelled)(void *ctx); /* NULL: never; asked between batches */
    void *ctx;
    const char *why; /* constant text once it is used up, NULL before */
};

/** budget_spend(b, bytes): true while it may go on; notes why when not. */
bool budget_spend(struct go_budget *b, uint64_t bytes);

/** budget_error(b): -ECANCELED or -ETIMEDOUT, for one that is used up. */
int budget_error(const struct go_budget *b);

#endif
