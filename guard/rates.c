/*
 * The state of one rate stands in two places: what the others are told in t->wire.rate, which goes
 * with the target, and what has to be undone in struct guard_rate, whose address is 0 when there is
 * nothing. Whatever is not certain at any step leaves the target as it is.
 *
 * A word of 8 bytes is copied by the kernel as it likes, so the target could see half of it for a
 * moment: a rate that is neither, for one sample. The runtime reads rates without a lock and takes
 * any value (runtime/malloc.go, profilealloc; runtime/mprof.go, blocksampled, mutexevent).
 */
#include "guard/rates.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ticks.h"
#include "wire/rate_names.h"

static const char *const keys[WIRE_RATES] = {
#define X(kind, key, variable) [WIRE_RATE_##kind] = WIRE_RATE_UNSAFE key,
    WIRE_RATE_KEYS(X)
#undef X
};

/*
 * runtime.SetBlockProfileRate (runtime/mprof.go): nanoseconds become ticks, 1 stays 1 (everything),
 * and what would become 0 is 1. 0: no counter on this machine, so nothing to write.
 */
static uint64_t block_ticks(uint64_t ns)
{
    double per_second = ns > 1 ? ticks_per_second() : 0;
    uint64_t ticks;

    if (ns <= 1)
        return ns;
    ticks = (uint64_t)((double)ns * per_second / (double)CLOCK_NS_PER_SEC);
    return ticks == 0 && per_second > 0 ? 1 : ticks;
}

/* From nothing: what was written before must have been restored. */
static void want(struct guard_rate *rate, size_t kind, const struct plan *plan)
{
    uint64_t wanted = plan->rate[kind];

    *rate = (struct guard_rate){.on = plan->rates & 1u << kind,
                                .wanted = wanted,
                                .value = kind == WIRE_RATE_BLOCK ? block_ticks(wanted) : wanted};
    if (wanted == 0 || rate->value != 0)
        return;
    log_warn("this machine has no counter that block profiles could count in",
             LOG_STR("key", keys[kind]));
    rate->on = false;
}

void guard_rates_init(struct guard_rates *r, const struct plan *plan)
{
    for (size_t i = 0; i < WIRE_RATES; i++)
        want(&r->rate[i], i, plan);
}

/* What the others are told of one that is not written. */
static void show_wanted(const struct guard_rate *rate, struct wire_rate *show)
{
    *show = (struct wire_rate){.wanted = rate->wanted,
                               .value = rate->value,
                               .state = rate->on ? WIRE_RATE_WANTED : WIRE_RATE_OFF};
}

void guard_rates_found(struct guard_rates *r, struct target *t)
{
    for (size_t i = 0; i < WIRE_RATES; i++) {
        r->rate[i].address = 0;
        r->rate[i].refusals = 0;
        show_wanted(&r->rate[i], &t->wire.rate[i]);
    }
}

/* Why there is no address; a state that only the guard can know is not the sampler's to say. */
static bool is_reason(const struct wire_rate_ask *ask)
{
    return ask->old == 0 && ask->state >= WIRE_RATE_NOT_GO && ask->state < WIRE_RATE_STATES;
}

int guard_rates_check(const struct guard_rates *r, const struct target *t,
                      const struct wire_rate_ask *ask)
{
    if (ask->rate >= WIRE_RATES || ask->zero || ask->address % RATES_BYTES != 0)
        return -EPROTO;
    if (ask->address ? ask->state != 0 : !is_reason(ask))
        return -EPROTO;
    if (t->pidfd < 0)
        return -ESRCH;
    if (ask->generation != t->wire.generation)
        return -ESTALE;
    if (!r->rate[ask->rate].on)
        return -EPERM;
    /* written: a program that was put in its place by exec(2) is for dataseg_same() to tell */
    if (t->wire.rate[ask->rate].state == WIRE_RATE_SET && r->rate[ask->rate].address == 0)
        return -EALREADY;
    return r->rate[ask->rate].refusals < RATES_REFUSALS_MAX ? 0 : -EALREADY;
}

/* --- words of the target --- */

/* All 8 bytes or none: they are aligned, so they are in one page. */
static int done(ssize_t n)
{
    return n < 0 ? (int)n : n == RATES_BYTES ? 0 : -EFAULT;
}

/* The word there and whose it is, if that is one of the program's variables. */
static int look(struct target *t, uint64_t address, uint64_t *ret_word, struct dataseg_id *ret_id)
{
    int r = target_dataseg(t, address, RATES_BYTES, ret_id);

    if (r == 0)
        r = done(target_peek(t, address, ret_word, RATES_BYTES));
    return target_alive(t) ? r : -ESRCH;
}

/*
 * The process that is held lived just now; that its number became another's within these
 * microseconds would take its parent's wait(2) and a full round of pids.
 */
static int poke(struct target *t, uint64_t address, uint64_t word)
{
    if (!target_alive(t))
        return -ESRCH;
    return done(target_poke(t, address, &word, RATES_BYTES));
}

/* --- write --- */

static int refuse(struct guard_rate *rate, struct wire_rate *show, uint32_t kind, uint32_t state,
                  const char *why)
{
    rate->refusals++;
    show->state = state;
    log_warn("profiling rate not set in the target", LOG_STR("key", keys[kind]),
             LOG_STR("reason", why));
    return 0;
}

/* What the sampler says of one that it cannot find. */
static int take_reason(struct guard_rate *rate, struct wire_rate *show,
                       const struct wire_rate_ask *ask)
{
    static const char *const words[WIRE_RATE_STATES] = {
#define X(state, name, text) [WIRE_RATE_##state] = (text),
        WIRE_RATE_WORDS(X)
#undef X
    };

    return refuse(rate, show, ask->rate, ask->state, words[ask->state]);
}

static int write_rate(struct guard_rate *rate, struct target *t, const struct wire_rate_ask *ask)
{
    struct wire_rate *show = &t->wire.rate[ask->rate];
    struct dataseg_id id;
    uint64_t word = 0;
    int r = look(t, ask->address, &word, &id);

    if (r)
        return r;
    /* not the same: exec(2) has thrown away what was written, and there is nothing to undo */
    if (rate->address && dataseg_same(&rate->id, &id))
        return -EALREADY;
    /* both of us must mean the same word: who moves it meanwhile is asked again */
    if (word != ask->old)
        return -EAGAIN;
    if (word > RATES_OLD_MAX)
        return -ERANGE;
    if (word == rate->value) {
        show->state = WIRE_RATE_ALREADY;
        show->old = word;
        return 0;
    }
    r = poke(t, ask->address, rate->value);
    if (r)
        return r;
    rate->address = ask->address;
    rate->old = word;
    rate->id = id;
    show->old = word;
    show->set_real_ns = clock_real_ns();
    show->state = WIRE_RATE_SET;
    log_info("profiling rate set in the target", LOG_STR("key", keys[ask->rate]),
             LOG_U64("pid", t->pid), LOG_U64("old", word), LOG_U64("new", rate->value));
    return 0;
}

int guard_rates_write(struct guard_rates *r, struct target *t, const struct wire_rate_ask *ask)
{
    int x = guard_rates_check(r, t, ask);
    struct guard_rate *rate;
    struct wire_rate *show;

    if (x)
        return x;
    rate = &r->rate[ask->rate];
    show = &t->wire.rate[ask->rate];
    if (ask->address == 0)
        return rate->address ? -EALREADY : take_reason(rate, show, ask);
    x = write_rate(rate, t, ask);
    /* what may be otherwise in a moment is not final */
    if (x && x != -EALREADY && x != -EAGAIN && x != -ESRCH)
        (void)refuse(rate, show, ask->rate, WIRE_RATE_REFUSED,
                     x == -EACCES ? "its place is not in the program's data segment"
                                  : strerror(-x));
    return x;
}

/* --- restore --- */

/* Only what is still ours: a program, or somebody in a debugger, may have other plans by now. */
static void restore(struct guard_rate *rate, size_t kind, struct target *t)
{
    struct dataseg_id id;
    uint64_t address = rate->address;
    uint64_t word = 0;
    int r;

    rate->address = 0; /* whatever comes of it: it is not tried twice */
    if (address == 0 || !target_alive(t))
        return;
    r = look(t, address, &word, &id);
    if (r == 0 && (!dataseg_same(&rate->id, &id) || word != rate->value)) {
        t->wire.rate[kind].state = WIRE_RATE_CHANGED;
        log_warn(word != rate->value ? "profiling rate not restored: somebody else has changed it"
                                     : "profiling rate not restored: another program runs there",
                 LOG_STR("key", keys[kind]), LOG_U64("ours", rate->value), LOG_U64("now", word));
        return;
    }
    if (r == 0)
        r = poke(t, address, rate->old);
    if (r == -ESRCH)
        return;
    if (r)
        log_error("profiling rate not restored", LOG_STR("key", keys[kind]),
                  LOG_STR("reason", strerror(-r)), LOG_U64("left", rate->value));
    else
        log_info("profiling rate restored in the target", LOG_STR("key", keys[kind]),
                 LOG_U64("pid", t->pid), LOG_U64("old", word), LOG_U64("new", rate->old));
}

bool guard_rates_reload(struct guard_rates *r, struct target *t, const struct plan *plan)
{
    bool changed = false;

    for (size_t i = 0; i < WIRE_RATES; i++) {
        if (r->rate[i].on == ((plan->rates & 1u << i) != 0) && r->rate[i].wanted == plan->rate[i])
            continue;
        changed = true;
        restore(&r->rate[i], i, t);
        want(&r->rate[i], i, plan);
        show_wanted(&r->rate[i], &t->wire.rate[i]);
    }
    return changed;
}

void guard_rates_restore(struct guard_rates *r, struct target *t)
{
    for (size_t i = 0; i < WIRE_RATES; i++)
        restore(&r->rate[i], i, t);
}
