/*
 * profile/policy.c and correlate.c: what may be told of a target.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profile/correlate.h"
#include "profile/policy.h"

static struct profile *new_cpu(void)
{
    const struct profile_mapping app = {
        .start = 0x1000, .limit = 0x9000, .filename = "/home/anna/app", .build_id = "abcd"};
    struct profile *p = profile_new();

    assert_non_null(p);
    assert_int_equal(profile_add_type(p, "samples", "count"), 0);
    assert_int_equal(profile_set_period(p, "cpu", "nanoseconds", 1), 0);
    assert_int_equal(profile_mapping(p, &app), 1);
    return p;
}

static void put(struct profile *p, const char *name, const char *file,
                const struct profile_label *labels, size_t n)
{
    const struct profile_line line = {profile_function(p, name, NULL, file, 1), 2};
    const uint64_t at = profile_location(p, 1, 0x1000, &line, 1);
    const int64_t one = 1;

    assert_int_equal(profile_sample(p, &at, 1, &one, labels, n), 0);
}

static struct profile *apply(const struct policy_want *want, const struct profile *p,
                             struct policy_report *report)
{
    struct policy *policy = NULL;
    struct profile *q = NULL;
    struct err e = {0};

    assert_int_equal(policy_new(want, &policy, &e), 0);
    assert_int_equal(policy_apply(policy, p, &q, report, &e), 0);
    policy_free(policy);
    return q;
}

static bool has_label(const struct profile *p, const char *key)
{
    struct profile_label label;

    for (size_t i = 0; i < profile_samples(p); i++) {
        for (size_t j = 0; profile_get_label(p, i, j, &label); j++) {
            if (strcmp(label.key, key) == 0)
                return true;
        }
    }
    return false;
}

static void test_keep_drop(void **state)
{
    static const char *const keep[] = {"tenant", "user"}, *const drop[] = {"user"};
    const struct profile_label labels[] = {
        {.key = "tenant", .str = "a"}, {.key = "user", .str = "u"}, {.key = "other", .num = 1}};
    const struct policy_want nothing = {0},
                             want = {.keep = keep, .keep_count = 2, .drop = drop, .drop_count = 1};
    struct profile *p = new_cpu(), *q;
    struct policy_report r;

    (void)state;
    put(p, "main.f", "/src/a.go", labels, 3);
    q = apply(&nothing, p, &r);
    assert_true(has_label(q, "tenant") && has_label(q, "user") && has_label(q, "other"));
    assert_int_equal(r.labels_dropped, 0);
    profile_free(q);
    q = apply(&want, p, &r);
    assert_true(has_label(q, "tenant") && !has_label(q, "user") && !has_label(q, "other"));
    assert_int_equal(r.labels_dropped, 2);
    assert_int_equal(profile_total(q, 0), 1);
    profile_free(q);
    profile_free(p);
}

/* ${n} different values of a key. */
static struct profile *many(const char *key, unsigned n, bool number)
{
    struct profile *p = new_cpu();

    for (unsigned i = 0; i < n; i++) {
        char text[16];
        struct profile_label l = {.key = key, .str = number ? NULL : text, .num = i + 1};

        (void)snprintf(text, sizeof(text), "v%u", i);
        put(p, "main.f", "/src/a.go", &l, 1);
        put(p, "main.g", "/src/a.go", &l, 1); /* the same value again is none more */
    }
    return p;
}

static void test_max_values(void **state)
{
    const struct policy_want want = {.max_values = 5};
    struct profile *p = many("request", 5, false), *q;
    struct policy_report r;

    (void)state;
    q = apply(&want, p, &r); /* at the bound */
    assert_int_equal(profile_samples(q), 10);
    assert_int_equal(r.keys_count, 0);
    profile_free(q);
    profile_free(p);
    p = many("request", 6, false); /* one above */
    q = apply(&want, p, &r);
    assert_int_equal(profile_samples(q), 2);
    assert_int_equal(profile_total(q, 0), 12);
    assert_int_equal(r.keys_count, 1);
    assert_string_equal(r.keys[0], "request");
    assert_int_equal(r.labels_dropped, 12);
    assert_string_equal(profile_comment(q, 0),
                        "label request dropped: more than 5 different values");
    profile_free(q);
    profile_free(p);
    p = many("worker", 6, true);
    q = apply(&want, p, &r);
    assert_int_equal(r.keys_count, 1); /* numbers are values too */
    profile_free(q);
    profile_free(p);
    p = many("bytes", 6, true);
    q = apply(&want, p, &r);
    assert_int_equal(profile_samples(q), 12); /* of a heap profile */
    profile_free(q);
    profile_free(p);
    p = many("span_id", 6, false);
    q = apply(&want, p, &r);
    assert_int_equal(profile_samples(q), 12);
    profile_free(q);
    profile_free(p);
}

static const char *name_of(const struct profile *p, size_t location)
{
    struct profile_line_view line;

    assert_true(profile_get_line(p, location, 0, &line));
    return line.name;
}

static void test_redact(void **state)
{
    const struct policy_rule rules[] = {
        {"/home/[a-z]+", "~", POLICY_IN_FILES},
        {"[0-9]{4,}", "N", POLICY_IN_NAMES | POLICY_IN_LABELS},
        {"^main\\.", "m.", POLICY_IN_NAMES},
    };
    const struct policy_want want = {.rules = rules, .rules_count = 3};
    const struct profile_label labels[] = {{.key = "card1234", .str = "4711 4712 47"}};
    struct profile *p = new_cpu(), *q;
    struct profile_line_view line;
    struct profile_mapping m;
    struct profile_label label;
    struct policy_report r;

    (void)state;
    put(p, "main.main.f12345", "/home/anna/a.go", labels, 1);
    assert_int_equal(profile_add_comment(p, "of /home/bob and 12345"), 0);
    q = apply(&want, p, &r);
    assert_string_equal(name_of(q, 1), "m.main.fN");
    assert_true(profile_get_line(q, 1, 0, &line));
    assert_string_equal(line.system_name, "m.main.fN");
    assert_string_equal(line.filename, "~/a.go");
    assert_true(profile_get_mapping(q, 1, &m));
    assert_string_equal(m.filename, "~/app");
    assert_string_equal(m.build_id, "abcd");
    assert_true(profile_get_label(q, 0, 0, &label));
    assert_string_equal(label.key, "card1234");
    assert_string_equal(label.str, "N N 47");
    assert_string_equal(profile_comment(q, 0), "of ~ and N");
    assert_true(r.texts_redacted >= 5);
    /* nothing of what was redacted is anywhere in the encoded form */
    {
        struct buf out;

        buf_init(&out, PROFILE_MAX_BYTES);
        assert_int_equal(profile_encode(q, &out), 0);
        assert_null(memmem(out.data, out.len, "anna", 4));
        assert_null(memmem(out.data, out.len, "4711", 4));
        buf_release(&out);
    }
    profile_free(q);
    profile_free(p);
}

/* Matches that are empty, replacements by nothing, and names that become equal. */
static void test_redact_edges(void **state)
{
    const struct policy_rule rules[] = {{"x*", "-", POLICY_IN_NAMES},
                                        {"^secret$", "", POLICY_IN_LABELS}};
    const struct policy_want want = {.rules = rules, .rules_count = 2};
    const struct profile_label secret = {.key = "k", .str = "secret"};
    struct profile *p = new_cpu(), *q;
    struct policy_report r;

    (void)state;
    put(p, "axxb", "/a", &secret, 1);
    put(p, "axb", "/a", NULL, 0);
    q = apply(&want, p, &r);
    assert_int_equal(profile_samples(q), 1);
    assert_int_equal(profile_total(q, 0), 2);
    assert_string_equal(name_of(q, 1), "a-b");
    assert_false(has_label(q, "k"));
    assert_int_equal(r.labels_dropped, 1);
    profile_free(q);
    profile_free(p);
}

static void test_long_names(void **state)
{
    const struct policy_rule rules[] = {{"a*b", "", POLICY_IN_NAMES}};
    const struct policy_want want = {.rules = rules, .rules_count = 1};
    char name[POLICY_TEXT_MAX_BYTES + 2];
    struct profile *p = new_cpu(), *q;
    struct policy_report r;

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    put(p, name, "/a", NULL, 0); /* one above the bound: cut */
    q = apply(&want, p, &r);
    assert_int_equal(strlen(name_of(q, 1)), POLICY_TEXT_MAX_BYTES);
    assert_int_equal(r.texts_redacted, 1); /* the same string is name and system name */
    profile_free(q);
    profile_free(p);
    name[POLICY_TEXT_MAX_BYTES] = '\0';
    p = new_cpu();
    put(p, name, "/a", NULL, 0);
    q = apply(&want, p, &r);
    assert_int_equal(strlen(name_of(q, 1)), POLICY_TEXT_MAX_BYTES);
    assert_int_equal(r.texts_redacted, 0);
    profile_free(q);
    profile_free(p);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"(a)\\1", "([", "", "[^]]x(a)\\2"};
    static const char *const good[] = {"[\\1]", "a\\.b", "\\\\1", "[^]]*"};
    char key[POLICY_KEY_BYTES + 1];
    const char *keys[POLICY_KEYS_MAX + 1];
    struct policy_want want = {.keep = keys, .keep_count = POLICY_KEYS_MAX};
    struct policy *policy = NULL;
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct policy_rule rule = {bad[i], "", POLICY_IN_NAMES};
        const struct policy_want w = {.rules = &rule, .rules_count = 1};

        assert_int_equal(policy_new(&w, &policy, &e), -EINVAL);
        assert_non_null(strstr(e.text, "redact"));
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const struct policy_rule rule = {good[i], "", POLICY_IN_NAMES};
        const struct policy_want w = {.rules = &rule, .rules_count = 1};

        assert_int_equal(policy_new(&w, &policy, &e), 0);
        policy_free(policy);
    }
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    for (size_t i = 0; i <= POLICY_KEYS_MAX; i++)
        keys[i] = key + 1; /* 63 bytes */
    assert_int_equal(policy_new(&want, &policy, &e), 0);
    policy_free(policy);
    want.keep_count++;
    assert_int_equal(policy_new(&want, &policy, &e), -EINVAL);
    want.keep_count = 1;
    keys[0] = key; /* 64 bytes */
    assert_int_equal(policy_new(&want, &policy, &e), -EINVAL);
    policy_free(NULL);
}

static void test_utf8(void **state)
{
    const struct policy_want nothing = {0};
    struct profile *p = new_cpu(), *q;
    struct policy_report r;

    (void)state;
    put(p, "main.\xff", "/a", NULL, 0);
    put(p, "main.\xc3\xa9", "/a", NULL, 0);
    q = apply(&nothing, p, &r);
    assert_int_equal(r.texts_repaired, 1);
    assert_string_equal(name_of(q, 1), "main.\xef\xbf\xbd");
    assert_string_equal(name_of(q, 2), "main.\xc3\xa9");
    profile_free(q);
    profile_free(p);
}

static void test_correlate(void **state)
{
    static const char trace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
    const struct profile_label good[] = {{.key = "otel.traceid", .str = trace},
                                         {.key = "span id", .str = "67667974448284343"},
                                         {.key = "local root span id", .num = 255}};
    const struct profile_label bad[] = {
        {.key = "trace_id", .str = "4bf92f3577b34da6a3ce929d0e0e473"},
        {.key = "trace_id", .str = "00000000000000000000000000000000"},
        {.key = "span_id", .str = "00f067aa0ba902b"},
        {.key = "span_id", .str = "00f067aa0ba902bz"},
        {.key = "span_id", .num = 5},
        {.key = "span id", .str = "18446744073709551616"},
        {.key = "span id", .str = "0"}};
    const struct profile_label other = {.key = "tenant", .str = "a"};
    char hex[CORRELATE_TRACE_HEX], span[CORRELATE_SPAN_HEX];
    struct correlate c = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(correlate_take(&c, &bad[i])); /* it is one, but says nothing */
    assert_false(c.has_trace || c.has_span || c.has_root);
    assert_false(correlate_take(&c, &other));
    for (size_t i = 0; i < 3; i++)
        assert_true(correlate_take(&c, &good[i]));
    assert_true(c.has_trace && c.has_span && c.has_root);
    correlate_trace_hex(&c, hex);
    assert_string_equal(hex, trace);
    correlate_span_hex(c.span, span);
    assert_string_equal(span, "00f067aa0ba902b7");
    correlate_span_hex(c.root, span);
    assert_string_equal(span, "00000000000000ff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_drop),  cmocka_unit_test(test_max_values),
        cmocka_unit_test(test_redact),     cmocka_unit_test(test_redact_edges),
        cmocka_unit_test(test_long_names), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_utf8),       cmocka_unit_test(test_correlate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
