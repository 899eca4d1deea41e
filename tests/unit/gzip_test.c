/*
 * profile/gzip: one member, in and out.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "profile/gzip.h"

enum {
    LARGE_BYTES = 300000,
};

static struct buf packed(const void *data, size_t bytes)
{
    struct buf b;

    buf_init(&b, 1024 * 1024);
    assert_int_equal(gzip_pack(data, bytes, &b), 0);
    assert_false(b.failed);
    return b;
}

/* Bytes that do not pack well, always the same ones. */
static unsigned char *noise(void)
{
    unsigned char *data = malloc(LARGE_BYTES);
    uint32_t x = 1;

    assert_non_null(data);
    for (size_t i = 0; i < LARGE_BYTES; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (unsigned char)(x >> 24);
    }
    return data;
}

static void unpack_fails(const void *data, size_t bytes, size_t max, int code, const char *words)
{
    struct buf out;
    struct err e = {0};

    buf_init(&out, max);
    assert_int_equal(gzip_unpack(data, bytes, &out, &e), code);
    if (!strstr(e.text, words))
        fail_msg("\"%s\" has no \"%s\"", e.text, words);
    buf_release(&out);
}

static void test_round_trip(void **state)
{
    unsigned char *data = noise();
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, LARGE_BYTES};
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct buf b = packed(data, sizes[i]), out;

        assert_true(gzip_is(b.data, b.len));
        buf_init(&out, sizes[i]); /* exactly enough */
        assert_int_equal(gzip_unpack(b.data, b.len, &out, &e), 0);
        assert_int_equal(out.len, sizes[i]);
        if (sizes[i])
            assert_memory_equal(out.data, data, sizes[i]);
        buf_release(&out);
        if (sizes[i])
            unpack_fails(b.data, b.len, sizes[i] - 1, -EFBIG, "more than");
        buf_release(&b);
    }
    free(data);
}

static void test_same_bytes(void **state)
{
    struct buf a = packed("profile", 7), b = packed("profile", 7);

    (void)state;
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    assert_memory_equal(a.data + 4, "\0\0\0\0", 4); /* MTIME, RFC 1952 section 2.3.1 */
    buf_release(&a);
    buf_release(&b);
}

static void test_append(void **state)
{
    struct buf b = packed("profile", 7), out;
    struct err e = {0};

    (void)state;
    buf_init(&out, 16);
    buf_puts(&out, "a ");
    assert_int_equal(gzip_unpack(b.data, b.len, &out, &e), 0);
    assert_string_equal(buf_text(&out), "a profile");
    buf_release(&b);
    buf_release(&out);
}

static void test_pack_without_room(void **state)
{
    struct buf whole = packed("profile", 7), b;

    (void)state;
    buf_init(&b, whole.len - 1);
    assert_int_equal(gzip_pack("profile", 7, &b), -ENOMEM);
    buf_release(&b);
    buf_init(&b, whole.len);
    assert_int_equal(gzip_pack("profile", 7, &b), 0);
    buf_release(&b);
    buf_release(&whole);
}

static void test_is(void **state)
{
    (void)state;
    assert_false(gzip_is("", 0));
    assert_false(gzip_is("\x1f\x8b", 2));
    assert_true(gzip_is("\x1f\x8b\x08", 3));
    assert_false(gzip_is("\x0a\x04\x08\x01", 4));
}

static void test_damaged(void **state)
{
    struct buf b = packed("profile profile profile", 23);

    (void)state;
    unpack_fails("profile", 7, 100, -EBADMSG, "not gzip");
    unpack_fails(b.data, 0, 100, -EBADMSG, "not gzip");
    for (size_t n = 3; n < b.len; n++)
        unpack_fails(b.data, n, 100, -EBADMSG, "too early");
    b.data[b.len - 5] ^= 1; /* CRC32 */
    unpack_fails(b.data, b.len, 100, -EBADMSG, "damaged");
    buf_release(&b);
}

/* Two members are what readers of pprof refuse; so do we, and a single byte too much. */
static void test_one_member_only(void **state)
{
    struct buf b = packed("profile", 7);

    (void)state;
    assert_int_equal(gzip_pack("profile", 7, &b), 0);
    unpack_fails(b.data, b.len, 100, -EBADMSG, "bytes after");
    buf_release(&b);
    b = packed("profile", 7);
    buf_putc(&b, 0);
    unpack_fails(b.data, b.len, 100, -EBADMSG, "1 bytes after");
    buf_release(&b);
}

/* A small file that unpacks to a thousand times its size stops at the bound. */
static void test_bomb(void **state)
{
    unsigned char *zeros = calloc(1, 1000000);
    struct buf b;

    (void)state;
    assert_non_null(zeros);
    b = packed(zeros, 1000000);
    assert_in_range(b.len, 1, 10000);
    unpack_fails(b.data, b.len, 65536, -EFBIG, "more than 65536 bytes");
    buf_release(&b);
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_pack_without_room),
        cmocka_unit_test(test_is),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_one_member_only),
        cmocka_unit_test(test_bomb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
