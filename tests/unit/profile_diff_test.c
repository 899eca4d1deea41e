/*
 * profile/diff.c: the difference of two profiles, as Go's ?seconds=N has it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profile/profile.h"

static struct profile *heap_at(int64_t time_ns)
{
    static const char *const types[][2] = {{"alloc_objects", "count"}, {"inuse_space", "bytes"}};
    const struct profile_mapping app = {
        .start = 0x400000, .limit = 0x500000, .filename = "/app/server", .build_id = "abcd"};
    struct profile *p = profile_new();

    assert_non_null(p);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(profile_add_type(p, types[i][0], types[i][1]), 0);
    assert_int_equal(profile_set_period(p, "space", "bytes", 524288), 0);
    assert_int_equal(profile_set_default_type(p, "inuse_space"), 0);
    assert_int_equal(profile_add_comment(p, "heap of a test"), 0);
    assert_true(profile_mapping(p, &app) == 1);
    profile_set_time(p, time_ns, 0);
    return p;
}

/* A stack of one function, with its block size as a label when that is not 0. */
static void put(struct profile *p, const char *name, int64_t label, int64_t a, int64_t b)
{
    const struct profile_line line = {profile_function(p, name, NULL, "/src/a.go", 10), 12};
    const struct profile_label size = {.key = "bytes", .num = label};
    const int64_t values[2] = {a, b};
    const uint64_t location =
        profile_location(p, 1, 0x400000 + (uint64_t)(unsigned char)name[0], &line, 1);

    assert_int_equal(profile_sample(p, &location, 1, values, &size, label != 0), 0);
}

/* The values of a function's sample; false: there is none. */
static bool find(const struct profile *p, const char *name, int64_t label, int64_t values[2])
{
    struct profile_sample_view s;

    for (size_t i = 0; profile_get_sample(p, i, &s); i++) {
        struct profile_line_view line;
        struct profile_label l = {0};

        assert_true(profile_get_line(p, s.locations[0], 0, &line));
        if (s.labels > 0)
            assert_true(profile_get_label(p, i, 0, &l));
        if (strcmp(line.name, name) == 0 && l.num == label) {
            assert_int_equal(line.start_line, 10);
            assert_int_equal(line.line, 12);
            memcpy(values, s.values, 2 * sizeof(*values));
            return true;
        }
    }
    return false;
}

static void expect(const struct profile *p, const char *name, int64_t label, int64_t a, int64_t b)
{
    int64_t values[2];

    assert_true(find(p, name, label, values));
    assert_int_equal(values[0], a);
    assert_int_equal(values[1], b);
}

static void test_all_types_signed(void **state)
{
    struct profile *before = heap_at(1000), *after = heap_at(6000), *d = NULL;
    int64_t values[2];
    struct err e = {0};

    (void)state;
    put(before, "grows", 64, 10, 640);
    put(before, "shrinks", 64, 5, 320);
    put(before, "stays", 64, 7, 448);
    put(before, "vanishes", 0, 3, 30);
    put(before, "two sizes", 16, 1, 16);
    put(before, "two sizes", 32, 1, 32);
    put(after, "new", 8, 2, 16); /* other numbers for the same things */
    put(after, "two sizes", 32, 4, 128);
    put(after, "two sizes", 16, 1, 16);
    put(after, "stays", 64, 7, 448);
    put(after, "shrinks", 64, 5, 64);
    put(after, "grows", 64, 15, 960);
    assert_int_equal(profile_diff(before, after, &d, &e), 0);
    expect(d, "grows", 64, 5, 320);
    expect(d, "shrinks", 64, 0, -256); /* one type moved: the sample stays */
    expect(d, "vanishes", 0, -3, -30);
    expect(d, "new", 8, 2, 16);
    expect(d, "two sizes", 32, 3, 96);
    assert_false(find(d, "two sizes", 16, values));
    assert_false(find(d, "stays", 64, values));
    assert_int_equal(profile_samples(d), 5);
    /* with all that only they used */
    assert_int_equal(profile_functions(d), 5);
    assert_int_equal(profile_locations(d), 5);
    assert_int_equal(profile_time_ns(d), 6000);
    assert_int_equal(profile_duration_ns(d), 5000);
    assert_int_equal(profile_period(d), 524288);
    assert_string_equal(profile_period_type(d), "space");
    assert_string_equal(profile_default_type(d), "inuse_space");
    assert_string_equal(profile_type_name(d, 1), "inuse_space");
    assert_int_equal(profile_comments(d), 1);
    assert_int_equal(profile_samples(before), 6); /* as they were */
    assert_int_equal(profile_samples(after), 6);
    profile_free(before);
    profile_free(after);
    profile_free(d);
}

/* What was taken away and put back is nothing; its encoding and reading back keeps the signs. */
static void test_round_trip(void **state)
{
    struct profile *before = heap_at(1000), *after = heap_at(1000), *d = NULL, *back = NULL;
    struct err e = {0};
    struct buf b;

    (void)state;
    put(before, "f", 0, INT64_MAX, 1);
    put(after, "f", 0, 0, INT64_MAX);
    assert_int_equal(profile_diff(before, after, &d, &e), 0);
    expect(d, "f", 0, -INT64_MAX, INT64_MAX - 1);
    buf_init(&b, 1 << 20);
    assert_int_equal(profile_encode(d, &b), 0);
    assert_int_equal(profile_decode(b.data, b.len, &back, &e), 0);
    expect(back, "f", 0, -INT64_MAX, INT64_MAX - 1);
    assert_int_equal(profile_validate(back, &e), 0);
    buf_release(&b);
    profile_free(back);
    profile_free(d);
    d = NULL;
    assert_int_equal(profile_diff(after, after, &d, &e), 0);
    assert_int_equal(profile_samples(d), 0);
    assert_int_equal(profile_types(d), 2);
    profile_free(d);
    profile_free(before);
    profile_free(after);
}

static void test_refused(void **state)
{
    struct profile *before = heap_at(2000), *after = heap_at(1999), *d = NULL;
    struct profile *other = profile_new();
    struct err e = {0};

    (void)state;
    assert_int_equal(profile_diff(before, after, &d, &e), -EINVAL);
    assert_non_null(strstr(e.text, "older"));
    assert_int_equal(profile_add_type(other, "contentions", "count"), 0);
    profile_set_time(other, 3000, 0);
    assert_int_equal(profile_diff(before, other, &d, &e), -EINVAL);
    put(before, "f", 0, INT64_MIN, 0);
    profile_set_time(after, 2000, 0);
    assert_int_equal(profile_diff(before, after, &d, &e), -EOVERFLOW);
    assert_null(d);
    profile_free(before);
    profile_free(after);
    profile_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_types_signed),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
