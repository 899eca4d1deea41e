/*
 * client_priv.h: what client.c (who waits for what), channel.c (a connection from its name to its
 * end) and exchange.c (one request on it) share.
 *
 * An ask is in exactly one place: in the client's list while it waits, or on a channel. A channel
 * has at most one ask; it lives until libuv has closed its handles, so that nothing a callback of
 * the caller does (ask, forget, free) takes memory away that is still being looked at.
 */
#ifndef SIDECAR_CLIENT_CLIENT_PRIV_H
#define SIDECAR_CLIENT_CLIENT_PRIV_H

#include "base/magic.h"
#include "sidecar/client/client.h"
#include "sidecar/client/dial.h"
#include "sidecar/client/proxy.h"
#include "sidecar/client/resolve.h"
#include "sidecar/client/response.h"
#include "sidecar/client/trust.h"
#include "sidecar/http/stream.h"

enum {
    CLIENT_MAGIC = 0x434c4e54,
    CHANNEL_MAGIC = 0x4348414e,
    CLIENT_REQUEST_HEAD_BYTES = 32 * 1024, /* tokens of 8 KB, signatures, and the rest */
    CLIENT_PLACE_BYTES = 160,              /* longer ones are cut, in errors only */
};

struct channel;

/* One request, from client_ask() to its answer. */
struct ask {
    struct ask *next; /* in the client's list */
    struct client *client;
    struct channel *channel; /* NULL while it waits */
    uint32_t ticket;
    struct buf head; /* request line and headers: holds secrets, is wiped */
    const void *body;
    size_t bytes;
    void *copy; /* of the body, when it is ours to free */
    bool is_head, streamed, retried;
    struct client_stream stream;
    client_answered answered;
    void *data;
    uint64_t deadline_ms; /* of uv_now() */
    uint64_t stall_ms;
    uint64_t body_max;
};

struct client {
    uint32_t magic;
    uv_loop_t *loop;
    struct client_url url;
    struct config_client_tls tls;
    struct trust *trust; /* NULL: no TLS */
    struct proxy proxy;
    struct resolve *resolve; /* of the host or the proxy; NULL: a unix socket */
    uint64_t connect_ms, stall_ms;
    uv_timer_t timer; /* for those that wait */
    struct channel *channels[CLIENT_CONNECTIONS_MAX];
    struct ask *first, **last; /* waiting */
    size_t waiting;
    uint32_t last_ticket;
    bool freed;
    unsigned holds;                 /* channels and the timer, until libuv has closed them */
    char place[CLIENT_PLACE_BYTES]; /* "backend.example:443", for errors */
    unsigned char scratch[RESPONSE_FEED_BYTES];
};

/* What a test replaces: the name server and the environment. */
struct client_outside {
    resolve_lookup lookup;
    proxy_env env;
};

/** client_new_in(outside, …): client_new() with these. */
int client_new_in(const struct client_outside *outside, uv_loop_t *loop,
                  const struct client_want *want, struct client **ret, struct err *e);

/** client_settle(ask, answer): the callback, and the end of ${ask}. */
void client_settle(struct ask *ask, const struct client_answer *answer);
/** client_again(ask): back to the head of the list, for a new connection. */
void client_again(struct ask *ask);
/** client_kick(c): look at the list soon, not now. */
void client_kick(struct client *c);
/** client_unhold(c): one hold less; the last one frees. */
void client_unhold(struct client *c);

enum channel_state {
    CHANNEL_RESOLVING,
    CHANNEL_DIALLING,
    CHANNEL_PROXY,    /* CONNECT */
    CHANNEL_TLS,      /* handshake */
    CHANNEL_BUSY,     /* a request is under way */
    CHANNEL_SETTLING, /* its callback runs */
    CHANNEL_IDLE,
    CHANNEL_CLOSED,
};

/* One connection. */
struct channel {
    uint32_t magic;
    enum channel_state state;
    struct client *client;
    struct ask *ask;
    struct trust *trust; /* its own reference: a reload changes the client's */
    struct dial *dial;
    struct stream stream;
    uv_timer_t timer;
    uv_poll_t poll;
    bool polled; /* poll is a handle */
    unsigned handles;
    struct response response;
    bool has_response;
    struct buf connect;   /* the CONNECT request */
    size_t out_at;        /* bytes of head and body (or of `connect`) that are gone */
    uint64_t sent_before; /* stream.sent when the request began */
    uint64_t progress_ms; /* the last byte in or out */
    uint64_t deadline_ms; /* of connecting, or of being idle */
    uint64_t idle_ms;     /* how long the server will have it */
    unsigned served;      /* answers on this connection */
    bool paused, write_dead;
};

/** channel_open(ask): a new connection for it. 0, -ENOMEM. */
int channel_open(struct client *c, struct ask *ask, struct channel **ret);
/** channel_take(ch, ask): an idle one gets work. */
void channel_take(struct channel *ch, struct ask *ask);
/** channel_looked_up(ch, error): a lookup has ended. */
void channel_looked_up(struct channel *ch, int error);
/** channel_drop(ch): close, no callback; repeatable. */
void channel_drop(struct channel *ch);
/** channel_fail(ch, fate, fmt, …): close, and tell the one who asked. */
void channel_fail(struct channel *ch, enum client_fate fate, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** channel_watch(ch): tell libuv what is awaited now. */
void channel_watch(struct channel *ch);
/** channel_arm(ch): set the timer for the next of its deadlines. */
void channel_arm(struct channel *ch);

/** exchange_begin(ch): send ch->ask. */
void exchange_begin(struct channel *ch);
/** exchange_step(ch, events): the socket is ready for something. */
void exchange_step(struct channel *ch, int events);
/** exchange_idle(ch): what came on a connection where nothing was asked? */
void exchange_idle(struct channel *ch);
/** exchange_events(ch): enum uv_poll_event bits that it waits for. */
int exchange_events(const struct channel *ch);

#endif
