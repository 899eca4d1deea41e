#include "sampler/go/labelset.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum {
    WORD_BYTES = 8,
    STRING_BYTES = 16, /* a string header: data, len */
    SLICE_LEN = 8,     /* a slice header: data, len, cap */
    SLICE_CAP = 16,
    SLICE_BYTES = 24,
    /* runtime/map.go, Go 1.18 to 1.23: bmap of a map[string]string */
    SLOTS = 8, /* bucketCnt */
    SLOT_KEYS = 8,
    SLOT_VALUES = SLOT_KEYS + SLOTS * STRING_BYTES,
    SLOT_OVERFLOW = SLOT_VALUES + SLOTS * STRING_BYTES,
    BUCKET_BYTES = SLOT_OVERFLOW + WORD_BYTES,
    TOPHASH_MIN = 5,    /* minTopHash: below are empty and evacuated slots */
    SAME_SIZE_GROW = 8, /* hmap.flags */
    /* the most pieces of one set: header, array, the buckets one by one, two strings a label */
    PIECES_MAX = 4 + LABELSET_BUCKETS_MAX + 2 * LABELS_MAX,
    UTF8_MAX_BYTES = 4,
    SET_MAX_BYTES = LABELS_MAX * (LABELS_KEY_MAX_BYTES + LABELS_VALUE_MAX_BYTES + 2),
};

#define ADDRESS_MIN UINT64_C(4096)
#define ADDRESS_END (UINT64_C(1) << 47)
/* A string above this is no label but a wild length (it would be most of a target's memory). */
#define STRING_MAX_BYTES (UINT64_C(1) << 32)

/* Bytes of the target that belong to a set, and where their copy is. */
struct piece {
    uint64_t address;
    uint32_t bytes, at;
};

/* One label: first where its strings are, then their copies. */
struct label {
    uint64_t key, key_len, value, value_len;
    const uint8_t *key_copy, *value_copy;
    uint32_t key_bytes, value_bytes;
};

/* A set that was read before. One allocation behind pieces: pieces, copy, set. */
struct known {
    uint64_t pointer; /* 0: free */
    struct piece *pieces;
    uint8_t *copy, *set;
    uint32_t piece_count, copy_bytes, set_bytes;
    size_t all_bytes;
};

struct labelset {
    const struct target *target;
    const struct go_layout *layout;
    size_t piece_count, used; /* of pieces, of copy */
    struct piece pieces[PIECES_MAX];
    struct target_range ranges[PIECES_MAX + 1];
    size_t label_count;
    struct label labels[LABELS_MAX];
    size_t cache_bytes;
    struct known cache[LABELSET_CACHE_SETS];
    uint8_t set[SET_MAX_BYTES];
    uint8_t copy[LABELSET_COPY_MAX_BYTES];
};

static bool address_is_sane(uint64_t a)
{
    return a >= ADDRESS_MIN && a < ADDRESS_END;
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* ---- Pieces: what of the target a set consists of. */

/* A piece and its place in the copy. Places are aligned, so that words in it can be read. */
static int piece_add(struct labelset *s, uint64_t address, uint64_t bytes)
{
    if (!address_is_sane(address) || bytes > ADDRESS_END - address)
        return -EBADMSG;
    if (s->piece_count == PIECES_MAX || bytes > sizeof(s->copy) - s->used)
        return -E2BIG;
    s->pieces[s->piece_count++] =
        (struct piece){.address = address, .bytes = (uint32_t)bytes, .at = (uint32_t)s->used};
    s->used += (bytes + WORD_BYTES - 1) / WORD_BYTES * WORD_BYTES;
    if (s->used > sizeof(s->copy))
        s->used = sizeof(s->copy);
    return 0;
}

/* Read pieces into the copy, in one go, and ${last} behind them. */
static int fetch(struct labelset *s, const struct piece *pieces, size_t count,
                 struct target_range *last)
{
    size_t n = 0;
    int r;

    for (size_t i = 0; i < count; i++)
        s->ranges[n++] = (struct target_range){
            .address = pieces[i].address, .out = s->copy + pieces[i].at, .bytes = pieces[i].bytes};
    if (last)
        s->ranges[n++] = *last;
    if (n == 0)
        return 0;
    r = s->target->ops->readv(s->target->ctx, s->ranges, n);
    if (r != 0)
        return r;
    if (last)
        last->got = s->ranges[--n].got;
    for (size_t i = 0; i < n; i++) {
        if (s->ranges[i].got != s->ranges[i].bytes)
            return -EFAULT;
    }
    return 0;
}

/* Add one piece and read it; its copy is *ret. */
static int fetch_one(struct labelset *s, uint64_t address, uint64_t bytes, const uint8_t **ret)
{
    int r = piece_add(s, address, bytes);

    if (r == 0)
        r = fetch(s, &s->pieces[s->piece_count - 1], 1, NULL);
    if (r == 0)
        *ret = s->copy + s->pieces[s->piece_count - 1].at;
    return r;
}

/* A label by the two string headers that were read; the strings come later, all at once. */
static int label_add(struct labelset *s, const uint8_t *key, const uint8_t *value)
{
    struct label l = {.key = word_at(key),
                      .key_len = word_at(key + WORD_BYTES),
                      .value = word_at(value),
                      .value_len = word_at(value + WORD_BYTES)};

    if (l.key_len > STRING_MAX_BYTES || l.value_len > STRING_MAX_BYTES)
        return -EBADMSG;
    if (s->label_count == LABELS_MAX)
        return -E2BIG;
    s->labels[s->label_count++] = l;
    return 0;
}

/* ---- Go 1.24 and later: a slice of labels. */

/* *labelMap is a pointer to the struct; its list was sorted when it was built, but is not trusted.
 */
static int walk_list(struct labelset *s, uint64_t pointer)
{
    const struct go_layout *o = s->layout;
    const uint8_t *p;
    uint64_t data, len, cap;
    int r = fetch_one(s, pointer + (uint64_t)o->labels_list, SLICE_BYTES, &p);

    if (r != 0)
        return r;
    data = word_at(p);
    len = word_at(p + SLICE_LEN);
    cap = word_at(p + SLICE_CAP);
    if (len > cap || cap > STRING_MAX_BYTES)
        return -EBADMSG;
    if (len > LABELS_MAX)
        return -E2BIG;
    if (len == 0)
        return 0;
    r = fetch_one(s, data, len * (uint64_t)o->label_size, &p);
    for (uint64_t i = 0; r == 0 && i < len; i++, p += o->label_size)
        r = label_add(s, p + o->label_key, p + o->label_value);
    return r;
}

/* ---- Go 1.23 and earlier: a map. */

static int walk_bucket(struct labelset *s, const uint8_t *bucket)
{
    int r = 0;

    for (size_t i = 0; i < SLOTS && r == 0; i++) {
        if (bucket[i] >= TOPHASH_MIN)
            r = label_add(s, bucket + SLOT_KEYS + i * STRING_BYTES,
                          bucket + SLOT_VALUES + i * STRING_BYTES);
    }
    return r;
}

/*
 * The buckets in pieces [from, …), and those that overflow from them, level by level. A chain that
 * runs in a circle ends at LABELSET_BUCKETS_MAX.
 */
static int walk_buckets(struct labelset *s, size_t from)
{
    size_t buckets = 0;
    int r = 0;

    for (size_t to = s->piece_count; r == 0 && from < to; to = s->piece_count) {
        r = fetch(s, &s->pieces[from], to - from, NULL);
        for (; r == 0 && from < to; from++) {
            const struct piece *piece = &s->pieces[from];

            for (uint32_t at = 0; r == 0 && at < piece->bytes; at += BUCKET_BYTES) {
                const uint8_t *bucket = s->copy + piece->at + at;
                uint64_t next = word_at(bucket + SLOT_OVERFLOW);

                if (++buckets > LABELSET_BUCKETS_MAX)
                    return -E2BIG;
                r = walk_bucket(s, bucket);
                if (r == 0 && next != 0)
                    r = piece_add(s, next, BUCKET_BYTES);
            }
        }
    }
    return r;
}

/* *labelMap is a pointer to a pointer to the hmap: the map value itself is a pointer. */
static int walk_map(struct labelset *s, uint64_t pointer)
{
    const struct go_layout *o = s->layout;
    const uint8_t *p;
    uint64_t count, buckets, old;
    uint8_t b, flags;
    size_t from;
    int r = fetch_one(s, pointer, WORD_BYTES, &p);

    if (r != 0)
        return r;
    if (word_at(p) == 0)
        return 0; /* a nil map */
    r = fetch_one(s, word_at(p), (uint64_t)o->hmap_size, &p);
    if (r != 0)
        return r;
    count = word_at(p + o->hmap_count);
    flags = p[o->hmap_flags];
    b = p[o->hmap_b];
    buckets = word_at(p + o->hmap_buckets);
    old = word_at(p + o->hmap_oldbuckets);
    if (count > LABELS_MAX || b > LABELSET_B_MAX)
        return -E2BIG;
    if (count == 0)
        return 0;
    /* A map stays half grown when nothing is put into it any more. What has been moved is marked
     * in the old buckets, so both together hold each label once. */
    from = s->piece_count;
    r = piece_add(s, buckets, (UINT64_C(1) << b) * BUCKET_BYTES);
    if (r == 0 && old != 0 && b == 0 && !(flags & SAME_SIZE_GROW))
        return -EBADMSG;
    if (r == 0 && old != 0)
        r = piece_add(s, old, (UINT64_C(1) << (flags & SAME_SIZE_GROW ? b : b - 1)) * BUCKET_BYTES);
    if (r == 0)
        r = walk_buckets(s, from);
    if (r == 0 && s->label_count != count)
        r = -EBADMSG;
    return r;
}

/* ---- Strings, and the set made of them. */

/* How much of a string that was cut at ${bytes} is whole characters. */
static uint32_t whole_characters(const uint8_t *p, uint32_t bytes)
{
    for (uint32_t back = 1; back < UTF8_MAX_BYTES && back <= bytes; back++) {
        const uint8_t *lead = p + bytes - back;

        if ((*lead & 0xC0) == 0x80)
            continue; /* in the middle of one */
        return *lead >= 0xC0 && utf8_step(lead, back) == 0 ? bytes - back : bytes;
    }
    return bytes;
}

static int string_add(struct labelset *s, uint64_t address, uint64_t len, uint32_t max,
                      const uint8_t **ret_copy, uint32_t *ret_bytes)
{
    int r;

    *ret_bytes = len > max ? max : (uint32_t)len;
    *ret_copy = s->copy;
    if (len == 0)
        return 0;
    r = piece_add(s, address, *ret_bytes);
    if (r == 0)
        *ret_copy = s->copy + s->pieces[s->piece_count - 1].at;
    return r;
}

/* Only the part of a string that is kept is read. */
static int fetch_strings(struct labelset *s, struct target_range *last)
{
    size_t from = s->piece_count;
    int r = 0;

    for (size_t i = 0; i < s->label_count && r == 0; i++) {
        struct label *l = &s->labels[i];

        r = string_add(s, l->key, l->key_len, LABELS_KEY_MAX_BYTES, &l->key_copy, &l->key_bytes);
        if (r == 0)
            r = string_add(s, l->value, l->value_len, LABELS_VALUE_MAX_BYTES, &l->value_copy,
                           &l->value_bytes);
    }
    if (r == 0)
        r = fetch(s, &s->pieces[from], s->piece_count - from, last);
    for (size_t i = 0; i < s->label_count && r == 0; i++) {
        struct label *l = &s->labels[i];

        if (l->key_bytes < l->key_len)
            l->key_bytes = whole_characters(l->key_copy, l->key_bytes);
        if (l->value_bytes < l->value_len)
            l->value_bytes = whole_characters(l->value_copy, l->value_bytes);
    }
    return r;
}

/* NUL separates the parts of a set. */
static uint8_t clean(uint8_t c)
{
    return c == '\0' ? '?' : c;
}

static int compare_keys(const void *a, const void *b)
{
    const struct label *x = a, *y = b;

    for (uint32_t i = 0; i < x->key_bytes && i < y->key_bytes; i++) {
        int difference = clean(x->key_copy[i]) - clean(y->key_copy[i]);

        if (difference != 0)
            return difference;
    }
    return x->key_bytes < y->key_bytes ? -1 : x->key_bytes > y->key_bytes;
}

static size_t put_string(uint8_t *out, const uint8_t *p, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        out[i] = clean(p[i]);
    out[bytes] = '\0';
    return bytes + 1;
}

/* Returns the set's length. A key that comes twice (after cutting) is taken once. */
static size_t compose(struct labelset *s)
{
    size_t bytes = 0;

    qsort(s->labels, s->label_count, sizeof(s->labels[0]), compare_keys);
    for (size_t i = 0; i < s->label_count; i++) {
        const struct label *l = &s->labels[i];

        if (i > 0 && compare_keys(l - 1, l) == 0)
            continue;
        bytes += put_string(s->set + bytes, l->key_copy, l->key_bytes);
        bytes += put_string(s->set + bytes, l->value_copy, l->value_bytes);
    }
    return bytes;
}

/* ---- Sets that were read before. */

static void known_release(struct labelset *s, struct known *k)
{
    s->cache_bytes -= k->all_bytes;
    free(k->pieces);
    *k = (struct known){0};
}

static struct known *known_slot(struct labelset *s, uint64_t pointer)
{
    /* 2^64 / golden ratio: allocations of one size are spread */
    return &s->cache[((pointer * UINT64_C(0x9E3779B97F4A7C15)) >> 40) % LABELSET_CACHE_SETS];
}

/*
 * Keep the set with all that led to it. When the memory for that is used up, everything is
 * forgotten: a program with that many labels reads them anew each time anyway.
 */
static void remember(struct labelset *s, uint64_t pointer, size_t set_bytes)
{
    struct known *k = known_slot(s, pointer);
    size_t pieces_bytes = s->piece_count * sizeof(s->pieces[0]);
    size_t all = pieces_bytes + s->used + set_bytes;
    uint8_t *memory;

    known_release(s, k);
    if (s->cache_bytes + all > LABELSET_CACHE_MAX_BYTES) {
        for (size_t i = 0; i < LABELSET_CACHE_SETS; i++)
            known_release(s, &s->cache[i]);
    }
    memory = malloc(all);
    if (!memory)
        return; /* read anew the next time */
    memcpy(memory, s->pieces, pieces_bytes);
    memcpy(memory + pieces_bytes, s->copy, s->used);
    memcpy(memory + pieces_bytes + s->used, s->set, set_bytes);
    *k = (struct known){.pointer = pointer,
                        .pieces = (struct piece *)(void *)memory,
                        .copy = memory + pieces_bytes,
                        .set = memory + pieces_bytes + s->used,
                        .piece_count = (uint32_t)s->piece_count,
                        .copy_bytes = (uint32_t)s->used,
                        .set_bytes = (uint32_t)set_bytes,
                        .all_bytes = all};
    s->cache_bytes += all;
}

/* Does every byte that led to the set still say the same? The pointers are among them, so nothing
 * has to be followed and one readv is enough. */
static bool is_unchanged(struct labelset *s, const struct known *k, struct target_range *last)
{
    if (fetch(s, k->pieces, k->piece_count, last) != 0)
        return false;
    for (uint32_t i = 0; i < k->piece_count; i++) {
        const struct piece *p = &k->pieces[i];

        if (memcmp(s->copy + p->at, k->copy + p->at, p->bytes) != 0)
            return false;
    }
    return true;
}

int labelset_new(const struct target *target, const struct go_layout *layout, struct labelset **ret)
{
    struct labelset *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->target = target;
    s->layout = layout;
    *ret = s;
    return 0;
}

void labelset_free(struct labelset *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < LABELSET_CACHE_SETS; i++)
        known_release(s, &s->cache[i]);
    free(s);
}

int labelset_read(struct labelset *s, uint64_t pointer, struct target_range *last,
                  const void **ret_set, size_t *ret_bytes)
{
    const struct known *k = known_slot(s, pointer);
    size_t bytes;
    int r;

    if (!address_is_sane(pointer) || pointer % WORD_BYTES != 0)
        return -EBADMSG;
    if (k->pointer == pointer && is_unchanged(s, k, last)) {
        *ret_set = k->set;
        *ret_bytes = k->set_bytes;
        return 0;
    }
    s->piece_count = s->used = s->label_count = 0;
    r = s->layout->labels_list >= 0 ? walk_list(s, pointer) : walk_map(s, pointer);
    if (r == 0)
        r = fetch_strings(s, last);
    if (r != 0)
        return r;
    bytes = compose(s);
    remember(s, pointer, bytes);
    *ret_set = s->set;
    *ret_bytes = bytes;
    return 0;
}
