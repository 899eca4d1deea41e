/*
 * profile/: build, bounds, encode, decode, merge, validate.
 */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "profile/pprof.pb-c.h"
#include "profile/profile.h"

enum {
    STACKS = 100000, /* the profile of the memory and time test */
};

/* ---- Helpers */

static struct profile *new_cpu(void)
{
    struct profile *p = profile_new();

    assert_non_null(p);
    assert_int_equal(profile_add_type(p, "samples", "count"), 0);
    assert_int_equal(profile_add_type(p, "cpu", "nanoseconds"), 0);
    assert_int_equal(profile_set_period(p, "cpu", "nanoseconds", 10000000), 0);
    profile_set_time(p, 1763737000000000000, 10000000000);
    return p;
}

static uint64_t put_place(struct profile *p, uint64_t mapping, uint64_t address, const char *name)
{
    struct profile_line line = {
        .function = profile_function(p, name, NULL, "/src/a.go", 10),
        .line = 12,
    };

    return profile_location(p, mapping, address, &line, 1);
}

static int put_sample(struct profile *p, uint64_t location, int64_t n)
{
    int64_t values[2] = {n, n * 10000000};

    return profile_sample(p, &location, 1, values, NULL, 0);
}

/* A profile with a bit of everything. `base` is where the program is loaded. */
static struct profile *example_at(uint64_t base)
{
    struct profile *p = new_cpu();
    struct profile_mapping unused = {.start = 0x10, .limit = 0x20, .filename = "/lib/unused"};
    struct profile_mapping app = {.start = base,
                                  .limit = base + 0x1000,
                                  .offset = 0x2000,
                                  .filename = "/app/server",
                                  .build_id = "abcd"};
    struct profile_mapping lib = {
        .start = 0x7f0000000000, .limit = 0x7f0000001000, .filename = "/lib/libc.so.6"};
    uint64_t m[3] = {profile_mapping(p, &app), profile_mapping(p, &unused),
                     profile_mapping(p, &lib)};
    struct profile_line inlined[2] = {
        {profile_function(p, "main.inner", NULL, "/src/a.go", 3), 4},
        {profile_function(p, "main.outer", "main.outer", "/src/b.go", 30), 44},
    };
    uint64_t stack[3] = {profile_location(p, m[2], 0x7f0000000010, NULL, 0),
                         profile_location(p, m[0], base + 0x10, inlined, 2),
                         put_place(p, m[0], base + 0x20, "main.main")};
    struct profile_label labels[3] = {{.key = "b", .str = "x"},
                                      {.key = "bytes", .num = -5, .unit = "bytes"},
                                      {.key = "a", .str = "1"}};
    int64_t values[2] = {2, 20000000};

    assert_int_equal(profile_sample(p, stack, 3, values, NULL, 0), 0);
    assert_int_equal(profile_sample(p, stack + 1, 2, values, labels, 3), 0);
    assert_int_equal(profile_sample(p, stack, 0, values, NULL, 0), 0);
    assert_int_equal(profile_add_comment(p, "mode=full"), 0);
    assert_int_equal(profile_set_default_type(p, "cpu"), 0);
    assert_false(profile_failed(p));
    return p;
}

static struct profile *example(void)
{
    return example_at(0x400000);
}

static void encode(struct profile *p, struct buf *out)
{
    buf_init(out, PROFILE_MAX_BYTES);
    assert_int_equal(profile_encode(p, out), 0);
    assert_false(out->failed);
}

static struct profile *decode(const struct buf *b)
{
    struct profile *p = NULL;
    struct err e = {0};

    if (profile_decode(b->data, b->len, &p, &e) != 0)
        fail_msg("%s", e.text);
    return p;
}

static void same_location(const struct profile *a, uint64_t ia, const struct profile *b,
                          uint64_t ib)
{
    struct profile_location_view va, vb;
    struct profile_line_view la, lb;
    struct profile_mapping ma, mb;

    assert_true(profile_get_location(a, ia, &va) && profile_get_location(b, ib, &vb));
    assert_int_equal(va.address, vb.address);
    assert_int_equal(va.lines, vb.lines);
    assert_int_equal(va.folded, vb.folded);
    for (size_t i = 0; i < va.lines; i++) {
        assert_true(profile_get_line(a, ia, i, &la) && profile_get_line(b, ib, i, &lb));
        assert_string_equal(la.name, lb.name);
        assert_string_equal(la.system_name, lb.system_name);
        assert_string_equal(la.filename, lb.filename);
        assert_int_equal(la.start_line, lb.start_line);
        assert_int_equal(la.line, lb.line);
        assert_int_equal(la.column, lb.column);
    }
    assert_int_equal(va.mapping == 0, vb.mapping == 0);
    if (va.mapping == 0)
        return;
    assert_true(profile_get_mapping(a, va.mapping, &ma) && profile_get_mapping(b, vb.mapping, &mb));
    assert_int_equal(ma.start, mb.start);
    assert_int_equal(ma.limit, mb.limit);
    assert_int_equal(ma.offset, mb.offset);
    assert_string_equal(ma.filename, mb.filename);
    assert_string_equal(ma.build_id, mb.build_id);
    assert_int_equal(ma.has_functions, mb.has_functions);
    assert_int_equal(ma.has_filenames, mb.has_filenames);
    assert_int_equal(ma.has_line_numbers, mb.has_line_numbers);
    assert_int_equal(ma.has_inline_frames, mb.has_inline_frames);
}

static void same_labels(const struct profile *a, const struct profile *b, size_t sample, size_t n)
{
    struct profile_label la, lb;

    for (size_t i = 0; i < n; i++) {
        assert_true(profile_get_label(a, sample, i, &la) && profile_get_label(b, sample, i, &lb));
        assert_string_equal(la.key, lb.key);
        assert_int_equal(la.str == NULL, lb.str == NULL);
        if (la.str)
            assert_string_equal(la.str, lb.str);
        assert_int_equal(la.num, lb.num);
        assert_string_equal(la.unit ? la.unit : "", lb.unit ? lb.unit : "");
    }
    assert_false(profile_get_label(a, sample, n, &la));
}

/* Everything that a reader can see is the same, sample by sample. */
static void same_profile(const struct profile *a, const struct profile *b)
{
    struct profile_sample_view sa, sb;

    assert_int_equal(profile_types(a), profile_types(b));
    for (size_t i = 0; i < profile_types(a); i++) {
        assert_string_equal(profile_type_name(a, i), profile_type_name(b, i));
        assert_string_equal(profile_type_unit(a, i), profile_type_unit(b, i));
    }
    assert_string_equal(profile_period_type(a), profile_period_type(b));
    assert_string_equal(profile_period_unit(a), profile_period_unit(b));
    assert_string_equal(profile_default_type(a), profile_default_type(b));
    assert_int_equal(profile_period(a), profile_period(b));
    assert_int_equal(profile_time_ns(a), profile_time_ns(b));
    assert_int_equal(profile_duration_ns(a), profile_duration_ns(b));
    assert_int_equal(profile_comments(a), profile_comments(b));
    for (size_t i = 0; i < profile_comments(a); i++)
        assert_string_equal(profile_comment(a, i), profile_comment(b, i));
    assert_int_equal(profile_samples(a), profile_samples(b));
    for (size_t i = 0; i < profile_samples(a); i++) {
        assert_true(profile_get_sample(a, i, &sa) && profile_get_sample(b, i, &sb));
        assert_int_equal(sa.depth, sb.depth);
        assert_int_equal(sa.labels, sb.labels);
        for (size_t j = 0; j < profile_types(a); j++)
            assert_int_equal(sa.values[j], sb.values[j]);
        for (size_t j = 0; j < sa.depth; j++)
            same_location(a, sa.locations[j], b, sb.locations[j]);
        same_labels(a, b, i, sa.labels);
    }
}

static Pprof__Profile *unpack(const struct buf *b)
{
    Pprof__Profile *m = pprof__profile__unpack(NULL, b->len, b->data);

    assert_non_null(m);
    return m;
}

static void free_message(Pprof__Profile *m)
{
    pprof__profile__free_unpacked(m, NULL);
}

static const char *text_of(const Pprof__Profile *m, int64_t index)
{
    assert_in_range(index, 0, m->n_string_table - 1);
    return m->string_table[index];
}

/* Decoding must fail with this code and a reason that has these words. */
static void refused(const void *data, size_t bytes, int code, const char *words)
{
    struct profile *p = NULL;
    struct err e = {0};

    assert_int_equal(profile_decode(data, bytes, &p, &e), code);
    assert_null(p);
    if (!strstr(e.text, words))
        fail_msg("\"%s\" has no \"%s\"", e.text, words);
}

/* The example as a message, to be changed, and what becomes of it. */
static void refused_message(Pprof__Profile *m, int code, const char *words)
{
    size_t bytes = pprof__profile__get_packed_size(m);
    unsigned char *data = malloc(bytes ? bytes : 1);

    assert_non_null(data);
    (void)pprof__profile__pack(m, data);
    refused(data, bytes, code, words);
    free(data);
}

/* ---- Building */

static void test_same_parts_same_ids(void **state)
{
    struct profile *p = new_cpu();
    struct profile_mapping m = {.start = 1, .limit = 2, .filename = "f"};
    struct profile_mapping flagged = {
        .start = 1, .limit = 2, .filename = "f", .build_id = "", .has_functions = true};

    (void)state;
    assert_int_equal(profile_mapping(p, &m), 1);
    assert_int_equal(profile_mapping(p, &flagged), 1);
    m.start = 0;
    assert_int_equal(profile_mapping(p, &m), 2);
    assert_int_equal(profile_function(p, "f", NULL, NULL, 0), 1);
    assert_int_equal(profile_function(p, "f", "f", "", 0), 1);
    assert_int_equal(profile_function(p, "f", "_f", "", 0), 2);
    assert_int_equal(profile_function(p, "f", NULL, NULL, 1), 3);
    assert_int_equal(put_place(p, 1, 16, "f"), 1);
    assert_int_equal(put_place(p, 1, 16, "f"), 1);
    assert_int_equal(put_place(p, 1, 17, "f"), 2);
    assert_int_equal(put_place(p, 0, 16, "f"), 3);
    assert_int_equal(profile_mappings(p), 2);
    assert_int_equal(profile_functions(p), 4);
    assert_int_equal(profile_locations(p), 3);
    assert_false(profile_failed(p));
    profile_free(p);
}

static void test_samples_are_summed(void **state)
{
    struct profile *p = new_cpu();
    uint64_t at = put_place(p, 0, 16, "f");
    struct profile_label ab[2] = {{.key = "a", .str = "1"}, {.key = "b", .str = "2"}};
    struct profile_label ba[2] = {{.key = "b", .str = "2"}, {.key = "a", .str = "1"}};
    int64_t values[2] = {1, 5};
    struct profile_sample_view view;

    (void)state;
    assert_int_equal(profile_sample(p, &at, 1, values, ab, 2), 0);
    assert_int_equal(profile_sample(p, &at, 1, values, ba, 2), 0);
    assert_int_equal(profile_sample(p, &at, 1, values, ab, 1), 0);
    assert_int_equal(profile_sample(p, &at, 1, values, NULL, 0), 0);
    assert_int_equal(profile_samples(p), 3);
    assert_true(profile_get_sample(p, 0, &view));
    assert_int_equal(view.values[0], 2);
    assert_int_equal(view.values[1], 10);
    assert_int_equal(view.labels, 2);
    assert_int_equal(profile_total(p, 0), 4);
    assert_int_equal(profile_total(p, 1), 20);
    assert_int_equal(profile_total(p, 2), 0);
    assert_false(profile_get_sample(p, 3, &view));
    profile_free(p);
}

static void test_overflow_is_said(void **state)
{
    struct profile *p = new_cpu();
    uint64_t at = put_place(p, 0, 16, "f");
    int64_t most[2] = {1, INT64_MAX}, one[2] = {1, 1}, least[2] = {0, INT64_MIN};
    uint64_t other = put_place(p, 0, 17, "g");
    struct profile_sample_view view;

    (void)state;
    assert_int_equal(profile_sample(p, &at, 1, most, NULL, 0), 0);
    assert_false(profile_failed(p));
    assert_int_equal(profile_sample(p, &at, 1, one, NULL, 0), -EOVERFLOW);
    assert_true(profile_failed(p));
    assert_true(profile_get_sample(p, 0, &view));
    assert_int_equal(view.values[0], 1); /* nothing was added */
    assert_int_equal(profile_sample(p, &other, 1, one, NULL, 0), 0);
    assert_int_equal(profile_total(p, 1), INT64_MAX);
    assert_int_equal(profile_sample(p, &at, 1, least, NULL, 0), 0);
    profile_free(p);
}

static void test_shape(void **state)
{
    struct profile *p = profile_new();
    char name[32];
    int64_t values[PROFILE_TYPES_MAX] = {0};

    (void)state;
    assert_int_equal(profile_sample(p, NULL, 0, values, NULL, 0), -EINVAL); /* no types */
    assert_int_equal(profile_add_type(p, "", "count"), -EINVAL);
    assert_int_equal(profile_add_type(p, NULL, NULL), -EINVAL);
    for (int i = 0; i < PROFILE_TYPES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        assert_int_equal(profile_add_type(p, name, NULL), 0);
    }
    assert_int_equal(profile_add_type(p, "more", ""), -E2BIG);
    assert_int_equal(profile_types(p), PROFILE_TYPES_MAX);
    assert_string_equal(profile_type_name(p, 3), "t3");
    assert_string_equal(profile_type_unit(p, 3), "");
    assert_null(profile_type_name(p, PROFILE_TYPES_MAX));
    assert_null(profile_type_unit(p, PROFILE_TYPES_MAX));
    assert_int_equal(profile_sample(p, NULL, 0, values, NULL, 0), 0);
    assert_false(profile_failed(p));
    profile_free(p);

    p = new_cpu();
    assert_int_equal(put_sample(p, put_place(p, 0, 1, "f"), 1), 0);
    assert_int_equal(profile_add_type(p, "late", "count"), -EINVAL);
    for (int i = 0; i < PROFILE_COMMENTS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "c%d", i);
        assert_int_equal(profile_add_comment(p, name), 0);
        assert_int_equal(profile_add_comment(p, name), 0); /* kept once */
    }
    assert_int_equal(profile_comments(p), PROFILE_COMMENTS_MAX);
    assert_int_equal(profile_add_comment(p, "more"), -E2BIG);
    assert_int_equal(profile_add_comment(p, ""), -EINVAL);
    assert_null(profile_comment(p, PROFILE_COMMENTS_MAX));
    profile_free(p);
    profile_free(NULL);
}

static void test_bad_ids(void **state)
{
    struct profile *p = new_cpu();
    struct profile_line line = {.function = 1, .line = 1};
    struct profile_label keyless = {.key = "", .str = "x"};
    uint64_t at;

    (void)state;
    assert_int_equal(profile_location(p, 0, 16, &line, 1), 0); /* no such function */
    assert_true(profile_failed(p));
    profile_free(p);
    p = new_cpu();
    assert_int_equal(profile_location(p, 1, 16, NULL, 0), 0); /* no such mapping */
    assert_true(profile_failed(p));
    profile_free(p);
    p = new_cpu();
    at = put_place(p, 0, 16, "f");
    assert_int_equal(put_sample(p, at, 1), 0);
    assert_int_equal(put_sample(p, at + 1, 1), -EINVAL);
    assert_int_equal(put_sample(p, 0, 1), -EINVAL);
    assert_int_equal(profile_sample(p, &at, 1, (int64_t[]){1, 1}, &keyless, 1), -EINVAL);
    assert_int_equal(profile_samples(p), 1);
    profile_free(p);
}

static void test_limits_of_a_sample(void **state)
{
    struct profile *p = new_cpu();
    uint64_t at = put_place(p, 0, 16, "f");
    uint64_t stack[PROFILE_DEPTH_MAX + 1];
    struct profile_label labels[PROFILE_LABELS_MAX + 1];
    char keys[PROFILE_LABELS_MAX + 1][8];
    int64_t values[2] = {1, 1};
    struct profile_sample_view view;
    struct buf b;

    (void)state;
    for (size_t i = 0; i <= PROFILE_DEPTH_MAX; i++)
        stack[i] = at;
    for (size_t i = 0; i <= PROFILE_LABELS_MAX; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "k%02zu", PROFILE_LABELS_MAX - i);
        labels[i] = (struct profile_label){.key = keys[i], .str = "v"};
    }
    assert_int_equal(
        profile_sample(p, stack, PROFILE_DEPTH_MAX, values, labels, PROFILE_LABELS_MAX), 0);
    assert_false(profile_failed(p));
    encode(p, &b);
    {
        struct profile *q = decode(&b);

        assert_true(profile_get_sample(q, 0, &view));
        assert_int_equal(view.depth, PROFILE_DEPTH_MAX);
        assert_int_equal(view.labels, PROFILE_LABELS_MAX);
        same_profile(p, q);
        profile_free(q);
    }
    buf_release(&b);
    assert_int_equal(profile_sample(p, stack, PROFILE_DEPTH_MAX + 1, values, NULL, 0), -E2BIG);
    assert_true(profile_failed(p));
    profile_free(p);
    p = new_cpu();
    at = put_place(p, 0, 16, "f");
    assert_int_equal(profile_sample(p, &at, 1, values, labels, PROFILE_LABELS_MAX + 1), -E2BIG);
    assert_true(profile_failed(p));
    profile_free(p);
}

static void test_limits_of_a_location(void **state)
{
    struct profile *p = new_cpu();
    struct profile_line lines[PROFILE_LINES_MAX + 1];
    struct profile_location_view view;
    uint64_t f = profile_function(p, "f", NULL, NULL, 1);
    struct profile *q;
    struct buf b;

    (void)state;
    for (size_t i = 0; i <= PROFILE_LINES_MAX; i++)
        lines[i] = (struct profile_line){.function = f, .line = (int64_t)i};
    assert_int_equal(profile_location(p, 0, 16, lines, PROFILE_LINES_MAX), 1);
    assert_false(profile_failed(p));
    encode(p, &b);
    q = decode(&b);
    assert_true(profile_get_location(q, 1, &view));
    assert_int_equal(view.lines, PROFILE_LINES_MAX);
    buf_release(&b);
    profile_free(q);
    assert_int_equal(profile_location(p, 0, 16, lines, PROFILE_LINES_MAX + 1), 0);
    assert_true(profile_failed(p));
    profile_free(p);
}

/* The table of mappings full to the last one; known ones are still found. */
static void test_limit_of_mappings(void **state)
{
    struct profile *p = new_cpu();
    struct profile_mapping m = {.filename = "f"};

    (void)state;
    for (m.start = 0; m.start < PROFILE_MAPPINGS_MAX; m.start++)
        assert_int_equal(profile_mapping(p, &m), m.start + 1);
    m.start = 5;
    assert_int_equal(profile_mapping(p, &m), 6);
    assert_false(profile_failed(p));
    m.start = PROFILE_MAPPINGS_MAX;
    assert_int_equal(profile_mapping(p, &m), 0);
    assert_true(profile_failed(p));
    profile_free(p);
}

/* The name of function 1 after it went in. */
static void name_becomes(const char *in, const char *out)
{
    struct profile *p = new_cpu();
    struct profile_line_view view;

    (void)put_place(p, 0, 16, in);
    assert_true(profile_get_line(p, 1, 0, &view));
    assert_string_equal(view.name, out);
    profile_free(p);
}

static void test_strings_are_repaired(void **state)
{
    (void)state;
    name_becomes("plain", "plain");
    name_becomes("Gr\xc3\xb6\xc3\x9f"
                 "e",
                 "Gr\xc3\xb6\xc3\x9f"
                 "e");
    name_becomes("a\xff"
                 "b",
                 "a\xef\xbf\xbd"
                 "b");
    name_becomes("\xc3", "\xef\xbf\xbd");
    name_becomes("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
    name_becomes("", "");
}

static void test_strings_are_cut(void **state)
{
    static char in[PROFILE_STRING_MAX_BYTES + 8];
    struct profile *p = new_cpu();
    struct profile_line_view view;

    (void)state;
    memset(in, 'x', PROFILE_STRING_MAX_BYTES);
    (void)put_place(p, 0, 1, in);
    assert_true(profile_get_line(p, 1, 0, &view));
    assert_int_equal(strlen(view.name), PROFILE_STRING_MAX_BYTES);
    in[PROFILE_STRING_MAX_BYTES] = 'x'; /* one above */
    (void)put_place(p, 0, 2, in);
    assert_true(profile_get_line(p, 2, 0, &view));
    assert_int_equal(strlen(view.name), PROFILE_STRING_MAX_BYTES);
    memcpy(in + PROFILE_STRING_MAX_BYTES - 1, "\xc3\xb6", 2); /* a character across the border */
    (void)put_place(p, 0, 3, in);
    assert_true(profile_get_line(p, 3, 0, &view));
    assert_int_equal(strlen(view.name), PROFILE_STRING_MAX_BYTES - 1);
    assert_false(profile_failed(p));
    profile_free(p);
}

/* ---- Encoding */

static void test_encoded_as_readers_want(void **state)
{
    struct profile *p = example();
    struct buf b;
    Pprof__Profile *m;

    (void)state;
    encode(p, &b);
    m = unpack(&b);
    assert_string_equal(m->string_table[0], "");
    assert_int_equal(m->n_sample_type, 2);
    assert_string_equal(text_of(m, m->sample_type[0]->type), "samples");
    assert_string_equal(text_of(m, m->sample_type[1]->unit), "nanoseconds");
    assert_non_null(m->period_type);
    assert_string_equal(text_of(m, m->period_type->type), "cpu");
    assert_int_equal(m->period, 10000000);
    assert_int_equal(m->time_nanos, 1763737000000000000);
    assert_int_equal(m->duration_nanos, 10000000000);
    assert_string_equal(text_of(m, m->default_sample_type), "cpu");
    assert_int_equal(m->n_comment, 1);
    assert_string_equal(text_of(m, m->comment[0]), "mode=full");
    assert_int_equal(m->n_mapping, 2); /* the unused one is gone */
    for (size_t i = 0; i < m->n_mapping; i++)
        assert_int_equal(m->mapping[i]->id, i + 1);
    for (size_t i = 0; i < m->n_location; i++)
        assert_int_equal(m->location[i]->id, i + 1);
    for (size_t i = 0; i < m->n_function; i++)
        assert_int_equal(m->function[i]->id, i + 1);
    assert_string_equal(text_of(m, m->mapping[0]->filename), "/app/server");
    assert_string_equal(text_of(m, m->mapping[0]->build_id), "abcd");
    assert_int_equal(m->location[0]->mapping_id, 2);
    assert_int_equal(m->location[1]->mapping_id, 1);
    assert_int_equal(m->n_sample, 3);
    assert_int_equal(m->sample[0]->n_location_id, 3);
    assert_int_equal(m->sample[0]->location_id[0], 1);
    assert_int_equal(m->sample[1]->n_label, 3);
    assert_string_equal(text_of(m, m->sample[1]->label[0]->key), "a");
    assert_string_equal(text_of(m, m->sample[1]->label[1]->key), "b");
    assert_int_equal(m->sample[1]->label[2]->num, -5);
    assert_string_equal(text_of(m, m->sample[1]->label[2]->num_unit), "bytes");
    free_message(m);
    buf_release(&b);
    profile_free(p);
}

static void test_empty_profile_has_a_period_type(void **state)
{
    struct profile *p = profile_new();
    struct buf b;
    Pprof__Profile *m;

    (void)state;
    encode(p, &b);
    m = unpack(&b);
    assert_non_null(m->period_type);
    assert_int_equal(m->n_string_table, 1);
    free_message(m);
    buf_release(&b);
    profile_free(p);
}

static void test_claims_are_honest(void **state)
{
    struct profile *p = example();
    struct profile_line unknown = {.line = 0};
    struct profile_mapping m;

    (void)state;
    profile_settle(p);
    assert_true(profile_get_mapping(p, 1, &m)); /* the program: everything is known */
    assert_true(m.has_functions && m.has_filenames && m.has_line_numbers && m.has_inline_frames);
    assert_true(profile_get_mapping(p, 3, &m)); /* the library: an address without lines */
    assert_false(m.has_functions || m.has_filenames || m.has_line_numbers || m.has_inline_frames);
    assert_true(profile_get_mapping(p, 2, &m)); /* without locations */
    assert_false(m.has_functions);
    /* a line without number, then a function without file, then an unknown address */
    unknown.function = profile_function(p, "main.x", NULL, "/src/x.go", 1);
    assert_int_not_equal(profile_location(p, 1, 0x400028, &unknown, 1), 0);
    profile_settle(p);
    assert_true(profile_get_mapping(p, 1, &m));
    assert_true(m.has_functions && m.has_filenames && m.has_inline_frames);
    assert_false(m.has_line_numbers);
    unknown.function = profile_function(p, "main.y", NULL, NULL, 1);
    assert_int_not_equal(profile_location(p, 1, 0x400029, &unknown, 1), 0);
    profile_settle(p);
    assert_true(profile_get_mapping(p, 1, &m));
    assert_true(m.has_functions && !m.has_filenames);
    assert_int_not_equal(profile_location(p, 1, 0x400030, NULL, 0), 0);
    profile_settle(p);
    assert_true(profile_get_mapping(p, 1, &m));
    assert_false(m.has_functions || m.has_inline_frames);
    assert_true(m.has_line_numbers); /* some: what is known is not to be looked up again */
    assert_false(profile_get_mapping(p, 4, &m));
    assert_false(profile_get_mapping(p, 0, &m));
    profile_free(p);
}

/* Readers take the first mapping for the program: it stays, used or not, and stays the first. */
static void test_the_program_is_the_first_mapping(void **state)
{
    struct profile_mapping app = {.start = 1, .limit = 2, .filename = "/app/java"};
    struct profile_mapping idle = {.start = 3, .limit = 4, .filename = "/lib/idle.so"};
    struct profile_mapping jit = {.start = 5, .limit = 6, .filename = ""};
    struct profile *p = new_cpu(), *q = NULL;
    struct buf b;
    Pprof__Profile *m;

    (void)state;
    assert_int_equal(profile_mapping(p, &app), 1);
    assert_int_equal(profile_mapping(p, &idle), 2);
    assert_int_equal(put_sample(p, profile_location(p, profile_mapping(p, &jit), 5, NULL, 0), 1),
                     0);
    encode(p, &b);
    m = unpack(&b);
    assert_int_equal(m->n_mapping, 2);
    assert_string_equal(text_of(m, m->mapping[0]->filename), "/app/java");
    assert_false(m->mapping[0]->has_functions);
    assert_int_equal(m->location[0]->mapping_id, 2);
    free_message(m);
    q = decode(&b);
    profile_settle(q);
    same_profile(p, q);
    profile_free(q);
    buf_release(&b);
    profile_free(p);
}

static void test_deterministic(void **state)
{
    struct profile *p = example(), *q = example();
    struct buf a, b, again;

    (void)state;
    encode(p, &a);
    encode(q, &b);
    encode(p, &again);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    assert_int_equal(a.len, again.len);
    assert_memory_equal(a.data, again.data, a.len);
    buf_release(&a);
    buf_release(&b);
    buf_release(&again);
    profile_free(p);
    profile_free(q);
}

static void test_encode_without_room(void **state)
{
    struct profile *p = example();
    struct buf whole, b;

    (void)state;
    encode(p, &whole);
    for (size_t max = 0; max < whole.len; max++) {
        buf_init(&b, max);
        assert_int_equal(profile_encode(p, &b), -ENOMEM);
        assert_true(b.failed);
        buf_release(&b);
    }
    buf_init(&b, whole.len);
    assert_int_equal(profile_encode(p, &b), 0);
    buf_release(&b);
    buf_release(&whole);
    profile_free(p);
}

/* ---- Decoding */

static void test_round_trip(void **state)
{
    struct profile *p = example(), *q;
    struct buf a, b;

    (void)state;
    encode(p, &a);
    q = decode(&a);
    same_profile(p, q);
    encode(q, &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    buf_release(&a);
    buf_release(&b);
    profile_free(p);
    profile_free(q);
}

/* What our own writer does not use must survive as well: columns, folded, drop_frames, any ids. */
static void test_foreign_profile(void **state)
{
    struct profile *p = example(), *q;
    struct profile_location_view location;
    struct profile_line_view line;
    struct buf a, b;
    Pprof__Profile *m;

    (void)state;
    encode(p, &a);
    m = unpack(&a);
    m->location[1]->is_folded = 1;
    m->location[1]->line[0]->column = 7;
    m->sample[1]->label[0]->num = 9; /* a text and a number: the text counts */
    m->sample[1]->label[0]->num_unit = m->sample_type[0]->type;
    m->drop_frames = m->keep_frames = m->doc_url = m->sample_type[0]->type;
    for (size_t i = 0; i < m->n_function; i++)
        m->function[i]->id = UINT64_MAX - m->function[i]->id;
    for (size_t i = 0; i < m->n_location; i++) {
        for (size_t j = 0; j < m->location[i]->n_line; j++)
            m->location[i]->line[j]->function_id =
                UINT64_MAX - m->location[i]->line[j]->function_id;
    }
    buf_init(&b, PROFILE_MAX_BYTES);
    assert_non_null(buf_reserve(&b, pprof__profile__get_packed_size(m)));
    b.len += pprof__profile__pack(m, b.data);
    free_message(m);
    q = decode(&b);
    assert_true(profile_get_location(q, 2, &location));
    assert_true(location.folded);
    assert_true(profile_get_line(q, 2, 0, &line));
    assert_int_equal(line.column, 7);
    assert_string_equal(line.name, "main.inner");
    buf_release(&a);
    encode(q, &a);
    m = unpack(&a);
    assert_string_equal(text_of(m, m->drop_frames), "samples");
    assert_string_equal(text_of(m, m->keep_frames), "samples");
    assert_string_equal(text_of(m, m->doc_url), "samples");
    assert_int_equal(m->location[1]->line[0]->column, 7);
    assert_int_equal(m->location[1]->is_folded, 1);
    assert_int_equal(m->location[0]->is_folded, 0);
    assert_int_equal(m->sample[1]->label[0]->num, 0);
    assert_int_equal(m->sample[1]->label[0]->num_unit, 0);
    assert_int_equal(m->function[0]->id, 1);
    free_message(m);
    buf_release(&a);
    buf_release(&b);
    profile_free(p);
    profile_free(q);
}

static void test_cut_anywhere(void **state)
{
    struct profile *p = example(), *q;
    struct buf b;

    (void)state;
    encode(p, &b);
    for (size_t n = 0; n < b.len; n++) {
        unsigned char *part = malloc(n ? n : 1); /* so that the sanitizer sees a byte too far */
        struct err e = {0};

        assert_non_null(part);
        memcpy(part, b.data, n);
        q = NULL;
        if (profile_decode(part, n, &q, &e) == 0)
            profile_free(q);
        else
            assert_true(e.code != 0 && e.text[0]);
        free(part);
    }
    buf_release(&b);
    profile_free(p);
}

static void test_bad_framing(void **state)
{
    static const unsigned char zero_field[] = {0x00, 0x00};
    static const unsigned char group[] = {0x0b};
    static const unsigned char seven[] = {0x0f};
    static const unsigned char too_long[] = {0x32, 0x05, 'a'};
    static const unsigned char endless[] = {0x48, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    static const unsigned char above_64[] = {0x48, 0xff, 0xff, 0xff, 0xff, 0xff,
                                             0xff, 0xff, 0xff, 0xff, 0x02};
    static const unsigned char wrong_wire[] = {0x30, 0x01};
    static const unsigned char first_string[] = {0x32, 0x01, 'a'};
    static const unsigned char no_strings[] = {0x48, 0x01};
    static const unsigned char huge_length[] = {0x32, 0xff, 0xff, 0xff, 0xff, 0xff,
                                                0xff, 0xff, 0xff, 0xff, 0x01};

    (void)state;
    refused("", 0, -EBADMSG, "empty");
    refused(zero_field, sizeof(zero_field), -EBADMSG, "no protobuf field at byte 0");
    refused(group, sizeof(group), -EBADMSG, "no protobuf field");
    refused(seven, sizeof(seven), -EBADMSG, "no protobuf field");
    refused(too_long, sizeof(too_long), -EBADMSG, "no protobuf field");
    refused(endless, sizeof(endless), -EBADMSG, "no protobuf field");
    refused(above_64, sizeof(above_64), -EBADMSG, "no protobuf field");
    refused(huge_length, sizeof(huge_length), -EBADMSG, "no protobuf field");
    refused(wrong_wire, sizeof(wrong_wire), -EBADMSG, "wrong wire type");
    refused(first_string, sizeof(first_string), -EBADMSG, "first string");
    refused(no_strings, sizeof(no_strings), -EBADMSG, "no string table");
}

static void test_too_many_bytes(void **state)
{
    (void)state;
    refused("x", (size_t)PROFILE_MAX_BYTES + 1, -E2BIG, "more than a profile may have");
}

/* Each changes one thing of the example that then must be refused. */
static void test_bad_references(void **state)
{
    struct profile *p = example();
    struct buf b;
    Pprof__Profile *m;

    (void)state;
    encode(p, &b);
#define REFUSED(code, words, ...)            \
    do {                                     \
        m = unpack(&b);                      \
        __VA_ARGS__;                         \
        refused_message(m, (code), (words)); \
        free_message(m);                     \
    } while (0)
    REFUSED(-EBADMSG, "there is no location with the id 99", m->sample[0]->location_id[1] = 99);
    REFUSED(-EBADMSG, "there is no location with the id 0", m->sample[0]->location_id[1] = 0);
    REFUSED(-EBADMSG, "1 values vs. 2 types", m->sample[1]->n_value = 1);
    REFUSED(-EBADMSG, "multiple locations with same id: 1", m->location[1]->id = 1);
    REFUSED(-EBADMSG, "multiple functions with same id: 1", m->function[1]->id = 1);
    REFUSED(-EBADMSG, "multiple mappings with same id: 1", m->mapping[1]->id = 1);
    REFUSED(-EBADMSG, "location has the id 0", m->location[0]->id = 0);
    REFUSED(-EBADMSG, "function has the id 0", m->function[0]->id = 0);
    REFUSED(-EBADMSG, "mapping has the id 0", m->mapping[0]->id = 0);
    REFUSED(-EBADMSG, "no mapping with the id 9", m->location[0]->mapping_id = 9);
    REFUSED(-EBADMSG, "no function with the id 9", m->location[1]->line[0]->function_id = 9);
    REFUSED(-EBADMSG, "no function with the id 0", m->location[1]->line[0]->function_id = 0);
    REFUSED(-EBADMSG, "string 99 is not", m->function[0]->name = 99);
    REFUSED(-EBADMSG, "string -1 is not", m->function[0]->system_name = -1);
    REFUSED(-EBADMSG, "string 99 is not", m->function[0]->filename = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->mapping[0]->filename = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->mapping[0]->build_id = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->sample[1]->label[0]->key = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->sample[1]->label[0]->str = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->sample[1]->label[0]->num_unit = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->sample_type[0]->type = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->sample_type[0]->unit = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->period_type->unit = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->comment[0] = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->default_sample_type = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->drop_frames = 99);
    REFUSED(-EBADMSG, "string 99 is not", m->keep_frames = 99);
    REFUSED(-EBADMSG, "string -9223372036854775808 is not", m->doc_url = INT64_MIN);
#undef REFUSED
    buf_release(&b);
    profile_free(p);
}

/* A table index equal to the table's length is one too many. */
static void test_string_index_at_the_end(void **state)
{
    struct profile *p = example(), *q;
    struct buf b;
    Pprof__Profile *m;

    (void)state;
    encode(p, &b);
    m = unpack(&b);
    m->doc_url = (int64_t)m->n_string_table;
    refused_message(m, -EBADMSG, "is not in the table");
    m->doc_url = (int64_t)m->n_string_table - 1;
    buf_clear(&b);
    assert_non_null(buf_reserve(&b, pprof__profile__get_packed_size(m)));
    b.len = pprof__profile__pack(m, b.data);
    q = decode(&b);
    profile_free(q);
    free_message(m);
    buf_release(&b);
    profile_free(p);
}

/* Counts one above the limits; the limits themselves pass (tests of the limits above). */
static void test_decode_limits(void **state)
{
    struct profile *p = example();
    uint64_t ids[PROFILE_DEPTH_MAX + 1];
    Pprof__Label label = PPROF__LABEL__INIT, *labels[PROFILE_LABELS_MAX + 1];
    Pprof__ValueType type = PPROF__VALUE_TYPE__INIT, *types[PROFILE_TYPES_MAX + 1];
    Pprof__Line line = PPROF__LINE__INIT, *lines[PROFILE_LINES_MAX + 1];
    Pprof__Profile *m, copy;
    Pprof__Sample sample;
    Pprof__Location location;
    struct buf b;

    (void)state;
    encode(p, &b);
    m = unpack(&b);
    for (size_t i = 0; i <= PROFILE_DEPTH_MAX; i++)
        ids[i] = 1;
    label.key = 1;
    for (size_t i = 0; i <= PROFILE_LABELS_MAX; i++)
        labels[i] = &label;
    for (size_t i = 0; i <= PROFILE_TYPES_MAX; i++)
        types[i] = &type;
    line.function_id = 1;
    for (size_t i = 0; i <= PROFILE_LINES_MAX; i++)
        lines[i] = &line;

    sample = *m->sample[0];
    sample.n_location_id = PROFILE_DEPTH_MAX + 1;
    sample.location_id = ids;
    copy = *m;
    copy.n_sample = 1;
    copy.sample = &(Pprof__Sample *){&sample};
    refused_message(&copy, -E2BIG, "1025 locations");
    sample = *m->sample[0];
    sample.n_label = PROFILE_LABELS_MAX + 1;
    sample.label = labels;
    refused_message(&copy, -E2BIG, "65 labels");
    copy = *m;
    copy.n_sample_type = PROFILE_TYPES_MAX + 1;
    copy.sample_type = types;
    refused_message(&copy, -E2BIG, "16 sample types");
    copy = *m;
    location = *m->location[0];
    location.n_line = PROFILE_LINES_MAX + 1;
    location.line = lines;
    copy.n_location = 1;
    copy.location = &(Pprof__Location *){&location};
    refused_message(&copy, -E2BIG, "257 lines");
    free_message(m);
    buf_release(&b);
    profile_free(p);
}

/* A sample far too large for what a sample may be is refused before it is unpacked. */
static void test_huge_message(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1024 * 1024);
    buf_put(&b, "\x32\x00", 2);         /* string_table[0] */
    buf_put(&b, "\x12\xff\xff\x3f", 4); /* a sample of 2^20 - 1 bytes */
    assert_non_null(buf_reserve(&b, 0xfffff - 8));
    b.max_bytes = 2 * 1024 * 1024;
    assert_non_null(buf_reserve(&b, 0xfffff));
    memset(b.data + b.len, 0x08, 0xfffff);
    b.len += 0xfffff;
    refused(b.data, b.len, -E2BIG, "more than 65536");
    buf_clear(&b);
    buf_put(&b, "\x32\x00", 2);
    buf_put(&b, "\x12\x80\x80\x04", 4); /* 65536 bytes of two-byte fields: many small pieces */
    assert_non_null(buf_reserve(&b, 65536));
    memset(b.data + b.len, 0x08, 65536);
    b.len += 65536;
    refused(b.data, b.len, -E2BIG, "bytes of memory");
    buf_release(&b);
}

static void test_overflow_in_a_file(void **state)
{
    struct profile *p = example();
    size_t labels;
    struct buf b;
    Pprof__Profile *m;

    (void)state;
    encode(p, &b);
    m = unpack(&b);
    m->sample[0]->value[0] = m->sample[1]->value[0] = INT64_MAX;
    m->sample[0]->n_location_id = m->sample[1]->n_location_id = 0;
    labels = m->sample[1]->n_label;
    m->sample[1]->n_label = 0;
    refused_message(m, -EOVERFLOW, "63 bits");
    m->sample[1]->n_label = labels; /* to be freed */
    free_message(m);
    buf_release(&b);
    profile_free(p);
}

static void test_nul_in_a_string(void **state)
{
    static const unsigned char file[] = {0x32, 0x00, 0x32, 0x03, 'a',  0x00, 'b', /* strings */
                                         0x2a, 0x04, 0x08, 0x01, 0x10, 0x01,      /* function */
                                         0x22, 0x06, 0x08, 0x01, 0x22, 0x02, 0x08, 0x01};
    struct buf b = {.data = (unsigned char *)(uintptr_t)file, .len = sizeof(file)};
    struct profile *p = decode(&b);
    struct profile_line_view line;

    (void)state;
    assert_true(profile_get_line(p, 1, 0, &line));
    assert_string_equal(line.name, "a\xef\xbf\xbd"
                                   "b");
    profile_free(p);
}

/* ---- Merging */

static void test_merge_with_a_copy(void **state)
{
    struct profile *p = example(), *q = example();
    struct err e = {0};

    (void)state;
    assert_int_equal(profile_merge(p, q, &e), 0);
    assert_int_equal(profile_samples(p), profile_samples(q));
    assert_int_equal(profile_locations(p), profile_locations(q));
    assert_int_equal(profile_mappings(p), profile_mappings(q));
    assert_int_equal(profile_total(p, 0), 2 * profile_total(q, 0));
    assert_int_equal(profile_total(p, 1), 2 * profile_total(q, 1));
    assert_int_equal(profile_duration_ns(p), 2 * profile_duration_ns(q));
    assert_int_equal(profile_comments(p), 1);
    assert_int_equal(profile_merge(q, q, &e), 0); /* with itself: the same */
    profile_settle(p);
    profile_settle(q);
    same_profile(p, q);
    assert_int_equal(profile_validate(p, &e), 0);
    profile_free(p);
    profile_free(q);
}

static void test_merge_into_an_empty_one(void **state)
{
    struct profile *p = profile_new(), *q = example();
    struct buf a, b;
    struct err e = {0};

    (void)state;
    assert_int_equal(profile_merge(p, q, &e), 0);
    profile_settle(p);
    profile_settle(q);
    same_profile(p, q);
    encode(p, &a);
    encode(q, &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    buf_release(&a);
    buf_release(&b);
    profile_free(p);
    profile_free(q);
}

/* Different tables: nothing that is alike has the same id in both. */
static void test_merge_different_tables(void **state)
{
    struct profile *p = new_cpu(), *q = new_cpu();
    struct profile_mapping first = {.start = 0x1000, .limit = 0x2000, .filename = "first"};
    struct profile_label labels[2] = {{.key = "k", .str = "v"},
                                      {.key = "n", .num = 3, .unit = "bytes"}};
    struct profile_label label;
    struct profile_sample_view view;
    struct profile_line_view line;
    struct profile_mapping m;
    struct profile_location_view where;
    uint64_t stack[2];
    struct err e = {0};

    (void)state;
    /* p: f then g; q: other strings first, then g calling f, labelled and not */
    (void)put_sample(p, put_place(p, 0, 0x10, "f"), 1);
    (void)put_sample(p, put_place(p, 0, 0x20, "g"), 2);
    assert_int_equal(profile_add_comment(q, "shifts every string"), 0);
    (void)profile_function(q, "shifts functions", NULL, "h.go", 1);
    stack[1] = put_place(q, profile_mapping(q, &first), 0x1020, "g");
    stack[0] = put_place(q, 0, 0x10, "f");
    assert_int_equal(profile_sample(q, stack, 2, (int64_t[]){4, 5}, labels, 2), 0);
    (void)put_sample(q, stack[0], 8);
    profile_set_time(q, 1, 5);
    assert_int_equal(profile_merge(p, q, &e), 0);

    assert_int_equal(profile_samples(p), 3);
    assert_true(profile_get_sample(p, 0, &view));
    assert_int_equal(view.values[0], 1 + 8);
    assert_true(profile_get_sample(p, 1, &view));
    assert_int_equal(view.values[0], 2);
    assert_true(profile_get_sample(p, 2, &view));
    assert_int_equal(view.depth, 2);
    assert_int_equal(view.values[1], 5);
    assert_int_equal(view.labels, 2);
    assert_true(profile_get_label(p, 2, 0, &label));
    assert_string_equal(label.key, "k");
    assert_string_equal(label.str, "v");
    assert_true(profile_get_label(p, 2, 1, &label));
    assert_string_equal(label.key, "n");
    assert_string_equal(label.unit, "bytes");
    assert_int_equal(label.num, 3);
    assert_true(profile_get_line(p, view.locations[0], 0, &line));
    assert_string_equal(line.name, "f");
    assert_true(profile_get_line(p, view.locations[1], 0, &line));
    assert_string_equal(line.name, "g");
    assert_true(profile_get_location(p, view.locations[1], &where));
    assert_int_equal(where.address, 0x1020);
    assert_true(profile_get_mapping(p, where.mapping, &m));
    assert_string_equal(m.filename, "first");
    assert_int_equal(profile_time_ns(p), 1);
    assert_int_equal(profile_duration_ns(p), 10000000005);
    assert_int_equal(profile_comments(p), 1);
    assert_int_equal(profile_validate(p, &e), 0);
    profile_free(p);
    profile_free(q);
}

/* The same program loaded elsewhere: one mapping, the addresses moved to the first one's. */
static void test_merge_moves_addresses(void **state)
{
    struct profile *p = example_at(0x400000), *q = example_at(0x55550000);
    struct err e = {0};

    (void)state;
    assert_int_equal(profile_merge(p, q, &e), 0);
    assert_int_equal(profile_mappings(p), 3);
    assert_int_equal(profile_locations(p), 3);
    assert_int_equal(profile_samples(p), 3);
    assert_int_equal(profile_total(p, 0), 12);
    profile_free(p);
    profile_free(q);
}

static void test_merge_of_different_kinds(void **state)
{
    struct profile *p = example(), *q = profile_new();
    struct err e = {0};

    (void)state;
    assert_int_equal(profile_add_type(q, "samples", "count"), 0);
    assert_int_equal(profile_merge(p, q, &e), -EINVAL);
    assert_non_null(strstr(e.text, "2 and 1 sample types"));
    assert_int_equal(profile_add_type(q, "cpu", "microseconds"), 0);
    assert_int_equal(profile_merge(p, q, &e), -EINVAL);
    assert_non_null(strstr(e.text, "sample type 2"));
    profile_free(q);
    q = new_cpu();
    assert_int_equal(profile_set_period(q, "wall", "nanoseconds", 1), 0);
    assert_int_equal(profile_merge(p, q, &e), -EINVAL);
    assert_non_null(strstr(e.text, "period type"));
    assert_false(profile_failed(p));
    assert_int_equal(profile_total(p, 0), 6);
    profile_free(p);
    profile_free(q);
}

static void test_merge_overflow(void **state)
{
    struct profile *p = new_cpu(), *q = new_cpu();
    uint64_t at = put_place(p, 0, 16, "f");
    struct err e = {0};

    (void)state;
    assert_int_equal(profile_sample(p, &at, 1, (int64_t[]){INT64_MAX, 0}, NULL, 0), 0);
    at = put_place(q, 0, 16, "f");
    assert_int_equal(profile_sample(q, &at, 1, (int64_t[]){1, 0}, NULL, 0), 0);
    assert_int_equal(profile_merge(p, q, &e), -EOVERFLOW);
    assert_true(profile_failed(p));
    assert_int_equal(profile_validate(p, &e), -EINVAL);
    profile_free(p);
    profile_free(q);
}

/* ---- Validating */

static void test_validate(void **state)
{
    struct profile *p = example();
    struct profile_mapping m = {.start = 1, .limit = 2, .filename = "x", .has_functions = true};
    struct err e = {0};

    (void)state;
    assert_int_equal(profile_validate(p, &e), 0);
    assert_int_equal(profile_set_default_type(p, "wall"), 0);
    assert_int_equal(profile_validate(p, &e), -EINVAL);
    assert_non_null(strstr(e.text, "default sample type"));
    assert_int_equal(profile_set_default_type(p, "samples"), 0);
    assert_int_equal(profile_set_period(p, "", "", 0), 0);
    assert_int_equal(profile_validate(p, &e), -EINVAL);
    assert_non_null(strstr(e.text, "period type"));
    assert_int_equal(profile_set_period(p, "cpu", "nanoseconds", 1), 0);
    profile_set_time(p, -1, 0);
    assert_int_equal(profile_validate(p, &e), -EINVAL);
    profile_set_time(p, 0, 0);
    assert_int_equal(profile_validate(p, &e), 0);
    assert_int_not_equal(profile_location(p, profile_mapping(p, &m), 1, NULL, 0), 0);
    assert_int_equal(profile_validate(p, &e), -EINVAL);
    assert_non_null(strstr(e.text, "has_functions"));
    profile_settle(p);
    assert_int_equal(profile_validate(p, &e), 0);
    profile_free(p);

    p = profile_new();
    assert_int_equal(profile_validate(p, &e), -EINVAL);
    assert_non_null(strstr(e.text, "no sample types"));
    assert_int_equal(profile_add_type(p, "cpu-time", "nanoseconds"), 0);
    assert_int_equal(profile_validate(p, NULL), -EINVAL);
    profile_free(p);
}

static void test_validate_label_key(void **state)
{
    struct profile *p = example(), *q = NULL;
    struct err e = {0};
    struct buf b;
    Pprof__Profile *m;

    (void)state;
    encode(p, &b);
    m = unpack(&b);
    m->sample[1]->label[0]->key = 0;
    buf_clear(&b);
    assert_non_null(buf_reserve(&b, pprof__profile__get_packed_size(m)));
    b.len = pprof__profile__pack(m, b.data);
    free_message(m);
    q = decode(&b);
    assert_int_equal(profile_validate(q, &e), -EINVAL);
    assert_non_null(strstr(e.text, "label without a key"));
    buf_release(&b);
    profile_free(p);
    profile_free(q);
}

/* ---- Size */

/* The sanitizers' allocator knows; without them the C library's does. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t held_bytes(void)
{
    struct mallinfo2 info;

    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* 100,000 different stacks of depth 32: what they need is the stacks, not mallocs. */
static void test_large_profile(void **state)
{
    struct profile *p = new_cpu(), *q;
    uint64_t places[4096], stack[32];
    size_t before = held_bytes(), after;
    uint64_t began = clock_mono_ns();
    struct buf b;

    (void)state;
    for (size_t i = 0; i < 4096; i++)
        places[i] = put_place(p, 0, 0x1000 + i, "main.f");
    for (size_t i = 0; i < STACKS; i++) {
        for (size_t j = 0; j < 32; j++)
            stack[j] = places[j < 4 ? (i >> (j * 12)) % 4096 : j];
        assert_int_equal(profile_sample(p, stack, 32, (int64_t[]){1, 10000000}, NULL, 0), 0);
    }
    after = held_bytes();
    assert_int_equal(profile_samples(p), STACKS);
    /* by count 20 MiB; tables grow by doubling, so up to twice that is reserved */
    assert_in_range(after - before, STACKS * 32 * sizeof(uint32_t), 40 * 1024 * 1024);
    encode(p, &b);
    q = decode(&b);
    assert_int_equal(profile_samples(q), STACKS);
    assert_int_equal(profile_total(q, 0), STACKS);
    assert_true(clock_mono_ns() - began < 60 * CLOCK_NS_PER_SEC);
    buf_release(&b);
    profile_free(p);
    profile_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_parts_same_ids),
        cmocka_unit_test(test_samples_are_summed),
        cmocka_unit_test(test_overflow_is_said),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_bad_ids),
        cmocka_unit_test(test_limits_of_a_sample),
        cmocka_unit_test(test_limits_of_a_location),
        cmocka_unit_test(test_limit_of_mappings),
        cmocka_unit_test(test_strings_are_repaired),
        cmocka_unit_test(test_strings_are_cut),
        cmocka_unit_test(test_encoded_as_readers_want),
        cmocka_unit_test(test_empty_profile_has_a_period_type),
        cmocka_unit_test(test_claims_are_honest),
        cmocka_unit_test(test_the_program_is_the_first_mapping),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_encode_without_room),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_foreign_profile),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_bad_framing),
        cmocka_unit_test(test_too_many_bytes),
        cmocka_unit_test(test_bad_references),
        cmocka_unit_test(test_string_index_at_the_end),
        cmocka_unit_test(test_decode_limits),
        cmocka_unit_test(test_huge_message),
        cmocka_unit_test(test_overflow_in_a_file),
        cmocka_unit_test(test_nul_in_a_string),
        cmocka_unit_test(test_merge_with_a_copy),
        cmocka_unit_test(test_merge_into_an_empty_one),
        cmocka_unit_test(test_merge_different_tables),
        cmocka_unit_test(test_merge_moves_addresses),
        cmocka_unit_test(test_merge_of_different_kinds),
        cmocka_unit_test(test_merge_overflow),
        cmocka_unit_test(test_validate),
        cmocka_unit_test(test_validate_label_key),
        cmocka_unit_test(test_large_profile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
