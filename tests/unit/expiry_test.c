/* sidecar/expiry.c: a week ahead, once a day, and at once when it is over or another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sidecar/expiry.h"

#define DAY INT64_C(86400)

static void test_look(void **state)
{
    const int64_t end = 1800000000;
    int64_t said = 0, said_end = 0;

    (void)state;
#define LOOK(now, to) expiry_look(&said, &said_end, (now), (to), EXPIRY_AHEAD_SECONDS)
    assert_int_equal(LOOK(end - 7 * DAY, 0), EXPIRY_NOTHING);
    assert_int_equal(LOOK(end - 7 * DAY - 1, end), EXPIRY_NOTHING);
    assert_int_equal(LOOK(end - 7 * DAY, end), EXPIRY_SOON);
    assert_int_equal(LOOK(end - 7 * DAY + 1, end), EXPIRY_NOTHING);
    assert_int_equal(LOOK(end - 6 * DAY - 1, end), EXPIRY_NOTHING);
    assert_int_equal(LOOK(end - 6 * DAY, end), EXPIRY_SOON);
    assert_int_equal(LOOK(end - 6 * DAY - 5, end), EXPIRY_SOON); /* the clock was set back */
    assert_int_equal(LOOK(end - 6 * DAY, end - 1), EXPIRY_SOON); /* another one */
    assert_int_equal(LOOK(end - 6 * DAY, end + DAY), EXPIRY_SOON);
    assert_int_equal(LOOK(end - 6 * DAY, end + 30 * DAY), EXPIRY_NOTHING); /* renewed */
    assert_int_equal(LOOK(end - 10, end), EXPIRY_SOON);
    assert_int_equal(LOOK(end, end), EXPIRY_OVER);
    assert_int_equal(LOOK(end + 1, end), EXPIRY_NOTHING);
    assert_int_equal(LOOK(end + DAY - 1, end), EXPIRY_NOTHING);
    assert_int_equal(LOOK(end + DAY, end), EXPIRY_OVER);
#undef LOOK
    said = said_end = 0; /* without time ahead */
    assert_int_equal(expiry_look(&said, &said_end, end - 1, end, 0), EXPIRY_NOTHING);
    assert_int_equal(expiry_look(&said, &said_end, end, end, 0), EXPIRY_OVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
