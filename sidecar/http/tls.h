/*
 * tls.h: everything that touches mbedTLS (3.6 LTS; nothing used here is gone in 4.x except the
 * explicit random generators). One struct tls is a certificate with its settings; it is counted,
 * because connections keep theirs when a reload brings a new one.
 *
 * TLS 1.2 and 1.3, AEAD suites with forward secrecy only, ALPN "http/1.1" only (a client that
 * insists on h2 is refused in the handshake), no tickets, no renegotiation, no early data. The
 * private key stays in tls_own.c, the verdict on client certificates in tls_peer.c.
 */
#ifndef SIDECAR_HTTP_TLS_H
#define SIDECAR_HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "config/config.h"
#include "sidecar/http/host.h"

enum {
    TLS_FILE_MAX_BYTES = 256 * 1024, /* certificate chain, key or CA bundle */
    TLS_CRL_MAX_BYTES = 1024 * 1024, /* each file of lists: about 25,000 revoked ones */
    TLS_RECHECK_MS = 60000,          /* how long a verdict on a client certificate holds */
    TLS_NAMES_MAX = 64,              /* subject alternative names of a self-signed one */
    TLS_RECORD_BYTES = 16384,        /* plaintext of one record (RFC 8446 5.1) */
    TLS_SHA256_HEX_BYTES = 65,
};

struct auth_peer;
struct tls;
struct tls_conn;
struct mbedtls_ssl_config;

/* What a struct tls is made from; all texts are the caller's, and only read while it is made. */
struct tls_settings {
    const char *certificate, *key; /* PEM files; "": self-signed */
    const struct host *names;      /* for a self-signed one */
    size_t names_count;
    const struct tls *keep; /* not NULL: its certificate and key are taken, and none of these */
    enum config_client_auth client_auth;
    const char *client_ca;                 /* file; needed unless client_auth is off */
    const char (*crls)[CONFIG_PATH_BYTES]; /* files; none: nothing is asked about revocation */
    size_t crls_count;
};

/* The bytes below: 0 is the end (receive only), -EAGAIN not now, another -errno broken. */
typedef ssize_t (*tls_send)(void *ctx, const void *data, size_t bytes);
typedef ssize_t (*tls_receive)(void *ctx, void *data, size_t bytes);

/**
 * tls_new(s, ret, e): read all files; a self-signed certificate is ECDSA P-256 and valid for a
 * year. One reference. -EINVAL or another -errno with the file's name.
 */
int tls_new(const struct tls_settings *s, struct tls **ret, struct err *e);
struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t); /* NULL-safe; the last one wipes the key */

bool tls_is_self_signed(const struct tls *t);
/** tls_expiry(t): when the served chain ends, in seconds since 1970. */
int64_t tls_expiry(const struct tls *t);
/** tls_crl_expiry(t): when the first revocation list is stale (from then on clients are refused),
 * 0 without any. */
int64_t tls_crl_expiry(const struct tls *t);
/** tls_sha256(t): fingerprint of the certificate, 64 hex digits. */
const char *tls_sha256(const struct tls *t);

/** tls_conn_new(t, send, receive, ctx, ret): about 35 KB; keeps a reference of ${t}. */
int tls_conn_new(struct tls *t, tls_send send, tls_receive receive, void *ctx,
                 struct tls_conn **ret);
void tls_conn_free(struct tls_conn *c); /* NULL-safe; sends nothing */

/**
 * tls_conn_new_client(config, name, send, receive, ctx, ret): the other end: ${config} must
 * outlive it; the peer's certificate has to be for ${name}.
 */
int tls_conn_new_client(const struct mbedtls_ssl_config *config, const char *name, tls_send send,
                        tls_receive receive, void *ctx, struct tls_conn **ret);
/** tls_conn_verdict(c): MBEDTLS_X509_BADCERT_* bits of the peer's certificate. */
uint32_t tls_conn_verdict(const struct tls_conn *c);

/*
 * All of these: -EAGAIN = wait until the socket is readable or writable (tls_conn_wants_write()),
 * then call again, a write with the very same bytes. After another error only tls_conn_free() is
 * of use (everything else answers -EIO): mbedTLS must not be called again.
 */
/** tls_conn_handshake(c): 0 when done; -EACCES: the client's certificate (or that it has none) is
 * refused: tls_conn_close_notify() then tells it why, by the alert, where one can be read. */
int tls_conn_handshake(struct tls_conn *c);
/** tls_conn_blamed(c): after a handshake that failed: for the certificate that was shown, and not
 * for the lack of one or anything else. */
bool tls_conn_blamed(const struct tls_conn *c);
/** tls_conn_read(c, data, bytes): 0 is the peer's end. With TLS_RECORD_BYTES of room nothing stays
 * behind in the library. */
ssize_t tls_conn_read(struct tls_conn *c, void *data, size_t bytes);
/** tls_conn_write(c, data, bytes): how many were taken, at most TLS_RECORD_BYTES. */
ssize_t tls_conn_write(struct tls_conn *c, const void *data, size_t bytes);
/** tls_conn_close_notify(c): 0 when sent. After -EACCES the alert with the reason. */
int tls_conn_close_notify(struct tls_conn *c);

/** tls_conn_peer(c): names of the verified client certificate; NULL when there is none. */
const struct auth_peer *tls_conn_peer(const struct tls_conn *c);
/** tls_conn_subject(c, out, out_bytes): the subject of the certificate that was shown, believed or
 * not, for the log; "" without. Returns ${out}. */
const char *tls_conn_subject(const struct tls_conn *c, char *out, size_t out_bytes);
/**
 * tls_conn_recheck(c, now, ret_why): is what the client showed still good by the settings ${now}?
 * A connection outlives a reload, and a revoked certificate must not live as long as it. Looks
 * again when the settings have changed or the verdict is TLS_RECHECK_MS old. 0, or -EACCES with
 * constant text.
 */
int tls_conn_recheck(struct tls_conn *c, struct tls *now, const char **ret_why);
bool tls_conn_wants_write(const struct tls_conn *c);
/** tls_conn_why(c, out, out_bytes): the last error's text, for the log. Returns ${out}. */
const char *tls_conn_why(const struct tls_conn *c, char *out, size_t out_bytes);

#endif
