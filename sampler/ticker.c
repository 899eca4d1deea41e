#include "sampler/ticker.h"

#include "base/clock.h"

enum {
    TICKER_JITTER = 5, /* one part in so many, either way */
};

/* xorshift64 (Marsaglia 2003): no secret, only out of step with whatever the target does. */
static uint64_t draw(struct ticker *t)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random;
}

void ticker_start(struct ticker *t, uint32_t hz, uint64_t now_ns)
{
    t->period_ns = CLOCK_NS_PER_SEC / hz;
    t->random = now_ns | 1; /* never 0 */
    t->next_ns = now_ns + draw(t) % t->period_ns;
}

bool ticker_due(const struct ticker *t, uint64_t now_ns)
{
    return now_ns >= t->next_ns;
}

void ticker_next(struct ticker *t, uint64_t now_ns)
{
    uint64_t jitter = t->period_ns / TICKER_JITTER;
    uint64_t next = t->next_ns + t->period_ns - jitter + draw(t) % (2 * jitter + 1);

    /* behind by more than a period: begin anew */
    t->next_ns = next > now_ns ? next : now_ns + t->period_ns - jitter + draw(t) % (2 * jitter + 1);
}
