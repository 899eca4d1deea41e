/*
 * build.h: from stacks of addresses to a pprof profile. Each distinct address is looked up once.
 */
#ifndef SAMPLER_BUILD_H
#define SAMPLER_BUILD_H

#include "sampler/recording.h"

enum {
    BUILD_UNSAMPLED_FRACTION = 10,     /* a tenth of the CPU time counted … */
    BUILD_UNSAMPLED_MIN_NS = 50000000, /* … and at least this much is worth a stack of its own */
    /* For all look-ups of a profile; the rest stays addresses, and that is said. Whoever waits for
     * a profile of N seconds should have it before N + 10. */
    BUILD_SYMBOLS_MAX_MS = 6000,
    BUILD_ADDRESSES_MAX = 512 * 1024, /* distinct ones of a profile */
};

struct build_facts {
    const struct recording *recording;
    const struct session_counts *counts;
};

/** build_profile(facts, ret_fd, e): a bulk with protobuf, not compressed. 0 or -errno. */
int build_profile(const struct build_facts *facts, int *ret_fd, struct err *e);

#endif
