#include "sampler/go/budget.h"

#include <errno.h>
#include <stddef.h>

#include "base/clock.h"

static const char cancelled[] = "cancelled";

/* What is asked last is what costs most to ask. */
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
