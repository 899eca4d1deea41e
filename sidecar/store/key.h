/*
 * key.h: the name of a kept profile's file, in 32 bytes instead of 128: what the indexes of spool
 * and history hold of each file.
 *
 *     1763750000000000000-cpu-<32 hex>.plsp              in the spool
 *     1763750000000000000-cpu-<32 hex>-<8 hex>.plsp      in the history: with the version's mark
 *
 * Types are numbers of a table that only grows, so that a thread of the pool may print a key while
 * the loop's thread adds a type.
 */
#ifndef SIDECAR_STORE_KEY_H
#define SIDECAR_STORE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "sidecar/item.h"

enum {
    KEY_NAME_BYTES = 144, /* with its NUL */
    KEY_TYPES_MAX = 128,  /* more than can be configured */
};

struct key_types {
    char name[KEY_TYPES_MAX][ITEM_TYPE_BYTES];
    uint16_t count;
};

struct key {
    int64_t time_ns; /* >= 0 */
    uint8_t id[(ITEM_ID_BYTES - 1) / 2];
    uint32_t mark; /* key_mark() of the target's version; 0: unknown, or not told by the name */
    uint16_t type;
};

/** key_type(types, name, ret): the type's number. 0, -EINVAL (not [a-z0-9_]+), -E2BIG. */
int key_type(struct key_types *types, const char *name, uint16_t *ret);

/** key_of(types, item, ret): 0, -EINVAL (no valid id, type or time), -E2BIG (too many types). */
int key_of(struct key_types *types, const struct item *item, struct key *ret);

/**
 * key_parse(types, name, marked, ret): of a file's name, which may be anything. What it takes is
 * what key_print() with the same ${marked} gives, to the letter: else a file could be seen and not
 * be opened. Errors as key_of().
 */
int key_parse(struct key_types *types, const char *name, bool marked, struct key *ret);

/** key_print(types, k, marked, out): the file's name; ${marked}: as in the history. */
void key_print(const struct key_types *types, const struct key *k, bool marked,
               char out[static KEY_NAME_BYTES]);

/** key_id(k, out): the id as text. */
void key_id(const struct key *k, char out[static ITEM_ID_BYTES]);

/** key_is_of(types, k, item): is this the profile that the file's name tells? */
bool key_is_of(const struct key_types *types, const struct key *k, const struct item *item);

/** key_mark(version): a CRC that tells versions apart, never 0 but for "". */
uint32_t key_mark(const char *version);

/** key_compare(a, b): by time, then by id; for qsort(3) of what begins with a struct key. */
int key_compare(const void *a, const void *b);

#endif
