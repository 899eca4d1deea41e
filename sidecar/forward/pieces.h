/*
 * pieces.h: an item's pprof as one or several packed files, for the backends that embed pprof. What
 * needs no change goes out as the bytes that were packed once for all backends.
 */
#ifndef SIDECAR_FORWARD_PIECES_H
#define SIDECAR_FORWARD_PIECES_H

#include "profile/glance.h"
#include "sidecar/forward/backend.h"

/* The times that the file shall say. */
struct pieces_time {
    int64_t time_ns, duration_ns;
};

/* Called for each file: gzip, borrowed. What is not 0 ends it and is returned. */
typedef int (*pieces_emit)(void *ctx, const void *gzip, size_t bytes, struct err *e);

/** pieces_as_it_is(in, g, time, emit, ctx, e): one file, the item's own. ${g} is what glance() said
 * of it. */
int pieces_as_it_is(const struct backend_input *in, const struct glance *g,
                    const struct pieces_time *time, pieces_emit emit, void *ctx, struct err *e);

/**
 * pieces_of(p, max_samples, max_bytes, emit, ctx, e): as many files as it takes, each at most so
 * large before packing; at least one. -EFBIG: a sample alone is larger.
 */
int pieces_of(struct profile *p, size_t max_samples, size_t max_bytes, pieces_emit emit, void *ctx,
              struct err *e);

#endif
