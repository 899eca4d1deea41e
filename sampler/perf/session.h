/*
 * session.h: one perf session of the target from the sampler's side: opened by the guard, read
 * here. Decides which samples count (no double counting), what each weighs, and which events get
 * a new period.
 *
 * Period: each event starts with a random first period in (0, nominal], so that threads that run
 * little are seen without bias (as Go's own per-thread timers do); its first sample weighs the
 * nominal period, and what it delivers until the first tick is dropped. After that each sample
 * weighs its own period. About once a second, events that fired since get a new period, nominal
 * ±20 %, so that nothing aliases; those that did not fire keep theirs, since a change restarts the
 * timer and would starve them.
 *
 * Double counting: an inherited event's sample has the parent event's id and the child's tid. If
 * that tid has an event of its own (it was opened directly while inheritance already covered it),
 * the inherited sample is dropped; an EXIT record frees the tid.
 */
#ifndef SAMPLER_PERF_SESSION_H
#define SAMPLER_PERF_SESSION_H

#include "base/err.h"
#include "sampler/perf/ring.h"
#include "wire/ask_guard.h"

struct session_want {
    uint32_t hz;
    int kernel;  /* kernel samples wanted */
    int wakeups; /* one wake-up a sample */
};

struct session_sample {
    const struct record *record;
    uint64_t weight_ns;
};

struct session_counts {
    uint64_t samples, lost, duplicates, settling, throttled, bad;
    uint64_t weight_ns;  /* of the samples */
    uint64_t counted_ns; /* by the events themselves; set by session_close() */
    uint32_t threads, threads_missed;
    int kernel; /* kernel samples are in */
    enum wire_perf_shape shape;
};

struct session; /* opaque */

/** session_open(guard, slot, want, ret, e): events open and enabled. -errno with the reason. */
int session_open(struct ask_guard *guard, uint32_t slot, const struct session_want *want,
                 struct session **ret, struct err *e);

/** session_close(s): disable, drain nothing more, close the events; NULL-safe. Frees it. */
void session_close(struct session *s);

/** session_stop(s, each, ctx): disable, drain what is left, learn the final counts. */
int session_stop(struct session *s, int (*each)(void *ctx, const struct session_sample *sample),
                 void *ctx);

struct pollfd;
/** session_poll(s, fds, max): fill in what to poll (label mode: rings; else nothing). Count. */
size_t session_poll(struct session *s, struct pollfd *fds, size_t max);
void session_polled(struct session *s, const struct pollfd *fds, size_t count);

/** session_wait_ms(s): until session_run() wants to be called even if nothing polls readable. */
int session_wait_ms(const struct session *s);

enum session_event { SESSION_EVENT_EXEC = 1, SESSION_EVENT_MMAP = 2, SESSION_EVENT_GONE = 4 };

/**
 * session_run(s, each, ctx, ret_events): drain the rings; tick when due. ${each} gets every sample
 * that counts. 0, or -errno when the session is broken (guard gone: -EPIPE).
 */
int session_run(struct session *s, int (*each)(void *ctx, const struct session_sample *sample),
                void *ctx, unsigned *ret_events);

void session_counts(const struct session *s, struct session_counts *ret);

#endif
