#include "sampler/go/gread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sampler/go/gruns.h"

enum {
    FIRST_BYTES = 4096, /* of a stack, with the batch; the rest of a deeper one by itself */
    M_BYTES = 1024,     /* of a runtime.m, of 1,600 and more: up to what a system call moves */
    RANGES_MAX = 1024,  /* of one readv */
    ITEM_RANGES_MAX = 7,
};

/* Where an item's copies are among the ranges of its round; 0: not read. */
enum part { PART_A, PART_MA, PART_KA, PART_B, PART_KB, PART_MB, PART_C, PARTS };

struct item {
    struct gview view; /* as it was last seen: where the next round looks for its stack */
    bool pending, impossible;
    bool full;            /* read in the long form */
    uint32_t stack_bytes; /* 0: none to read */
    struct target_range *part[PARTS];
    struct target_range in_run; /* its share of a run, as if it had been read alone */
    uint8_t a[GVIEW_MAX_BYTES], b[GVIEW_MAX_BYTES], c[GVIEW_MAX_BYTES];
    uint8_t ma[M_BYTES], mb[M_BYTES];
    uint8_t ka[FIRST_BYTES], kb[FIRST_BYTES];
};

struct gread {
    struct go_runtime *rt;
    struct go_budget *budget;
    struct callsites *calls;
    struct gstack_rules rules;
    struct item items[GOROUTINES_BATCH];
    size_t count;
    struct target_range ranges[RANGES_MAX];
    size_t range_count;
    struct gruns runs;
    struct gstack stack, twin; /* of the g at hand, and as it was a moment later */
    uint8_t deep[GOROUTINES_STACK_READ_BYTES];
    int (*found)(void *ctx, const struct gread_found *f);
    void *ctx;
};

int gread_new(struct go_runtime *rt, struct go_budget *budget, struct gread **ret)
{
    struct gread *r = malloc(sizeof(*r)); /* 3 MiB that nobody reads before they are written */
    int e;

    if (!r)
        return -ENOMEM;
    r->rt = rt;
    r->budget = budget;
    e = callsites_new(rt->image, rt->target, &r->calls);
    if (e != 0) {
        free(r);
        return e;
    }
    gstack_rules_init(&r->rules, rt->image, r->calls);
    *ret = r;
    return 0;
}

void gread_free(struct gread *r)
{
    if (!r)
        return;
    callsites_free(r->calls);
    free(r);
}

struct gstack_rules *gread_rules(struct gread *r)
{
    return &r->rules;
}

/* What r->ranges wants, paid for first. Ranges that could not be read have their got; an error is
 * the whole target's. */
static int fetch(struct gread *r)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < r->range_count; i++)
        bytes += r->ranges[i].bytes;
    if (!budget_spend(r->budget, bytes))
        return budget_error(r->budget);
    return r->range_count == 0
               ? 0
               : r->rt->target->ops->readv(r->rt->target->ctx, r->ranges, r->range_count);
}

static struct target_range *want(struct gread *r, uint64_t address, void *out, uint32_t bytes)
{
    struct target_range *t = &r->ranges[r->range_count++];

    *t = (struct target_range){address, out, bytes, 0};
    return t;
}

static bool has_all(const struct target_range *t)
{
    return t->got == t->bytes;
}

/* ---- One item's ranges. */

static bool wants_full(const struct item *it)
{
    return !gview_is_settled(&it->view);
}

/* Its stack, as far as the first bytes reach. A g that runs has none to read. */
static void plan_stack(struct gread *r, struct item *it)
{
    const struct gview *v = &it->view;

    memset(it->part, 0, sizeof(it->part));
    it->stack_bytes = 0;
    if (!gview_is_sane(v) || !gview_has_stack(v))
        return;
    it->stack_bytes = v->hi - v->sp < FIRST_BYTES ? (uint32_t)(v->hi - v->sp) : FIRST_BYTES;
    it->part[PART_KA] = want(r, v->sp, it->ka, it->stack_bytes);
}

/* All of it in one go: the g before and after its stack; in the long form twice. */
static void plan(struct gread *r, struct item *it)
{
    const struct gview *v = &it->view;
    uint32_t g_bytes = (uint32_t)r->rt->layout->g_size;
    struct target_range *a = want(r, v->address, it->a, g_bytes), *ma = NULL;

    it->full = wants_full(it);
    if (it->full && v->m != 0)
        ma = want(r, v->m, it->ma, M_BYTES);
    plan_stack(r, it);
    it->part[PART_A] = a;
    it->part[PART_MA] = ma;
    it->part[PART_B] = want(r, v->address, it->b, g_bytes);
    if (!it->full || !it->stack_bytes)
        return;
    it->part[PART_KB] = want(r, v->sp, it->kb, it->stack_bytes);
    if (v->m != 0)
        it->part[PART_MB] = want(r, v->m, it->mb, M_BYTES);
    it->part[PART_C] = want(r, v->address, it->c, g_bytes);
}

/* ---- What came of it. */

/* m.procid, where the m was read. Whether the m is one is not known: a wrong number names a thread
 * that is not there, or another, and nothing is done with it but to show it. */
static uint32_t tid_of(const struct gread *r, const struct item *it)
{
    int32_t at = r->rt->layout->m_procid;
    uint64_t tid = 0;

    if (it->part[PART_MA] && at + (int32_t)sizeof(tid) <= (int32_t)it->part[PART_MA]->got)
        memcpy(&tid, it->ma + at, sizeof(tid));
    return tid <= INT32_MAX ? (uint32_t)tid : 0;
}

static int tell(struct gread *r, struct item *it, enum gread_kind kind, bool cut)
{
    struct gread_found f = {
        .kind = kind,
        .view = &it->view,
        .stack = kind == GREAD_STACK ? &r->stack : NULL,
        .cut = cut,
        .tid = tid_of(r, it),
    };

    it->pending = false;
    return r->found(r->ctx, &f);
}

/* Did nothing change in the time that was looked at? All copies are complete. */
static bool held_still(const struct gread *r, const struct item *it)
{
    const struct go_layout *l = r->rt->layout;
    const struct target_range *ma = it->part[PART_MA], *mb = it->part[PART_MB];

    if (!gview_same(l, it->a, it->b) || (it->part[PART_C] && !gview_same(l, it->a, it->c)))
        return false;
    return !ma || !mb || (ma->got == mb->got && memcmp(it->ma, it->mb, ma->got) == 0);
}

static bool same_stack(const struct gstack *a, const struct gstack *b)
{
    return a->depth == b->depth && memcmp(a->pcs, b->pcs, a->depth * sizeof(a->pcs[0])) == 0;
}

/* ---- Stacks that do not fit into the first bytes: one at a time. */

/* ${s} from its begin to its end; *ret_still is false when the g has changed meanwhile. */
static int walk_deep(struct gread *r, struct item *it, struct gstack *s, enum gstack_end *ret_end,
                     bool *ret_still)
{
    uint32_t g_bytes = (uint32_t)r->rt->layout->g_size;
    uint64_t read = 0;

    *ret_still = true;
    *ret_end = GSTACK_MORE;
    gstack_begin(s, &it->view);
    s->need = it->view.sp;
    while (*ret_end == GSTACK_MORE && *ret_still) {
        uint64_t left = s->hi - s->need, bytes = left < sizeof(r->deep) ? left : sizeof(r->deep);
        struct target_range *k, *b;
        int e;

        read += bytes;
        if (read > GOROUTINES_STACK_MAX_BYTES) {
            *ret_end = GSTACK_CUT;
            return 0;
        }
        r->range_count = 0;
        k = want(r, s->need, r->deep, (uint32_t)bytes);
        b = want(r, it->view.address, it->b, g_bytes);
        e = fetch(r);
        if (e != 0)
            return e;
        *ret_still = has_all(b) && gview_same(r->rt->layout, it->a, it->b);
        *ret_end =
            has_all(k) ? gstack_walk(s, &r->rules, r->deep, k->address, bytes) : GSTACK_IMPOSSIBLE;
    }
    return 0;
}

/* The m once more, for those that keep it. */
static int read_m(struct gread *r, struct item *it, uint8_t *out, uint32_t *ret_got)
{
    struct target_range *m;
    int e;

    *ret_got = 0;
    if (it->view.m == 0)
        return 0;
    r->range_count = 0;
    m = want(r, it->view.m, out, M_BYTES);
    e = fetch(r);
    *ret_got = m->got;
    return e;
}

static int try_deep(struct gread *r, struct item *it, enum gstack_end *ret_end, bool *ret_still)
{
    struct target_range *a;
    uint32_t before = 0, after = 0;
    enum gstack_end twin_end;
    int e;

    r->range_count = 0;
    a = want(r, it->view.address, it->a, (uint32_t)r->rt->layout->g_size);
    e = fetch(r);
    if (e != 0)
        return e;
    *ret_still = false;
    *ret_end = GSTACK_IMPOSSIBLE;
    if (!has_all(a))
        return 0;
    gview_read(r->rt->layout, it->view.address, it->a, &it->view);
    if (!gview_has_stack(&it->view) || !gview_is_sane(&it->view))
        return 0;
    e = read_m(r, it, it->ma, &before);
    if (e == 0)
        e = walk_deep(r, it, &r->stack, ret_end, ret_still);
    if (e != 0 || !*ret_still || !wants_full(it))
        return e;
    e = walk_deep(r, it, &r->twin, &twin_end, ret_still);
    if (e == 0)
        e = read_m(r, it, it->mb, &after);
    *ret_still = *ret_still && before == after && memcmp(it->ma, it->mb, before) == 0 &&
                 same_stack(&r->stack, &r->twin);
    return e;
}

/*
 * Some hundred microseconds for each, so a goroutine with a deep stack that moves is torn more
 * easily than others; those that wait at the end of a long recursion do so for long.
 */
static int read_deep(struct gread *r, struct item *it)
{
    enum gstack_end end = GSTACK_MORE;
    bool still = false;

    memset(it->part, 0, sizeof(it->part)); /* the ranges are used for other things here */
    for (int i = 0; i <= GOROUTINES_RETRIES_MAX; i++) {
        int e = try_deep(r, it, &end, &still);

        if (e != 0)
            return e;
        if (still && end != GSTACK_IMPOSSIBLE)
            return tell(r, it, GREAD_STACK, end == GSTACK_CUT);
        if (it->view.status == GVIEW_DEAD || it->view.status == GVIEW_DEADEXTRA)
            return tell(r, it, GREAD_DEAD, false);
    }
    return tell(r, it, still ? GREAD_UNREADABLE : GREAD_TORN, false);
}

/* ---- The rounds. */

/* What a single copy of a g already settles. */
static int judge_status(struct gread *r, struct item *it)
{
    uint32_t s = it->view.status;

    if (s == GVIEW_DEAD || s == GVIEW_DEADEXTRA)
        return tell(r, it, GREAD_DEAD, false);
    it->impossible = !gview_is_sane(&it->view) && s != GVIEW_COPYSTACK;
    return 0;
}

static bool copies_complete(const struct item *it)
{
    static const enum part g_parts[] = {PART_A, PART_B, PART_C};

    for (size_t i = 0; i < sizeof(g_parts) / sizeof(g_parts[0]); i++) {
        if (it->part[g_parts[i]] && !has_all(it->part[g_parts[i]]))
            return false;
    }
    return true;
}

/* Walks what the round has read. *ret_agree is false when it was read twice and says two things. */
static enum gstack_end walk_first(struct gread *r, struct item *it, const struct gview *v,
                                  bool *ret_agree)
{
    enum gstack_end end;

    *ret_agree = true;
    if (!has_all(it->part[PART_KA]))
        return GSTACK_IMPOSSIBLE;
    gstack_begin(&r->stack, v);
    end = gstack_walk(&r->stack, &r->rules, it->ka, v->sp, it->stack_bytes);
    if (!it->part[PART_KB])
        return end;
    gstack_begin(&r->twin, v);
    *ret_agree = has_all(it->part[PART_KB]) &&
                 gstack_walk(&r->twin, &r->rules, it->kb, v->sp, it->stack_bytes) == end &&
                 same_stack(&r->stack, &r->twin);
    return end;
}

/*
 * The verdict on one item after a round; 0 also when it stays pending. The last copy becomes its
 * view and the "before" of what comes next: where it stands now is where it is looked for again.
 * Nothing is taken that was read in the short form and turns out to need the long one.
 */
static int judge(struct gread *r, struct item *it)
{
    const uint8_t *last = it->part[PART_C] ? it->c : it->b;
    uint64_t sp = it->view.sp; /* where the stack was read */
    enum gstack_end end;
    bool still, agree;
    int e;

    if (!copies_complete(it)) {
        it->impossible = true;
        return 0;
    }
    still = held_still(r, it);
    gview_read(r->rt->layout, it->view.address, last, &it->view);
    memcpy(it->a, last, (size_t)r->rt->layout->g_size); /* the "before" of what comes next */
    e = judge_status(r, it);
    if (e != 0 || !it->pending || !still || it->impossible || it->full != wants_full(it))
        return e;
    if (it->view.status == GVIEW_RUNNING)
        return tell(r, it, GREAD_RUNNING, false);
    if (!it->part[PART_KA] || it->view.sp != sp)
        return 0;
    end = walk_first(r, it, &it->view, &agree);
    it->impossible = agree && end == GSTACK_IMPOSSIBLE;
    if (agree && (end == GSTACK_TOP || end == GSTACK_CUT))
        return tell(r, it, GREAD_STACK, end == GSTACK_CUT);
    return 0;
}

/* Its stack goes on behind what was read: it waits for its turn after the round. */
static bool is_deep(const struct item *it)
{
    return it->pending && !it->impossible && it->stack_bytes == FIRST_BYTES;
}

static int judge_all(struct gread *r, size_t from, size_t to, bool full)
{
    int e = 0;

    for (size_t i = from; i < to && e == 0; i++) {
        if (r->items[i].pending && r->items[i].full == full)
            e = judge(r, &r->items[i]);
    }
    /* r->ranges is free again */
    for (size_t i = from; i < to && e == 0; i++) {
        if (is_deep(&r->items[i]) && r->items[i].full == full)
            e = read_deep(r, &r->items[i]);
    }
    return e;
}

/* The g of an item into ${to}, together with its neighbours. */
static void want_in_run(struct gread *r, struct item *it, enum part part)
{
    uint8_t *to = part == PART_A ? it->a : it->b;

    it->in_run = (struct target_range){it->view.address, to, (uint32_t)r->rt->layout->g_size, 0};
    it->part[part] = &it->in_run;
    gruns_add(&r->runs, &it->in_run);
}

/* What stands in r->ranges already, and the runs behind it. */
static int fetch_with_runs(struct gread *r)
{
    size_t first = r->range_count;
    int e;

    r->range_count += gruns_plan(&r->runs, r->ranges + first);
    e = fetch(r);
    if (e == 0)
        gruns_share(&r->runs, r->ranges + first, r->range_count - first);
    return e;
}

/* The first round of those that are settled: all stacks, then all g's again. */
static int settled_round(struct gread *r)
{
    int e;

    r->range_count = 0;
    gruns_begin(&r->runs, (uint32_t)r->rt->layout->g_size);
    for (size_t i = 0; i < r->count; i++) {
        struct item *it = &r->items[i];

        it->full = wants_full(it);
        if (!it->pending || it->full)
            continue;
        plan_stack(r, it);
        want_in_run(r, it, PART_B);
    }
    e = fetch_with_runs(r);
    return e != 0 ? e : judge_all(r, 0, r->count, false);
}

/* The others' first round, and all further ones. */
static int full_round(struct gread *r, bool again)
{
    size_t i = 0;

    while (i < r->count) {
        size_t from = i;
        int e;

        r->range_count = 0;
        for (; i < r->count && r->range_count + ITEM_RANGES_MAX <= RANGES_MAX; i++) {
            if (r->items[i].pending && (again || r->items[i].full))
                plan(r, &r->items[i]);
        }
        e = fetch(r);
        if (e == 0)
            e = judge_all(r, from, i, true);
        if (e == 0 && again)
            e = judge_all(r, from, i, false);
        if (e != 0)
            return e;
    }
    return 0;
}

/* All g's at once, without their stacks. */
static int first_look(struct gread *r, const uint64_t *g)
{
    int e;

    r->range_count = 0;
    gruns_begin(&r->runs, (uint32_t)r->rt->layout->g_size);
    for (size_t i = 0; i < r->count; i++) {
        struct item *it = &r->items[i];

        it->pending = true;
        it->view = (struct gview){.address = g[i]};
        memset(it->part, 0, sizeof(it->part));
        want_in_run(r, it, PART_A);
    }
    e = fetch_with_runs(r);
    if (e != 0)
        return e;
    for (size_t i = 0; i < r->count && e == 0; i++) {
        struct item *it = &r->items[i];

        it->impossible = !has_all(it->part[PART_A]);
        if (it->impossible) /* it may be its neighbour's fault: the rounds read it alone */
            memset(it->a, 0, sizeof(it->a));
        gview_read(r->rt->layout, g[i], it->a, &it->view);
        it->part[PART_A] = NULL;
        if (!it->impossible)
            e = judge_status(r, it);
    }
    return e;
}

int gread_batch(struct gread *r, const uint64_t *g, size_t count,
                int (*found)(void *ctx, const struct gread_found *f), void *ctx)
{
    int e;

    r->count = count < GOROUTINES_BATCH ? count : GOROUTINES_BATCH;
    r->found = found;
    r->ctx = ctx;
    e = first_look(r, g);
    if (e == 0)
        e = settled_round(r);
    for (int i = 0; i <= GOROUTINES_RETRIES_MAX && e == 0; i++)
        e = full_round(r, i > 0);
    for (size_t i = 0; i < r->count && e == 0; i++) {
        struct item *it = &r->items[i];

        if (!it->pending)
            continue;
        memset(it->part, 0, sizeof(it->part)); /* others have used the ranges since */
        e = tell(r, it, it->impossible ? GREAD_UNREADABLE : GREAD_TORN, false);
    }
    return e;
}
