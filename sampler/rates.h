/*
 * rates.h: target.unsafe, the sampler's part: find where the runtime keeps a profiling rate that
 * is to be set, and say so to the guard, which alone writes (guard/rates.h), or say why it cannot
 * be found. Only an address that the locator has a clear winner for, in a Go version whose layout
 * is known for certain, holding what a rate can be.
 */
#ifndef SAMPLER_RATES_H
#define SAMPLER_RATES_H

#include "sampler/sampler.h"

enum {
    /* A program that has just started sets its own rates in its first moments (runtime.schedinit,
     * init functions, main): after that, or it would undo ours. */
    RATES_SETTLE_MS = 1000,
    RATES_RETRY_MS = 1000, /* its runtime was not there yet */
    RATES_TRIES_MAX = 10,
};

/** rates_wait_ms(s): until rates_run() wants to be called; -1: it does not. */
int rates_wait_ms(struct sampler *s);

/** rates_run(s): find and ask for what is wanted and due. 0 or -errno: the guard is gone. */
int rates_run(struct sampler *s);

/**
 * rates_advise(s, kind, e): this profile (enum wire_runtime_kind) was refused with ${e}: if that is
 * because nothing is sampled, name the key that would change it, or why it did not.
 */
void rates_advise(struct sampler *s, uint32_t kind, struct err *e);

/**
 * rates_heap(s): what memory was sampled at where that is not in force any more: we have set a
 * rate and the program is at 0 by now. 0: the one in force is right.
 */
int64_t rates_heap(struct sampler *s);

/** rates_of(kind): the rate (enum wire_rate_kind) that this profile needs, -1: none. */
int rates_of(uint32_t kind);

/** rates_comment(s, kind, out, bytes): what a profile has to say of a rate that we have set; "" if
 * none was. */
void rates_comment(struct sampler *s, uint32_t kind, char *out, size_t bytes);

#endif
