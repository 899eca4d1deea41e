/*
 * reshape.h: the same profile in the form that a backend takes: other type names, fewer types, less
 * depth, parts below a size. Each makes a new profile, the caller's, and leaves the source alone.
 */
#ifndef PROFILE_RESHAPE_H
#define PROFILE_RESHAPE_H

#include "profile/profile.h"

/* One sample type of the result. */
struct reshape_type {
    size_t from;      /* index in the source */
    const char *type; /* NULL: as it is */
    const char *unit;
};

/**
 * reshape_types(src, types, n, ret, e): only these types, in this order; samples whose values are
 * all zero then are left out. Period, time, duration and comments stay. -EINVAL: no such type.
 */
int reshape_types(const struct profile *src, const struct reshape_type *types, size_t n,
                  struct profile **ret, struct err *e);

/**
 * reshape_depth(src, max_depth, ret, e): deeper stacks keep their leaf's and their root's halves
 * with one frame "[N frames cut]" between them, since backends that cut themselves lose the leaf
 * (Pyroscope) or the root. ${max_depth} >= 3.
 */
int reshape_depth(const struct profile *src, size_t max_depth, struct profile **ret, struct err *e);

/** reshape_strip_labels(src, numeric, text, ret, e): without its numeric or text labels. */
int reshape_strip_labels(const struct profile *src, bool numeric, bool text, struct profile **ret,
                         struct err *e);

/* Called for each part; ${part} is borrowed. What is not 0 ends the splitting and is returned. */
typedef int (*reshape_part)(void *ctx, struct profile *part);

/**
 * reshape_split(src, max_samples, max_bytes, part, ctx, e): parts that each have at most
 * ${max_samples} samples and encode to at most ${max_bytes}; their sums are the source's. One part
 * when it fits. -EFBIG: a single sample does not fit.
 */
int reshape_split(const struct profile *src, size_t max_samples, size_t max_bytes,
                  reshape_part part, void *ctx, struct err *e);

#endif
