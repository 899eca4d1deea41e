/*
 * trust.h: whom a client believes, and how it proves who it is: mbedTLS's settings of the client's
 * side. TLS 1.2 and 1.3, AEAD suites with forward secrecy, ALPN "http/1.1", no session is ever
 * resumed. The peer's certificate is always verified: against the CA file that was named, else the
 * system's bundle, and for the host's name.
 *
 * The bundle (SSL_CERT_FILE, else the first of TRUST_BUNDLES) is read when it is first needed, and
 * once for all places: 140 roots are about a megabyte. It is read anew by trust_forget_bundle().
 */
#ifndef SIDECAR_CLIENT_TRUST_H
#define SIDECAR_CLIENT_TRUST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "config/config.h"

enum {
    TRUST_BUNDLE_MAX_BYTES = 4 * 1024 * 1024, /* CAs; Debian's bundle is 220 KB */
    TRUST_BUNDLES = 5,
};

struct trust;
struct mbedtls_ssl_config;

/**
 * trust_new(want, ret, e): reads the files of ${want} (NULL: none). One reference. A CA file must
 * hold one certificate that can be read; others in it that cannot are left out.
 */
int trust_new(const struct config_client_tls *want, struct trust **ret, struct err *e);
struct trust *trust_ref(struct trust *t);
void trust_unref(struct trust *t); /* NULL-safe; the last one wipes the key */

/** trust_config(t, ret, e): the settings for a handshake; may read the system's bundle. Valid as
 * long as ${t} is. */
int trust_config(struct trust *t, const struct mbedtls_ssl_config **ret, struct err *e);

/** trust_complaint(verdict, name, out, bytes): what is wrong with ${name}'s certificate, in
 * words. Returns ${out}; "" when nothing is. */
const char *trust_complaint(uint32_t verdict, const char *name, char *out, size_t bytes);

/** trust_bundle(i): where systems keep their CAs: SSL_CERT_FILE if set (i == 0), then the usual
 * places; NULL past the end. For the sandbox, too. */
const char *trust_bundle(size_t i);

/** trust_forget_bundle(): who needs the system's CAs next reads them anew (a reload). */
void trust_forget_bundle(void);

#endif
