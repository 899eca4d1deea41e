/*
 * runtime_serve.h: the front's questions about the Go runtime: goroutines, heap and the like, and
 * the counters. Long readings look at the links between batches: a client that leaves ends them at
 * once, recordings that run are drained meanwhile, other questions wait their turn.
 */
#ifndef SAMPLER_RUNTIME_SERVE_H
#define SAMPLER_RUNTIME_SERVE_H

#include "sampler/sampler.h"

enum {
    RUNTIME_READ_MAX_MS = 30000,
    RUNTIME_DRAIN_MS = 20, /* recordings are drained so often during a reading */
};

#define RUNTIME_READ_MAX_BYTES (UINT64_C(8) << 30) /* of target memory, for one profile */

/** runtime_serve_profile(s), runtime_serve_stats(s): answer s->question. 0 or -errno of the link.
 */
int runtime_serve_profile(struct sampler *s);
int runtime_serve_stats(struct sampler *s);

#endif
