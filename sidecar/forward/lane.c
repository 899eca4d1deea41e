/*
 * One profile at a time: a backend that answers slowly fills its own queue and nothing else, and
 * what was not answered is known to be exactly one.
 */
#include "sidecar/forward/lane.h"

#include <errno.h>

#include "sidecar/forward/lane_priv.h"
#include "sidecar/forward/plan.h"

static void on_timer_closed(uv_handle_t *h)
{
    free(h);
}

/* How long a backend may say nothing: its whole timeout, or as long as a call that hangs on
 * purpose. */
static uint64_t silence_ms(const struct backend_plan *plan)
{
    if (plan->config.type == CONFIG_BACKEND_GOOGLE && plan->config.format == CONFIG_FORMAT_ONLINE)
        return BACKEND_HANG_MS;
    return plan->config.timeout_ms ? plan->config.timeout_ms : LANE_TIMEOUT_MS;
}

static int open_parts(struct lane *l, struct err *e)
{
    struct client_want want = {
        .url = l->plan->url,
        .tls = &l->plan->config.tls,
        .stall_ms = silence_ms(l->plan),
    };
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
    lane_drop_shaped(l);
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
        lane_next(l);
}

/* The key file may be another: its token is asked for anew. */
static int renew_token(struct lane *l, struct err *e)
{
    struct google_token *fresh;
    int r = google_token_new(l->loop, &l->plan->config, &fresh, e);

    if (r)
        return r;
    google_token_free(l->token);
    l->token = fresh;
    if (l->state == LANE_TOKEN) { /* whoever was asked cannot answer any more */
        l->state = LANE_WAITING;
        lane_on_timer(l->timer);
    }
    return 0;
}

void lane_secrets(struct lane *l)
{
    struct err e = {0};
    int r = plan_secrets_read(l->plan, l->secrets, &e);

    if (r == 0 && l->client)
        r = client_reload(l->client, &e);
    if (r == 0 && l->token && l->plan->config.credentials_file[0])
        r = renew_token(l, &e);
    if (r) { /* the old ones stay */
        log_warn("a backend's secret cannot be read again",
                 LOG_STR("backend", l->plan->config.name), LOG_STR("why", e.text));
        return;
    }
    l->secrets_read = true;
    if (!l->blocked || l->state != LANE_WAITING)
        return;
    (void)uv_timer_stop(l->timer);
    lane_on_timer(l->timer);
}

void lane_drain(struct lane *l)
{
    l->draining = true;
    if (l->state == LANE_WAITING) {
        (void)uv_timer_stop(l->timer);
        l->gave_up = l->blocked;
        lane_on_timer(l->timer);
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
