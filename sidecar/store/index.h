/*
 * index.h: which profiles wait for whom: 72 bytes a file, no names, no meta.
 *
 * In the order in which they were accepted, which is the order of their handles; after a start that
 * is the order of their times. A backend is a slot, a bit of the mask. Taking one out leaves a gap
 * that is closed when half of the array is gaps.
 */
#ifndef SIDECAR_STORE_INDEX_H
#define SIDECAR_STORE_INDEX_H

#include <stddef.h>

#include "sidecar/store/key.h"

enum {
    INDEX_SLOTS_MAX = 32, /* configured backends, and folders of those that were */
};

struct packed; /* store_priv.h */

struct index_entry {
    struct key key;
    uint64_t handle;       /* never 0, never used again */
    int64_t born_ms;       /* monotonic; it may lie before the boot */
    uint32_t bytes;        /* of the file */
    uint32_t mask;         /* slots it waits for; 0 with `keep` unset: gone */
    struct packed *memory; /* NULL: on disk only */
    bool on_disk;          /* in the folders of the mask */
    bool keep;             /* the history still wants it, from memory */
};

struct index {
    struct index_entry *entry;
    size_t count, cap, gaps;
    size_t first; /* before it there are only gaps */
    uint64_t last_handle;
    uint64_t bytes, profiles;
    uint64_t slot_bytes[INDEX_SLOTS_MAX], slot_count[INDEX_SLOTS_MAX];
    uint64_t slot_from[INDEX_SLOTS_MAX]; /* no handle below it has this slot's bit */
};

void index_release(struct index *ix); /* NULL-safe; what is in memory must have been taken out */

/** index_add(ix, e): a copy; its handle is made here and returned, 0: no memory. */
uint64_t index_add(struct index *ix, const struct index_entry *e);

/** index_find(ix, handle): NULL: gone. Valid until the next index_add() or index_clear(). */
struct index_entry *index_find(const struct index *ix, uint64_t handle);

/** index_first(ix): the oldest one of all. NULL: none. index_next(): the one behind ${handle}. */
struct index_entry *index_first(struct index *ix);
struct index_entry *index_next(const struct index *ix, uint64_t handle);

/** index_oldest(ix, slot, after): the oldest of this slot with a handle above ${after}. */
struct index_entry *index_oldest(struct index *ix, unsigned slot, uint64_t after);

/**
 * index_clear(ix, e, mask): it no longer waits for these; ${e} is gone when nobody is left and
 * `keep` is not set. ${e} is not valid any more either way.
 */
void index_clear(struct index *ix, struct index_entry *e, uint32_t mask);

#endif
