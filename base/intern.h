/*
 * intern.h: byte strings to small dense numbers (0, 1, 2, … in order of first appearance).
 *
 * For string tables, stacks, label sets: anything that comes often and should be kept once. The
 * hash is keyed with random bytes, so that a hostile target cannot aim collisions. Bounded by
 * items and by bytes.
 */
#ifndef BASE_INTERN_H
#define BASE_INTERN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define INTERN_NONE UINT32_MAX

struct intern {
    struct intern_item *items;
    uint32_t *slots; /* id + 1, 0 = free; a power of two of them */
    uint32_t count;
    uint32_t items_cap;
    uint32_t slots_cap;
    uint32_t max_items;
    struct buf bytes;
    uint64_t key[2];
};

/** intern_init(t, max_items, max_bytes): empty; max_items < 2^31. */
void intern_init(struct intern *t, uint32_t max_items, size_t max_bytes);
void intern_release(struct intern *t);
/** intern_clear(t): forget everything, keep the memory. */
void intern_clear(struct intern *t);

/**
 * intern_put(t, data, bytes, ret_new): the number of these bytes, new or known; INTERN_NONE when a
 * bound is reached or there is no memory. ${ret_new} (may be NULL) is set to 1 when new.
 */
uint32_t intern_put(struct intern *t, const void *data, size_t bytes, int *ret_new);

/** intern_find(t, data, bytes): its number, or INTERN_NONE. */
uint32_t intern_find(const struct intern *t, const void *data, size_t bytes);

/**
 * intern_get(t, id, ret_bytes): the bytes (8-byte aligned), valid until the next intern_put;
 * ${id} must be < count.
 */
const void *intern_get(const struct intern *t, uint32_t id, size_t *ret_bytes);

/** intern_hash(key, data, bytes): SipHash-1-3 (Aumasson, Bernstein: SipHash, 2012). */
uint64_t intern_hash(const uint64_t key[static 2], const void *data, size_t bytes);

#endif
