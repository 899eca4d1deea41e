/*
 * kubernetes.h: callers that Kubernetes' API server knows (TokenReview) and permits (a
 * SubjectAccessReview on pods/pprof of the own Pod). What it said is remembered as long as
 * kube-rbac-proxy does: a token two minutes, a yes five minutes, a no half a minute. Which question
 * comes next is decided here; who asks it is the sidecar.
 */
#ifndef AUTH_KUBERNETES_H
#define AUTH_KUBERNETES_H

#include "auth/work.h"

enum {
    KUBERNETES_TOKEN_MS = 120000,
    KUBERNETES_UNKNOWN_MS = 10000, /* a token that is nobody's */
    KUBERNETES_ALLOW_MS = 300000,
    KUBERNETES_DENY_MS = 30000,
    KUBERNETES_ROWS_MAX = 256,
    KUBERNETES_BURST = 40,   /* questions about unknown tokens, so that no stranger can make us */
    KUBERNETES_GAP_MS = 100, /* flood the API server; after the burst one each 100 ms */
};

struct kubernetes {
    char audiences[CONFIG_AUDIENCES_MAX][CONFIG_TEXT_BYTES];
    size_t audiences_count; /* 0: off */
    uint32_t scopes;
    char namespace[CONFIG_TEXT_BYTES], pod[CONFIG_TEXT_BYTES];
    bool non_resource;
    uint64_t full_ns; /* when the burst is whole again */
    struct cache tokens, access;
};

/**
 * kubernetes_open(k, c, e): ${k} is zeroed. The Pod's name from the configuration or $POD_NAME, its
 * namespace from the configuration, $POD_NAMESPACE or the service account's file; -EINVAL without.
 */
int kubernetes_open(struct kubernetes *k, const struct config *c, struct err *e);
void kubernetes_release(struct kubernetes *k); /* NULL-safe */

/** kubernetes_judge(k, token, bytes, request, ret, ret_work): as auth_judge(). */
void kubernetes_judge(struct kubernetes *k, const char *token, size_t bytes,
                      const struct auth_request *request, struct auth_verdict *ret,
                      struct auth_work **ret_work);

/** kubernetes_question(k, w, ret_path, body), kubernetes_answer(k, w, status, reply, bytes): see
 * auth.h. */
int kubernetes_question(const struct kubernetes *k, const struct auth_work *w,
                        const char **ret_path, struct buf *body);
bool kubernetes_answer(struct kubernetes *k, struct auth_work *w, unsigned status,
                       const void *reply, size_t bytes);

/** kubernetes_finish(k, w, now_ns, ret): remembers, and decides. */
void kubernetes_finish(struct kubernetes *k, const struct auth_work *w, uint64_t now_ns,
                       struct auth_verdict *ret);

#endif
