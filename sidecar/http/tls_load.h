/*
 * tls_load.h: what the files of the TLS settings have in common: reading them whole and bounded,
 * wiping them, and saying what is wrong with them.
 */
#ifndef SIDECAR_HTTP_TLS_LOAD_H
#define SIDECAR_HTTP_TLS_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include <mbedtls/x509.h>

#include "base/err.h"

/**
 * tls_load_file(path, max_bytes, ret, ret_bytes, e): a whole regular file with a NUL after it,
 * which
 * ${ret_bytes} does not count (mbedTLS wants it for PEM). Give it to tls_load_wipe().
 */
int tls_load_file(const char *path, size_t max_bytes, unsigned char **ret, size_t *ret_bytes,
                  struct err *e);

/** tls_load_wipe(data, bytes): clear and free; NULL-safe. */
void tls_load_wipe(unsigned char *data, size_t bytes);

/** tls_load_failed(e, mbed, what): mbedTLS's error as -EINVAL with "what: its text (-0x1234)". */
int tls_load_failed(struct err *e, int mbed, const char *what);

/** tls_load_time(t): seconds since 1970. */
int64_t tls_load_time(const mbedtls_x509_time *t);

#endif
