/*
 * response.h: bytes in, one HTTP/1.x response out, or the reason why not. Knows no socket.
 *
 * llhttp 9.2 in its strict defaults does the grammar (it refuses Content-Length twice or beside
 * Transfer-Encoding, bad chunk sizes, LF without CR, NUL in headers); it has no limits, so they are
 * here, each tested before anything is stored. Feeding the same bytes in other portions gives the
 * same outcome. 1xx responses are skipped, a few of them; 101 is refused, nobody asks for it.
 */
#ifndef SIDECAR_CLIENT_RESPONSE_H
#define SIDECAR_CLIENT_RESPONSE_H

#include <llhttp.h>

#include "base/buf.h"
#include "sidecar/client/client.h"

enum {
    RESPONSE_INTERIM_MAX = 8,     /* 1xx before the real one */
    RESPONSE_FEED_BYTES = 16384,  /* at most so many at once */
    RESPONSE_EXTRA_BYTES = 16384, /* trailers and chunk extensions, all together */
};

enum response_result {
    RESPONSE_MORE,  /* all bytes used, not complete */
    RESPONSE_DONE,  /* complete; bytes after it are not used */
    RESPONSE_BAD,   /* why says it; the connection must be closed */
    RESPONSE_LARGE, /* the same: above a limit */
};

enum response_to {
    RESPONSE_TO_ANY,
    RESPONSE_TO_HEAD,    /* no body, whatever the headers say (RFC 9110 9.3.2) */
    RESPONSE_TO_CONNECT, /* 2xx is complete with its head, what follows is the tunnel */
};

struct response {
    llhttp_t http;
    struct buf text; /* names (lower case) and values, each with its NUL */
    struct {
        uint16_t name, value; /* offsets into text */
    } headers[CLIENT_HEADERS_MAX];
    size_t headers_count;
    struct buf body; /* the owner may take bytes out (buf_clear()) between two feeds */
    uint64_t body_seen, body_max;
    enum response_to to;
    uint32_t head_bytes; /* of all heads, 1xx included */
    uint32_t extra_bytes;
    unsigned interim;
    bool any;       /* a byte has come */
    bool head_done; /* of the final response: status and headers are there */
    bool done;
    bool keep_alive;
    enum response_result bad; /* MORE while all is well */
    const char *why;          /* constant text */
};

/**
 * response_init(r, to, body_max, streamed): ready for the first byte; no memory yet. With
 * ${streamed} the owner empties the body after each feed.
 */
void response_init(struct response *r, enum response_to to, uint64_t body_max, bool streamed);

/** response_release(r): NULL-safe, repeatable (after one response_init()). */
void response_release(struct response *r);

/** response_feed(r, data, bytes, ret_used): ${bytes} <= RESPONSE_FEED_BYTES; again only after
 * RESPONSE_MORE. ${ret_used}: meaningful for RESPONSE_DONE. */
enum response_result response_feed(struct response *r, const void *data, size_t bytes,
                                   size_t *ret_used);

/** response_end(r): the peer has closed: DONE when that is how the body ends, else BAD. */
enum response_result response_end(struct response *r);

/** response_status(r): 0 until head_done; also of one whose head was too large. */
unsigned response_status(const struct response *r);

/** response_header(r, name): first value of this name (any case), or NULL; other bytes than
 * printable ASCII are '?'. */
const char *response_header(const struct response *r, const char *name);

/** response_fill(r, now_s, ret): status, type, location, Retry-After, and the body. */
void response_fill(const struct response *r, int64_t now_s, struct client_answer *ret);

#endif
