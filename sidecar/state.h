/*
 * state.h: what the running sidecar is and knows: the parts, and the latest news of the guard and
 * the sampler. app.c owns and changes it; the routes read it and ask its few questions.
 */
#ifndef SIDECAR_STATE_H
#define SIDECAR_STATE_H

#include "auth/auth.h"
#include "config/config.h"
#include "sidecar/credentials.h"
#include "sidecar/delta.h"
#include "sidecar/http/server.h"
#include "sidecar/leak_watch.h"
#include "sidecar/metrics.h"
#include "sidecar/peers.h"
#include "sidecar/readings.h"
#include "sidecar/session.h"
#include "sidecar/store/history.h"
#include "wire/remedy.h"

enum {
    STATE_LISTENER_ADMIN,  /* the numbers given to server_listen() */
    STATE_LISTENER_HEALTH, /* plain, without credentials, without profiles */
    STATE_WHY_BYTES = 640,
    STATE_ADDRESSES_BYTES = CONFIG_LISTEN_MAX * 160,
    STATE_DEFAULT_HZ = 100,
    STATE_WALL_HZ = 20, /* threads that wait change slowly */
};

struct route; /* routes/visit.h */

struct state {
    struct config *config;
    struct auth *auth;
    struct credentials *credentials; /* judgements that wait; NULL: none can */
    struct server *server;
    struct peers *peers;
    uv_loop_t *loop;
    struct readings *readings; /* of the target's runtime */
    uint32_t delta_jobs;       /* requests between two readings (routes/runtime.h) */
    uint32_t through_jobs;     /* streams from the target's own endpoint (routes/through.h) */
    struct delta_store deltas; /* what the delta_* paths gave last */
    struct leak_watch *leak_watch;
    struct session session;
    struct store *store;     /* profiles that wait; NULL: nothing is kept or forwarded */
    struct history *history; /* those that are kept; NULL: none are */
    struct forward *forward; /* NULL without backends */
    struct collect *collect; /* the schedule */
    struct metrics metrics;

    struct wire_status status; /* of the guard, zeroed before the first news */
    struct wire_facts facts;   /* what it found by trying, of the target with that generation */
    bool heard;                /* there was news */
    bool sampler_up;           /* a link to a living sampler */
    struct wire_about about;   /* of the target; empty while unknown */

    bool draining;  /* SIGTERM came */
    bool reload_ok; /* the last reload was taken */
    uint64_t began_real_ns;
    char admin[STATE_ADDRESSES_BYTES]; /* real addresses, separated by commas */

    uint64_t trail_key[2];      /* routes/trail.h */
    const struct route *routes; /* the table, for those that list it */
    size_t routes_count;
};

/**
 * state_ready(st, why): can a profile be taken now? On false ${why} (STATE_WHY_BYTES) says what is
 * missing.
 */
bool state_ready(const struct state *st, char why[static STATE_WHY_BYTES]);

/**
 * state_refuses_target(st, why): the status to refuse a question about the target with: 0 none,
 * 503 it is not there or the sampler is not. ${why} is for people.
 */
unsigned state_refuses_target(const struct state *st, char why[static STATE_WHY_BYTES]);

/**
 * state_missing(st, want, text, bytes): which right is missing, why, and what would grant it, for a
 * 501; ${text} or what the target's news say.
 */
const char *state_missing(const struct state *st, enum rights_want want, char *text, size_t bytes);

/** state_refuses_cpu(st, why): the same for a CPU profile: also 501, a right is missing. */
unsigned state_refuses_cpu(const struct state *st, char why[static STATE_WHY_BYTES]);

/** state_refuses_wall(st, why): the same for a wall-clock profile. */
unsigned state_refuses_wall(const struct state *st, char why[static STATE_WHY_BYTES]);

/**
 * state_refuses_runtime(st, kind, why): the same for what is read from the target's runtime (enum
 * wire_runtime_kind): also 501, a right is missing or it has no Go runtime, and 503 when reading it
 * crashed the sampler again and again. What only the reading can tell (no samples recorded …) is
 * the sampler's answer.
 */
unsigned state_refuses_runtime(const struct state *st, uint32_t kind,
                               char why[static STATE_WHY_BYTES]);

/** state_is_go(st): a Go program for all we know: up, and not known to be another. */
bool state_is_go(const struct state *st);

/**
 * state_note(st): what users of a Go target have to know of it (its version is not known, so only
 * what proves itself is read), or "".
 */
const char *state_note(const struct state *st);

#endif
