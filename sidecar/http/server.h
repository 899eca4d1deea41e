/*
 * server.h: a small HTTP/1.1 server over TLS or plain TCP/unix sockets, for few and large answers.
 *
 * Listens, shakes hands, parses one request at a time (no pipelining), hands it to the handler,
 * writes the answer by windows and keeps the connection for the next. All limits are constants
 * below. It knows no route, no credential and no profile. One libuv loop, no threads.
 *
 * The handler answers at once, or keeps the request and answers later or bit by bit; until it has,
 * it may be told that the client has gone (on_gone), after which the request must not be touched.
 */
#ifndef SIDECAR_HTTP_SERVER_H
#define SIDECAR_HTTP_SERVER_H

#include <uv.h>

#include "base/buf.h"
#include "base/bulk.h"
#include "base/err.h"
#include "config/config.h"

enum {
    SERVER_PROXY_MS = 5000, /* for the PROXY header; its text asks for at least 3 s */
    SERVER_HANDSHAKE_MS = 10000,
    SERVER_HEADER_MS = 10000,
    SERVER_BODY_MS = 10000,
    SERVER_IDLE_MS = 60000,
    SERVER_NO_PROGRESS_MS = 30000, /* of a write */
    SERVER_LINGER_MS = 500,
    SERVER_HEADER_MAX_BYTES = 16384,
    SERVER_HEADERS_MAX = 64,
    SERVER_URL_MAX_BYTES = 2048,
    SERVER_BODY_MAX_BYTES = 4096,
    SERVER_WINDOW_BYTES = 65536,
    SERVER_PUSH_MAX_BYTES = 16384,
    /* where limits.unauthenticated and limits.handshakes are 0; both are configured */
    SERVER_PREAUTH_MAX = 16, /* connections that have not shown valid credentials yet */
    SERVER_HANDSHAKES_PER_SEC = 20,
    SERVER_HANDSHAKES_BURST = 50, /* the ratio of the two holds for every rate */
    SERVER_REFUSALS = 5,
};

enum server_method { SERVER_GET, SERVER_HEAD, SERVER_POST, SERVER_OTHER };

/* Bytes that several answers may share; counted references, freed with the last. */
struct server_bytes;
/** server_bytes_take(b): moves the content of ${b} (which is empty afterwards); one reference. */
/* NULL when ${b} has failed or there is no memory; ${b} is empty then too. */
struct server_bytes *server_bytes_take(struct buf *b);
/** server_bytes_map(b): the same of sealed memory, which is served from where it is. */
struct server_bytes *server_bytes_map(struct bulk *b);
/** server_bytes_rope(b): the text of a rope (wire/rope.h) in sealed memory; NULL also when it is
 * none. */
struct server_bytes *server_bytes_rope(struct bulk *b);
struct server_bytes *server_bytes_ref(struct server_bytes *s); /* NULL-safe */
void server_bytes_unref(struct server_bytes *s);               /* NULL-safe */

struct auth_peer; /* auth/auth.h; here it is only carried */

struct server_request {
    enum server_method method;
    const char *path;  /* of the target, percent-decoding NOT applied, without the query; "/…" */
    const char *query; /* after '?', "" when none */
    const unsigned char *body;
    size_t body_bytes;
    const char *authorization; /* header values, NULL when absent; NUL-terminated */
    const char *token;         /* X-Pprof-Token */
    const char *user_agent;
    const char *origin, *sec_fetch_site;
    /* The client: "127.0.0.1:51234", "[::1]:…", "unix:pid 12 uid 0"; without a port where a trusted
     * proxy named it in X-Forwarded-For. */
    char peer[64];
    const char *via; /* whom it came through, where that is another; NULL */
    char id[33]; /* request id: the client's X-Request-Id if it is [A-Za-z0-9-]{1,32}, else made */
    /* what the connection's verified client certificate says; NULL: none was shown. As long as the
     * request is the handler's and its client is there. */
    const struct auth_peer *certificate;
    bool accepts_gzip;
    int listener;                              /* what server_listen() was given */
    uint64_t began_ns;                         /* monotonic: first byte of the request */
    void *user;                                /* the handler's */
    void (*on_gone)(struct server_request *r); /* the handler's; NULL: not wanted */
};

typedef void (*server_handler)(void *ctx, struct server_request *r);
/*
 * After every answer (also those that the server gave itself: 400, 408, 431 …), for the audit log:
 * when its last byte is in the kernel, or when the client left before that; ${bytes} of the body
 * were taken. Never from inside server_answer() or server_error(). A refused request has a path of
 * "" unless its head was complete. After on_gone it is not called.
 */
typedef void (*server_done)(void *ctx, const struct server_request *r, unsigned status,
                            uint64_t bytes);

struct server; /* opaque */

struct server_counts {
    uint32_t connections, preauth;
    uint64_t accepted, refused, handshakes, handshakes_failed, timeouts, requests, bad_requests;
    uint64_t certificates_refused; /* of clients, in the handshake or when looked at again */
    uint64_t evicted;              /* connections that had to leave for others */
    uint64_t refused_for[SERVER_REFUSALS]; /* server_refusal_name() says for what */
};

/** server_new(loop, config, handler, done, ctx, ret, e): nothing listens yet. TLS from the
 * configuration (self-signed when it names no certificate). */
int server_new(uv_loop_t *loop, const struct config *config, server_handler handler,
               server_done done, void *ctx, struct server **ret, struct err *e);

/**
 * server_listen(s, address, flags, listener, ret_text, e): bind and listen; ${ret_text} (at least
 * 128 bytes) gets the real address ("127.0.0.1:41237", "unix:/path").
 */
enum server_listen_flags {
    SERVER_TLS = 1,
    SERVER_OPEN = 2, /* the rules of `admin` about who may connect are not this one's */
};
int server_listen(struct server *s, const struct config_address *address, unsigned flags,
                  int listener, char *ret_text, struct err *e);

/** server_reload(s, config, e): new certificate, hosts and limits; on failure all stays as it was.
 */
int server_reload(struct server *s, const struct config *config, struct err *e);

/** server_drain(s): stop accepting, close idle connections, let answers finish. */
void server_drain(struct server *s);
/**
 * server_free(s): close everything, NULL-safe. Calls on_gone and done where they are due, and no
 * callback of the handler's after it has returned; the memory goes when the loop has run once more
 * (libuv closes its handles there). Not to be called from inside a callback of this server.
 */
void server_free(struct server *s);
void server_counts(const struct server *s, struct server_counts *ret);
/** server_refusal_name(i): "address", "penalty" …, for each of SERVER_REFUSALS. */
const char *server_refusal_name(unsigned i);
/** server_cert_expiry(s): seconds since 1970, 0 without TLS. server_cert_sha256: hex, "" without.
 */
int64_t server_cert_expiry(const struct server *s);
const char *server_cert_sha256(const struct server *s);

/** server_crl_expiry(s): when the first revocation list is stale, 0 without any. */
int64_t server_crl_expiry(const struct server *s);

/** server_authenticated(r): the credentials were right: the connection leaves the pre-auth cap. */
void server_authenticated(struct server_request *r);

/* Answers. Exactly one of these per request; afterwards ${r} is the server's again. */

/** server_header(r, name, value): a header of the coming answer; value must be printable ASCII. */
void server_header(struct server_request *r, const char *name, const char *value);
void server_headerf(struct server_request *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/**
 * server_answer(r, status, content_type, bytes): takes over one reference of ${bytes} (NULL:
 * empty). For HEAD the length is told and nothing sent. Adds nosniff, no-store and the other fixed
 * headers.
 */
void server_answer(struct server_request *r, unsigned status, const char *content_type,
                   struct server_bytes *bytes);
/** server_error(r, status, fmt, …): text/plain with X-Go-Pprof: 1, one line, newline added. */
void server_error(struct server_request *r, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Or a body that comes by and by: begin, push as often as need be, end. Chunked to HTTP/1.1, up to
 * the close to HTTP/1.0. Nothing is held but a window of SERVER_WINDOW_BYTES. A client that takes
 * nothing for SERVER_NO_PROGRESS_MS while something waits for it is dropped.
 */

/**
 * server_begin(r, status, content_type, on_room): the head; ${r} stays the handler's until
 * server_end() or on_gone, which it must have set. ${on_room}: after a push that said false, there
 * is room again. Neither is called from inside these functions.
 */
void server_begin(struct server_request *r, unsigned status, const char *content_type,
                  void (*on_room)(struct server_request *r));
/**
 * server_push(r, data, bytes): all of ${bytes} (at most SERVER_PUSH_MAX_BYTES) are taken. false:
 * push no more until on_room. To HEAD nothing goes.
 */
bool server_push(struct server_request *r, const void *data, size_t bytes);
/** server_end(r, ok): ${r} is the server's again. Not ${ok}: the body is not whole: the connection
 * ends without the last chunk, so that the client knows. */
void server_end(struct server_request *r, bool ok);
/** server_sent(r): bytes of a pushed body that have gone; in on_gone too. */
uint64_t server_sent(const struct server_request *r);

#endif
