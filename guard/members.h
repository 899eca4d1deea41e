/*
 * members.h: the processes of one target (target.all) that the guard holds beside the first one,
 * each by its own pidfd and start time, with a generation of its own from the same count. What the
 * sampler may ask about is what is held here; it names generations, never a pid.
 *
 * Nothing looks for them by itself: whoever wants to know asks, and a look through /proc is made if
 * the one before is old enough.
 */
#ifndef GUARD_MEMBERS_H
#define GUARD_MEMBERS_H

#include "guard/find.h"
#include "guard/target.h"

enum {
    GUARD_MEMBERS_MIN_MS = 50, /* between two looks */
    GUARD_MEMBERS_SHARE = 20,  /* …and a look may take one part in this of the time */
};

struct guard_members {
    struct target *first;
    uint32_t missed;                           /* found beyond WIRE_MEMBERS_MAX */
    uint64_t again_ns;                         /* no look before this */
    struct wire_members known;                 /* of the last look, row 0 the first one */
    struct target other[WIRE_MEMBERS_MAX - 1]; /* pidfd -1: a free place */
};

/** guard_members_init(m, first): nobody beside ${first}, which must not move. */
void guard_members_init(struct guard_members *m, struct target *first);

/** guard_members_release(m): let all of them go, as when the first one has gone; NULL-safe. */
void guard_members_release(struct guard_members *m);

/** guard_members_due(m): may there be a look now? */
bool guard_members_due(const struct guard_members *m);

/**
 * guard_members_take(m, found): hold who was found beside the first one, let go who was not. True:
 * somebody came or went.
 */
bool guard_members_take(struct guard_members *m, const struct find *found);

/** guard_members_rest(m, cost_ns): a look has just taken so long; when may the next one be? */
void guard_members_rest(struct guard_members *m, uint64_t cost_ns);

/** guard_members_of(m, generation): the first one or another that has it and runs; NULL: none. */
struct target *guard_members_of(struct guard_members *m, uint32_t generation);

/** guard_members_doing(m): the one that lets its reader wait (relief.h), NULL: none of them. */
struct target *guard_members_doing(struct guard_members *m);

#endif
