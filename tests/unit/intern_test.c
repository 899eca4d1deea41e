/* base/intern.c: the same bytes give the same number; bounds by items and by bytes hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/intern.h"

static void numbers(void **state)
{
    struct intern t;
    size_t bytes;
    int is_new;

    (void)state;
    intern_init(&t, 100, 4096);
    assert_int_equal(intern_find(&t, "a", 1), INTERN_NONE);
    assert_int_equal(intern_put(&t, "a", 1, &is_new), 0);
    assert_int_equal(is_new, 1);
    assert_int_equal(intern_put(&t, "b", 1, NULL), 1);
    assert_int_equal(intern_put(&t, "", 0, &is_new), 2); /* nothing is something too */
    assert_int_equal(intern_put(&t, "a\0", 2, &is_new), 3);
    assert_int_equal(intern_put(&t, "a", 1, &is_new), 0);
    assert_int_equal(is_new, 0);
    assert_int_equal(intern_put(&t, NULL, 0, &is_new), 2);
    assert_int_equal(intern_find(&t, "a\0", 2), 3);
    assert_int_equal(intern_find(&t, "c", 1), INTERN_NONE);
    assert_memory_equal(intern_get(&t, 3, &bytes), "a\0", 2);
    assert_int_equal(bytes, 2);
    (void)intern_get(&t, 2, &bytes);
    assert_int_equal(bytes, 0);
    intern_clear(&t);
    assert_int_equal(intern_find(&t, "a", 1), INTERN_NONE);
    assert_int_equal(intern_put(&t, "z", 1, NULL), 0);
    intern_release(&t);
    intern_release(&t);
    intern_release(NULL);
}

/* Many, over several doublings; each found again, each aligned for the u64s that stacks are. */
static void many(void **state)
{
    struct intern t;

    (void)state;
    intern_init(&t, 20000, 1 << 20);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 20000; i++) {
            char text[16];
            int n = snprintf(text, sizeof(text), "%u", i * 7919);

            assert_int_equal(intern_put(&t, text, (size_t)n, NULL), i);
        }
    }
    for (uint32_t i = 0; i < 20000; i += 37) {
        char text[16];
        size_t bytes;
        int n = snprintf(text, sizeof(text), "%u", i * 7919);
        const void *p = intern_get(&t, i, &bytes);

        assert_int_equal(bytes, n);
        assert_memory_equal(p, text, bytes);
        assert_int_equal((uintptr_t)p % 8, 0);
    }
    assert_int_equal(intern_put(&t, "one more", 8, NULL), INTERN_NONE);
    intern_release(&t);
}

static void bound_by_items(void **state)
{
    struct intern t;
    int is_new = 5;

    (void)state;
    intern_init(&t, 2, 4096);
    assert_int_equal(intern_put(&t, "a", 1, NULL), 0);
    assert_int_equal(intern_put(&t, "b", 1, NULL), 1);
    assert_int_equal(intern_put(&t, "c", 1, &is_new), INTERN_NONE);
    assert_int_equal(is_new, 0);
    assert_int_equal(intern_put(&t, "b", 1, NULL), 1); /* known ones are still found */
    intern_release(&t);
}

static void bound_by_bytes(void **state)
{
    char big[64] = {0};
    struct intern t;

    (void)state;
    intern_init(&t, 100, 64);
    assert_int_equal(intern_put(&t, big, 56, NULL), 0);
    assert_int_equal(intern_put(&t, big, 57, NULL), INTERN_NONE);
    assert_int_equal(intern_put(&t, big, 56, NULL), 0);
    assert_int_equal(intern_find(&t, big, 56), 0);
    intern_release(&t);
}

/*
 * SipHash-1-3 with the key 00 01 ... 0f over 00 01 ..., by an independent implementation that gives
 * the vectors of the paper for 2-4.
 */
static void hash(void **state)
{
    static const struct {
        size_t bytes;
        uint64_t hash;
    } rows[] = {
        {0, UINT64_C(0xabac0158050fc4dc)},  {1, UINT64_C(0xc9f49bf37d57ca93)},
        {7, UINT64_C(0xd3927d989bb11140)},  {8, UINT64_C(0x369095118d299a8e)},
        {15, UINT64_C(0xd320d86d2a519956)}, {63, UINT64_C(0x9d199062b7bbb3a8)},
    };
    unsigned char data[64];
    uint64_t key[2];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)i;
    memcpy(key, data, sizeof(key));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(intern_hash(key, data, rows[i].bytes) == rows[i].hash);
}

/* The hash is keyed at random: two tables do not share their collisions. */
static void keys_differ(void **state)
{
    struct intern a, b;

    (void)state;
    intern_init(&a, 1, 64);
    intern_init(&b, 1, 64);
    assert_memory_not_equal(a.key, b.key, sizeof(a.key));
    intern_release(&a);
    intern_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),        cmocka_unit_test(many), cmocka_unit_test(bound_by_items),
        cmocka_unit_test(bound_by_bytes), cmocka_unit_test(hash), cmocka_unit_test(keys_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
