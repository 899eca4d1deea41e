/*
 * From buckets to samples. Each distinct address of all stacks is looked up once (inlinelist.h),
 * and its location made once; buckets come one by one and are forgotten, so that only the profile
 * itself grows with the number of stacks. Sources: runtime/pprof (pprof.go, protomem.go, proto.go)
 * of Go 1.18 to 1.26.
 */
#include "sampler/bucket_profile.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "base/clock.h"
#include "profile/profile.h"
#include "sampler/bucket_text.h"
#include "sampler/go/inlinelist.h"

enum {
    FIRST_LOCATIONS = 1024,
    MUTEX_RECORDED_MINOR = 20, /* mutex records are scaled already since */
};

struct maker {
    struct go_runtime *rt;
    struct space *space;
    enum bucket_profile_kind kind;
    const char *comment; /* the caller's, may be NULL */
    struct buckets_rates rates;
    double ticks_per_second;
    struct profile *profile;
    struct inlinelist *list;
    uint64_t *locations; /* by place: the id of its usual form, 0: not made yet */
    size_t locations_cap;
    uint64_t count, mixed;
    struct inlinelist_step steps[BUCKETS_DEPTH_MAX];
    uint64_t stack[BUCKETS_DEPTH_MAX];
    struct frames frames; /* of an address outside Go's code */
};

/* ---- Reasons */

/* The linker leaves heap sampling out of a program in which nothing can ask for it (cmd/link,
 * internal/ld/lib.go: disableMemoryProfiling); the function it looks for was renamed in Go 1.23. */
static bool has_memory_profile(struct go_runtime *rt)
{
    uint64_t entry, end;

    return go_image_function(rt->image, "runtime.MemProfile", &entry, &end) == 0 ||
           go_image_function(rt->image, "runtime.memProfileInternal", &entry, &end) == 0;
}

/* go_runtime_open() has the words for what it could not find. */
static const char *note_of(const struct go_runtime *rt)
{
    return rt->note.text[0] ? rt->note.text : "its code is not as the Go toolchain makes it";
}

/* A rate of 0 alone is no reason: the program may have set it back after it had recorded. */
static int heap_available(struct go_runtime *rt, int64_t rate, struct err *e)
{
    if (rt->mbuckets == 0)
        return err_set(e, -ENOTSUP, "no heap profile: the runtime's records were not found: %s",
                       note_of(rt));
    if (rate < 0)
        return err_set(e, -ENOTSUP,
                       "no heap profile: runtime.MemProfileRate was not found, and without it "
                       "samples cannot be scaled: %s",
                       note_of(rt));
    if (rate == 0 && !has_memory_profile(rt))
        return err_set(e, -ENOTSUP,
                       "no heap profile: MemProfileRate is 0, because the program never "
                       "references runtime.MemProfile and the Go linker then switches the "
                       "sampling off; import net/http/pprof or runtime/pprof (as \"_\") in it");
    return 0;
}

/* ${list} 0: not found. What was recorded before a rate was set back to 0 is still worth having. */
static int contention_available(struct go_runtime *rt, uint64_t list, int64_t rate,
                                const char *name, const char *call, struct err *e)
{
    uint64_t head = 1;

    if (list == 0)
        return err_set(e, -ENOTSUP, "no %s profile: the runtime's records were not found: %s", name,
                       note_of(rt));
    (void)rt->target->ops->read(rt->target->ctx, list, &head, sizeof(head));
    if (rate == 0 && head == 0)
        return err_set(e, -ENOTSUP,
                       "no %s profile: the program's %s profile rate is 0 and nothing was "
                       "recorded; call runtime.%s in it",
                       name, name, call);
    return 0;
}

static int available(struct go_runtime *rt, enum bucket_profile_kind kind,
                     const struct buckets_rates *rates, struct err *e)
{
    switch (kind) {
    case BUCKET_PROFILE_BLOCK:
        return contention_available(rt, rt->bbuckets, rates->block, "block",
                                    "SetBlockProfileRate(10000)", e);
    case BUCKET_PROFILE_MUTEX:
        return contention_available(rt, rt->xbuckets, rates->mutex, "mutex",
                                    "SetMutexProfileFraction(100)", e);
    case BUCKET_PROFILE_THREADCREATE:
        if (rt->allm == 0)
            return err_set(e, -ENOTSUP,
                           "no threadcreate profile: the runtime's list of threads was not found: "
                           "%s",
                           note_of(rt));
        return 0;
    case BUCKET_PROFILE_HEAP:
    case BUCKET_PROFILE_ALLOCS:
    default:
        return heap_available(rt, rates->memory, e);
    }
}

int bucket_profile_available(struct go_runtime *rt, enum bucket_profile_kind kind, struct err *e)
{
    struct buckets_rates rates;

    if (buckets_rates(rt, &rates) != 0)
        return err_set(e, -ENOTSUP, "this Go version's structures are not known: %s", note_of(rt));
    return available(rt, kind, &rates, e);
}

/* ---- Locations */

/* Made when a location first lies in it; 0 is what a profile has for "none". */
static uint64_t mapping_of(struct maker *m, uint64_t address)
{
    struct space_mapping found;
    struct profile_mapping pm;

    if (space_mapping(m->space, address, &found) != 0)
        return 0;
    pm = (struct profile_mapping){
        .start = found.start,
        .limit = found.end,
        .offset = found.offset,
        .filename = found.path,
        .build_id = found.build_id,
    };
    return profile_mapping(m->profile, &pm);
}

/* Not Go's: C code that was linked in, or an address that is nothing. */
static uint64_t foreign_location(struct maker *m, uint64_t pc)
{
    struct profile_line lines[FRAME_INLINE_MAX];
    uint32_t n;

    m->frames.count = 0;
    if (space_frames(m->space, pc, &m->frames) != 0)
        m->frames.count = 0;
    for (n = 0; n < m->frames.count; n++) {
        const struct frame *f = &m->frames.frame[n];

        lines[n] = (struct profile_line){
            profile_function(m->profile, f->name, f->name, f->file, f->start_line), f->line};
    }
    return profile_location(m->profile, mapping_of(m, pc), pc, lines, n);
}

/* One location for all that is inlined at a call, innermost first, as proto.go's pcDeck puts them
 * together again from the list. */
static uint64_t go_location(struct maker *m, const struct inlinelist_step *step)
{
    const struct inlinelist_place *place = inlinelist_place(m->list, step->place);
    struct profile_line lines[FRAME_INLINE_MAX];
    size_t n = 0;

    for (uint32_t i = 0; i < place->levels; i++) {
        struct inlinelist_level level;

        if (!(step->shown & UINT64_C(1) << i))
            continue;
        inlinelist_level(m->list, step->place, i, &level);
        lines[n++] = (struct profile_line){
            profile_function(m->profile, level.name, level.name, level.file, level.start_line),
            level.line};
    }
    return profile_location(m->profile, mapping_of(m, place->pc), place->pc, lines, n);
}

/* Most places are always shown in the same form: that one is remembered. 0: a bound was reached. */
static uint64_t location_of(struct maker *m, const struct inlinelist_step *step)
{
    const struct inlinelist_place *place = inlinelist_place(m->list, step->place);

    if (step->shown != place->plain)
        return go_location(m, step);
    if (step->place >= m->locations_cap) {
        size_t cap = m->locations_cap ? m->locations_cap : FIRST_LOCATIONS;
        uint64_t *p;

        while (cap <= step->place)
            cap *= 2;
        p = realloc(m->locations, cap * sizeof(*p));
        if (!p)
            return 0;
        memset(p + m->locations_cap, 0, (cap - m->locations_cap) * sizeof(*p));
        m->locations = p;
        m->locations_cap = cap;
    }
    if (m->locations[step->place] == 0)
        m->locations[step->place] =
            place->levels > 0 ? go_location(m, step) : foreign_location(m, place->pc);
    return m->locations[step->place];
}

/* The runtime expands block and mutex stacks by CallersFrames first, which drops what is no Go. */
static bool drops_foreign(const struct maker *m)
{
    return m->kind == BUCKET_PROFILE_BLOCK || m->kind == BUCKET_PROFILE_MUTEX;
}

/* m->stack: the locations of a list. Their number or -errno. */
static int locate(struct maker *m, const uint64_t *pcs, uint32_t depth)
{
    int steps = inlinelist_expand(m->list, pcs, depth, true, m->steps);
    int n = 0;

    if (drops_foreign(m) && go_image_minor(m->rt->image) >= BUCKETS_PHYSICAL_MINOR &&
        depth <= BUCKETS_KEPT_PCS)
        steps = inlinelist_cut(m->list, m->steps, steps, BUCKETS_SHOWN_FRAMES, true);
    for (int i = 0; i < steps; i++) {
        const struct inlinelist_place *place = inlinelist_place(m->list, m->steps[i].place);

        if (place->goexit || (place->levels == 0 && drops_foreign(m)))
            continue;
        m->stack[n] = location_of(m, &m->steps[i]);
        if (m->stack[n] == 0)
            return -ENOSPC;
        n++;
    }
    return steps < 0 ? steps : n;
}

/* ---- Samples */

/* How many entries at the leaf are the allocator's own: they are left out unless all are. */
static int runtime_part(struct maker *m, const uint64_t *pcs, uint32_t depth, uint32_t *ret)
{
    for (uint32_t i = 0; i < depth; i++) {
        uint32_t place;
        int rc = inlinelist_find(m->list, pcs[i], &place);

        if (rc != 0)
            return rc;
        if (!inlinelist_place(m->list, place)->runtime) {
            *ret = i;
            return 0;
        }
    }
    *ret = 0;
    return 0;
}

/* protomem.go, writeHeapProto. The label has no unit there: readers take it from the key. */
static int add_memory(void *ctx, const struct bucket *b)
{
    struct maker *m = ctx;
    const int64_t rate = m->rates.memory;
    struct profile_label label = {.key = "bytes"};
    int64_t values[4];
    uint32_t skip;
    int n = runtime_part(m, b->pcs, b->depth, &skip);

    if (n == 0)
        n = locate(m, b->pcs + skip, b->depth - skip);
    if (n == 0 && skip > 0)
        n = locate(m, b->pcs, b->depth);
    if (n < 0)
        return n;
    buckets_scale(b->allocs, b->alloc_bytes, rate, &values[0], &values[1]);
    buckets_scale(b->allocs - b->frees, b->alloc_bytes - b->free_bytes, rate, &values[2],
                  &values[3]);
    if (b->allocs > 0)
        label.num = b->alloc_bytes / b->allocs;
    m->count++;
    return profile_sample(m->profile, m->stack, (size_t)n, values, &label, label.num != 0);
}

/* Go 1.18 and 1.19 record each sampled mutex event as one, and multiply when they write
 * (pprof.go, scaleMutexProfile); later ones multiply when they record. With the rate back at 0 what
 * it was is not known: then as recorded. */
static int64_t mutex_scale(const struct maker *m)
{
    bool scale = m->kind == BUCKET_PROFILE_MUTEX && m->rt->layout->minor < MUTEX_RECORDED_MINOR;

    return scale && m->rates.mutex > 1 ? m->rates.mutex : 1;
}

static int64_t clamped(double v)
{
    return v < (double)INT64_MAX ? (int64_t)v : INT64_MAX;
}

/* pprof.go, printCountCycleProfile; mprof.go, blockProfileInternal: a count of 0 (events that were
 * sampled with a chance above 1) is shown as 1. */
static int add_contention(void *ctx, const struct bucket *b)
{
    struct maker *m = ctx;
    double ns = (double)b->cycles / (m->ticks_per_second / (double)CLOCK_NS_PER_SEC);
    double scale = (double)mutex_scale(m);
    int64_t values[2] = {clamped(floor(b->count) * scale), clamped(ns * scale)};
    int n = locate(m, b->pcs, b->depth);

    if (n < 0)
        return n;
    if (values[0] == 0 && m->kind == BUCKET_PROFILE_BLOCK)
        values[0] = 1;
    m->count++;
    return profile_sample(m->profile, m->stack, (size_t)n, values, NULL, 0);
}

/* printCountProfile: threads with the same stack are one sample, which profile_sample() sees to. */
static int add_thread(void *ctx, uint32_t tid, const uint64_t *pcs, uint32_t depth)
{
    struct maker *m = ctx;
    const int64_t one = 1;
    int n = locate(m, pcs, depth);

    (void)tid;
    if (n < 0)
        return n;
    m->count++;
    return profile_sample(m->profile, m->stack, (size_t)n, &one, NULL, 0);
}

/* ---- The profile */

/* The order of the types is part of the format: readers take the last, or default, one. */
static int shape_types(struct maker *m)
{
    static const char *const memory[][2] = {{"alloc_objects", "count"},
                                            {"alloc_space", "bytes"},
                                            {"inuse_objects", "count"},
                                            {"inuse_space", "bytes"}};
    struct profile *p = m->profile;
    int rc = 0;

    switch (m->kind) {
    case BUCKET_PROFILE_BLOCK:
    case BUCKET_PROFILE_MUTEX:
        rc = profile_set_period(p, "contentions", "count", 1);
        if (rc == 0)
            rc = profile_add_type(p, "contentions", "count");
        return rc ? rc : profile_add_type(p, "delay", "nanoseconds");
    case BUCKET_PROFILE_THREADCREATE:
        rc = profile_set_period(p, "threadcreate", "count", 1);
        return rc ? rc : profile_add_type(p, "threadcreate", "count");
    case BUCKET_PROFILE_HEAP:
    case BUCKET_PROFILE_ALLOCS:
    default:
        rc = profile_set_period(p, "space", "bytes", m->rates.memory);
        for (size_t i = 0; rc == 0 && i < sizeof(memory) / sizeof(memory[0]); i++)
            rc = profile_add_type(p, memory[i][0], memory[i][1]);
        if (rc == 0 && m->kind == BUCKET_PROFILE_ALLOCS)
            rc = profile_set_default_type(p, "alloc_space");
        return rc;
    }
}

/* Time is when it was read, and there is no duration, as in Go's own. Readers take the program's
 * name from the first mapping. */
static int shape(struct maker *m)
{
    char text[ERR_TEXT_BYTES];
    int rc = shape_types(m);

    profile_set_time(m->profile, (int64_t)clock_real_ns(), 0);
    if (rc == 0 && space_main(m->space) != 0)
        (void)mapping_of(m, space_main(m->space));
    (void)snprintf(text, sizeof(text), "pillion %s, read from outside: %s", PILLION_VERSION,
                   go_image_version(m->rt->image));
    (void)profile_add_comment(m->profile, text);
    if (m->comment && m->comment[0])
        (void)profile_add_comment(m->profile, m->comment);
    if (!m->rt->certain)
        (void)profile_add_comment(m->profile, m->rt->note.text);
    if (m->kind == BUCKET_PROFILE_MUTEX && m->rates.mutex <= 0 &&
        m->rt->layout->minor < MUTEX_RECORDED_MINOR)
        (void)profile_add_comment(m->profile,
                                  "values are as sampled: the fraction is 0 by now, and "
                                  "what it was is not known");
    return rc;
}

/* The buckets of a kind, into the profile. */
static int fill(struct maker *m, struct go_budget *budget, struct err *e)
{
    switch (m->kind) {
    case BUCKET_PROFILE_BLOCK:
        return buckets_read(m->rt, BUCKETS_BLOCK, budget, add_contention, m, NULL, e);
    case BUCKET_PROFILE_MUTEX:
        return buckets_read(m->rt, BUCKETS_MUTEX, budget, add_contention, m, NULL, e);
    case BUCKET_PROFILE_THREADCREATE:
        return buckets_threads(m->rt, budget, add_thread, m, e);
    case BUCKET_PROFILE_HEAP:
    case BUCKET_PROFILE_ALLOCS:
    default:
        return buckets_read(m->rt, BUCKETS_MEMORY, budget, add_memory, m, &m->mixed, e);
    }
}

/* Promise of the design: what is not as it seems is said. */
static void comment_mixed(struct maker *m)
{
    char text[ERR_TEXT_BYTES];

    if (m->mixed == 0)
        return;
    (void)snprintf(text, sizeof(text),
                   "collections came too fast for one moment: %" PRIu64 " of %" PRIu64
                   " records may be one collection newer than the others",
                   m->mixed, m->count);
    (void)profile_add_comment(m->profile, text);
}

/* The reader of buckets knows best why it failed; only what nobody has explained is explained here.
 */
static int make(struct maker *m, struct go_budget *budget, struct buf *out, struct err *e)
{
    int rc;

    err_clear(e);
    m->profile = profile_new();
    rc = m->profile ? inlinelist_new(m->rt->image, &m->list) : -ENOMEM;
    if (rc == 0)
        rc = shape(m);
    if (rc == 0)
        rc = fill(m, budget, e);
    if (rc == 0)
        comment_mixed(m);
    if (rc == 0)
        rc = profile_failed(m->profile) ? -E2BIG : profile_encode(m->profile, out);
    if (rc != 0 && (!e || e->text[0] == '\0'))
        (void)err_set(e, rc, "the profile could not be built: %s",
                      rc == -ENOMEM ? "no memory" : "it would be larger than a profile may be");
    return rc;
}

/* What the rates must be for this kind; ${want} may know better what memory was sampled at. */
static int check(struct go_runtime *rt, const struct bucket_profile_want *want,
                 struct bucket_text_facts *facts, struct err *e)
{
    int rc;

    if (buckets_rates(rt, &facts->rates) != 0)
        return err_set(e, -ENOTSUP, "this Go version's structures are not known: %s", note_of(rt));
    if (want->heap_rate > 0)
        facts->rates.memory = want->heap_rate;
    rc = available(rt, want->kind, &facts->rates, e);
    if (rc != 0 || (want->kind != BUCKET_PROFILE_BLOCK && want->kind != BUCKET_PROFILE_MUTEX))
        return rc;
    facts->ticks_per_second = buckets_ticks_per_second(rt);
    if (facts->ticks_per_second == 0)
        rc = err_set(e, -ENOTSUP,
                     "no times: how fast the clock runs that the runtime counts in is not known on "
                     "this machine");
    return rc;
}

int bucket_profile_build(struct go_runtime *rt, struct space *space,
                         const struct bucket_profile_want *want, struct go_budget *budget,
                         struct buf *out, uint64_t *ret_count, struct err *e)
{
    struct bucket_text_facts facts = {.kind = want->kind};
    struct maker *m;
    int rc = check(rt, want, &facts, e);

    if (rc != 0)
        return rc;
    if (want->text)
        return bucket_text_build(rt, &facts, budget, out, ret_count, e);
    m = calloc(1, sizeof(*m));
    if (!m)
        return err_set(e, -ENOMEM, "no memory for the profile");
    m->rt = rt;
    m->space = space;
    m->kind = want->kind;
    m->comment = want->comment;
    m->rates = facts.rates;
    m->ticks_per_second = facts.ticks_per_second;
    rc = make(m, budget, out, e);
    if (rc == 0)
        *ret_count = m->count;
    inlinelist_free(m->list);
    profile_free(m->profile);
    free(m->locations);
    free(m);
    return rc;
}
