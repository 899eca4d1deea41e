/*
 * maps.c: the kernel's text, damaged text, and rows that vanish.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sampler/symbols/maps.h"
#include "tests/unit/helper_target.h"

static void parse(const char *text, struct maps *m)
{
    struct err e = {0};

    assert_int_equal(maps_parse(text, strlen(text), m, &e), 0);
}

static void test_rows(void **state)
{
    struct maps m;
    const struct maps_row *r;

    (void)state;
    parse("00400000-00401000 r--p 00000000 fe:01 1234                       /opt/my server\n"
          "00401000-00500000 r-xp 00001000 fe:01 1234                       /opt/my server\n"
          "00500000-00501000 rw-p 00100000 fe:01 1234                       /opt/my server "
          "(deleted)\n"
          "00700000-00800000 rwxp 00000000 00:00 0 \n"
          "7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0                  [stack]\n"
          "7ffe00100000-7ffe00102000 r-xp 00000000 00:00 0                  [vdso]\n"
          "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0          [vsyscall]\n",
          &m);
    assert_int_equal(m.count, 7);
    assert_false(m.truncated);
    assert_null(maps_find(&m, 0x3fffff));
    r = maps_find(&m, 0x400000);
    assert_string_equal(maps_path(&m, r), "/opt/my server");
    assert_false(r->exec || r->write || r->deleted || r->gone);
    r = maps_find(&m, 0x4fffff);
    assert_true(r->exec);
    assert_int_equal(r->offset, 0x1000);
    assert_int_equal(r->dev_major, 0xfe);
    assert_int_equal(r->dev_minor, 1);
    assert_int_equal(r->inode, 1234);
    r = maps_find(&m, 0x500000);
    assert_true(r->deleted && r->write && !r->exec);
    assert_string_equal(maps_path(&m, r), "/opt/my server");
    assert_null(maps_find(&m, 0x501000));
    r = maps_find(&m, 0x700000);
    assert_true(r->exec && r->write);
    assert_string_equal(maps_path(&m, r), "");
    assert_string_equal(maps_path(&m, maps_find(&m, 0x7ffe00020fff)), "[stack]");
    assert_string_equal(maps_path(&m, maps_find(&m, 0x7ffe00100000)), "[vdso]");
    assert_true(maps_find(&m, 0xffffffffff600fff)->exec);
    assert_null(maps_find(&m, UINT64_MAX));
    maps_release(&m);
    maps_release(&m);
    maps_release(NULL);
}

/* Names may hold anything but a newline, which the kernel writes as \012. */
static void test_names(void **state)
{
    static const char *const names[] = {
        "/tmp/a\\012b",     "/tmp/\x01\xff\x80", "/tmp/ (deleted)x", "/x (deleted) (deleted)",
        "[anon: (deleted)", "/memfd:x",          " (deleted)",       "anon_inode:[perf_event]",
    };
    static const char *const want[] = {
        "/tmp/a\\012b", "/tmp/\x01\xff\x80", "/tmp/ (deleted)x", "/x (deleted)",
        "[anon:",       "/memfd:x",          "(deleted)",        "anon_inode:[perf_event]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[256];
        struct maps m;

        (void)snprintf(text, sizeof text, "1000-2000 r-xp 0 0:0 7 %s\n", names[i]);
        parse(text, &m);
        assert_string_equal(maps_path(&m, &m.rows[0]), want[i]);
        maps_release(&m);
    }
}

static void test_bad_lines(void **state)
{
    static const char *const bad[] = {
        "\n",
        "x\n",
        "1000-2000\n",
        "1000-2000 r-xp\n",
        "1000-2000 r-xp 0 0:0 7\n", /* the kernel writes a space behind the inode always */
        "1000-2000 r-xp 0 0:0 7x \n",
        "1000-2000 r-xp 0 0:0  \n",
        "1000-2000 r-xp g 0:0 7 \n",
        "1000-2000 r-xp 0 0-0 7 \n",
        "1000-2000 r-xp 0 100000000:0 7 \n",
        "1000-2000 r-x 0 0:0 7 \n",
        "-2000 r-xp 0 0:0 7 \n",
        "1000- r-xp 0 0:0 7 \n",
        "2000-2000 r-xp 0 0:0 7 \n",
        "2000-1000 r-xp 0 0:0 7 \n",
        "1000-10000000000000000 r-xp 0 0:0 7 \n",
        "1000-2000 r-xp 0 0:0 18446744073709551616 \n",
        "1000-2000 r-xp 0 0:0 7 /a\n\n",
        "1000-2000 r-xp 0 0:0 7 /a\nrest\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = {0};
        struct maps m;

        if (maps_parse(bad[i], strlen(bad[i]), &m, &e) != -EBADMSG)
            fail_msg("accepted: %s", bad[i]);
        assert_true(strncmp(e.text, "line ", 5) == 0);
    }
    assert_int_equal(maps_parse("1000-2000 r-xp 0 0:0 7 a\0b\n", 27, &(struct maps){0}, NULL),
                     -EBADMSG);
}

static void test_cut_text(void **state)
{
    const char *text = "1000-2000 r-xp 0 0:0 7 /a\n2000-3000 r-xp 0 0:0 8 /b\n";
    struct maps m;

    (void)state;
    parse("", &m);
    assert_int_equal(m.count, 0);
    assert_null(maps_find(&m, 0));
    maps_release(&m);
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        struct err e = {0};

        assert_int_equal(maps_parse(text, cut, &m, &e), 0);
        assert_int_equal(m.count, cut < 26 ? 0 : cut < 52 ? 1 : 2);
        assert_int_equal(m.truncated, cut != 0 && cut != 26 && cut != 52);
        maps_release(&m);
    }
}

/* Order and overlap, as a text read while mappings change may have. */
static void test_disorder(void **state)
{
    struct maps m;

    (void)state;
    parse("5000-6000 r-xp 0 0:0 5 /e\n"
          "1000-3000 r-xp 0 0:0 1 /a\n"
          "2000-4000 r-xp 0 0:0 2 /b\n"
          "3000-4000 r-xp 0 0:0 3 /c\n",
          &m);
    assert_int_equal(m.count, 3);
    assert_string_equal(maps_path(&m, maps_find(&m, 0x2500)), "/a");
    assert_string_equal(maps_path(&m, maps_find(&m, 0x3500)), "/c");
    assert_string_equal(maps_path(&m, maps_find(&m, 0x5500)), "/e");
    maps_release(&m);
}

static void test_limits(void **state)
{
    struct buf text;
    struct maps m;
    struct err e = {0};
    char name[MAPS_PATH_BYTES + 2];

    (void)state;
    buf_init(&text, 16 * 1024 * 1024);
    for (unsigned i = 0; i < MAPS_MAX; i++)
        buf_printf(&text, "%x000-%x000 r-xp 0 0:0 0 \n", i + 1, i + 2);
    assert_int_equal(maps_parse((const char *)text.data, text.len, &m, &e), 0);
    assert_int_equal(m.count, MAPS_MAX);
    assert_false(m.truncated);
    maps_release(&m);
    buf_printf(&text, "%x000-%x000 r-xp 0 0:0 0 \n", MAPS_MAX + 1, MAPS_MAX + 2);
    assert_int_equal(maps_parse((const char *)text.data, text.len, &m, &e), 0);
    assert_int_equal(m.count, MAPS_MAX);
    assert_true(m.truncated);
    maps_release(&m);
    for (size_t n = MAPS_PATH_BYTES - 1; n <= MAPS_PATH_BYTES; n++) {
        memset(name, 'n', n);
        name[n] = '\0';
        buf_clear(&text);
        buf_printf(&text, "1000-2000 r-xp 0 0:0 7 %s (deleted)\n", name);
        assert_int_equal(maps_parse((const char *)text.data, text.len, &m, &e), 0);
        assert_int_equal(strlen(maps_path(&m, &m.rows[0])), MAPS_PATH_BYTES - 1);
        assert_true(m.rows[0].deleted);
        maps_release(&m);
    }
    buf_release(&text);
}

/* Paths have a limit of their own; rows without one are still rows. */
static void test_paths_limit(void **state)
{
    struct buf text;
    struct maps m;
    struct err e = {0};
    char name[MAPS_PATH_BYTES];
    size_t fit = (MAPS_PATHS_MAX_BYTES - 1) / MAPS_PATH_BYTES;

    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    buf_init(&text, 64 * 1024 * 1024);
    for (size_t i = 0; i < fit + 1; i++) {
        (void)snprintf(name, 9, "%08zx", i);
        name[8] = 'n';
        buf_printf(&text, "%zx000-%zx000 r-xp 0 0:0 7 %s\n", i + 1, i + 2, name);
        if (i + 1 < fit)
            continue;
        assert_int_equal(maps_parse((const char *)text.data, text.len, &m, &e), 0);
        assert_int_equal(m.count, i + 1);
        assert_int_equal(m.truncated, i + 1 > fit);
        assert_true(m.paths_bytes <= MAPS_PATHS_MAX_BYTES);
        assert_int_equal(strlen(maps_path(&m, &m.rows[i])), i + 1 > fit ? 0 : sizeof name - 1);
        maps_release(&m);
    }
    buf_release(&text);
}

static void test_keep(void **state)
{
    struct maps before, now;

    (void)state;
    parse("1000-2000 r-xp 0 0:0 1 /gone\n"
          "3000-9000 r-xp 100000 0:0 2 /half\n"
          "a000-b000 rw-p 0 0:0 3 /data\n"
          "c000-d000 r-xp 0 0:0 4 /stays\n",
          &before);
    parse("4000-5000 rw-p 0 0:0 0 \n"
          "6000-7000 r-xp 0 0:0 5 /new\n"
          "c000-d000 r-xp 0 0:0 4 /stays\n",
          &now);
    assert_int_equal(maps_keep(&now, &before), 0);
    assert_int_equal(now.count, 7);
    for (size_t i = 1; i < now.count; i++)
        assert_true(now.rows[i - 1].end <= now.rows[i].start);
    assert_string_equal(maps_path(&now, maps_find(&now, 0x1800)), "/gone");
    assert_true(maps_find(&now, 0x1800)->gone);
    assert_string_equal(maps_path(&now, maps_find(&now, 0x3000)), "/half");
    assert_int_equal(maps_find(&now, 0x3fff)->offset, 0x100000);
    assert_false(maps_find(&now, 0x4000)->exec);
    assert_int_equal(maps_find(&now, 0x5000)->offset, 0x102000);
    assert_int_equal(maps_find(&now, 0x5000)->end, 0x6000);
    assert_string_equal(maps_path(&now, maps_find(&now, 0x6000)), "/new");
    assert_int_equal(maps_find(&now, 0x8fff)->offset, 0x104000);
    assert_null(maps_find(&now, 0x9000));
    assert_null(maps_find(&now, 0xa000)); /* no code: no sample means it */
    assert_false(maps_find(&now, 0xc000)->gone);
    maps_release(&before);
    /* once more: what is gone stays so */
    parse("1000-2000 r-xp 0 0:0 9 /other\n", &before);
    assert_int_equal(maps_keep(&before, &now), 0);
    assert_string_equal(maps_path(&before, maps_find(&before, 0x1000)), "/other");
    assert_string_equal(maps_path(&before, maps_find(&before, 0x3000)), "/half");
    assert_string_equal(maps_path(&before, maps_find(&before, 0xc000)), "/stays");
    maps_release(&before);
    maps_release(&now);
}

static void test_keep_limit(void **state)
{
    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        struct maps before, now;
        struct buf text;
        struct err e = {0};
        size_t count = MAPS_KEPT_MAX + over;

        buf_init(&text, 16 * 1024 * 1024);
        for (size_t i = 0; i < count; i++)
            buf_printf(&text, "%zx000-%zx000 r-xp 0 0:0 7 /l\n", i + 1, i + 2);
        assert_int_equal(maps_parse((const char *)text.data, text.len, &before, &e), 0);
        parse("", &now);
        assert_int_equal(maps_keep(&now, &before), 0);
        assert_int_equal(now.count, MAPS_KEPT_MAX);
        maps_release(&before);
        maps_release(&now);
        buf_release(&text);
    }
}

static void test_own(void **state)
{
    struct helper_target t;
    const struct maps_row *code, *data;
    static int here;
    size_t bytes;
    char *text;
    struct maps m;

    (void)state;
    helper_target_attach(&t, getpid());
    text = helper_target_maps(&t, &bytes);
    assert_non_null(text);
    assert_int_equal(maps_parse(text, bytes, &m, NULL), 0);
    code = maps_find(&m, (uint64_t)(uintptr_t)&test_own);
    data = maps_find(&m, (uint64_t)(uintptr_t)&here);
    assert_non_null(code);
    assert_non_null(data);
    assert_true(code->exec && !code->write && data->write && !data->exec);
    assert_true(code->inode != 0 && strstr(maps_path(&m, code), "maps_test") != NULL);
    maps_release(&m);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bad_lines),   cmocka_unit_test(test_cut_text),
        cmocka_unit_test(test_disorder),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_paths_limit), cmocka_unit_test(test_keep),
        cmocka_unit_test(test_keep_limit),  cmocka_unit_test(test_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
