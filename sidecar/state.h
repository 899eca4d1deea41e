/*
 * state.h: what the running sidecar is and knows: the parts, and the latest news of the guard and
 * the sampler. app.c owns and changes it; the routes read it and ask its few questions.
 */
#ifndef SIDECAR_STATE_H
#define SIDECAR_STATE_H

#include "auth/auth.h"
#include "config/config.h"
#include "sidecar/http/server.h"
#include "sidecar/metrics.h"
#include "sidecar/peers.h"
#include "sidecar/session.h"

enum {
    STATE_LISTENER_ADMIN,  /* the numbers given to server_listen() */
    STATE_LISTENER_HEALTH, /* plain, without credentials, without profiles */
    STATE_WHY_BYTES = 640,
    STATE_ADDRESSES_BYTES = CONFIG_LISTEN_MAX * 160,
    STATE_DEFAULT_HZ = 100,
};

struct route; /* routes/visit.h */

struct state {
    struct config *config;
    struct auth *auth;
    struct server *server;
    struct peers *peers;
    struct session session;
    struct metrics metrics;

    struct wire_status status; /* of the guard, zeroed before the first news */
    bool heard;                /* there was news */
    bool sampler_up;           /* a link to a living sampler */
    struct wire_about about;   /* of the target; empty while unknown */

    bool draining;  /* SIGTERM came */
    bool reload_ok; /* the last reload was taken */
    uint64_t began_real_ns;
    char admin[STATE_ADDRESSES_BYTES]; /* real addresses, separated by commas */

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

/** state_refuses_cpu(st, why): the same for a CPU profile: also 501, a right is missing. */
unsigned state_refuses_cpu(const struct state *st, char why[static STATE_WHY_BYTES]);

#endif
