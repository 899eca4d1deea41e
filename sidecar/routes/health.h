/*
 * health.h: /livez, /readyz and /metrics: on the health listener without credentials, on the admin
 * listener with them.
 */
#ifndef SIDECAR_ROUTES_HEALTH_H
#define SIDECAR_ROUTES_HEALTH_H

#include "sidecar/routes/visit.h"

/** health_live(v): 200 as long as the loop turns. */
void health_live(struct visit *v);

/** health_ready(v): 200 when a profile can be taken, else 503 with what is missing. */
void health_ready(struct visit *v);

/** health_metrics(v): the Prometheus text. */
void health_metrics(struct visit *v);

#endif
