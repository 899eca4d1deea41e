/*
 * text.h: a profile as text: folded stacks, speedscope's JSON, a table of the heaviest functions.
 *
 * All append to ${out} and show one sample type (0 is the first). They return 0; -EINVAL (no such
 * type); -E2BIG (a stack's text, or all together, is too long); -ENOMEM (no memory, or more than
 * ${out} may hold). The same profile gives the same text.
 */
#ifndef PROFILE_TEXT_H
#define PROFILE_TEXT_H

#include "profile/profile.h"

enum {
    TEXT_STACK_MAX_BYTES = 4 * 1024 * 1024, /* one folded stack */
    TEXT_WORK_MAX_FRAMES = 1 << 30,         /* frames looked at for one text */
};

/**
 * text_folded(p, type, out): "root;caller;leaf VALUE\n" for each stack, sorted by stack in byte
 * order; the format of flamegraph.pl. In names ';' becomes ':', spaces and control bytes '_'. Equal
 * stacks are summed (labels do not show); those whose sum is 0 are left out.
 */
int text_folded(const struct profile *p, size_t type, struct buf *out);

/**
 * text_speedscope(p, type, name, out): https://www.speedscope.app/file-format-schema.json, one
 * "sampled" profile; ${name} is shown as its title. Samples with a value of 0 or less are left out
 * (weights must be positive).
 */
int text_speedscope(const struct profile *p, size_t type, const char *name, struct buf *out);

/**
 * text_top(p, type, rows, out): flat and cumulative values by function, as `go tool pprof -top`
 * shows them: heaviest flat first, then cumulative, then by name. ${rows} 0: all.
 */
int text_top(const struct profile *p, size_t type, size_t rows, struct buf *out);

#endif
