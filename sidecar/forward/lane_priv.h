/*
 * lane_priv.h: a lane from within: lane.c (its life), lane_work.c (from the queue to the wire),
 * lane_end.c (what becomes of an answer). All on the loop.
 *
 * The driver: lane_next() takes the oldest, lane_begin() has it read and shaped, lane_send() sends
 * a part, lane_settle() judges the answer and ends in exactly one of the lane_*() that end a try;
 * each of these either goes on with the next or arms the timer.
 */
#ifndef SIDECAR_FORWARD_LANE_PRIV_H
#define SIDECAR_FORWARD_LANE_PRIV_H

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "sidecar/forward/google_token.h"
#include "sidecar/forward/lane.h"
#include "sidecar/forward/lane_job.h"

enum {
    LANE_MAGIC = 0x4c414e45,
    LANE_TEXTS_BYTES = 2 * BACKEND_SECRET_BYTES + 4096, /* header values of one request */
    LANE_TIMEOUT_MS = 10000,
};

enum lane_state {
    LANE_IDLE,
    LANE_TOKEN,    /* google's access token is asked for */
    LANE_FETCHING, /* hot.h reads it */
    LANE_SHAPING,  /* in the pool */
    LANE_SENDING,
    LANE_WAITING, /* for the timer */
};

struct lane {
    unsigned magic;
    uv_loop_t *loop;
    struct store *store;
    struct hot *hot;
    struct backend_plan *plan;
    const struct backend_ops *ops;
    uint32_t index;
    struct client *client;      /* NULL: it delivers by itself */
    struct google_token *token; /* NULL: not google */
    struct backend_secrets *secrets;
    bool secrets_read;
    uv_timer_t *timer; /* on the heap: it outlives us until it is closed */
    char *texts;       /* LANE_TEXTS_BYTES */

    enum lane_state state;
    struct store_entry entry;
    struct lane_job *job;          /* in the pool */
    struct backend_shaped *shaped; /* being sent */
    size_t part;
    bool follows; /* the part depends on what the one before was answered (follow()) */
    uint32_t ticket;
    unsigned few, split; /* of this entry: RETRY_FEW tries, parts for a backend that says 413 */
    bool blocked, draining, gave_up;
    unsigned failures; /* in a row */
    uint64_t next_try_ns, logged_ns;
    struct forward_status seen; /* the counters and the last error */
};

/* --- lane_work.c --- */

/** lane_next(l): begin with the oldest that is young enough for this backend. */
void lane_next(struct lane *l);
/** lane_begin(l): have l->entry read and shaped, then send it. */
void lane_begin(struct lane *l);
/** lane_send(l): send part l->part of l->shaped. */
void lane_send(struct lane *l);

/* --- lane_end.c --- */

/** lane_settle(l, a): what the answer means for the profile and for us. */
void lane_settle(struct lane *l, const struct client_answer *a);
/** lane_retry(l, why, asked_ms): later: after ${asked_ms}, or after the back-off (0). */
void lane_retry(struct lane *l, const char *why, uint64_t asked_ms);
/** lane_block(l, why): it is about us, not about this profile: all wait. */
void lane_block(struct lane *l, const char *why);
/** lane_reject(l, why): dropped and counted. */
void lane_reject(struct lane *l, const char *why);
/** lane_split(l, why): too large: in halves from now on, or dropped when that has been tried. */
void lane_split(struct lane *l, const char *why);
/** lane_skip(l): this backend takes no such profiles. */
void lane_skip(struct lane *l);
/** lane_taken(l): it is theirs now. */
void lane_taken(struct lane *l);
/** lane_drop_shaped(l): forget the requests that were made of it. */
void lane_drop_shaped(struct lane *l);
/** lane_on_timer(t): try again now. */
void lane_on_timer(uv_timer_t *t);

#endif
