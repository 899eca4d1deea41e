/*
 * family.h: target.all: the processes beside the first one, as the sampler understands them: who
 * there is, by pid and generation, and a scene of each that was seen to run. Scenes are kept
 * between profiles as long as the guard holds the process; a recording that uses one keeps it
 * longer.
 *
 * The guard is asked who there is when a sample comes from an unknown process, so a worker that is
 * forked while a profile runs is known within one drain of the rings.
 */
#ifndef SAMPLER_FAMILY_H
#define SAMPLER_FAMILY_H

#include "sampler/recording.h"
#include "sampler/source.h"

enum {
    FAMILY_ASK_MS = 20, /* between two questions to the guard */
};

/* One process, or what it was before an exec. */
struct kin {
    struct source source;
    struct scene scene; /* space NULL: it cannot be read, see why */
    struct err why;
    uint32_t pid;
    uint32_t users; /* parts of recordings */
    bool kept;      /* still in the family's list */
};

struct family {
    struct wire_members members; /* as of the last answer */
    uint64_t asked_ns;
    struct kin *kin[WIRE_MEMBERS_MAX];
};

/** family_look(f, guard): ask who there is, unless that was just done. 0 or -errno (guard gone). */
int family_look(struct family *f, struct ask_guard *guard);

/** family_member(f, pid): its row, NULL: not known. */
const struct wire_member *family_member(const struct family *f, uint32_t pid);

/**
 * family_take(f, first, row): the scene of this member as it is now, which the caller uses until
 * family_leave(); made when it is the first time, beside that of the first process. NULL without
 * memory.
 */
struct kin *family_take(struct family *f, const struct scene *first, const struct wire_member *row);
void family_leave(struct kin *k); /* NULL-safe */

/** family_replaced(f, k): it has called exec: whoever takes it from now on gets another scene. */
void family_replaced(struct family *f, struct kin *k);

/** family_trim(f): no recording runs: give memory back, forget those that are no members. */
void family_trim(struct family *f);

/** family_clear(f): forget all; those in use stay until they are left. */
void family_clear(struct family *f);

#endif
