#include "base/clock.h"

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

const char *clock_stamp(char out[static CLOCK_STAMP_BYTES])
{
    return clock_stamp_of(clock_real_ns(), out);
}

const char *clock_stamp_of(uint64_t real_ns, char out[static CLOCK_STAMP_BYTES])
{
    time_t sec = (time_t)(real_ns / CLOCK_NS_PER_SEC);
    unsigned ms = (unsigned)(real_ns % CLOCK_NS_PER_SEC / CLOCK_NS_PER_MS);
    struct tm tm;
    size_t n;

    if (!gmtime_r(&sec, &tm)) {
        out[0] = '\0';
        return out;
    }
    n = strftime(out, CLOCK_STAMP_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + n, CLOCK_STAMP_BYTES - n, ".%03uZ", ms % 1000u);
    return out;
}
