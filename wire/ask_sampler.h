/*
 * ask_sampler.h: the front's half of the link to the sampler (answer_sampler.h is the other).
 *
 * Questions are sent and forgotten; answers come in any order and name the question by its id.
 * Works on a blocking or a non-blocking descriptor: libuv's poll handle in the sidecar, poll(2) in
 * the CLI. Every answer is range-checked and its texts are clean printable ASCII.
 */
#ifndef WIRE_ASK_SAMPLER_H
#define WIRE_ASK_SAMPLER_H

#include "wire/link.h"

struct ask_sampler_answer {
    enum wire_type type; /* WIRE_ANS_ABOUT, _CPU, _SYMBOL, _ARGV, _RUNTIME or _STATS */
    uint32_t id;         /* the question's */
    int fd;              /* bulk (bulk.h), -1 if none; the receiver closes it */
    union {
        struct wire_about about;
        struct wire_profile cpu;
        struct wire_said said;
        struct wire_runtime_read runtime;
        struct wire_stats stats;
    } body;
};

/** ask_sampler_open(l, fd): take over the front's end. */
void ask_sampler_open(struct link *l, int fd);

/* Each sends one question: 0 and its id in *ret_id, or -errno (-EAGAIN: full, -EPIPE: gone). */
int ask_sampler_about(struct link *l, uint32_t *ret_id);
int ask_sampler_cpu(struct link *l, const struct wire_cpu *cpu, uint32_t *ret_id);
int ask_sampler_symbol(struct link *l, const uint64_t *addresses, size_t count, uint32_t *ret_id);
int ask_sampler_argv(struct link *l, uint32_t *ret_id);
int ask_sampler_runtime(struct link *l, const struct wire_runtime *want, uint32_t *ret_id);
int ask_sampler_stats(struct link *l, uint32_t *ret_id);

/**
 * ask_sampler_cancel(l, id): the client of question ${id} has gone. Its answer still comes (with
 * -ECANCELED, or a result that crossed on the way).
 */
int ask_sampler_cancel(struct link *l, uint32_t id);

/** ask_sampler_finish(l, id): end question ${id} now and answer with what there is so far. */
int ask_sampler_finish(struct link *l, uint32_t id);

/** ask_sampler_next(l, timeout_ms, ret): the next answer; results as link_recv(). */
int ask_sampler_next(struct link *l, int timeout_ms, struct ask_sampler_answer *ret);

#endif
