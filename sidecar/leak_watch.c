/*
 * A reading of its own, through the same queue as everybody's: it is never the reason why a client
 * gets a 429, and it waits when clients read. What was seen of another target is forgotten before
 * anything of the next one is added.
 */
#include "sidecar/leak_watch.h"

#include <errno.h>
#include <sys/random.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "sidecar/leak_groups.h"
#include "sidecar/state.h"

enum {
    WATCH_MAGIC = 0x4c45414b,
};

struct leak_watch {
    unsigned magic;
    struct state *st;
    uv_timer_t *timer; /* on the heap: it outlives us until it is closed */
    uint64_t every_ms; /* as the timer runs */
    uint32_t reading;  /* open, 0: none */
    uint32_t generation;
    uint64_t program; /* that was counted: after an exec its goroutines are others */
    uint64_t key[2];
    struct leak leak;
};

static void tell(void *ctx, enum leak_event what, const struct leak *l, const struct leak_group *g)
{
    (void)ctx;
    switch (what) {
    case LEAK_BEGINS:
        log_warn("goroutine leak suspected", LOG_STR("created_by", g->created_by),
                 LOG_STR("function", g->function), LOG_STR("state", g->state),
                 LOG_U64("goroutines", g->count[0]),
                 LOG_U64("goroutines_before", g->count[g->samples - 1]), LOG_U64("grew", g->grew),
                 LOG_U64("steps", g->samples - 1), LOG_U64("total", l->total));
        return;
    case LEAK_ENDS:
        log_info("goroutine leak no longer suspected", LOG_STR("created_by", g->created_by),
                 LOG_STR("function", g->function), LOG_U64("total", l->total));
        return;
    case LEAK_TOO_MANY:
        log_warn("very many goroutines", LOG_U64("total", l->total), LOG_U64("limit", LEAK_MANY));
        return;
    case LEAK_FEWER:
        log_info("no longer very many goroutines", LOG_U64("total", l->total));
        return;
    }
}

static void look(struct leak_watch *w, const struct ask_sampler_answer *answer)
{
    struct leak_groups groups = {0};
    struct bulk bulk = {0};
    struct err e = {0};
    int r = bulk_map(answer->fd, LEAK_PROFILE_MAX_BYTES, &bulk);

    if (r == 0)
        r = leak_groups_read(bulk.data, bulk.bytes, w->key, &groups, &e);
    bulk_release(&bulk);
    if (r)
        log_debug("goroutines could not be counted", LOG_STR("reason", e.text));
    else
        leak_sample(&w->leak, clock_real_ns(), groups.seen, groups.n, tell, NULL);
    leak_groups_release(&groups);
}

static void came(void *data, const struct peers_answer *a)
{
    struct leak_watch *w = data;

    MAGIC_CHECK(w, WATCH_MAGIC);
    w->reading = 0;
    if (a->fate != PEERS_ANSWERED || a->answer->body.runtime.result)
        return;
    if (w->generation != w->st->status.target.generation)
        return;
    if (w->program != a->answer->body.runtime.program)
        leak_forget(&w->leak);
    w->program = a->answer->body.runtime.program;
    look(w, a->answer);
}

/* Only what is known to be Go: every other program would be asked in vain once a minute. */
static bool may(const struct leak_watch *w)
{
    const struct state *st = w->st;
    char why[STATE_WHY_BYTES];

    return st->config->leak_watch.every_ms > 0 && strcmp(st->about.language, "go") == 0 &&
           state_refuses_runtime(st, WIRE_RUNTIME_GOROUTINE, why) == 0;
}

static void on_timer(uv_timer_t *t)
{
    const struct wire_runtime want = {
        .kind = WIRE_RUNTIME_GOROUTINE,
        .form = WIRE_RUNTIME_PPROF,
        .flags = WIRE_RUNTIME_GROUPS,
    };
    struct leak_watch *w = t->data;

    MAGIC_CHECK(w, WATCH_MAGIC);
    if (w->generation != w->st->status.target.generation) {
        leak_forget(&w->leak);
        w->generation = w->st->status.target.generation;
    }
    if (w->reading || !may(w))
        return;
    (void)readings_ask(w->st->readings, &want, came, w, &w->reading); /* else the next time */
}

void leak_watch_news(struct leak_watch *w)
{
    const struct config *c = w->st->config;
    const struct leak_rules rules = {c->leak_watch.window, c->leak_watch.minimum};
    uint64_t every_ms = c->leak_watch.every_ms ? c->leak_watch.every_ms : LEAK_WATCH_IDLE_MS;

    leak_set_rules(&w->leak, &rules);
    if (c->leak_watch.every_ms == 0)
        leak_forget(&w->leak);
    if (every_ms == w->every_ms)
        return;
    w->every_ms = every_ms;
    (void)uv_timer_start(w->timer, on_timer, every_ms, every_ms);
}

const struct leak *leak_watch_leak(const struct leak_watch *w)
{
    if (!w || !w->leak.samples || w->generation != w->st->status.target.generation)
        return NULL;
    return &w->leak;
}

int leak_watch_new(uv_loop_t *loop, struct state *st, struct leak_watch **ret)
{
    const struct leak_rules rules = {st->config->leak_watch.window, st->config->leak_watch.minimum};
    struct leak_watch *w = calloc(1, sizeof(*w));

    if (!w || !(w->timer = calloc(1, sizeof(*w->timer)))) {
        free(w);
        return -ENOMEM;
    }
    w->magic = WATCH_MAGIC;
    w->st = st;
    leak_init(&w->leak, &rules);
    (void)uv_timer_init(loop, w->timer); /* always 0 */
    w->timer->data = w;
    if (getrandom(w->key, sizeof(w->key), 0) != (ssize_t)sizeof(w->key)) {
        leak_watch_free(w);
        return -EIO;
    }
    leak_watch_news(w);
    *ret = w;
    return 0;
}

static void free_handle(uv_handle_t *h)
{
    free(h);
}

void leak_watch_free(struct leak_watch *w)
{
    if (!w)
        return;
    readings_forget(w->st->readings, w->reading);
    (void)uv_timer_stop(w->timer);
    uv_close((uv_handle_t *)w->timer, free_handle);
    w->magic = 0;
    free(w);
}
