/*
 * jwks.h: the public keys of an issuer (RFC 7517, RFC 7518 6.2 and 6.3), as far as we take their
 * signatures: RSA of 2048 to 8192 bit for RS256, P-256 for ES256. A key's algorithm is pinned when
 * it is read, so that no token can choose; symmetric keys ("oct") are never taken, so that a public
 * key can be no HMAC secret.
 */
#ifndef AUTH_JWKS_H
#define AUTH_JWKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    JWKS_MAX_BYTES = 64 * 1024,
    JWKS_KEYS_MAX = 32, /* that can be used; providers have 2 to 6 */
    JWKS_ENTRIES_MAX = 128,
    JWKS_KID_BYTES = 256, /* with its NUL */
    JWKS_RSA_MIN_BITS = 2048,
    JWKS_RSA_MAX_BITS = 8192,
    JWKS_RSA_E_MIN = 65537, /* FIPS 186-5, A.1.1; e = 1 would sign everything */
    JWKS_P256_BYTES = 32,
    JWKS_HASH_BYTES = 32,
};

enum jwks_alg { JWKS_RS256, JWKS_ES256 };

struct jwks; /* opaque */
struct jwks_key;

/**
 * jwks_parse(text, bytes, ret, e): entries for another purpose or algorithm are left out, and so
 * are those that are wrong in themselves; none left, or two usable ones with the same kid, is
 * -EINVAL; -EBADMSG no JSON; -EFBIG above JWKS_MAX_BYTES.
 */
int jwks_parse(const void *text, size_t bytes, struct jwks **ret, struct err *e);
void jwks_free(struct jwks *k); /* NULL-safe */
size_t jwks_count(const struct jwks *k);

/**
 * jwks_find(k, kid): the key of that name; with ${kid} NULL the only key there is. NULL: none, or
 * it is not clear which. A ${kid} is compared and nothing else.
 */
struct jwks_key *jwks_find(struct jwks *k, const char *kid);
enum jwks_alg jwks_alg_of(const struct jwks_key *key);

/**
 * jwks_verify(key, hash, signature, bytes): is it the key's signature of this SHA-256? RS256: as
 * long as the modulus, PKCS#1 v1.5 compared whole. ES256: r and s, 32 bytes each (RFC 7518, 3.4).
 */
bool jwks_verify(struct jwks_key *key, const uint8_t hash[static JWKS_HASH_BYTES],
                 const uint8_t *signature, size_t bytes);

#endif
