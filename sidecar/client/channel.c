/*
 * One connection, from the name to its end. Each state has one thing that it waits for and one
 * deadline; whatever comes ends in the next state, in channel_fail() or in channel_drop().
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/un.h>

#include "sidecar/client/client_priv.h"

enum {
    CHANNEL_CONNECT_BYTES = 4096, /* the CONNECT request */
};

static const char *const PHASES[] = {
    [CHANNEL_RESOLVING] = "resolving the name", [CHANNEL_DIALLING] = "connecting",
    [CHANNEL_PROXY] = "asking the proxy",       [CHANNEL_TLS] = "in the TLS handshake",
    [CHANNEL_BUSY] = "waiting for the answer",
};

static void look_up(struct channel *ch);
static void begin_tls(struct channel *ch);
static void on_poll(uv_poll_t *h, int status, int events);

/* ---- life */

static void on_closed(uv_handle_t *h)
{
    struct channel *ch = h->data;
    struct client *c = ch->client;

    MAGIC_CHECK(ch, CHANNEL_MAGIC);
    if (--ch->handles)
        return;
    if (ch->has_response)
        response_release(&ch->response);
    ch->magic = 0;
    free(ch);
    client_unhold(c);
}

void channel_drop(struct channel *ch)
{
    struct client *c = ch->client;

    if (ch->state == CHANNEL_CLOSED)
        return;
    if (ch->state == CHANNEL_IDLE && ch->stream.tls)
        (void)stream_finish(&ch->stream); /* as well as it goes without waiting */
    ch->state = CHANNEL_CLOSED;
    for (size_t i = 0; i < CLIENT_CONNECTIONS_MAX; i++) {
        if (c->channels[i] == ch)
            c->channels[i] = NULL;
    }
    dial_cancel(ch->dial);
    ch->dial = NULL;
    if (ch->polled)
        uv_close((uv_handle_t *)&ch->poll, on_closed);
    uv_close((uv_handle_t *)&ch->timer, on_closed);
    stream_close(&ch->stream);
    trust_unref(ch->trust);
    ch->trust = NULL;
    if (ch->connect.data)
        explicit_bzero(ch->connect.data, ch->connect.cap);
    buf_release(&ch->connect);
    client_kick(c);
}

void channel_fail(struct channel *ch, enum client_fate fate, const char *fmt, ...)
{
    struct ask *ask = ch->ask;
    struct client_answer answer = {.fate = fate, .body = ""};
    char why[CLIENT_WHY_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    if (ch->state == CHANNEL_BUSY) {
        answer.status = response_status(&ch->response); /* and nothing else: it is not whole */
        answer.head = ch->response.head_done ? &ch->response : NULL;
    }
    answer.why = why;
    ch->ask = NULL;
    channel_drop(ch);
    if (ask)
        client_settle(ask, &answer);
}

/* ---- time */

static uint64_t stall_of(const struct channel *ch)
{
    uint64_t ms = ch->ask ? ch->ask->stall_ms : ch->client->stall_ms;

    return ch->paused ? UINT64_MAX : ch->progress_ms + ms;
}

static uint64_t deadline_of(const struct channel *ch)
{
    uint64_t own = ch->state == CHANNEL_BUSY ? stall_of(ch) : ch->deadline_ms;

    return ch->ask && ch->ask->deadline_ms < own ? ch->ask->deadline_ms : own;
}

static void on_timer(uv_timer_t *t)
{
    struct channel *ch = t->data;
    struct client *c = ch->client;
    uint64_t now = uv_now(c->loop);
    bool busy = ch->state == CHANNEL_BUSY && ch->ask;
    uint64_t patience = busy ? ch->ask->stall_ms : c->connect_ms;
    bool sent;

    MAGIC_CHECK(ch, CHANNEL_MAGIC);
    if (now < deadline_of(ch)) { /* there was progress since it was set */
        channel_arm(ch);
        return;
    }
    if (ch->state == CHANNEL_IDLE) {
        channel_drop(ch);
        return;
    }
    sent = ch->state == CHANNEL_BUSY && ch->stream.sent != ch->sent_before;
    if (ch->ask && now >= ch->ask->deadline_ms)
        channel_fail(ch, sent ? CLIENT_OVERDUE : CLIENT_UNSENT, "%s: out of time while %s",
                     c->place, PHASES[ch->state]);
    else
        channel_fail(ch, sent ? CLIENT_OVERDUE : CLIENT_UNSENT, "%s: nothing for %llu s while %s",
                     c->place, (unsigned long long)(patience + 999) / 1000, PHASES[ch->state]);
}

void channel_arm(struct channel *ch)
{
    uint64_t now = uv_now(ch->client->loop);
    uint64_t at = deadline_of(ch);

    (void)uv_timer_start(&ch->timer, on_timer, at > now ? at - now : 0, 0);
}

/* ---- the socket's events */

void channel_watch(struct channel *ch)
{
    bool sends = (ch->state == CHANNEL_PROXY && ch->out_at < ch->connect.len) ||
                 (ch->state == CHANNEL_TLS && stream_wants_write(&ch->stream, false));
    int events = sends ? UV_WRITABLE : UV_READABLE;

    if (ch->state == CHANNEL_BUSY)
        events = exchange_events(ch);
    if (events)
        (void)uv_poll_start(&ch->poll, events, on_poll);
    else
        (void)uv_poll_stop(&ch->poll);
}

/* ---- TLS */

/* A lasting one: the words are for whoever configured it. */
static void fail_tls(struct channel *ch)
{
    const struct client *c = ch->client;
    const char *name = c->tls.server_name[0] ? c->tls.server_name : c->url.host;
    char words[CLIENT_WHY_BYTES];
    uint32_t verdict = tls_conn_verdict(ch->stream.tls);

    if (verdict && verdict != UINT32_MAX) /* all ones: it has not come to that */
        (void)trust_complaint(verdict, name, words, sizeof(words));
    else
        (void)snprintf(words, sizeof(words), "TLS handshake with %s: ", c->place);
    if (!verdict || verdict == UINT32_MAX)
        (void)tls_conn_why(ch->stream.tls, words + strlen(words), sizeof(words) - strlen(words));
    channel_fail(ch, CLIENT_UNSENT, "%s", words);
}

static void step_tls(struct channel *ch)
{
    int r = stream_handshake(&ch->stream);

    if (r == 0) {
        exchange_begin(ch);
        return;
    }
    if (r != -EAGAIN) {
        fail_tls(ch);
        return;
    }
    channel_watch(ch);
}

static void begin_tls(struct channel *ch)
{
    struct client *c = ch->client;
    const char *name = c->tls.server_name[0] ? c->tls.server_name : c->url.host;
    const struct mbedtls_ssl_config *config;
    struct err e = {0};
    int r;

    if (!c->trust) {
        exchange_begin(ch);
        return;
    }
    ch->state = CHANNEL_TLS;
    ch->trust = trust_ref(c->trust);
    r = trust_config(ch->trust, &config, &e);
    if (r == 0) {
        r = stream_start_client_tls(&ch->stream, config, name);
        if (r)
            (void)err_set(&e, r, "TLS with %s: %s", c->place, uv_strerror(r));
    }
    if (r) {
        channel_fail(ch, CLIENT_UNSENT, "%s", e.text);
        return;
    }
    step_tls(ch);
}

/* ---- the proxy */

static void answered_by_proxy(struct channel *ch, enum response_result r, bool leftover)
{
    unsigned status = response_status(&ch->response);

    /* the other end speaks after we have: what came too early is from the proxy, or forged */
    if (ch->response.head_done && status / 100 != 2)
        channel_fail(ch, CLIENT_UNSENT, "%s: the proxy %s:%u answers %u to CONNECT%s",
                     ch->client->place, ch->client->proxy.host, ch->client->proxy.port, status,
                     status == 407 ? ": it wants other credentials" : "");
    else if (r == RESPONSE_DONE && !leftover)
        begin_tls(ch);
    else
        channel_fail(ch, CLIENT_UNSENT, "%s: the proxy %s:%u: %s", ch->client->place,
                     ch->client->proxy.host, ch->client->proxy.port,
                     leftover ? "says more than was asked" : ch->response.why);
}

static void step_proxy(struct channel *ch)
{
    struct client *c = ch->client;
    enum response_result r;
    size_t used = 0;
    ssize_t n;

    if (ch->out_at < ch->connect.len) {
        n = stream_write(&ch->stream, ch->connect.data + ch->out_at, ch->connect.len - ch->out_at);
        ch->out_at += n > 0 ? (size_t)n : 0;
    } else {
        n = stream_read(&ch->stream, c->scratch, sizeof(c->scratch));
        if (n >= 0) {
            r = n ? response_feed(&ch->response, c->scratch, (size_t)n, &used)
                  : response_end(&ch->response);
            if (r != RESPONSE_MORE || ch->response.head_done) {
                answered_by_proxy(ch, r, r == RESPONSE_DONE && used < (size_t)n);
                return;
            }
        }
    }
    if (n < 0 && n != -EAGAIN)
        channel_fail(ch, CLIENT_UNSENT, "%s: the proxy %s:%u: %s", c->place, c->proxy.host,
                     c->proxy.port, uv_strerror((int)n));
    else
        channel_watch(ch);
}

static int begin_proxy(struct channel *ch)
{
    struct client *c = ch->client;
    const char *open = strchr(c->url.host, ':') ? "[" : "";
    const char *shut = open[0] ? "]" : "";

    buf_init(&ch->connect, CHANNEL_CONNECT_BYTES);
    buf_printf(&ch->connect, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n", open, c->url.host,
               shut, c->url.port, open, c->url.host, shut, c->url.port);
    if (c->proxy.authorization[0])
        buf_printf(&ch->connect, "Proxy-Authorization: %s\r\n", c->proxy.authorization);
    buf_puts(&ch->connect, "\r\n");
    if (ch->connect.failed)
        return -ENOMEM;
    ch->state = CHANNEL_PROXY;
    ch->out_at = 0;
    response_init(&ch->response, RESPONSE_TO_CONNECT, 0, false);
    ch->has_response = true;
    return 0;
}

/* ---- connecting */

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct channel *ch = h->data;

    MAGIC_CHECK(ch, CHANNEL_MAGIC);
    /* libuv reports an error of the socket as EBADF and stops watching: reading tells which */
    if (status < 0)
        events = UV_READABLE | UV_WRITABLE;
    if (ch->state == CHANNEL_PROXY)
        step_proxy(ch);
    else if (ch->state == CHANNEL_TLS)
        step_tls(ch);
    else if (ch->state == CHANNEL_BUSY)
        exchange_step(ch, events);
    else if (ch->state == CHANNEL_IDLE)
        exchange_idle(ch);
}

/* A limit of our own sandbox looks like a firewall's: say which it is. */
static const char *dial_words(int error)
{
    return error == -EACCES ? "permission denied (ports not configured at the start need a restart)"
                            : uv_strerror(error);
}

static void on_dialled(void *data, int fd)
{
    struct channel *ch = data;
    struct client *c = ch->client;
    int r;

    MAGIC_CHECK(ch, CHANNEL_MAGIC);
    ch->dial = NULL;
    if (fd < 0) {
        if (c->resolve)
            resolve_forget(c->resolve);
        channel_fail(ch, CLIENT_UNSENT, "connecting to %s%s%s: %s", c->place,
                     c->proxy.used ? " by the proxy " : "", c->proxy.used ? c->proxy.host : "",
                     dial_words(fd));
        return;
    }
    stream_init(&ch->stream, fd);
    r = uv_poll_init(c->loop, &ch->poll, fd);
    if (r == 0) {
        ch->poll.data = ch;
        ch->polled = true;
        ch->handles++;
        if (c->proxy.used && c->url.tls)
            r = begin_proxy(ch);
    }
    if (r)
        channel_fail(ch, CLIENT_UNSENT, "connecting to %s: %s", c->place, uv_strerror(r));
    else if (ch->state == CHANNEL_PROXY)
        channel_watch(ch);
    else
        begin_tls(ch);
}

static void dial(struct channel *ch, const struct resolve_addresses *to)
{
    int r;

    ch->state = CHANNEL_DIALLING;
    r = dial_start(ch->client->loop, to, on_dialled, ch, &ch->dial);
    if (r)
        channel_fail(ch, CLIENT_UNSENT, "connecting to %s: %s", ch->client->place, uv_strerror(r));
}

static void dial_unix(struct channel *ch)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct resolve_addresses one = {.count = 1};

    /* client_url_parse() has seen that it fits */
    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%.*s", (int)sizeof(to.sun_path) - 1,
                   ch->client->url.host);
    memcpy(&one.at[0], &to, sizeof(to));
    dial(ch, &one);
}

static void look_up(struct channel *ch)
{
    struct client *c = ch->client;
    struct resolve_addresses to;
    int r;

    if (!c->resolve) {
        dial_unix(ch);
        return;
    }
    r = resolve_get(c->resolve, &to);
    if (r == 0)
        dial(ch, &to);
    else if (r != -EAGAIN)
        channel_looked_up(ch, r);
}

void channel_looked_up(struct channel *ch, int error)
{
    const struct client *c = ch->client;

    if (ch->state != CHANNEL_RESOLVING)
        return;
    if (error == 0)
        look_up(ch);
    else
        channel_fail(ch, CLIENT_UNSENT, "resolving %s: %s",
                     c->proxy.used ? c->proxy.host : c->url.host, uv_strerror(error));
}

int channel_open(struct client *c, struct ask *ask, struct channel **ret)
{
    struct channel *ch = calloc(1, sizeof(*ch));

    if (!ch)
        return -ENOMEM;
    ch->magic = CHANNEL_MAGIC;
    ch->client = c;
    ch->ask = ask;
    ask->channel = ch;
    ch->stream.fd = -1;
    ch->state = CHANNEL_RESOLVING;
    ch->deadline_ms = uv_now(c->loop) + c->connect_ms;
    ch->handles = 1;
    (void)uv_timer_init(c->loop, &ch->timer);
    ch->timer.data = ch;
    c->holds++;
    *ret = ch;
    channel_arm(ch);
    look_up(ch);
    return 0;
}

void channel_take(struct channel *ch, struct ask *ask)
{
    ch->ask = ask;
    ask->channel = ch;
    exchange_begin(ch);
}
