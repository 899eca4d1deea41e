/*
 * glance.h: what has to be known of an encoded profile before it may go out as it is. One look over
 * the protobuf, nothing is decoded, copied or allocated: most profiles need no change, and then
 * this is all they cost.
 */
#ifndef PROFILE_GLANCE_H
#define PROFILE_GLANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct glance {
    size_t samples, depth; /* of the deepest stack */
    bool negative;         /* some value is below zero */
    bool texts;            /* some label is a text */
    bool traces;           /* some label is one of profile/correlate.h, or there are too many keys
                              to tell */
    bool dashed;           /* a sample type has a '-' in its name */
    int64_t time_ns, duration_ns;
};

/** glance(raw, bytes, ret): 0, or -EBADMSG: these are not protobuf's fields. */
int glance(const void *raw, size_t bytes, struct glance *ret);

#endif
