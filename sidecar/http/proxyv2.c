/*
 * Layout (doc/proxy-protocol.txt 2.2): 12 bytes of signature, version and command, family and
 * transport, length of the rest (big-endian); then source address, destination address, source
 * port, destination port. Judged as soon as the bytes are there: a peer that speaks something else
 * is told apart by its first byte.
 */
#include "sidecar/http/proxyv2.h"

#include <errno.h>
#include <string.h>

enum {
    AT_COMMAND = 12,
    AT_FAMILY = 13,
    AT_LENGTH = 14,
    AT_SOURCE = PROXYV2_FIXED_BYTES,
    VERSION_LOCAL = 0x20, /* version 2 in the upper half */
    VERSION_PROXY = 0x21,
    FAMILY_UNSPEC = 0x00,
    FAMILY_TCP4 = 0x11,
    FAMILY_TCP6 = 0x21,
    FAMILY_UNIX = 0x31, /* the balancer's client came by a unix stream socket */
    TCP4_BYTES = 12,
    TCP6_BYTES = 36,
    UNIX_BYTES = 216,
};

static const uint8_t SIGNATURE[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

void proxyv2_init(struct proxyv2 *p)
{
    *p = (struct proxyv2){.total = PROXYV2_FIXED_BYTES};
}

size_t proxyv2_wants(const struct proxyv2 *p)
{
    return p->total - p->have;
}

/* The fixed part is there: how many bytes follow? -EINVAL when it makes no sense. */
static int judge_fixed(struct proxyv2 *p)
{
    uint32_t length = (uint32_t)p->bytes[AT_LENGTH] << 8 | p->bytes[AT_LENGTH + 1];
    uint32_t least;

    if (p->bytes[AT_COMMAND] != VERSION_LOCAL && p->bytes[AT_COMMAND] != VERSION_PROXY)
        return -EINVAL;
    if (length > PROXYV2_MAX_BYTES)
        return -EINVAL;
    p->total = PROXYV2_FIXED_BYTES + length;
    if (p->bytes[AT_COMMAND] == VERSION_LOCAL)
        return 0; /* 2.2: the receiver must discard the protocol block, its family too */
    switch (p->bytes[AT_FAMILY]) {
    case FAMILY_UNSPEC:
        least = 0;
        break;
    case FAMILY_TCP4:
        least = TCP4_BYTES;
        break;
    case FAMILY_TCP6:
        least = TCP6_BYTES;
        break;
    case FAMILY_UNIX:
        least = UNIX_BYTES;
        break;
    default:
        return -EINVAL; /* datagrams, or a family that is not in the text */
    }
    return length < least ? -EINVAL : 0;
}

static void keep(struct proxyv2 *p, const uint8_t *data, size_t bytes)
{
    size_t room = p->have < PROXYV2_KEPT_BYTES ? PROXYV2_KEPT_BYTES - p->have : 0;

    memcpy(p->bytes + (PROXYV2_KEPT_BYTES - room), data, bytes < room ? bytes : room);
    p->have += (uint32_t)bytes;
}

int proxyv2_feed(struct proxyv2 *p, const void *data, size_t bytes)
{
    bool fixed_before = p->have >= PROXYV2_FIXED_BYTES;
    size_t seen;

    if (bytes > proxyv2_wants(p))
        return -EINVAL;
    keep(p, data, bytes);
    seen = p->have < sizeof(SIGNATURE) ? p->have : sizeof(SIGNATURE);
    if (memcmp(p->bytes, SIGNATURE, seen) != 0)
        return -EINVAL;
    if (p->have < PROXYV2_FIXED_BYTES)
        return -EAGAIN;
    if (!fixed_before && judge_fixed(p))
        return -EINVAL;
    return p->have == p->total ? 0 : -EAGAIN;
}

void proxyv2_result(const struct proxyv2 *p, struct proxyv2_source *ret)
{
    const uint8_t *at = p->bytes + AT_SOURCE;
    bool v6 = p->bytes[AT_FAMILY] == FAMILY_TCP6;
    const uint8_t *port = at + (v6 ? 32 : 8); /* behind both addresses */

    *ret = (struct proxyv2_source){.named = false};
    if (p->bytes[AT_COMMAND] != VERSION_PROXY || (!v6 && p->bytes[AT_FAMILY] != FAMILY_TCP4))
        return;
    ret->named = true;
    if (v6) {
        memcpy(ret->address, at, 16);
    } else {
        ret->address[10] = ret->address[11] = 0xff;
        memcpy(ret->address + 12, at, 4);
    }
    ret->port = (uint16_t)(port[0] << 8 | port[1]);
}
