/*
 * One request and its answer on a connection that stands. Reading goes on while the body is being
 * sent, and before it: a server that has seen enough of it (413, 401) answers and closes, and its
 * reset must not be all that we get to know.
 */
#include <errno.h>
#include <strings.h>

#include "base/clock.h"
#include "base/num.h"
#include "sidecar/client/client_priv.h"

enum {
    EXCHANGE_READS_MAX = 4, /* of one turn: others want theirs */
    EXCHANGE_WRITES_MAX = 16,
    EXCHANGE_WINDOW_BYTES = 256 * 1024, /* given to the kernel at once */
    EXCHANGE_IDLE_SPARE_MS = 1000,      /* we close that much before the server does */
};

static bool is_sent(const struct channel *ch)
{
    return ch->out_at == ch->ask->head.len + ch->ask->bytes;
}

int exchange_events(const struct channel *ch)
{
    int events = ch->paused ? 0 : UV_READABLE;

    return events | (ch->write_dead || is_sent(ch) ? 0 : UV_WRITABLE);
}

void exchange_begin(struct channel *ch)
{
    const struct ask *ask = ch->ask;

    ch->state = CHANNEL_BUSY;
    ch->out_at = 0;
    ch->sent_before = ch->stream.sent;
    ch->progress_ms = uv_now(ch->client->loop);
    ch->paused = ch->write_dead = false;
    if (ch->has_response)
        response_release(&ch->response);
    response_init(&ch->response, ask->is_head ? RESPONSE_TO_HEAD : RESPONSE_TO_ANY, ask->body_max,
                  ask->streamed);
    ch->has_response = true;
    exchange_step(ch, UV_WRITABLE);
}

/* "Keep-Alive: timeout=5" (RFC 2068 19.7.1.1, and what Node and Apache send). */
static uint64_t idle_of(const struct response *r)
{
    const char *value = response_header(r, "keep-alive");
    const char *at = value ? strcasestr(value, "timeout=") : NULL;
    uint64_t seconds;

    if (!at || num_u64(at + 8, strspn(at + 8, "0123456789"), 10, CLIENT_IDLE_MS / 1000, &seconds))
        return CLIENT_IDLE_MS;
    return seconds * 1000 > EXCHANGE_IDLE_SPARE_MS ? seconds * 1000 - EXCHANGE_IDLE_SPARE_MS : 0;
}

/* The whole answer is there, or as much of it as is wanted. */
static void settle(struct channel *ch, bool may_stay)
{
    struct client *c = ch->client;
    struct ask *ask = ch->ask;
    struct client_answer answer = {.fate = CLIENT_ANSWERED, .why = ""};
    bool stays = may_stay && ch->response.keep_alive && is_sent(ch) && !ch->paused;

    response_fill(&ch->response, (int64_t)(clock_real_ns() / CLOCK_NS_PER_SEC), &answer);
    ch->idle_ms = idle_of(&ch->response);
    ch->served++;
    ch->ask = NULL;
    if (stays && ch->idle_ms)
        ch->state = CHANNEL_SETTLING;
    else
        channel_drop(ch);
    client_settle(ask, &answer);
    client_kick(c);
    if (ch->state != CHANNEL_SETTLING)
        return;
    response_release(&ch->response);
    ch->has_response = false;
    ch->state = CHANNEL_IDLE;
    ch->deadline_ms = uv_now(c->loop) + ch->idle_ms;
    channel_watch(ch);
    channel_arm(ch);
}

/* Is it still the same request, after a callback of its owner? */
static bool goes_on(const struct channel *ch, const struct ask *ask)
{
    return ch->state == CHANNEL_BUSY && ch->ask == ask;
}

/* Hand on what the parser has put together. false: the channel is done with this request. */
static bool hand_on(struct channel *ch, bool new_head)
{
    struct ask *ask = ch->ask;
    struct response *r = &ch->response;

    if (!ask->streamed)
        return true;
    if (new_head && ask->stream.head) {
        struct client_answer head = {.fate = CLIENT_ANSWERED, .why = ""};
        bool more;

        response_fill(r, (int64_t)(clock_real_ns() / CLOCK_NS_PER_SEC), &head);
        head.body = "";
        head.bytes = 0;
        more = ask->stream.head(ask->data, &head);
        if (!goes_on(ch, ask))
            return false;
        if (!more) {
            buf_clear(&r->body);
            settle(ch, false);
            return false;
        }
    }
    if (r->body.len && ask->stream.body) {
        bool more = ask->stream.body(ask->data, r->body.data, r->body.len);

        if (!goes_on(ch, ask))
            return false;
        ch->paused = ch->paused || !more;
    }
    buf_clear(&r->body);
    return true;
}

static void broken(struct channel *ch, const char *what)
{
    struct ask *ask = ch->ask;

    /* The server closed it when it had been idle, and could not know that we were about to ask: the
     * request was not looked at (RFC 9112 9.3.1). Once, on a new connection. */
    if (ch->served > 0 && !ch->response.any && !ask->retried) {
        ask->retried = true;
        ch->ask = NULL;
        channel_drop(ch);
        client_again(ask);
        return;
    }
    channel_fail(ch, ch->stream.sent == ch->sent_before ? CLIENT_UNSENT : CLIENT_BROKEN, "%s: %s",
                 ch->client->place, what);
}

/* What the parser says, once its bytes are handed on. false: done with this request. */
static bool judge(struct channel *ch, enum response_result r, bool leftover)
{
    switch (r) {
    case RESPONSE_MORE:
        return true;
    case RESPONSE_DONE:
        settle(ch, !leftover); /* bytes after the answer: to what question? */
        return false;
    case RESPONSE_LARGE:
        channel_fail(ch, CLIENT_TOO_LARGE, "%s: %s", ch->client->place, ch->response.why);
        return false;
    case RESPONSE_BAD:
        break;
    }
    broken(ch, ch->response.why);
    return false;
}

/* One read. 1: there may be more; 0: not now; -1: done with this request. */
static int read_once(struct channel *ch)
{
    unsigned char *scratch = ch->client->scratch;
    ssize_t n = stream_read(&ch->stream, scratch, sizeof(ch->client->scratch));
    bool had_head = ch->response.head_done;
    enum response_result r;
    size_t used = 0;

    if (n == -EAGAIN)
        return 0;
    if (n < 0) {
        broken(ch, ch->stream.tls ? "the connection was cut" : uv_strerror((int)n));
        return -1;
    }
    ch->progress_ms = uv_now(ch->client->loop);
    r = n ? response_feed(&ch->response, scratch, (size_t)n, &used) : response_end(&ch->response);
    if ((r == RESPONSE_MORE || r == RESPONSE_DONE) &&
        !hand_on(ch, !had_head && ch->response.head_done))
        return -1;
    return judge(ch, r, used < (size_t)n) ? 1 : -1;
}

static void send_some(struct channel *ch)
{
    const struct ask *ask = ch->ask;

    for (int i = 0; i < EXCHANGE_WRITES_MAX && !is_sent(ch); i++) {
        bool in_head = ch->out_at < ask->head.len;
        size_t at = in_head ? ch->out_at : ch->out_at - ask->head.len;
        size_t left = (in_head ? ask->head.len : ask->bytes) - at;
        const unsigned char *from = in_head ? ask->head.data : ask->body;
        ssize_t n;

        if (left > EXCHANGE_WINDOW_BYTES)
            left = EXCHANGE_WINDOW_BYTES;
        n = stream_write(&ch->stream, from + at, left);
        if (n == -EAGAIN)
            return;
        if (n < 0) {
            ch->write_dead = true; /* the answer may be there all the same: reading tells */
            return;
        }
        ch->out_at += (size_t)n;
        ch->progress_ms = uv_now(ch->client->loop);
    }
}

void exchange_step(struct channel *ch, int events)
{
    int more = events & UV_READABLE ? 1 : 0;

    for (int i = 0; i < EXCHANGE_READS_MAX && more > 0 && !ch->paused; i++)
        more = read_once(ch);
    if (more < 0)
        return;
    if (!ch->write_dead && !is_sent(ch)) {
        uint64_t before = ch->stream.sent;

        send_some(ch);
        if (ch->stream.sent != before) /* TLS may have sent what it does not count as taken */
            ch->progress_ms = uv_now(ch->client->loop);
    }
    channel_watch(ch);
    channel_arm(ch);
}

void exchange_idle(struct channel *ch)
{
    ssize_t n = stream_read(&ch->stream, ch->client->scratch, sizeof(ch->client->scratch));

    /* a session ticket of TLS 1.3 is no data; anything else is the end, or an answer to nothing */
    if (n != -EAGAIN)
        channel_drop(ch);
}
