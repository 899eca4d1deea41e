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

/*
 * timegm(3) is the judge, since it also puts a date right that is none: each day of eight
 * centuries, both ways, and moments around them; and our own gmtime_r(3) (cli/gmtime.c).
 */
static void dates(void **state)
{
    const int64_t day = 86400;

    (void)state;
    for (int64_t at = -110000 * day; at < 182000 * day; at += day - 1 + at / day % 3) {
        struct clock_date d = clock_date_of(at);
        struct tm want = {.tm_year = (int)d.year - 1900,
                          .tm_mon = d.month - 1,
                          .tm_mday = d.day,
                          .tm_hour = d.hour,
                          .tm_min = d.minute,
                          .tm_sec = d.second};
        time_t seconds = (time_t)at;
        struct tm tm;

        assert_int_equal(timegm(&want), at);
        assert_int_equal(want.tm_mday, d.day);
        assert_int_equal(want.tm_mon, d.month - 1);
        assert_int_equal(want.tm_sec, d.second);
        assert_int_equal(clock_seconds_of(&d), at);
        assert_ptr_equal(gmtime_r(&seconds, &tm), &tm);
        assert_int_equal(tm.tm_year, want.tm_year);
        assert_int_equal(tm.tm_mon, want.tm_mon);
        assert_int_equal(tm.tm_mday, want.tm_mday);
        assert_int_equal(tm.tm_hour, want.tm_hour);
        assert_int_equal(tm.tm_min, want.tm_min);
        assert_int_equal(tm.tm_wday, want.tm_wday);
        assert_int_equal(tm.tm_yday, want.tm_yday);
    }
}

/* The ends of what can be asked for; a 30th of February is the 1st or 2nd of March. */
static void far_dates(void **state)
{
    char out[CLOCK_STAMP_BYTES];
    struct clock_date d;

    (void)state;
    d = clock_date_of(INT64_MAX);
    assert_int_equal(d.year, INT64_C(292277026596));
    d = clock_date_of(INT64_MIN);
    assert_int_equal(d.year, -INT64_C(292277022657));
    assert_true(d.month >= 1 && d.month <= 12 && d.day >= 1 && d.day <= 31);
    assert_string_equal(clock_stamp_of(UINT64_MAX, out), "2554-07-21T23:34:33.709Z");
    assert_string_equal(clock_stamp_of(0, out), "1970-01-01T00:00:00.000Z");
    d = (struct clock_date){.year = 2024, .month = 2, .day = 30};
    d = clock_date_of(clock_seconds_of(&d));
    assert_int_equal(d.month, 3);
    assert_int_equal(d.day, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run),   cmocka_unit_test(waits),     cmocka_unit_test(stamp),
        cmocka_unit_test(dates), cmocka_unit_test(far_dates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
