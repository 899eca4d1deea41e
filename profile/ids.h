/*
 * ids.h: the ids of a profile that is read (any 64-bit numbers but 0, each once) to our own dense
 * ones. The table is keyed with random bytes (base/intern.h), so a file cannot aim collisions.
 */
#ifndef PROFILE_IDS_H
#define PROFILE_IDS_H

#include <stdint.h>

#include "base/err.h"
#include "base/intern.h"

struct ids {
    struct intern seen;
    uint32_t *ours;   /* by number in seen */
    size_t cap;       /* of ours, in items */
    const char *what; /* "location", for the error texts; not owned */
};

/** ids_init(t, what, max): empty, for at most ${max} ids. */
void ids_init(struct ids *t, const char *what, uint32_t max);
/** ids_release(t): free; usable again only after ids_init(). */
void ids_release(struct ids *t);

/** ids_add(t, id, ours, e): 0; -EBADMSG (0, or seen before), -E2BIG, -ENOMEM. */
int ids_add(struct ids *t, uint64_t id, uint32_t ours, struct err *e);

/** ids_find(t, id, ret, e): our number for it, or -EBADMSG. */
int ids_find(const struct ids *t, uint64_t id, uint32_t *ret, struct err *e);

#endif
