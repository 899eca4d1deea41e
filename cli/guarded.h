/*
 * guarded.h: a guard of our own for one recording or one reading. We are its front: it finds the
 * target, starts a sampler and passes us the link to it, and ends when we close ours.
 *
 * SIGINT, SIGTERM and SIGHUP are taken as events from guarded_start() on. The guard runs in a
 * process group of its own, so that a terminal's Ctrl-C ends the recording and not the sampling
 * programs under it.
 */
#ifndef CLI_GUARDED_H
#define CLI_GUARDED_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "wire/ask_sampler.h"
#include "wire/front.h"

enum {
    GUARDED_TARGET_WAIT_MS = 2000,  /* for a target that is not there */
    GUARDED_SAMPLER_WAIT_MS = 8000, /* for the first sampler */
    GUARDED_ANSWER_WAIT_MS = 60000, /* after the profile's own time: symbols of a large program */
    GUARDED_TICK_MS = 200,          /* between two looks at the progress */
};

struct guarded {
    pid_t pid;
    int signals;
    struct link front, sampler;
    struct wire_status status; /* the latest news */
    struct wire_facts facts;   /* what was found by trying; of the target in ${status} */
    bool heard;                /* there was any news */
    bool heard_facts;
    bool interrupted; /* a signal asked us to end */
};

/* Called every GUARDED_TICK_MS while a profile runs. */
typedef void (*guarded_tick)(void *ctx, uint64_t elapsed_ms);

/**
 * guarded_start(g, args, e): fork and exec pillion-guard; ${args} (NULL at the end) are the TARGET
 * options. 0 or -errno; guarded_stop() in any case.
 */
int guarded_start(struct guarded *g, char *const *args, struct err *e);

/**
 * guarded_look(g, args, e): the same for `pillion doctor`: without ${args} there need not be a
 * target; the facts are then those of the machine.
 */
int guarded_look(struct guarded *g, char *const *args, struct err *e);

/**
 * guarded_ready(g, e): wait until the target is there and the sampler can be asked. -ESRCH no
 * target, -ECHILD the guard has ended (the error's text is empty when it has said why itself),
 * -ETIMEDOUT, -EINTR, -EPROTO.
 */
int guarded_ready(struct guarded *g, struct err *e);

/**
 * guarded_cpu(g, cpu, tick, ctx, ret, e): record one profile. An interrupt ends it early and keeps
 * what there is; a second one gives up with -EINTR. On success ret->fd is a bulk, the caller's.
 */
int guarded_cpu(struct guarded *g, const struct wire_cpu *cpu, guarded_tick tick, void *ctx,
                struct ask_sampler_answer *ret, struct err *e);

/**
 * guarded_runtime(g, want, ret, e): one reading of the target's runtime, now. -EINTR when it was
 * interrupted; what the sampler refuses is its -errno and its text. On success ret->fd is a bulk,
 * the caller's.
 */
int guarded_runtime(struct guarded *g, const struct wire_runtime *want,
                    struct ask_sampler_answer *ret, struct err *e);

/** guarded_stop(g): close the links, wait for the guard's end. Repeatable. */
void guarded_stop(struct guarded *g);

#endif
