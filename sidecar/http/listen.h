/*
 * listen.h: from a configured address to a listening socket, and away again.
 *
 * Unix sockets get mode 0600, or 0666 where rules say who may connect; a socket file that nobody
 * listens on any more is replaced, one with a listener is left alone. The options that a connection
 * needs are set here once: Linux hands them down to accepted sockets.
 */
#ifndef SIDECAR_HTTP_LISTEN_H
#define SIDECAR_HTTP_LISTEN_H

#include "base/err.h"
#include "config/config.h"

enum {
    /* Those that the loop has not accepted yet: where the queue is full, the kernel forgets who
     * comes, and a good client under a flood tries again only after a second. */
    LISTEN_BACKLOG = 1024,
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

/** listen_share(l, address, e): open a unix socket's file to all: others judge who comes. On
 * failure it is closed. */
int listen_share(struct listen *l, const struct config_address *address, struct err *e);

/**
 * listen_close(l): close; repeatable. A socket file stays: by then the process is confined and may
 * not remove files (unlink is not on its seccomp list); the next start replaces it.
 */
void listen_close(struct listen *l);

#endif
