/* base/clock.c: the clocks run, waits are rounded up, the stamp has its form. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

static void run(void **state)
{
    uint64_t mono = clock_mono_ns();
    uint64_t cpu = clock_thread_cpu_ns();
    volatile unsigned work = 0;

    (void)state;
    while (clock_thread_cpu_ns() < cpu + CLOCK_NS_PER_MS)
        work++;
    assert_true(clock_mono_ns() >= mono + CLOCK_NS_PER_MS / 2);
    /* between 2020 and 2200: nanoseconds and not milliseconds */
    assert_true(clock_real_ns() > UINT64_C(1577836800) * CLOCK_NS_PER_SEC);
    assert_true(clock_real_ns() < UINT64_C(7258118400) * CLOCK_NS_PER_SEC);
}

static void waits(void **state)
{
    uint64_t now = clock_mono_ns();
    int ms;

    (void)state;
    assert_int_equal(clock_wait_ms(0), 0);
    assert_int_equal(clock_wait_ms(now), 0);
    ms = clock_wait_ms(now + 3600 * CLOCK_NS_PER_SEC);
    assert_true(ms <= 3600 * 1000 && ms > 3599 * 1000);
    /* rounded up: poll(2) must not spin through the last part of a millisecond */
    ms = clock_wait_ms(clock_mono_ns() + 3600 * CLOCK_NS_PER_SEC - 1);
    assert_true(ms > 3599 * 1000);
    assert_int_equal(clock_wait_ms(UINT64_MAX), INT_MAX);
}

static void stamp(void **state)
{
    char out[CLOCK_STAMP_BYTES];
    int y, mo, d, h, mi, s, ms;
    char z;

    (void)state;
    assert_ptr_equal(clock_stamp(out), out);
    assert_int_equal(strlen(out), 24);
    assert_int_equal(
        sscanf(out, "%4d-%2d-%2dT%2d:%2d:%2d.%3d%c", &y, &mo, &d, &h, &mi, &s, &ms, &z), 8);
    assert_int_equal(z, 'Z');
    assert_string_equal(clock_stamp_of(UINT64_C(1795286956234475722), out),
                        "2026-11-21T18:49:16.234Z");
    assert_true(y >= 2020 && mo >= 1 && mo <= 12 && d >= 1 && d <= 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run),
        cmocka_unit_test(waits),
        cmocka_unit_test(stamp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
