/*
 * otlp_resource.h: who was profiled, in the names of OpenTelemetry's semantic conventions (resource
 * attributes service.*, process.*, k8s.*, container.id). Always the target, never ourselves.
 */
#ifndef SIDECAR_FORWARD_OTLP_RESOURCE_H
#define SIDECAR_FORWARD_OTLP_RESOURCE_H

#include "sidecar/forward/backend.h"

enum {
    OTLP_RESOURCE_MAX = BACKEND_LABELS_MAX + 8, /* attributes */
    OTLP_RESOURCE_FIELD = 1,                    /* ResourceProfiles.resource */
};

/** otlp_resource_put(plan, item, out): append field resource of a ResourceProfiles. Labels that
 * have no name there keep theirs; of a key that comes twice the first counts, labels before what
 * the item knows. */
void otlp_resource_put(const struct backend_plan *plan, const struct item *item, struct buf *out);

#endif
