/*
 * readings.h: questions about what the target's own runtime knows (goroutine, heap, …), one after
 * the other.
 *
 * A reading is cheap but not free, and any client may ask at any time: of each kind one is under
 * way at once, the next one waits in turn, and a kind rests as long as its last reading took before
 * it is read again, so that no client can keep the sampler busy for more than half of the time.
 * What was learned last is remembered for the index: how many there are, or why there are none.
 * Everything is of fixed size.
 */
#ifndef SIDECAR_READINGS_H
#define SIDECAR_READINGS_H

#include <uv.h>

#include "sidecar/peers.h"

enum {
    READINGS_MAX = 32, /* asked for and not answered, of all kinds */
    READINGS_REST_MIN_MS = 10,
    READINGS_REST_MAX_MS = 1000,
};

struct readings; /* opaque */
struct state;

/* The latest answer of a kind. */
struct readings_last {
    bool known; /* there was one, of the target as it is now */
    int result; /* 0, or -errno with its text */
    struct wire_runtime_read read;
    uint32_t generation; /* of the target */
    uint64_t when_ns;    /* monotonic */
};

/** readings_new(loop, st, ret): asks ${st}'s peers, counts in its session and metrics. */
int readings_new(uv_loop_t *loop, struct state *st, struct readings **ret);

/** readings_free(r): NULL-safe; no callback any more. The loop must run once afterwards. */
void readings_free(struct readings *r);

/**
 * readings_ask(r, want, then, data, ret_ticket): ${then} is called exactly once, later. 0 and a
 * ticket (never 0), or -EBUSY (too many wait) and no callback. What cannot be put to the sampler in
 * its turn is told as PEERS_DIED.
 */
int readings_ask(struct readings *r, const struct wire_runtime *want, peers_answered then,
                 void *data, uint32_t *ret_ticket);

/** readings_forget(r, ticket): its callback will not be called; what runs for it is cancelled. */
void readings_forget(struct readings *r, uint32_t ticket);

/** readings_waiting(r, kind): how many of this kind are asked for now. */
uint32_t readings_waiting(const struct readings *r, uint32_t kind);

/** readings_last(r, kind): never NULL; look at its known. */
const struct readings_last *readings_last(const struct readings *r, uint32_t kind);

#endif
