/*
 * base64.h: base64 (RFC 4648, 4) for the Basic scheme and its URL form for tokens: strict
 * decoding, and encoding.
 */
#ifndef AUTH_BASE64_H
#define AUTH_BASE64_H

#include <stddef.h>

/**
 * auth_base64_decode(in, bytes, out, out_bytes, ret_bytes): only the canonical form is taken: whole
 * groups of four, right padding, unused bits zero, no white space. 0, -EINVAL, -ENOSPC. ${out} may
 * hold garbage after a failure.
 */
int auth_base64_decode(const char *in, size_t bytes, unsigned char *out, size_t out_bytes,
                       size_t *ret_bytes);

/**
 * auth_base64url_decode(in, bytes, out, out_bytes, ret_bytes): the URL alphabet without padding
 * (RFC 7515, 2), as strictly: no "=", no white space, unused bits zero, not empty. 0, -EINVAL,
 * -ENOSPC.
 */
int auth_base64url_decode(const char *in, size_t bytes, unsigned char *out, size_t out_bytes,
                          size_t *ret_bytes);

/** auth_base64_encode(in, bytes, out, out_bytes): with padding and a NUL. 0 or -ENOSPC. */
int auth_base64_encode(const void *in, size_t bytes, char *out, size_t out_bytes);

#endif
