#include "sampler/gofold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int gofold_init(struct gofold *f, unsigned by)
{
    memset(f, 0, sizeof(*f));
    f->by = by;
    intern_init(&f->keys, GOFOLD_GROUPS_MAX, GOFOLD_MAX_BYTES);
    intern_init(&f->texts, GOFOLD_GROUPS_MAX, GOFOLD_TEXTS_MAX_BYTES);
    f->key = malloc(sizeof(*f->key) + GOROUTINES_DEPTH_MAX * sizeof(f->key->addresses[0]));
    return f->key ? 0 : -ENOMEM;
}

void gofold_release(struct gofold *f)
{
    if (!f)
        return;
    intern_release(&f->keys);
    intern_release(&f->texts);
    free(f->totals);
    free(f->order);
    free(f->key);
    *f = (struct gofold){0};
}

static bool reserve(struct gofold *f, uint32_t i)
{
    uint32_t cap = f->totals_cap ? f->totals_cap * 2 : 256;
    struct gofold_total *p;

    if (i < f->totals_cap)
        return true;
    p = realloc(f->totals, cap * sizeof(*p));
    if (!p)
        return false;
    f->totals = p;
    f->totals_cap = cap;
    return true;
}

/* ${ret} INTERN_NONE: there is none; false: there is one, but no room. */
static bool put_text(struct gofold *f, const void *text, size_t bytes, uint32_t *ret)
{
    *ret = text && bytes > 0 ? intern_put(&f->texts, text, bytes, NULL) : INTERN_NONE;
    return !text || bytes == 0 || *ret != INTERN_NONE;
}

/* f->key, of this goroutine. */
static int make_key(struct gofold *f, const struct goroutine *g)
{
    struct gofold_key *k = f->key;
    unsigned counted = GOROUTINE_RUNNING | GOROUTINE_TRUNCATED | GOROUTINE_TORN;

    /* every byte of it, for it is compared as bytes */
    memset(k, 0, sizeof(*k));
    k->state = INTERN_NONE;
    if (f->by) {
        counted |= GOROUTINE_LOCKED | GOROUTINE_IN_CGO | GOROUTINE_SYSTEM;
        k->created_by = g->created_by;
        if (!put_text(f, g->state, strlen(g->state) + 1, &k->state))
            return -E2BIG;
    }
    if (f->by & GOFOLD_SINGLE) {
        k->goid = g->goid;
        k->parent = g->parent_goid;
        k->wait_ns = g->wait_ns;
    }
    if (!put_text(f, g->labels, g->labels_bytes, &k->labels))
        return -E2BIG;
    k->flags = g->flags & counted;
    k->depth = g->depth;
    /* Moved back into the call here: equal stacks are equal whichever way they were stopped. */
    for (uint32_t n = 0; n < g->depth; n++)
        k->addresses[n] = g->exact[n] ? g->pcs[n] : g->pcs[n] - 1;
    return 0;
}

int gofold_one(struct gofold *f, const struct goroutine *g, struct gofold_group *ret)
{
    int r = make_key(f, g);

    if (r == 0)
        *ret = (struct gofold_group){.key = f->key, .count = 1, .wait_ns = g->wait_ns};
    return r;
}

int gofold_add(struct gofold *f, const struct goroutine *g)
{
    struct gofold_key *k = f->key;
    int is_new = 0;
    uint32_t i;
    int r = make_key(f, g);

    if (r != 0)
        return r;
    i = intern_put(&f->keys, k, sizeof(*k) + g->depth * sizeof(k->addresses[0]), &is_new);
    if (i == INTERN_NONE)
        return -E2BIG;
    if (!reserve(f, i))
        return -ENOMEM;
    if (is_new)
        f->totals[i] = (struct gofold_total){0};
    f->totals[i].count++;
    if (g->wait_ns > f->totals[i].wait_ns)
        f->totals[i].wait_ns = g->wait_ns;
    return 0;
}

/* As runtime/pprof sorts (keysByCount), but equal counts in the order they came: our keys are no
 * texts, and the same program gives the same order. */
static int by_count(const void *a, const void *b, void *ctx)
{
    const struct gofold *f = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    if (f->totals[x].count != f->totals[y].count)
        return f->totals[x].count > f->totals[y].count ? -1 : 1;
    return x < y ? -1 : x > y;
}

int gofold_sort(struct gofold *f)
{
    free(f->order);
    f->order = calloc((size_t)f->keys.count + 1, sizeof(*f->order));
    if (!f->order)
        return -ENOMEM;
    for (uint32_t i = 0; i < f->keys.count; i++)
        f->order[i] = i;
    qsort_r(f->order, f->keys.count, sizeof(*f->order), by_count, f);
    return 0;
}

size_t gofold_count(const struct gofold *f)
{
    return f->keys.count;
}

struct gofold_group gofold_get(const struct gofold *f, size_t i)
{
    uint32_t id = f->order[i];
    size_t bytes;

    return (struct gofold_group){
        .key = intern_get(&f->keys, id, &bytes),
        .count = f->totals[id].count,
        .wait_ns = f->totals[id].wait_ns,
    };
}

const void *gofold_text(const struct gofold *f, uint32_t id, size_t *ret_bytes)
{
    *ret_bytes = 0;
    return id == INTERN_NONE ? NULL : intern_get(&f->texts, id, ret_bytes);
}
