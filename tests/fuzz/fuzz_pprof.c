/*
 * Hostile bytes as a profile: what decodes must survive encoding and decoding unchanged, be as
 * valid afterwards as before, merge with itself and with a copy to twice its values, and print.
 */
#include <assert.h>
#include <errno.h>

#include "profile/gzip.h"
#include "profile/profile.h"
#include "profile/text.h"

enum {
    FUZZ_UNPACKED_MAX_BYTES = 1024 * 1024,
    FUZZ_FIELDS_MAX = 4096,
    FUZZ_GROWS_BYTES = 64, /* of a message within, at once */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
size_t LLVMFuzzerMutate(uint8_t *data, size_t bytes, size_t max_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t max_bytes, unsigned seed);

static void encode(struct profile *p, struct buf *out)
{
    buf_init(out, PROFILE_MAX_BYTES);
    assert(profile_encode(p, out) == 0);
}

static void same(const struct buf *a, const struct buf *b)
{
    assert(a->len == b->len);
    assert(a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static struct profile *decode(const struct buf *b)
{
    struct profile *p = NULL;
    struct err e = {0};

    assert(profile_decode(b->data, b->len, &p, &e) == 0);
    return p;
}

/* ${p} and ${copy} hold the same. */
static void merge(struct profile *p, struct profile *copy)
{
    size_t samples = profile_samples(p);
    struct err e = {0};
    struct buf a, b;
    int rc = profile_merge(p, copy, &e);

    if (rc != 0) {
        assert(rc == -EOVERFLOW && profile_failed(p) && e.text[0]);
        return;
    }
    assert(profile_samples(p) == samples);
    assert(profile_merge(copy, copy, &e) == 0);
    encode(p, &a);
    encode(copy, &b);
    same(&a, &b);
    buf_release(&a);
    buf_release(&b);
}

static void print(const struct profile *p)
{
    struct buf out;

    buf_init(&out, FUZZ_UNPACKED_MAX_BYTES);
    for (size_t i = 0; i < profile_types(p); i++) {
        (void)text_folded(p, i, &out);
        buf_clear(&out);
        (void)text_speedscope(p, i, NULL, &out);
        buf_clear(&out);
        (void)text_top(p, i, 10, &out);
        buf_clear(&out);
    }
    buf_release(&out);
}

static void check(const void *data, size_t bytes)
{
    struct profile *p = NULL, *q;
    struct err e = {0};
    struct buf a, b;
    int valid;

    if (profile_decode(data, bytes, &p, &e) != 0) {
        assert(p == NULL && e.code < 0 && e.text[0]);
        return;
    }
    assert(!profile_failed(p));
    profile_settle(p);
    valid = profile_validate(p, &e);
    encode(p, &a);
    q = decode(&a);
    assert(profile_samples(p) == profile_samples(q));
    assert(profile_validate(q, &e) == valid);
    encode(q, &b);
    same(&a, &b);
    print(p);
    profile_free(p);
    p = decode(&b);
    merge(p, q);
    buf_release(&a);
    buf_release(&b);
    profile_free(p);
    profile_free(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (gzip_is(data, bytes)) {
        struct buf out;

        buf_init(&out, FUZZ_UNPACKED_MAX_BYTES);
        if (gzip_unpack(data, bytes, &out, NULL) == 0)
            check(out.data, out.len);
        buf_release(&out);
    } else {
        check(data, bytes);
    }
    return 0;
}

/*
 * --- the mutator: by fields ---
 *
 * Bytes changed at random mostly break a length, and the rest is never looked at. So a message is
 * taken apart, one field changed, doubled or left out, and lengths are written anew, down to the
 * messages within it (profile.proto has two levels).
 */

/* One field of a message. */
struct piece {
    size_t at, bytes;      /* with its key */
    size_t payload, inner; /* of a length-delimited one: where, and how long */
    uint8_t wire;
    bool delimited;
};

static bool read_varint(const uint8_t *data, size_t bytes, size_t *at, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; shift < 64 && *at < bytes; shift += 7) {
        uint8_t byte = data[(*at)++];

        *ret |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static size_t write_varint(uint8_t *out, uint64_t value)
{
    size_t n = 0;

    for (; value >= 0x80; value >>= 7)
        out[n++] = (uint8_t)(value | 0x80);
    out[n++] = (uint8_t)value;
    return n;
}

static bool next_piece(const uint8_t *data, size_t bytes, size_t at, struct piece *ret)
{
    uint64_t key, value;

    *ret = (struct piece){.at = at};
    if (!read_varint(data, bytes, &at, &key))
        return false;
    ret->wire = key & 7;
    if (ret->wire == 0 ? !read_varint(data, bytes, &at, &value) : ret->wire != 2)
        return false;
    if (ret->wire == 2) {
        if (!read_varint(data, bytes, &at, &value) || value > bytes - at)
            return false;
        ret->delimited = true;
        ret->payload = at;
        ret->inner = (size_t)value;
        at += (size_t)value;
    }
    ret->bytes = at - ret->at;
    return true;
}

/* The field chosen by ${seed}; false: it is no message. */
static bool choose(const uint8_t *data, size_t bytes, unsigned seed, struct piece *ret)
{
    struct piece p;
    size_t at = 0;
    unsigned n = 0;

    for (; at < bytes && n < FUZZ_FIELDS_MAX; n++, at += p.bytes) {
        if (!next_piece(data, bytes, at, &p))
            return false;
    }
    if (n == 0 || at < bytes)
        return false;
    n = seed % n;
    for (at = 0; next_piece(data, bytes, at, ret) && n > 0; n--)
        at += ret->bytes;
    return true;
}

/* Put ${with} in place of data[at..at + gone). */
static size_t splice(uint8_t *data, size_t bytes, size_t max_bytes, size_t at, size_t gone,
                     const uint8_t *with, size_t more)
{
    if (bytes - gone + more > max_bytes)
        return bytes;
    memmove(data + at + more, data + at + gone, bytes - at - gone);
    memcpy(data + at, with, more);
    return bytes - gone + more;
}

static size_t mutate(uint8_t *data, size_t bytes, size_t max_bytes, unsigned seed, int depth);

static size_t mutate_number(uint8_t *data, size_t bytes, size_t max_bytes, const struct piece *p,
                            unsigned seed)
{
    static const uint64_t VALUES[] = {0, 1, 2, 127, 128, INT64_MAX, 1ull << 63, UINT64_MAX};
    uint64_t value = seed % 16 < 8 ? VALUES[seed % 8] : seed >> 4 & 31;
    size_t at = p->at;
    uint8_t out[10];
    uint64_t key;

    (void)read_varint(data, bytes, &at, &key);
    return splice(data, bytes, max_bytes, at, p->at + p->bytes - at, out, write_varint(out, value));
}

/* What is within it, and its length. */
static size_t mutate_payload(uint8_t *data, size_t bytes, size_t max_bytes, const struct piece *p,
                             unsigned seed, int depth)
{
    size_t room = p->inner + FUZZ_GROWS_BYTES, n, at = p->at;
    uint8_t *out = malloc(room + 10);
    uint8_t length[10];
    uint64_t key;

    assert(out);
    memcpy(out, data + p->payload, p->inner);
    n = mutate(out, p->inner, room, seed, depth + 1);
    (void)read_varint(data, bytes, &at, &key);
    room = write_varint(length, n);
    memmove(out + room, out, n);
    memcpy(out, length, room);
    n = splice(data, bytes, max_bytes, at, p->at + p->bytes - at, out, room + n);
    free(out);
    return n;
}

static size_t mutate(uint8_t *data, size_t bytes, size_t max_bytes, unsigned seed, int depth)
{
    struct piece p, other;
    uint8_t *copy;

    if (depth > 2 || seed % 8 == 0 || !choose(data, bytes, seed >> 6, &p))
        return LLVMFuzzerMutate(data, bytes, max_bytes);
    switch (seed >> 3 & 7) {
    case 0: /* left out */
        return splice(data, bytes, max_bytes, p.at, p.bytes, data, 0);
    case 1: /* twice, the second one somewhere */
        if (!choose(data, bytes, seed >> 12, &other))
            return bytes;
        copy = malloc(p.bytes);
        assert(copy);
        memcpy(copy, data + p.at, p.bytes);
        bytes = splice(data, bytes, max_bytes, other.at, 0, copy, p.bytes);
        free(copy);
        return bytes;
    case 2: /* another field's number, of one byte */
        data[p.at] = (uint8_t)((data[p.at] & 0x87) | (seed >> 12 & 15) << 3);
        return bytes;
    default:
        return p.delimited ? mutate_payload(data, bytes, max_bytes, &p, seed * 2654435761u, depth)
                           : mutate_number(data, bytes, max_bytes, &p, seed >> 12);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t max_bytes, unsigned seed)
{
    if (gzip_is(data, bytes))
        return LLVMFuzzerMutate(data, bytes, max_bytes);
    return mutate(data, bytes, max_bytes, seed, 0);
}
