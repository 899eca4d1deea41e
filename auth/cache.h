/*
 * cache.h: a small table of what was found out a moment ago: whose credentials these were, or how
 * often somebody failed. Bounded in rows and in time.
 *
 * A key is SHA-256 over a random seed of this table and the parts, so that nothing secret is kept,
 * nobody outside can aim at a row, and two tables have no key in common. When all rows are taken,
 * the one that would end first goes. Looking up scans all rows (3 us for 256): no chains to attack.
 */
#ifndef AUTH_CACHE_H
#define AUTH_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

enum {
    CACHE_KEY_BYTES = 32,
    CACHE_SEED_BYTES = 32,
    CACHE_ROWS_MAX = 256,
    CACHE_PARTS_MAX = 4,
};

struct cache_row {
    uint8_t key[CACHE_KEY_BYTES];
    uint64_t until_ns;            /* monotonic; 0: free */
    uint64_t next_ns;             /* the owner's: not before then again */
    uint32_t count;               /* the owner's */
    char name[CONFIG_NAME_BYTES]; /* the owner's */
    char *text; /* the owner's, malloc(3)ed; freed (and wiped) with the row; NULL: none */
};

struct cache {
    uint8_t seed[CACHE_SEED_BYTES];
    size_t rows; /* in use at most; CACHE_ROWS_MAX or less */
    struct cache_row row[CACHE_ROWS_MAX];
};

/* One part of a key; its length is hashed too, so that parts cannot run into each other. */
struct cache_part {
    const void *bytes;
    size_t count;
};

/** cache_init(c, rows): empty; ${rows} is cut to CACHE_ROWS_MAX. 0, -EIO: no random numbers. */
int cache_init(struct cache *c, size_t rows);
void cache_release(struct cache *c); /* NULL-safe */

/** cache_key(c, parts, n, out): the key of these parts. 0 or -EIO (then nothing may be trusted). */
int cache_key(const struct cache *c, const struct cache_part *parts, size_t n,
              uint8_t out[static CACHE_KEY_BYTES]);

/** cache_find(c, key, now_ns): its row, or NULL: not there, or over. Valid until the next put. */
struct cache_row *cache_find(struct cache *c, const uint8_t key[static CACHE_KEY_BYTES],
                             uint64_t now_ns);

/**
 * cache_put(c, key, now_ns, until_ns): its row, made (zeroed) if there is none, to end at
 * ${until_ns}. Never NULL.
 */
struct cache_row *cache_put(struct cache *c, const uint8_t key[static CACHE_KEY_BYTES],
                            uint64_t now_ns, uint64_t until_ns);

/** cache_drop(c, key): forget it. */
void cache_drop(struct cache *c, const uint8_t key[static CACHE_KEY_BYTES]);

#endif
