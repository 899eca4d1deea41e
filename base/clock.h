/*
 * clock.h: the clocks we use, in nanoseconds. Monotonic for waits and sample times (the perf
 * events use CLOCK_MONOTONIC too), real time for stamps that leave the program.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_SEC UINT64_C(1000000000)
#define CLOCK_NS_PER_MS  UINT64_C(1000000)

/** clock_mono_ns(): CLOCK_MONOTONIC. */
uint64_t clock_mono_ns(void);

/** clock_real_ns(): nanoseconds since 1970 (CLOCK_REALTIME). */
uint64_t clock_real_ns(void);

/** clock_thread_cpu_ns(): CPU time of the calling thread. */
uint64_t clock_thread_cpu_ns(void);

/**
 * clock_wait_ms(deadline_ns): milliseconds until the monotonic ${deadline_ns}, rounded up, 0 when
 * it has passed, at most INT_MAX: what poll(2) wants.
 */
int clock_wait_ms(uint64_t deadline_ns);

/*
 * A moment of the Gregorian calendar in UTC. Not struct tm: gmtime_r(3) and strftime(3) bring the
 * time zones' files and scanf(3) into a static program, a tenth of the guard and of the sampler.
 */
struct clock_date {
    int64_t year;
    int month, day, hour, minute, second; /* month and day from 1 */
};

/** clock_date_of(seconds): of any number of seconds since 1970, before it too. */
struct clock_date clock_date_of(int64_t seconds);

/**
 * clock_seconds_of(date): the reverse. What is beyond its range (the 30th of February, second 60)
 * is counted on; years have to be within +-INT32_MAX.
 */
int64_t clock_seconds_of(const struct clock_date *date);

enum {
    CLOCK_STAMP_BYTES = 32,
};

/** clock_stamp(out): UTC now as 2026-11-21T15:04:05.123Z. Returns ${out}. */
const char *clock_stamp(char out[static CLOCK_STAMP_BYTES]);

/** clock_stamp_of(real_ns, out): the same for another moment. */
const char *clock_stamp_of(uint64_t real_ns, char out[static CLOCK_STAMP_BYTES]);

#endif
