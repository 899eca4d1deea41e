/*
 * resolve.h: the addresses of one name, kept for RESOLVE_KEEP_MS.
 *
 * getaddrinfo(3) runs in libuv's pool and cannot be stopped there: with a name server that does
 * not answer it takes resolv.conf's time-outs, half a minute and more. So nobody waits for it
 * beyond his own time-out; whoever comes later shares the lookup that still runs, and once it has
 * run for RESOLVE_PATIENCE_MS one more may be started, RESOLVE_LOOKUPS_MAX at once (libuv lets two
 * threads of its four do such slow work).
 *
 * Numbers are not looked up, and neither is localhost (RFC 6761 6.3): 127.0.0.1, then ::1.
 */
#ifndef SIDECAR_CLIENT_RESOLVE_H
#define SIDECAR_CLIENT_RESOLVE_H

#include <sys/socket.h>
#include <uv.h>

enum {
    RESOLVE_ADDRESSES_MAX = 8, /* more of one name are not tried */
    RESOLVE_LOOKUPS_MAX = 2,
    RESOLVE_KEEP_MS = 30000,
    RESOLVE_PATIENCE_MS = 10000,
};

struct resolve_addresses {
    struct sockaddr_storage at[RESOLVE_ADDRESSES_MAX];
    size_t count;
};

struct resolve; /* opaque */

/* uv_getaddrinfo(), or a test's. */
typedef int (*resolve_lookup)(uv_loop_t *loop, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb,
                              const char *node, const char *service, const struct addrinfo *hints);

/* A lookup has ended: ${error} is 0 (resolve_get() has the addresses now) or libuv's. */
typedef void (*resolve_done)(void *data, int error);

/** resolve_new(loop, host, port, lookup, done, data, ret): 0 or -ENOMEM. */
int resolve_new(uv_loop_t *loop, const char *host, uint16_t port, resolve_lookup lookup,
                resolve_done done, void *data, struct resolve **ret);

/** resolve_free(r): NULL-safe, at once; a lookup that runs ends unheard. */
void resolve_free(struct resolve *r);

/**
 * resolve_get(r, ret): 0 and the addresses; -EAGAIN: done() will come, maybe late; or the error
 * that starting a lookup has met.
 */
int resolve_get(struct resolve *r, struct resolve_addresses *ret);

/** resolve_forget(r): none of the addresses answered: look again the next time. */
void resolve_forget(struct resolve *r);

#endif
