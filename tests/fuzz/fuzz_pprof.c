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
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

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
