/*
 * source.h: struct target (sampler/symbols/target.h) over the guard: memory by ask_guard_read,
 * files by ask_guard_file. Bound to one target generation; another one answers -ESTALE.
 */
#ifndef SAMPLER_SOURCE_H
#define SAMPLER_SOURCE_H

#include "sampler/symbols/target.h"
#include "wire/ask_guard.h"

struct source {
    struct ask_guard *guard;
    uint32_t generation;
    struct target target; /* what the readers get */
};

/** source_init(s, guard, generation): ${s} must not move afterwards. */
void source_init(struct source *s, struct ask_guard *guard, uint32_t generation);

#endif
