/*
 * tls_rules.h: what holds for every TLS connection of this program, whichever end it is:
 * versions 1.2 and 1.3, AEAD suites with forward secrecy, ALPN "http/1.1" only, no tickets, no
 * renegotiation, no early data. In one place, so that the two ends cannot drift apart.
 */
#ifndef SIDECAR_HTTP_TLS_RULES_H
#define SIDECAR_HTTP_TLS_RULES_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ssl.h>

#include "base/err.h"

/**
 * tls_rules_set(c, endpoint, random, e): into an empty ${c}; ${endpoint} is MBEDTLS_SSL_IS_SERVER
 * or MBEDTLS_SSL_IS_CLIENT, ${random} has to outlive it. The peer's certificate, its verification
 * and our own are the caller's. 0 or -EINVAL.
 */
int tls_rules_set(mbedtls_ssl_config *c, int endpoint, mbedtls_ctr_drbg_context *random,
                  struct err *e);

#endif
