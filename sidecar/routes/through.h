/*
 * through.h: what the target's own endpoint makes, through our door: its execution trace, its
 * custom profiles, and those that we can make in principle but not here (no right, no runtime that
 * we can read). Authenticated, clamped and counted as ours are; the bytes go from one socket to the
 * other by a window (server_push()), and nothing holds them.
 *
 * Without collect.scrape.url nothing of this is there. The target is hostile: of its answer only
 * the body is handed on, when its first bytes are what was asked for; type, file name and all other
 * headers are ours, and what it says in an error is cleaned and cut. `Pillion-Source: scrape` marks
 * what comes from there.
 */
#ifndef SIDECAR_ROUTES_THROUGH_H
#define SIDECAR_ROUTES_THROUGH_H

#include "sidecar/routes/visit.h"

enum {
    THROUGH_JOBS_MAX = 8,
    THROUGH_SAID_BYTES = 256,   /* of an error's body */
    THROUGH_LEAD_BYTES = 16,    /* looked at before anything is believed */
    THROUGH_TRACE_SECONDS = 1,  /* when none are named, as Go does */
    THROUGH_RETRY_MS = 5000,    /* after a 503 */
    THROUGH_MAX_MIB = 4 * 1024, /* of a trace: a busy program writes some 10 MB a second */
    THROUGH_PROFILE_MIB = 256,
};

/* What is asked of the target's endpoint. */
struct through_plan {
    const char *name; /* its name there; lives as long as the visit */
    enum session_kind kind;
    uint64_t ms;    /* 0: a snapshot */
    unsigned debug; /* 0: the file, else text */
    bool gc;
};

/** through_there(st): is there an endpoint of the target's that we may ask? */
bool through_there(const struct state *st);

/** through_serves(st, path): is ${path} a name that is none of ours, and may it be asked for? */
bool through_serves(const struct state *st, const char *path);

/** through_begin(v, plan): ask, and answer ${v}. Ends v->ticket's session, if it has one. */
void through_begin(struct visit *v, const struct through_plan *plan);

/** through_trace(v), through_custom(v): the rows of the table. */
void through_trace(struct visit *v);
void through_custom(struct visit *v);

#endif
