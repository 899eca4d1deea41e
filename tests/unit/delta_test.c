/* Differences of two readings by both rules, and the store of what was given last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/delta.h"

/* --- profiles --- */

static struct profile *heap(int64_t time_ns)
{
    struct profile *p = profile_new();

    assert_int_equal(profile_add_type(p, "alloc_objects", "count"), 0);
    assert_int_equal(profile_add_type(p, "alloc_space", "bytes"), 0);
    assert_int_equal(profile_add_type(p, "inuse_objects", "count"), 0);
    assert_int_equal(profile_add_type(p, "inuse_space", "bytes"), 0);
    assert_int_equal(profile_set_period(p, "space", "bytes", 524288), 0);
    assert_int_equal(profile_set_default_type(p, "alloc_space"), 0);
    profile_set_time(p, time_ns, 0);
    return p;
}

static void add(struct profile *p, const char *name, int64_t size, int64_t a, int64_t b, int64_t c,
                int64_t d)
{
    const struct profile_mapping m = {0x1000, 0x9000, 0, "/bin/x", "abcd", false, false, false, 0};
    const struct profile_line line = {profile_function(p, name, name, "x.go", 3), 7};
    const struct profile_label label = {"bytes", NULL, size, NULL};
    uint64_t at = profile_location(p, profile_mapping(p, &m), 0x1000 + (uint64_t)name[0], &line, 1);
    const int64_t values[4] = {a, b, c, d};

    assert_int_equal(profile_sample(p, &at, 1, values, &label, 1), 0);
}

/* The values of the sample whose leaf is ${name}; NULL: there is none. */
static const int64_t *values_of(const struct profile *p, const char *name)
{
    for (size_t i = 0; i < profile_samples(p); i++) {
        struct profile_sample_view s;
        struct profile_line_view line;

        assert_true(profile_get_sample(p, i, &s));
        assert_true(profile_get_line(p, s.locations[0], 0, &line));
        if (strcmp(line.name, name) == 0)
            return s.values;
    }
    return NULL;
}

static void has(const struct profile *p, const char *name, int64_t a, int64_t b, int64_t c,
                int64_t d)
{
    const int64_t *v = values_of(p, name);

    if (!v)
        fail_msg("no sample of %s", name);
    else if (v[0] != a || v[1] != b || v[2] != c || v[3] != d)
        fail_msg("%s: %ld %ld %ld %ld", name, (long)v[0], (long)v[1], (long)v[2], (long)v[3]);
}

static struct profile *difference(enum delta_rule rule)
{
    struct profile *first = heap(1000), *second = heap(5000), *d = NULL;
    struct err e;

    add(first, "alike", 16, 1, 16, 1, 16);
    add(first, "grown", 32, 2, 64, 2, 64);
    add(first, "freed", 48, 3, 144, 3, 144);
    add(first, "gone", 64, 1, 64, 1, 64);
    add(second, "alike", 16, 1, 16, 1, 16);
    add(second, "grown", 32, 5, 160, 4, 128);
    add(second, "freed", 48, 3, 144, 1, 48);
    add(second, "new", 80, 1, 80, 0, 0);
    assert_int_equal(delta_profile(first, second, rule, &d, &e), 0);
    assert_int_equal(profile_validate(d, &e), 0);
    assert_int_equal(profile_time_ns(d), 5000);
    assert_int_equal(profile_duration_ns(d), 4000);
    assert_int_equal(profile_period(d), 524288);
    assert_string_equal(profile_default_type(d), "alloc_space");
    profile_free(first);
    profile_free(second);
    return d;
}

/* net/http/pprof: all types, negative ones too. */
static void seconds_are_gos_difference(void **state)
{
    struct profile *d = difference(DELTA_GO);

    (void)state;
    assert_int_equal(profile_samples(d), 4);
    assert_null(values_of(d, "alike"));
    has(d, "grown", 3, 96, 2, 64);
    has(d, "freed", 0, 0, -2, -96);
    has(d, "gone", -1, -64, -1, -64);
    has(d, "new", 1, 80, 0, 0);
    assert_int_equal(profile_functions(d), 4); /* nothing is left of what did not change */
    profile_free(d);
}

/* godeltaprof: alloc_* as growth, inuse_* as it is. */
static void growth_keeps_what_is_in_use(void **state)
{
    struct profile *d = difference(DELTA_GROWTH);

    (void)state;
    assert_int_equal(profile_samples(d), 4);
    has(d, "alike", 0, 0, 1, 16);
    has(d, "grown", 3, 96, 4, 128);
    has(d, "freed", 0, 0, 1, 48);
    has(d, "new", 1, 80, 0, 0);
    assert_null(values_of(d, "gone")); /* never negative */
    profile_free(d);
}

static void labels_tell_samples_apart(void **state)
{
    struct profile *first = heap(1), *second = heap(2), *d = NULL;
    struct profile_label label;
    struct err e;

    (void)state;
    add(first, "f", 16, 1, 16, 0, 0);
    add(second, "f", 16, 1, 16, 0, 0);
    add(second, "f", 32, 1, 32, 0, 0);
    assert_int_equal(delta_profile(first, second, DELTA_GO, &d, &e), 0);
    assert_int_equal(profile_samples(d), 1);
    assert_true(profile_get_label(d, 0, 0, &label));
    assert_int_equal(label.num, 32);
    profile_free(first);
    profile_free(second);
    profile_free(d);
}

static void other_types_are_refused(void **state)
{
    struct profile *a = heap(1), *b = profile_new(), *d = NULL;
    struct err e;

    (void)state;
    assert_int_equal(profile_add_type(b, "contentions", "count"), 0);
    assert_int_equal(delta_profile(a, b, DELTA_GO, &d, &e), -EINVAL);
    assert_int_equal(delta_profile(b, a, DELTA_GO, &d, &e), -EINVAL);
    assert_null(d);
    profile_free(a);
    profile_free(b);
}

static void bytes_in_and_bytes_out(void **state)
{
    struct profile *first = heap(1000), *second = heap(3000);
    const struct bulk bad = {(const unsigned char *)"\xff\xff", 2};
    struct bulk before, now;
    struct buf a, b, out;
    int64_t between = 0;
    struct err e;

    (void)state;
    buf_init(&a, 65536);
    buf_init(&b, 65536);
    buf_init(&out, 65536);
    add(second, "f", 16, 1, 16, 1, 16);
    assert_int_equal(profile_encode(first, &a), 0);
    assert_int_equal(profile_encode(second, &b), 0);
    before = (struct bulk){a.data, a.len};
    now = (struct bulk){b.data, b.len};
    assert_int_equal(delta_encoded(&before, &now, DELTA_GROWTH, &out, &between, &e), 0);
    assert_int_equal(between, 2000);
    assert_true(out.len > 0);
    assert_int_not_equal(delta_encoded(&bad, &now, DELTA_GROWTH, &out, &between, &e), 0);
    assert_int_not_equal(delta_encoded(&before, &bad, DELTA_GROWTH, &out, &between, &e), 0);
    buf_release(&a);
    buf_release(&b);
    buf_release(&out);
    profile_free(first);
    profile_free(second);
}

/* --- the store --- */

static struct delta_store store;

static int put(const char *who, uint32_t kind, uint64_t program, size_t bytes)
{
    struct buf b;
    int r;

    buf_init(&b, bytes + 1);
    if (bytes)
        memset(buf_reserve(&b, bytes), who[0], bytes);
    b.len = bytes;
    r = delta_store_put(&store, who, kind, program, &b);
    assert_int_equal(b.len, 0);
    buf_release(&b);
    return r;
}

static size_t got(const char *who, uint32_t kind, uint64_t program)
{
    const struct buf *b = delta_store_get(&store, who, kind, program);

    return b ? b->len : 0;
}

static void each_identity_and_kind_has_its_own(void **state)
{
    (void)state;
    assert_int_equal(got("a", 1, 1), 0);
    assert_int_equal(put("a", 1, 1, 10), 0);
    assert_int_equal(put("b", 1, 1, 11), 0);
    assert_int_equal(put("a", 2, 1, 12), 0);
    assert_int_equal(got("a", 1, 1), 10);
    assert_int_equal(got("b", 1, 1), 11);
    assert_int_equal(got("a", 2, 1), 12);
    assert_int_equal(got("a", 1, 2), 0); /* another program */
    assert_int_equal(put("a", 1, 2, 13), 0);
    assert_int_equal(got("a", 1, 1), 0);
    assert_int_equal(got("a", 1, 2), 13);
    delta_store_release(&store);
    assert_int_equal(got("a", 1, 2), 0);
}

static void the_oldest_goes_when_rows_run_out(void **state)
{
    char name[16];

    (void)state;
    for (int i = 0; i <= DELTA_STORED_MAX; i++) {
        (void)snprintf(name, sizeof(name), "who%d", i);
        assert_int_equal(put(name, 1, 1, 5), 0);
        if (i == DELTA_STORED_MAX - 1)
            assert_int_equal(got("who0", 1, 1), 5); /* at the limit all are there */
    }
    assert_int_equal(got("who0", 1, 1), 0);
    assert_int_equal(got("who1", 1, 1), 5);
    delta_store_release(&store);
}

static void bytes_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(put("a", 1, 1, DELTA_ONE_MAX_BYTES), 0);
    assert_int_equal(got("a", 1, 1), DELTA_ONE_MAX_BYTES);
    assert_int_equal(put("a", 1, 1, DELTA_ONE_MAX_BYTES + 1), -EFBIG);
    assert_int_equal(got("a", 1, 1), 0); /* the old one would be a wrong base */
    for (uint32_t kind = 0; kind < DELTA_ALL_MAX_BYTES / DELTA_ONE_MAX_BYTES; kind++)
        assert_int_equal(put("a", kind, 1, DELTA_ONE_MAX_BYTES), 0);
    assert_int_equal(got("a", 0, 1), DELTA_ONE_MAX_BYTES);
    assert_int_equal(put("b", 0, 1, 1), 0);
    assert_int_equal(got("a", 0, 1), 0);
    assert_int_equal(got("a", 1, 1), DELTA_ONE_MAX_BYTES);
    delta_store_release(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_are_gos_difference),
        cmocka_unit_test(growth_keeps_what_is_in_use),
        cmocka_unit_test(labels_tell_samples_apart),
        cmocka_unit_test(other_types_are_refused),
        cmocka_unit_test(bytes_in_and_bytes_out),
        cmocka_unit_test(each_identity_and_kind_has_its_own),
        cmocka_unit_test(the_oldest_goes_when_rows_run_out),
        cmocka_unit_test(bytes_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
