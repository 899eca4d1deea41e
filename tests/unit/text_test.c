/*
 * profile/text: folded, speedscope, top.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "profile/text.h"

static struct profile *new_cpu(void)
{
    struct profile *p = profile_new();

    assert_non_null(p);
    assert_int_equal(profile_add_type(p, "samples", "count"), 0);
    assert_int_equal(profile_add_type(p, "cpu", "nanoseconds"), 0);
    return p;
}

static uint64_t place(struct profile *p, const char *name)
{
    struct profile_line line = {profile_function(p, name, NULL, "/src/a.go", 7), 9};

    return profile_location(p, 0, profile_locations(p) + 1, &line, 1);
}

static void sample(struct profile *p, const uint64_t *stack, size_t depth, int64_t n)
{
    assert_int_equal(profile_sample(p, stack, depth, (int64_t[]){n, n * 10000000}, NULL, 0), 0);
}

/* main calls work calls leaf (5), main calls leaf (2), work alone (1), work inlined into main (3).
 */
static struct profile *example(void)
{
    struct profile *p = new_cpu();
    uint64_t leaf = place(p, "main.leaf"), work = place(p, "main.work");
    uint64_t start = place(p, "main.main");
    struct profile_line lines[2] = {{profile_function(p, "main.work", NULL, "/src/a.go", 7), 9},
                                    {profile_function(p, "main.main", NULL, "/src/a.go", 7), 20}};
    uint64_t inlined = profile_location(p, 0, 0x99, lines, 2);
    struct profile_label label = {.key = "k", .str = "v"};

    sample(p, (uint64_t[]){leaf, work, start}, 3, 4);
    sample(p, (uint64_t[]){leaf, start}, 2, 2);
    sample(p, (uint64_t[]){work}, 1, 1);
    sample(p, (uint64_t[]){inlined}, 1, 3);
    assert_int_equal(
        profile_sample(p, (uint64_t[]){leaf, work, start}, 3, (int64_t[]){1, 10000000}, &label, 1),
        0);
    return p;
}

static struct buf new_out(void)
{
    struct buf b;

    buf_init(&b, 1024 * 1024);
    return b;
}

static void has(struct buf *b, const char *words)
{
    if (!strstr(buf_text(b), words))
        fail_msg("no %s in\n%s", words, buf_text(b));
}

/* ---- Folded */

static void test_folded(void **state)
{
    struct profile *p = example();
    struct buf b = new_out();

    (void)state;
    assert_int_equal(text_folded(p, 0, &b), 0);
    assert_string_equal(buf_text(&b), "main.main;main.leaf 2\n"
                                      "main.main;main.work 3\n"
                                      "main.main;main.work;main.leaf 5\n"
                                      "main.work 1\n");
    buf_clear(&b);
    assert_int_equal(text_folded(p, 1, &b), 0);
    has(&b, "main.main;main.work;main.leaf 50000000\n");
    assert_int_equal(text_folded(p, 2, &b), -EINVAL);
    buf_release(&b);
    profile_free(p);
}

static void test_folded_names_are_safe(void **state)
{
    struct profile *p = new_cpu();
    uint64_t a = place(p, "func(int, string);x"), b = place(p, "two\nlines\t\x7f"),
             c = place(p, "");
    struct buf out = new_out();

    (void)state;
    sample(p, (uint64_t[]){c, b, a}, 3, 1);
    sample(p, NULL, 0, 2);
    assert_int_equal(text_folded(p, 0, &out), 0);
    assert_string_equal(buf_text(&out), "[unknown] 2\n"
                                        "func(int,_string):x;two_lines__;[unknown] 1\n");
    buf_release(&out);
    profile_free(p);
}

static void test_folded_addresses(void **state)
{
    struct profile *p = new_cpu();
    struct profile_mapping lib = {
        .start = 0x7000, .limit = 0x8000, .offset = 0x1000, .filename = "/usr/lib/libc.so.6"};
    uint64_t in_lib = profile_location(p, profile_mapping(p, &lib), 0x7010, NULL, 0);
    uint64_t nowhere = profile_location(p, 0, 0xabc, NULL, 0);
    uint64_t nothing = profile_location(p, 0, 0, NULL, 0);
    struct buf out = new_out();

    (void)state;
    sample(p, (uint64_t[]){in_lib, nowhere, nothing}, 3, 1);
    assert_int_equal(text_folded(p, 0, &out), 0);
    assert_string_equal(buf_text(&out), "[unknown];0xabc;libc.so.6+0x1010 1\n");
    buf_release(&out);
    profile_free(p);
}

static void test_folded_sums_to_nothing(void **state)
{
    struct profile *p = new_cpu();
    uint64_t a = place(p, "f"), b = place(p, "f"); /* two addresses, one name */
    struct buf out = new_out();

    (void)state;
    sample(p, &a, 1, 5);
    sample(p, &b, 1, -5);
    assert_int_equal(text_folded(p, 0, &out), 0);
    assert_string_equal(buf_text(&out), "");
    sample(p, &b, 1, -1);
    assert_int_equal(text_folded(p, 0, &out), 0);
    assert_string_equal(buf_text(&out), "f -1\n");
    buf_release(&out);
    profile_free(p);
}

/* Names of 64 KiB, 64 of them: 4 MiB and the separators pass the bound; 63 do not. */
static void test_folded_stack_limit(void **state)
{
    static char name[PROFILE_STRING_MAX_BYTES + 1];
    struct profile *p = new_cpu();
    uint64_t stack[64], at;
    struct buf out;

    (void)state;
    memset(name, 'x', PROFILE_STRING_MAX_BYTES);
    at = place(p, name);
    for (size_t i = 0; i < 64; i++)
        stack[i] = at;
    sample(p, stack, 63, 1);
    buf_init(&out, 16 * 1024 * 1024);
    assert_int_equal(text_folded(p, 0, &out), 0);
    sample(p, stack, 64, 1);
    assert_int_equal(text_folded(p, 0, &out), -E2BIG);
    buf_release(&out);
    profile_free(p);
}

static void test_no_room(void **state)
{
    struct profile *p = example();
    struct buf out;

    (void)state;
    buf_init(&out, 20);
    assert_int_equal(text_folded(p, 0, &out), -ENOMEM);
    buf_clear(&out);
    assert_int_equal(text_speedscope(p, 0, "x", &out), -ENOMEM);
    buf_clear(&out);
    assert_int_equal(text_top(p, 0, 0, &out), -ENOMEM);
    buf_release(&out);
    profile_free(p);
}

/* ---- Speedscope */

static void test_speedscope(void **state)
{
    struct profile *p = example();
    struct buf b = new_out();

    (void)state;
    assert_int_equal(text_speedscope(p, 1, "server \"x\"", &b), 0);
    assert_string_equal(
        buf_text(&b),
        "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
        "\"shared\":{\"frames\":["
        "{\"name\":\"main.leaf\",\"file\":\"/src/a.go\",\"line\":7},"
        "{\"name\":\"main.work\",\"file\":\"/src/a.go\",\"line\":7},"
        "{\"name\":\"main.main\",\"file\":\"/src/a.go\",\"line\":7}]},"
        "\"profiles\":[{\"type\":\"sampled\",\"name\":\"server \\\"x\\\"\","
        "\"unit\":\"nanoseconds\",\"startValue\":0,"
        "\"samples\":[[2,1,0],[2,0],[1],[2,1],[2,1,0]],"
        "\"weights\":[40000000,20000000,10000000,30000000,10000000],"
        "\"endValue\":110000000}],"
        "\"name\":\"server \\\"x\\\"\",\"activeProfileIndex\":0,\"exporter\":\"pillion\"}\n");
    buf_clear(&b);
    assert_int_equal(text_speedscope(p, 0, NULL, &b), 0);
    has(&b, "\"unit\":\"none\"");
    has(&b, "\"name\":\"samples\"");
    assert_int_equal(text_speedscope(p, 2, NULL, &b), -EINVAL);
    buf_release(&b);
    profile_free(p);
}

static void test_speedscope_weights_are_positive(void **state)
{
    struct profile *p = new_cpu();
    uint64_t a = place(p, "f"), b = place(p, "g");
    struct buf out = new_out();

    (void)state;
    sample(p, &a, 1, -3);
    sample(p, &b, 1, 0);
    assert_int_equal(text_speedscope(p, 0, "x", &out), 0);
    has(&out, "\"samples\":[],\"weights\":[],\"endValue\":0");
    buf_release(&out);
    profile_free(p);
}

/* ---- Top */

static void test_top(void **state)
{
    struct profile *p = example();
    struct buf b = new_out();

    (void)state;
    profile_set_time(p, 1763737445000000000, 1000000000);
    assert_int_equal(text_top(p, 1, 0, &b), 0);
    assert_string_equal(buf_text(&b), "Type: cpu\n"
                                      "Time: 2025-11-21 15:04:05 UTC\n"
                                      "Duration: 1.00s, Total samples = 0.11s (11.00%)\n"
                                      "Showing nodes accounting for 0.11s, 100% of 0.11s total\n"
                                      "      flat  flat%   sum%        cum   cum%\n"
                                      "     0.07s 63.64% 63.64%      0.07s 63.64%  main.leaf\n"
                                      "     0.04s 36.36%   100%      0.09s 81.82%  main.work\n"
                                      "         0     0%   100%      0.10s 90.91%  main.main\n");
    buf_clear(&b);
    assert_int_equal(text_top(p, 0, 2, &b), 0);
    has(&b, "Showing top 2 nodes out of 3\n");
    has(&b, "         7 63.64% 63.64%          7 63.64%  main.leaf\n");
    assert_null(strstr(buf_text(&b), "main.main"));
    assert_int_equal(text_top(p, 2, 0, &b), -EINVAL);
    buf_release(&b);
    profile_free(p);
}

static void test_top_counts_recursion_once(void **state)
{
    struct profile *p = new_cpu();
    uint64_t f = place(p, "f"), again = place(p, "f");
    struct buf out = new_out();

    (void)state;
    sample(p, (uint64_t[]){f, again, f}, 3, 4);
    assert_int_equal(text_top(p, 0, 0, &out), 0);
    has(&out, "         4   100%   100%          4   100%  f\n");
    buf_release(&out);
    profile_free(p);
}

static void test_top_small_and_none(void **state)
{
    struct profile *p = new_cpu();
    struct buf out = new_out();
    uint64_t f = place(p, "bad\x1b[31m\xc2\x9b"
                          "31m\xc3\xa4");

    (void)state;
    assert_int_equal(text_top(p, 1, 0, &out), 0); /* no samples */
    has(&out, "Showing nodes accounting for 0, 0% of 0 total\n");
    buf_clear(&out);
    assert_int_equal(profile_sample(p, &f, 1, (int64_t[]){1, 1500}, NULL, 0), 0);
    assert_int_equal(text_top(p, 1, 0, &out), 0);
    has(&out, "    1.50us   100%   100%     1.50us   100%  bad?[31m?31m\xc3\xa4\n");
    buf_release(&out);
    profile_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folded),
        cmocka_unit_test(test_folded_names_are_safe),
        cmocka_unit_test(test_folded_addresses),
        cmocka_unit_test(test_folded_sums_to_nothing),
        cmocka_unit_test(test_folded_stack_limit),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_speedscope),
        cmocka_unit_test(test_speedscope_weights_are_positive),
        cmocka_unit_test(test_top),
        cmocka_unit_test(test_top_counts_recursion_once),
        cmocka_unit_test(test_top_small_and_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
