/*
 * dial.h: one connected socket out of a list of addresses. The first address has a head start of
 * DIAL_STEP_MS, then the next one is tried beside it, and so on; one that fails lets the next
 * begin at once; the first that connects wins (RFC 8305 5, with a patience that is kinder to
 * slow links). There is no time-out in here: the caller has one and calls dial_cancel().
 */
#ifndef SIDECAR_CLIENT_DIAL_H
#define SIDECAR_CLIENT_DIAL_H

#include <uv.h>

#include "sidecar/client/resolve.h"

enum {
    DIAL_STEP_MS = 2000,
};

struct dial; /* opaque */

/* ${fd}: non-blocking, close-on-exec, the callee's from now on; or -errno of the last address. The
 * dial is over and must not be touched. */
typedef void (*dial_done)(void *data, int fd);

/** dial_start(loop, to, done, data, ret): done() comes later, never in here. 0, -ENOMEM. */
int dial_start(uv_loop_t *loop, const struct resolve_addresses *to, dial_done done, void *data,
               struct dial **ret);

/** dial_cancel(d): no done(); NULL-safe. The loop must turn once more. */
void dial_cancel(struct dial *d);

#endif
