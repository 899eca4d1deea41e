/*
 * reviewer.h: Kubernetes' API server, as auth.kubernetes names it: one question, one answer. Our
 * own token is read from its file for each question, since the kubelet changes it every hour.
 */
#ifndef SIDECAR_REVIEWER_H
#define SIDECAR_REVIEWER_H

#include <uv.h>

#include "config/config.h"
#include "sidecar/client/client.h"

struct reviewer; /* opaque */

/**
 * reviewer_new(loop, config, ret, e): nothing is connected yet. ${ret} is NULL when
 * auth.kubernetes is off. -EINVAL: no URL, and no KUBERNETES_SERVICE_HOST.
 */
int reviewer_new(uv_loop_t *loop, const struct config *config, struct reviewer **ret,
                 struct err *e);
void reviewer_free(struct reviewer *r); /* NULL-safe; questions are dropped without callback */

/** reviewer_ask(r, path, body, answered, data, ret_ticket): as client_ask(); -errno also of reading
 * the token. */
int reviewer_ask(struct reviewer *r, const char *path, const struct buf *body,
                 client_answered answered, void *data, uint32_t *ret_ticket);
void reviewer_forget(struct reviewer *r, uint32_t ticket);

#endif
