/*
 * stats.h: the runtime's own counters, in a few microseconds and without a stop. Read twice; a set
 * counts only when the GC number is the same in both.
 */
#ifndef SAMPLER_GO_STATS_H
#define SAMPLER_GO_STATS_H

#include "sampler/go/runtime.h"

/* X(field, name as client_golang exports it, kind, help); not found: absent (has bit unset). */
#define GO_STATS(X)                                                                                \
    X(goroutines, "go_goroutines", GAUGE, "Goroutines, without those of the runtime.")             \
    X(threads, "go_threads", GAUGE, "Threads created.")                                            \
    X(gomaxprocs, "go_sched_gomaxprocs_threads", GAUGE, "GOMAXPROCS.")                             \
    X(heap_alloc_bytes, "go_memstats_heap_alloc_bytes", GAUGE, "Heap in use by objects.")          \
    X(heap_inuse_bytes, "go_memstats_heap_inuse_bytes", GAUGE, "Heap in spans that are in use.")   \
    X(heap_idle_bytes, "go_memstats_heap_idle_bytes", GAUGE, "Heap that waits to be used.")        \
    X(heap_released_bytes, "go_memstats_heap_released_bytes", GAUGE, "Heap given back.")           \
    X(stack_inuse_bytes, "go_memstats_stack_inuse_bytes", GAUGE, "Goroutine stacks.")              \
    X(next_gc_bytes, "go_memstats_next_gc_bytes", GAUGE, "Heap size of the next collection.")      \
    X(alloc_bytes_total, "go_memstats_alloc_bytes_total", COUNTER, "Bytes allocated so far.")      \
    X(gc_count, "go_gc_cycles_total_gc_cycles_total", COUNTER, "Collections so far.")              \
    X(gc_pause_total_ns, "go_gc_pause_seconds_total", COUNTER, "Time stopped by collections.")     \
    X(gc_last_pause_ns, "go_gc_last_pause_seconds", GAUGE, "Time stopped by the last collection.") \
    X(last_gc_unix_ns, "go_memstats_last_gc_time_seconds", GAUGE, "When the last one ended.")      \
    X(memory_limit_bytes, "go_gc_gomemlimit_bytes", GAUGE, "GOMEMLIMIT.")

struct go_stats {
    uint64_t has; /* bit per field, in the order of the table */
#define X(field, name, kind, help) uint64_t field;
    GO_STATS(X)
#undef X
};

/** go_stats_read(rt, ret, e): -ENOTSUP (an uncertain version), -EAGAIN (it would not hold still).
 */
int go_stats_read(struct go_runtime *rt, struct go_stats *ret, struct err *e);

#endif
