/*
 * profile/reshape.c, copy.c and glance.c: other forms of a profile whose sums are the same.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profile/glance.h"
#include "profile/reshape.h"

static struct profile *new_heap(void)
{
    static const char *const types[][2] = {
        {"alloc_objects", "count"}, {"alloc_space", "bytes"}, {"inuse_space", "bytes"}};
    const struct profile_mapping app = {.start = 0x1000, .limit = 0x9000000, .filename = "/app"};
    struct profile *p = profile_new();

    assert_non_null(p);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(profile_add_type(p, types[i][0], types[i][1]), 0);
    assert_int_equal(profile_set_period(p, "space", "bytes", 512), 0);
    assert_int_equal(profile_set_default_type(p, "inuse_space"), 0);
    assert_int_equal(profile_add_comment(p, "of a test"), 0);
    assert_int_equal(profile_mapping(p, &app), 1);
    profile_set_time(p, 1000, 500);
    return p;
}

static uint64_t location(struct profile *p, size_t i)
{
    struct profile_line line = {.line = (int64_t)i};
    char name[32];

    (void)snprintf(name, sizeof(name), "main.f%zu", i);
    line.function = profile_function(p, name, NULL, "/src/a.go", 1);
    return profile_location(p, 1, 0x1000 + i, &line, 1);
}

/* A stack of ${depth} frames whose leaf is function ${leaf}. */
static void put(struct profile *p, size_t leaf, size_t depth, const int64_t values[3],
                const struct profile_label *labels, size_t n)
{
    uint64_t stack[PROFILE_DEPTH_MAX];

    for (size_t i = 0; i < depth; i++)
        stack[i] = location(p, leaf + i);
    assert_int_equal(profile_sample(p, stack, depth, values, labels, n), 0);
}

static const char *leaf_name(const struct profile *p, size_t sample, size_t frame)
{
    struct profile_sample_view s;
    struct profile_line_view line;

    assert_true(profile_get_sample(p, sample, &s));
    assert_true(frame < s.depth);
    assert_true(profile_get_line(p, s.locations[frame], 0, &line));
    return line.name;
}

static void test_types(void **state)
{
    const struct reshape_type types[] = {{2, "inuse-space", NULL}, {0, NULL, "objects"}};
    const struct reshape_type none[] = {{3, NULL, NULL}};
    const int64_t a[3] = {1, 20, 300}, b[3] = {0, 40, 0};
    struct profile *p = new_heap(), *q = NULL;
    struct err e = {0};

    (void)state;
    put(p, 1, 2, a, NULL, 0);
    put(p, 5, 2, b, NULL, 0);
    assert_int_equal(reshape_types(p, types, 2, &q, &e), 0);
    assert_int_equal(profile_types(q), 2);
    assert_string_equal(profile_type_name(q, 0), "inuse-space");
    assert_string_equal(profile_type_unit(q, 0), "bytes");
    assert_string_equal(profile_type_name(q, 1), "alloc_objects");
    assert_string_equal(profile_type_unit(q, 1), "objects");
    assert_string_equal(profile_default_type(q), "inuse-space");
    assert_int_equal(profile_total(q, 0), 300);
    assert_int_equal(profile_total(q, 1), 1);
    assert_int_equal(profile_samples(q), 1); /* b is nothing in these types */
    assert_int_equal(profile_time_ns(q), 1000);
    assert_int_equal(profile_duration_ns(q), 500);
    assert_int_equal(profile_period(q), 512);
    assert_string_equal(profile_comment(q, 0), "of a test");
    profile_free(q);
    q = NULL;
    assert_int_equal(reshape_types(p, none, 1, &q, &e), -EINVAL);
    assert_null(q);
    assert_string_equal(e.text, "the profile has no sample type 4");
    profile_free(p);
}

static void test_depth(void **state)
{
    const int64_t v[3] = {1, 2, 3};
    struct profile *p = new_heap(), *q = NULL;
    struct profile_sample_view s;
    struct err e = {0};

    (void)state;
    put(p, 0, 10, v, NULL, 0);   /* at the bound */
    put(p, 100, 11, v, NULL, 0); /* one above */
    assert_int_equal(reshape_depth(p, 10, &q, &e), 0);
    assert_int_equal(profile_samples(q), 2);
    assert_true(profile_get_sample(q, 0, &s));
    assert_int_equal(s.depth, 10);
    assert_string_equal(leaf_name(q, 0, 9), "main.f9");
    assert_true(profile_get_sample(q, 1, &s));
    assert_int_equal(s.depth, 10);
    assert_string_equal(leaf_name(q, 1, 0), "main.f100");
    assert_string_equal(leaf_name(q, 1, 4), "main.f104");
    assert_string_equal(leaf_name(q, 1, 5), "[2 frames cut]");
    assert_string_equal(leaf_name(q, 1, 6), "main.f107");
    assert_string_equal(leaf_name(q, 1, 9), "main.f110");
    assert_int_equal(profile_total(q, 2), 6);
    assert_int_equal(profile_validate(q, &e), 0);
    profile_free(q);
    q = NULL;
    assert_int_equal(reshape_depth(p, 2, &q, &e), -EINVAL);
    assert_null(q);
    assert_int_equal(reshape_depth(p, 3, &q, &e), 0);
    assert_string_equal(leaf_name(q, 1, 0), "main.f100");
    assert_string_equal(leaf_name(q, 1, 1), "[9 frames cut]");
    assert_string_equal(leaf_name(q, 1, 2), "main.f110");
    profile_free(q);
    profile_free(p);
}

static void test_labels(void **state)
{
    const struct profile_label a[] = {{.key = "tenant", .str = "a"}, {.key = "bytes", .num = 8}};
    const struct profile_label b[] = {{.key = "tenant", .str = "b"}, {.key = "bytes", .num = 8}};
    const int64_t v[3] = {1, 2, 3};
    struct profile *p = new_heap(), *q = NULL;
    struct profile_label label;

    (void)state;
    put(p, 1, 1, v, a, 2);
    put(p, 1, 1, v, b, 2);
    assert_int_equal(reshape_strip_labels(p, false, true, &q, NULL), 0);
    assert_int_equal(profile_samples(q), 1); /* they are equal now */
    assert_int_equal(profile_total(q, 0), 2);
    assert_true(profile_get_label(q, 0, 0, &label));
    assert_string_equal(label.key, "bytes");
    assert_int_equal(label.num, 8);
    assert_false(profile_get_label(q, 0, 1, &label));
    profile_free(q);
    assert_int_equal(reshape_strip_labels(p, true, false, &q, NULL), 0);
    assert_int_equal(profile_samples(q), 2);
    assert_true(profile_get_label(q, 1, 0, &label));
    assert_string_equal(label.str, "b");
    profile_free(q);
    assert_int_equal(profile_samples(p), 2); /* the source is as it was */
    profile_free(p);
}

static void test_negative(void **state)
{
    const struct reshape_want want = {.drop_negative = true, .drop_zero = true};
    const int64_t good[3] = {1, 2, 3}, bad[3] = {5, 5, -1}, zero[3] = {0, 0, 0};
    struct profile *p = new_heap(), *q = NULL;

    (void)state;
    put(p, 1, 1, good, NULL, 0);
    put(p, 2, 1, bad, NULL, 0);
    put(p, 3, 1, zero, NULL, 0);
    assert_int_equal(reshape(p, &want, &q, NULL), 0);
    assert_int_equal(profile_samples(q), 1);
    assert_int_equal(profile_locations(q), 1); /* nothing of the others came along */
    assert_int_equal(profile_total(q, 0), 1);
    profile_free(q);
    profile_free(p);
}

struct parts {
    size_t count, samples, most_samples, most_bytes, stop_at;
    int64_t total;
};

static int count_part(void *ctx, struct profile *part)
{
    struct parts *c = ctx;
    struct buf out;

    buf_init(&out, PROFILE_MAX_BYTES);
    assert_int_equal(profile_encode(part, &out), 0);
    c->count++;
    c->samples += profile_samples(part);
    c->most_samples =
        profile_samples(part) > c->most_samples ? profile_samples(part) : c->most_samples;
    c->most_bytes = out.len > c->most_bytes ? out.len : c->most_bytes;
    c->total += profile_total(part, 1);
    buf_release(&out);
    return c->count == c->stop_at ? -ECANCELED : 0;
}

static void test_split(void **state)
{
    struct profile *p = new_heap(), *empty = new_heap();
    struct parts c = {0};
    struct err e = {0};
    struct buf out;
    size_t whole;

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        const int64_t v[3] = {1, (int64_t)i, 3};

        put(p, i * 7, 3, v, NULL, 0);
    }
    buf_init(&out, PROFILE_MAX_BYTES);
    assert_int_equal(profile_encode(p, &out), 0);
    whole = out.len;
    buf_release(&out);
    /* at the bounds: one part */
    assert_int_equal(reshape_split(p, 100, whole, count_part, &c, &e), 0);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.total, 4950);
    /* one sample too many */
    c = (struct parts){0};
    assert_int_equal(reshape_split(p, 99, whole, count_part, &c, &e), 0);
    assert_int_equal(c.count, 2);
    assert_int_equal(c.most_samples, 99);
    assert_int_equal(c.total, 4950);
    /* one byte too many */
    c = (struct parts){0};
    assert_int_equal(reshape_split(p, 100, whole - 1, count_part, &c, &e), 0);
    assert_true(c.count >= 2 && c.most_bytes <= whole - 1);
    assert_int_equal(c.samples, 100);
    assert_int_equal(c.total, 4950);
    c = (struct parts){0};
    assert_int_equal(reshape_split(p, 1000, 600, count_part, &c, &e), 0);
    assert_true(c.count > 10 && c.most_bytes <= 600);
    assert_int_equal(c.total, 4950);
    c = (struct parts){0};
    assert_int_equal(reshape_split(p, 1000, 60, count_part, &c, &e), -EFBIG);
    assert_int_equal(c.count, 0);
    c = (struct parts){.stop_at = 2};
    assert_int_equal(reshape_split(p, 10, whole, count_part, &c, &e), -ECANCELED);
    assert_int_equal(c.count, 2);
    /* nothing in it: still a profile */
    c = (struct parts){0};
    assert_int_equal(reshape_split(empty, 10, whole, count_part, &c, &e), 0);
    assert_int_equal(c.count, 1);
    profile_free(p);
    profile_free(empty);
}

/* What one look says of the encoded form. */
static struct glance look(struct profile *p)
{
    struct glance g = {0};
    struct buf out;

    buf_init(&out, PROFILE_MAX_BYTES);
    assert_int_equal(profile_encode(p, &out), 0);
    assert_int_equal(glance(out.data, out.len, &g), 0);
    buf_release(&out);
    return g;
}

static void test_glance(void **state)
{
    const struct profile_label number = {.key = "bytes", .num = 8};
    const struct profile_label text = {.key = "tenant", .str = "a"};
    const struct profile_label id = {.key = "local root span id", .num = 8};
    const int64_t v[3] = {1, 2, 3}, minus[3] = {1, -2, 3};
    struct profile *p = new_heap();
    struct glance g;

    (void)state;
    put(p, 1, 3, v, &number, 1);
    put(p, 2, 5, v, NULL, 0);
    g = look(p);
    assert_int_equal(g.samples, 2);
    assert_int_equal(g.depth, 5);
    assert_int_equal(g.time_ns, 1000);
    assert_int_equal(g.duration_ns, 500);
    assert_false(g.negative || g.texts || g.traces || g.dashed);
    put(p, 3, 1, v, &text, 1);
    g = look(p);
    assert_true(g.texts && !g.traces);
    put(p, 4, 1, v, &id, 1);
    g = look(p);
    assert_true(g.traces && !g.negative);
    put(p, 5, 1, minus, NULL, 0);
    g = look(p);
    assert_true(g.negative);
    profile_free(p);
    p = profile_new();
    assert_int_equal(profile_add_type(p, "wall-time", "nanoseconds"), 0);
    assert_true(look(p).dashed);
    profile_free(p);
    assert_int_equal(glance("\x0a\xff", 2, &g), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),  cmocka_unit_test(test_depth),
        cmocka_unit_test(test_labels), cmocka_unit_test(test_negative),
        cmocka_unit_test(test_split),  cmocka_unit_test(test_glance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
