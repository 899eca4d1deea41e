/*
 * stats.h: the runtime's own counters, in a few microseconds and without a stop. Read twice; a set
 * counts only when the GC number is the same in both.
 */
#ifndef SAMPLER_GO_STATS_H
#define SAMPLER_GO_STATS_H

#include "sampler/go/runtime.h"
#include "wire/stats_names.h"

/* The table itself is wire/stats_names.h: the sidecar names the same values by it. */
#define GO_STATS(X) WIRE_STATS(X)

enum go_stats_number {
#define X(field, name, kind, help) GO_STATS_##field,
    GO_STATS(X)
#undef X
        GO_STATS_COUNT,
};

enum {
    GO_STATS_PAUSES = 256, /* mstats.pause_ns and pause_end, rings */
};

#define GO_STATS_BIT(field) (UINT64_C(1) << GO_STATS_##field)

struct go_stats {
    uint64_t has; /* bit per field, in the order of the table */
#define X(field, name, kind, help) uint64_t field;
    GO_STATS(X)
#undef X
    /* What only texts show, as runtime.MemStats has it. */
    bool has_pauses;
    uint64_t pause_ns[GO_STATS_PAUSES], pause_end_ns[GO_STATS_PAUSES];
    double gc_cpu_fraction;
};

/** go_stats_read(rt, ret, e): -ENOTSUP (an uncertain version), -EAGAIN (it would not hold still).
 */
int go_stats_read(struct go_runtime *rt, struct go_stats *ret, struct err *e);

#endif
