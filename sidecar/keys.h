/*
 * keys.h: the key sets of token issuers that have an https URL: fetched at the start and every few
 * minutes, and once more when a token names a key that is not known (auth/ says when). What was
 * fetched stays while the issuer cannot be reached.
 */
#ifndef SIDECAR_KEYS_H
#define SIDECAR_KEYS_H

#include <uv.h>

#include "auth/auth.h"

struct keys; /* opaque */

/* A fetch of issuer ${i} is over, however it ended. */
typedef void (*keys_came)(void *data, size_t i);

/** keys_new(loop, config, auth, came, data, ret, e): fetches when the loop turns. */
int keys_new(uv_loop_t *loop, const struct config *config, struct auth *auth, keys_came came,
             void *data, struct keys **ret, struct err *e);
void keys_free(struct keys *k); /* NULL-safe; the loop must turn */

/** keys_metrics(a, now_ns, real_s, out): append jwks_*: how many keys, how old, how fetching went.
 */
void keys_metrics(const struct auth *a, uint64_t now_ns, uint64_t real_s, struct buf *out);

/** keys_fetch(k, i): now, unless it is under way already. 0 or -errno: then nothing comes. */
int keys_fetch(struct keys *k, size_t i);

#endif
