/*
 * goroutine_profile.h: the goroutines of a Go program in the forms that people and tools read:
 * pprof as runtime/pprof writes it, debug=1, JSON, and grouped for `pillion dump` (debug=2 is in
 * goroutine_stacks.h).
 *
 * Read and folded as they come: what is kept is one entry a group, never one a goroutine. With
 * details each goroutine is a sample of its own: encoded at once, and nothing else of it is kept.
 */
#ifndef SAMPLER_GOROUTINE_PROFILE_H
#define SAMPLER_GOROUTINE_PROFILE_H

#include "base/buf.h"
#include "sampler/go/goroutines.h"
#include "sampler/symbols/space.h"

enum goroutine_form {
    GOROUTINE_PPROF,   /* protobuf, not compressed: goroutine/count, period 1 */
    GOROUTINE_DEBUG1,  /* "goroutine profile: total N" */
    GOROUTINE_JSON,    /* groups, busiest first */
    GOROUTINE_GROUPED, /* the same for people: state, stack and creator of each group */
};

enum goroutine_profile_flag {
    /* Each goroutine by itself, with goid, state, wait_reason, waited_seconds, created_by as
     * labels (pprof) or members (JSON). */
    GOROUTINE_PROFILE_DETAIL = 1,
    GOROUTINE_PROFILE_SYSTEM = 2, /* the runtime's own too */
    /* pprof: state and created_by as labels and nothing that is one goroutine's own, so that equal
     * ones are one sample: what changes over time is then a count */
    GOROUTINE_PROFILE_GROUPS = 4,
};

/**
 * goroutine_profile_build(rt, space, form, flags, budget, out, ret_counts, e): read and append to
 * ${out}. ${space} (may be NULL) knows mappings. What is missing (torn, running, unreadable) is in
 * *ret_counts and, where the form has room, in words. 0, what goroutines_read() says, -E2BIG (a
 * bound), -ENOMEM.
 */
int goroutine_profile_build(struct go_runtime *rt, struct space *space, enum goroutine_form form,
                            unsigned flags, struct go_budget *budget, struct buf *out,
                            struct goroutines_counts *ret_counts, struct err *e);

#endif
