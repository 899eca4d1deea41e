/*
 * The sampler only proposes. It looks when a target has settled, again while the runtime is not
 * there yet, and again when it has seen an exec(2); what came of it is the guard's to say, in the
 * news of the target, so that a sampler that was restarted knows it too.
 */
#include "sampler/rates.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "sampler/go/buckets.h"
#include "wire/rate_names.h"

static const struct {
    const char *key, *variable;
} names[WIRE_RATES] = {
#define X(kind, key, variable) [WIRE_RATE_##kind] = {WIRE_RATE_UNSAFE key, variable},
    WIRE_RATE_KEYS(X)
#undef X
};

static const char *const words[WIRE_RATE_STATES] = {
#define X(state, name, text) [WIRE_RATE_##state] = (text),
    WIRE_RATE_WORDS(X)
#undef X
};

int rates_of(uint32_t kind)
{
    switch (kind) {
    case WIRE_RUNTIME_HEAP:
    case WIRE_RUNTIME_ALLOCS:
        return WIRE_RATE_HEAP;
    case WIRE_RUNTIME_BLOCK:
        return WIRE_RATE_BLOCK;
    case WIRE_RUNTIME_MUTEX:
        return WIRE_RATE_MUTEX;
    default:
        return -1;
    }
}

/* ---- When */

/* One that was set before an exec(2) may be asked for again: the guard knows whether it has to be.
 */
static bool is_wanted(const struct sampler *s, size_t kind)
{
    uint32_t state = s->guard.target.rate[kind].state;

    return state == WIRE_RATE_WANTED ||
           (s->rates.again && (state == WIRE_RATE_SET || state == WIRE_RATE_ALREADY));
}

/* None where there is no target: its state is of one that is gone. */
static bool any_wanted(const struct sampler *s)
{
    for (size_t i = 0; i < WIRE_RATES; i++) {
        if (s->guard.target.state == WIRE_TARGET_UP && is_wanted(s, i))
            return true;
    }
    return false;
}

/* What of its first moments is still to come. */
static uint64_t unsettled_ms(const struct sampler *s)
{
    const struct wire_target *t = &s->guard.target;
    uint64_t now = clock_real_ns();
    uint64_t age_ms = now > t->start_real_ns ? (now - t->start_real_ns) / CLOCK_NS_PER_MS : 0;

    if (s->rates.again)
        return RATES_SETTLE_MS;
    return age_ms < RATES_SETTLE_MS ? RATES_SETTLE_MS - age_ms : 0;
}

int rates_wait_ms(struct sampler *s)
{
    struct sampler_rates *r = &s->rates;

    if (r->generation != s->guard.target.generation)
        *r = (struct sampler_rates){.generation = s->guard.target.generation};
    if (!any_wanted(s)) {
        r->tries = 0; /* wanted anew, after a reload: as often as at first */
        r->at_ns = 0;
        return -1;
    }
    if (r->at_ns == 0)
        r->at_ns = clock_mono_ns() + unsettled_ms(s) * CLOCK_NS_PER_MS;
    return clock_wait_ms(r->at_ns);
}

/* ---- Find, and ask */

/* 0: no clear winner (go_locate), or a value there that no rate has (runtime.c, is_rate). */
static uint64_t address_of(const struct go_runtime *rt, size_t kind)
{
    const uint64_t addresses[WIRE_RATES] = {
        [WIRE_RATE_HEAP] = rt->mem_profile_rate,
        [WIRE_RATE_BLOCK] = rt->block_profile_rate,
        [WIRE_RATE_MUTEX] = rt->mutex_profile_rate,
    };

    return addresses[kind];
}

/* The link to the guard is what counts; its refusals stand in its log and in the news. */
static bool is_fatal(int r)
{
    return r == -EPROTO || r == -EPIPE || r == -ETIMEDOUT;
}

static int ask_one(struct sampler *s, size_t kind, uint32_t reason)
{
    const struct go_runtime *rt = &s->scene.runtime;
    struct wire_rate_ask ask = {.generation = s->guard.target.generation, .rate = (uint32_t)kind};
    int r;

    if (reason == 0)
        ask.address = address_of(rt, kind);
    if (reason == 0 && ask.address == 0)
        reason = WIRE_RATE_NOT_FOUND;
    if (reason == 0 &&
        rt->target->ops->read(rt->target->ctx, ask.address, &ask.old, sizeof(ask.old)) != 0) {
        if (s->rates.tries < RATES_TRIES_MAX)
            return 0; /* it is going: the next round, or none */
        reason = WIRE_RATE_NOT_FOUND;
        ask.address = 0;
    }
    ask.state = reason;
    r = ask_guard_rate(&s->guard, &ask);
    return is_fatal(r) ? r : 0;
}

static int ask_all(struct sampler *s, uint32_t reason)
{
    int r = 0;

    for (size_t i = 0; i < WIRE_RATES && r == 0; i++) {
        if (is_wanted(s, i))
            r = ask_one(s, i, reason);
    }
    s->rates.again = false;
    return r;
}

/* 0: the runtime is there and known; else why not (a WIRE_RATE_NOT_… state), or not yet: -EAGAIN.
 * Its list of goroutines begins with the main one, which runtime.schedinit comes before. */
static int look(struct sampler *s)
{
    struct err e = {0};

    if (!(s->guard.target.rights & WIRE_RIGHT_MEMORY))
        return WIRE_RATE_NOT_FOUND;
    if (scene_ready(s, &e) != 0)
        return -EAGAIN;
    if (!space_go(s->scene.space))
        return WIRE_RATE_NOT_GO;
    if (scene_runtime(s, &e) != 0 || s->scene.runtime.allgs == 0) {
        s->scene.has_runtime = false; /* looked for too early, or never to be found */
        return -EAGAIN;
    }
    return s->scene.runtime.certain ? 0 : WIRE_RATE_NOT_CERTAIN;
}

int rates_run(struct sampler *s)
{
    struct sampler_rates *r = &s->rates;
    int reason;

    if (rates_wait_ms(s) != 0)
        return 0;
    reason = look(s);
    r->at_ns = clock_mono_ns() + RATES_RETRY_MS * CLOCK_NS_PER_MS;
    r->tries++;
    if (reason == -EAGAIN) {
        if (r->tries < RATES_TRIES_MAX)
            return 0;
        reason = WIRE_RATE_NOT_FOUND;
    }
    return ask_all(s, (uint32_t)reason);
}

/* ---- Say */

/* -1: not known. */
static int64_t rate_now(struct sampler *s, int rate)
{
    struct buckets_rates now;

    if (!s->scene.has_runtime || buckets_rates(&s->scene.runtime, &now) != 0)
        return -1;
    return rate == WIRE_RATE_HEAP ? now.memory : rate == WIRE_RATE_BLOCK ? now.block : now.mutex;
}

int64_t rates_heap(struct sampler *s)
{
    const struct wire_rate *w = &s->guard.target.rate[WIRE_RATE_HEAP];

    return w->state == WIRE_RATE_SET && rate_now(s, WIRE_RATE_HEAP) == 0 ? (int64_t)w->value : 0;
}

void rates_advise(struct sampler *s, uint32_t kind, struct err *e)
{
    int rate = rates_of(kind);
    const struct wire_rate *w;
    size_t used = strlen(e->text);

    /* refused for another reason (no records found, no clock): a rate would not help */
    if (rate < 0 || rate_now(s, rate) != 0)
        return;
    w = &s->guard.target.rate[rate];
    if (w->state == WIRE_RATE_OFF)
        (void)snprintf(e->text + used, sizeof(e->text) - used,
                       "; or set %s: writes into the target", names[rate].key);
    else
        (void)snprintf(e->text + used, sizeof(e->text) - used, "; %s: %s", names[rate].key,
                       words[w->state]);
}

void rates_comment(struct sampler *s, uint32_t kind, char *out, size_t bytes)
{
    int rate = rates_of(kind);
    const struct wire_rate *w;
    char when[CLOCK_STAMP_BYTES];
    int64_t now;
    int n;

    out[0] = '\0';
    if (rate < 0 || s->guard.target.rate[rate].state != WIRE_RATE_SET)
        return;
    w = &s->guard.target.rate[rate];
    n = snprintf(out, bytes,
                 "%s: pillion set %s from %" PRIu64 " to %" PRIu64
                 " at %s; what was recorded before was sampled at the old rate",
                 names[rate].key, names[rate].variable, w->old, w->value,
                 clock_stamp_of(w->set_real_ns, when));
    now = rate_now(s, rate);
    if (n > 0 && (size_t)n < bytes && now >= 0 && (uint64_t)now != w->value)
        (void)snprintf(out + n, bytes - (size_t)n,
                       "; somebody else has set it to %" PRId64 " since", now);
}
