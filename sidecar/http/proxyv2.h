/*
 * proxyv2.h: the header of the PROXY protocol, version 2, with which a load balancer says for whom
 * it connects (haproxy's doc/proxy-protocol.txt, 2.2). Bytes in; knows no socket and no clock.
 *
 * It is fed no more than proxyv2_wants() says, so that what stands behind the header stays where it
 * is: that is TLS's. Only the fixed part and the addresses are kept; type-length-values behind
 * them are skipped unread, their checksum (PP2_TYPE_CRC32C) too: TCP has its own, and who could
 * change the header could change the sum. Version 1, the text form, is refused.
 */
#ifndef SIDECAR_HTTP_PROXYV2_H
#define SIDECAR_HTTP_PROXYV2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROXYV2_FIXED_BYTES = 16,
    PROXYV2_KEPT_BYTES = PROXYV2_FIXED_BYTES + 36, /* and two IPv6 addresses with their ports */
    PROXYV2_MAX_BYTES = 1024, /* of what follows the fixed part; the balancers send some 100 */
};

struct proxyv2 {
    uint8_t bytes[PROXYV2_KEPT_BYTES];
    uint32_t have;  /* all bytes taken, kept or skipped */
    uint32_t total; /* of the header; PROXYV2_FIXED_BYTES until it is known */
};

/* What it said. */
struct proxyv2_source {
    bool named; /* false: LOCAL (the balancer's own check), or an address that is none of TCP */
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
};

/** proxyv2_init(p): nothing has come. */
void proxyv2_init(struct proxyv2 *p);

/** proxyv2_wants(p): so many bytes may be fed at most; 0 after the last, never before. */
size_t proxyv2_wants(const struct proxyv2 *p);

/**
 * proxyv2_feed(p, data, bytes): ${bytes} <= proxyv2_wants(). 0 complete, -EAGAIN more is wanted,
 * -EINVAL it is no such header: another protocol, version 1, an unknown command or family, UDP, too
 * short for its addresses, too long. After -EINVAL no more may be fed.
 */
int proxyv2_feed(struct proxyv2 *p, const void *data, size_t bytes);

/** proxyv2_result(p, ret): after 0. */
void proxyv2_result(const struct proxyv2 *p, struct proxyv2_source *ret);

#endif
