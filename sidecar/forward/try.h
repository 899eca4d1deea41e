/*
 * try.h: `pillion check --connect`: send each backend one profile, now, and say what came of it.
 *
 * What is sent is as empty as the backend takes: a CPU profile without samples, with the label
 * pillion_check="true" beside the configured ones; where nothing would be sent of such a one (OTLP)
 * it has one sample of 1, in a function named "[pillion check]". It goes the way that every profile
 * goes (lane.h: secrets, tokens, proxies, TLS, the backend's own judgement), by a store in memory:
 * the configured spool and history are not touched.
 */
#ifndef SIDECAR_FORWARD_TRY_H
#define SIDECAR_FORWARD_TRY_H

#include <stdio.h>
#include <uv.h>

#include "config/config.h"

enum {
    TRY_MAX_MS = 30000, /* for one backend, whatever its own timeout is */
};

/**
 * try_backends(loop, c, out): one after the other, a line for each on ${out} as soon as it is
 * known: "NAME (TYPE): ok", "NAME (TYPE): no: what it said". How many refused, or -ENOMEM. Files of
 * ${c} are read now.
 */
int try_backends(uv_loop_t *loop, const struct config *c, FILE *out);

#endif
