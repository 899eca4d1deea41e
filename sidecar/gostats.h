/*
 * gostats.h: the counters of the target's Go runtime as Prometheus text: client_golang's names
 * behind `pillion_target_`.
 */
#ifndef SIDECAR_GOSTATS_H
#define SIDECAR_GOSTATS_H

#include "base/buf.h"
#include "wire/wire.h"

/**
 * gostats_print(stats, out): one family a value that this version of the runtime has; nothing at
 * all for NULL, or when it could not be read.
 */
void gostats_print(const struct wire_stats *stats, struct buf *out);

#endif
