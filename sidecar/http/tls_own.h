/*
 * tls_own.h: our own certificate and its private key: from two PEM files, or self-signed. The key
 * (RSA or ECDSA) never leaves the struct; tls_own_release() wipes it.
 */
#ifndef SIDECAR_HTTP_TLS_OWN_H
#define SIDECAR_HTTP_TLS_OWN_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "base/err.h"
#include "sidecar/http/tls.h"

struct tls_own {
    mbedtls_x509_crt chain; /* ours first, then intermediates */
    mbedtls_pk_context key;
    int64_t expiry;                    /* the earliest notAfter of the chain, seconds since 1970 */
    char sha256[TLS_SHA256_HEX_BYTES]; /* fingerprint of ours */
};

void tls_own_init(struct tls_own *o);
void tls_own_release(struct tls_own *o); /* NULL-safe */

/** tls_own_load(o, certificate, key, random, e): two PEM files; the key must be the certificate's.
 */
int tls_own_load(struct tls_own *o, const char *certificate, const char *key,
                 mbedtls_ctr_drbg_context *random, struct err *e);

/** tls_own_make(o, names, count, random, e): a self-signed P-256 one, good for a year. */
int tls_own_make(struct tls_own *o, const struct host *names, size_t count,
                 mbedtls_ctr_drbg_context *random, struct err *e);

/** tls_own_copy(o, from, random, e): the same certificate and key, apart from ${from}. */
int tls_own_copy(struct tls_own *o, const struct tls_own *from, mbedtls_ctr_drbg_context *random,
                 struct err *e);

#endif
