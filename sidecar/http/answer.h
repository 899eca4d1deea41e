/*
 * answer.h: one answer on its way: the head as text, the body by reference, and how far it got.
 * Nothing of the body is copied: each piece goes from the shared bytes into the stream; of a rope
 * there is one window.
 */
#ifndef SIDECAR_HTTP_ANSWER_H
#define SIDECAR_HTTP_ANSWER_H

#include "sidecar/http/bytes.h"
#include "sidecar/http/flow.h"
#include "sidecar/http/reply.h"
#include "sidecar/http/server.h"
#include "sidecar/http/stream.h"

/* Of a rope: the part of the text that is on its way. */
struct answer_window {
    uint64_t at; /* where in the body */
    size_t bytes;
    struct rope_place place; /* behind it */
    unsigned char data[TLS_RECORD_BYTES];
};

struct answer {
    struct reply reply; /* the handler's headers, collected before answer_begin() */
    struct buf head;
    struct server_bytes *bytes;   /* shared; NULL: no body */
    struct answer_window *window; /* NULL: no rope */
    struct flow *flow;            /* NULL: the body is ${bytes} */
    uint64_t body_bytes;          /* of it to send: 0 for HEAD */
    uint64_t sent;                /* of head and body together, taken by the stream */
    unsigned status;              /* 0: not begun */
};

void answer_init(struct answer *a);
void answer_release(struct answer *a); /* NULL-safe, repeatable */

/** answer_begin(a, frame, bytes, head_only): the head from ${frame} (its length is set here); takes
 * over the reference ${bytes} (NULL: no body). */
void answer_begin(struct answer *a, struct reply_frame *frame, struct server_bytes *bytes,
                  bool head_only);

/**
 * answer_stream(a, frame, head_only): the same of a body that is pushed into a->flow; the framing
 * is set here, and for HTTP/1.0 that the connection closes. -ENOMEM.
 */
int answer_stream(struct answer *a, struct reply_frame *frame, bool head_only);

/** answer_line(text): an error's body: one line of ${text} and a newline; NULL: no memory. */
struct server_bytes *answer_line(const char *text);

/** answer_write(a, s): a window full of it. 0 all that there is is out, 1 more to come (give the
 * others their turn), -EAGAIN the stream is full, another -errno. */
int answer_write(struct answer *a, struct stream *s);

/** answer_body_sent(a): bytes of the body that the stream has taken. */
uint64_t answer_body_sent(const struct answer *a);

#endif
