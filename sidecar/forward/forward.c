#include "sidecar/forward/forward.h"

#include <errno.h>

#include "base/log.h"
#include "base/magic.h"
#include "sidecar/forward/lane.h"
#include "sidecar/forward/plan.h"

enum {
    FORWARD_MAGIC = 0x464f5257,
};

struct forward {
    unsigned magic;
    uv_loop_t *loop;
    struct store *store;
    struct hot *hot;
    struct lane *lanes[CONFIG_BACKENDS_MAX]; /* in the order of the configuration */
    size_t count;
    bool draining;
};

static void on_news(void *ctx)
{
    struct forward *f = ctx;

    MAGIC_CHECK(f, FORWARD_MAGIC);
    for (size_t i = 0; i < f->count; i++)
        lane_kick(f->lanes[i]);
}

/* One that is configured as before goes on as it is, with its circuit and its counters. */
static struct lane *take_same(struct forward *f, const struct backend_plan *plan)
{
    for (size_t i = 0; i < f->count; i++) {
        struct lane *l = f->lanes[i];

        if (l && plan_backend_same(lane_plan(l), plan)) {
            f->lanes[i] = NULL;
            return l;
        }
    }
    return NULL;
}

/* All of ${made}, or none: a lane taken from the old ones is put back by the caller's failure path
 * only in that everything stays; so plans are made, and may fail, before any lane is touched. */
static int make_plans(const struct config *c, struct backend_plan **plans, struct err *e)
{
    for (size_t i = 0; i < c->forward_count; i++) {
        int r = plan_backend_make(c, i, &plans[i], e);

        if (r) {
            while (i-- > 0)
                free(plans[i]);
            return r;
        }
    }
    return 0;
}

/* A lane that cannot be made (its CA file is gone) is left out, and said; the others work. */
static size_t make_lanes(struct forward *f, struct backend_plan **plans, size_t n,
                         struct lane **made, int *ret_first, struct err *e)
{
    size_t count = 0;

    *ret_first = 0;
    for (size_t i = 0; i < n; i++) {
        struct lane *l = take_same(f, plans[i]);
        struct err own = {0};
        int r = 0;

        if (l) {
            free(plans[i]);
            lane_renumber(l, (uint32_t)i);
        } else {
            r = lane_new(f->loop, f->store, f->hot, plans[i], (uint32_t)i, &l, &own);
        }
        if (r == 0) {
            made[count++] = l;
            continue;
        }
        log_error("a backend cannot be used", LOG_STR("why", own.text));
        if (*ret_first == 0) {
            *ret_first = r;
            if (e)
                *e = own;
        }
    }
    return count;
}

static int renew(struct forward *f, const struct config *c, struct err *e)
{
    struct backend_plan *plans[CONFIG_BACKENDS_MAX];
    struct lane *made[CONFIG_BACKENDS_MAX];
    size_t count;
    int r = make_plans(c, plans, e);

    if (r)
        return r;
    count = make_lanes(f, plans, c->forward_count, made, &r, e);
    for (size_t i = 0; i < f->count; i++)
        lane_free(f->lanes[i]); /* those that were not taken over */
    for (size_t i = 0; i < count; i++)
        f->lanes[i] = made[i];
    f->count = count;
    on_news(f);
    return r;
}

int forward_new(uv_loop_t *loop, const struct config *c, struct store *store, struct forward **ret,
                struct err *e)
{
    struct forward *f = calloc(1, sizeof(*f));
    int r;

    if (!f)
        return err_set(e, -ENOMEM, "out of memory");
    f->magic = FORWARD_MAGIC;
    f->loop = loop;
    f->store = store;
    f->hot = hot_new(loop, store);
    r = f->hot ? renew(f, c, e) : err_set(e, -ENOMEM, "out of memory");
    if (r) {
        forward_free(f);
        return r;
    }
    store_on_news(store, on_news, f);
    *ret = f;
    return 0;
}

void forward_free(struct forward *f)
{
    if (!f)
        return;
    store_on_news(f->store, NULL, NULL);
    for (size_t i = 0; i < f->count; i++)
        lane_free(f->lanes[i]);
    hot_free(f->hot);
    f->magic = 0;
    free(f);
}

int forward_reload(struct forward *f, const struct config *c, struct err *e)
{
    return renew(f, c, e);
}

void forward_secrets(struct forward *f)
{
    for (size_t i = 0; i < f->count; i++)
        lane_secrets(f->lanes[i]);
}

void forward_drain(struct forward *f)
{
    f->draining = true;
    for (size_t i = 0; i < f->count; i++)
        lane_drain(f->lanes[i]);
}

bool forward_idle(const struct forward *f)
{
    for (size_t i = 0; f && i < f->count; i++) {
        if (!lane_idle(f->lanes[i]))
            return false;
    }
    return true;
}

size_t forward_count(const struct forward *f)
{
    return f ? f->count : 0;
}

void forward_look(const struct forward *f, size_t i, struct forward_status *ret)
{
    lane_look(f->lanes[i], ret);
}
