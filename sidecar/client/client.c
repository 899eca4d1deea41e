/*
 * Who waits, and for which connection. Everything begins in the client's timer, one turn of the
 * loop after client_ask(): so no callback ever runs below a call of its owner.
 */
#include <errno.h>

#include "sidecar/client/client_priv.h"
#include "sidecar/client/request.h"

static void on_timer(uv_timer_t *t);

/* ---- asks */

static void ask_free(struct ask *ask)
{
    if (!ask)
        return;
    if (ask->head.data)
        explicit_bzero(ask->head.data, ask->head.cap);
    buf_release(&ask->head);
    free(ask->copy);
    free(ask);
}

static void enlist(struct client *c, struct ask *ask)
{
    ask->next = NULL;
    ask->channel = NULL;
    *c->last = ask;
    c->last = &ask->next;
    c->waiting++;
}

static void unlist(struct client *c, struct ask *ask)
{
    struct ask **at = &c->first;

    while (*at && *at != ask)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = ask->next;
    if (c->last == &ask->next)
        c->last = at;
    ask->next = NULL;
    c->waiting--;
}

static struct ask *find(const struct client *c, uint32_t ticket)
{
    for (struct ask *ask = c->first; ask; ask = ask->next) {
        if (ask->ticket == ticket)
            return ask;
    }
    for (size_t i = 0; i < CLIENT_CONNECTIONS_MAX; i++) {
        if (c->channels[i] && c->channels[i]->ask && c->channels[i]->ask->ticket == ticket)
            return c->channels[i]->ask;
    }
    return NULL;
}

void client_settle(struct ask *ask, const struct client_answer *answer)
{
    ask->answered(ask->data, answer);
    ask_free(ask);
}

void client_again(struct ask *ask)
{
    struct client *c = ask->client;

    ask->channel = NULL;
    ask->next = c->first;
    if (!c->first)
        c->last = &ask->next;
    c->first = ask;
    c->waiting++;
    client_kick(c);
}

void client_kick(struct client *c)
{
    if (!c->freed)
        (void)uv_timer_start(&c->timer, on_timer, 0, 0);
}

/* ---- the timer */

/* The first that has waited for too long; it is no longer in the list then. */
static struct ask *expired(struct client *c)
{
    for (struct ask *ask = c->first; ask; ask = ask->next) {
        if (uv_now(c->loop) >= ask->deadline_ms) {
            unlist(c, ask);
            return ask;
        }
    }
    return NULL;
}

static struct channel *idle(const struct client *c)
{
    for (size_t i = 0; i < CLIENT_CONNECTIONS_MAX; i++) {
        if (c->channels[i] && c->channels[i]->state == CHANNEL_IDLE)
            return c->channels[i];
    }
    return NULL;
}

static struct channel **vacant(struct client *c)
{
    for (size_t i = 0; i < CLIENT_CONNECTIONS_MAX; i++) {
        if (!c->channels[i])
            return &c->channels[i];
    }
    return NULL;
}

static void out_of_memory(struct ask *ask)
{
    const struct client_answer answer = {
        .fate = CLIENT_UNSENT, .body = "", .why = "out of memory for a connection"};

    client_settle(ask, &answer);
}

/* Give the first in the list a connection; false: there is none to give. */
static bool serve(struct client *c)
{
    struct ask *ask = c->first;
    struct channel *ch = idle(c);
    struct channel **slot = vacant(c);

    /* what failed on an old connection gets a new one; where there is no room, an old one goes */
    if (ask->retried && ch && !slot) {
        channel_drop(ch);
        slot = vacant(c);
    }
    if (ask->retried)
        ch = NULL;
    if (!ch && !slot)
        return false;
    unlist(c, ask);
    if (ch)
        channel_take(ch, ask);
    else if (channel_open(c, ask, slot))
        out_of_memory(ask);
    return true;
}

static void arm(struct client *c)
{
    uint64_t at = UINT64_MAX;
    uint64_t now = uv_now(c->loop);

    for (const struct ask *ask = c->first; ask; ask = ask->next)
        at = ask->deadline_ms < at ? ask->deadline_ms : at;
    if (at != UINT64_MAX)
        (void)uv_timer_start(&c->timer, on_timer, at > now ? at - now : 0, 0);
}

static void on_timer(uv_timer_t *t)
{
    struct client *c = t->data;
    struct ask *late;

    MAGIC_CHECK(c, CLIENT_MAGIC);
    /* new ones have a deadline later than now, so this ends */
    while (!c->freed && (late = expired(c))) {
        struct client_answer answer = {.fate = CLIENT_UNSENT, .body = ""};
        char why[CLIENT_WHY_BYTES];

        (void)snprintf(why, sizeof(why), "%s: out of time while waiting for a connection",
                       c->place);
        answer.why = why;
        client_settle(late, &answer);
    }
    for (int i = 0; i < CLIENT_CONNECTIONS_MAX && !c->freed && c->first; i++) {
        if (!serve(c))
            break;
    }
    if (!c->freed)
        arm(c);
}

/* ---- the client */

static void on_looked_up(void *data, int error)
{
    struct client *c = data;

    MAGIC_CHECK(c, CLIENT_MAGIC);
    for (size_t i = 0; i < CLIENT_CONNECTIONS_MAX; i++) {
        if (c->channels[i])
            channel_looked_up(c->channels[i], error);
    }
}

void client_unhold(struct client *c)
{
    if (--c->holds)
        return;
    explicit_bzero(&c->proxy, sizeof(c->proxy));
    c->magic = 0;
    free(c);
}

static void on_closed(uv_handle_t *h)
{
    client_unhold(h->data);
}

static int fill(struct client *c, const struct client_outside *outside,
                const struct client_want *want, struct err *e)
{
    struct buf place;
    int r;

    c->url = want->url;
    c->connect_ms = want->connect_ms ? want->connect_ms : CLIENT_CONNECT_MS;
    c->stall_ms = want->stall_ms ? want->stall_ms : CLIENT_STALL_MS;
    c->last = &c->first;
    if (want->tls)
        c->tls = *want->tls;
    buf_init(&place, CLIENT_URL_BYTES);
    if (c->url.is_unix)
        buf_printf(&place, "unix:%s", c->url.host);
    else
        request_host(&c->url, true, &place);
    (void)snprintf(c->place, sizeof(c->place), "%s", buf_text(&place));
    buf_release(&place);
    r = proxy_for(&c->url, outside->env, &c->proxy, e);
    if (r == 0 && c->url.tls)
        r = trust_new(&c->tls, &c->trust, e);
    if (r || c->url.is_unix)
        return r;
    r = resolve_new(c->loop, c->proxy.used ? c->proxy.host : c->url.host,
                    c->proxy.used ? c->proxy.port : c->url.port, outside->lookup, on_looked_up, c,
                    &c->resolve);
    return r ? err_set(e, r, "out of memory") : 0;
}

int client_new_in(const struct client_outside *outside, uv_loop_t *loop,
                  const struct client_want *want, struct client **ret, struct err *e)
{
    struct client *c = calloc(1, sizeof(*c));
    int r;

    if (!c)
        return err_set(e, -ENOMEM, "out of memory");
    c->magic = CLIENT_MAGIC;
    c->loop = loop;
    r = fill(c, outside, want, e);
    if (r) {
        trust_unref(c->trust);
        resolve_free(c->resolve);
        free(c);
        return r;
    }
    (void)uv_timer_init(loop, &c->timer);
    c->timer.data = c;
    c->holds = 1;
    *ret = c;
    return 0;
}

int client_new(uv_loop_t *loop, const struct client_want *want, struct client **ret, struct err *e)
{
    static const struct client_outside REAL = {.lookup = uv_getaddrinfo, .env = getenv};

    return client_new_in(&REAL, loop, want, ret, e);
}

void client_free(struct client *c)
{
    if (!c || c->freed)
        return;
    MAGIC_CHECK(c, CLIENT_MAGIC);
    c->freed = true;
    while (c->first) {
        struct ask *ask = c->first;

        unlist(c, ask);
        ask_free(ask);
    }
    for (size_t i = 0; i < CLIENT_CONNECTIONS_MAX; i++) {
        struct channel *ch = c->channels[i];
        struct ask *ask = ch ? ch->ask : NULL;

        if (!ch)
            continue;
        ch->ask = NULL;
        channel_drop(ch);
        ask_free(ask);
    }
    resolve_free(c->resolve);
    c->resolve = NULL;
    trust_unref(c->trust);
    c->trust = NULL;
    uv_close((uv_handle_t *)&c->timer, on_closed);
}

/* ---- what its owner calls */

static int take_body(struct ask *ask, const struct client_request *request)
{
    ask->body = request->body;
    ask->bytes = request->bytes;
    if (request->body_owned || request->bytes == 0)
        return 0;
    ask->copy = malloc(request->bytes);
    if (!ask->copy)
        return -ENOMEM;
    memcpy(ask->copy, request->body, request->bytes);
    ask->body = ask->copy;
    return 0;
}

static uint64_t body_max(const struct client_request *request, bool streamed)
{
    if (request->body_max_bytes)
        return request->body_max_bytes;
    return streamed ? UINT64_MAX : CLIENT_BODY_MAX_BYTES;
}

static uint32_t new_ticket(struct client *c)
{
    do
        c->last_ticket++;
    while (c->last_ticket == 0 || find(c, c->last_ticket));
    return c->last_ticket;
}

int client_ask(struct client *c, const struct client_request *request,
               const struct client_stream *stream, client_answered answered, void *data,
               uint32_t *ret_ticket)
{
    struct ask *ask;
    int r;

    MAGIC_CHECK(c, CLIENT_MAGIC);
    if (request->total_ms == 0 || request->bytes > CLIENT_REQUEST_BODY_MAX_BYTES ||
        (request->bytes && !request->body))
        return -EINVAL;
    if (c->waiting >= CLIENT_WAITING_MAX || c->freed)
        return -EBUSY;
    ask = calloc(1, sizeof(*ask));
    if (!ask)
        return -ENOMEM;
    buf_init(&ask->head, CLIENT_REQUEST_HEAD_BYTES);
    r = request_head(&c->url, &c->proxy, request, &ask->head);
    if (r == 0)
        r = take_body(ask, request);
    if (r) {
        ask_free(ask);
        return r;
    }
    ask->client = c;
    ask->ticket = new_ticket(c);
    ask->is_head = strcmp(request->method, "HEAD") == 0;
    ask->streamed = stream != NULL;
    if (stream)
        ask->stream = *stream;
    ask->answered = answered;
    ask->data = data;
    uv_update_time(c->loop); /* the owner may have worked for long in this turn */
    ask->deadline_ms = uv_now(c->loop) + request->total_ms;
    ask->stall_ms = request->stall_ms ? request->stall_ms : c->stall_ms;
    ask->body_max = body_max(request, ask->streamed);
    enlist(c, ask);
    client_kick(c);
    *ret_ticket = ask->ticket;
    return 0;
}

void client_resume(struct client *c, uint32_t ticket)
{
    struct ask *ask = find(c, ticket);
    struct channel *ch = ask ? ask->channel : NULL;

    if (!ch || ch->state != CHANNEL_BUSY || !ch->paused)
        return;
    ch->paused = false;
    ch->progress_ms = uv_now(c->loop);
    channel_watch(ch);
    channel_arm(ch);
}

void client_forget(struct client *c, uint32_t ticket)
{
    struct ask *ask = find(c, ticket);
    struct channel *ch = ask ? ask->channel : NULL;

    if (!ask)
        return;
    if (ch) {
        ch->ask = NULL;
        channel_drop(ch);
    } else {
        unlist(c, ask);
    }
    ask_free(ask);
}

int client_reload(struct client *c, struct err *e)
{
    struct trust *trust;
    int r;

    if (!c->trust)
        return 0;
    r = trust_new(&c->tls, &trust, e);
    if (r)
        return r;
    if (!c->tls.ca[0])
        trust_forget_bundle();
    trust_unref(c->trust);
    c->trust = trust;
    return 0;
}
