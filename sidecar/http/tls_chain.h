/*
 * tls_chain.h: what would a chain of certificates cost us that a client sends? Asked before
 * anything in it is verified: mbedTLS 3.6 verifies while it still builds the chain, each
 * certificate against every other of a fitting name, and has a lower bound for RSA keys but no
 * upper one. Sixteen KB of such certificates were two seconds of CPU (RSA 8192 with a long
 * exponent: 430 ms a signature).
 *
 * In TLS 1.2 the client's Certificate message is plain text (RFC 5246 7.4.6): the tap reads it on
 * its way in and refuses it before mbedTLS has seen its last byte. In TLS 1.3 it is encrypted, and
 * tls.c has mbedTLS parse it without verifying.
 */
#ifndef SIDECAR_HTTP_TLS_CHAIN_H
#define SIDECAR_HTTP_TLS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include <mbedtls/x509_crt.h>

#include "sidecar/http/tls_peer.h"

enum {
    TLS_CHAIN_CERTIFICATES_MAX = TLS_PEER_DEPTH_MAX + 1, /* in the message; six checks at most */
    TLS_CHAIN_RSA_MAX_BITS = 4096,
    TLS_CHAIN_RSA_EXPONENT_MAX_BITS = 32, /* 65537 has 17; the time goes with the bits */
    TLS_CHAIN_MESSAGE_MAX_BYTES = 16384,  /* mbedTLS has room for no more (SSL_IN_CONTENT_LEN) */
    /* What is shorter is cheap whatever is in it: two certificates of brainpoolP384r1 fit, 31 ms,
     * or RSA of 1300 bits. An empty message is shorter by far. */
    TLS_CHAIN_SMALL_BYTES = 512,
};

/** tls_chain_is_dear(crt): would checking a signature by this key cost more than a few handshakes?
 * RSA by its size; curves other than P-256, P-384 and P-521 (11 ms): mbedTLS has no fast reduction
 * for them, brainpoolP512r1 takes 68 ms. */
bool tls_chain_is_dear(const mbedtls_x509_crt *crt);

/** tls_chain_look(chain): TLS_PEER_OK: it may be verified; TLS_PEER_TOO_DEEP: too many
 * certificates; TLS_PEER_DEAR: a key in it is. NULL is OK. */
enum tls_peer tls_chain_look(const mbedtls_x509_crt *chain);

/* Reads TLS 1.2 records from the one in which the Certificate message begins. Zero it first. */
struct tls_chain_tap {
    unsigned char head[5]; /* of the record: type, version, length (RFC 5246 6.2.1) */
    size_t head_bytes;
    size_t record_left;     /* of its content */
    unsigned char start[4]; /* of the message: type, length (RFC 5246 7.4) */
    unsigned char *message; /* its body; NULL before the start is complete, and afterwards */
    size_t used, wanted;    /* of start and body together */
    bool done;              /* the message was looked at, or is none that is ours to look at */
};

/**
 * tls_chain_tap(t, data, bytes): the next bytes of the connection. TLS_PEER_OK: pass them on; else
 * why the message is refused (also one that is malformed, or for which there is no memory:
 * TLS_PEER_REFUSED).
 */
enum tls_peer tls_chain_tap(struct tls_chain_tap *t, const unsigned char *data, size_t bytes);
void tls_chain_tap_release(struct tls_chain_tap *t); /* NULL-safe, repeatable */

#endif
