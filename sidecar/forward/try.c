/*
 * One lane, drained from the start: it tries at once and gives up at the first failure, which is
 * just what a check wants.
 */
#include "sidecar/forward/try.h"

#include <errno.h>

#include "base/clock.h"
#include "sidecar/forward/forward.h"

enum {
    CHECK_MS = 1000, /* the window that it claims */
    CLOSING_TURNS = 8,
};

struct
try {
    uv_loop_t *loop;
    struct config *config; /* of one backend, without folders */
    struct store *store;
    struct forward *forward;
    bool answered; /* the store */
    int result;
};

/* --- what is sent --- */

static int add_sample(struct profile *p)
{
    const int64_t values[] = {1, 1};
    struct profile_line line = {.function = profile_function(p, "[pillion check]", NULL, "", 0)};
    uint64_t location = profile_location(p, 0, 0, &line, 1);

    return profile_sample(p, &location, 1, values, NULL, 0);
}

static int make(bool empty, const struct item *item, struct buf *out)
{
    struct profile *p = profile_new();
    int r = p ? profile_add_type(p, "samples", "count") : -ENOMEM;

    if (r == 0)
        r = profile_add_type(p, "cpu", "nanoseconds");
    if (r == 0)
        r = profile_set_period(p, "cpu", "nanoseconds", 10 * (int64_t)CLOCK_NS_PER_MS);
    if (r == 0)
        r = profile_add_comment(p, "pillion check --connect");
    if (r == 0 && !empty)
        r = add_sample(p);
    if (r == 0) {
        profile_set_time(p, item->time_ns, item->duration_ns);
        r = profile_encode(p, out);
    }
    profile_free(p);
    return r;
}

static void accepted(void *data, int result, const char *why)
{
    struct try *t = data;

    (void)why;
    t->answered = true;
    t->result = result;
}

static void on_deadline(uv_timer_t *timer)
{
    bool *over = timer->data;

    *over = true;
}

static bool is_done(const struct try *t)
{
    return t->answered && (t->result || forward_idle(t->forward));
}

/* Turn the loop until it has come to something: false when that takes too long. */
static bool wait_for(struct try *t)
{
    uv_timer_t timer;
    bool over = false;

    (void)uv_timer_init(t->loop, &timer); /* always 0 */
    timer.data = &over;
    (void)uv_timer_start(&timer, on_deadline, TRY_MAX_MS, 0);
    while (!over && !is_done(t))
        (void)uv_run(t->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    for (int i = 0; i < CLOSING_TURNS; i++) /* the handle is on our stack */
        (void)uv_run(t->loop, UV_RUN_NOWAIT);
    return !over;
}

/* 0: see forward_look(); -ETIMEDOUT, or another -errno of before anything was sent. */
static int send_one(struct try *t, bool empty)
{
    struct item item = {.type = "cpu", .target = "pillion-check", .language = "go"};
    struct buf raw;
    int r = item_new_id(item.id);

    item.time_ns = (int64_t)(clock_real_ns() - CHECK_MS * CLOCK_NS_PER_MS);
    item.duration_ns = (int64_t)(CHECK_MS * CLOCK_NS_PER_MS);
    (void)snprintf(item.runtime_id, sizeof(item.runtime_id), "%s", item.id);
    buf_init(&raw, ITEM_META_MAX_BYTES);
    if (r == 0)
        r = make(empty, &item, &raw);
    t->answered = false;
    if (r == 0)
        r = store_put(t->store, &item, raw.data, raw.len, 1, false, accepted, t);
    buf_release(&raw);
    if (r)
        return r;
    if (!wait_for(t))
        return -ETIMEDOUT;
    return t->result;
}

/* --- one backend --- */

static struct config *alone(const struct config *c, size_t i)
{
    struct config *one = malloc(sizeof(*one));

    if (!one)
        return NULL;
    *one = *c;
    one->forward[0] = c->forward[i];
    one->forward_count = 1;
    one->spool.dir[0] = one->history.dir[0] = '\0';
    if (one->forward[0].labels_count < CONFIG_BACKEND_LABELS_MAX) {
        struct config_label *l = &one->forward[0].labels[one->forward[0].labels_count++];

        (void)snprintf(l->key, sizeof(l->key), "pillion_check");
        (void)snprintf(l->value, sizeof(l->value), "true");
    }
    return one;
}

/* 0: taken; else the reason. */
static int judge(const struct try *t, int r, struct err *e)
{
    struct forward_status s;

    if (r == -ETIMEDOUT)
        return err_set(e, r, "no answer within %d s", TRY_MAX_MS / 1000);
    if (r)
        return err_set(e, r, "%s", strerror(-r));
    forward_look(t->forward, 0, &s);
    if (s.taken > 0)
        return 0;
    return err_set(e, -EPROTO, "%s", s.last_error[0] ? s.last_error : "it was not sent");
}

static bool was_skipped(const struct try *t)
{
    struct forward_status s;

    forward_look(t->forward, 0, &s);
    return s.skipped > 0;
}

static int try_one(struct try *t, struct err *e)
{
    int r = store_open(t->loop, t->config, &t->store, e);

    if (r == 0)
        r = forward_new(t->loop, t->config, t->store, &t->forward, e);
    if (r)
        return r;
    forward_drain(t->forward);
    r = send_one(t, true);
    if (r == 0 && was_skipped(t)) /* it sends nothing of a profile without samples */
        r = send_one(t, false);
    return judge(t, r, e);
}

static void close_one(struct try *t)
{
    forward_free(t->forward);
    store_close(t->store);
    for (int i = 0; i < CLOSING_TURNS; i++) /* lets closed handles go, waits for none */
        (void)uv_run(t->loop, UV_RUN_NOWAIT);
    free(t->config);
}

int try_backends(uv_loop_t *loop, const struct config *c, FILE *out)
{
    int refused = 0;

    for (size_t i = 0; i < c->forward_count; i++) {
        struct try t = {.loop = loop, .config = alone(c, i)};
        const struct config_backend *b = &c->forward[i];
        struct err e = {0};
        int r;

        if (!t.config)
            return -ENOMEM;
        r = try_one(&t, &e);
        (void)fprintf(out, "%s (%s): %s%s\n", b->name, backend_ops_of(b->type)->name,
                      r ? "no: " : "ok", e.text);
        (void)fflush(out);
        refused += r != 0;
        close_one(&t);
    }
    return refused;
}
