/*
 * origin.h: whose profile is it? What an item says of the target, from what the guard and the
 * sampler tell.
 */
#ifndef SIDECAR_COLLECT_ORIGIN_H
#define SIDECAR_COLLECT_ORIGIN_H

#include "sidecar/item.h"
#include "sidecar/state.h"

/* One life of a target. */
struct origin {
    uint32_t generation;
    char runtime_id[ITEM_ID_BYTES];
};

/** origin_renew(o, st): another target? Then a new runtime_id; true. */
bool origin_renew(struct origin *o, const struct state *st);

/** origin_item(o, st, type, source, ret): everything but time, duration and seq; with a new id. */
int origin_item(const struct origin *o, const struct state *st, const char *type,
                const char *source, struct item *ret);

/** origin_backends(c, type): a bit for each backend of the configuration that wants such. */
uint32_t origin_backends(const struct config *c, const char *type);

#endif
