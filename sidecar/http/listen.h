/*
 * listen.h: from a configured address to a listening socket, and away again.
 *
 * Unix sockets get mode 0600; a socket file that nobody listens on any more is replaced, one with a
 * listener is left alone. The options that a connection needs are set here once: Linux hands them
 * down to accepted sockets.
 */
#ifndef SIDECAR_HTTP_LISTEN_H
#define SIDECAR_HTTP_LISTEN_H

#include "base/err.h"
#include "config/config.h"

enum {
    LISTEN_BACKLOG = 128,
    LISTEN_RECEIVE_BYTES = 32768, /* kernel buffer of a connection: a request fits */
    LISTEN_TEXT_BYTES = 128,      /* of a real address */
};

struct listen {
    int fd;                       /* -1: closed */
    int port;                     /* the real one; HOST_PORT_ANY for a unix socket */
    char text[LISTEN_TEXT_BYTES]; /* "127.0.0.1:41237", "[::]:6060", "unix:/path" */
};

/** listen_open(l, address, e): bind and listen, non-blocking. 0 or -errno. */
int listen_open(struct listen *l, const struct config_address *address, struct err *e);

/**
 * listen_close(l): close; repeatable. A socket file stays: by then the process is confined and may
 * not remove files (unlink is not on its seccomp list); the next start replaces it.
 */
void listen_close(struct listen *l);

#endif
