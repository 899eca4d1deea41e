/* base/buf.c: growing, the ceiling (at it and one above), sticky failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"

static void appends(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    assert_string_equal(buf_text(&b), "");
    buf_puts(&b, "one ");
    buf_putc(&b, '2');
    buf_printf(&b, " %d %s", 3, "four");
    buf_put(&b, "\0x", 2);
    assert_int_equal(b.len, 14);
    assert_memory_equal(b.data, "one 2 3 four\0x", 14);
    buf_drop(&b, 4);
    assert_string_equal(buf_text(&b), "2 3 four");
    buf_drop(&b, 1000);
    assert_int_equal(b.len, 0);
    buf_drop(&b, 1);
    assert_false(b.failed);
    buf_release(&b);
    buf_release(&b);
    buf_release(NULL);
    assert_int_equal(b.max_bytes, 1000);
}

static void ceiling(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 4);
    buf_puts(&b, "1234");
    assert_false(b.failed);
    assert_int_equal(b.len, 4);
    buf_putc(&b, '5');
    assert_true(b.failed);
    assert_int_equal(b.len, 4);
    buf_put(&b, NULL, 0); /* nothing is no append */
    buf_drop(&b, 2);
    buf_putc(&b, 'x'); /* sticky: there would be room again */
    assert_int_equal(b.len, 2);
    assert_null(buf_reserve(&b, 1));
    assert_string_equal(buf_text(&b), "");
    buf_clear(&b);
    buf_putc(&b, 'x');
    assert_false(b.failed);
    assert_string_equal(buf_text(&b), "x");
    buf_release(&b);
}

static void nothing_fits(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 0);
    buf_puts(&b, "");
    assert_false(b.failed);
    assert_string_equal(buf_text(&b), "");
    assert_false(b.failed);
    buf_putc(&b, 'a');
    assert_true(b.failed);
    buf_release(&b);
    buf_init(&b, SIZE_MAX);
    buf_put(&b, "abc", 3);
    assert_null(buf_reserve(&b, SIZE_MAX - 2)); /* the sum would overflow */
    assert_true(b.failed);
    buf_release(&b);
}

/* The end mark of buf_text() is not part of the content: it needs no room below the ceiling. */
static void text_of_a_full_buffer(void **state)
{
    struct buf b;

    (void)state;
    for (size_t max = 1; max < 600; max += 7) {
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            buf_putc(&b, 'x');
        assert_false(b.failed);
        assert_int_equal(strlen(buf_text(&b)), max);
        assert_false(b.failed);
        assert_int_equal(b.len, max);
        buf_release(&b);
    }
}

static void printf_to_the_last_byte(void **state)
{
    static const int lengths[] = {1, 255, 256, 257, 300, 5000};
    struct buf b;

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        buf_init(&b, (size_t)lengths[i]);
        buf_printf(&b, "%*d", lengths[i], 7);
        assert_false(b.failed);
        assert_int_equal(b.len, lengths[i]);
        assert_int_equal(b.data[b.len - 1], '7');
        buf_clear(&b);
        buf_printf(&b, "%*d", lengths[i] + 1, 7);
        assert_true(b.failed);
        assert_int_equal(b.len, 0);
        buf_release(&b);
    }
}

static void reserve(void **state)
{
    struct buf b;
    void *p;

    (void)state;
    buf_init(&b, 100);
    assert_non_null(buf_reserve(&b, 0)); /* NULL means failed, and nothing has */
    assert_false(b.failed);
    p = buf_reserve(&b, 100);
    assert_non_null(p);
    memset(p, 'a', 100);
    b.len += 100;
    assert_non_null(buf_reserve(&b, 0));
    assert_null(buf_reserve(&b, 1));
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(ceiling),
        cmocka_unit_test(nothing_fits),
        cmocka_unit_test(text_of_a_full_buffer),
        cmocka_unit_test(printf_to_the_last_byte),
        cmocka_unit_test(reserve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
