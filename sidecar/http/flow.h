/*
 * flow.h: the body of an answer that comes by and by: a window of bytes between who makes them and
 * a client who may be slow, in chunked coding (RFC 9112 7.1) or, for HTTP/1.0, up to the close.
 *
 * Memory is the window and nothing else: what is pushed is taken as a whole, and the answer says
 * whether more is welcome. A flow that broke off ends without the last chunk: nobody can take half
 * a trace for a whole one. (To HTTP/1.0 over plain TCP the two look the same; that is its defect.)
 */
#ifndef SIDECAR_HTTP_FLOW_H
#define SIDECAR_HTTP_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/http/stream.h"

enum {
    FLOW_WINDOW_BYTES = 65536,
    FLOW_PUSH_MAX_BYTES = 16384, /* at once; as much as a client's parser hands on */
    FLOW_FRAME_BYTES = 16,       /* of a chunk: "4000\r\n" before it and "\r\n" behind */
    FLOW_LAST_BYTES = 5,         /* "0\r\n\r\n" */
    FLOW_ROOM_BYTES = FLOW_WINDOW_BYTES + 2 * FLOW_PUSH_MAX_BYTES,
};

enum flow_form {
    FLOW_CHUNKED,
    FLOW_PLAIN,  /* ends with the connection */
    FLOW_SILENT, /* to HEAD: nothing is sent */
};

struct flow {
    enum flow_form form;
    bool hungry; /* a push was told to wait: the pusher wants to hear of room */
    bool ended, broken;
    size_t at, end;   /* what waits: data[at..end) */
    size_t refused;   /* the piece that the stream could not take and must get again, 0: none */
    uint64_t payload; /* bytes pushed, without framing */
    unsigned char data[FLOW_ROOM_BYTES];
};

/** flow_new(form): NULL: no memory. free(3) ends it. */
struct flow *flow_new(enum flow_form form);

/**
 * flow_push(f, data, bytes): take all of ${bytes} (at most FLOW_PUSH_MAX_BYTES). false: the window
 * is full, wait for flow_has_room(). One that pushes on all the same breaks the flow.
 */
bool flow_push(struct flow *f, const void *data, size_t bytes);

/** flow_end(f, ok): no more comes; with ${ok} false the client is to notice. */
void flow_end(struct flow *f, bool ok);

/** flow_has_room(f): at least half of the window is free. */
bool flow_has_room(const struct flow *f);

/** flow_waits(f): bytes that have not gone. */
size_t flow_waits(const struct flow *f);

/** flow_write(f, s): 0 nothing waits, 1 more does, -EAGAIN the stream is full, -errno. */
int flow_write(struct flow *f, struct stream *s);

/** flow_sent(f): bytes of the body that are gone, framing not counted. */
uint64_t flow_sent(const struct flow *f);

#endif
