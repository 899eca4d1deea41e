/*
 * stats_names.h: the counters of a Go runtime that ANS_STATS carries, in their order: one table for
 * the sampler that reads them and the sidecar that names them. A row's number is its place in
 * struct wire_stats.value and its bit in wire_stats.has, so a new row goes to the end; both
 * programs are always of one build (wire.h).
 *
 * X(field, name, kind, help): the name is what client_golang exports it as; GAUGE or COUNTER. A
 * field that ends in _ns is in nanoseconds and exported in seconds, as Prometheus wants it.
 */
#ifndef WIRE_STATS_NAMES_H
#define WIRE_STATS_NAMES_H

#define WIRE_STATS(X)                                                                              \
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
    X(memory_limit_bytes, "go_gc_gomemlimit_bytes", GAUGE, "GOMEMLIMIT.")                          \
    X(gc_forced_count, "go_gc_cycles_forced_gc_cycles_total", COUNTER, "Collections asked for.")   \
    X(sys_bytes, "go_memstats_sys_bytes", GAUGE, "Memory from the system.")                        \
    X(heap_sys_bytes, "go_memstats_heap_sys_bytes", GAUGE, "Of it, for the heap.")                 \
    X(stack_sys_bytes, "go_memstats_stack_sys_bytes", GAUGE, "Of it, for stacks.")                 \
    X(buck_hash_sys_bytes, "go_memstats_buck_hash_sys_bytes", GAUGE, "Of it, for profiles.")       \
    X(gc_sys_bytes, "go_memstats_gc_sys_bytes", GAUGE, "Of it, for the collector.")                \
    X(other_sys_bytes, "go_memstats_other_sys_bytes", GAUGE, "Of it, for other things.")           \
    X(mallocs_total, "go_memstats_mallocs_total", COUNTER, "Objects allocated so far.")            \
    X(frees_total, "go_memstats_frees_total", COUNTER, "Objects freed so far.")                    \
    X(heap_objects, "go_memstats_heap_objects", GAUGE, "Objects in the heap.")

#endif
