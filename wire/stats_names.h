/*
 * stats_names.h: the counters of a Go runtime that ANS_STATS carries, in their order: one table for
 * the sampler that reads them and the sidecar that names them. A row's number is its place in
 * struct wire_stats.value and its bit in wire_stats.has; both programs are always of one build
 * (wire.h).
 *
 * X(field, name, kind, help): the name is what client_golang exports it as (but for
 * go_gc_last_pause_seconds, which it has not); GAUGE, COUNTER, or SUMMARY: samples of one family,
 * one behind the other, the help with the first. A
 * field that ends in _ns is in nanoseconds and exported in seconds, as Prometheus wants it.
 */
#ifndef WIRE_STATS_NAMES_H
#define WIRE_STATS_NAMES_H

#define WIRE_STATS(X)                                                                              \
    X(goroutines, "go_goroutines", GAUGE, "Goroutines, without those of the runtime.")             \
    X(threads, "go_threads", GAUGE, "Threads created.")                                            \
    X(gomaxprocs, "go_sched_gomaxprocs_threads", GAUGE, "GOMAXPROCS.")                             \
    X(alloc_bytes, "go_memstats_alloc_bytes", GAUGE, "Heap in use by objects.")                    \
    X(heap_alloc_bytes, "go_memstats_heap_alloc_bytes", GAUGE, "Heap in use by objects.")          \
    X(heap_inuse_bytes, "go_memstats_heap_inuse_bytes", GAUGE, "Heap in spans that are in use.")   \
    X(heap_idle_bytes, "go_memstats_heap_idle_bytes", GAUGE, "Heap that waits to be used.")        \
    X(heap_released_bytes, "go_memstats_heap_released_bytes", GAUGE, "Heap given back.")           \
    X(stack_inuse_bytes, "go_memstats_stack_inuse_bytes", GAUGE, "Goroutine stacks.")              \
    X(next_gc_bytes, "go_memstats_next_gc_bytes", GAUGE, "Heap size of the next collection.")      \
    X(alloc_bytes_total, "go_memstats_alloc_bytes_total", COUNTER, "Bytes allocated so far.")      \
    X(gc_count, "go_gc_cycles_total_gc_cycles_total", COUNTER, "Collections so far.")              \
    X(gc_pause_0_ns, "go_gc_duration_seconds{quantile=\"0\"}", SUMMARY,                            \
      "Time stopped by a collection.")                                                             \
    X(gc_pause_25_ns, "go_gc_duration_seconds{quantile=\"0.25\"}", SUMMARY, "")                    \
    X(gc_pause_50_ns, "go_gc_duration_seconds{quantile=\"0.5\"}", SUMMARY, "")                     \
    X(gc_pause_75_ns, "go_gc_duration_seconds{quantile=\"0.75\"}", SUMMARY, "")                    \
    X(gc_pause_100_ns, "go_gc_duration_seconds{quantile=\"1\"}", SUMMARY, "")                      \
    X(gc_pause_total_ns, "go_gc_duration_seconds_sum", SUMMARY, "")                                \
    X(gc_pause_count, "go_gc_duration_seconds_count", SUMMARY, "")                                 \
    X(gc_last_pause_ns, "go_gc_last_pause_seconds", GAUGE, "Time stopped by the last collection.") \
    X(last_gc_unix_ns, "go_memstats_last_gc_time_seconds", GAUGE, "When the last one ended.")      \
    X(memory_limit_bytes, "go_gc_gomemlimit_bytes", GAUGE, "GOMEMLIMIT.")                          \
    X(gogc_percent, "go_gc_gogc_percent", GAUGE, "GOGC; off is 2^64 - 1, as in runtime/metrics.")  \
    X(gc_forced_count, "go_gc_cycles_forced_gc_cycles_total", COUNTER, "Collections asked for.")   \
    X(sys_bytes, "go_memstats_sys_bytes", GAUGE, "Memory from the system.")                        \
    X(heap_sys_bytes, "go_memstats_heap_sys_bytes", GAUGE, "Of it, for the heap.")                 \
    X(stack_sys_bytes, "go_memstats_stack_sys_bytes", GAUGE, "Of it, for stacks.")                 \
    X(mspan_sys_bytes, "go_memstats_mspan_sys_bytes", GAUGE, "Of it, for spans.")                  \
    X(mcache_sys_bytes, "go_memstats_mcache_sys_bytes", GAUGE, "Of it, for caches of threads.")    \
    X(buck_hash_sys_bytes, "go_memstats_buck_hash_sys_bytes", GAUGE, "Of it, for profiles.")       \
    X(gc_sys_bytes, "go_memstats_gc_sys_bytes", GAUGE, "Of it, for the collector.")                \
    X(other_sys_bytes, "go_memstats_other_sys_bytes", GAUGE, "Of it, for other things.")           \
    X(mallocs_total, "go_memstats_mallocs_total", COUNTER, "Objects allocated so far.")            \
    X(frees_total, "go_memstats_frees_total", COUNTER, "Objects freed so far.")                    \
    X(heap_objects, "go_memstats_heap_objects", GAUGE, "Objects in the heap.")

#endif
