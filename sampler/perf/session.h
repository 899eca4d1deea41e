/*
 * session.h: one perf session of the target from the sampler's side: opened by the guard, read
 * here. Decides which samples count (no double counting), what each weighs, and which events get
 * a new period.
 *
 * What a sample weighs, which are dropped, and why: weigh.h. Events that have just fired for the
 * first time are given their real period at the next drain. The busy ones get a new one, nominal
 * ±20 %, about each 20 samples, so that nothing aliases: while a period lasts, its samples may fall
 * in step with work that repeats itself, and all of them then say the same. (Simulated, 4 s of two
 * threads at 99 Hz and work of 1.8 ms: some share is off by more than 3 sigma in 7 % of the
 * profiles with a new period each second, in 2 % with one each 20 samples, in 1 % were they
 * independent. More often would cost more of what a change takes away, weigh.h: half a period
 * each.)
 *
 * Rings are drained each SESSION_DRAIN_MS (sooner where a ring would be half full by then), in
 * label mode at each wake-up. A ring whose poll(2) says POLLHUP is read by timer from then on: its
 * owner's thread ended, but others write into it too.
 */
#ifndef SAMPLER_PERF_SESSION_H
#define SAMPLER_PERF_SESSION_H

#include "base/err.h"
#include "sampler/perf/ring.h"
#include "wire/ask_guard.h"

enum {
    SESSION_DRAIN_MS = 100,
    SESSION_DRAIN_FAST_MS = 20, /* the first SESSION_SETTLE_MS, and for rings that hung up */
    SESSION_SETTLE_MS = 300,
    SESSION_JITTER_PERIODS = 16, /* from one change of a busy event's period to the next */
    SESSION_JITTER_MIN_MS = 20,  /* and no sooner than this */
    SESSION_TICK_MS = 1000,      /* the guard is asked for new threads, and for the end */
    /* copied from SP up, for the leaf repair; Go 1.19's sha256 block has 544 bytes up to its caller
     */
    SESSION_STACK_BYTES = 640,
};

struct session_want {
    uint32_t hz;
    int kernel;  /* kernel samples wanted */
    int wakeups; /* one wake-up a sample */
    int family;  /* target.all: other processes than the first one too */
};

/*
 * With want.family also RECORD_COMM (of an exec) and RECORD_MMAP of processes that are not the
 * first one, as they come: weight 0.
 */
struct session_sample {
    const struct record *record;
    uint64_t weight_ns;
    int remapped; /* the target has mapped code since the sample before this */
    /* NULL: of a CPU profile; else where a thread is, running or not: ${record} has its registers
     * and its stack */
    const struct wire_wait *wait;
};

struct session_counts {
    uint64_t samples, lost, duplicates, settling, throttled;
    uint64_t foreign;    /* of other processes, dropped (kernels before 5.13 only) */
    uint64_t bad;        /* records that could not be read, or of an event that is not ours */
    uint64_t weight_ns;  /* of the samples */
    uint64_t counted_ns; /* CPU time by the events themselves, kernel time with it; set by
                            session_stop(). Much more than weight_ns: the time was in the kernel
                            (when its samples are not in), or in threads that ended before their
                            first inherited period was over */
    uint32_t threads, threads_missed;
    int kernel;   /* kernel samples are in */
    int remapped; /* code was mapped after the last sample that was handed out */
    enum wire_perf_shape shape;
    enum wire_source source;
    uint64_t refused; /* stops: somebody else traces the thread; in lost too */
    uint64_t waiting; /* stops: taken where a thread waits, which was never met running */
    uint64_t moved;   /* waits: ran on while they were read; in lost too */
};

struct session; /* opaque */

/**
 * session_open(guard, slot, want, ret, e): events of guard->target open and enabled. -errno with
 * the reason. On success ${e} (which is cleared first) may hold a remark in its text, code 0.
 */
int session_open(struct ask_guard *guard, uint32_t slot, const struct session_want *want,
                 struct session **ret, struct err *e);

/** session_close(s): disable, drain nothing more, close the events; NULL-safe. Frees it. */
void session_close(struct session *s);

/**
 * session_stop(s, each, ctx): disable, drain what is left, close the events, learn the final
 * counts. Then only session_counts() and session_close(). Not needed before session_close().
 */
int session_stop(struct session *s, int (*each)(void *ctx, const struct session_sample *sample),
                 void *ctx);

struct pollfd;
/** session_poll(s, fds, max): fill in what to poll (label mode: rings; else nothing). Count. */
size_t session_poll(struct session *s, struct pollfd *fds, size_t max);
/** session_polled(s, fds, count): what poll(2) said of those; entries of others do no harm. */
void session_polled(struct session *s, const struct pollfd *fds, size_t count);

/** session_wait_ms(s): until session_run() wants to be called even if nothing polls readable. */
int session_wait_ms(const struct session *s);

/* EXEC: another program runs in the target from now on; what it does is not handed out. */
enum session_event { SESSION_EVENT_EXEC = 1, SESSION_EVENT_MMAP = 2, SESSION_EVENT_GONE = 4 };

/**
 * session_run(s, each, ctx, ret_events): drain the rings; tick when due. ${each} gets every sample
 * that counts; non-zero from it ends the draining (the rest waits for the next call). 0, or -errno
 * when the session is broken (guard gone: -EPIPE). *ret_events: enum session_event bits.
 */
int session_run(struct session *s, int (*each)(void *ctx, const struct session_sample *sample),
                void *ctx, unsigned *ret_events);

void session_counts(const struct session *s, struct session_counts *ret);

#endif
