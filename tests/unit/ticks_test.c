/* base/ticks.c: how fast the processor's counter runs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ticks.h"

static void measured(void **state)
{
    double a = ticks_per_second();
    double b = ticks_per_second();

    (void)state;
    if (ticks_now().ticks == 0)
        skip();
    assert_true(a >= 1e6 && a <= 1e11);
    assert_true(fabs(a - b) < a * 0.05); /* generous: the machine may be busy */
}

static void rates(void **state)
{
    const struct ticks_instant zero = {1000, 1000};
    struct ticks_instant at = {1000 + 2000, 1000 + CLOCK_NS_PER_SEC / 1000};

    (void)state;
    assert_true(fabs(ticks_rate(&zero, &at) - 2e6) < 1);
    assert_true(ticks_rate(&at, &zero) == 0); /* backwards */
    assert_true(ticks_rate(&zero, &zero) == 0);
    at.ticks = 1000 + 999; /* just below 1 MHz */
    assert_true(ticks_rate(&zero, &at) == 0);
    at.ticks = 1000 + 1000;
    assert_true(ticks_rate(&zero, &at) == 1e6);
    at.ticks = 1000 + 100000000; /* 100 GHz */
    assert_true(ticks_rate(&zero, &at) == 1e11);
    at.ticks++;
    assert_true(ticks_rate(&zero, &at) == 0);
    at.ticks = 5000;
    at.ns = 1000;
    assert_true(ticks_rate(&zero, &at) == 0); /* a clock that stands still */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measured),
        cmocka_unit_test(rates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
