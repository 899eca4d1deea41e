/*
 * stops.h: samples for a CPU profile where perf is refused: the guard stops the threads that use
 * CPU time, one tick a period, and copies their registers and a part of their stack
 * (guard/stops.h). Here each becomes a record like perf's (perf/record.h), with the frame-pointer
 * chain that the kernel would have followed, so that unwinding, labels and names are the same.
 *
 * The period is jittered by a fifth. A sample weighs the CPU time of its thread since its last one,
 * so the total is right however seldom the ticks come. The stack that is copied ends at
 * WIRE_STOP_STACK_BYTES: what is above it is [truncated].
 */
#ifndef SAMPLER_STOPS_H
#define SAMPLER_STOPS_H

#include "sampler/perf/session.h"

enum {
    STOPS_LATE_MS = 2, /* samples that were not there at their tick are asked for so much later … */
    STOPS_ASKS_MAX = 4, /* … if none has come meanwhile: questions in one go */
};

struct stops; /* opaque */

/** stops_open(guard, want, ret, e): -errno with the reason. want->hz is at most
 * WIRE_STOPS_HZ_MAX. */
int stops_open(struct ask_guard *guard, const struct session_want *want, struct stops **ret,
               struct err *e);
void stops_close(struct stops *s); /* NULL-safe; frees it */

/* As those of session.h. */
int stops_run(struct stops *s, int (*each)(void *ctx, const struct session_sample *sample),
              void *ctx, unsigned *ret_events);
int stops_stop(struct stops *s, int (*each)(void *ctx, const struct session_sample *sample),
               void *ctx);
int stops_wait_ms(const struct stops *s);
void stops_counts(const struct stops *s, struct session_counts *ret);

/**
 * stops_record(row, stack, chain, ret): the record of one sample; ${chain} is room for its
 * addresses. Pure.
 */
void stops_record(const struct wire_stop *row, const uint8_t *stack,
                  uint64_t chain[static RECORD_CHAIN_MAX], struct record *ret);

#endif
