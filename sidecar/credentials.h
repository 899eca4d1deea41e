/*
 * credentials.h: judgements that cannot be made at once. auth/ decides; here is who waits for what:
 * a password's hash in a thread of libuv's pool, an issuer's keys by https, one or two questions to
 * Kubernetes' API server. The keys of issuers are fetched anew every few minutes, too.
 *
 * All is bounded: how many wait (in all and for one address), how many hashes and questions are
 * under way, and how long. Who finds no room is told to come again; nobody is let in meanwhile.
 */
#ifndef SIDECAR_CREDENTIALS_H
#define SIDECAR_CREDENTIALS_H

#include <uv.h>

#include "auth/auth.h"

enum {
    CREDENTIALS_WAITING_MAX = 128,
    CREDENTIALS_PER_ADDRESS_MAX = 64, /* fifty clients behind one proxy find room */
    /* libuv's pool has four threads; one stays for names and files: a login is less pressing
     * than a profile that has to be kept */
    CREDENTIALS_HASHES_MAX = 3,
    CREDENTIALS_REVIEWS_MAX = 4,
    CREDENTIALS_WAIT_MS = 10000,  /* of one request, in all */
    CREDENTIALS_REVIEW_MS = 5000, /* one question to the API server */
    CREDENTIALS_KEYS_MS = 8000,   /* one fetch */
    CREDENTIALS_KEYS_EVERY_MS = 300000,
    CREDENTIALS_KEYS_RETRY_MS = 30000,
    CREDENTIALS_RETRY_MS = 1000, /* Retry-After of who found no room */
};

struct credentials; /* opaque */

/**
 * credentials_new(loop, config, auth, ret, e): connections are prepared, nothing is connected
 * before the loop turns. -EINVAL: a URL that is none, or no way to the API server.
 */
int credentials_new(uv_loop_t *loop, const struct config *config, struct auth *auth,
                    struct credentials **ret, struct err *e);
void credentials_free(struct credentials *c); /* NULL-safe; nobody waiting is called any more */

/* A reload in two steps, so that it can fail without harm. */
struct credentials_next; /* opaque */

/** credentials_prepare(c, config, auth, ret, e): what the new ones need; changes nothing yet. */
int credentials_prepare(struct credentials *c, const struct config *config, struct auth *auth,
                        struct credentials_next **ret, struct err *e);
void credentials_drop(struct credentials_next *n); /* NULL-safe */

/** credentials_take(c, n): in place of the old, whose `auth` may be freed after this; who waits is
 * judged anew. Frees ${n}. */
void credentials_take(struct credentials *c, struct credentials_next *n);

typedef void (*credentials_came)(void *data, const struct auth_verdict *verdict);

/**
 * credentials_judge(c, request, ret, came, data): 0: ${ret} is the verdict. Else a ticket: ${came}
 * will be called once, later, unless credentials_forget() is. The texts of ${request} must live as
 * long, but for its address, which is copied.
 */
uint32_t credentials_judge(struct credentials *c, const struct auth_request *request,
                           struct auth_verdict *ret, credentials_came came, void *data);

/** credentials_forget(c, ticket): nobody waits any more; 0 and one that is over are allowed. */
void credentials_forget(struct credentials *c, uint32_t ticket);

/** credentials_waiting(c): how many are. */
size_t credentials_waiting(const struct credentials *c);

#endif
