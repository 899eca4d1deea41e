/*
 * bytes.h: what stands behind server.h's struct server_bytes, for the connections that write it.
 * The content never changes after server_bytes_take(), so any number of connections may be at any
 * place in it. Single-threaded like all of the server: the count needs no atomics.
 */
#ifndef SIDECAR_HTTP_BYTES_H
#define SIDECAR_HTTP_BYTES_H

#include <stdint.h>

#include "sidecar/http/server.h"

struct server_bytes {
    uint32_t references;
    unsigned char *data;
    size_t bytes;
};

#endif
