/*
 * reply.h: the head of an answer as text: status line, the fixed headers, the handler's own.
 *
 * X-Content-Type-Options, Cache-Control, Referrer-Policy and Content-Security-Policy stand in every
 * answer; the handler's own value for one of them takes its place. Framing (Content-Length,
 * Connection), Date and X-Request-Id are never the handler's.
 */
#ifndef SIDECAR_HTTP_REPLY_H
#define SIDECAR_HTTP_REPLY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"

enum {
    REPLY_HEADERS_MAX_BYTES = 4096, /* the handler's own, all together */
    REPLY_HEAD_MAX_BYTES = 8192,
};

struct reply {
    struct buf headers; /* the handler's: "Name: value\r\n" … */
    uint32_t own;       /* bit n: the handler has set fixed header n */
};

enum reply_framing {
    REPLY_LENGTH,
    REPLY_CHUNKED,
    REPLY_UNTIL_CLOSE, /* says nothing: HTTP/1.0 */
};

struct reply_frame {
    unsigned status;
    const char *content_type; /* NULL: none */
    enum reply_framing framing;
    uint64_t length; /* REPLY_LENGTH */
    const char *id;
    bool close;
    bool http10; /* keep-alive has to be said */
    time_t now;
};

void reply_init(struct reply *r);
void reply_release(struct reply *r); /* NULL-safe, repeatable */

/** reply_header(r, name, value): add one; with a bad name or value, or when full, it is left out
 * and false returned: a header is never worth a split answer. */
bool reply_header(struct reply *r, const char *name, const char *value);

/** reply_head(r, frame, out): append the whole head to ${out}; out->failed tells of no memory. */
void reply_head(const struct reply *r, const struct reply_frame *frame, struct buf *out);

#endif
