/*
 * gread.h: a batch of g's read from a program that runs on, each with its stack, so that what is
 * given out was true at one moment.
 *
 * The g structs, then [stack, g struct] of each: what is the same before and after its stack was
 * read did not run in between (gview_same). What changed is read again, now as [g, stack, g] in
 * one go, a window of a microsecond; GOROUTINES_RETRIES_MAX times, then it is torn.
 *
 * A g that keeps its thread (gview_is_settled) may have changed its status and not yet have counted
 * that, and since Go 1.26 a system call is not counted at all. Such a one is read as [g, m, stack,
 * g, stack, m, g]: both stacks must tell the same, and its m too, where m.syscalltick and others
 * move with each call.
 */
#ifndef SAMPLER_GO_GREAD_H
#define SAMPLER_GO_GREAD_H

#include "sampler/go/budget.h"
#include "sampler/go/gstack.h"
#include "sampler/go/runtime.h"

enum gread_kind {
    GREAD_DEAD,
    GREAD_RUNNING, /* no stack */
    GREAD_STACK,
    GREAD_TORN,       /* it never held still: a view without stack, true by itself */
    GREAD_UNREADABLE, /* it held still, and is impossible */
};

struct gread_found {
    enum gread_kind kind;
    const struct gview *view;
    const struct gstack *stack; /* GREAD_STACK */
    bool cut;                   /* the stack goes on, or its end was not reached */
    uint32_t tid;               /* 0: on no thread */
};

struct gread; /* opaque */

/** gread_new(rt, budget, ret): 0 or -ENOMEM. Both must outlive it. */
int gread_new(struct go_runtime *rt, struct go_budget *budget, struct gread **ret);
void gread_free(struct gread *r);

/** gread_rules(r): what the walk knows, for others that look at code. */
struct gstack_rules *gread_rules(struct gread *r);

/**
 * gread_batch(r, g, count, found, ctx): read the ${count} (at most GOROUTINES_BATCH) structures at
 * ${g}; ${found} is called once for each, in any order; non-zero ends it and is returned. 0;
 * -ETIMEDOUT or -ECANCELED (budget->why), or -errno of the target.
 */
int gread_batch(struct gread *r, const uint64_t *g, size_t count,
                int (*found)(void *ctx, const struct gread_found *f), void *ctx);

#endif
