/*
 * bytes.h: what stands behind server.h's struct server_bytes, for the connections that write it.
 * The content never changes after it was taken, so any number of connections may be at any place in
 * it. Single-threaded like all of the server: the count needs no atomics.
 *
 * It is a buffer of ours, or sealed memory of the sampler's (shared with it, so it costs nothing
 * here), or sealed memory that holds a rope: then there is no text anywhere, and each connection
 * makes one window of it at a time.
 */
#ifndef SIDECAR_HTTP_BYTES_H
#define SIDECAR_HTTP_BYTES_H

#include <stdint.h>

#include "sidecar/http/server.h"
#include "wire/rope.h"

struct server_bytes {
    uint32_t references;
    const unsigned char *data; /* NULL for a rope */
    size_t bytes;
    struct buf buf;   /* what is freed with the last reference: this … */
    struct bulk bulk; /* … or that */
    struct rope_text rope;
    bool is_rope;
};

#endif
