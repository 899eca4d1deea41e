#include "auth/cache.h"

#include <errno.h>
#include <sys/random.h>

#include <mbedtls/constant_time.h>
#include <mbedtls/sha256.h>

int cache_init(struct cache *c, size_t rows)
{
    memset(c, 0, sizeof(*c));
    c->rows = rows < CACHE_ROWS_MAX ? rows : CACHE_ROWS_MAX;
    return getrandom(c->seed, sizeof(c->seed), 0) == (ssize_t)sizeof(c->seed) ? 0 : -EIO;
}

static void clear(struct cache_row *row)
{
    if (row->text)
        explicit_bzero(row->text, strlen(row->text));
    free(row->text);
    memset(row, 0, sizeof(*row));
}

void cache_release(struct cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < CACHE_ROWS_MAX; i++)
        clear(&c->row[i]);
    explicit_bzero(c->seed, sizeof(c->seed));
}

int cache_key(const struct cache *c, const struct cache_part *parts, size_t n,
              uint8_t out[static CACHE_KEY_BYTES])
{
    mbedtls_sha256_context sha;
    int bad;

    mbedtls_sha256_init(&sha);
    bad = mbedtls_sha256_starts(&sha, 0) || mbedtls_sha256_update(&sha, c->seed, sizeof(c->seed));
    for (size_t i = 0; i < n && !bad; i++) {
        uint64_t count = parts[i].count;

        bad = mbedtls_sha256_update(&sha, (const unsigned char *)&count, sizeof(count)) ||
              mbedtls_sha256_update(&sha, parts[i].bytes, parts[i].count);
    }
    bad = bad || mbedtls_sha256_finish(&sha, out);
    mbedtls_sha256_free(&sha);
    return bad ? -EIO : 0;
}

struct cache_row *cache_find(struct cache *c, const uint8_t key[static CACHE_KEY_BYTES],
                             uint64_t now_ns)
{
    struct cache_row *found = NULL;

    for (size_t i = 0; i < c->rows; i++) {
        struct cache_row *row = &c->row[i];

        if (row->until_ns > now_ns && mbedtls_ct_memcmp(row->key, key, CACHE_KEY_BYTES) == 0)
            found = row;
    }
    return found;
}

/* A free row has until_ns 0, so it is always the first to end. */
struct cache_row *cache_put(struct cache *c, const uint8_t key[static CACHE_KEY_BYTES],
                            uint64_t now_ns, uint64_t until_ns)
{
    struct cache_row *row = cache_find(c, key, now_ns);

    if (!row) {
        row = &c->row[0];
        for (size_t i = 1; i < c->rows; i++) {
            if (c->row[i].until_ns < row->until_ns)
                row = &c->row[i];
        }
        clear(row);
        memcpy(row->key, key, CACHE_KEY_BYTES);
    }
    row->until_ns = until_ns;
    return row;
}

void cache_drop(struct cache *c, const uint8_t key[static CACHE_KEY_BYTES])
{
    for (size_t i = 0; i < c->rows; i++) {
        if (c->row[i].until_ns && memcmp(c->row[i].key, key, CACHE_KEY_BYTES) == 0)
            clear(&c->row[i]);
    }
}
