/*
 * reshape.h: the same profile in the form that a backend takes: other type names, fewer types, less
 * depth, other labels, parts below a size. Each makes a new profile, the caller's, and leaves the
 * source alone. Samples that have become equal are one.
 */
#ifndef PROFILE_RESHAPE_H
#define PROFILE_RESHAPE_H

#include "profile/profile.h"

enum {
    RESHAPE_DEPTH_MIN = 3, /* a leaf, the mark, a root */
};

/* One sample type of the result. */
struct reshape_type {
    size_t from;      /* index in the source */
    const char *type; /* NULL: as it is */
    const char *unit;
};

/*
 * What becomes of one label (valid during the call only): it may be changed in place, its new texts
 * must live until the next call; false: it is dropped. Samples ask in their order, each for its
 * labels in a row.
 */
typedef bool (*reshape_label)(void *ctx, size_t sample, struct profile_label *label);
/* After a sample's last label: label ${i} (0, 1, …) of what is to be added; false: no more of them.
 * Asked only beside a reshape_label. */
typedef bool (*reshape_more)(void *ctx, size_t sample, size_t i, struct profile_label *label);

/* All in one pass. Zeros: nothing changes. */
struct reshape_want {
    const struct reshape_type *types; /* NULL: all as they are */
    size_t types_count;
    size_t max_depth;   /* 0: no bound */
    bool drop_negative; /* samples with any value below zero */
    bool drop_zero;     /* samples whose values are all zero */
    reshape_label label;
    reshape_more more;
    void *ctx;
};

/** reshape(src, want, ret, e): -EINVAL: no such type, depth too small; -E2BIG, -ENOMEM. */
int reshape(const struct profile *src, const struct reshape_want *want, struct profile **ret,
            struct err *e);

/**
 * reshape_types(src, types, n, ret, e): only these types, in this order; samples whose values are
 * all zero then are left out. Period, time, duration and comments stay. -EINVAL: no such type.
 */
int reshape_types(const struct profile *src, const struct reshape_type *types, size_t n,
                  struct profile **ret, struct err *e);

/**
 * reshape_depth(src, max_depth, ret, e): deeper stacks keep their leaf's and their root's halves
 * with one frame "[N frames cut]" between them, since backends that cut themselves lose the leaf
 * (Pyroscope) or the root. ${max_depth} >= RESHAPE_DEPTH_MIN. Frames are locations here.
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
 * when it fits, also of a profile without samples. -EFBIG: a single sample does not fit.
 */
int reshape_split(const struct profile *src, size_t max_samples, size_t max_bytes,
                  reshape_part part, void *ctx, struct err *e);

#endif
