/*
 * profile.h: a profile in memory, in the shape of pprof's profile.proto (profile/pprof.proto).
 *
 * Build it (samples with the same stack and labels are summed), merge, validate, encode, decode,
 * print. Strings, functions, locations and stacks are interned: the same input in the same order
 * gives the same bytes. Ids are dense from 1 in order of first use, as every reader wants them
 * (facts/pprof.md, section 2). Strings are made valid UTF-8 on the way in. The object owns copies
 * of all it is given. Nothing here knows where samples come from.
 */
#ifndef PROFILE_PROFILE_H
#define PROFILE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    PROFILE_TYPES_MAX = 16,          /* sample types */
    PROFILE_DEPTH_MAX = 1024,        /* locations of one sample */
    PROFILE_LINES_MAX = 256,         /* inlined lines of one location */
    PROFILE_LABELS_MAX = 64,         /* labels of one sample */
    PROFILE_STRING_MAX_BYTES = 65536, /* longer ones are cut at a character's border */
    PROFILE_SAMPLES_MAX = 4 * 1024 * 1024,
    PROFILE_MAX_BYTES = 256 * 1024 * 1024, /* encoded or held, all in all */
    PROFILE_COMMENTS_MAX = 64,
};

struct profile; /* opaque */

struct profile_mapping {
    uint64_t start, limit, offset;
    const char *filename; /* may be NULL; so may build_id (hex) */
    const char *build_id;
    bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct profile_line {
    uint64_t function; /* id from profile_function() */
    int64_t line;      /* 0: unknown */
};

struct profile_label {
    const char *key;
    const char *str; /* NULL: a number */
    int64_t num;
    const char *unit; /* of num; may be NULL */
};

/** profile_new(): empty, or NULL without memory. */
struct profile *profile_new(void);
void profile_free(struct profile *p); /* NULL-safe */

/* Shape: before the first sample. 0 or -errno. */
int profile_add_type(struct profile *p, const char *type, const char *unit);
int profile_set_period(struct profile *p, const char *type, const char *unit, int64_t period);
int profile_set_default_type(struct profile *p, const char *type);
void profile_set_time(struct profile *p, int64_t time_ns, int64_t duration_ns);
int profile_add_comment(struct profile *p, const char *text);

/*
 * Parts: each returns its id (from 1), the same for the same content; 0 when a bound is reached or
 * memory is short (then profile_failed()).
 */
uint64_t profile_mapping(struct profile *p, const struct profile_mapping *m);
uint64_t profile_function(struct profile *p, const char *name, const char *system_name,
                          const char *filename, int64_t start_line);
/* lines[0] = innermost inlined. mapping 0: none. */
uint64_t profile_location(struct profile *p, uint64_t mapping, uint64_t address,
                          const struct profile_line *lines, size_t n);

/**
 * profile_sample(p, locations, depth, values, labels, nlabels): add to the sample with this stack
 * (leaf first) and these labels; ${values} has one per sample type. 0, -EINVAL, -E2BIG, -ENOMEM.
 */
int profile_sample(struct profile *p, const uint64_t *locations, size_t depth,
                   const int64_t *values, const struct profile_label *labels, size_t nlabels);

/** profile_failed(p): some part could not be added (bounds, memory): do not serve it as whole. */
bool profile_failed(const struct profile *p);

/**
 * profile_settle(p): set each mapping's has_* flags to what all its locations carry (has_functions
 * only when every location has lines), drop mappings without locations. Called by encode.
 */
void profile_settle(struct profile *p);

size_t profile_samples(const struct profile *p); /* distinct stacks with labels */
size_t profile_types(const struct profile *p);
/** profile_type_name/unit: NULL when i is out of range. */
const char *profile_type_name(const struct profile *p, size_t i);
const char *profile_type_unit(const struct profile *p, size_t i);
int64_t profile_total(const struct profile *p, size_t type); /* sum over all samples */
int64_t profile_time_ns(const struct profile *p);
int64_t profile_duration_ns(const struct profile *p);

/** profile_encode(p, out): append protobuf (not compressed). 0 or -errno. */
int profile_encode(struct profile *p, struct buf *out);

/**
 * profile_decode(data, bytes, ret, e): read protobuf, uncompressed; everything is checked:
 * references, counts, bounds. -EBADMSG with the reason.
 */
int profile_decode(const void *data, size_t bytes, struct profile **ret, struct err *e);

/** profile_merge(dst, src, e): add src's samples (same types needed). Durations add, time = first. */
int profile_merge(struct profile *dst, const struct profile *src, struct err *e);

/** profile_validate(p, e): what every known reader demands (facts/pprof.md, section 2). */
int profile_validate(const struct profile *p, struct err *e);

#endif
