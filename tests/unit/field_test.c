/*
 * profile/field and profile/ids: the ends of what they take, and one past them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "profile/field.h"
#include "profile/ids.h"

/* The bytes in a block of their own, so that the sanitizer sees a read past them. */
static int next(const char *bytes, size_t n, struct field *ret, size_t *ret_used)
{
    unsigned char *copy = malloc(n ? n : 1);
    struct field_cursor c;
    int rc;

    assert_non_null(copy);
    memcpy(copy, bytes, n);
    c = (struct field_cursor){copy, copy + n};
    rc = field_next(&c, ret);
    *ret_used = (size_t)(c.at - copy);
    free(copy);
    return rc;
}

static void takes(const char *bytes, size_t n, uint32_t number, enum field_wire wire,
                  uint64_t value, size_t body)
{
    struct field f;
    size_t used;

    assert_int_equal(next(bytes, n, &f, &used), 0);
    assert_int_equal(f.number, number);
    assert_int_equal(f.wire, wire);
    assert_int_equal(f.value, value);
    assert_int_equal(f.body.end - f.body.at, body);
    assert_int_equal(used, n);
    for (size_t i = 0; i < n; i++) /* every shorter form is refused */
        assert_int_equal(next(bytes, i, &f, &used), -EBADMSG);
}

static void refuses(const char *bytes, size_t n)
{
    struct field f = {.number = 7};
    size_t used;

    assert_int_equal(next(bytes, n, &f, &used), -EBADMSG);
    assert_int_equal(f.number, 7); /* nothing is set */
}

static void test_fields(void **state)
{
    (void)state;
    takes("\x08\x00", 2, 1, FIELD_VARINT, 0, 0);
    takes("\x08\x96\x01", 3, 1, FIELD_VARINT, 150, 0);
    takes("\x0d"
          "abcd",
          5, 1, FIELD_FIXED32, 0, 4);
    takes("\x09"
          "abcdefgh",
          9, 1, FIELD_FIXED64, 0, 8);
    takes("\x32\x00", 2, 6, FIELD_LENGTH, 0, 0);
    takes("\x32\x03"
          "abc",
          5, 6, FIELD_LENGTH, 0, 3);
}

static void test_largest(void **state)
{
    (void)state;
    takes("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, 1, FIELD_VARINT, UINT64_MAX, 0);
    refuses("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11);          /* 65 bits */
    refuses("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 12);      /* eleven bytes */
    takes("\xf8\xff\xff\xff\x0f\x00", 6, 0x1fffffff, FIELD_VARINT, 0, 0); /* 29 bits */
    refuses("\x80\x80\x80\x80\x10\x00", 6);                               /* one more */
    refuses("\x00\x00", 2);                                               /* number 0 */
    refuses("\x32\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);          /* length 2^64 - 1 */
}

static void test_wire_types(void **state)
{
    (void)state;
    refuses("\x0b\x0c", 2); /* a group's start and end */
    refuses("\x0c", 1);
    refuses("\x0e\x00", 2);
    refuses("\x0f\x00", 2);
}

static void test_ids(void **state)
{
    struct ids t;
    struct err e = {0};
    uint32_t ours = 0;

    (void)state;
    ids_init(&t, "location", 100);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(ids_add(&t, UINT64_MAX - i * 7919, (uint32_t)i + 5, &e), 0);
    assert_int_equal(ids_find(&t, UINT64_MAX - 99 * 7919, &ours, &e), 0);
    assert_int_equal(ours, 104);
    assert_int_equal(ids_find(&t, 1, &ours, &e), -EBADMSG);
    assert_string_equal(e.text, "there is no location with the id 1");
    assert_int_equal(ours, 104);
    assert_int_equal(ids_add(&t, 0, 1, &e), -EBADMSG);
    assert_int_equal(ids_add(&t, UINT64_MAX, 1, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "multiple locations"));
    assert_int_equal(ids_add(&t, 1, 1, &e), -E2BIG); /* the 101st */
    assert_string_equal(e.text, "more than 100 locations");
    ids_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_wire_types),
        cmocka_unit_test(test_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
