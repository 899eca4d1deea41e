/*
 * ticks.h: the processor's own counter, and how many of its ticks make a second. Go's runtime
 * counts waits in it (runtime.cputicks), so what it keeps in ticks means time only by this; it is
 * the machine's, hence ours is the target's.
 */
#ifndef BASE_TICKS_H
#define BASE_TICKS_H

#include <stdint.h>

/* The counter and CLOCK_MONOTONIC at one moment. */
struct ticks_instant {
    uint64_t ticks, ns;
};

/** ticks_now(): both clocks; ticks 0 on an architecture whose counter we cannot read. */
struct ticks_instant ticks_now(void);

/**
 * ticks_rate(a, b): ticks of a second between two moments; 0 where a clock stood still or ran
 * backwards, or for a rate that no counter has (below 1 MHz, above 100 GHz).
 */
double ticks_rate(const struct ticks_instant *a, const struct ticks_instant *b);

/** ticks_per_second(): measured now, which takes two milliseconds; good to some 1e-4. 0: unknown.
 */
double ticks_per_second(void);

#endif
