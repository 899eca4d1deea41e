/*
 * client.h: HTTP/1.1 to somewhere else: backends, the target's own endpoint, API servers, JWKS.
 *
 * One struct client is one place (scheme, host, port, or a unix socket) with its TLS settings and
 * at most CLIENT_CONNECTIONS_MAX connections, kept alive between requests (idle below 45 s, since
 * Datadog's trace agent closes at 47 s). Names are resolved in libuv's pool; addresses are tried in
 * the resolver's order, the next one when one refuses or is silent for 2 s. https_proxy,
 * HTTPS_PROXY, http_proxy (this one in lower case only), all_proxy, no_proxy and NO_PROXY hold as
 * curl(1) takes them (CONNECT for https); loopback and unix sockets never go by a proxy.
 *
 * A server is hostile: its head, its chunks and its body are bounded, redirects are never followed
 * (the answer is given as it is), there is a time-out for resolving + connecting + TLS, one for
 * each stretch without progress, and one for the whole. Certificates are verified against the
 * configured CA or the system's bundle and the host's name; there is no way to switch that off.
 *
 * Retrying is the caller's: client_fate tells whether the server can have seen the request. One
 * exception: a kept-alive connection that closes before the first byte of an answer is tried once
 * more on a new one.
 */
#ifndef SIDECAR_CLIENT_CLIENT_H
#define SIDECAR_CLIENT_CLIENT_H

#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

enum {
    CLIENT_CONNECTIONS_MAX = 4,
    CLIENT_WAITING_MAX = 64, /* requests of one place that wait for a connection */
    CLIENT_CONNECT_MS = 10000,
    CLIENT_STALL_MS = 10000, /* without a byte in either direction, after the request was sent */
    CLIENT_IDLE_MS = 45000,
    CLIENT_HEAD_MAX_BYTES = 16 * 1024,
    CLIENT_HEADERS_MAX = 64,
    CLIENT_BODY_MAX_BYTES = 1024 * 1024, /* of an answer that is not streamed, unless said */
    CLIENT_REQUEST_BODY_MAX_BYTES = 64 * 1024 * 1024,
    CLIENT_REQUEST_HEADERS_MAX = 24,
    CLIENT_URL_BYTES = 2048,
    CLIENT_WHY_BYTES = 256,
};

/* A URL taken apart. */
struct client_url {
    bool tls, is_unix;
    char host[CONFIG_TEXT_BYTES]; /* without brackets; the socket's path when is_unix */
    uint16_t port;
    char path[CLIENT_URL_BYTES]; /* begins with /, without a trailing one ("" for the root) */
};

/**
 * client_url_parse(text, ret, e): http://host[:port][/path], https://…, unix:/socket or
 * unix:/socket:/path. No user info, no query, no fragment. -EINVAL.
 */
int client_url_parse(const char *text, struct client_url *ret, struct err *e);

struct client; /* opaque */

struct client_want {
    struct client_url url;
    const struct config_client_tls *tls; /* NULL: the system's CAs, no certificate; copied */
    uint64_t connect_ms, stall_ms;       /* 0: the defaults above; a long poll needs more */
};

struct client_header {
    const char *name, *value; /* no control characters: -EINVAL */
};

struct client_request {
    const char *method; /* "GET", "POST", "PUT", "PATCH" */
    const char *path;   /* with its query; "" : the URL's path. Starts with / and replaces it */
    struct client_header headers[CLIENT_REQUEST_HEADERS_MAX]; /* beside Host, Content-Length */
    size_t headers_count;
    const void *body;  /* copied, unless body_owned: */
    size_t bytes;      /* at most CLIENT_REQUEST_BODY_MAX_BYTES */
    bool body_owned;   /* the caller keeps it until `answered`, client_forget() or client_free() */
    uint64_t total_ms; /* from asking to the last byte; never 0 */
    uint64_t stall_ms; /* without a byte; 0: the client's */
    size_t body_max_bytes; /* of the answer; 0: CLIENT_BODY_MAX_BYTES, no bound with a stream */
};

enum client_fate {
    CLIENT_ANSWERED,  /* a whole answer, whatever its status */
    CLIENT_UNSENT,    /* no byte of the request was sent: name, connect, proxy or TLS failed */
    CLIENT_BROKEN,    /* sent, and no whole answer: it may or may not have been taken */
    CLIENT_OVERDUE,   /* the same, by a time-out */
    CLIENT_TOO_LARGE, /* an answer above the bounds; its status is known */
};

struct client_answer {
    enum client_fate fate;
    unsigned status; /* 0 when not known */
    const char *body;
    size_t bytes;
    const char *why;             /* for people; "" when answered. Never has a header of ours */
    uint64_t retry_after_ms;     /* Retry-After in seconds or as a date; 0: none; at most a day */
    char content_type[128];      /* lower case, without parameters */
    char location[256];          /* of a redirect that was not followed; "" when longer */
    const struct response *head; /* for client_header_of(); NULL: no answer's head is there */
};

/** client_header_of(answer, name): another header's value (the first), or NULL. Valid in the
 * callback. */
const char *client_header_of(const struct client_answer *a, const char *name);

typedef void (*client_answered)(void *data, const struct client_answer *answer);

/* For answers that are handed on as they come. */
struct client_stream {
    /* The head is there; false: no more is wanted (the callback `answered` still comes). */
    bool (*head)(void *data, const struct client_answer *head);
    /* Some of the body; false: pause until client_resume(). The bytes were taken all the same. The
     * end can follow a pause at once: `answered` may come before client_resume(). */
    bool (*body)(void *data, const void *bytes, size_t n);
};

/** client_new(loop, want, ret, e): nothing is opened but the files of ${want}->tls. */
int client_new(uv_loop_t *loop, const struct client_want *want, struct client **ret, struct err *e);

/** client_free(c): NULL-safe; open requests are dropped without callback. The loop must turn. */
void client_free(struct client *c);

/**
 * client_ask(c, request, stream, answered, data, ret_ticket): ${answered} is called exactly once,
 * later; with a ${stream} (may be NULL, copied) the body goes there. 0 and a ticket (never 0), or
 * -EBUSY, -EINVAL, -ENOMEM and no callback.
 */
int client_ask(struct client *c, const struct client_request *request,
               const struct client_stream *stream, client_answered answered, void *data,
               uint32_t *ret_ticket);

/** client_resume(c, ticket): go on reading. */
void client_resume(struct client *c, uint32_t ticket);

/** client_forget(c, ticket): no callback; its connection is closed if it was sent. */
void client_forget(struct client *c, uint32_t ticket);

/** client_reload(c, e): read certificate files again; connections that are open go on. */
int client_reload(struct client *c, struct err *e);

#endif
