/*
 * penalty.h: addresses that showed wrong credentials again and again, or broke off handshakes, have
 * to wait. Pure bookkeeping: no socket, the clock is an argument; modelled on OpenSSH's
 * PerSourcePenalties (sshd_config(5)).
 *
 * A failure has a weight. What PENALTY_FREE wrong credentials weigh costs nothing. What is more
 * makes the address wait: PENALTY_STEP_MS for the weight of one of them, at most PENALTY_MAX_MS.
 * Failures are forgotten when an address has been quiet for PENALTY_FORGET_MS after its last
 * failure or the end of its wait, and at once when it shows valid credentials. An address is an
 * IPv4 address or the /64 of an IPv6 one (limits.h).
 *
 * A handshake that comes to nothing weighs a tenth: most are no attack but somebody who does not
 * know our certificate, and behind NAT there are many of those.
 *
 * Loopback is everybody who has a shell, a forwarded port or a container of this Pod: whoever
 * guesses there must not be able to lock the operator out who comes by the same address. So wrong
 * credentials cost nothing up to PENALTY_LOOPBACK_FREE, and never more than PENALTY_LOOPBACK_MS;
 * handshakes cost nothing.
 *
 * The same table remembers who has shown valid credentials lately: under a flood of strangers those
 * come first (limits.h). It has a fixed size; where it is full, the entry that matters least is
 * overwritten, and places are chosen by a secret, so that nobody can aim at the entry of another.
 */
#ifndef SIDECAR_HTTP_PENALTY_H
#define SIDECAR_HTTP_PENALTY_H

#include <stdbool.h>
#include <stdint.h>

#include "sidecar/http/limits.h"

enum {
    PENALTY_SETS = 512, /* a power of two */
    PENALTY_WAYS = 8,   /* 4096 addresses in all, 224 KiB */
    PENALTY_FREE = 3,   /* wrong credentials; ten times as many handshakes */
    PENALTY_STEP_MS = 5000,
    PENALTY_MAX_MS = 600000,
    PENALTY_FORGET_MS = 60000,
    PENALTY_LOOPBACK_FREE = 100,
    PENALTY_LOOPBACK_MS = 1000,
    PENALTY_KNOWN_MS = 600000, /* so long valid credentials make an address a known one */
};

/* What failed, as its weight. */
enum penalty_weight {
    PENALTY_HANDSHAKE = 1,    /* it failed or was given up, or no certificate was shown */
    PENALTY_CREDENTIALS = 10, /* a token, a password, a certificate that is refused; a dear one */
};

struct penalty; /* opaque */

/** penalty_new(ret): an empty table. 0 or -ENOMEM. */
int penalty_new(struct penalty **ret);
void penalty_free(struct penalty *t); /* NULL-safe */

/** penalty_failed(t, key, weight, now_ns): a failure from there; uncounted keys are ignored. */
void penalty_failed(struct penalty *t, const struct limits_key *key, enum penalty_weight weight,
                    uint64_t now_ns);
/** penalty_passed(t, key, now_ns): valid ones: all is forgiven, and the address is known. */
void penalty_passed(struct penalty *t, const struct limits_key *key, uint64_t now_ns);

/** penalty_left_ms(t, key, now_ns): how long it still has to wait, 0: not at all. */
uint64_t penalty_left_ms(const struct penalty *t, const struct limits_key *key, uint64_t now_ns);
/** penalty_known(t, key, now_ns): valid credentials came from there lately. */
bool penalty_known(const struct penalty *t, const struct limits_key *key, uint64_t now_ns);

#endif
