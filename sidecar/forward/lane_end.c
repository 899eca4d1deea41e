/*
 * How a try ends. What is kept of a failed one is only which parts were taken already; the bytes
 * are shaped anew, since retries are rare and memory is not.
 */
#include <sys/random.h>

#include "sidecar/forward/lane_priv.h"

enum {
    BACKOFF_DOUBLINGS_MAX = 20,
};

void lane_drop_shaped(struct lane *l)
{
    if (l->shaped)
        backend_shaped_release(l->shaped);
    free(l->shaped);
    l->shaped = NULL;
    l->part = 0;
    l->follows = false;
}

/* --- how a try ends --- */

static void note_error(struct lane *l, const char *why)
{
    (void)snprintf(l->seen.last_error, sizeof(l->seen.last_error), "%s", why);
    l->seen.last_error_ns = (int64_t)clock_real_ns();
}

/* At most once in FORWARD_LOG_MS: an outage of a day is no reason for a day of lines. */
static void complain(struct lane *l, const char *what, const char *why)
{
    uint64_t now = clock_mono_ns();

    if (l->logged_ns && now - l->logged_ns < FORWARD_LOG_MS * CLOCK_NS_PER_MS)
        return;
    l->logged_ns = now;
    log_warn(what, LOG_STR("backend", l->plan->config.name), LOG_STR("why", why),
             LOG_U64("waiting", store_waiting(l->store, l->index, NULL)),
             LOG_U64("failures", l->failures));
}

/* Somewhere between 0 and ms: a fleet that failed together must not come back together. */
static uint64_t jitter(uint64_t ms)
{
    uint64_t random;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        return ms;
    return random % (ms + 1);
}

static uint64_t backoff_ms(const struct lane *l)
{
    uint64_t ms = FORWARD_BACKOFF_MIN_MS;

    for (unsigned i = 1; i < l->failures && i < BACKOFF_DOUBLINGS_MAX; i++)
        ms = ms * 2 < FORWARD_BACKOFF_MAX_MS ? ms * 2 : FORWARD_BACKOFF_MAX_MS;
    return jitter(ms);
}

void lane_on_timer(uv_timer_t *t)
{
    struct lane *l = t->data;

    MAGIC_CHECK(l, LANE_MAGIC);
    l->state = LANE_IDLE;
    l->next_try_ns = 0;
    if (l->shaped)
        lane_send(l); /* some parts are theirs already: go on behind them */
    else
        lane_next(l);
}

static void wait_ms(struct lane *l, uint64_t ms)
{
    if (l->part == 0)
        lane_drop_shaped(l);
    if (l->draining) { /* there is no later; it stays in the spool */
        l->gave_up = true;
        l->state = LANE_IDLE;
        return;
    }
    l->state = LANE_WAITING;
    l->next_try_ns = clock_mono_ns() + ms * CLOCK_NS_PER_MS;
    (void)uv_timer_start(l->timer, lane_on_timer, ms, 0);
}

void lane_retry(struct lane *l, const char *why, uint64_t asked_ms)
{
    uint64_t ms = asked_ms < FORWARD_RETRY_AFTER_MAX_MS ? asked_ms : FORWARD_RETRY_AFTER_MAX_MS;

    l->blocked = false; /* it fails in another way now */
    l->failures++;
    l->seen.failed++;
    l->seen.retries++;
    note_error(l, why);
    complain(l, "a profile could not be sent, it will be tried again", why);
    wait_ms(l, ms ? ms : backoff_ms(l));
}

void lane_block(struct lane *l, const char *why)
{
    l->failures++;
    l->seen.failed++;
    note_error(l, why);
    complain(l, "a backend refuses us: its profiles wait", why);
    l->blocked = true;
    if (l->follows) /* what the first answer gave us may be gone by then: ask again */
        lane_drop_shaped(l);
    wait_ms(l, BACKEND_BLOCKED_MS);
}

void lane_reject(struct lane *l, const char *why)
{
    l->blocked = false;
    l->seen.rejected++;
    note_error(l, why);
    complain(l, "a profile was rejected and dropped", why);
    store_drop(l->store, l->index, l->entry.handle, STORE_DROP_REJECTED);
    lane_drop_shaped(l);
    l->state = LANE_IDLE;
    lane_next(l);
}

void lane_skip(struct lane *l)
{
    l->seen.skipped++;
    store_done(l->store, l->index, l->entry.handle);
    lane_drop_shaped(l);
    l->state = LANE_IDLE;
    lane_next(l);
}

void lane_taken(struct lane *l)
{
    if (l->failures)
        log_info("a backend takes profiles again", LOG_STR("backend", l->plan->config.name),
                 LOG_U64("waiting", store_waiting(l->store, l->index, NULL)));
    l->failures = 0;
    l->logged_ns = 0;
    l->blocked = false;
    l->seen.taken++;
    l->seen.last_success_ns = (int64_t)clock_real_ns();
    store_done(l->store, l->index, l->entry.handle);
    lane_drop_shaped(l);
    l->state = LANE_IDLE;
    lane_next(l);
}

/* --- an answer --- */

/* Part by part in order; those before l->part are theirs already. */
static void part_taken(struct lane *l, const struct client_answer *a)
{
    struct err e = {0};

    l->seen.bytes += l->shaped->parts[l->part].body.len;
    if (++l->part == l->shaped->count) {
        lane_taken(l);
        return;
    }
    l->follows = l->ops->follow && !l->shaped->parts[l->part].path[0];
    if (l->follows && l->ops->follow(l->plan, a, &l->shaped->parts[l->part], &e)) {
        l->part = 0; /* what follows depends on the first answer: both once more */
        lane_drop_shaped(l);
        lane_retry(l, e.text, 0);
        return;
    }
    lane_send(l);
}

void lane_split(struct lane *l, const char *why)
{
    if (l->split >= LANE_SPLIT_MAX || l->part > 0) {
        lane_reject(l, why);
        return;
    }
    l->split *= 2;
    lane_drop_shaped(l);
    l->state = LANE_IDLE;
    lane_begin(l);
}

void lane_settle(struct lane *l, const struct client_answer *a)
{
    enum backend_verdict verdict = BACKEND_RETRY;
    uint64_t wait = a->retry_after_ms;
    char why[LANE_WHY_BYTES] = "";

    if (a->fate == CLIENT_ANSWERED) {
        verdict = l->ops->judge(l->plan, a, why, sizeof(why));
        if (a->status == 401 && l->token)
            google_token_drop(l->token);
        if (l->ops->delay && l->ops->delay(a))
            wait = l->ops->delay(a);
    } else {
        /* an endless answer may follow a profile that was taken: not tried for ever */
        verdict = a->fate == CLIENT_TOO_LARGE ? BACKEND_RETRY_FEW : BACKEND_RETRY;
        (void)snprintf(why, sizeof(why), "%s", a->why);
    }
    if (verdict == BACKEND_RETRY_FEW)
        verdict = ++l->few >= BACKEND_FEW_TRIES ? BACKEND_NEVER : BACKEND_RETRY;
    switch (verdict) {
    case BACKEND_TAKEN:
        part_taken(l, a);
        break;
    case BACKEND_RETRY:
    case BACKEND_RETRY_FEW:
        lane_retry(l, why, wait);
        break;
    case BACKEND_BLOCKED:
        lane_block(l, why);
        break;
    case BACKEND_SPLIT:
        lane_split(l, why);
        break;
    case BACKEND_NEVER:
    default:
        lane_reject(l, why);
        break;
    }
}
