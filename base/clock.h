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

enum {
    CLOCK_STAMP_BYTES = 32,
};

/** clock_stamp(out): UTC now as 2026-11-21T15:04:05.123Z. Returns ${out}. */
const char *clock_stamp(char out[static CLOCK_STAMP_BYTES]);

/** clock_stamp_of(real_ns, out): the same for another moment. */
const char *clock_stamp_of(uint64_t real_ns, char out[static CLOCK_STAMP_BYTES]);

#endif
