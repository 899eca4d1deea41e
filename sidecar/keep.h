/*
 * keep.h: collecting, keeping and forwarding as one part of the sidecar: opened, renewed, drained
 * and closed in the order in which they need each other.
 *
 *     collect → store → forward
 *                  └──→ history
 */
#ifndef SIDECAR_KEEP_H
#define SIDECAR_KEEP_H

#include "sidecar/state.h"

/**
 * keep_open(st, e): the folders, while they may still be made: before the sandbox. Nothing is
 * opened when nothing is configured to be kept or sent.
 */
int keep_open(struct state *st, struct err *e);

/** keep_begin(st, e): in the sandbox by now (its threads are): begin to collect and to send. */
int keep_begin(struct state *st, struct err *e);

/** keep_reload(st): st->config is new. What cannot be taken is logged; the rest works. */
void keep_reload(struct state *st);

/** keep_drain(st): close the running windows, send what waits. */
void keep_drain(struct state *st);
/** keep_idle(st): is all of that done? */
bool keep_idle(const struct state *st);

/** keep_close(st): repeatable; before the peers go. */
void keep_close(struct state *st);

#endif
