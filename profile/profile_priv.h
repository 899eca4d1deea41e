/*
 * profile_priv.h: how a profile is held, for the files of this folder.
 *
 * Everything is a number in one of seven intern tables; a sample is two numbers (stack, label set)
 * and its values in one array: no malloc for a sample, and a stack that comes again costs nothing.
 * The records are interned as bytes, so they have no padding and their spare fields are zero. Table
 * numbers count from 0; ids, as the format and the callers know them, are that plus 1 (strings: the
 * number itself, as string_table wants "" at 0).
 */
#ifndef PROFILE_PROFILE_PRIV_H
#define PROFILE_PROFILE_PRIV_H

#include "base/intern.h"
#include "profile/profile.h"

/* One mapping of the target: its addresses and the file behind them (string numbers). */
struct profile_mapping_rec {
    uint64_t start, limit, offset;
    uint32_t filename, build_id;
};

/* One function; names and file are string numbers, 0 is "" and means unknown. */
struct profile_function_rec {
    uint32_t name, system_name, filename;
    uint32_t zero;
    int64_t start_line;
};

/* One inlined call, or the outermost one. */
struct profile_line_rec {
    int64_t line, column;
    uint32_t function; /* id */
    uint32_t zero;
};

/* A location is this head and, at once after it, its lines. */
struct profile_location_rec {
    uint64_t address;
    uint32_t mapping; /* id, 0: none */
    uint32_t folded;  /* 0 or 1 */
};

struct profile_label_rec {
    uint32_t key, str, unit; /* str != 0: a text, then num and unit are 0 */
    uint32_t zero;
    int64_t num;
};

struct profile_sample_rec {
    uint32_t stack, labels; /* numbers in the tables stacks and labelsets */
};

/* What is said of a mapping beside its content. */
struct profile_mark {
    bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
    bool some_lines; /* a location has a line number (set by settle) */
    uint32_t out_id; /* its id in the encoded form, 0: it is left out (set by settle) */
};

/* A sample type or the period type: two string numbers, "cpu" and "nanoseconds". */
struct profile_type {
    uint32_t type, unit;
};

struct profile {
    struct intern strings; /* with their NUL */
    struct intern mappings;
    struct intern functions;
    struct intern locations;
    struct intern stacks;    /* uint32_t location ids, leaf first */
    struct intern labelsets; /* struct profile_label_rec, sorted */
    struct intern samples;
    struct profile_mark *marks; /* one a mapping */
    size_t marks_cap;
    int64_t *values;   /* ntypes for each sample */
    size_t values_cap; /* samples there is room for */
    struct profile_type types[PROFILE_TYPES_MAX];
    size_t ntypes;
    struct profile_type period_type;
    int64_t period, time_ns, duration_ns;
    uint32_t default_type, drop_frames, keep_frames, doc_url;
    uint32_t comments[PROFILE_COMMENTS_MAX];
    size_t ncomments;
    struct buf scratch; /* a string on its way in */
    bool failed;
};

/** profile_text(p, number): the string. */
const char *profile_text(const struct profile *p, uint32_t number);

/**
 * profile_put_string(p, s, bytes, ret): its number; invalid UTF-8 and NUL become U+FFFD, too long
 * is cut. 0, -E2BIG, -ENOMEM (and failed).
 */
int profile_put_string(struct profile *p, const void *s, size_t bytes, uint32_t *ret);

/*
 * As their public counterparts, from records that are known to be right: the id, or 0 (and failed).
 */
uint32_t profile_put_mapping(struct profile *p, const struct profile_mapping_rec *rec,
                             const struct profile_mark *mark);
uint32_t profile_put_function(struct profile *p, const struct profile_function_rec *rec);
/* ${n} at most PROFILE_LINES_MAX. */
uint32_t profile_put_location(struct profile *p, const struct profile_location_rec *rec,
                              const struct profile_line_rec *lines, size_t n);

/**
 * profile_take_labels(p, labels, n, ret): records of ${n} <= PROFILE_LABELS_MAX labels, sorted. 0,
 * -EINVAL (no key), -E2BIG, -ENOMEM.
 */
int profile_take_labels(struct profile *p, const struct profile_label *labels, size_t n,
                        struct profile_label_rec *ret);

/**
 * profile_put_sample(p, stack, depth, values, labels, nlabels): ${stack} holds location ids that
 * exist, within the bounds; ${labels} is sorted here. 0, -E2BIG, -ENOMEM, -EOVERFLOW.
 */
int profile_put_sample(struct profile *p, const uint32_t *stack, size_t depth,
                       const int64_t *values, struct profile_label_rec *labels, size_t nlabels);

/** profile_put_comment(p, text): as profile_add_comment, by string number. */
int profile_put_comment(struct profile *p, uint32_t text);

/**
 * profile_merge_times(dst, src, factor, e): profile_merge() with each of the source's values times
 * ${factor}; not a profile with itself.
 */
int profile_merge_times(struct profile *dst, const struct profile *src, int64_t factor,
                        struct err *e);

/* Records by id (from 1, must exist) or number. */
const struct profile_mapping_rec *profile_mapping_rec(const struct profile *p, uint64_t id);
const struct profile_function_rec *profile_function_rec(const struct profile *p, uint64_t id);
const struct profile_location_rec *profile_location_rec(const struct profile *p, uint64_t id,
                                                        const struct profile_line_rec **ret_lines,
                                                        size_t *ret_n);
const struct profile_label_rec *profile_sample_labels(const struct profile *p, size_t sample,
                                                      size_t *ret_n);

#endif
