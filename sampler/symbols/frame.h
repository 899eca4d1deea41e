/*
 * frame.h: what an address means: one frame per inlined function, innermost first.
 */
#ifndef SAMPLER_SYMBOLS_FRAME_H
#define SAMPLER_SYMBOLS_FRAME_H

#include <stdint.h>

enum {
    FRAME_NAME_BYTES = 1024, /* longer names are cut */
    FRAME_FILE_BYTES = 1024,
    FRAME_INLINE_MAX = 64,
};

struct frame {
    char name[FRAME_NAME_BYTES];
    char file[FRAME_FILE_BYTES]; /* "" when unknown */
    int64_t line;                /* 0: unknown */
    int64_t start_line;          /* 0: unknown */
};

struct frames {
    uint32_t count; /* 0: nothing known */
    struct frame frame[FRAME_INLINE_MAX];
};

#endif
