/*
 * From the queue to the wire: the oldest profile is read (hot.h), shaped in the pool (lane_job.h),
 * and sent part by part. A failure on the way ends in lane_end.c.
 */
#include <errno.h>

#include "sidecar/forward/lane_priv.h"
#include "sidecar/forward/plan.h"

static void answered(void *data, const struct client_answer *a)
{
    struct lane *l = data;

    MAGIC_CHECK(l, LANE_MAGIC);
    l->ticket = 0;
    l->state = LANE_IDLE;
    lane_settle(l, a);
}

static void token_came(void *data, int result, const char *why)
{
    struct lane *l = data;

    MAGIC_CHECK(l, LANE_MAGIC);
    l->state = LANE_IDLE;
    if (result)
        lane_retry(l, why, 0);
    else if (l->shaped)
        lane_send(l);
    else
        lane_begin(l);
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
        lane_retry(l, "no access token", 0);
        return r;
    }
    if (!l->plan->project[0]) /* no job runs: nobody else looks at the plan now */
        (void)snprintf(l->plan->project, sizeof(l->plan->project), "%s",
                       google_token_project(l->token));
    return 0;
}

void lane_send(struct lane *l)
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
    if (part->body.len > CLIENT_REQUEST_BODY_MAX_BYTES) {
        lane_split(l, "the request is larger than any backend takes");
        return;
    }
    for (size_t i = 0; i < part->headers_count; i++)
        request.headers[i] = part->headers[i];
    if (l->ops->head)
        r = l->ops->head(l->plan, l->secrets, part, clock_real_ns(), &request, l->texts,
                         LANE_TEXTS_BYTES, &e);
    if (r) {
        lane_block(l, e.text);
        return;
    }
    r = client_ask(l->client, &request, NULL, answered, l, &l->ticket);
    explicit_bzero(l->texts, LANE_TEXTS_BYTES);
    if (r) {
        lane_retry(l, uv_strerror(r), 0);
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
        lane_skip(l);
    else if (result == -ENOMEM || result == -ECANCELED || l->ops->deliver)
        lane_retry(l, why, 0);
    else
        lane_reject(l, why);
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
        lane_taken(l);
    } else if (l->shaped->count == 0) {
        lane_skip(l);
    } else {
        lane_send(l);
    }
}

static void came(void *data, int result, const char *why)
{
    struct lane *l = data;

    MAGIC_CHECK(l, LANE_MAGIC);
    l->state = LANE_IDLE;
    if (result == -EBADMSG || result == -ENOENT)
        lane_next(l); /* the store has counted and dropped it */
    else if (result)
        lane_retry(l, why, 0);
    else
        lane_begin(l);
}

void lane_begin(struct lane *l)
{
    struct hot_item *item = NULL;
    struct err e = {0};
    int r = 0;

    if (!l->secrets_read) {
        r = plan_secrets_read(l->plan, l->secrets, &e);
        l->secrets_read = r == 0;
    }
    if (r) {
        lane_block(l, e.text);
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
        lane_retry(l, uv_strerror(r), 0);
        return;
    }
    l->state = LANE_SHAPING;
}

/* The oldest that is young enough for this backend. */
void lane_next(struct lane *l)
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
        lane_begin(l);
        return;
    }
}
