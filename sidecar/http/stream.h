/*
 * stream.h: one connected socket, with or without TLS on it, in one shape. Never blocks, never
 * raises SIGPIPE, keeps no copy of what it writes (beyond mbedTLS's one record).
 */
#ifndef SIDECAR_HTTP_STREAM_H
#define SIDECAR_HTTP_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sidecar/http/tls.h"

struct stream {
    int fd;               /* -1: closed */
    struct tls_conn *tls; /* NULL: plain */
    uint64_t sent;        /* bytes that the kernel took, of any kind: is there progress? */
};

/** stream_init(s, fd): plain; owns ${fd} (non-blocking). The address of ${s} must not change. */
void stream_init(struct stream *s, int fd);
/** stream_close(s): free TLS, close; repeatable. */
void stream_close(struct stream *s);

/** stream_peek(s): the next raw byte without taking it: 0..255, -EAGAIN, -EPIPE at the end. */
int stream_peek(struct stream *s);
/** stream_start_tls(s, tls): from now on everything goes through TLS; the handshake is due. */
int stream_start_tls(struct stream *s, struct tls *tls);
/** stream_start_client_tls(s, config, name): the same as the client of a server called ${name}. */
int stream_start_client_tls(struct stream *s, const struct mbedtls_ssl_config *config,
                            const char *name);
int stream_handshake(struct stream *s);

/* > 0 bytes; 0 the end (read); -EAGAIN: wait for what stream_wants_write() says; -errno. */
ssize_t stream_read(struct stream *s, void *data, size_t bytes);
/** stream_write(s, data, bytes): repeat with the same bytes after -EAGAIN. */
ssize_t stream_write(struct stream *s, const void *data, size_t bytes);
/** stream_read_raw(s, data, bytes): below TLS, for throwing away what still comes. */
ssize_t stream_read_raw(struct stream *s, void *data, size_t bytes);
/** stream_wants_write(s, otherwise): after -EAGAIN; ${otherwise} is what a plain one waits for. */
bool stream_wants_write(const struct stream *s, bool otherwise);

/** stream_finish(s): close_notify and shutdown(2) of our direction. 0, -EAGAIN or -errno. */
int stream_finish(struct stream *s);

#endif
