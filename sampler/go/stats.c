/*
 * The counters that runtime.ReadMemStats, runtime.NumGoroutine and friends compute, by their own
 * formulas (runtime/mstats.go, mgcpacer.go, proc.go, mcache.go), without their stop of the world.
 *
 * ReadMemStats first has every P give back its cache of spans, so that what was allocated from it
 * is counted; we look into the caches instead. What it then finds to be free in spans that were
 * not swept yet is not seen from outside: between a collection and the end of its sweep the live
 * heap reads a little high.
 */
#include "sampler/go/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 3,
    MSTATS_MAX_BYTES = 16 * 1024,
    CONTROLLER_MAX_BYTES = 1024,
    SCHED_MAX_BYTES = 1024,
    SPAN_MAX_BYTES = 256,
    PS_MAX = 4096, /* GOMAXPROCS; larger ones have no caches in the sums */
    CLASSES = 68,  /* _NumSizeClasses */
    SPAN_CLASSES = 2 * CLASSES,
    GENERATIONS = 3, /* consistentHeapStats.stats */
    PAUSES = GO_STATS_PAUSES,
    SPANS_BATCH = 1024,
    WIDE_NELEMS_MINOR = 22,      /* mspan.nelems is a uint16 from there on, a word before */
    LATE_COUNT_MINOR = 19,       /* what is taken from a cached span is counted later since */
    PERCENT_HEADROOM_MINOR = 21, /* of the memory limit's goal; a fixed one before */
};

/* runtime/sizeclasses.go, class_to_size: the same in Go 1.18 to 1.26. */
static const uint16_t class_size[CLASSES] = {
    0,     8,     16,    24,    32,    48,    64,    80,    96,    112,   128,   144,  160,   176,
    192,   208,   224,   240,   256,   288,   320,   352,   384,   416,   448,   480,  512,   576,
    640,   704,   768,   896,   1024,  1152,  1280,  1408,  1536,  1792,  2048,  2304, 2688,  3072,
    3200,  3456,  4096,  4864,  5376,  6144,  6528,  6784,  6912,  8192,  9472,  9728, 10240, 10880,
    12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768};

#define MIB (UINT64_C(1) << 20)

struct slice {
    uint64_t data, len, cap;
};

/* The sums of memstats.heapStats, as consistentHeapStats.unsafeRead makes them. */
struct heap {
    uint64_t allocated, freed; /* bytes */
    uint64_t mallocs, frees;
    uint64_t stacks, work_bufs, ptr_bits;
};

/* What the P's hold and have not yet reported. */
struct caches {
    int64_t bytes, objects;
    uint64_t tiny;
    uint64_t free_gs;
};

/* One P's cache as bytes from tinyAllocs on, and the spans of all. */
struct cache {
    uint64_t address;
    uint64_t alloc[SPAN_CLASSES];
    uint64_t tiny;
    int32_t free_gs;
};

struct stats {
    struct go_runtime *rt;
    const struct go_layout *l;
    unsigned char mstats[MSTATS_MAX_BYTES];
    unsigned char controller[CONTROLLER_MAX_BYTES];
    unsigned char sched[SCHED_MAX_BYTES];
    struct slice allp, allgs;
    struct cache *caches;
    size_t ps;
    struct target_range ranges[SPANS_BATCH];
    unsigned char spans[SPANS_BATCH][SPAN_MAX_BYTES];
    struct go_stats out;
};

#define SET(s, field, value)                 \
    do {                                     \
        (s)->out.field = (value);            \
        (s)->out.has |= GO_STATS_BIT(field); \
    } while (0)

/* ---- Words. A field that this version does not have is 0. */

static uint64_t u64_at(const unsigned char *p, int32_t offset)
{
    uint64_t v = 0;

    if (offset >= 0)
        memcpy(&v, p + offset, sizeof(v));
    return v;
}

static int32_t i32_at(const unsigned char *p, int32_t offset)
{
    int32_t v = 0;

    if (offset >= 0)
        memcpy(&v, p + offset, sizeof(v));
    return v;
}

static uint16_t u16_at(const unsigned char *p, int32_t offset)
{
    uint16_t v = 0;

    if (offset >= 0)
        memcpy(&v, p + offset, sizeof(v));
    return v;
}

/* ---- Reading */

/* All or nothing of each range, as many as there are. */
static int read_ranges(struct stats *s, size_t count)
{
    int r = s->rt->target->ops->readv(s->rt->target->ctx, s->ranges, count);

    for (size_t i = 0; r == 0 && i < count; i++) {
        if (s->ranges[i].got != s->ranges[i].bytes)
            r = -EFAULT;
    }
    return r;
}

/* Layouts are ours, but they become lengths of reads into fixed arrays. */
static uint32_t at_most(int32_t bytes, uint32_t max)
{
    return bytes < 0 ? 0 : (uint32_t)bytes < max ? (uint32_t)bytes : max;
}

/* How much of mstats holds what we want: its parts were put in different orders. */
static uint32_t mstats_bytes(const struct go_layout *l)
{
    int32_t ends[] = {l->mstats_heap_stats + GENERATIONS * l->heapdelta_size,
                      l->mstats_numgc + 8,
                      l->mstats_numforcedgc + 8,
                      l->mstats_last_gc_unix + 8,
                      l->mstats_pause_total_ns + 8,
                      l->mstats_pause_ns + PAUSES * 8,
                      l->mstats_pause_end + PAUSES * 8,
                      l->mstats_gc_cpu_fraction + 8,
                      l->mstats_heap_released + 8,
                      l->mstats_other_sys + 8,
                      l->mstats_gc_misc_sys + 8,
                      l->mstats_buckhash_sys + 8};
    int32_t end = 0;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        end = ends[i] > end ? ends[i] : end;
    return at_most(end, MSTATS_MAX_BYTES);
}

/* The same of gcController; a field that a version lacks is -1 and moves no end. */
static uint32_t controller_bytes(const struct go_layout *l)
{
    int32_t ends[] = {l->gc_percent,           l->gc_memory_limit, l->gc_heap_goal,
                      l->gc_percent_heap_goal, l->gc_heap_marked,  l->gc_heap_in_use,
                      l->gc_heap_released,     l->gc_heap_free,    l->gc_total_alloc,
                      l->gc_total_free,        l->gc_mapped_ready, l->gc_sweep_trigger,
                      l->gc_triggered};
    int32_t end = 0;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        end = ends[i] + 8 > end ? ends[i] + 8 : end;
    return at_most(end, CONTROLLER_MAX_BYTES);
}

/* The variables, in one go; those that were not found are left out. */
static int read_variables(struct stats *s)
{
    const struct go_runtime *rt = s->rt;
    const struct {
        uint64_t address;
        void *out;
        uint32_t bytes;
    } wanted[] = {
        {rt->memstats, s->mstats, mstats_bytes(s->l)},
        {rt->gc_controller, s->controller, controller_bytes(s->l)},
        {rt->sched, s->sched, at_most(s->l->sched_size, SCHED_MAX_BYTES)},
        {rt->allp, &s->allp, sizeof(s->allp)},
        {rt->allgs, &s->allgs, sizeof(s->allgs)},
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (wanted[i].address != 0 && wanted[i].bytes > 0)
            s->ranges[n++] =
                (struct target_range){wanted[i].address, wanted[i].out, wanted[i].bytes, 0};
    }
    return n == 0 ? -ENOTSUP : read_ranges(s, n);
}

/* Runs of ranges, ${per} for each P. */
static int read_each(struct stats *s, size_t per,
                     size_t (*ask)(struct stats *s, struct cache *c, struct target_range *out),
                     size_t count)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < count;) {
        size_t n = 0;

        for (; i < count && n + per <= SPANS_BATCH; i++)
            n += ask(s, &s->caches[i], &s->ranges[n]);
        r = n ? read_ranges(s, n) : 0;
    }
    return r;
}

/* Of a P: its address is in c->address, until it is that of the cache. */
static size_t ask_p(struct stats *s, struct cache *c, struct target_range *out)
{
    uint64_t p = c->address;

    out[0] =
        (struct target_range){p + (uint64_t)s->l->p_gfree_n, &c->free_gs, sizeof(c->free_gs), 0};
    out[1] =
        (struct target_range){p + (uint64_t)s->l->p_mcache, &c->address, sizeof(c->address), 0};
    return 2;
}

/* A P that is being taken away has no cache. */
static size_t ask_cache(struct stats *s, struct cache *c, struct target_range *out)
{
    if (c->address == 0)
        return 0;
    out[0] = (struct target_range){c->address + (uint64_t)s->l->mcache_alloc, c->alloc,
                                   sizeof(c->alloc), 0};
    out[1] = (struct target_range){c->address + (uint64_t)s->l->mcache_tiny_allocs, &c->tiny,
                                   sizeof(c->tiny), 0};
    return 2;
}

/* allp, then of each P its free list's length and its cache. With more P's than we look at, the
 * sums lack the caches, which are a few MB at most. */
static int read_ps(struct stats *s)
{
    uint64_t *ps;
    int r;

    free(s->caches);
    s->caches = NULL;
    s->ps = 0;
    if (s->allp.len == 0 || s->allp.len > PS_MAX)
        return 0;
    s->caches = calloc(s->allp.len, sizeof(*s->caches));
    ps = calloc(s->allp.len, sizeof(*ps));
    r = s->caches && ps ? 0 : -ENOMEM;
    if (r == 0)
        r = s->rt->target->ops->read(s->rt->target->ctx, s->allp.data, ps,
                                     s->allp.len * sizeof(*ps));
    if (r == 0) {
        s->ps = s->allp.len;
        for (size_t i = 0; i < s->ps; i++)
            s->caches[i].address = ps[i];
        r = read_each(s, 2, ask_p, s->ps);
    }
    if (r == 0)
        r = read_each(s, 2, ask_cache, s->ps);
    free(ps);
    return r;
}

/* ---- Caches */

/* How many objects this P has taken from the span and not reported (mcache.go: refill,
 * releaseAll). The span lives on while we read: a nonsense value is left out, not believed. */
static void add_span(const struct stats *s, const unsigned char *span, struct caches *sum)
{
    const struct go_layout *l = s->l;
    uint64_t size = u64_at(span, l->mspan_elemsize);
    uint64_t before;
    int64_t objects;

    if (l->minor >= LATE_COUNT_MINOR)
        before = u16_at(span, l->mspan_count_before);
    else /* a whole span was counted when it was taken: what is left in it comes off */
        before = u64_at(span, l->mspan_nelems);
    if (size > (uint64_t)class_size[CLASSES - 1] || before > UINT16_MAX)
        return; /* no span of a cache: those of large objects are not in any */
    objects = (int64_t)u16_at(span, l->mspan_alloc_count) - (int64_t)before;
    sum->objects += objects;
    sum->bytes += objects * (int64_t)size;
}

/* A batch of spans: read, summed, forgotten. */
static int flush_spans(struct stats *s, size_t n, struct caches *sum)
{
    int r = n ? read_ranges(s, n) : 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        add_span(s, s->spans[i], sum);
    return r;
}

/* The spans of all caches; most entries of a cache are one and the same empty span. */
static int read_caches(struct stats *s, struct caches *sum)
{
    uint32_t bytes = at_most(s->l->mspan_elemsize + 8, SPAN_MAX_BYTES);
    size_t n = 0;
    int r = 0;

    *sum = (struct caches){0};
    for (size_t i = 0; i < s->ps; i++) {
        const struct cache *c = &s->caches[i];

        sum->free_gs += (uint64_t)(c->free_gs > 0 ? c->free_gs : 0);
        sum->tiny += c->tiny;
        for (size_t k = 0; r == 0 && k < SPAN_CLASSES; k++) {
            if (c->alloc[k] == 0 || (k > 0 && c->alloc[k] == c->alloc[0]))
                continue; /* class 0 is for large objects: its entry is always the empty span */
            s->ranges[n] = (struct target_range){c->alloc[k], s->spans[n], bytes, 0};
            if (++n == SPANS_BATCH) {
                r = flush_spans(s, n, sum);
                n = 0;
            }
        }
    }
    return r == 0 ? flush_spans(s, n, sum) : r;
}

/* ---- Sums */

/* All three generations together are what has happened; which one is written to does not matter
 * (mstats.go, consistentHeapStats). */
static void sum_heap(const struct stats *s, const struct caches *c, struct heap *h)
{
    const struct go_layout *l = s->l;

    *h = (struct heap){.allocated = (uint64_t)c->bytes,
                       .mallocs = (uint64_t)c->objects + c->tiny,
                       .frees = c->tiny};
    for (int g = 0; g < GENERATIONS; g++) {
        const unsigned char *d = s->mstats + l->mstats_heap_stats + l->heapstats_stats +
                                 (ptrdiff_t)g * l->heapdelta_size;
        uint64_t tiny = u64_at(d, l->heapdelta_tiny_alloc_count);

        h->allocated += u64_at(d, l->heapdelta_large_alloc);
        h->freed += u64_at(d, l->heapdelta_large_free);
        h->mallocs += u64_at(d, l->heapdelta_large_alloc_count) + tiny;
        h->frees += u64_at(d, l->heapdelta_large_free_count) + tiny;
        h->stacks += u64_at(d, l->heapdelta_in_stacks);
        h->work_bufs += u64_at(d, l->heapdelta_in_work_bufs);
        h->ptr_bits += u64_at(d, l->heapdelta_in_ptr_scalar_bits);
        for (int k = 0; k < CLASSES; k++) {
            uint64_t made = u64_at(d, l->heapdelta_small_alloc_count + k * 8);
            uint64_t freed = u64_at(d, l->heapdelta_small_free_count + k * 8);

            h->allocated += made * class_size[k];
            h->freed += freed * class_size[k];
            h->mallocs += made;
            h->frees += freed;
        }
    }
}

/* mgcpacer.go, memoryLimitHeapGoal. */
static uint64_t limit_goal(const struct stats *s, const struct heap *h)
{
    const struct go_layout *l = s->l;
    const unsigned char *c = s->controller;
    uint64_t free_bytes = u64_at(c, l->gc_heap_free), live = h->allocated - h->freed;
    uint64_t ready = u64_at(c, l->gc_mapped_ready), limit = u64_at(c, l->gc_memory_limit);
    uint64_t marked = u64_at(c, l->gc_heap_marked);
    uint64_t other = ready > free_bytes + live ? ready - free_bytes - live : 0;
    uint64_t over = ready > limit ? ready - limit : 0;
    uint64_t goal, room = MIB;

    if (other + over >= limit)
        return marked;
    goal = limit - (other + over);
    if (l->minor >= PERCENT_HEADROOM_MINOR && goal / 100 * 3 > room)
        room = goal / 100 * 3;
    goal = goal < room || goal - room < room ? room : goal - room;
    return goal < marked ? marked : goal;
}

/* mgcpacer.go, heapGoalInternal; Go 1.18 keeps the goal itself. */
static uint64_t heap_goal(const struct stats *s, const struct heap *h)
{
    const struct go_layout *l = s->l;
    const unsigned char *c = s->controller;
    const uint64_t runway = MIB / 16;
    uint64_t goal, limited, sweep, triggered;

    if (l->gc_percent_heap_goal < 0)
        return u64_at(c, l->gc_heap_goal);
    goal = u64_at(c, l->gc_percent_heap_goal);
    limited = limit_goal(s, h);
    if (limited < goal)
        return limited;
    sweep = u64_at(c, l->gc_sweep_trigger);
    triggered = u64_at(c, l->gc_triggered);
    if (sweep > goal)
        goal = sweep;
    if (triggered != UINT64_MAX && goal < triggered + runway)
        goal = triggered + runway;
    return goal;
}

/* ---- The sets */

/* Names in the order of runtime.MemStats; Go 1.18 has the heap's sizes in mstats, later ones in
 * gcController. */
static void set_heap(struct stats *s, const struct heap *h)
{
    const struct go_layout *l = s->l;
    const unsigned char *m = s->mstats, *c = s->controller;
    bool old = l->gc_heap_in_use < 0;
    uint64_t inuse = old ? u64_at(m, l->mstats_heap_inuse) : u64_at(c, l->gc_heap_in_use);
    uint64_t released = old ? u64_at(m, l->mstats_heap_released) : u64_at(c, l->gc_heap_released);
    uint64_t sys =
        old ? u64_at(m, l->mstats_heap_sys) : inuse + u64_at(c, l->gc_heap_free) + released;
    uint64_t collector = u64_at(m, l->mstats_gc_misc_sys) + h->work_bufs + h->ptr_bits;

    SET(s, heap_alloc_bytes, h->allocated - h->freed);
    SET(s, alloc_bytes, h->allocated - h->freed);
    SET(s, alloc_bytes_total, h->allocated);
    SET(s, mallocs_total, h->mallocs);
    SET(s, frees_total, h->frees);
    SET(s, heap_objects, h->mallocs - h->frees);
    SET(s, heap_inuse_bytes, inuse);
    SET(s, heap_released_bytes, released);
    SET(s, heap_sys_bytes, sys);
    SET(s, heap_idle_bytes, sys - inuse);
    SET(s, stack_inuse_bytes, h->stacks);
    SET(s, stack_sys_bytes, h->stacks + u64_at(m, l->mstats_stacks_sys));
    SET(s, mspan_sys_bytes, u64_at(m, l->mstats_mspan_sys));
    SET(s, mcache_sys_bytes, u64_at(m, l->mstats_mcache_sys));
    SET(s, buck_hash_sys_bytes, u64_at(m, l->mstats_buckhash_sys));
    SET(s, gc_sys_bytes, collector);
    SET(s, other_sys_bytes, u64_at(m, l->mstats_other_sys));
    SET(s, sys_bytes,
        sys + s->out.stack_sys_bytes + s->out.mspan_sys_bytes + s->out.mcache_sys_bytes +
            s->out.buck_hash_sys_bytes + collector + s->out.other_sys_bytes);
    SET(s, next_gc_bytes, heap_goal(s, h));
    if (l->gc_memory_limit >= 0)
        SET(s, memory_limit_bytes, u64_at(c, l->gc_memory_limit));
    if (l->gc_percent >= 0) /* runtime/metrics.go, /gc/gogc:percent */
        SET(s, gogc_percent,
            i32_at(c, l->gc_percent) < 0 ? UINT64_MAX : (uint64_t)i32_at(c, l->gc_percent));
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* runtime/debug/garbage.go, ReadGCStats with five quantiles, which is what client_golang asks for.
 */
static void set_quantiles(struct stats *s, uint32_t count)
{
    uint64_t sorted[PAUSES] = {0};
    size_t n = count < PAUSES ? count : PAUSES;

    memcpy(sorted, s->out.pause_ns, n * sizeof(sorted[0])); /* not yet round the ring, or all */
    qsort(sorted, n, sizeof(sorted[0]), by_size);
    SET(s, gc_pause_0_ns, sorted[0]);
    SET(s, gc_pause_25_ns, sorted[n / 4]);
    SET(s, gc_pause_50_ns, sorted[n * 2 / 4]);
    SET(s, gc_pause_75_ns, sorted[n * 3 / 4]);
    SET(s, gc_pause_100_ns, sorted[n > 0 ? n - 1 : 0]);
}

/* Both rings, where the layout has them within what was read. */
static void set_pauses(struct stats *s, uint32_t count)
{
    const struct go_layout *l = s->l;
    int32_t last = MSTATS_MAX_BYTES - PAUSES * 8;

    if (l->mstats_pause_ns < 0 || l->mstats_pause_ns > last || l->mstats_pause_end < 0 ||
        l->mstats_pause_end > last || l->mstats_gc_cpu_fraction < 0 ||
        l->mstats_gc_cpu_fraction > MSTATS_MAX_BYTES - 8)
        return;
    memcpy(s->out.pause_ns, s->mstats + l->mstats_pause_ns, sizeof(s->out.pause_ns));
    memcpy(s->out.pause_end_ns, s->mstats + l->mstats_pause_end, sizeof(s->out.pause_end_ns));
    memcpy(&s->out.gc_cpu_fraction, s->mstats + l->mstats_gc_cpu_fraction, sizeof(double));
    s->out.has_pauses = true;
    set_quantiles(s, count);
    if (count > 0)
        SET(s, gc_last_pause_ns, s->out.pause_ns[(count + PAUSES - 1) % PAUSES]);
}

/* The last collection's pause is at (numgc + 255) % 256 of the ring. */
static void set_collections(struct stats *s)
{
    const struct go_layout *l = s->l;
    const unsigned char *m = s->mstats;
    uint32_t count = (uint32_t)i32_at(m, l->mstats_numgc);

    SET(s, gc_count, count);
    SET(s, gc_pause_count, count);
    SET(s, gc_forced_count, (uint32_t)i32_at(m, l->mstats_numforcedgc));
    SET(s, gc_pause_total_ns, u64_at(m, l->mstats_pause_total_ns));
    SET(s, last_gc_unix_ns, u64_at(m, l->mstats_last_gc_unix));
    set_pauses(s, count);
}

/* proc.go, gcount: all that were made, without those that wait to be used again and the runtime's
 * own; mcount for the threads. */
static void set_scheduler(struct stats *s, const struct caches *c)
{
    const struct go_layout *l = s->l;
    const unsigned char *p = s->sched;
    int64_t n;

    if (s->rt->allp != 0)
        SET(s, gomaxprocs, s->allp.len);
    if (s->rt->sched == 0)
        return;
    SET(s, threads, u64_at(p, l->sched_mnext) - u64_at(p, l->sched_nmfreed));
    if (s->rt->allgs == 0 || s->ps == 0 || s->allgs.len > INT32_MAX)
        return; /* gcount's own sum is an int32 */
    n = (int64_t)s->allgs.len - i32_at(p, l->sched_ngsys) - i32_at(p, l->sched_gfree_n) -
        i32_at(p, l->sched_gfree_stack_size) - i32_at(p, l->sched_gfree_nostack_size) -
        (int64_t)c->free_gs;
    SET(s, goroutines, n < 1 ? 1 : (uint64_t)n);
}

/* One attempt; -EAGAIN when a collection came between. */
static int read_once(struct stats *s)
{
    uint64_t at = s->rt->memstats + (uint64_t)s->l->mstats_numgc;
    struct caches caches;
    struct heap heap;
    uint32_t before = 0, after = 0;
    int r = read_variables(s);

    s->out = (struct go_stats){0};
    if (r == 0)
        r = read_ps(s);
    if (r == 0)
        r = read_caches(s, &caches);
    if (r != 0)
        return r;
    if (s->rt->memstats != 0) {
        before = (uint32_t)i32_at(s->mstats, s->l->mstats_numgc);
        r = s->rt->target->ops->read(s->rt->target->ctx, at, &after, sizeof(after));
        if (r == 0 && before != after)
            r = -EAGAIN;
        if (r != 0)
            return r;
        set_collections(s);
    }
    if (s->rt->memstats != 0 && s->rt->gc_controller != 0) {
        sum_heap(s, &caches, &heap);
        set_heap(s, &heap);
    }
    set_scheduler(s, &caches);
    return 0;
}

int go_stats_read(struct go_runtime *rt, struct go_stats *ret, struct err *e)
{
    struct stats *s;
    int r = -EAGAIN;

    if (!rt->certain || !rt->layout)
        return err_set(e, -ENOTSUP,
                       "the counters of %s are not read: where they are is certain for Go 1.18 to "
                       "1.26 only",
                       go_image_version(rt->image));
    s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, -ENOMEM, "no memory for the counters");
    s->rt = rt;
    s->l = rt->layout;
    /* -EFAULT: a P or a span went away meanwhile */
    for (int i = 0; (r == -EAGAIN || r == -EFAULT) && i < TRIES; i++)
        r = read_once(s);
    if (r == 0)
        *ret = s->out;
    else if (r == -EAGAIN)
        (void)err_set(e, r, "the counters do not hold still: collections follow too fast");
    else if (r == -ENOTSUP)
        (void)err_set(e, r, "the runtime's counters were not found in this program");
    else
        (void)err_set(e, r, "the runtime's counters cannot be read");
    free(s->caches);
    free(s);
    return r;
}
