/*
 * refine.h: from what was read to what is kept: unpacked, checked, what is cumulative turned into
 * growth, the label policy applied, encoded again. In libuv's pool, since a large profile takes
 * tens of milliseconds.
 */
#ifndef SIDECAR_COLLECT_REFINE_H
#define SIDECAR_COLLECT_REFINE_H

#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "profile/policy.h"

enum {
    REFINE_BASE_MAX_BYTES = 8 * 1024 * 1024, /* a reading kept for the next one, packed */
    REFINE_OFF_MAX_SECONDS = 3600, /* a stamp that is further from our clock is not believed: the
                                      clock was stepped, or the target lies */
};

/* A policy that is held by its owner and by the jobs that use it; counted on the loop. */
struct refine_policy {
    struct policy *policy;
    uint32_t refs;
};
/** refine_policy_new(policy): takes ${policy} over; held once. NULL without memory. */
struct refine_policy *refine_policy_new(struct policy *policy);
void refine_policy_put(struct refine_policy *p); /* NULL-safe */

struct refine_want {
    struct refine_policy *policy; /* held by the job while it runs */
    bool growth;                  /* alloc_*, contentions and delay since ${base} */
    int64_t now_ns;               /* real time when it came */
    uint64_t since_base_ns;       /* monotonic: what a growth covers, whatever the clock did */
    struct buf *input;            /* pprof, gzip or not; moved out */
    struct buf *base;             /* gzip of the last reading, moved out; empty: there is none */
};

struct refine_done {
    int result; /* 0, or -errno with its reason; -ENODATA: it is the first, kept as the base only */
    const char *why;
    struct buf *raw; /* pprof, not compressed; may be moved away */
    /* gzip for the next one; empty when nothing grows. Of this reading, or (not ${renewed}) the old
     * one again, where this one was no profile at all: then the next growth covers both. */
    struct buf *base;
    bool renewed;
    int64_t time_ns, duration_ns; /* of the profile; where its window began */
    uint64_t samples;
    struct policy_report report;
};

struct refine; /* opaque: one job */

typedef void (*refine_came)(void *data, const struct refine_done *done);

/** refine_start(loop, want, then, data, ret): 0 and one callback, or -errno and nothing moved. */
int refine_start(uv_loop_t *loop, const struct refine_want *want, refine_came then, void *data,
                 struct refine **ret);

/** refine_forget(r): NULL-safe; the callback will not be called. The job may go on a while. */
void refine_forget(struct refine *r);

#endif
