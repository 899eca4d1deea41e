#include "base/ticks.h"

#include <time.h>

#include "base/clock.h"

enum {
    CALIBRATE_NS = 2 * 1000 * 1000, /* two readings of both clocks so far apart */
    CALIBRATE_TRIES = 3,            /* the shortest bracket counts */
};

/* The slowest and fastest counters there are: 1 MHz to 100 GHz. */
#define TICKS_MIN 1e6
#define TICKS_MAX 1e11

/* What runtime.cputicks reads (Go: asm_amd64.s, asm_arm64.s). 0: not on this architecture. */
static uint64_t counter(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t v;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
    return v;
#else
    return 0;
#endif
}

/* The ticks stand in the middle of the shortest of some brackets. */
struct ticks_instant ticks_now(void)
{
    struct ticks_instant best = {0};
    uint64_t shortest = UINT64_MAX;

    for (int i = 0; i < CALIBRATE_TRIES; i++) {
        uint64_t before = clock_mono_ns();
        uint64_t ticks = counter();
        uint64_t after = clock_mono_ns();

        if (after - before < shortest) {
            shortest = after - before;
            best = (struct ticks_instant){ticks, before + shortest / 2};
        }
    }
    return best;
}

double ticks_rate(const struct ticks_instant *a, const struct ticks_instant *b)
{
    double r;

    if (b->ns <= a->ns || b->ticks <= a->ticks)
        return 0;
    r = (double)(b->ticks - a->ticks) * (double)CLOCK_NS_PER_SEC / (double)(b->ns - a->ns);
    return r >= TICKS_MIN && r <= TICKS_MAX ? r : 0;
}

double ticks_per_second(void)
{
    const struct timespec wait = {.tv_nsec = CALIBRATE_NS};
    struct ticks_instant a = ticks_now(), b;

    /* interrupted or not: what counts is how far both clocks have come */
    (void)nanosleep(&wait, NULL);
    b = ticks_now();
    return ticks_rate(&a, &b);
}
