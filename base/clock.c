#include "base/clock.h"

#include <inttypes.h>
#include <limits.h>

static uint64_t now_ns(clockid_t id)
{
    struct timespec ts = {0};

    (void)clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * CLOCK_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

uint64_t clock_real_ns(void)
{
    return now_ns(CLOCK_REALTIME);
}

uint64_t clock_thread_cpu_ns(void)
{
    return now_ns(CLOCK_THREAD_CPUTIME_ID);
}

int clock_wait_ms(uint64_t deadline_ns)
{
    uint64_t now = clock_mono_ns();
    uint64_t ms;

    if (deadline_ns <= now)
        return 0;
    ms = (deadline_ns - now + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* --- the calendar (Hinnant, "chrono-compatible low-level date algorithms") --- */

/* Its years begin in March, so that the leap day is the last one; eras are 400 years. */
enum {
    DAY_SECONDS = 86400,
    ERA_YEARS = 400,
    ERA_DAYS = 146097,
    DAYS_TO_1970 = 719468, /* from 0000-03-01 */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

struct clock_date clock_date_of(int64_t seconds)
{
    int64_t days = floor_div(seconds, DAY_SECONDS);
    int of_day = (int)((seconds % DAY_SECONDS + DAY_SECONDS) % DAY_SECONDS);
    int64_t era = floor_div(days + DAYS_TO_1970, ERA_DAYS);
    int of_era = (int)(days + DAYS_TO_1970 - era * ERA_DAYS);
    /* less the leap days that are over: one in 4 years, none in 100, one in 400 */
    int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year + year / 4 - year / 100);
    int month = (5 * of_year + 2) / 153; /* from March; 153 days in each five months */

    return (struct clock_date){
        .year = era * ERA_YEARS + year + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = of_year - (153 * month + 2) / 5 + 1,
        .hour = of_day / 3600,
        .minute = of_day / 60 % 60,
        .second = of_day % 60,
    };
}

int64_t clock_seconds_of(const struct clock_date *date)
{
    int64_t year = date->year - (date->month <= 2);
    int64_t era = floor_div(year, ERA_YEARS);
    int64_t of_era = year - era * ERA_YEARS;
    int64_t of_year = (153 * (date->month + (date->month > 2 ? -3 : 9)) + 2) / 5 + date->day - 1;
    int64_t days = era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year;

    return (days - DAYS_TO_1970) * DAY_SECONDS + date->hour * INT64_C(3600) +
           date->minute * INT64_C(60) + date->second;
}

const char *clock_stamp(char out[static CLOCK_STAMP_BYTES])
{
    return clock_stamp_of(clock_real_ns(), out);
}

const char *clock_stamp_of(uint64_t real_ns, char out[static CLOCK_STAMP_BYTES])
{
    struct clock_date d = clock_date_of((int64_t)(real_ns / CLOCK_NS_PER_SEC));
    unsigned ms = (unsigned)(real_ns % CLOCK_NS_PER_SEC / CLOCK_NS_PER_MS);

    (void)snprintf(out, CLOCK_STAMP_BYTES, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03uZ", d.year,
                   d.month, d.day, d.hour, d.minute, d.second, ms);
    return out;
}
