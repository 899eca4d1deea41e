#include "base/intern.h"

#include <assert.h>
#include <sys/random.h>

struct intern_item {
    uint64_t offset; /* into bytes */
    uint32_t bytes;
    uint32_t hash; /* low half: avoids most comparisons */
};

enum {
    INTERN_FIRST_SLOTS = 64,
};

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define SIPROUND()              \
    do {                        \
        v0 += v1;               \
        v1 = ROTL(v1, 13) ^ v0; \
        v0 = ROTL(v0, 32);      \
        v2 += v3;               \
        v3 = ROTL(v3, 16) ^ v2; \
        v0 += v3;               \
        v3 = ROTL(v3, 21) ^ v0; \
        v2 += v1;               \
        v1 = ROTL(v1, 17) ^ v2; \
        v2 = ROTL(v2, 32);      \
    } while (0)

uint64_t intern_hash(const uint64_t key[static 2], const void *data, size_t bytes)
{
    uint64_t v0 = UINT64_C(0x736f6d6570736575) ^ key[0];
    uint64_t v1 = UINT64_C(0x646f72616e646f6d) ^ key[1];
    uint64_t v2 = UINT64_C(0x6c7967656e657261) ^ key[0];
    uint64_t v3 = UINT64_C(0x7465646279746573) ^ key[1];
    const unsigned char *p = data;
    uint64_t m = 0;
    size_t i = 0;

    for (; i + 8 <= bytes; i += 8) {
        memcpy(&m, p + i, 8);
        v3 ^= m;
        SIPROUND();
        v0 ^= m;
    }
    m = (uint64_t)bytes << 56;
    for (unsigned shift = 0; i < bytes; i++, shift += 8)
        m |= (uint64_t)p[i] << shift;
    v3 ^= m;
    SIPROUND();
    v0 ^= m;
    v2 ^= 0xff;
    SIPROUND();
    SIPROUND();
    SIPROUND();
    return v0 ^ v1 ^ v2 ^ v3;
}

void intern_init(struct intern *t, uint32_t max_items, size_t max_bytes)
{
    *t = (struct intern){.max_items = max_items};
    buf_init(&t->bytes, max_bytes);
    if (getrandom(t->key, sizeof(t->key), GRND_NONBLOCK) != (ssize_t)sizeof(t->key))
        t->key[0] = (uint64_t)(uintptr_t)t; /* early boot: the address is better than nothing */
}

void intern_release(struct intern *t)
{
    if (!t)
        return;
    free(t->items);
    free(t->slots);
    buf_release(&t->bytes);
    t->items = NULL;
    t->slots = NULL;
    t->count = t->items_cap = t->slots_cap = 0;
}

void intern_clear(struct intern *t)
{
    t->count = 0;
    buf_clear(&t->bytes);
    if (t->slots)
        memset(t->slots, 0, t->slots_cap * sizeof(t->slots[0]));
}

/* The slot that holds these bytes, or the free one where they would go. */
static uint32_t probe(const struct intern *t, const void *data, size_t bytes, uint64_t hash)
{
    uint32_t mask = t->slots_cap - 1;
    uint32_t i = (uint32_t)hash & mask;

    for (; t->slots[i]; i = (i + 1) & mask) {
        const struct intern_item *it = &t->items[t->slots[i] - 1];

        if (it->hash == (uint32_t)(hash >> 32) && it->bytes == bytes &&
            (bytes == 0 || memcmp(t->bytes.data + it->offset, data, bytes) == 0))
            break;
    }
    return i;
}

static int grow_slots(struct intern *t)
{
    uint32_t cap = t->slots_cap ? t->slots_cap * 2 : INTERN_FIRST_SLOTS;
    uint32_t *slots;

    assert(cap > t->slots_cap);
    slots = calloc(cap, sizeof(*slots));
    if (!slots)
        return -1;
    free(t->slots);
    t->slots = slots;
    t->slots_cap = cap;
    for (uint32_t id = 0; id < t->count; id++) {
        const struct intern_item *it = &t->items[id];
        uint64_t hash = intern_hash(t->key, t->bytes.data + it->offset, it->bytes);
        uint32_t i = (uint32_t)hash & (cap - 1);

        while (t->slots[i])
            i = (i + 1) & (cap - 1);
        t->slots[i] = id + 1;
    }
    return 0;
}

static int grow_items(struct intern *t)
{
    uint32_t cap = t->items_cap ? t->items_cap * 2 : 32;
    struct intern_item *p = realloc(t->items, cap * sizeof(*p));

    if (!p)
        return -1;
    t->items = p;
    t->items_cap = cap;
    return 0;
}

uint32_t intern_put(struct intern *t, const void *data, size_t bytes, int *ret_new)
{
    static const unsigned char zeros[8];
    uint64_t hash = intern_hash(t->key, data, bytes);
    uint32_t slot;

    if (ret_new)
        *ret_new = 0;
    if (t->count * 2 >= t->slots_cap && grow_slots(t) != 0)
        return INTERN_NONE;
    slot = probe(t, data, bytes, hash);
    if (t->slots[slot])
        return t->slots[slot] - 1;
    if (t->count >= t->max_items || bytes > UINT32_MAX)
        return INTERN_NONE;
    if (t->count == t->items_cap && grow_items(t) != 0)
        return INTERN_NONE;
    if (!buf_reserve(&t->bytes, bytes + 8)) {
        t->bytes.failed = false; /* full: known strings are still found */
        return INTERN_NONE;
    }
    t->items[t->count] =
        (struct intern_item){t->bytes.len, (uint32_t)bytes, (uint32_t)(hash >> 32)};
    buf_put(&t->bytes, data, bytes);
    buf_put(&t->bytes, zeros, (8 - t->bytes.len % 8) % 8);
    t->slots[slot] = ++t->count;
    if (ret_new)
        *ret_new = 1;
    return t->count - 1;
}

uint32_t intern_find(const struct intern *t, const void *data, size_t bytes)
{
    uint32_t slot;

    if (t->slots_cap == 0)
        return INTERN_NONE;
    slot = probe(t, data, bytes, intern_hash(t->key, data, bytes));
    return t->slots[slot] ? t->slots[slot] - 1 : INTERN_NONE;
}

const void *intern_get(const struct intern *t, uint32_t id, size_t *ret_bytes)
{
    static const uint64_t nothing;

    assert(id < t->count);
    *ret_bytes = t->items[id].bytes;
    return t->bytes.data ? t->bytes.data + t->items[id].offset : (const void *)&nothing;
}
