/*
 * delta.h: the difference of two readings of one profile, and what is remembered for the next one.
 *
 * Two rules. DELTA_GO is what `seconds=N` gives (net/http/pprof, serveDeltaProfile): the second
 * minus the first in all values, negative ones too. DELTA_GROWTH is godeltaprof's: what only grows
 * (allocations, contentions) as its growth, what is in use (inuse_*) as it is now; nothing is
 * negative. In both, samples with nothing but zeros are left out, the time is the second one's and
 * the duration what lies between them.
 *
 * Without a clock, a socket or a sampler.
 */
#ifndef SIDECAR_DELTA_H
#define SIDECAR_DELTA_H

#include "base/buf.h"
#include "base/bulk.h"
#include "base/err.h"
#include "profile/profile.h"

enum {
    DELTA_STORED_MAX = 24,                  /* (identity, kind) pairs that are remembered */
    DELTA_ONE_MAX_BYTES = 4 * 1024 * 1024,  /* one of them, packed */
    DELTA_ALL_MAX_BYTES = 16 * 1024 * 1024, /* all together */
    DELTA_RAW_MAX_BYTES = 64 * 1024 * 1024, /* unpacked again */
    DELTA_IDENTITY_BYTES = 64,              /* CONFIG_NAME_BYTES */
};

enum delta_rule { DELTA_GO, DELTA_GROWTH };

/**
 * delta_profile(first, second, rule, ret, e): a new profile, the caller's. -EINVAL (they differ in
 * their sample types), -E2BIG, -EOVERFLOW, -ENOMEM.
 */
int delta_profile(const struct profile *first, const struct profile *second, enum delta_rule rule,
                  struct profile **ret, struct err *e);

/**
 * delta_encoded(first, second, rule, out, ret_between_ns, e): the same with protobuf (not
 * compressed) in and out, appended to ${out}; *ret_between_ns is its duration. Also -EBADMSG.
 */
int delta_encoded(const struct bulk *first, const struct bulk *second, enum delta_rule rule,
                  struct buf *out, int64_t *ret_between_ns, struct err *e);

/* One remembered reading. */
struct delta_row {
    bool used;
    uint32_t kind;
    uint64_t program; /* that it was taken from (struct wire_runtime_read) */
    uint64_t order;   /* of storing: the lowest is the oldest */
    char identity[DELTA_IDENTITY_BYTES];
    struct buf packed; /* gzip */
};

struct delta_store {
    struct delta_row rows[DELTA_STORED_MAX];
    uint64_t next_order;
};

void delta_store_release(struct delta_store *s); /* NULL-safe; empty and usable afterwards */

/**
 * delta_store_get(s, identity, kind, program): the last reading (gzip), or NULL: never one, of
 * another program, or forgotten for others' sake. Valid until the next put.
 */
const struct buf *delta_store_get(const struct delta_store *s, const char *identity, uint32_t kind,
                                  uint64_t program);

/**
 * delta_store_put(s, identity, kind, program, packed): remember in place of the last one; moves
 * ${packed} out. The oldest of others go when there is no room. -EFBIG: it alone is too large; then
 * ${packed} is released and what was remembered before is gone too.
 */
int delta_store_put(struct delta_store *s, const char *identity, uint32_t kind, uint64_t program,
                    struct buf *packed);

#endif
