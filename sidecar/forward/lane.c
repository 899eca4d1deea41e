/*
 * One profile at a time: a backend that answers slowly fills its own queue and nothing else, and
 * what was not answered is known to be exactly one. What is kept of a failed try is only which
 * parts were taken already; the bytes are shaped anew, since retries are rare and memory is not.
 */
#include "sidecar/forward/lane.h"

#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "sidecar/forward/google_token.h"
#include "sidecar/forward/lane_job.h"
#include "sidecar/forward/plan.h"

enum {
    LANE_MAGIC = 0x4c414e45,
    LANE_TEXTS_BYTES = 2 * BACKEND_SECRET_BYTES + 4096, /* header values of one request */
    LANE_TIMEOUT_MS = 10000,
    LANE_BACKOFF_DOUBLINGS_MAX = 20,
};

enum lane_state {
    LANE_IDLE,
    LANE_TOKEN,    /* google's access token is asked for */
    LANE_FETCHING, /* hot.h reads it */
    LANE_SHAPING,  /* in the pool */
    LANE_SENDING,
    LANE_WAITING, /* for the timer */
};

struct lane {
    unsigned magic;
    uv_loop_t *loop;
    struct store *store;
    struct hot *hot;
    struct backend_plan *plan;
    const struct backend_ops *ops;
    uint32_t index;
    struct client *client;      /* NULL: it delivers by itself */
    struct google_token *token; /* NULL: not google */
    struct backend_secrets *secrets;
    bool secrets_read;
    uv_timer_t *timer; /* on the heap: it outlives us until it is closed */
    char *texts;       /* LANE_TEXTS_BYTES */

    enum lane_state state;
    struct store_entry entry;
    struct lane_job *job;          /* in the pool */
    struct backend_shaped *shaped; /* being sent */
    size_t part;
    uint32_t ticket;
    unsigned few, split; /* of this entry: RETRY_FEW tries, parts for a backend that says 413 */
    bool blocked, draining, gave_up;
    unsigned failures; /* in a row */
    uint64_t next_try_ns, logged_ns;
    struct forward_status seen; /* the counters and the last error */
};

static void next(struct lane *l);
static void begin(struct lane *l);
static void send_part(struct lane *l);

static void drop_shaped(struct lane *l)
{
    if (l->shaped)
        backend_shaped_release(l->shaped);
    free(l->shaped);
    l->shaped = NULL;
    l->part = 0;
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

    for (unsigned i = 1; i < l->failures && i < LANE_BACKOFF_DOUBLINGS_MAX; i++)
        ms = ms * 2 < FORWARD_BACKOFF_MAX_MS ? ms * 2 : FORWARD_BACKOFF_MAX_MS;
    return jitter(ms);
}

static void on_timer(uv_timer_t *t)
{
    struct lane *l = t->data;

    MAGIC_CHECK(l, LANE_MAGIC);
    l->state = LANE_IDLE;
    l->next_try_ns = 0;
    if (l->shaped)
        send_part(l); /* some parts are theirs already: go on behind them */
    else
        next(l);
}

static void wait_ms(struct lane *l, uint64_t ms)
{
    if (l->part == 0)
        drop_shaped(l);
    if (l->draining) { /* there is no later; it stays in the spool */
        l->gave_up = true;
        l->state = LANE_IDLE;
        return;
    }
    l->state = LANE_WAITING;
    l->next_try_ns = clock_mono_ns() + ms * CLOCK_NS_PER_MS;
    (void)uv_timer_start(l->timer, on_timer, ms, 0);
}

static void retry(struct lane *l, const char *why, uint64_t asked_ms)
{
    uint64_t ms = asked_ms < FORWARD_RETRY_AFTER_MAX_MS ? asked_ms : FORWARD_RETRY_AFTER_MAX_MS;

    l->failures++;
    l->seen.failed++;
    l->seen.retries++;
    note_error(l, why);
    complain(l, "a profile could not be sent, it will be tried again", why);
    wait_ms(l, ms ? ms : backoff_ms(l));
}

static void block(struct lane *l, const char *why)
{
    l->failures++;
    l->seen.failed++;
    note_error(l, why);
    complain(l, "a backend refuses us: its profiles wait", why);
    l->blocked = true;
    wait_ms(l, BACKEND_BLOCKED_MS);
}

static void reject(struct lane *l, const char *why)
{
    l->seen.rejected++;
    note_error(l, why);
    complain(l, "a profile was rejected and dropped", why);
    store_drop(l->store, l->index, l->entry.handle, STORE_DROP_REJECTED);
    drop_shaped(l);
    l->state = LANE_IDLE;
    next(l);
}

static void skip(struct lane *l)
{
    l->seen.skipped++;
    store_done(l->store, l->index, l->entry.handle);
    drop_shaped(l);
    l->state = LANE_IDLE;
    next(l);
}

static void taken(struct lane *l)
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
    drop_shaped(l);
    l->state = LANE_IDLE;
    next(l);
}

/* --- sending --- */

/* Part by part in order; those before l->part are theirs already. */
static void part_taken(struct lane *l, const struct client_answer *a)
{
    struct err e = {0};

    l->seen.bytes += l->shaped->parts[l->part].body.len;
    if (++l->part == l->shaped->count) {
        taken(l);
        return;
    }
    if (l->ops->follow && l->ops->follow(l->plan, a, &l->shaped->parts[l->part], &e)) {
        l->part = 0; /* what follows depends on the first answer: both once more */
        drop_shaped(l);
        retry(l, e.text, 0);
        return;
    }
    send_part(l);
}

static void split(struct lane *l, const char *why)
{
    if (l->split >= LANE_SPLIT_MAX || l->part > 0) {
        reject(l, why);
        return;
    }
    l->split *= 2;
    drop_shaped(l);
    l->state = LANE_IDLE;
    begin(l);
}

static void settle(struct lane *l, const struct client_answer *a)
{
    enum backend_verdict verdict = BACKEND_RETRY;
    uint64_t wait = a->retry_after_ms;
    char why[LANE_WHY_BYTES] = "";

    if (a->fate == CLIENT_ANSWERED) {
        verdict = l->ops->judge(l->plan, a, why, sizeof(why));
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
        retry(l, why, wait);
        break;
    case BACKEND_BLOCKED:
        block(l, why);
        break;
    case BACKEND_SPLIT:
        split(l, why);
        break;
    case BACKEND_NEVER:
    default:
        reject(l, why);
        break;
    }
}

static void answered(void *data, const struct client_answer *a)
{
    struct lane *l = data;

    MAGIC_CHECK(l, LANE_MAGIC);
    l->ticket = 0;
    l->state = LANE_IDLE;
    settle(l, a);
}

static void token_came(void *data, int result, const char *why)
{
    struct lane *l = data;

    MAGIC_CHECK(l, LANE_MAGIC);
    l->state = LANE_IDLE;
    if (result)
        retry(l, why, 0);
    else if (l->shaped)
        send_part(l);
    else
        begin(l);
}

/* 0: there is one, or none is needed. Else the lane waits, or the try has failed. */
static int want_token(struct lane *l)
{
    int r;

    if (!l->token)
        return 0;
    r = google_token_get(l->token, l->secrets->bearer, sizeof(l->secrets->bearer), token_came, l);
    if (r == -EAGAIN) {
        l->state = LANE_TOKEN;
        return r;
    }
    if (r) {
        retry(l, "no access token", 0);
        return r;
    }
    if (!l->plan->config.project[0]) /* no job runs: nobody else looks at the plan now */
        (void)snprintf(l->plan->config.project, sizeof(l->plan->config.project), "%s",
                       google_token_project(l->token));
    return 0;
}

static void send_part(struct lane *l)
{
    const struct backend_part *part = &l->shaped->parts[l->part];
    uint64_t timeout = l->plan->config.timeout_ms ? l->plan->config.timeout_ms : LANE_TIMEOUT_MS;
    struct client_request request = {
        .method = part->method,
        .path = part->path,
        .headers_count = part->headers_count,
        .body = part->body.data,
        .bytes = part->body.len,
        .body_owned = true, /* l->shaped stays until it is answered or forgotten */
        .total_ms = part->total_ms ? part->total_ms : timeout,
    };
    struct err e = {0};
    int r = want_token(l);

    if (r)
        return;
    for (size_t i = 0; i < part->headers_count; i++)
        request.headers[i] = part->headers[i];
    if (l->ops->head)
        r = l->ops->head(l->plan, l->secrets, part, clock_real_ns(), &request, l->texts,
                         LANE_TEXTS_BYTES, &e);
    if (r) {
        block(l, e.text);
        return;
    }
    r = client_ask(l->client, &request, NULL, answered, l, &l->ticket);
    explicit_bzero(l->texts, LANE_TEXTS_BYTES);
    if (r) {
        retry(l, uv_strerror(r), 0);
        return;
    }
    l->state = LANE_SENDING;
}

/* --- shaping --- */

/* A disk that refuses may take it later; a profile that cannot be shaped never will be. */
static void shape_failed(struct lane *l, int result, const struct err *e)
{
    const char *why = e->text[0] ? e->text : "it cannot be shaped";

    if (result == -ENOTSUP)
        skip(l);
    else if (result == -ENOMEM || result == -ECANCELED || l->ops->deliver)
        retry(l, why, 0);
    else
        reject(l, why);
}

static void shaped(void *data, struct lane_job *job)
{
    struct lane *l = data;
    struct err e;
    int r;

    MAGIC_CHECK(l, LANE_MAGIC);
    l->job = NULL;
    l->state = LANE_IDLE;
    r = lane_job_result(job, &l->shaped, &e);
    if (r) {
        shape_failed(l, r, &e);
    } else if (l->ops->deliver) {
        l->seen.bytes += l->entry.bytes;
        taken(l);
    } else if (l->shaped->count == 0) {
        skip(l);
    } else {
        send_part(l);
    }
}

static void came(void *data, int result, const char *why)
{
    struct lane *l = data;

    MAGIC_CHECK(l, LANE_MAGIC);
    l->state = LANE_IDLE;
    if (result == -EBADMSG || result == -ENOENT)
        next(l); /* the store has counted and dropped it */
    else if (result)
        retry(l, why, 0);
    else
        begin(l);
}

static void begin(struct lane *l)
{
    struct hot_item *item = NULL;
    struct err e = {0};
    int r = 0;

    if (!l->secrets_read) {
        r = plan_secrets_read(l->plan, l->secrets, &e);
        l->secrets_read = r == 0;
    }
    if (r) {
        block(l, e.text);
        return;
    }
    if (want_token(l))
        return;
    r = hot_get(l->hot, l->index, &l->entry, came, l, &item);
    if (r == -EAGAIN) {
        l->state = LANE_FETCHING;
        return;
    }
    if (r == 0)
        r = lane_job_start(l->loop, l->plan, l->ops, item, l->split, shaped, l, &l->job);
    if (r) {
        hot_put(item);
        retry(l, uv_strerror(r), 0);
        return;
    }
    l->state = LANE_SHAPING;
}

/* The oldest that is young enough for this backend. */
static void next(struct lane *l)
{
    uint64_t max_age_ms = l->plan->config.max_age_ms;
    uint64_t handle = l->entry.handle;

    if (l->gave_up)
        return;
    while (store_oldest(l->store, l->index, 0, &l->entry)) {
        if (max_age_ms && l->entry.age_ms > max_age_ms) {
            store_drop(l->store, l->index, l->entry.handle, STORE_DROP_AGE);
            continue;
        }
        if (l->entry.handle != handle) {
            l->few = 0;
            l->split = 1;
        }
        begin(l);
        return;
    }
}

/* --- life --- */

static void on_timer_closed(uv_handle_t *h)
{
    free(h);
}

static int open_parts(struct lane *l, struct err *e)
{
    struct client_want want = {.url = l->plan->url, .tls = &l->plan->config.tls};
    int r = 0;

    l->secrets = calloc(1, sizeof(*l->secrets));
    l->texts = calloc(1, LANE_TEXTS_BYTES);
    l->timer = calloc(1, sizeof(*l->timer));
    if (!l->secrets || !l->texts || !l->timer) {
        free(l->timer);
        l->timer = NULL;
        return err_set(e, -ENOMEM, "out of memory");
    }
    (void)uv_timer_init(l->loop, l->timer); /* always 0 */
    l->timer->data = l;
    if (l->plan->config.type == CONFIG_BACKEND_GOOGLE)
        r = google_token_new(l->loop, &l->plan->config, &l->token, e);
    if (r == 0 && !l->ops->deliver)
        r = client_new(l->loop, &want, &l->client, e);
    if (r)
        err_prefix(e, "backend %s: ", l->plan->config.name);
    return r;
}

int lane_new(uv_loop_t *loop, struct store *store, struct hot *hot, struct backend_plan *plan,
             uint32_t index, struct lane **ret, struct err *e)
{
    struct lane *l = calloc(1, sizeof(*l));
    int r;

    if (!l) {
        free(plan);
        return err_set(e, -ENOMEM, "out of memory");
    }
    l->magic = LANE_MAGIC;
    l->loop = loop;
    l->store = store;
    l->hot = hot;
    l->plan = plan;
    l->ops = backend_ops_of(plan->config.type);
    l->index = index;
    l->split = 1;
    r = open_parts(l, e);
    if (r) {
        lane_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

void lane_free(struct lane *l)
{
    if (!l)
        return;
    MAGIC_CHECK(l, LANE_MAGIC);
    hot_forget(l->hot, l);
    if (l->client)
        client_forget(l->client, l->ticket);
    client_free(l->client);
    google_token_free(l->token);
    if (l->job)
        lane_job_abandon(l->job, l->plan); /* it frees the plan when it is back */
    else
        free(l->plan);
    drop_shaped(l);
    if (l->secrets)
        explicit_bzero(l->secrets, sizeof(*l->secrets));
    free(l->secrets);
    free(l->texts);
    if (l->timer)
        uv_close((uv_handle_t *)l->timer, on_timer_closed);
    l->magic = 0;
    free(l);
}

const struct backend_plan *lane_plan(const struct lane *l)
{
    return l->plan;
}

void lane_renumber(struct lane *l, uint32_t index)
{
    l->index = index;
}

void lane_kick(struct lane *l)
{
    if (l->state == LANE_IDLE && !l->job)
        next(l);
}

void lane_secrets(struct lane *l)
{
    struct err e = {0};
    int r = plan_secrets_read(l->plan, l->secrets, &e);

    if (r == 0 && l->client)
        r = client_reload(l->client, &e);
    if (r) { /* the old ones stay */
        log_warn("a backend's secret cannot be read again",
                 LOG_STR("backend", l->plan->config.name), LOG_STR("why", e.text));
        return;
    }
    l->secrets_read = true;
    if (!l->blocked || l->state != LANE_WAITING)
        return;
    (void)uv_timer_stop(l->timer);
    on_timer(l->timer);
}

void lane_drain(struct lane *l)
{
    l->draining = true;
    if (l->state == LANE_WAITING) {
        (void)uv_timer_stop(l->timer);
        l->gave_up = l->blocked;
        on_timer(l->timer);
    } else {
        lane_kick(l);
    }
}

bool lane_idle(const struct lane *l)
{
    if (l->state != LANE_IDLE && l->state != LANE_WAITING)
        return false;
    return l->gave_up || l->state == LANE_WAITING || store_waiting(l->store, l->index, NULL) == 0;
}

void lane_look(const struct lane *l, struct forward_status *ret)
{
    uint64_t now = clock_mono_ns();
    struct store_entry oldest;

    *ret = l->seen;
    ret->name = l->plan->config.name;
    ret->type = l->ops->name;
    ret->circuit = "closed";
    if (l->blocked)
        ret->circuit = "blocked";
    else if (l->failures >= FORWARD_OPEN_AFTER)
        ret->circuit = "open";
    ret->waiting = store_waiting(l->store, l->index, &ret->waiting_bytes);
    ret->oldest_ms = store_oldest(l->store, l->index, 0, &oldest) ? oldest.age_ms : 0;
    if (l->next_try_ns > now)
        ret->next_try_ms = (l->next_try_ns - now) / CLOCK_NS_PER_MS;
}
