/*
 * weigh.h: which samples of a session count, and what each weighs. Pure: no ring, no guard.
 *
 * An event is opened for one thread on one CPU; the threads born from that one get copies of it,
 * whose samples carry its id and a stream number of their own. (The kernel may swap the event and
 * a copy between two threads at a context switch, so that the tid does not tell which is which:
 * kernel/events/core.c, perf_event_context_sched_out.)
 *
 * The opened event. The timer counts CPU time of the thread on that CPU. A systematic sample of
 * period P sees t of CPU time without bias when its first shot comes after an even part of P. So:
 *   1. FIRST: nothing yet. The first period is a random U in (0, P]; the sample weighs P, that is,
 *      it speaks for all that the thread does up to P.
 *   2. SETTLING: it goes on firing each U until it is given a period near P. Those samples weigh
 *      what lies beyond P, which is mostly nothing.
 *   3. STEADY: a sample weighs the period that was set. For a new one (so that nothing aliases) the
 *      timer starts anew: the part of the old period that had gone by is lost with it. It is
 *      estimated (CPU time so far / wall time so far x time since the last sample) and added to the
 *      next sample; an event is asked to fire WEIGH_FIRES_MIN times before its next change, so
 *      that the estimate stays small beside what was measured.
 *   Between 2 and 3: had the right period begun at the first shot, at U, the sum would be right in
 *   the long run. It begins later, so what passed since and was not told is added in the same way.
 *
 * Copies keep the period they were born with, which is what their samples say, and no request
 * reaches them. A copy first fires when one whole period P is over, and ends on average with half
 * a period not told; so its first sample weighs 1.5 P. That is without bias for threads that live
 * longer than P; what shorter ones do is not seen at all (session_counts.counted_ns has it). A copy
 * must not be born with a short U, or it would fire at up to 16 times the rate all its life: so
 * when a thread starts another, those of its events that are still at 1. get a period near P at
 * once, and their first sample weighs 1.5 of it, as that of a copy does.
 *
 * Twice covered: a thread that was born while events were being opened may have events of its own
 * and inherited ones. Then only its own count, until its EXIT; a later thread may get its number.
 */
#ifndef SAMPLER_PERF_WEIGH_H
#define SAMPLER_PERF_WEIGH_H

#include <stddef.h>
#include <stdint.h>

#include "sampler/perf/record.h"
#include "wire/wire.h"

enum {
    WEIGH_FIRES_MIN = 16,      /* own samples between two changes of a period */
    WEIGH_JITTER_PERCENT = 20, /* periods are nominal ± this */
    WEIGH_COPIES_MAX = 32768,  /* inherited copies whose first sample is told from the others */
};

struct weigh; /* opaque */

enum weigh_verdict {
    WEIGH_COUNTS,
    WEIGH_SETTLING,  /* what it stands for was told by the first sample */
    WEIGH_DUPLICATE, /* inherited, of a thread that has its own event */
    WEIGH_UNKNOWN,   /* no event has this id */
};

/** weigh_new(nominal_ns, max_events, ret): the nominal period; room for so many events. */
int weigh_new(uint64_t nominal_ns, uint32_t max_events, struct weigh **ret);

/** weigh_free(w): NULL-safe. */
void weigh_free(struct weigh *w);

/** weigh_add(w, event, now_ns): event number weigh_events(); -ENOSPC, -EEXIST (its id is known). */
int weigh_add(struct weigh *w, const struct wire_event *event, uint64_t now_ns);
uint32_t weigh_events(const struct weigh *w);

/** weigh_start(w, now_ns): the events were switched on just now. */
void weigh_start(struct weigh *w, uint64_t now_ns);

/** weigh_sample(w, rec, ret_weight_ns): *ret_weight_ns is 0 unless it counts. */
enum weigh_verdict weigh_sample(struct weigh *w, const struct record *rec, uint64_t *ret_weight_ns);

/** weigh_exit(w, tid, time_ns): that thread ended then. */
void weigh_exit(struct weigh *w, uint32_t tid, uint64_t time_ns);

/** weigh_fork(w, ptid): that thread starts others. */
void weigh_fork(struct weigh *w, uint32_t ptid);

/**
 * weigh_due(w, all, from, ret, max): events that want a new period, looked for from number *${from}
 * on (moved ahead; call again while it is < weigh_events()): the settling ones and those of threads
 * that start others, with ${all} also the steady ones that fired enough. Returns how many were
 * written to ${ret}.
 */
size_t weigh_due(struct weigh *w, int all, uint32_t *from, struct wire_period *ret, size_t max);

/** weigh_hurries(w): 1 when events want a new period soon, not just at the next full tick. */
int weigh_hurries(const struct weigh *w);

/** weigh_changed(w, periods, count, now_ns): these were set just now. */
void weigh_changed(struct weigh *w, const struct wire_period *periods, size_t count,
                   uint64_t now_ns);

#endif
