/*
 * The threads of a Go program, by the list that runtime.ThreadCreateProfile walks: allm, linked by
 * m.alllink. An m that ends is unlinked and freed while others read the list (runtime/proc.go,
 * mexit), so a walk that trips is made again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sampler/go/buckets.h"

enum {
    THREADS_MAX = 256 * 1024, /* the kernel has at most 4 million, the runtime 10,000 by default */
    M_MAX_BYTES = 4096,       /* of struct m: what we want lies in the first 700 bytes */
    STACK_PCS = 32,           /* m.createstack */
    WALK_TRIES = 4,
    PROCID_OFFSET_MAX = M_MAX_BYTES - 8,
    WORD_BYTES = 8,
};

struct thread {
    uint64_t address, next;
    uint32_t tid, depth;
    uint64_t pcs[STACK_PCS];
};

struct threads {
    struct go_runtime *rt;
    struct go_budget *budget;
    struct err *e;
    struct thread *all;
    size_t count, cap;
};

/* Structs m lie anywhere in the heap: no window (window.h) would hold two of them. */
static int read_memory(struct threads *t, uint64_t address, void *out, size_t bytes)
{
    if (!budget_spend(t->budget, bytes))
        return t->budget->cancelled && t->budget->cancelled(t->budget->ctx) ? -ECANCELED
                                                                            : -ETIMEDOUT;
    return t->rt->target->ops->read(t->rt->target->ctx, address, out, bytes);
}

static uint64_t word_at(const unsigned char *p, int32_t offset)
{
    uint64_t v;

    memcpy(&v, p + offset, sizeof(v));
    return v;
}

/* A thread that has not started has no id yet; the stack ends at its first zero. */
static int read_thread(struct threads *t, uint64_t at, struct thread *ret)
{
    const struct go_layout *l = t->rt->layout;
    unsigned char b[M_MAX_BYTES];
    size_t bytes = (size_t)l->m_createstack + sizeof(ret->pcs);
    uint64_t tid;
    int rc;

    if (at % WORD_BYTES != 0)
        return -EFAULT;
    rc = read_memory(t, at, b, bytes);
    if (rc != 0)
        return rc;
    tid = word_at(b, l->m_procid);
    *ret = (struct thread){.address = at,
                           .next = word_at(b, l->m_alllink),
                           .tid = tid <= INT32_MAX ? (uint32_t)tid : 0};
    memcpy(ret->pcs, b + l->m_createstack, sizeof(ret->pcs));
    while (ret->depth < STACK_PCS && ret->pcs[ret->depth] != 0)
        ret->depth++;
    return 0;
}

/* Kept until the walk is over, for a walk that trips starts anew. */
static int add(struct threads *t, const struct thread *one)
{
    if (t->count == THREADS_MAX)
        return -E2BIG;
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        struct thread *all = realloc(t->all, cap * sizeof(*all));

        if (!all)
            return -ENOMEM;
        t->all = all;
        t->cap = cap;
    }
    t->all[t->count++] = *one;
    return 0;
}

/* A circle is found as in buckets.c (Brent). -ELOOP: there is one. */
static int walk(struct threads *t)
{
    uint64_t at, mark = 0, steps = 0, lap = 1;
    int rc = read_memory(t, t->rt->allm, &at, sizeof(at));

    t->count = 0;
    while (rc == 0 && at != 0) {
        struct thread one;

        if (at == mark)
            return -ELOOP;
        if (++steps == lap) {
            mark = at;
            lap *= 2;
        }
        rc = read_thread(t, at, &one);
        if (rc == 0)
            rc = add(t, &one);
        at = rc == 0 ? one.next : 0;
    }
    return rc;
}

/* The words for the codes of the walk, once. */
static int explain(struct threads *t, int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case -ELOOP:
        return err_set(t->e, -EBADMSG, "the list of threads goes round in a circle");
    case -EFAULT:
        return err_set(t->e, -EBADMSG, "the list of threads leads to where nothing is mapped");
    case -E2BIG:
        return err_set(t->e, -EBADMSG, "more than %d threads", THREADS_MAX);
    case -ETIMEDOUT:
    case -ECANCELED:
        return err_set(t->e, rc, "reading the list of threads: %s",
                       t->budget->why ? t->budget->why : "cancelled");
    case -ENOMEM:
        return err_set(t->e, rc, "no memory for the list of threads");
    default:
        return err_set(t->e, rc, "reading the list of threads: the memory cannot be read");
    }
}

int buckets_threads(struct go_runtime *rt, struct go_budget *budget,
                    int (*each)(void *ctx, uint32_t tid, const uint64_t *pcs, uint32_t depth),
                    void *ctx, struct err *e)
{
    struct threads t = {.rt = rt, .budget = budget, .e = e};
    const struct go_layout *l = rt->layout;
    int rc = -EFAULT;

    if (rt->allm == 0 || !l || l->m_alllink < 0 || l->m_procid < 0 || l->m_createstack < 0 ||
        l->m_createstack > M_MAX_BYTES - (int)(STACK_PCS * WORD_BYTES) ||
        l->m_alllink > l->m_createstack || l->m_procid > l->m_createstack)
        return err_set(e, -ENOTSUP, "the runtime's list of threads was not found in this program");
    for (int i = 0; (rc == -EFAULT || rc == -ELOOP) && i < WALK_TRIES; i++)
        rc = walk(&t);
    rc = explain(&t, rc);
    for (size_t i = 0; rc == 0 && i < t.count; i++)
        rc = each(ctx, t.all[i].tid, t.all[i].pcs, t.all[i].depth);
    free(t.all);
    return rc;
}
