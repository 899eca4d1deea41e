/*
 * layout.h: where the fields of Go's runtime structures are, for each Go release that we know.
 *
 * The numbers are in layout_table.c, which tools/golayout/regen.sh makes from the DWARF of programs
 * built by each toolchain. The list below is the only list there is: the generator reads it from
 * this file, so a new field is one line here and one run of the script. amd64 and arm64 have the
 * same offsets in every field listed (the generator refuses to write a table where they differ).
 *
 * A version that is not in the table is not guessed: go_layout_find() says NULL.
 */
#ifndef SAMPLER_GO_LAYOUT_H
#define SAMPLER_GO_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* A field that this version does not have. */
#define GO_LAYOUT_NONE INT32_C(-1)

/*
 * X(name, type in DWARF, field): name becomes a member of struct go_layout, in bytes from the start
 * of the type. "a.b" goes into a nested struct, "a|b" is the first of them that exists, "" is the
 * size of the type. Sources: runtime/runtime2.go, mprof.go, mstats.go, mgcpacer.go, symtab.go,
 * runtime/pprof/label.go, internal/runtime/pprof/label.
 */
#define GO_LAYOUT_FIELDS(X)                                                                        \
    /* The goroutine: its stack's bounds, its saved registers (sched while it waits, syscallsp and \
     * syscallpc in a system call), who it is and where it came from. trackingSeq counts each time \
     * it leaves running, so a g that ran between two reads shows. */                              \
    X(g_size, "runtime.g", "")                                                                     \
    X(g_stack_lo, "runtime.g", "stack.lo")                                                         \
    X(g_stack_hi, "runtime.g", "stack.hi")                                                         \
    X(g_m, "runtime.g", "m")                                                                       \
    X(g_sched, "runtime.g", "sched")                                                               \
    X(g_syscallsp, "runtime.g", "syscallsp")                                                       \
    X(g_syscallpc, "runtime.g", "syscallpc")                                                       \
    X(g_syscallbp, "runtime.g", "syscallbp")                                                       \
    X(g_stktopsp, "runtime.g", "stktopsp")                                                         \
    X(g_atomicstatus, "runtime.g", "atomicstatus")                                                 \
    X(g_goid, "runtime.g", "goid")                                                                 \
    X(g_waitsince, "runtime.g", "waitsince")                                                       \
    X(g_waitreason, "runtime.g", "waitreason")                                                     \
    X(g_tracking_seq, "runtime.g", "trackingSeq")                                                  \
    X(g_lockedm, "runtime.g", "lockedm")                                                           \
    X(g_parent_goid, "runtime.g", "parentGoid")                                                    \
    X(g_gopc, "runtime.g", "gopc")                                                                 \
    X(g_startpc, "runtime.g", "startpc")                                                           \
    X(g_running_cleanups, "runtime.g", "runningCleanups")                                          \
    X(g_waiting, "runtime.g", "waiting")                                                           \
    X(g_labels, "runtime.g", "labels")                                                             \
    X(gobuf_sp, "runtime.gobuf", "sp")                                                             \
    X(gobuf_pc, "runtime.gobuf", "pc")                                                             \
    X(gobuf_lr, "runtime.gobuf", "lr")                                                             \
    X(gobuf_bp, "runtime.gobuf", "bp")                                                             \
    X(gobuf_size, "runtime.gobuf", "")                                                             \
    /* The thread (procid is its kernel tid), the processor P with the goroutine ids it has still  \
     * to give out (goidcache up to, not including, goidcacheend), and the scheduler, where the    \
     * last id that was handed out is goidgen. */                                                  \
    X(m_g0, "runtime.m", "g0")                                                                     \
    X(m_procid, "runtime.m", "procid")                                                             \
    X(m_gsignal, "runtime.m", "gsignal")                                                           \
    X(m_curg, "runtime.m", "curg")                                                                 \
    X(m_p, "runtime.m", "p")                                                                       \
    X(m_id, "runtime.m", "id")                                                                     \
    X(m_incgo, "runtime.m", "incgo")                                                               \
    X(m_isextra, "runtime.m", "isextra")                                                           \
    X(m_alllink, "runtime.m", "alllink")                                                           \
    X(m_lockedg, "runtime.m", "lockedg")                                                           \
    X(m_createstack, "runtime.m", "createstack")                                                   \
    X(m_vdso_sp, "runtime.m", "vdsoSP")                                                            \
    X(m_vdso_pc, "runtime.m", "vdsoPC")                                                            \
    X(p_id, "runtime.p", "id")                                                                     \
    X(p_status, "runtime.p", "status")                                                             \
    X(p_m, "runtime.p", "m")                                                                       \
    X(p_goidcache, "runtime.p", "goidcache")                                                       \
    X(p_goidcacheend, "runtime.p", "goidcacheend")                                                 \
    X(p_gfree_n, "runtime.p", "gFree.n|gFree.size")                                                \
    X(p_mcache, "runtime.p", "mcache")                                                             \
    X(sched_goidgen, "runtime.schedt", "goidgen")                                                  \
    X(sched_mnext, "runtime.schedt", "mnext")                                                      \
    X(sched_nmfreed, "runtime.schedt", "nmfreed")                                                  \
    X(sched_nmidle, "runtime.schedt", "nmidle")                                                    \
    X(sched_npidle, "runtime.schedt", "npidle")                                                    \
    X(sched_ngsys, "runtime.schedt", "ngsys")                                                      \
    X(sched_gfree_n, "runtime.schedt", "gFree.n")                                                  \
    X(sched_gfree_stack_size, "runtime.schedt", "gFree.stack.size")                                \
    X(sched_gfree_nostack_size, "runtime.schedt", "gFree.noStack.size")                            \
    X(sched_gcwaiting, "runtime.schedt", "gcwaiting")                                              \
    X(sched_size, "runtime.schedt", "")                                                            \
    /* What a goroutine waits for: its chain of sudogs, and the channels in them. */               \
    X(sudog_g, "runtime.sudog", "g")                                                               \
    X(sudog_elem, "runtime.sudog", "elem")                                                         \
    X(sudog_waitlink, "runtime.sudog", "waitlink")                                                 \
    X(sudog_c, "runtime.sudog", "c")                                                               \
    X(hchan_size, "runtime.hchan", "")                                                             \
    /* labels: a *labelMap; a struct around a slice since 1.24, a classic map before */            \
    X(labels_list, "runtime/pprof.labelMap", "LabelSet.list|Set.List")                             \
    X(label_size, "runtime/pprof.label|internal/runtime/pprof/label.Label", "")                    \
    X(label_key, "runtime/pprof.label|internal/runtime/pprof/label.Label", "key|Key")              \
    X(label_value, "runtime/pprof.label|internal/runtime/pprof/label.Label", "value|Value")        \
    X(hmap_count, "runtime.hmap", "count")                                                         \
    X(hmap_flags, "runtime.hmap", "flags")                                                         \
    X(hmap_b, "runtime.hmap", "B")                                                                 \
    X(hmap_buckets, "runtime.hmap", "buckets")                                                     \
    X(hmap_oldbuckets, "runtime.hmap", "oldbuckets")                                               \
    X(hmap_size, "runtime.hmap", "")                                                               \
    /* Heap, block and mutex records: a bucket, nstk return addresses, then the record of its typ. \
     * future has three cycles. */                                                                 \
    X(bucket_next, "runtime.bucket", "next")                                                       \
    X(bucket_allnext, "runtime.bucket", "allnext")                                                 \
    X(bucket_typ, "runtime.bucket", "typ")                                                         \
    X(bucket_hash, "runtime.bucket", "hash")                                                       \
    X(bucket_alloc_size, "runtime.bucket", "size")                                                 \
    X(bucket_nstk, "runtime.bucket", "nstk")                                                       \
    X(bucket_size, "runtime.bucket", "")                                                           \
    X(memrecord_active, "runtime.memRecord", "active")                                             \
    X(memrecord_future, "runtime.memRecord", "future")                                             \
    X(memrecord_size, "runtime.memRecord", "")                                                     \
    X(memcycle_allocs, "runtime.memRecordCycle", "allocs")                                         \
    X(memcycle_frees, "runtime.memRecordCycle", "frees")                                           \
    X(memcycle_alloc_bytes, "runtime.memRecordCycle", "alloc_bytes")                               \
    X(memcycle_free_bytes, "runtime.memRecordCycle", "free_bytes")                                 \
    X(memcycle_size, "runtime.memRecordCycle", "")                                                 \
    X(blockrecord_count, "runtime.blockRecord", "count")                                           \
    X(blockrecord_cycles, "runtime.blockRecord", "cycles")                                         \
    X(blockrecord_size, "runtime.blockRecord", "")                                                 \
    /* Memory statistics. Some moved from mstats to gcController in Go 1.19; heapStats has three   \
     * generations of deltas of which the runtime makes the sums. */                               \
    X(mstats_heap_sys, "runtime.mstats", "heap_sys")                                               \
    X(mstats_heap_inuse, "runtime.mstats", "heap_inuse")                                           \
    X(mstats_heap_released, "runtime.mstats", "heap_released")                                     \
    X(mstats_heap_stats, "runtime.mstats", "heapStats")                                            \
    X(mstats_stacks_sys, "runtime.mstats", "stacks_sys")                                           \
    X(mstats_mspan_sys, "runtime.mstats", "mspan_sys")                                             \
    X(mstats_mcache_sys, "runtime.mstats", "mcache_sys")                                           \
    X(mstats_buckhash_sys, "runtime.mstats", "buckhash_sys")                                       \
    X(mstats_gc_misc_sys, "runtime.mstats", "gcMiscSys")                                           \
    X(mstats_other_sys, "runtime.mstats", "other_sys")                                             \
    X(mstats_last_gc_unix, "runtime.mstats", "last_gc_unix")                                       \
    X(mstats_last_gc_nanotime, "runtime.mstats", "last_gc_nanotime")                               \
    X(mstats_pause_total_ns, "runtime.mstats", "pause_total_ns")                                   \
    X(mstats_pause_ns, "runtime.mstats", "pause_ns")                                               \
    X(mstats_pause_end, "runtime.mstats", "pause_end")                                             \
    X(mstats_numgc, "runtime.mstats", "numgc")                                                     \
    X(mstats_numforcedgc, "runtime.mstats", "numforcedgc")                                         \
    X(mstats_gc_cpu_fraction, "runtime.mstats", "gc_cpu_fraction")                                 \
    X(heapstats_stats, "runtime.consistentHeapStats", "stats")                                     \
    X(heapstats_gen, "runtime.consistentHeapStats", "gen")                                         \
    X(heapstats_size, "runtime.consistentHeapStats", "")                                           \
    X(heapdelta_committed, "runtime.heapStatsDelta", "committed")                                  \
    X(heapdelta_released, "runtime.heapStatsDelta", "released")                                    \
    X(heapdelta_in_heap, "runtime.heapStatsDelta", "inHeap")                                       \
    X(heapdelta_in_stacks, "runtime.heapStatsDelta", "inStacks")                                   \
    X(heapdelta_in_work_bufs, "runtime.heapStatsDelta", "inWorkBufs")                              \
    X(heapdelta_in_ptr_scalar_bits, "runtime.heapStatsDelta", "inPtrScalarBits")                   \
    X(heapdelta_tiny_alloc_count, "runtime.heapStatsDelta", "tinyAllocCount")                      \
    X(heapdelta_large_alloc, "runtime.heapStatsDelta", "largeAlloc")                               \
    X(heapdelta_large_alloc_count, "runtime.heapStatsDelta", "largeAllocCount")                    \
    X(heapdelta_small_alloc_count, "runtime.heapStatsDelta", "smallAllocCount")                    \
    X(heapdelta_large_free, "runtime.heapStatsDelta", "largeFree")                                 \
    X(heapdelta_large_free_count, "runtime.heapStatsDelta", "largeFreeCount")                      \
    X(heapdelta_small_free_count, "runtime.heapStatsDelta", "smallFreeCount")                      \
    X(heapdelta_size, "runtime.heapStatsDelta", "")                                                \
    X(gc_percent, "runtime.gcControllerState", "gcPercent")                                        \
    X(gc_memory_limit, "runtime.gcControllerState", "memoryLimit")                                 \
    X(gc_heap_goal, "runtime.gcControllerState", "heapGoal")                                       \
    X(gc_percent_heap_goal, "runtime.gcControllerState", "gcPercentHeapGoal")                      \
    X(gc_heap_live, "runtime.gcControllerState", "heapLive")                                       \
    X(gc_heap_marked, "runtime.gcControllerState", "heapMarked")                                   \
    X(gc_heap_in_use, "runtime.gcControllerState", "heapInUse")                                    \
    X(gc_heap_released, "runtime.gcControllerState", "heapReleased")                               \
    X(gc_heap_free, "runtime.gcControllerState", "heapFree")                                       \
    X(gc_total_alloc, "runtime.gcControllerState", "totalAlloc")                                   \
    X(gc_total_free, "runtime.gcControllerState", "totalFree")                                     \
    X(gc_mapped_ready, "runtime.gcControllerState", "mappedReady")                                 \
    X(gc_sweep_trigger, "runtime.gcControllerState", "sweepDistMinTrigger")                        \
    X(gc_triggered, "runtime.gcControllerState", "triggered")                                      \
    /* What each P has handed out and not yet accounted for: its cache of spans, by span class. */ \
    X(mcache_alloc, "runtime.mcache", "alloc")                                                     \
    X(mcache_tiny_allocs, "runtime.mcache", "tinyAllocs")                                          \
    X(mspan_nelems, "runtime.mspan", "nelems")                                                     \
    X(mspan_alloc_count, "runtime.mspan", "allocCount")                                            \
    X(mspan_count_before, "runtime.mspan", "allocCountBeforeCache")                                \
    X(mspan_elemsize, "runtime.mspan", "elemsize")                                                 \
    /* Two readings of both clocks make the ticks of a second; val is the answer, once it is       \
     * needed. */                                                                                  \
    X(ticks_start_ticks, "runtime.ticksType", "startTicks")                                        \
    X(ticks_start_time, "runtime.ticksType", "startTime")                                          \
    X(ticks_val, "runtime.ticksType", "val")                                                       \
    /* The tables of functions. moduledata is relocated, so it is read from memory; _func and the  \
     * inlining tree lie in the file as they are. */                                               \
    X(moduledata_pc_header, "runtime.moduledata", "pcHeader")                                      \
    X(moduledata_funcnametab, "runtime.moduledata", "funcnametab")                                 \
    X(moduledata_cutab, "runtime.moduledata", "cutab")                                             \
    X(moduledata_filetab, "runtime.moduledata", "filetab")                                         \
    X(moduledata_pctab, "runtime.moduledata", "pctab")                                             \
    X(moduledata_pclntable, "runtime.moduledata", "pclntable")                                     \
    X(moduledata_ftab, "runtime.moduledata", "ftab")                                               \
    X(moduledata_minpc, "runtime.moduledata", "minpc")                                             \
    X(moduledata_maxpc, "runtime.moduledata", "maxpc")                                             \
    X(moduledata_text, "runtime.moduledata", "text")                                               \
    X(moduledata_etext, "runtime.moduledata", "etext")                                             \
    X(moduledata_noptrdata, "runtime.moduledata", "noptrdata")                                     \
    X(moduledata_enoptrdata, "runtime.moduledata", "enoptrdata")                                   \
    X(moduledata_data, "runtime.moduledata", "data")                                               \
    X(moduledata_edata, "runtime.moduledata", "edata")                                             \
    X(moduledata_bss, "runtime.moduledata", "bss")                                                 \
    X(moduledata_ebss, "runtime.moduledata", "ebss")                                               \
    X(moduledata_noptrbss, "runtime.moduledata", "noptrbss")                                       \
    X(moduledata_enoptrbss, "runtime.moduledata", "enoptrbss")                                     \
    X(moduledata_rodata, "runtime.moduledata", "rodata")                                           \
    X(moduledata_gofunc, "runtime.moduledata", "gofunc")                                           \
    X(moduledata_next, "runtime.moduledata", "next")                                               \
    X(moduledata_size, "runtime.moduledata", "")                                                   \
    X(func_npcdata, "runtime._func", "npcdata")                                                    \
    X(func_start_line, "runtime._func", "startLine")                                               \
    X(func_id, "runtime._func", "funcID")                                                          \
    X(func_flag, "runtime._func", "flag")                                                          \
    X(func_nfuncdata, "runtime._func", "nfuncdata")                                                \
    X(func_size, "runtime._func", "")                                                              \
    X(inlined_func_id, "runtime.inlinedCall", "funcID")                                            \
    X(inlined_name_off, "runtime.inlinedCall", "nameOff|func_")                                    \
    X(inlined_parent_pc, "runtime.inlinedCall", "parentPc")                                        \
    X(inlined_start_line, "runtime.inlinedCall", "startLine")                                      \
    X(inlined_size, "runtime.inlinedCall", "")

struct go_layout {
    uint16_t minor;        /* 26 for go1.26 */
    uint16_t first_patch;  /* this row holds from that patch on, until the next row of the minor */
    const char *made_with; /* the toolchain the numbers come from, "go1.26.8" */
#define GO_LAYOUT_MEMBER(name, type, field) int32_t name; /* bytes, or GO_LAYOUT_NONE */
    GO_LAYOUT_FIELDS(GO_LAYOUT_MEMBER)
#undef GO_LAYOUT_MEMBER
};

/**
 * go_layout_find(go_version): the row for "go1.MINOR[.PATCH]"; NULL for a minor that is not in the
 * table, for development versions, betas and release candidates, and for builds with experiments
 * (" X:name") that are not known to leave these structures alone. What a vendor appends after the
 * patch ("-google", " (Red Hat …)") is ignored.
 */
const struct go_layout *go_layout_find(const char *go_version);

/**
 * go_layout_nearest(minor): the row of that minor, or of the one next to it, for its newest patch.
 * Never NULL. What is read with it must prove itself.
 */
const struct go_layout *go_layout_nearest(int minor);

/* The generated rows, ascending by (minor, first_patch); layout.c alone looks through them. */
extern const struct go_layout go_layout_table[];
extern const size_t go_layout_count;

#endif
