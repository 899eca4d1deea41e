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

/* Limits of every profile, built or read. What would pass one is refused, never cut in silence. */
enum {
    PROFILE_TYPES_MAX = 16,           /* sample types */
    PROFILE_DEPTH_MAX = 1024,         /* locations of one sample */
    PROFILE_LINES_MAX = 256,          /* inlined lines of one location */
    PROFILE_LABELS_MAX = 64,          /* labels of one sample */
    PROFILE_STRING_MAX_BYTES = 65536, /* longer ones are cut at a character's border */
    PROFILE_SAMPLES_MAX = 4 * 1024 * 1024,
    PROFILE_STRINGS_MAX = 4 * 1024 * 1024,
    PROFILE_MAPPINGS_MAX = 65536,
    PROFILE_FUNCTIONS_MAX = 2 * 1024 * 1024,
    PROFILE_LOCATIONS_MAX = 4 * 1024 * 1024,
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
    const char *key; /* not empty */
    const char *str; /* NULL: a number. The format cannot tell an empty text from the number 0 */
    int64_t num;
    const char *unit; /* of num; may be NULL */
};

/** profile_new(): empty, or NULL without memory. */
struct profile *profile_new(void);
void profile_free(struct profile *p); /* NULL-safe */

/*
 * Shape: before the first sample. 0; -EINVAL (empty name, or samples are there already), -E2BIG (a
 * bound above), -ENOMEM. NULL is taken as "".
 */
int profile_add_type(struct profile *p, const char *type, const char *unit);
int profile_set_period(struct profile *p, const char *type, const char *unit, int64_t period);
int profile_set_default_type(struct profile *p, const char *type);
void profile_set_time(struct profile *p, int64_t time_ns, int64_t duration_ns);
/** profile_add_comment(p, text): at any time; the same text is kept once. */
int profile_add_comment(struct profile *p, const char *text);

/*
 * Parts: each returns its id (from 1), the same for the same content; 0 when a bound is reached,
 * memory is short or an id in it is not of this profile (then profile_failed()). Ids stay valid as
 * long as the profile. The has_* flags of a mapping are no part of its content: see
 * profile_settle(). Readers take mapping 1 for the main program (its file name and build id head
 * their output): add that one first.
 */
uint64_t profile_mapping(struct profile *p, const struct profile_mapping *m);
/* system_name NULL: as name. start_line 0: unknown. */
uint64_t profile_function(struct profile *p, const char *name, const char *system_name,
                          const char *filename, int64_t start_line);
/* lines[0] = innermost inlined. mapping 0: none. */
uint64_t profile_location(struct profile *p, uint64_t mapping, uint64_t address,
                          const struct profile_line *lines, size_t n);

/**
 * profile_sample(p, locations, depth, values, labels, nlabels): add to the sample with this stack
 * (leaf first) and these labels (in any order); ${values} has one per sample type. 0; -EINVAL (no
 * sample types yet, an unknown location, a label without key), -E2BIG, -ENOMEM, -EOVERFLOW (a sum
 * would not fit; nothing is added).
 */
int profile_sample(struct profile *p, const uint64_t *locations, size_t depth,
                   const int64_t *values, const struct profile_label *labels, size_t nlabels);

/** profile_failed(p): some part could not be added (bounds, memory): do not serve it as whole. */
bool profile_failed(const struct profile *p);

/**
 * profile_settle(p): set each mapping's has_* flags to what all its locations carry (has_functions
 * only when every location has lines; has_inline_frames when one of them then shows an inlined
 * function; has_line_numbers without has_functions: some have lines, see validate.c), drop mappings
 * without locations, except for the first, from what is encoded. Called by encode; ids given out
 * stay valid.
 */
void profile_settle(struct profile *p);

size_t profile_samples(const struct profile *p); /* distinct stacks with labels */
size_t profile_types(const struct profile *p);
/** profile_type_name/unit: NULL when i is out of range. */
const char *profile_type_name(const struct profile *p, size_t i);
const char *profile_type_unit(const struct profile *p, size_t i);
int64_t profile_total(const struct profile *p, size_t type); /* sum over all samples, clamped */
int64_t profile_time_ns(const struct profile *p);
int64_t profile_duration_ns(const struct profile *p);
int64_t profile_period(const struct profile *p);
const char *profile_period_type(const struct profile *p); /* "" when not set, as the next two */
const char *profile_period_unit(const struct profile *p);
const char *profile_default_type(const struct profile *p);
size_t profile_comments(const struct profile *p);
const char *profile_comment(const struct profile *p, size_t i); /* NULL: out of range */

/*
 * Walking: what is in it, for the text forms and for tests. Pointers are valid until the profile
 * changes. Samples count from 0, ids of parts from 1; false when there is no such one.
 */
struct profile_sample_view {
    const uint32_t *locations; /* ids, leaf first */
    size_t depth;
    const int64_t *values; /* one per sample type */
    size_t labels;         /* for profile_get_label() */
};

struct profile_location_view {
    uint64_t mapping, address;
    size_t lines; /* for profile_get_line() */
    bool folded;  /* is_folded: this address stands for several of the linker's identical ones */
};

struct profile_line_view {
    uint64_t function; /* id */
    const char *name, *system_name, *filename;
    int64_t start_line, line, column;
};

size_t profile_locations(const struct profile *p);
size_t profile_functions(const struct profile *p);
size_t profile_mappings(const struct profile *p);
bool profile_get_sample(const struct profile *p, size_t i, struct profile_sample_view *ret);
/** profile_get_label(p, i, j, ret): label ${j} of sample ${i}; sorted by key, then by value. */
bool profile_get_label(const struct profile *p, size_t i, size_t j, struct profile_label *ret);
bool profile_get_location(const struct profile *p, uint64_t id, struct profile_location_view *ret);
/** profile_get_line(p, id, j, ret): line ${j} of location ${id}, 0 = innermost inlined. */
bool profile_get_line(const struct profile *p, uint64_t id, size_t j,
                      struct profile_line_view *ret);
/** profile_get_mapping(p, id, ret): with the flags as given, or as settled. */
bool profile_get_mapping(const struct profile *p, uint64_t id, struct profile_mapping *ret);

/**
 * profile_encode(p, out): append protobuf (not compressed). 0, -E2BIG (PROFILE_MAX_BYTES), -ENOMEM
 * (no memory, or more than ${out} may hold; ${out} has failed then).
 */
int profile_encode(struct profile *p, struct buf *out);

/*
 * Streaming: a profile whose samples are all different is encoded as they come, and no sample is
 * ever held. Begin after the types, then each sample, whose parts come first as always, then the
 * end, which writes the parts and what was set meanwhile. Results as profile_sample() and
 * profile_encode(); ${p} has no samples of its own, before or afterwards.
 */
int profile_stream_begin(struct profile *p, struct buf *out);
/* NOLINTNEXTLINE(readability-function-size): profile_sample() and where to */
int profile_stream_sample(struct profile *p, const uint64_t *locations, size_t depth,
                          const int64_t *values, const struct profile_label *labels, size_t nlabels,
                          struct buf *out);
int profile_stream_end(struct profile *p, struct buf *out);

/**
 * profile_decode(data, bytes, ret, e): read protobuf, uncompressed; everything is checked:
 * references, counts, bounds. Unknown fields are skipped. -EBADMSG, -E2BIG (a bound above),
 * -ENOMEM, with the reason in ${e}.
 */
int profile_decode(const void *data, size_t bytes, struct profile **ret, struct err *e);

/**
 * profile_merge(dst, src, e): add src's samples (same types and period type needed; a ${dst}
 * without types takes over src's). Durations add, time = the earlier one, period = the larger one,
 * comments of both as far as they fit. The same file at another address (same build id, size and
 * offset) is one mapping. -EINVAL (they differ in types), -E2BIG, -EOVERFLOW, -ENOMEM: after the
 * last three
 * ${dst} holds a part of src and profile_failed().
 */
int profile_merge(struct profile *dst, const struct profile *src, struct err *e);

/**
 * profile_diff(before, after, ret, e): what came in between, over all sample types, as Go's
 * `?seconds=N` gives it (net/http/pprof: Merge of -before and after): values may be negative,
 * samples without any difference are left out with all that only they used. Time is ${after}'s,
 * the duration what lies between both. Errors as profile_merge(), and -EINVAL when ${after} is the
 * older one.
 */
int profile_diff(const struct profile *before, const struct profile *after, struct profile **ret,
                 struct err *e);

/**
 * profile_validate(p, e): what every known reader demands (facts/pprof.md, section 2): 0, or
 * -EINVAL with the reason. References, ids and UTF-8 cannot be wrong in a struct profile.
 */
int profile_validate(const struct profile *p, struct err *e);

#endif
