/*
 * conn.h: one connection from accept(2) to its end, as a state machine.
 *
 *   (header ─▶) silent ─▶ token ─▶ handshake ─▶ idle ─▶ head ─▶ body ─▶ wait ─▶ write ─▶ idle …
 *     │ (plain: straight to idle)           refusals │ ──────────────▲ └▶ finish ─▶ linger ─▶
 * closed                                           └▶ stream ──────┘
 *
 * Every handle is in the one struct, conn_drop() works from any state. A handler holds the request
 * in "wait" and "stream" only; if the client leaves then, on_gone is called at once, or, when the
 * handler did not ask for that, the state is "gone" until it answers.
 *
 * What a connection may cost: about 1 KB before its first byte, TLS's 2 x 17 KB from then on, the
 * request's head while it is served, and nothing for the answer: that is shared (server_bytes) and
 * goes straight from there into the kernel.
 */
#ifndef SIDECAR_HTTP_CONN_H
#define SIDECAR_HTTP_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "sidecar/http/arrival.h"
#include "sidecar/http/gate.h"
#include "sidecar/http/host.h"
#include "sidecar/http/limits.h"
#include "sidecar/http/refusal.h"
#include "sidecar/http/server.h"
#include "sidecar/http/tls.h"

enum {
    CONN_EXTRA_MAX_BYTES = 16384,   /* sent while an answer is waited for; more ends it */
    CONN_LINGER_MAX_BYTES = 262144, /* thrown away after the last answer */
};

/* What all connections share; the server's. */
struct conn_env {
    uv_loop_t *loop;
    server_handler handler;
    server_done done;
    void *ctx;
    void (*closed)(struct conn_env *env); /* a connection's memory is gone */
    struct limits limits;
    struct gate gate;
    struct tls *tls;    /* NULL: no TLS */
    struct host *hosts; /* allowed Host headers */
    size_t hosts_count;
    struct server_counts counts; /* without connections and preauth, which limits knows */
    struct refusal refusal;      /* of client certificates, said */
    uint32_t open;               /* connections whose memory still exists */
    bool draining;
};

/* Where a connection came in. */
struct conn_door {
    int id;
    bool tls;
    bool open; /* to all: who may connect is not asked, nobody is penalised */
    int port;  /* HOST_PORT_ANY for unix sockets */
};

/**
 * conn_accept(env, door, fd, peer): take over the accepted, non-blocking ${fd}; within the caps, or
 * it is closed at once (and counted).
 */
void conn_accept(struct conn_env *env, const struct conn_door *door, int fd,
                 const struct sockaddr_storage *peer);

/** conn_evict(env): drop the least deserving one (no descriptors left); false: all are busy. */
bool conn_evict(struct conn_env *env);
/** conn_drain(env): drop those that serve nothing; the others close after their answer. */
void conn_drain(struct conn_env *env);
/** conn_drop_all(env): end them all; on_gone and done are called from here, never later. */
void conn_drop_all(struct conn_env *env);

/* Behind server_authenticated(), server_header(), server_answer() and server_error(). */
void conn_authenticated(struct server_request *r);
void conn_header(struct server_request *r, const char *name, const char *value);
void conn_answer(struct server_request *r, unsigned status, const char *content_type,
                 struct server_bytes *bytes);
void conn_error(struct server_request *r, unsigned status, const char *text);
/* Behind server_begin() and the others of a body that comes by and by. */
void conn_begin(struct server_request *r, unsigned status, const char *content_type,
                void (*on_room)(struct server_request *r));
bool conn_push(struct server_request *r, const void *data, size_t bytes);
void conn_end(struct server_request *r, bool ok);
uint64_t conn_sent(const struct server_request *r);

#endif
