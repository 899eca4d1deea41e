/*
 * google_token.h: the OAuth2 access token for Google's API, from the metadata server or for a
 * service account's key (RS256 JSON Web Token, RFC 7523).
 *
 * A token is asked for when it is first needed and again GOOGLE_TOKEN_EARLY_MS before it ends (or
 * after half of its life, if that is later). The key file is hostile until checked (bounded, JSON,
 * RSA key). Neither key nor token is ever logged.
 */
#ifndef SIDECAR_FORWARD_GOOGLE_TOKEN_H
#define SIDECAR_FORWARD_GOOGLE_TOKEN_H

#include <uv.h>

#include "config/config.h"

enum {
    GOOGLE_TOKEN_EARLY_MS = 5 * 60 * 1000,
    GOOGLE_KEY_MAX_BYTES = 64 * 1024,
};

struct google_token; /* opaque */

/* Called once; result 0: google_token_get() has it now. ${why} is for people, never a secret. */
typedef void (*google_token_came)(void *data, int result, const char *why);

int google_token_new(uv_loop_t *loop, const struct config_backend *c, struct google_token **ret,
                     struct err *e);
void google_token_free(struct google_token *t); /* NULL-safe; no callback any more */

/**
 * google_token_get(t, out, bytes, then, data): 0 and the token; or -EAGAIN, it is asked for and
 * ${then} will be called; or another -errno with nothing to wait for.
 */
int google_token_get(struct google_token *t, char *out, size_t bytes, google_token_came then,
                     void *data);

/** google_token_drop(t): it was refused: another one is asked for when it is wanted next. */
void google_token_drop(struct google_token *t);

/** google_token_project(t): from the key file or the metadata server; "" while not known. */
const char *google_token_project(const struct google_token *t);

#endif
