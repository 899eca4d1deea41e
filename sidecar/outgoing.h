/*
 * outgoing.h: where the configuration lets us connect to: what the sandbox must leave open, and
 * nothing else. Ports, not addresses: that is what Landlock knows.
 */
#ifndef SIDECAR_OUTGOING_H
#define SIDECAR_OUTGOING_H

#include "base/sandbox.h"
#include "config/config.h"

struct outgoing {
    bool tcp, is_unix;
    uint16_t ports[SANDBOX_PORTS_MAX];
    size_t count;
};

/**
 * outgoing_of(c, ret): backends, the scraped endpoint, keys of token issuers, the Kubernetes API,
 * and the proxies of the environment in their stead. With TCP, port 53 is among the ports: DNS
 * takes it for answers that are too large for UDP. -E2BIG: more than SANDBOX_PORTS_MAX ports.
 */
int outgoing_of(const struct config *c, struct outgoing *ret);

/** outgoing_within(wide, narrow): does ${wide} leave open all that ${narrow} needs? */
bool outgoing_within(const struct outgoing *wide, const struct outgoing *narrow);

#endif
