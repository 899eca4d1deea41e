/*
 * feed.h: where a recording gets its samples from: perf events (perf/session.h), ptrace stops
 * (stops.h) where perf is refused and the user has allowed it, or looks at where threads wait
 * (waits.h) for a wall-clock profile. All three hand out struct session_sample.
 */
#ifndef SAMPLER_FEED_H
#define SAMPLER_FEED_H

#include "sampler/perf/session.h"

struct pollfd;
struct stops;
struct waits;

/* Exactly one of the three pointers is set while it is open. */
struct feed {
    enum wire_source source;
    uint32_t hz; /* really used: each way has its limit */
    struct session *perf;
    struct stops *stops;
    struct waits *waits;
};

/**
 * feed_source(target, wall): which way it would be. Perf where nothing is allowed: it is the one
 * that says why not.
 */
enum wire_source feed_source(const struct wire_target *target, bool wall);

/** feed_hz(source, hz): what becomes of the rate that was asked for: WIRE_HZ_MAX,
 * WIRE_STOPS_HZ_MAX or WIRE_WAITS_HZ_MAX at most. */
uint32_t feed_hz(enum wire_source source, uint32_t hz);

/** feed_open(guard, slot, want, wall, ret, e): of guard->target. -errno with the reason. */
int feed_open(struct ask_guard *guard, uint32_t slot, const struct session_want *want, bool wall,
              struct feed *ret, struct err *e);
void feed_close(struct feed *f); /* repeatable */

/*
 * As session_run() and the others of session.h. Stops and waits have no descriptors to poll: they
 * go by feed_wait_ms() alone.
 */
int feed_run(struct feed *f, int (*each)(void *ctx, const struct session_sample *sample), void *ctx,
             unsigned *ret_events);
int feed_stop(struct feed *f, int (*each)(void *ctx, const struct session_sample *sample),
              void *ctx);
size_t feed_poll(struct feed *f, struct pollfd *fds, size_t max);
void feed_polled(struct feed *f, const struct pollfd *fds, size_t count);
int feed_wait_ms(const struct feed *f);
void feed_counts(const struct feed *f, struct session_counts *ret);

#endif
