#include "sampler/go/budget.h"

#include <errno.h>
#include <stddef.h>

#include "base/clock.h"

/* Known by its address: a reader who left is no error of the target's. */
static const char cancelled[] = "cancelled";

/*
 * What is asked last is what costs most to ask: a number, the clock, the caller (who may look at a
 * socket). The bytes are taken off before they are read, so that a read cannot pass the limit.
 */
bool budget_spend(struct go_budget *b, uint64_t bytes)
{
    if (b->why)
        return false;
    if (bytes > b->bytes_left)
        b->why = "the limit of bytes to read was reached";
    else if (clock_mono_ns() >= b->deadline_ns)
        b->why = "it took too long";
    else if (b->cancelled && b->cancelled(b->ctx))
        b->why = cancelled;
    if (b->why)
        return false;
    b->bytes_left -= bytes;
    return true;
}

int budget_error(const struct go_budget *b)
{
    return b->why == cancelled ? -ECANCELED : -ETIMEDOUT;
}
