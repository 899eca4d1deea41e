/* The sampler's questions, each one line to the module that answers it. */
#include "guard/guard.h"

#include <errno.h>
#include <unistd.h>

#include "guard/waits.h"

/* Whose generation is it? With target.all perhaps another member's; else the first one's, or
 * nobody's, which it says itself. */
static struct target *holder(struct guard *g, uint32_t generation)
{
    struct target *t = g->plan.all ? guard_members_of(&g->members, generation) : NULL;

    return t ? t : &g->target;
}

static void on_target(void *ctx, struct wire_target *ret)
{
    struct guard *g = ctx;

    g->sampler_due = false;
    *ret = g->target.wire;
}

static int on_maps(void *ctx, uint32_t generation, int *ret_fd, uint32_t *ret_truncated)
{
    struct guard *g = ctx;

    return target_maps(holder(g, generation), generation, ret_fd, ret_truncated);
}

static int on_file(void *ctx, const struct wire_file *file, int *ret_fd)
{
    struct guard *g = ctx;

    return target_file(holder(g, file->generation), file, ret_fd);
}

static void on_file_done(void *ctx, int fd)
{
    struct guard *g = ctx;

    target_close(&g->target, fd);
}

static int on_read(void *ctx, uint32_t generation, const struct wire_range *ranges, uint32_t count,
                   uint32_t *ret_got)
{
    struct guard *g = ctx;

    return target_read(holder(g, generation), generation, ranges, count, ret_got);
}

static int on_cmdline(void *ctx, uint32_t generation, int *ret_fd)
{
    struct guard *g = ctx;

    return target_cmdline(holder(g, generation), generation, ret_fd);
}

static void on_members(void *ctx, uint32_t generation, struct wire_members *ret)
{
    struct guard *g = ctx;

    if (generation != g->target.wire.generation || !target_alive(&g->target))
        return;
    watch_members(g);
    *ret = g->members.known;
}

static int on_rate(void *ctx, const struct wire_rate_ask *ask)
{
    struct guard *g = ctx;
    int r = guard_rates_write(&g->rates, &g->target, ask);

    watch_news(g);
    return r;
}

/* The wait for a stop may have taken the news of a child: reap_due. */
static void on_stops_open(void *ctx, uint32_t generation, struct wire_stops_opened *ret)
{
    struct guard *g = ctx;

    guard_stops_open(&g->stops, &g->target, generation, ret);
}

static void on_stops(void *ctx, const struct wire_stops_ask *ask, struct wire_stops *ret,
                     struct wire_stop ret_rows[static WIRE_STOPS_MAX])
{
    struct guard *g = ctx;

    g->reap_due = true;
    guard_stops_take(&g->stops, &g->target, ask, ret, ret_rows);
}

static void on_stops_close(void *ctx)
{
    struct guard *g = ctx;

    guard_stops_close(&g->stops);
}

static void on_waits(void *ctx, const struct wire_waits_ask *ask, struct wire_waits *ret,
                     struct wire_wait ret_rows[static WIRE_WAITS_MAX])
{
    struct guard *g = ctx;

    guard_waits_read(&g->target, ask, ret, ret_rows);
}

static void on_blame(void *ctx)
{
    struct guard *g = ctx;

    if (g->client)
        supervise_front_closed(g);
    else
        supervise_broken(g, &g->front, "the sampler says so");
}

/* One that the kernel refuses would be the end of the whole session. */
static bool may_sample(const struct target *t)
{
    return (t->wire.rights & WIRE_RIGHT_PERF) && target_alive(t);
}

/* Who is sampled: the first one and, with target.all, every other member. */
static struct guard_perf_who who_of(struct guard *g)
{
    struct guard_perf_who who = {.pid = {g->target.pid}, .count = 1, .family = g->plan.all};

    for (size_t i = 0; g->plan.all && i < WIRE_MEMBERS_MAX - 1; i++) {
        const struct target *t = &g->members.other[i];

        if (!may_sample(t))
            continue;
        who.pid[who.count] = t->pid;
        who.pidfd[who.count++] = t->pidfd;
    }
    return who;
}

static void on_perf_open(void *ctx, const struct wire_perf_open *want, struct wire_perf_opened *ret,
                         int *ret_fd)
{
    struct guard *g = ctx;
    struct guard_perf_who who;

    watch_members(g);
    if (!target_alive(&g->target) || want->generation != g->target.wire.generation) {
        ret->result = g->target.pidfd < 0 ? -ESRCH : -ESTALE;
        return;
    }
    who = who_of(g);
    guard_perf_open(&g->perf, &who, g->plan.hz_max, want, ret, ret_fd);
    if (ret->result == 0 && !target_alive(&g->target)) {
        /* the pid may have been another's while the events were opened: nothing of it is kept */
        struct wire_perf_closed closed;

        guard_perf_close(&g->perf, want->slot, &closed);
        (void)close(*ret_fd);
        *ret_fd = -1;
        memset(ret, 0, sizeof(*ret));
        ret->result = -ESRCH;
    }
}

static void on_perf_rings(void *ctx, uint32_t slot, uint32_t from, struct answer_guard_rings *ret)
{
    struct guard *g = ctx;

    guard_perf_rings(&g->perf, slot, from, ret);
}

static int on_perf_enable(void *ctx, uint32_t slot, int on)
{
    struct guard *g = ctx;

    return guard_perf_enable(&g->perf, slot, on);
}

/* New members, where nothing is inherited. */
static void follow(struct guard *g, uint32_t slot)
{
    if (!g->plan.all || !guard_perf_wants(&g->perf, slot))
        return;
    watch_members(g);
    for (size_t i = 0; i < WIRE_MEMBERS_MAX - 1; i++) {
        const struct target *t = &g->members.other[i];

        if (may_sample(t))
            (void)guard_perf_add(&g->perf, slot, t->pid, t->pidfd);
    }
}

static void on_perf_tick(void *ctx, uint32_t slot, const struct wire_period *periods,
                         uint32_t count, struct wire_perf_ticked *ret, uint32_t *ret_from)
{
    struct guard *g = ctx;

    follow(g, slot);
    guard_perf_tick(&g->perf, slot, periods, count, ret, ret_from);
    if (!target_alive(&g->target))
        ret->result = -ESRCH;
}

static void on_perf_close(void *ctx, uint32_t slot, struct wire_perf_closed *ret)
{
    struct guard *g = ctx;

    guard_perf_close(&g->perf, slot, ret);
}

static int on_perf_is_open(void *ctx, uint32_t slot)
{
    struct guard *g = ctx;

    return guard_perf_is_open(&g->perf, slot);
}

const struct answer_guard_ops *serve_ops(void)
{
    static const struct answer_guard_ops ops = {
        .target = on_target,
        .maps = on_maps,
        .file = on_file,
        .file_done = on_file_done,
        .read = on_read,
        .cmdline = on_cmdline,
        .perf_open = on_perf_open,
        .perf_rings = on_perf_rings,
        .perf_enable = on_perf_enable,
        .perf_tick = on_perf_tick,
        .perf_close = on_perf_close,
        .perf_is_open = on_perf_is_open,
        .rate = on_rate,
        .members = on_members,
        .stops_open = on_stops_open,
        .stops = on_stops,
        .stops_close = on_stops_close,
        .waits = on_waits,
        .blame = on_blame,
    };

    return &ops;
}
