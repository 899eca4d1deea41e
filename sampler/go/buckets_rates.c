/*
 * What the program samples, and the clock that its block and mutex records count in.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/ticks.h"
#include "sampler/go/buckets.h"

enum {
    BASELINE_MIN_NS = 5 * 1000 * 1000, /* minTimeForTicksPerSecond, runtime/runtime.go */
    /* In Go 1.18 the type of runtime.ticks has no name, and no row in the layout: {lock mutex, pad
     * uint32, val uint64}. */
    TICKS_VAL_GO118 = 16,
};

/* Our own calibration is good to some 1e-4; one that differs by more is of another clock. */
#define TICKS_TOLERANCE 0.01

/* 2^63: what does not fit into an int64_t */
#define VALUE_LIMIT 9223372036854775808.0

static bool word(const struct go_runtime *rt, uint64_t address, uint64_t *ret)
{
    return address != 0 && rt->target->ops->read(rt->target->ctx, address, ret, sizeof(*ret)) == 0;
}

/* A field of runtime.ticks. */
static bool ticks_word(const struct go_runtime *rt, int32_t offset, uint64_t *ret)
{
    return offset >= 0 && rt->ticks != 0 && word(rt, rt->ticks + (uint64_t)offset, ret);
}

/*
 * The target's own answer if it has one (it computes it once, when first asked), so that our
 * nanoseconds are its nanoseconds; else its formula with its start values; else ours. The first two
 * must agree with ours, or they are not what we think.
 */
double buckets_ticks_per_second(struct go_runtime *rt)
{
    const struct go_layout *l = rt->layout;
    struct ticks_instant start, at;
    uint64_t value;
    double own = ticks_per_second();
    double r = 0;

    if (own == 0 || !l)
        return own;
    if (ticks_word(rt, l->minor > 18 ? l->ticks_val : TICKS_VAL_GO118, &value))
        r = (double)value;
    if (r == 0 && ticks_word(rt, l->ticks_start_ticks, &start.ticks) &&
        ticks_word(rt, l->ticks_start_time, &start.ns)) {
        at = ticks_now();
        if (at.ns > start.ns && at.ns - start.ns >= BASELINE_MIN_NS)
            r = ticks_rate(&start, &at);
    }
    return fabs(r - own) <= own * TICKS_TOLERANCE ? r : own;
}

/* -1: not found, or no number that a rate could be. */
static int64_t rate_at(const struct go_runtime *rt, uint64_t address)
{
    uint64_t v;

    return word(rt, address, &v) && v <= INT64_MAX ? (int64_t)v : -1;
}

int buckets_rates(struct go_runtime *rt, struct buckets_rates *ret)
{
    if (!rt->layout)
        return -ENOTSUP;
    *ret = (struct buckets_rates){
        .memory = rate_at(rt, rt->mem_profile_rate),
        .block = rate_at(rt, rt->block_profile_rate),
        .mutex = rate_at(rt, rt->mutex_profile_rate),
    };
    return 0;
}

/* A rate that makes no sense would lead out of the numbers there are. */
static int64_t whole(int64_t value, double scale)
{
    double r = (double)value * scale;

    return r > -VALUE_LIMIT && r < VALUE_LIMIT ? (int64_t)r : value < 0 ? INT64_MIN : INT64_MAX;
}

/* runtime/pprof/protomem.go, scaleHeapSample: the chance of an object of this size to be sampled is
 * 1 - exp(-size / rate). Rate 1 samples all; 0 and less are unknown. */
void buckets_scale(int64_t count, int64_t bytes, int64_t rate, int64_t *ret_count,
                   int64_t *ret_bytes)
{
    double scale;

    *ret_count = count;
    *ret_bytes = bytes;
    if (count == 0 || bytes == 0) {
        *ret_count = 0;
        *ret_bytes = 0;
    } else if (rate > 1) {
        scale = 1 / (1 - exp(-((double)bytes / (double)count) / (double)rate));
        *ret_count = whole(count, scale);
        *ret_bytes = whole(bytes, scale);
    }
}
