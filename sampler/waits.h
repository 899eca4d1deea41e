/*
 * waits.h: samples for a wall-clock profile: at each tick, where every thread of the target is
 * (guard/waits.h). Needs no perf and stops nothing. A thread that waits has a stack, one that runs
 * has none; one that ran on while it was read is dropped and counted as lost.
 */
#ifndef SAMPLER_WAITS_H
#define SAMPLER_WAITS_H

#include "sampler/perf/session.h"

enum {
    WAITS_ASKS_MAX = 16, /* questions of one tick: so many times WIRE_WAITS_MAX threads */
};

struct waits; /* opaque */

/** waits_open(guard, want, ret, e): want->hz is at most WIRE_WAITS_HZ_MAX. Reads once, so that a
 * right that is missing shows. -errno with the reason. */
int waits_open(struct ask_guard *guard, const struct session_want *want, struct waits **ret,
               struct err *e);
void waits_close(struct waits *w); /* NULL-safe; frees it */

/* As those of session.h; the samples have ->wait. */
int waits_run(struct waits *w, int (*each)(void *ctx, const struct session_sample *sample),
              void *ctx, unsigned *ret_events);
int waits_wait_ms(const struct waits *w);
void waits_counts(const struct waits *w, struct session_counts *ret);

#endif
