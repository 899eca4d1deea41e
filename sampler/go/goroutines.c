#include "sampler/go/goroutines.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sampler/go/glist.h"
#include "sampler/go/gread.h"
#include "sampler/go/labelset.h"
#include "sampler/go/waitreason.h"

enum {
    STARTS = 256, /* start functions remembered, a power of two */
    NAME_BYTES = 64,
};

_Static_assert((int)GO_WHERE_DEPTH_MAX <= (int)GOROUTINES_DEPTH_MAX, "a stack like any other");

/* What runtime.isSystemGoroutine says of a start function. */
enum start { START_UNKNOWN, START_USER, START_SYSTEM, START_FINALIZERS, START_CLEANUPS };

struct start_slot {
    uint64_t pc;
    enum start start;
};

struct reading {
    struct go_runtime *rt;
    struct go_budget *budget;
    int (*each)(void *ctx, const struct goroutine *g);
    void *ctx;
    struct goroutines_counts counts;
    struct gread *gread;
    struct labelset *labelset;
    struct waitreasons reasons;
    struct start_slot starts[STARTS];
    uint64_t now_ns;
    struct go_where where; /* of the one at hand */
    char state[GOROUTINES_REASON_BYTES + 16];
    /* the set that came last: goroutines of one kind have it in common */
    uint64_t labels_pointer;
    const void *labels;
    size_t labels_bytes;
};

/* ---- System goroutines. */

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static enum start start_by_name(const char *name)
{
    if (!begins(name, "runtime."))
        return START_USER;
    if (strcmp(name, "runtime.main") == 0 || strcmp(name, "runtime.handleAsyncEvent") == 0 ||
        strcmp(name, "runtime.corostart") == 0)
        return START_USER;
    if (strcmp(name, "runtime.runfinq") == 0 || strcmp(name, "runtime.runFinalizers") == 0)
        return START_FINALIZERS;
    if (strcmp(name, "runtime.runCleanups") == 0)
        return START_CLEANUPS;
    return START_SYSTEM;
}

/* A program starts goroutines at some dozens of places; one look each. */
static enum start start_of(struct reading *r, uint64_t pc)
{
    struct start_slot *s = &r->starts[(pc >> 5) % STARTS]; /* functions begin at 32 bytes */
    char name[NAME_BYTES];
    uint64_t entry;

    if (s->start == START_UNKNOWN || s->pc != pc) {
        s->pc = pc;
        s->start = START_USER; /* as for a pc in no function */
        if (go_image_entry(r->rt->image, pc, name, sizeof(name), &entry) == 0)
            s->start = start_by_name(name);
    }
    return s->start;
}

/*
 * The finalizer goroutine belongs to the user while it runs the user's function. The runtime asks
 * fingStatus; the stack says the same: there is a frame that is not the runtime's.
 */
static bool runs_user_code(struct reading *r, const struct gstack *s)
{
    char name[NAME_BYTES];
    uint64_t entry;

    for (uint32_t i = 0; s && i < s->depth; i++) {
        if (go_image_entry(r->rt->image, s->pcs[i], name, sizeof(name), &entry) == 0 &&
            !begins(name, "runtime.") && !begins(name, "internal/runtime/"))
            return true;
    }
    return false;
}

static bool is_system(struct reading *r, const struct gread_found *f)
{
    switch (start_of(r, f->view->startpc)) {
    case START_SYSTEM:
        return true;
    case START_FINALIZERS:
        return !runs_user_code(r, f->stack);
    case START_CLEANUPS:
        return !f->view->cleans;
    case START_UNKNOWN:
    case START_USER:
        break;
    }
    return false;
}

/* ---- What is said of one. */

/* runtime/traceback.go, gStatusStrings and goroutineheader. */
static const char *state_of(struct reading *r, const struct gview *v)
{
    static const char *const names[] = {
        [GVIEW_RUNNABLE] = "runnable", [GVIEW_RUNNING] = "running",     [GVIEW_SYSCALL] = "syscall",
        [GVIEW_WAITING] = "waiting",   [GVIEW_PREEMPTED] = "preempted", [GVIEW_LEAKED] = "leaked",
    };
    const char *name = names[v->status]; /* gread gives no other status */

    if (v->status != GVIEW_WAITING && v->status != GVIEW_LEAKED)
        return name;
    if (v->waitreason != 0 && v->waitreason < r->reasons.count)
        name = r->reasons.text[v->waitreason];
    else if (v->waitreason != 0)
        name = "unknown wait reason";
    if (v->status != GVIEW_LEAKED)
        return name;
    (void)snprintf(r->state, sizeof(r->state), "%s (leaked)", name);
    return r->state;
}

/* waitsince is nanotime(), which is CLOCK_MONOTONIC on Linux (runtime/sys_linux_amd64.s), and is
 * set by the first collection that finds the goroutine waiting: the wait is at least that long. */
static uint64_t waited(const struct reading *r, const struct gview *v)
{
    if ((v->status != GVIEW_WAITING && v->status != GVIEW_SYSCALL) || v->waitsince == 0 ||
        v->waitsince > r->now_ns)
        return 0;
    return r->now_ns - v->waitsince;
}

/*
 * The labels, with a look at the g in the same go: it must still be the goroutine that was read and
 * still have them. Sets never change (labelset.h), so a pointer that came before means the same set
 * as long as the batch lasts.
 */
static int read_labels(struct reading *r, const struct gview *v)
{
    uint8_t raw[GVIEW_MAX_BYTES];
    struct target_range g = {v->address, raw, (uint32_t)r->rt->layout->g_size, 0};
    struct gview now;
    int e;

    if (v->labels == r->labels_pointer)
        return 0;
    r->labels_pointer = 0;
    if (!budget_spend(r->budget, g.bytes))
        return budget_error(r->budget);
    e = labelset_read(r->labelset, v->labels, &g, &r->labels, &r->labels_bytes);
    if (e == 0 && g.got == g.bytes) {
        gview_read(r->rt->layout, v->address, raw, &now);
        if (now.goid == v->goid && now.labels == v->labels)
            r->labels_pointer = v->labels;
    }
    return e == -ESRCH || e == -EPERM || e == -ESTALE ? e : 0;
}

static unsigned flags_of(struct reading *r, const struct gread_found *f)
{
    unsigned flags = 0;

    if (is_system(r, f))
        flags |= GOROUTINE_SYSTEM;
    if (f->kind == GREAD_RUNNING)
        flags |= GOROUTINE_RUNNING;
    if (f->kind == GREAD_TORN)
        flags |= GOROUTINE_TORN;
    if (f->view->lockedm != 0)
        flags |= GOROUTINE_LOCKED;
    if (f->cut)
        flags |= GOROUTINE_TRUNCATED;
    if (f->stack && f->stack->never_ran)
        flags |= GOROUTINE_NEVER_RAN;
    if (f->stack && f->stack->in_cgo && f->view->in_syscall)
        flags |= GOROUTINE_IN_CGO;
    return flags;
}

static void count(struct goroutines_counts *c, unsigned flags)
{
    c->user += !(flags & GOROUTINE_SYSTEM);
    c->system += !!(flags & GOROUTINE_SYSTEM);
    c->running += !!(flags & GOROUTINE_RUNNING);
    c->sampled += !!(flags & GOROUTINE_SAMPLED);
    c->truncated += !!(flags & GOROUTINE_TRUNCATED);
}

/* One that runs has a stack only when somebody has seen its thread a moment ago. */
static void add_where(struct reading *r, const struct gread_found *f, struct goroutine *g)
{
    const struct go_watch *w = r->rt->watch;

    if (f->kind != GREAD_RUNNING || !w || f->tid == 0 ||
        !w->where(w->ctx, f->tid, f->view, &r->where))
        return;
    g->depth = r->where.depth;
    g->pcs = r->where.pcs;
    g->exact = r->where.exact;
    g->flags &= ~(unsigned)GOROUTINE_RUNNING;
    g->flags |= GOROUTINE_SAMPLED | (r->where.truncated ? GOROUTINE_TRUNCATED : 0U);
    if (r->where.age_ns > r->counts.oldest_ns)
        r->counts.oldest_ns = r->where.age_ns;
}

static int give(struct reading *r, const struct gread_found *f)
{
    const struct gview *v = f->view;
    struct goroutine g = {
        .goid = v->goid,
        .parent_goid = v->parent,
        .state = state_of(r, v),
        .wait_ns = waited(r, v),
        .flags = flags_of(r, f),
        .tid = f->tid,
        .created_by = v->gopc,
    };
    int e = 0;

    if (f->stack) {
        g.depth = f->stack->depth;
        g.pcs = f->stack->pcs;
        g.exact = f->stack->exact;
    }
    add_where(r, f, &g);
    /* gproof.h has proven the other fields of a version that is not known, but not this one */
    if (v->labels != 0 && f->kind != GREAD_TORN && r->rt->certain) {
        e = read_labels(r, v);
        if (r->labels_pointer == v->labels) {
            g.labels = r->labels;
            g.labels_bytes = r->labels_bytes;
        } else {
            r->counts.unlabelled++;
        }
    }
    count(&r->counts, g.flags);
    return e != 0 ? e : r->each(r->ctx, &g);
}

static int found(void *ctx, const struct gread_found *f)
{
    struct reading *r = ctx;

    switch (f->kind) {
    case GREAD_DEAD:
        r->counts.dead++;
        return 0;
    case GREAD_UNREADABLE:
        r->counts.unreadable++;
        return 0;
    case GREAD_TORN:
        r->counts.torn++;
        /* It is between two states, so what it says may be of two goroutines. */
        return f->view->goid != 0 && f->view->status <= GVIEW_WAITING ? give(r, f) : 0;
    case GREAD_RUNNING:
    case GREAD_STACK:
        break;
    }
    return give(r, f);
}

/* ---- All of them. */

static int read_all(struct reading *r, struct err *e)
{
    struct glist list = {0};
    int rc = glist_read(r->rt, r->budget, &list, e);

    if (rc != 0)
        return rc;
    r->counts.total = list.count;
    for (uint64_t i = 0; i < list.count && rc == 0; i += GOROUTINES_BATCH) {
        uint64_t n = list.count - i < GOROUTINES_BATCH ? list.count - i : GOROUTINES_BATCH;

        r->now_ns = clock_mono_ns();
        r->labels_pointer = 0;
        rc = gread_batch(r->gread, list.g + i, (size_t)n, found, r);
    }
    if (rc == -ETIMEDOUT || rc == -ECANCELED)
        (void)err_set(e, rc, "%s", r->budget->why);
    else if (rc < 0)
        (void)err_set(e, rc, "the goroutines cannot be read: %s",
                      rc == -ESRCH ? "the program has ended" : "no access to its memory");
    if (rc == 0)
        rc = glist_still(r->rt, &list, e);
    /* A program's own goroutines may be unreadable for a moment, not most of them. */
    if (rc == 0 && r->counts.unreadable * 2 > list.count - r->counts.dead)
        rc = err_set(e, -EBADMSG, "%" PRIu64 " of %" PRIu64 " goroutines are impossible",
                     r->counts.unreadable, list.count - r->counts.dead);
    glist_release(&list);
    return rc;
}

int goroutines_read(struct go_runtime *rt, struct go_budget *budget,
                    int (*each)(void *ctx, const struct goroutine *g), void *ctx,
                    struct goroutines_counts *ret, struct err *e)
{
    struct reading *r;
    int rc;

    if (go_image_machine(rt->image) != EM_X86_64)
        return err_set(e, -ENOTSUP, "goroutines' stacks are walked on amd64 only in this version");
    r = calloc(1, sizeof(*r));
    rc = r ? 0 : -ENOMEM;
    if (r) {
        *r = (struct reading){.rt = rt, .budget = budget, .each = each, .ctx = ctx};
        rc = gread_new(rt, budget, &r->gread);
    }
    if (rc == 0)
        rc = labelset_new(rt->target, rt->layout, &r->labelset);
    if (rc != 0)
        (void)err_set(e, rc, "out of memory");
    if (rc == 0 && rt->wait_reasons != 0)
        (void)waitreason_read(rt->target, rt->wait_reasons, &r->reasons); /* else "unknown …" */
    if (rc == 0)
        rc = read_all(r, e);
    if (r) {
        *ret = r->counts;
        gread_free(r->gread);
        labelset_free(r->labelset);
    }
    free(r);
    return rc > 0 ? 0 : rc;
}
