/*
 * sampler.h: the seeing program as one object: the guard to ask, the front to answer, the target
 * as it is understood now, and the recordings that run.
 */
#ifndef SAMPLER_SAMPLER_H
#define SAMPLER_SAMPLER_H

#include "sampler/family.h"
#include "sampler/recording.h"
#include "sampler/source.h"
#include "wire/answer_sampler.h"

enum {
    SAMPLER_WAITING_MAX = 16, /* further ones stay in the socket */
};

/* target.unsafe: when to look next for the rates that are to be set (rates.h). */
struct sampler_rates {
    uint32_t generation; /* of the target it is about */
    uint32_t tries;
    uint64_t at_ns; /* monotonic; 0: nothing to do */
    bool again;     /* exec(2) has put another program there: what was set is gone with the old */
};

struct sampler {
    struct ask_guard guard;
    struct link front;
    struct source source;
    struct scene scene;
    struct family family; /* target.all: the processes beside the first one */
    struct recording *recordings[WIRE_PERF_SLOTS];
    struct sampler_rates rates;
    struct answer_sampler_question question; /* the one at hand */
    /* questions that came while a long one was answered */
    struct answer_sampler_question waiting[SAMPLER_WAITING_MAX];
    size_t waiting_count;
};

/**
 * scene_ready(s, e): the target's mappings as they are now, the Go half, the labels; kept between
 * profiles of one target. -ESRCH: there is none (e: the guard's reason). -EAGAIN: it has just
 * become another one, and recordings of the old one are not over yet.
 */
int scene_ready(struct sampler *s, struct err *e);
void scene_drop(struct sampler *s);

/** scene_runtime(s, e): the Go runtime's variables, after scene_ready(). -ENOTSUP: no Go program,
 * or one that we cannot read, with the reason. */
int scene_runtime(struct sampler *s, struct err *e);

/**
 * sampler_hear(s, id): take in what the front says while question ${id} is being answered: true
 * when that question was cancelled or the front is gone. Other questions are kept for later.
 */
bool sampler_hear(struct sampler *s, uint32_t id);

/** scene_trim(s): give memory back, unless a recording still needs what the caches know. */
void scene_trim(struct sampler *s);

/** serve_front(s): take one question. 0; -EAGAIN; -EPIPE; -EPROTO (s->front.why). */
int serve_front(struct sampler *s);

/** serve_recordings(s): drain all, answer those that are over. 0 or -errno: the guard is gone. */
int serve_recordings(struct sampler *s);

#endif
