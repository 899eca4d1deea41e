#include "sampler/go/glist.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sampler/go/goroutines.h"

enum {
    WORD = sizeof(uint64_t),
    USER_SPACE_LOW = 0x10000,
};

#define USER_SPACE_END (UINT64_C(1) << 47)

/* []*g as the compiler lays it out: reflect.SliceHeader. */
struct slice {
    uint64_t array, count, capacity;
};

static int read_slice(const struct go_runtime *rt, struct slice *s)
{
    return rt->target->ops->read(rt->target->ctx, rt->allgs, s, sizeof(*s));
}

/* GOROUTINES_MAX before anything is allocated: the count is the target's word. */
static bool is_sane(const struct slice *s)
{
    return s->count > 0 && s->count <= s->capacity && s->count <= GOROUTINES_MAX &&
           s->array >= USER_SPACE_LOW && s->array < USER_SPACE_END && s->array % WORD == 0;
}

static size_t slots_for(uint64_t count)
{
    size_t n = 1024;

    while (n < count * 2)
        n *= 2;
    return n;
}

/*
 * Is every address one of user space, and there once? A list that goes in a circle is caught here,
 * before anything is read twice. Addresses are the target's choice, so they can be made to collide:
 * SEARCH_MAX ends that.
 */
static int check_addresses(const uint64_t *g, uint64_t count, struct err *e)
{
    enum { SEARCH_MAX = 4096 };
    size_t n = slots_for(count);
    uint64_t *seen = calloc(n, sizeof(*seen));
    int r = 0;

    if (!seen)
        return err_set(e, -ENOMEM, "no memory for %" PRIu64 " goroutines", count);
    for (uint64_t i = 0; i < count && r == 0; i++) {
        size_t slot = (size_t)((g[i] * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (n - 1);
        unsigned searched = 0;

        if (g[i] < USER_SPACE_LOW || g[i] >= USER_SPACE_END || g[i] % WORD != 0)
            r = err_set(e, -EBADMSG, "runtime.allgs is no list of goroutines: it has %#" PRIx64,
                        g[i]);
        while (r == 0 && seen[slot] != 0 && seen[slot] != g[i] && ++searched < SEARCH_MAX)
            slot = (slot + 1) & (n - 1);
        if (r == 0 && seen[slot] != 0)
            r = err_set(e, -EBADMSG, "runtime.allgs has the goroutine at %#" PRIx64 " twice", g[i]);
        if (r == 0)
            seen[slot] = g[i];
    }
    free(seen);
    return r;
}

/* One attempt. -EAGAIN: the array moved while it was read. */
static int read_once(struct go_runtime *rt, struct go_budget *budget, struct glist *l,
                     struct err *e)
{
    struct slice before, after;
    uint64_t *g;
    int r = read_slice(rt, &before);

    if (r != 0)
        return err_set(e, r, "runtime.allgs cannot be read");
    if (!is_sane(&before))
        return err_set(e, -EBADMSG, "runtime.allgs is no list: %" PRIu64 " at %#" PRIx64,
                       before.count, before.array);
    if (!budget_spend(budget, before.count * WORD))
        return err_set(e, budget_error(budget), "%s", budget->why);
    g = malloc(before.count * WORD);
    if (!g)
        return err_set(e, -ENOMEM, "no memory for %" PRIu64 " goroutines", before.count);
    r = rt->target->ops->read(rt->target->ctx, before.array, g, before.count * WORD);
    if (r == 0)
        r = read_slice(rt, &after);
    /* append() moved it: the old array may have been given to somebody else meanwhile */
    if (r == 0 && after.array != before.array)
        r = -EAGAIN;
    if (r != 0)
        (void)err_set(e, r, "the list of goroutines cannot be read");
    else
        r = check_addresses(g, before.count, e);
    if (r != 0) {
        free(g);
        return r;
    }
    *l = (struct glist){g, before.count};
    return 0;
}

int glist_read(struct go_runtime *rt, struct go_budget *budget, struct glist *ret, struct err *e)
{
    int r = -EAGAIN;

    if (rt->allgs == 0)
        return err_set(e, -ENOTSUP, "runtime.allgs was not found in this program%s%s",
                       rt->certain ? "" : ": ", rt->certain ? "" : rt->note.text);
    for (int i = 0; i < GLIST_TRIES && (r == -EAGAIN || r == -EFAULT); i++)
        r = read_once(rt, budget, ret, e);
    return r;
}

void glist_release(struct glist *l)
{
    if (!l)
        return;
    free(l->g);
    *l = (struct glist){0};
}

int glist_still(struct go_runtime *rt, const struct glist *l, struct err *e)
{
    struct slice now;
    int r = read_slice(rt, &now);

    if (r != 0)
        return err_set(e, r, "the program went away while it was read");
    if (!is_sane(&now) || now.count < l->count)
        return err_set(e, -EBADMSG, "the program changed while it was read");
    return 0;
}
