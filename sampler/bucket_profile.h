/*
 * bucket_profile.h: heap, allocs, block, mutex and threadcreate of a Go program, from its runtime's
 * own records, in the forms that runtime/pprof writes (pprof.go, protomem.go, proto.go).
 *
 * The same sample types, units, period, labels and scaling, the same stacks with the same inlined
 * functions; equal samples are summed, as every reader does. Two deliberate differences: threads
 * without a creation stack have an empty one (Go 1.23 and newer fill it with zeros, which show as a
 * nameless function), and addresses of C code are named.
 *
 * What a program does not record cannot be had: -ENOTSUP, and the text says why and what to do.
 */
#ifndef SAMPLER_BUCKET_PROFILE_H
#define SAMPLER_BUCKET_PROFILE_H

#include "base/buf.h"
#include "sampler/go/buckets.h"
#include "sampler/symbols/space.h"

enum bucket_profile_kind {
    BUCKET_PROFILE_HEAP,
    BUCKET_PROFILE_ALLOCS, /* as heap; alloc_space is shown by default */
    BUCKET_PROFILE_BLOCK,
    BUCKET_PROFILE_MUTEX,
    BUCKET_PROFILE_THREADCREATE,
};

struct bucket_profile_want {
    enum bucket_profile_kind kind;
    bool text; /* debug=1 instead of protobuf */
    /* The rate that memory was sampled at, where it is not the one in force now (somebody set it
     * back); 0: the one in force. */
    int64_t heap_rate;
    const char *comment; /* one more for the protobuf form; NULL or "": none */
};

/**
 * bucket_profile_build(rt, space, want, budget, out, ret_count, e): append the profile to ${out}
 * (protobuf, not compressed); ${ret_count}: buckets or threads in it. 0; -ENOTSUP (not recorded, or
 * not found); -EBADMSG (the records are impossible), -EAGAIN (they do not hold still), -ETIMEDOUT,
 * -ECANCELED (budget), -ESRCH, -EPERM, -E2BIG, -ENOMEM: ${out} is then to be thrown away.
 */
int bucket_profile_build(struct go_runtime *rt, struct space *space,
                         const struct bucket_profile_want *want, struct go_budget *budget,
                         struct buf *out, uint64_t *ret_count, struct err *e);

/**
 * bucket_profile_available(rt, kind, e): can this profile be had at all? 0 or -ENOTSUP with the
 * reason; cheap (two or three words of memory), for an index.
 */
int bucket_profile_available(struct go_runtime *rt, enum bucket_profile_kind kind, struct err *e);

#endif
