/*
 * answer_sampler.h: the sampler's half of its link to the front.
 */
#ifndef WIRE_ANSWER_SAMPLER_H
#define WIRE_ANSWER_SAMPLER_H

#include "wire/link.h"

struct answer_sampler_question {
    enum wire_type type; /* WIRE_ASK_ABOUT, _CPU, _CANCEL, _SYMBOL, _ARGV, _RUNTIME, _STATS */
    uint32_t id;
    struct wire_cpu cpu;         /* ranges checked: 1 ≤ hz, duration within limits */
    struct wire_runtime runtime; /* _RUNTIME: ranges checked */
    uint32_t finish;             /* _CANCEL: 1 = answer with what there is */
    uint32_t count;              /* _SYMBOL */
    uint64_t addresses[WIRE_SYMBOLS_MAX];
};

void answer_sampler_open(struct link *l, int fd);

/** answer_sampler_next(l, ret): the next question; results as link_recv(l, 0, …). */
int answer_sampler_next(struct link *l, struct answer_sampler_question *ret);

/*
 * Answers; ${fd}: a bulk or -1, stays the caller's. Texts are cleaned on the way. 0; -EPIPE the
 * front is gone; -EPROTO it does not read its answers (l->why).
 */
int answer_sampler_about(struct link *l, uint32_t id, const struct wire_about *about);
int answer_sampler_cpu(struct link *l, uint32_t id, const struct wire_profile *profile, int fd);
int answer_sampler_said(struct link *l, enum wire_type type, uint32_t id, int result,
                        const char *text, int fd);

/** answer_sampler_runtime(l, id, read, fd): ${fd}: a bulk or -1, stays the caller's. */
int answer_sampler_runtime(struct link *l, uint32_t id, const struct wire_runtime_read *read,
                           int fd);
int answer_sampler_stats(struct link *l, uint32_t id, const struct wire_stats *stats);

#endif
