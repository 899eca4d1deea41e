/*
 * held.h: answers that are on their way, and clients that do not take them.
 *
 * An answer holds its bytes until the client has the last one (server_bytes), so clients that read
 * slowly, or not at all, hold memory and a place each for as long as SERVER_NO_PROGRESS_MS allows,
 * and one byte now and then is progress. Two bounds, both at the expense of the slowest:
 *
 * - memory: all answers together hold HELD_MAX_BYTES, and the newest whatever it needs. When one of
 *   more than a window begins above that, those that are taken most slowly break off.
 * - places: who has shown credentials and is being served is never asked to leave for a newcomer
 *   (limits.h), unless it has stopped reading, or reads at less than anybody's line can do.
 *
 * One who reads as fast as his line allows is last in both. Bodies that come bit by bit (flow.h)
 * hold a window only and are not looked at here.
 */
#ifndef SIDECAR_HTTP_HELD_H
#define SIDECAR_HTTP_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/http/server.h"

enum {
    HELD_MAX_BYTES = 16 * 1024 * 1024, /* of all answers; one may be WIRE_PROFILE_MAX_BYTES */
    HELD_STALLED_MS = 1000,            /* without progress: it does not read */
    HELD_SLOW_MS = 30000,              /* an answer this old … */
    HELD_SLOW_BYTES_PER_SEC = 16384,   /* … that went out at less may be, too */
    HELD_CREDIT_BYTES = 65536, /* the kernel takes a window at once: a newcomer has begun … */
    HELD_CREDIT_MS = 100,      /* … at this pace, until it is seen to be another */
};

/* How an answer goes. */
struct held_pace {
    uint64_t sent; /* bytes that the kernel took */
    uint64_t age_ms, stalled_ms;
};

/** held_rate(p): bytes a second, 0 of one that has stalled. */
uint64_t held_rate(const struct held_pace *p);

/** held_is_slow(p): may its client be asked to leave? */
bool held_is_slow(const struct held_pace *p);

/** held_cost(b): what one of the answers that share ${b} (NULL: nothing) holds. */
size_t held_cost(const struct server_bytes *b);

struct conn;
struct conn_env;

/** held_make_room(c): the answer of ${c} has begun: others break off until the bound holds. Not to
 * be called inside a call of the handler's, whose `done` it calls. */
void held_make_room(struct conn *c);

/** held_yield(env): connections whose clients are slow may be asked to leave from now until their
 * next answer; how many are new among them. */
size_t held_yield(struct conn_env *env);

#endif
