/*
 * jwt.h: JSON Web Tokens in the compact form (RFC 7515, 7.1; RFC 7519), read and checked. The rules
 * are those of RFC 8725: the key says the algorithm, the header says nothing that makes us fetch or
 * trust a key, issuer and audience must be ours, it must end, and what is unknown is refused.
 */
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/jwks.h"

enum {
    JWT_MAX_BYTES = 8192,
    JWT_SIGNATURE_MAX_BYTES = JWKS_RSA_MAX_BITS / 8,
    JWT_LEEWAY_S = 60,      /* between the issuer's clock and ours */
    JWT_AUDIENCES_MAX = 32, /* in one token */
    JWT_SUBJECT_MAX_BYTES = 1024,
};

/* Taken apart; nothing in it is proven before jwt_check(). */
struct jwt {
    json_t *header, *payload; /* objects */
    const char *signed_text;  /* header.payload, in the caller's memory */
    size_t signed_bytes;
    uint8_t signature[JWT_SIGNATURE_MAX_BYTES];
    size_t signature_bytes;
};

/* What one issuer's token must say. */
struct jwt_rules {
    const char *issuer, *audience; /* exact */
    const char *subject;           /* exact; "": any */
};

/** jwt_looks_like(text, bytes): three parts with two dots, of base64url bytes. */
bool jwt_looks_like(const char *text, size_t bytes);

/** jwt_parse(text, bytes, ret): 0, -EFBIG, -EBADMSG. ${text} must outlive ${ret}. */
int jwt_parse(const char *text, size_t bytes, struct jwt *ret);
void jwt_release(struct jwt *t); /* NULL-safe */

/** jwt_issuer(t), jwt_subject(t): what it claims, or NULL. jwt_kid(t): the same of its header. */
const char *jwt_issuer(const struct jwt *t);
const char *jwt_subject(const struct jwt *t);
const char *jwt_kid(const struct jwt *t);

/** jwt_claims(t, rules, now_s): NULL: all is as it must be; else why not (for logs). */
const char *jwt_claims(const struct jwt *t, const struct jwt_rules *rules, int64_t now_s);

/** jwt_signed(t, key): NULL: by this key; else why not. */
const char *jwt_signed(const struct jwt *t, struct jwks_key *key);

/** jwt_header(t): NULL: a header that we take; else why not. Before its kid is used. */
const char *jwt_header(const struct jwt *t);

#endif
