/*
 * The legacy texts of runtime/pprof. They are sorted, so the records are kept, with their stacks in
 * one buffer; and aligned (text/tabwriter), so each stack is gone over twice: once for the widths,
 * once to write. Sources: runtime/pprof/pprof.go of Go 1.18 to 1.26 (printStackRecord,
 * writeHeapInternal, writeProfileInternal, printCountProfile).
 */
#include "sampler/bucket_text.h"

#include <errno.h>
#include <inttypes.h>

#include "base/utf8.h"
#include "sampler/go/inlinelist.h"
#include "sampler/go/stats.h"
#include "sampler/memstats_text.h"

enum {
    FIRST_RECORDS = 256,
    TAB_CELLS = 8,        /* tabwriter.NewWriter(w, 1, 8, 1, '\t', 0) */
    NO_TYPES_MINOR = 21,  /* funcNameForPrint leaves type arguments out from Go 1.21 on */
    SORTED_UP_MINOR = 23, /* writeHeapInternal's order by memory in use is ascending since */
    RUNTIME_SUBPACKAGES_MINOR = 24,
};

struct record {
    int64_t key; /* what it is sorted by */
    int64_t values[4];
    size_t first; /* of its pcs */
    uint32_t depth;
    uint32_t number; /* as it came: equal keys keep their order */
};

struct writer {
    struct go_runtime *rt;
    enum bucket_profile_kind kind;
    const struct bucket_text_facts *facts;
    struct buf *out;
    struct buf pcs; /* u64, of all records */
    struct record *records;
    size_t count, cap;
    struct inlinelist *list;
    int minor;
    struct inlinelist_step steps[BUCKETS_DEPTH_MAX];
};

/* ---- Records */

static const uint64_t *pcs_of(const struct writer *w, const struct record *r)
{
    return (const uint64_t *)(const void *)w->pcs.data + r->first;
}

/* A failed buffer means that the stacks are more than may be held: no half text is written. */
static int keep(struct writer *w, const struct record *r, const uint64_t *pcs, uint32_t depth)
{
    struct record *to;

    if (w->count == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : FIRST_RECORDS;
        struct record *p = realloc(w->records, cap * sizeof(*p));

        if (!p)
            return -ENOMEM;
        w->records = p;
        w->cap = cap;
    }
    to = &w->records[w->count];
    *to = *r;
    to->first = w->pcs.len / sizeof(*pcs);
    to->depth = depth;
    to->number = (uint32_t)w->count++;
    buf_put(&w->pcs, pcs, depth * sizeof(*pcs));
    return w->pcs.failed ? -E2BIG : 0;
}

/* Values in the order of the line: in use, then allocated, objects and bytes. */
static int keep_memory(void *ctx, const struct bucket *b)
{
    struct writer *w = ctx;
    struct record r = {.values = {b->allocs - b->frees, b->alloc_bytes - b->free_bytes, b->allocs,
                                  b->alloc_bytes}};

    r.key = w->minor < SORTED_UP_MINOR ? -r.values[1] : r.values[1];
    return keep(w, &r, b->pcs, b->depth);
}

/* The longest waits first. A count of 0 is shown as 1, as in the profile. */
static int keep_contention(void *ctx, const struct bucket *b)
{
    struct writer *w = ctx;
    struct record r = {.key = -b->cycles, .values = {b->cycles, (int64_t)b->count}};

    if (r.values[1] == 0 && w->kind == BUCKET_PROFILE_BLOCK)
        r.values[1] = 1;
    return keep(w, &r, b->pcs, b->depth);
}

static int keep_thread(void *ctx, uint32_t tid, const uint64_t *pcs, uint32_t depth)
{
    const struct record r = {.values = {1}};

    (void)tid;
    return keep(ctx, &r, pcs, depth);
}

/* Go's sort keeps no order among equals; ours is that of the list, so that equal input gives equal
 * output. */
static int by_key(const void *a, const void *b)
{
    const struct record *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* ---- Stacks */

/* runtime.funcNameForPrint: "main.F[go.shape.int]" is shown as "main.F[...]". The length before the
 * bracket; *ret_rest is what follows the closing one, NULL when there are no brackets. */
static size_t name_parts(const struct writer *w, const char *name, const char **ret_rest)
{
    const char *open = strchr(name, '['), *close = strrchr(name, ']');

    *ret_rest = NULL;
    if (w->minor < NO_TYPES_MINOR || !open || !close || close < open)
        return strlen(name);
    *ret_rest = close + 1;
    return (size_t)(open - name);
}

/* The offset counts from the function that is really there, for inlined ones too. */
static void put_name(struct writer *w, struct buf *out, const struct inlinelist_level *level,
                     uint64_t entry)
{
    const char *rest;

    buf_put(out, level->name, name_parts(w, level->name, &rest));
    if (rest)
        buf_printf(out, "[...]%s", rest);
    buf_printf(out, "+0x%" PRIx64, level->pc - entry);
}

/* The allocator's own frames, which nobody asks for. */
static bool is_hidden(const struct writer *w, const char *name)
{
    return strncmp(name, "runtime.", 8) == 0 ||
           (w->minor >= RUNTIME_SUBPACKAGES_MINOR && strncmp(name, "internal/runtime/", 17) == 0);
}

/* Characters, as tabwriter counts them. */
static size_t width_of(const unsigned char *p, size_t bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < bytes; n++) {
        size_t step = utf8_step(p + i, bytes - i);

        i += step ? step : 1;
    }
    return n;
}

/* One line of a stack: "#", the pc, the function, where. Widths are those of the cells before the
 * last; a cell is filled up with tabs to the next multiple of 8 behind the widest one. */
struct cells {
    size_t pc, name;
};

/* tabwriter's writePadding: widths count the padding of 1 and are rounded up to whole tabs. */
static void put_tabs(struct buf *out, size_t width, size_t widest)
{
    size_t cell = (widest + 1 + TAB_CELLS - 1) / TAB_CELLS * TAB_CELLS;

    for (size_t n = (cell - width + TAB_CELLS - 1) / TAB_CELLS; n > 0; n--)
        buf_putc(out, '\t');
}

/* With ${measure}, only its widths. */
static void put_line(struct writer *w, const struct inlinelist_level *level, uint64_t entry,
                     struct cells *widest, bool measure)
{
    size_t at = w->out->len, pc_width, name_width;

    buf_printf(w->out, "#\t0x%" PRIx64, level->pc);
    if (w->out->failed)
        return;
    pc_width = w->out->len - at - 2;
    if (!measure)
        put_tabs(w->out, pc_width, widest->pc);
    at = w->out->len;
    put_name(w, w->out, level, entry);
    if (w->out->failed)
        return;
    name_width = width_of(w->out->data + at, w->out->len - at);
    if (!measure) {
        put_tabs(w->out, name_width, widest->name);
        buf_printf(w->out, "%s:%" PRId64 "\n", level->file, level->line);
        return;
    }
    if (pc_width > widest->pc)
        widest->pc = pc_width;
    if (name_width > widest->name)
        widest->name = name_width;
}

/*
 * pprof.go, printStackRecord: the runtime's functions at the leaf are left out unless ${all}, or
 * unless there are no others. True when there was anything to show.
 */
static bool put_lines(struct writer *w, int steps, bool all, struct cells *widest, bool measure)
{
    bool show = all;

    for (int i = 0; i < steps; i++) {
        const struct inlinelist_place *place = inlinelist_place(w->list, w->steps[i].place);

        for (uint32_t k = 0; k < place->levels; k++) {
            struct inlinelist_level level;
            size_t at = w->out->len;

            inlinelist_level(w->list, w->steps[i].place, k, &level);
            if (!(w->steps[i].shown & UINT64_C(1) << k) || place->goexit ||
                (!show && is_hidden(w, level.name)))
                continue;
            show = true;
            put_line(w, &level, place->entry, widest, measure);
            if (measure && !w->out->failed)
                w->out->len = at; /* it was only to be measured */
        }
    }
    return show;
}

/* A list with nothing of Go's in it: CallersFrames gives one frame without a name. */
static bool has_frames(const struct writer *w, int steps)
{
    for (int i = 0; i < steps; i++) {
        if (inlinelist_place(w->list, w->steps[i].place)->levels > 0)
            return true;
    }
    return false;
}

/* Ends with the blank line that ends tabwriter's columns too. */
static void put_stack(struct writer *w, int steps, bool all)
{
    struct cells widest = {0};

    if (!has_frames(w, steps)) {
        buf_puts(w->out, "#\t0x0\n\n");
        return;
    }
    if (!put_lines(w, steps, all, &widest, true)) {
        all = true;
        (void)put_lines(w, steps, all, &widest, true);
    }
    (void)put_lines(w, steps, all, &widest, false);
    buf_putc(w->out, '\n');
}

/* The frames of a record as a list of return addresses, as expandInlinedFrames makes it. */
static void put_expanded(struct writer *w, int steps)
{
    for (int i = 0; i < steps; i++) {
        const struct inlinelist_place *place = inlinelist_place(w->list, w->steps[i].place);

        for (uint32_t k = 0; k < place->levels; k++) {
            struct inlinelist_level level;

            inlinelist_level(w->list, w->steps[i].place, k, &level);
            if (w->steps[i].shown & UINT64_C(1) << k)
                buf_printf(w->out, " 0x%" PRIx64, level.pc + 1);
        }
    }
    buf_putc(w->out, '\n');
}

/* As recorded. */
static void put_pcs(struct writer *w, const struct record *r)
{
    const uint64_t *pcs = pcs_of(w, r);

    for (uint32_t i = 0; i < r->depth; i++)
        buf_printf(w->out, " 0x%" PRIx64, pcs[i]);
    buf_putc(w->out, '\n');
}

/* The text shows a cut list as it was cut: see inlinelist_expand(). */
static int expand(struct writer *w, const struct record *r)
{
    int n = inlinelist_expand(w->list, pcs_of(w, r), r->depth, false, w->steps);
    bool physical = w->minor >= BUCKETS_PHYSICAL_MINOR &&
                    (w->kind == BUCKET_PROFILE_BLOCK || w->kind == BUCKET_PROFILE_MUTEX);

    if (physical && r->depth <= BUCKETS_KEPT_PCS)
        n = inlinelist_cut(w->list, w->steps, n, BUCKETS_SHOWN_FRAMES, false);
    return n;
}

/* ---- The forms */

/* A header that says alloc == inuse would be read as one without allocations: pprof.go adds 1. */
static int write_heap(struct writer *w)
{
    struct go_stats stats;
    uint64_t total[4] = {0};

    for (size_t i = 0; i < w->count; i++) {
        for (size_t k = 0; k < 4; k++)
            total[k] += (uint64_t)w->records[i].values[k];
    }
    if (total[1] == total[3])
        total[3]++;
    buf_printf(w->out,
               "heap profile: %" PRId64 ": %" PRId64 " [%" PRId64 ": %" PRId64 "] @ heap/%" PRIu64
               "\n",
               (int64_t)total[0], (int64_t)total[1], (int64_t)total[2], (int64_t)total[3],
               2 * (uint64_t)w->facts->rates.memory);
    for (size_t i = 0; i < w->count; i++) {
        const struct record *r = &w->records[i];
        int steps = expand(w, r);

        if (steps < 0)
            return steps;
        buf_printf(w->out, "%" PRId64 ": %" PRId64 " [%" PRId64 ": %" PRId64 "] @", r->values[0],
                   r->values[1], r->values[2], r->values[3]);
        put_pcs(w, r);
        put_stack(w, steps, false);
    }
    if (go_stats_read(w->rt, &stats, NULL) == 0)
        memstats_text(&stats, w->out);
    return 0;
}

/* Cycles, not nanoseconds: the reader divides by the head's second line. */
static int write_contention(struct writer *w)
{
    bool mutex = w->kind == BUCKET_PROFILE_MUTEX;

    buf_printf(w->out, "--- %s:\ncycles/second=%" PRId64 "\n", mutex ? "mutex" : "contention",
               (int64_t)w->facts->ticks_per_second);
    if (mutex)
        buf_printf(w->out, "sampling period=%" PRId64 "\n", w->facts->rates.mutex);
    for (size_t i = 0; i < w->count; i++) {
        const struct record *r = &w->records[i];
        int steps = expand(w, r);

        if (steps < 0)
            return steps;
        buf_printf(w->out, "%" PRId64 " %" PRId64 " @", r->values[0], r->values[1]);
        if (w->minor < BUCKETS_PHYSICAL_MINOR)
            put_pcs(w, r);
        else
            put_expanded(w, steps);
        put_stack(w, steps, true);
    }
    return 0;
}

/* By the text of the addresses, as Go sorts its keys: "0x10" comes before "0x9". */
static int by_stack(const void *a, const void *b, void *ctx)
{
    const struct record *x = a, *y = b;
    const uint64_t *p = pcs_of(ctx, x), *q = pcs_of(ctx, y);
    char left[24], right[24];

    for (uint32_t i = 0; i < x->depth && i < y->depth; i++) {
        if (p[i] == q[i])
            continue;
        (void)snprintf(left, sizeof(left), "0x%" PRIx64, p[i]);
        (void)snprintf(right, sizeof(right), "0x%" PRIx64, q[i]);
        return strcmp(left, right);
    }
    return x->depth < y->depth ? -1 : x->depth > y->depth;
}

/* printCountProfile: one record a stack, the frequent ones first. */
static int write_threads(struct writer *w)
{
    size_t n = 0;

    buf_printf(w->out, "threadcreate profile: total %zu\n", w->count);
    qsort_r(w->records, w->count, sizeof(*w->records), by_stack, w);
    for (size_t i = 0; i < w->count; i++) {
        if (n > 0 && by_stack(&w->records[n - 1], &w->records[i], w) == 0) {
            w->records[n - 1].values[0]++;
            continue;
        }
        w->records[n] = w->records[i];
        w->records[n].number = (uint32_t)n;
        n++;
    }
    for (size_t i = 0; i < n; i++)
        w->records[i].key = -w->records[i].values[0];
    qsort(w->records, n, sizeof(*w->records), by_key);
    for (size_t i = 0; i < n; i++) {
        const struct record *r = &w->records[i];
        int steps = expand(w, r);

        if (steps < 0)
            return steps;
        buf_printf(w->out, "%" PRId64 " @", r->values[0]);
        put_pcs(w, r);
        put_stack(w, steps, false);
    }
    return 0;
}

/* Read and sort, then write: what fails leaves no half text that looks whole. */
static int write_all(struct writer *w, struct go_budget *budget, struct err *e)
{
    int rc;

    switch (w->kind) {
    case BUCKET_PROFILE_THREADCREATE:
        rc = buckets_threads(w->rt, budget, keep_thread, w, e);
        return rc ? rc : write_threads(w);
    case BUCKET_PROFILE_BLOCK:
    case BUCKET_PROFILE_MUTEX:
        rc = buckets_read(w->rt, w->kind == BUCKET_PROFILE_MUTEX ? BUCKETS_MUTEX : BUCKETS_BLOCK,
                          budget, keep_contention, w, NULL, e);
        if (rc == 0 && w->count > 0)
            qsort(w->records, w->count, sizeof(*w->records), by_key);
        return rc ? rc : write_contention(w);
    case BUCKET_PROFILE_HEAP:
    case BUCKET_PROFILE_ALLOCS:
    default:
        rc = buckets_read(w->rt, BUCKETS_MEMORY, budget, keep_memory, w, NULL, e);
        if (rc == 0 && w->count > 0)
            qsort(w->records, w->count, sizeof(*w->records), by_key);
        return rc ? rc : write_heap(w);
    }
}

int bucket_text_build(struct go_runtime *rt, const struct bucket_text_facts *facts,
                      struct go_budget *budget, struct buf *out, uint64_t *ret_count, struct err *e)
{
    struct writer *w = calloc(1, sizeof(*w));
    int rc;

    if (!w)
        return err_set(e, -ENOMEM, "no memory for the profile");
    err_clear(e);
    w->rt = rt;
    w->facts = facts;
    w->kind = facts->kind;
    w->out = out;
    w->minor = go_image_minor(rt->image);
    buf_init(&w->pcs, BUCKET_TEXT_PCS_MAX_BYTES);
    rc = inlinelist_new(rt->image, &w->list);
    if (rc == 0)
        rc = write_all(w, budget, e);
    if (rc == 0 && out->failed)
        rc = -E2BIG;
    if (rc != 0 && (!e || e->text[0] == '\0'))
        (void)err_set(e, rc, "the text could not be made: %s",
                      rc == -ENOMEM ? "no memory" : "it would be too large");
    if (rc == 0)
        *ret_count = w->count;
    inlinelist_free(w->list);
    buf_release(&w->pcs);
    free(w->records);
    free(w);
    return rc;
}
