/*
 * runtime.h: the variables of one Go runtime, located once for a target: the way in to its
 * goroutines, buckets and counters. What has no clear winner is 0, and why stands in the note.
 */
#ifndef SAMPLER_GO_RUNTIME_H
#define SAMPLER_GO_RUNTIME_H

#include "sampler/go/image.h"
#include "sampler/go/layout.h"
#include "sampler/go/watch.h"
#include "sampler/symbols/target.h"

struct go_runtime {
    struct go_image *image;
    const struct target *target;
    const struct go_layout *layout;
    bool certain; /* the layout is this very version's; else the nearest one's: only what validates
                   */
    uint64_t allgs, allm, allp, sched; /* addresses of variables, 0: not found */
    uint64_t mbuckets, bbuckets, xbuckets;
    uint64_t mem_profile_rate, mprof_cycle, block_profile_rate, mutex_profile_rate;
    uint64_t memstats, gc_controller, wait_reasons, ticks;
    const struct go_watch *watch; /* where running goroutines are; NULL: nobody knows */
    struct err note;              /* what could not be found and why, "" when all is well */
};

/**
 * go_runtime_open(image, target, ret, e): locate what there is. -ENOTSUP: no layout that fits, or
 * nothing could be found (garbled names): e says it. ${image} and ${target} must outlive it.
 */
int go_runtime_open(struct go_image *image, const struct target *target, struct go_runtime *ret,
                    struct err *e);

#endif
