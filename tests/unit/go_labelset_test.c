/* Label sets in memory that lies: both shapes, every limit at it and one above. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampler/go/labelset.h"

#define BASE UINT64_C(0x10000)

enum {
    MEMORY_BYTES = 256 * 1024,
    BUCKET_BYTES = 272,
    OVERFLOW = 264,
    POINTER = 0, /* offsets in the memory: where g.labels points */
    HMAP = 64,
    ARRAY = 128,
    OVERFLOWS = 64 * 1024, /* overflow buckets and old ones */
    STRINGS = 128 * 1024,
};

struct memory {
    uint8_t bytes[MEMORY_BYTES];
    struct target target;
    size_t strings; /* used */
    unsigned readvs;
};

static int memory_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    const struct memory *m = ctx;

    if (address < BASE || bytes > MEMORY_BYTES || address - BASE > MEMORY_BYTES - bytes)
        return -EFAULT;
    memcpy(out, m->bytes + (address - BASE), bytes);
    return 0;
}

static int memory_readv(void *ctx, struct target_range *ranges, size_t count)
{
    struct memory *m = ctx;

    m->readvs++;
    for (size_t i = 0; i < count; i++)
        ranges[i].got = memory_read(ctx, ranges[i].address, ranges[i].out, ranges[i].bytes)
                            ? 0
                            : ranges[i].bytes;
    return 0;
}

static const struct target_ops memory_ops = {.read = memory_read, .readv = memory_readv};

static void put64(struct memory *m, size_t at, uint64_t v)
{
    assert_true(at + sizeof(v) <= MEMORY_BYTES);
    memcpy(m->bytes + at, &v, sizeof(v));
}

static void put_string(struct memory *m, size_t header, const char *text, size_t bytes)
{
    size_t at = STRINGS + m->strings;

    assert_true(at + bytes <= MEMORY_BYTES);
    memcpy(m->bytes + at, text, bytes);
    m->strings += bytes;
    put64(m, header, BASE + at);
    put64(m, header + 8, bytes);
}

/* A slice of n labels kNN=v (Go 1.24 and later). */
static void put_list(struct memory *m, unsigned n)
{
    put64(m, POINTER, BASE + ARRAY);
    put64(m, POINTER + 8, n);
    put64(m, POINTER + 16, n);
    for (unsigned i = 0; i < n; i++) {
        char key[16];

        (void)snprintf(key, sizeof(key), "k%02u", i);
        put_string(m, ARRAY + i * 32, key, strlen(key));
        put_string(m, ARRAY + i * 32 + 16, "v", 1);
    }
}

/* A map of one bucket row with n labels, eight a bucket, overflow after the first. */
static size_t bucket_at(unsigned i)
{
    return i == 0 ? ARRAY : OVERFLOWS + (i - 1) * BUCKET_BYTES;
}

static void put_slot(struct memory *m, size_t bucket, unsigned slot, unsigned number)
{
    char key[16];

    (void)snprintf(key, sizeof(key), "k%02u", number);
    m->bytes[bucket + slot] = 5;
    put_string(m, bucket + 8 + slot * 16, key, strlen(key));
    put_string(m, bucket + 136 + slot * 16, "v", 1);
}

static void put_map(struct memory *m, unsigned n)
{
    put64(m, POINTER, BASE + HMAP);
    put64(m, HMAP, n);                 /* count; flags and B are 0 */
    put64(m, HMAP + 16, BASE + ARRAY); /* buckets */
    for (unsigned i = 0; i < n; i++) {
        put_slot(m, bucket_at(i / 8), i % 8, i);
        if (i % 8 == 0 && i > 0)
            put64(m, bucket_at(i / 8 - 1) + OVERFLOW, BASE + bucket_at(i / 8));
    }
}

struct fixture {
    struct memory m;
    struct labelset *s;
    const uint8_t *set;
    size_t bytes;
};

static struct fixture *fixture_new(const char *version)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->m.target = (struct target){.ops = &memory_ops, .ctx = &f->m};
    assert_int_equal(labelset_new(&f->m.target, go_layout_find(version), &f->s), 0);
    return f;
}

static void fixture_free(struct fixture *f)
{
    labelset_free(f->s);
    free(f);
}

static int read_set(struct fixture *f)
{
    const void *set = NULL;
    int r = labelset_read(f->s, BASE + POINTER, NULL, &set, &f->bytes);

    f->set = set;
    return r;
}

/* How many labels came, each key greater than the one before. */
static unsigned labels_of(const struct fixture *f)
{
    const char *p = (const char *)f->set, *end = p + f->bytes, *last = "";
    unsigned n = 0;

    while (p < end) {
        assert_true(strcmp(p, last) > 0 || n == 0);
        last = p;
        p += strlen(p) + 1;
        p += strlen(p) + 1;
        n++;
    }
    assert_true(p == end);
    return n;
}

static void test_list(void **state)
{
    struct fixture *f = fixture_new("go1.26.8");

    (void)state;
    for (unsigned n = 0; n <= LABELS_MAX; n++) {
        put_list(&f->m, n);
        assert_int_equal(read_set(f), 0);
        assert_int_equal(labels_of(f), n);
    }
    put_list(&f->m, LABELS_MAX + 1);
    assert_int_equal(read_set(f), -E2BIG);
    fixture_free(f);
}

static void test_list_hostile(void **state)
{
    static const uint64_t lengths[] = {UINT64_C(1) << 60, UINT64_MAX, (UINT64_C(1) << 32) + 1};
    struct fixture *f = fixture_new("go1.26.8");

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        put_list(&f->m, 3);
        put64(&f->m, POINTER + 8, lengths[i]);
        assert_int_equal(read_set(f), -EBADMSG); /* len above cap */
        put64(&f->m, POINTER + 16, lengths[i]);
        assert_int_equal(read_set(f), -EBADMSG);
        put_list(&f->m, 3);
        put64(&f->m, ARRAY + 8, lengths[i]); /* of a key */
        assert_int_equal(read_set(f), -EBADMSG);
        put_list(&f->m, 3);
        put64(&f->m, ARRAY + 2 * 32 + 24, lengths[i]); /* of a value */
        assert_int_equal(read_set(f), -EBADMSG);
    }
    put_list(&f->m, 3);
    put64(&f->m, ARRAY, BASE + MEMORY_BYTES - 2); /* a key that runs into nothing */
    assert_int_equal(read_set(f), -EFAULT);
    put64(&f->m, ARRAY, 0);
    assert_int_equal(read_set(f), -EBADMSG);
    put64(&f->m, ARRAY, UINT64_MAX);
    assert_int_equal(read_set(f), -EBADMSG);
    put64(&f->m, POINTER, BASE + MEMORY_BYTES - 95); /* the array, one byte too far */
    assert_int_equal(read_set(f), -EFAULT);
    put_list(&f->m, 3);
    assert_int_equal(read_set(f), 0);
    fixture_free(f);
}

static void test_pointer(void **state)
{
    static const uint64_t wrong[] = {1, 8, 4095, BASE + 1, UINT64_C(1) << 47, UINT64_MAX - 7};
    struct fixture *f = fixture_new("go1.26.8");
    const void *set;
    size_t bytes;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(labelset_read(f->s, wrong[i], NULL, &set, &bytes), -EBADMSG);
    assert_int_equal(labelset_read(f->s, BASE - 16, NULL, &set, &bytes), -EFAULT);
    fixture_free(f);
}

static void test_strings(void **state)
{
    static const char text[] = "aaa\0bbb";
    struct fixture *f = fixture_new("go1.26.8");
    char *value = malloc(LABELS_VALUE_MAX_BYTES + 8);

    (void)state;
    assert_non_null(value);
    memset(value, 'x', LABELS_VALUE_MAX_BYTES + 8);
    put_list(&f->m, 1);
    put_string(&f->m, ARRAY + 16, value, LABELS_VALUE_MAX_BYTES);
    assert_int_equal(read_set(f), 0);
    assert_int_equal(f->bytes, 4 + LABELS_VALUE_MAX_BYTES + 1);
    put_string(&f->m, ARRAY + 16, value, LABELS_VALUE_MAX_BYTES + 1);
    assert_int_equal(read_set(f), 0);
    assert_int_equal(f->bytes, 4 + LABELS_VALUE_MAX_BYTES + 1);
    /* A character of two bytes across the limit goes as a whole, one before it stays. */
    memcpy(value + LABELS_VALUE_MAX_BYTES - 1, "\xC3\xBC", 2);
    put_string(&f->m, ARRAY + 16, value, LABELS_VALUE_MAX_BYTES + 1);
    assert_int_equal(read_set(f), 0);
    assert_int_equal(f->bytes, 4 + LABELS_VALUE_MAX_BYTES);
    memcpy(value + LABELS_VALUE_MAX_BYTES - 2, "\xC3\xBCx", 3);
    put_string(&f->m, ARRAY + 16, value, LABELS_VALUE_MAX_BYTES + 1);
    assert_int_equal(read_set(f), 0);
    assert_int_equal(f->bytes, 4 + LABELS_VALUE_MAX_BYTES + 1);
    /* NUL would end it in a set. */
    put_string(&f->m, ARRAY + 16, text, sizeof(text) - 1);
    assert_int_equal(read_set(f), 0);
    assert_string_equal(f->set + 4, "aaa?bbb");
    /* Empty strings need no address. */
    put64(&f->m, ARRAY + 16, 0);
    put64(&f->m, ARRAY + 24, 0);
    assert_int_equal(read_set(f), 0);
    assert_int_equal(f->bytes, 5);
    /* One key twice. */
    put_list(&f->m, 2);
    put64(&f->m, ARRAY + 32, BASE + STRINGS);
    put64(&f->m, ARRAY, BASE + STRINGS);
    assert_int_equal(read_set(f), 0);
    assert_int_equal(labels_of(f), 1);
    free(value);
    fixture_free(f);
}

static void test_map(void **state)
{
    struct fixture *f = fixture_new("go1.22.12");

    (void)state;
    for (unsigned n = 0; n <= LABELS_MAX; n++) {
        put_map(&f->m, n);
        assert_int_equal(read_set(f), 0);
        assert_int_equal(labels_of(f), n);
    }
    put_map(&f->m, LABELS_MAX + 1);
    assert_int_equal(read_set(f), -E2BIG);
    memset(f->m.bytes, 0, sizeof(f->m.bytes));
    put_map(&f->m, 3);
    put64(&f->m, HMAP, 2); /* the count says two */
    assert_int_equal(read_set(f), -EBADMSG);
    put64(&f->m, HMAP, 4);
    assert_int_equal(read_set(f), -EBADMSG);
    put64(&f->m, POINTER, 0); /* a nil map */
    assert_int_equal(read_set(f), 0);
    assert_int_equal(f->bytes, 0);
    fixture_free(f);
}

static void test_map_grows(void **state)
{
    struct fixture *f = fixture_new("go1.22.12");

    (void)state;
    /* Two buckets; of the old one, slot 0 was moved (evacuatedX, 2), slot 1 was not. */
    put_map(&f->m, 1);
    f->m.bytes[HMAP + 9] = 1;
    put64(&f->m, HMAP, 2);
    put64(&f->m, HMAP + 24, BASE + OVERFLOWS);
    put_slot(&f->m, OVERFLOWS, 0, 0);
    put_slot(&f->m, OVERFLOWS, 1, 1);
    f->m.bytes[OVERFLOWS] = 2;
    assert_int_equal(read_set(f), 0);
    assert_int_equal(labels_of(f), 2);
    /* Grown to the same size: as many old ones as new ones. The second old bucket counts. */
    put_slot(&f->m, OVERFLOWS + BUCKET_BYTES, 3, 2);
    put64(&f->m, HMAP, 3);
    assert_int_equal(read_set(f), -EBADMSG);
    f->m.bytes[HMAP + 8] = 8;
    assert_int_equal(read_set(f), 0);
    assert_int_equal(labels_of(f), 3);
    /* No half of one bucket. */
    f->m.bytes[HMAP + 8] = 0;
    f->m.bytes[HMAP + 9] = 0;
    assert_int_equal(read_set(f), -EBADMSG);
    fixture_free(f);
}

static void test_map_hostile(void **state)
{
    struct fixture *f = fixture_new("go1.18");
    unsigned readvs;

    (void)state;
    put_map(&f->m, 3);
    f->m.bytes[HMAP + 9] = LABELSET_B_MAX;
    assert_int_equal(read_set(f), 0);
    f->m.bytes[HMAP + 9] = LABELSET_B_MAX + 1;
    assert_int_equal(read_set(f), -E2BIG);
    f->m.bytes[HMAP + 9] = 255;
    assert_int_equal(read_set(f), -E2BIG);
    /* A bucket that overflows into itself, empty ones in a ring. */
    f->m.bytes[HMAP + 9] = 0;
    put64(&f->m, ARRAY + OVERFLOW, BASE + ARRAY);
    assert_int_equal(read_set(f), -E2BIG);
    put64(&f->m, ARRAY + OVERFLOW, BASE + OVERFLOWS);
    memset(f->m.bytes + OVERFLOWS, 0, 2 * BUCKET_BYTES);
    put64(&f->m, OVERFLOWS + OVERFLOW, BASE + OVERFLOWS + BUCKET_BYTES);
    put64(&f->m, OVERFLOWS + BUCKET_BYTES + OVERFLOW, BASE + OVERFLOWS);
    readvs = f->m.readvs;
    assert_int_equal(read_set(f), -E2BIG);
    assert_in_range(f->m.readvs - readvs, 1, LABELSET_BUCKETS_MAX + 4);
    /* Overflow into nothing. */
    put64(&f->m, ARRAY + OVERFLOW, BASE + MEMORY_BYTES);
    assert_int_equal(read_set(f), -EFAULT);
    put64(&f->m, ARRAY + OVERFLOW, 1);
    assert_int_equal(read_set(f), -EBADMSG);
    put64(&f->m, ARRAY + OVERFLOW, 0);
    put64(&f->m, HMAP + 16, 0);
    assert_int_equal(read_set(f), -EBADMSG);
    fixture_free(f);
}

/* Chains of empty buckets, up to the limit and one above. */
static void test_map_chain(void **state)
{
    struct fixture *f = fixture_new("go1.22.12");

    (void)state;
    put_map(&f->m, 1);
    for (unsigned i = 1; i <= LABELSET_BUCKETS_MAX; i++) {
        put64(&f->m, bucket_at(i - 1) + OVERFLOW, BASE + bucket_at(i));
        assert_int_equal(read_set(f), i + 1 > LABELSET_BUCKETS_MAX ? -E2BIG : 0);
    }
    fixture_free(f);
}

static void test_remembered(void **state)
{
    struct fixture *f = fixture_new("go1.26.8");
    struct target_range last = {.address = BASE + HMAP, .bytes = 8};
    uint64_t word;
    const void *set;
    unsigned readvs;

    (void)state;
    last.out = &word;
    put_list(&f->m, 20);
    put64(&f->m, HMAP, 42);
    assert_int_equal(labelset_read(f->s, BASE, &last, &set, &f->bytes), 0);
    assert_int_equal(last.got, 8);
    assert_int_equal(word, 42);
    readvs = f->m.readvs;
    put64(&f->m, HMAP, 43);
    assert_int_equal(labelset_read(f->s, BASE, &last, &set, &f->bytes), 0);
    assert_int_equal(f->m.readvs, readvs + 1); /* everything in one trip */
    assert_int_equal(word, 43);
    /* One byte of the last value. */
    f->m.bytes[STRINGS + f->m.strings - 1] = 'w';
    assert_int_equal(read_set(f), 0);
    assert_int_equal(f->set[f->bytes - 2], 'w');
    assert_int_equal(labels_of(f), 20);
    /* Shorter by one. */
    put64(&f->m, POINTER + 8, 19);
    assert_int_equal(read_set(f), 0);
    assert_int_equal(labels_of(f), 19);
    /* What is read behind it may be unreadable: that is the caller's business. */
    last.address = 8;
    assert_int_equal(labelset_read(f->s, BASE, &last, &set, &f->bytes), 0);
    assert_int_equal(last.got, 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),       cmocka_unit_test(test_list_hostile),
        cmocka_unit_test(test_pointer),    cmocka_unit_test(test_strings),
        cmocka_unit_test(test_map),        cmocka_unit_test(test_map_grows),
        cmocka_unit_test(test_map_chain),  cmocka_unit_test(test_map_hostile),
        cmocka_unit_test(test_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
