/*
 * plan.h: from the configuration of one backend to what shape() and head() get: struct
 * backend_plan, and the secrets from their files.
 */
#ifndef SIDECAR_FORWARD_PLAN_H
#define SIDECAR_FORWARD_PLAN_H

#include "sidecar/forward/backend.h"

/**
 * plan_backend_make(c, index, ret, e): the plan of c->forward[index], the caller's to free(3). The
 * labels are those of the configuration, with the backend's own over them. -EINVAL: no url, or a
 * bad one.
 */
int plan_backend_make(const struct config *c, size_t index, struct backend_plan **ret,
                      struct err *e);

/** plan_backend_same(a, b): would they send the same, to the same place, with the same files? */
bool plan_backend_same(const struct backend_plan *a, const struct backend_plan *b);

/**
 * plan_secrets_read(plan, ret, e): read each file that is named; ${ret} is as it was when one of
 * them is bad. The caller wipes it.
 */
int plan_secrets_read(const struct backend_plan *plan, struct backend_secrets *ret, struct err *e);

#endif
