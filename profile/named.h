/*
 * named.h: the frames of each location as a person reads them, for the text forms. A location with
 * lines has one frame a line; one without has a single frame: its file and the offset in it
 * ("libc.so.6+0x28150"), or the bare address. Equal frames have the same number.
 */
#ifndef PROFILE_NAMED_H
#define PROFILE_NAMED_H

#include <stddef.h>
#include <stdint.h>

#include "base/intern.h"
#include "profile/profile.h"

/* One frame; the record's bytes are what tells frames apart, so it has no padding. */
struct named_frame {
    uint32_t name;      /* for named_text() */
    uint32_t file;      /* for named_text(); "" when unknown */
    int64_t start_line; /* of the function; 0: unknown */
};

struct named {
    struct intern texts;
    struct intern frames;
    uint32_t *numbers; /* frames of all locations, one location after the other */
    uint32_t *first;   /* by location id - 1: where its frames start; one more at the end */
    size_t locations;
};

/** named_init(n, p): 0, -E2BIG, -ENOMEM. ${p} may change or go afterwards. */
int named_init(struct named *n, const struct profile *p);
void named_release(struct named *n);

/** named_of(n, location, ret_count): frame numbers of a location (id), innermost first. */
const uint32_t *named_of(const struct named *n, uint32_t location, size_t *ret_count);

/** named_frame(n, number): the frame, valid until release. */
const struct named_frame *named_frame(const struct named *n, uint32_t number);

/** named_text(n, number): a name or file; NUL-terminated, valid UTF-8. */
const char *named_text(const struct named *n, uint32_t number);

#endif
