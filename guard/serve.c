/* The sampler's questions, each one line to the module that answers it. */
#include "guard/guard.h"

#include <errno.h>
#include <unistd.h>

static void on_target(void *ctx, struct wire_target *ret)
{
    struct guard *g = ctx;

    g->sampler_due = false;
    *ret = g->target.wire;
}

static int on_maps(void *ctx, uint32_t generation, int *ret_fd, uint32_t *ret_truncated)
{
    struct guard *g = ctx;

    return target_maps(&g->target, generation, ret_fd, ret_truncated);
}

static int on_file(void *ctx, const struct wire_file *file, int *ret_fd)
{
    struct guard *g = ctx;

    return target_file(&g->target, file, ret_fd);
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

    return target_read(&g->target, generation, ranges, count, ret_got);
}

static int on_cmdline(void *ctx, uint32_t generation, int *ret_fd)
{
    struct guard *g = ctx;

    return target_cmdline(&g->target, generation, ret_fd);
}

static int on_rate(void *ctx, const struct wire_rate_ask *ask)
{
    struct guard *g = ctx;
    int r = guard_rates_write(&g->rates, &g->target, ask);

    watch_news(g);
    return r;
}

static void on_blame(void *ctx)
{
    struct guard *g = ctx;

    if (g->client)
        supervise_front_closed(g);
    else
        supervise_broken(g, &g->front, "the sampler says so");
}

static void on_perf_open(void *ctx, const struct wire_perf_open *want, struct wire_perf_opened *ret,
                         int *ret_fd)
{
    struct guard *g = ctx;

    if (!target_alive(&g->target) || want->generation != g->target.wire.generation) {
        ret->result = g->target.pidfd < 0 ? -ESRCH : -ESTALE;
        return;
    }
    guard_perf_open(&g->perf, g->target.pid, g->plan.hz_max, want, ret, ret_fd);
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

static void on_perf_tick(void *ctx, uint32_t slot, const struct wire_period *periods,
                         uint32_t count, struct wire_perf_ticked *ret, uint32_t *ret_from)
{
    struct guard *g = ctx;

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
        .blame = on_blame,
    };

    return &ops;
}
