/*
 * api.h: /api/v1/status and /api/v1/targets: what is profiled, with which rights, how the programs
 * are. JSON; new members may come, none goes. Any valid credentials may read it: it names the
 * target's process and what is missing to profile it. What is inside the target (which goroutines
 * pile up) is only for those who may see its goroutines.
 */
#ifndef SIDECAR_ROUTES_API_H
#define SIDECAR_ROUTES_API_H

#include "sidecar/routes/visit.h"

enum {
    API_MAX_BYTES = 256 * 1024,
};

/** api_status(v), api_targets(v): answer at once. */
void api_status(struct visit *v);
void api_targets(struct visit *v);

/** api_status_json(st, scopes, out): the document for ${scopes}; ${st} needs no server. */
void api_status_json(const struct state *st, uint32_t scopes, struct buf *out);

#endif
