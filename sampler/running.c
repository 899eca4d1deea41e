#include "sampler/running.h"

#include <stddef.h>

void running_note(struct running *r, const struct running_row *row)
{
    r->rows[row->tid % RUNNING_ROWS] = *row;
}

const struct running_row *running_find(const struct running *r, uint32_t tid, const struct gview *v,
                                       uint64_t oldest_ns)
{
    const struct running_row *row = &r->rows[tid % RUNNING_ROWS];

    if (tid == 0 || row->tid != tid || row->time_ns < oldest_ns || row->g != v->address)
        return NULL;
    /* on its own stack: not on the thread's system stack, and not in a signal handler */
    return row->sp > v->lo && row->sp <= v->hi ? row : NULL;
}
