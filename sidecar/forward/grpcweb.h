/*
 * grpcweb.h: gRPC over HTTP/1.1 (grpc/grpc doc/PROTOCOL-WEB.md): a message is a frame of one byte
 * of flags, a big-endian length of four, and the message; an answer ends with a frame of flags 0x80
 * that holds the trailers as lines. Only grpc-status there says how it went, HTTP's status does
 * not.
 */
#ifndef SIDECAR_FORWARD_GRPCWEB_H
#define SIDECAR_FORWARD_GRPCWEB_H

#include "sidecar/client/client.h"

enum {
    GRPCWEB_FRAME_BYTES = 5, /* before each message */
    GRPCWEB_MESSAGE_BYTES = 200,
};

/** grpcweb_begin(out): an empty buffer; then the message is appended. */
void grpcweb_begin(struct buf *out);
/** grpcweb_end_frame(out): the buffer is one frame. */
void grpcweb_end_frame(struct buf *out);

/* How a call ended. */
struct grpcweb_end {
    bool found;      /* there were trailers with a status; else the answer is not whole */
    uint64_t status; /* google.rpc.Code, 0: OK */
    char message[GRPCWEB_MESSAGE_BYTES]; /* theirs: any bytes */
};

/** grpcweb_read(a, ret): hostile bytes; packed frames are passed over. */
void grpcweb_read(const struct client_answer *a, struct grpcweb_end *ret);

/** grpcweb_read_head(a, ret): the same from the headers of an answer without any message ("trailers
 * only"): errors come like that. */
void grpcweb_read_head(const struct client_answer *a, struct grpcweb_end *ret);

#endif
