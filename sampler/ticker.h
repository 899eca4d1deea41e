/*
 * ticker.h: when to sample next, where no kernel timer does it: each period its length ± a fifth,
 * so that nothing aliases (session.h tells why). Late ticks are not made up for: a sample weighs
 * the time that it stands for.
 */
#ifndef SAMPLER_TICKER_H
#define SAMPLER_TICKER_H

#include <stdbool.h>
#include <stdint.h>

struct ticker {
    uint64_t period_ns, next_ns;
    uint64_t random; /* state of a xorshift64 */
};

/** ticker_start(t, hz, now_ns): the first one is due within a period. ${hz} > 0. */
void ticker_start(struct ticker *t, uint32_t hz, uint64_t now_ns);

bool ticker_due(const struct ticker *t, uint64_t now_ns);

/** ticker_next(t, now_ns): one has been made; when is the next? */
void ticker_next(struct ticker *t, uint64_t now_ns);

#endif
