/*
 * Sure means: the sample is of the goroutine's thread, at most RUNNING_PERIODS_MAX periods old, its
 * g register held this g and its stack pointer was on this stack; and the goroutine that is in that
 * g now was there at the sample's time already, which the reading of labels can prove (birth.h).
 * Without labels nobody has taken note of goroutines, and nothing is paired.
 */
#include "sampler/watch.h"

#include "base/clock.h"

/*
 * The addresses of a recording are moved back into the call; struct go_where has return addresses.
 * A chain with a hole is no stack.
 */
static bool fill(const struct recording *r, uint32_t stack, struct go_where *ret)
{
    uint32_t set, depth;
    const uint64_t *address = stacks_get(&r->stacks, stack, &set, &depth);

    ret->depth = 0;
    ret->truncated = false;
    for (uint32_t i = 0; i < depth && ret->depth < GO_WHERE_DEPTH_MAX; i++) {
        bool leaf = ret->depth == 0;

        if (address[i] == UNWIND_MISSING)
            return false;
        if (address[i] == UNWIND_TRUNCATED)
            ret->truncated = true;
        if (address[i] >= UNWIND_KERNEL)
            continue;
        ret->pcs[ret->depth] = leaf ? address[i] : address[i] + 1;
        ret->exact[ret->depth++] = leaf;
    }
    return ret->depth > 0;
}

static bool seen_by(struct recording *r, uint32_t tid, const struct gview *v, struct go_where *ret)
{
    uint64_t now_ns, oldest_ns;
    const struct running_row *row;

    if (!r || r->over || !r->last || r->want.hz == 0 || recording_run(r) != 0)
        return false;
    now_ns = clock_mono_ns();
    oldest_ns = now_ns - RUNNING_PERIODS_MAX * CLOCK_NS_PER_SEC / r->want.hz;
    row = running_find(r->last, tid, v, oldest_ns);
    if (!row || !labels_lived(r->scene->labels, v->address, v->goid, row->time_ns))
        return false;
    ret->age_ns = now_ns > row->time_ns ? now_ns - row->time_ns : 0;
    return fill(r, row->stack, ret);
}

static bool where(void *ctx, uint32_t tid, const struct gview *v, struct go_where *ret)
{
    struct sampler *s = ctx;

    for (size_t i = 0; i < WIRE_PERF_SLOTS; i++) {
        if (seen_by(s->recordings[i], tid, v, ret))
            return true;
    }
    return false;
}

struct go_watch watch_of(struct sampler *s)
{
    return (struct go_watch){where, s};
}
