/*
 * tls.h: everything that touches mbedTLS (3.6 LTS; nothing used here is gone in 4.x except the
 * explicit random generators). One struct tls is a certificate with its settings; it is counted,
 * because connections keep theirs when a reload brings a new one.
 *
 * TLS 1.2 and 1.3, AEAD suites with forward secrecy only, ALPN "http/1.1" only (a client that
 * insists on h2 is refused in the handshake), no tickets, no renegotiation, no early data. The
 * private key never leaves this file.
 */
#ifndef SIDECAR_HTTP_TLS_H
#define SIDECAR_HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "sidecar/http/host.h"

enum {
    TLS_FILE_MAX_BYTES = 256 * 1024, /* certificate chain or key */
    TLS_NAMES_MAX = 64,              /* subject alternative names of a self-signed one */
    TLS_RECORD_BYTES = 16384,        /* plaintext of one record (RFC 8446 5.1) */
    TLS_SHA256_HEX_BYTES = 65,
};

struct tls;
struct tls_conn;

/* The bytes below: 0 is the end (receive only), -EAGAIN not now, another -errno broken. */
typedef ssize_t (*tls_send)(void *ctx, const void *data, size_t bytes);
typedef ssize_t (*tls_receive)(void *ctx, void *data, size_t bytes);

/**
 * tls_new(certificate, key, names, count, ret, e): PEM files; or, when ${certificate} is "", a
 * self-signed ECDSA P-256 one for ${names}, valid for a year. One reference.
 */
int tls_new(const char *certificate, const char *key, const struct host *names, size_t count,
            struct tls **ret, struct err *e);
struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t); /* NULL-safe; the last one wipes the key */

bool tls_is_self_signed(const struct tls *t);
/** tls_expiry(t): notAfter in seconds since 1970. */
int64_t tls_expiry(const struct tls *t);
/** tls_sha256(t): fingerprint of the certificate, 64 hex digits. */
const char *tls_sha256(const struct tls *t);

/** tls_conn_new(t, send, receive, ctx, ret): about 35 KB; keeps a reference of ${t}. */
int tls_conn_new(struct tls *t, tls_send send, tls_receive receive, void *ctx,
                 struct tls_conn **ret);
void tls_conn_free(struct tls_conn *c); /* NULL-safe; sends nothing */

/*
 * All of these: -EAGAIN = wait until the socket is readable or writable (tls_conn_wants_write()),
 * then call again, a write with the very same bytes. After another error only tls_conn_free() is
 * of use (everything else answers -EIO): mbedTLS must not be called again.
 */
/** tls_conn_handshake(c): 0 when done. */
int tls_conn_handshake(struct tls_conn *c);
/** tls_conn_read(c, data, bytes): 0 is the peer's end. With TLS_RECORD_BYTES of room nothing stays
 * behind in the library. */
ssize_t tls_conn_read(struct tls_conn *c, void *data, size_t bytes);
/** tls_conn_write(c, data, bytes): how many were taken, at most TLS_RECORD_BYTES. */
ssize_t tls_conn_write(struct tls_conn *c, const void *data, size_t bytes);
/** tls_conn_close_notify(c): 0 when sent. */
int tls_conn_close_notify(struct tls_conn *c);
bool tls_conn_wants_write(const struct tls_conn *c);
/** tls_conn_why(c, out, out_bytes): the last error's text, for the log. Returns ${out}. */
const char *tls_conn_why(const struct tls_conn *c, char *out, size_t out_bytes);

#endif
