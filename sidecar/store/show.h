/*
 * show.h: spool and history in /api/v1/status and in /metrics (base/json.h; Prometheus text, as
 * sidecar/metrics.h has it).
 */
#ifndef SIDECAR_STORE_SHOW_H
#define SIDECAR_STORE_SHOW_H

#include "base/json.h"
#include "sidecar/store/history.h"

/** show_json(s, h, j): the members "spool" and "history" of the object that is open. */
void show_json(const struct store *s, const struct history *h, struct json *j);

/** show_metrics(s, h, out): all families, also those that are 0; of the history only with one. */
void show_metrics(const struct store *s, const struct history *h, struct buf *out);

#endif
