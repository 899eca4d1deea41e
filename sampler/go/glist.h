/*
 * glist.h: runtime.allgs: the addresses of all goroutines there have ever been at once. The list
 * only grows; the structures of dead ones are used again.
 */
#ifndef SAMPLER_GO_GLIST_H
#define SAMPLER_GO_GLIST_H

#include "sampler/go/budget.h"
#include "sampler/go/runtime.h"

enum {
    GLIST_TRIES = 3, /* the array moves when it grows */
};

struct glist {
    uint64_t *g;
    uint64_t count;
};

/**
 * glist_read(rt, budget, ret, e): 0; -ENOTSUP (allgs was not found), -EBADMSG (it cannot be such a
 * list: its length, its addresses, an address twice), -EAGAIN (it would not hold still), -ENOMEM,
 * -ETIMEDOUT (budget), or -errno of the target.
 */
int glist_read(struct go_runtime *rt, struct go_budget *budget, struct glist *ret, struct err *e);
void glist_release(struct glist *l);

/**
 * glist_still(rt, l, e): is it still that program's list? -EBADMSG when it has become shorter,
 * which no Go program's does: another program is there by now, or it lies.
 */
int glist_still(struct go_runtime *rt, const struct glist *l, struct err *e);

#endif
