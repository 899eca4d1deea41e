/*
 * forwarded.h: for whom does a proxy ask? The value of X-Forwarded-For, to which each proxy on the
 * way adds the address that it was asked from, at the right end.
 *
 * Whatever stands left of the first address that is not one of our proxies was written by that
 * address, so it may be anything: the rightmost one that is not trusted counts. `Forwarded`
 * (RFC 7239) is not read: a proxy that appends to the one and passes the other on would let its
 * clients choose their address.
 */
#ifndef SIDECAR_HTTP_FORWARDED_H
#define SIDECAR_HTTP_FORWARDED_H

#include <stdint.h>

#include "config/config.h"

enum {
    FORWARDED_MAX_BYTES = 1024, /* of all headers of that name, joined */
    FORWARDED_MAX = 32,         /* addresses */
};

/**
 * forwarded_client(list, trusted, count, ret): ${list} is what the headers said, joined by commas
 * in their order. Each entry is an IPv4 or IPv6 address, the latter with or without brackets, with
 * or without a port (which is ignored). All of them trusted: the leftmost counts. 0, or -EINVAL
 * for a list that is empty, too long, or has an entry that is no address.
 */
int forwarded_client(const char *list, const struct config_cidr *trusted, size_t count,
                     uint8_t ret[static 16]);

#endif
