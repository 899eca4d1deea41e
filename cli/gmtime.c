/*
 * gmtime_r(3) for the static command, in place of the C library's. mbedTLS's SHA-256 brings a file
 * that names it, nobody calls it, and glibc's brings time zones, their files and scanf(3): a tenth
 * of the program. It is a whole one all the same, so that who calls it one day gets what he
 * expects.
 */
#include <limits.h>

#include "base/clock.h"

struct tm *gmtime_r(const time_t *restrict seconds, struct tm *restrict ret)
{
    struct clock_date d = clock_date_of(*seconds);
    struct clock_date new_year = {.year = d.year, .month = 1, .day = 1};
    struct clock_date midnight = {.year = d.year, .month = d.month, .day = d.day};
    int64_t days;

    if (d.year - 1900 > INT_MAX || d.year - 1900 < INT_MIN)
        return NULL;
    days = clock_seconds_of(&midnight) / 86400;
    *ret = (struct tm){
        .tm_year = (int)(d.year - 1900),
        .tm_mon = d.month - 1,
        .tm_mday = d.day,
        .tm_hour = d.hour,
        .tm_min = d.minute,
        .tm_sec = d.second,
        .tm_wday = (int)((days % 7 + 7 + 4) % 7), /* 1970 began with a Thursday */
        .tm_yday = (int)(days - clock_seconds_of(&new_year) / 86400),
        .tm_zone = "GMT",
    };
    return ret;
}
