/*
 * review.h: what is said to Kubernetes' API server and what it answers: TokenReview (whose token is
 * it?) and SubjectAccessReview (may they?), authentication.k8s.io/v1 and authorization.k8s.io/v1.
 * Shapes as kube-apiserver 1.36 was seen to write them. An answer is from elsewhere: checked, and,
 * since it repeats the token, never shown.
 */
#ifndef AUTH_REVIEW_H
#define AUTH_REVIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "config/config.h"

enum {
    REVIEW_REPLY_MAX_BYTES = 256 * 1024,
    REVIEW_REQUEST_MAX_BYTES = 64 * 1024, /* what a user's groups and extra may come to */
    REVIEW_USER_MAX_BYTES = 512,
};

#define REVIEW_TOKEN_PATH  "/apis/authentication.k8s.io/v1/tokenreviews"
#define REVIEW_ACCESS_PATH "/apis/authorization.k8s.io/v1/subjectaccessreviews"

/* What is asked for: a resource of a Pod, or a path. */
struct review_target {
    const char *namespace, *pod; /* of pods/pprof */
    const char *path;            /* not NULL: nonResourceAttributes with this path instead */
};

/** review_ask_token(token, audiences, n, out): append the JSON. 0 or -ENOMEM. */
int review_ask_token(const char *token, const char (*audiences)[CONFIG_TEXT_BYTES], size_t n,
                     struct buf *out);

/**
 * review_read_token(reply, bytes, audiences, n, ret_user, ret_name): whose is it? 0 with the user
 * as JSON (free(3)) and the name (REVIEW_USER_MAX_BYTES, as it came); -EACCES: nobody's, or for
 * another audience; -EBADMSG: no such answer.
 */
int review_read_token(const void *reply, size_t bytes, const char (*audiences)[CONFIG_TEXT_BYTES],
                      size_t n, char **ret_user, char ret_name[static REVIEW_USER_MAX_BYTES]);

/** review_ask_access(user, target, out): append the JSON. 0, -EBADMSG, -ENOMEM. */
int review_ask_access(const char *user, const struct review_target *target, struct buf *out);

/** review_read_access(reply, bytes): 0 allowed, -EACCES not, -EBADMSG: no such answer. */
int review_read_access(const void *reply, size_t bytes);

#endif
