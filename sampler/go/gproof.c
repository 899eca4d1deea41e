#include "sampler/go/gproof.h"

#include <string.h>

#include "sampler/go/gview.h"

enum {
    WORD = 8,
    NAME_BYTES = 64,
};

#define GOID_END (UINT64_C(1) << 47) /* ids are given out in order: nobody ever gets there */

/* Its function is what it runs: the address of an entry. */
static bool is_entry(const struct go_runtime *rt, uint64_t pc, const char *wanted)
{
    char name[NAME_BYTES];
    uint64_t entry;

    return go_image_entry(rt->image, pc, name, sizeof(name), &entry) == 0 && entry == pc &&
           (!wanted || strcmp(name, wanted) == 0);
}

static bool read_g(const struct go_runtime *rt, uint64_t at, struct gview *ret)
{
    uint8_t raw[GVIEW_MAX_BYTES];
    uint64_t g;

    if (rt->target->ops->read(rt->target->ctx, at, &g, sizeof(g)) != 0 || g == 0 || g % WORD != 0 ||
        rt->target->ops->read(rt->target->ctx, g, raw, (size_t)rt->layout->g_size) != 0)
        return false;
    gview_read(rt->layout, g, raw, ret);
    return true;
}

/* A g that is in use: who made it, what it runs, and where it stands. */
static bool is_right(const struct go_runtime *rt, const struct gview *v)
{
    uint32_t flags;
    int32_t delta;

    if (v->goid == 0 || v->goid >= GOID_END || v->parent >= GOID_END ||
        !go_image_has(rt->image, v->gopc) || !is_entry(rt, v->startpc, NULL))
        return false;
    if (v->status == GVIEW_RUNNING)
        return v->lo < v->hi && v->hi - v->lo <= GVIEW_STACK_MAX_BYTES && v->m != 0;
    return gview_is_sane(v) && go_image_delta(rt->image, v->pc, &delta, &flags) == 0;
}

/* Dead ones keep the last one's fields or none: they say nothing, but their status must exist. */
static bool is_unused(const struct gview *v)
{
    return v->status == GVIEW_DEAD || v->status == GVIEW_IDLE || v->status == GVIEW_DEADEXTRA ||
           v->status == GVIEW_COPYSTACK;
}

bool gproof_holds(const struct go_runtime *rt, uint64_t list, uint64_t count)
{
    unsigned right = 0, wrong = 0;
    uint64_t last_goid = 0;
    struct gview v;

    if (!read_g(rt, list, &v) || v.goid != 1 || !is_entry(rt, v.startpc, "runtime.main"))
        return false;
    for (uint64_t i = 0; i < count && i < GPROOF_MAX; i++) {
        if (!read_g(rt, list + i * WORD, &v))
            return false;
        if (is_unused(&v))
            continue;
        /* no two have one id: a constant field would look like one */
        if (is_right(rt, &v) && v.goid != last_goid)
            right++;
        else
            wrong++;
        last_goid = v.goid;
    }
    return right > 0 && wrong <= right / 3;
}
