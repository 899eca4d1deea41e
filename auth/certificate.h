/*
 * certificate.h: whose certificate is it? The names of a verified one against auth.certificates.
 */
#ifndef AUTH_CERTIFICATE_H
#define AUTH_CERTIFICATE_H

#include "auth/auth.h"

/**
 * auth_certificate_find(list, count, peer): index of the first entry that one of the peer's names
 * fits, or -ENOENT. In the order of the list, so that a narrow entry can stand before a wide one.
 * A peer that is not verified fits nothing.
 */
int auth_certificate_find(const struct config_certificate *list, size_t count,
                          const struct auth_peer *peer);

/**
 * auth_certificate_uri_fits(pattern, uri): equal byte for byte; or, when the pattern ends in a
 * slash and a star, one or more whole path segments stand where the star is. Such a segment is not
 * empty, is neither "." nor "..", and has neither "%" nor "?" nor "#": what another reader could
 * take for a different path fits no pattern. The pattern's own part must reach beyond the host.
 */
bool auth_certificate_uri_fits(const char *pattern, const char *uri);

#endif
