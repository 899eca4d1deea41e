/* sampler/running.c: a thread's last sample is given for the goroutine that it was of, at the age
 * that was allowed and no older. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sampler/running.h"

static struct running last;

static const struct gview V = {.address = 0xc000100000, .lo = 0xc000200000, .hi = 0xc000208000};

static void note(uint32_t tid, uint64_t g, uint64_t sp, uint64_t time_ns, uint32_t stack)
{
    const struct running_row row = {
        .g = g, .sp = sp, .time_ns = time_ns, .tid = tid, .stack = stack};

    running_note(&last, &row);
}

static void its_own(void **state)
{
    struct gview v = V;

    (void)state;
    assert_null(running_find(&last, 0, &V, 0)); /* no thread: an empty row is nobody's */
    assert_null(running_find(&last, 77, &V, 0));
    note(77, V.address, V.hi - 64, 1000, 5);
    assert_non_null(running_find(&last, 77, &V, 1000));
    assert_int_equal(running_find(&last, 77, &V, 1000)->stack, 5);
    assert_null(running_find(&last, 77, &V, 1001));
    assert_null(running_find(&last, 78, &V, 0));
    v.address += 8;
    assert_null(running_find(&last, 77, &v, 0));
    note(77, V.address, V.hi - 128, 2000, 6); /* the last one counts */
    assert_int_equal(running_find(&last, 77, &V, 0)->stack, 6);
}

static void its_own_stack(void **state)
{
    (void)state;
    note(1, V.address, V.lo, 1, 0);
    assert_null(running_find(&last, 1, &V, 0));
    note(1, V.address, V.lo + 1, 1, 0);
    assert_non_null(running_find(&last, 1, &V, 0));
    note(1, V.address, V.hi, 1, 0);
    assert_non_null(running_find(&last, 1, &V, 0));
    note(1, V.address, V.hi + 1, 1, 0); /* the thread's system stack, a signal's */
    assert_null(running_find(&last, 1, &V, 0));
}

/* More threads than rows: one loses its row, and nobody gets another's. */
static void threads_share_rows(void **state)
{
    (void)state;
    note(9, V.address, V.hi, 1, 9);
    note(9 + RUNNING_ROWS, V.address, V.hi, 1, 10);
    assert_null(running_find(&last, 9, &V, 0));
    assert_int_equal(running_find(&last, 9 + RUNNING_ROWS, &V, 0)->stack, 10);
    note(UINT32_MAX, V.address, V.hi, 1, 11);
    assert_int_equal(running_find(&last, UINT32_MAX, &V, 0)->stack, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_own),
        cmocka_unit_test(its_own_stack),
        cmocka_unit_test(threads_share_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
