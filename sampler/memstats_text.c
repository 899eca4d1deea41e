#include "sampler/memstats_text.h"

#include <inttypes.h>

static void put_ring(struct buf *out, const char *name, const uint64_t ring[GO_STATS_PAUSES])
{
    buf_printf(out, "# %s = [", name);
    for (int i = 0; i < GO_STATS_PAUSES; i++)
        buf_printf(out, "%s%" PRIu64, i ? " " : "", ring[i]);
    buf_puts(out, "]\n");
}

/* The shortest number that reads back as the same, as fmt's %v. */
static void put_fraction(struct buf *out, double value)
{
    char text[32];

    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_printf(out, "# GCCPUFraction = %s\n", text);
}

/* What we know of runtime.MemStats, in its order and with its names; the others are left out. */
void memstats_text(const struct go_stats *s, struct buf *out)
{
    buf_puts(out, "\n# runtime.MemStats\n");
#define X(field, name)                \
    if (s->has & GO_STATS_BIT(field)) \
        buf_printf(out, "# " name " = %" PRIu64 "\n", s->field);
    X(heap_alloc_bytes, "Alloc")
    X(alloc_bytes_total, "TotalAlloc")
    X(sys_bytes, "Sys")
    buf_puts(out, "# Lookups = 0\n");
    X(mallocs_total, "Mallocs")
    X(frees_total, "Frees")
    X(heap_alloc_bytes, "HeapAlloc")
    X(heap_sys_bytes, "HeapSys")
    X(heap_idle_bytes, "HeapIdle")
    X(heap_inuse_bytes, "HeapInuse")
    X(heap_released_bytes, "HeapReleased")
    X(heap_objects, "HeapObjects")
    if (s->has & GO_STATS_BIT(stack_sys_bytes))
        buf_printf(out, "# Stack = %" PRIu64 " / %" PRIu64 "\n", s->stack_inuse_bytes,
                   s->stack_sys_bytes);
    X(buck_hash_sys_bytes, "BuckHashSys")
    X(gc_sys_bytes, "GCSys")
    X(other_sys_bytes, "OtherSys")
    X(next_gc_bytes, "NextGC")
    X(last_gc_unix_ns, "LastGC")
    if (s->has_pauses) {
        put_ring(out, "PauseNs", s->pause_ns);
        put_ring(out, "PauseEnd", s->pause_end_ns);
    }
    X(gc_count, "NumGC")
    X(gc_forced_count, "NumForcedGC")
    if (s->has_pauses)
        put_fraction(out, s->gc_cpu_fraction);
    buf_puts(out, "# DebugGC = false\n");
#undef X
}
