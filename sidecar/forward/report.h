/*
 * report.h: what the forwarding and the schedule tell of themselves, in /api/v1/status and
 * /metrics. No URL and no label with a value of the network's: names of the configuration only, and
 * the last error's text in the status, cleaned.
 */
#ifndef SIDECAR_FORWARD_REPORT_H
#define SIDECAR_FORWARD_REPORT_H

#include "base/json.h"
#include "sidecar/collect/collect.h"
#include "sidecar/forward/forward.h"

/** report_json(f, c, j): the members "forward" and "collect" of an open object. Both NULL-safe. */
void report_json(const struct forward *f, const struct collect *c, struct json *j);

/** report_metrics(f, c, out): push_* and collected_total; nothing without backends. */
void report_metrics(const struct forward *f, const struct collect *c, struct buf *out);

#endif
