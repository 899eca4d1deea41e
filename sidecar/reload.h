/*
 * reload.h: the configuration over time. Read whole, checked whole, then put in place of the old;
 * a bad one is refused, logged and counted, and the old one stays. The target, the listening
 * addresses and a higher limits.hz need a restart, which is said.
 */
#ifndef SIDECAR_RELOAD_H
#define SIDECAR_RELOAD_H

#include "sidecar/outgoing.h"
#include "sidecar/state.h"
#include "sidecar/watch.h"

enum {
    RELOAD_TOKEN_BYTES = 96,
};

struct reload {
    int argc;
    char **argv; /* config_from_args()'s, the caller's */
    struct watch watch;
    uint32_t hz_max;                /* limits.hz at the start: the guard's bound */
    struct outgoing outgoing;       /* what the sandbox has left open since the start */
    uint64_t drain_max_ms;          /* and the longest drain */
    struct err refused;             /* why the last reload was, so that it is said once */
    char token[RELOAD_TOKEN_BYTES]; /* made for this start when the configuration has none */
};

/** reload_first(r, st, argc, argv, e): fill st->config, st->auth, the session's rules, the log. */
int reload_first(struct reload *r, struct state *st, int argc, char **argv, struct err *e);

/** reload_now(r, st): read again; st->reload_ok tells how it went. */
void reload_now(struct reload *r, struct state *st);

/** reload_if_changed(r, st): the same when a file looks different from last time; true: it did. */
bool reload_if_changed(struct reload *r, struct state *st);

/** reload_if_refused(r, st): the same when the last one was refused: it may name a file that comes
 * only now, and which the one in force does not know. */
void reload_if_refused(struct reload *r, struct state *st);

/** reload_token(r): the token of this start, "" when the configuration names its own. */
const char *reload_token(const struct reload *r);

/** reload_release(r, st): frees st->config and st->auth. */
void reload_release(struct reload *r, struct state *st);

#endif
