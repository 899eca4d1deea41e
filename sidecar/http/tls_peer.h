/*
 * tls_peer.h: whose client certificates are believed, and the verdict on one: the only place that
 * decides it.
 *
 * mbedTLS is told that certificates are optional, whatever the configuration says: with REQUIRED
 * it ends the handshake by itself, and in TLS 1.3 with an alert that no client can read
 * (Mbed-TLS/mbedtls #10877), in TLS 1.2 without any. So each handshake ends well for it, then
 * tls_peer_judge() decides, and the caller sends the alert of tls_peer_alert() under the keys that
 * the client can read by then. What mbedTLS does not ask for, the verdict does: a revocation list
 * of each issuer, the usage on every certificate of the chain, its depth, names that mean one
 * thing.
 */
#ifndef SIDECAR_HTTP_TLS_PEER_H
#define SIDECAR_HTTP_TLS_PEER_H

#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

#include "auth/auth.h"
#include "sidecar/http/tls.h"

enum {
    TLS_PEER_DEPTH_MAX = 3, /* certificates above the client's own, the root among them */
    TLS_PEER_USAGES_MAX = 64,
};

enum tls_peer {
    TLS_PEER_NONE, /* no certificate was shown */
    TLS_PEER_OK,
    TLS_PEER_UNKNOWN_CA,
    TLS_PEER_TOO_DEEP,
    TLS_PEER_REVOKED,
    TLS_PEER_EXPIRED,
    TLS_PEER_NOT_YET,
    TLS_PEER_WRONG_USAGE,
    TLS_PEER_WEAK,
    TLS_PEER_DEAR, /* to check: tls_chain.h */
    TLS_PEER_NO_CRL,
    TLS_PEER_STALE_CRL,
    TLS_PEER_MANY_URIS,
    TLS_PEER_BAD_NAMES,
    TLS_PEER_REFUSED, /* anything else that mbedTLS found */
    TLS_PEERS,
};

/* What client certificates are held against. Made once, then only read: connections share it. */
struct tls_trust {
    enum config_client_auth client_auth;
    mbedtls_x509_crt ca;
    mbedtls_x509_crl crl;
    bool has_crl; /* then each issuer of a chain needs one */
};

void tls_trust_init(struct tls_trust *t);
void tls_trust_release(struct tls_trust *t); /* NULL-safe */

/**
 * tls_trust_load(t, s, e): the CA bundle and the CRL files (PEM with any number of lists, or DER).
 * All of each or -EINVAL/-errno with the file's name. With client_auth off nothing is read.
 */
int tls_trust_load(struct tls_trust *t, const struct tls_settings *s, struct err *e);

/** tls_trust_stale(t): when the first CRL ends, seconds since 1970; 0 without any. */
int64_t tls_trust_stale(const struct tls_trust *t);

/* What was seen of one chain while mbedTLS walked it. Zero it before each walk. */
struct tls_look {
    const struct tls_trust *trust;
    uint32_t flags; /* mbedTLS's, of all certificates together */
    bool walking;
    bool whole; /* the client's own certificate was reached: the walk came to its end */
    bool too_deep, wrong_usage, no_crl;
};

/** tls_look_at(look, crt, depth, flags): mbedTLS's verify callback; from the top down to depth 0.
 * Changes no flag. Ends the handshake (without a readable alert) for a client's key that would cost
 * us too much: the check of its signature comes next, whatever we think of the chain. */
int tls_look_at(void *look, mbedtls_x509_crt *crt, int depth, uint32_t *flags);

/**
 * tls_peer_judge(look, result, crt, ret_names): the verdict after a handshake: ${result} is
 * mbedtls_ssl_get_verify_result(), ${crt} the client's certificate or NULL. ${ret_names} is filled
 * and marked as verified for TLS_PEER_OK only.
 */
enum tls_peer tls_peer_judge(const struct tls_look *look, uint32_t result,
                             const mbedtls_x509_crt *crt, struct auth_peer *ret_names);

/** tls_peer_again(trust, crt, ret_names): the same later, by what is believed now; ${crt} is the
 * chain that the client sent. */
enum tls_peer tls_peer_again(struct tls_trust *trust, mbedtls_x509_crt *crt,
                             struct auth_peer *ret_names);

/** tls_peer_refused(verdict, trust): may this connection not go on? */
bool tls_peer_refused(enum tls_peer verdict, const struct tls_trust *trust);

/** tls_peer_text(verdict): for people: what is wrong and what would be right. */
const char *tls_peer_text(enum tls_peer verdict);

/** tls_peer_alert(verdict): the alert's number (RFC 8446 6.2). */
unsigned char tls_peer_alert(enum tls_peer verdict);

#endif
