#include "sampler/goroutine_profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "profile/profile.h"
#include "sampler/go/labels.h"
#include "sampler/goroutine_text.h"

enum {
    LABELS_MORE = 5, /* that details add: goid, state, wait_reason, waited_seconds, created_by */
};

struct builder {
    struct go_runtime *rt;
    struct space *space;
    enum goroutine_form form;
    unsigned flags;
    struct buf *out;
    struct gosyms syms;
    struct gofold fold;
    struct profile *profile;
    uint64_t *locations; /* by number of the address; 0: not made yet */
    uint32_t locations_cap;
    bool streams; /* each is a sample of its own: written as it comes, and forgotten */
};

/* ---- pprof. */

static uint64_t mapping_of(struct builder *b, uint64_t address)
{
    struct space_mapping m;
    struct profile_mapping pm;

    if (!b->space || space_mapping(b->space, address, &m) != 0)
        return 0;
    pm = (struct profile_mapping){
        .start = m.start,
        .limit = m.end,
        .offset = m.offset,
        .filename = m.path,
        .build_id = m.build_id,
    };
    return profile_mapping(b->profile, &pm);
}

/* A place that is no address, in brackets as in CPU profiles. */
static uint64_t marker(struct builder *b, const char *name)
{
    struct profile_line line = {profile_function(b->profile, name, name, "", 0), 0};

    return profile_location(b->profile, 0, 0, &line, 1);
}

static bool reserve_locations(struct builder *b, uint32_t i)
{
    uint32_t cap = b->locations_cap ? b->locations_cap : 1024;
    uint64_t *p;

    if (i < b->locations_cap)
        return true;
    while (cap <= i)
        cap *= 2;
    p = realloc(b->locations, cap * sizeof(*p));
    if (!p)
        return false;
    memset(p + b->locations_cap, 0, (cap - b->locations_cap) * sizeof(*p));
    b->locations = p;
    b->locations_cap = cap;
    return true;
}

/* 0 and *ret_hidden: nothing but a wrapper, which Go's profiles leave out. 0 alone: a bound. */
static uint64_t location_of(struct builder *b, uint64_t address, bool *ret_hidden)
{
    struct profile_line lines[FRAME_INLINE_MAX];
    uint32_t index = 0, n = 0;
    const struct gosyms_sym *sym = gosyms_get(&b->syms, address, &index);

    *ret_hidden = sym && sym->hidden;
    if (!sym || sym->hidden || !reserve_locations(b, index))
        return 0;
    if (b->locations[index] != 0)
        return b->locations[index];
    for (; n < sym->count && n < FRAME_INLINE_MAX; n++) {
        const struct gosyms_frame *f = gosyms_frame(&b->syms, sym, n);
        const char *name = gosyms_text(&b->syms, f->name);

        lines[n] = (struct profile_line){
            profile_function(b->profile, name, name, gosyms_text(&b->syms, f->file), f->start_line),
            f->line,
        };
    }
    b->locations[index] = profile_location(b->profile, mapping_of(b, address), address, lines, n);
    return b->locations[index];
}

/* A set as labelset.h writes it. */
static size_t labels_of(const struct builder *b, uint32_t set,
                        struct profile_label out[static LABELS_MAX])
{
    size_t bytes, n = 0;
    const char *p = gofold_text(&b->fold, set, &bytes);

    for (size_t at = 0; p && at < bytes && n < LABELS_MAX; n++) {
        const char *key = p + at, *value = key + strlen(key) + 1;

        out[n] = (struct profile_label){.key = key, .str = value};
        at = (size_t)(value - p) + strlen(value) + 1;
    }
    return n;
}

/* What the runtime calls a status; "waiting" is all that it has a reason for. */
static bool is_status(const char *state)
{
    static const char *const names[] = {"runnable", "running", "syscall", "preempted", "waiting"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(state, names[i]) == 0)
            return true;
    }
    return false;
}

/* Numbers as numbers with a unit where pprof knows one: tags can then be ranges. Pointers into
 * b->syms are good until the next look-up, which is after the sample was added. */
static size_t detail_labels(struct builder *b, const struct gofold_key *k,
                            struct profile_label out[static LABELS_MORE])
{
    size_t bytes, n = 0;
    const char *state = gofold_text(&b->fold, k->state, &bytes);
    uint32_t index;

    out[n++] = (struct profile_label){.key = "goid", .num = (int64_t)k->goid};
    if (state && is_status(state)) {
        out[n++] = (struct profile_label){.key = "state", .str = state};
    } else if (state) {
        out[n++] = (struct profile_label){.key = "state", .str = "waiting"};
        out[n++] = (struct profile_label){.key = "wait_reason", .str = state};
    }
    if (k->wait_ns >= CLOCK_NS_PER_SEC)
        out[n++] = (struct profile_label){.key = "waited_seconds",
                                          .num = (int64_t)(k->wait_ns / CLOCK_NS_PER_SEC),
                                          .unit = "seconds"};
    if (k->created_by) {
        const struct gosyms_sym *sym = gosyms_get(&b->syms, k->created_by - 1, &index);

        if (sym && sym->count > 0)
            out[n++] = (struct profile_label){.key = "created_by",
                                              .str = gosyms_text(&b->syms, sym->outer)};
    }
    return n;
}

/* What all goroutines of a group share. */
static size_t group_labels(struct builder *b, const struct gofold_key *k,
                           struct profile_label out[static LABELS_MORE])
{
    size_t bytes, n = 0;
    const char *state = gofold_text(&b->fold, k->state, &bytes);
    const struct gosyms_sym *sym;
    uint32_t index;

    if (state)
        out[n++] = (struct profile_label){.key = "state", .str = state};
    sym = k->created_by ? gosyms_get(&b->syms, k->created_by - 1, &index) : NULL;
    if (sym && sym->count > 0)
        out[n++] =
            (struct profile_label){.key = "created_by", .str = gosyms_text(&b->syms, sym->outer)};
    return n;
}

/*
 * Leaf first. A goroutine without a stack has a marker instead of one: it is counted, and nobody
 * takes it for one that waits.
 */
static int add_sample(struct builder *b, const struct gofold_group *g)
{
    uint64_t locations[GOROUTINES_DEPTH_MAX + 2];
    struct profile_label labels[LABELS_MAX + LABELS_MORE];
    int64_t count = (int64_t)g->count;
    size_t n = 0, labelled;

    if (g->key->flags & GOROUTINE_RUNNING)
        locations[n++] = marker(b, "[running]");
    if (g->key->flags & GOROUTINE_TORN)
        locations[n++] = marker(b, "[torn]");
    for (uint32_t i = 0; i < g->key->depth; i++) {
        bool hidden;
        uint64_t id = location_of(b, g->key->addresses[i], &hidden);

        if (id == 0 && !hidden)
            return -E2BIG;
        if (id != 0)
            locations[n++] = id;
    }
    if (n == 0 || (g->key->flags & GOROUTINE_TRUNCATED))
        locations[n++] = marker(b, "[truncated]");
    labelled = b->flags & GOROUTINE_PROFILE_GROUPS ? group_labels(b, g->key, labels)
                                                   : labels_of(b, g->key->labels, labels);
    if (b->flags & GOROUTINE_PROFILE_DETAIL) {
        if (labelled > PROFILE_LABELS_MAX - LABELS_MORE)
            labelled = PROFILE_LABELS_MAX - LABELS_MORE;
        labelled += detail_labels(b, g->key, labels + labelled);
    }
    return b->streams
               ? profile_stream_sample(b->profile, locations, n, &count, labels, labelled, b->out)
               : profile_sample(b->profile, locations, n, &count, labels, labelled);
}

static void comment(struct profile *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void comment(struct profile *p, const char *fmt, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)profile_add_comment(p, text);
}

/* What is missing is said. */
static void comment_all(struct builder *b, const struct goroutines_counts *c)
{
    comment(b->profile, "pillion %s", PILLION_VERSION);
    comment(b->profile, "target: %s", go_image_version(b->rt->image));
    comment(b->profile,
            "goroutines: %" PRIu64 ", the runtime's own: %" PRIu64 ", running (no stack): %" PRIu64
            ", torn (no stack): %" PRIu64 ", impossible and left out: %" PRIu64
            ", stack not whole: %" PRIu64 ", labels not read: %" PRIu64,
            c->user, c->system, c->running, c->torn, c->unreadable, c->truncated, c->unlabelled);
    if (c->sampled)
        comment(b->profile,
                "running, with the stack of their thread's last CPU sample, at most %.1f ms old: "
                "%" PRIu64,
                (double)c->oldest_ns / (double)CLOCK_NS_PER_MS, c->sampled);
    if (!b->rt->certain)
        comment(b->profile, "%s", b->rt->note.text);
}

static int begin_pprof(struct builder *b)
{
    int r;

    b->profile = profile_new();
    if (!b->profile)
        return -ENOMEM;
    r = profile_add_type(b->profile, "goroutine", "count");
    if (r == 0)
        r = profile_set_period(b->profile, "goroutine", "count", 1);
    profile_set_time(b->profile, (int64_t)clock_real_ns(), 0);
    /* readers take the program's name and build id from the first mapping */
    if (r == 0 && b->space && space_main(b->space) != 0)
        (void)mapping_of(b, space_main(b->space));
    if (r == 0 && b->streams)
        r = profile_stream_begin(b->profile, b->out);
    return r;
}

static int finish_pprof(struct builder *b, const struct goroutines_counts *counts)
{
    int r = 0;

    for (size_t i = 0; i < gofold_count(&b->fold) && r == 0; i++) {
        struct gofold_group g = gofold_get(&b->fold, i);

        r = add_sample(b, &g);
    }
    if (r != 0)
        return r;
    comment_all(b, counts);
    if (profile_failed(b->profile))
        return -E2BIG;
    return b->streams ? profile_stream_end(b->profile, b->out) : profile_encode(b->profile, b->out);
}

/* ---- The whole. */

/* Every goroutine, as it comes. */
static int add(void *ctx, const struct goroutine *g)
{
    struct builder *b = ctx;
    struct gofold_group one;
    int r;

    if ((g->flags & GOROUTINE_SYSTEM) && !(b->flags & GOROUTINE_PROFILE_SYSTEM))
        return 0;
    if (!b->streams)
        return gofold_add(&b->fold, g);
    r = gofold_one(&b->fold, g, &one);
    return r ? r : add_sample(b, &one);
}

static int finish(struct builder *b, const struct goroutines_counts *counts)
{
    int r = gofold_sort(&b->fold);

    if (r != 0)
        return r;
    switch (b->form) {
    case GOROUTINE_PPROF:
        return finish_pprof(b, counts);
    case GOROUTINE_DEBUG1:
        return goroutine_text_debug1(&b->syms, &b->fold, b->out);
    case GOROUTINE_JSON:
        return goroutine_text_json(&b->syms, &b->fold, counts, b->out);
    case GOROUTINE_GROUPED:
        return goroutine_text_grouped(&b->syms, &b->fold, counts, b->out);
    }
    return -EINVAL;
}

/* Details make each goroutine a group of its own; debug=1 has no room for them. */
static unsigned fold_by(enum goroutine_form form, unsigned flags)
{
    bool groups =
        form == GOROUTINE_JSON || form == GOROUTINE_GROUPED || flags & GOROUTINE_PROFILE_GROUPS;
    unsigned by = groups ? GOFOLD_STATE : 0;

    return flags & GOROUTINE_PROFILE_DETAIL && form != GOROUTINE_DEBUG1
               ? GOFOLD_STATE | GOFOLD_SINGLE
               : by;
}

/* NOLINTNEXTLINE(readability-function-size): one border for five forms, eight arguments */
int goroutine_profile_build(struct go_runtime *rt, struct space *space, enum goroutine_form form,
                            unsigned flags, struct go_budget *budget, struct buf *out,
                            struct goroutines_counts *ret_counts, struct err *e)
{
    struct builder *b = calloc(1, sizeof(*b));
    struct goroutines_counts counts = {0};
    struct err why = {0};
    int r;

    if (!b)
        return err_set(e, -ENOMEM, "no memory for the goroutines");
    b->rt = rt;
    b->space = space;
    b->form = form;
    b->flags = flags;
    b->out = out;
    b->streams = form == GOROUTINE_PPROF && flags & GOROUTINE_PROFILE_DETAIL;
    gosyms_init(&b->syms, rt->image);
    r = gofold_init(&b->fold, fold_by(form, flags));
    if (r == 0 && form == GOROUTINE_PPROF)
        r = begin_pprof(b);
    if (r == 0)
        r = goroutines_read(rt, budget, add, b, &counts, &why);
    if (r == 0)
        r = finish(b, &counts);
    if (r == 0)
        *ret_counts = counts;
    else if (why.text[0])
        (void)err_set(e, r, "%s", why.text);
    else
        (void)err_set(e, r, "the goroutines do not fit into a profile");
    profile_free(b->profile);
    free(b->locations);
    gofold_release(&b->fold);
    gosyms_release(&b->syms);
    free(b);
    return r;
}
