/*
 * refusal.h: the log line for a client certificate that is refused: the alert has one word for the
 * client, who has to mend it needs the whole reason. At most one a REFUSAL_SAY_MS, with how many
 * were left out: strangers must not be able to fill the log.
 */
#ifndef SIDECAR_HTTP_REFUSAL_H
#define SIDECAR_HTTP_REFUSAL_H

#include <stdint.h>

#include "sidecar/http/tls.h"

enum {
    REFUSAL_SAY_MS = 1000,
};

struct refusal {
    uint64_t said_ns; /* when one was last logged */
    uint64_t unsaid;  /* since then */
};

/** refusal_say(r, tls, peer, why, now_ns): ${tls} has the certificate's subject. */
void refusal_say(struct refusal *r, const struct tls_conn *tls, const char *peer, const char *why,
                 uint64_t now_ns);

#endif
