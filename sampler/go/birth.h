/*
 * birth.h: was this goroutine there before a given moment?
 *
 * A g structure is used again by another goroutine after its own has ended. Between a sample and
 * the read of its labels that may have happened, and the newcomer's labels would be given to a
 * stack that was not its own. A goroutine is proven to be old enough when (a) the same (g, goid)
 * was seen by a read that was over before the moment, or (b) its goid had been handed out by a
 * reading of sched.goidgen and of every P's cache that was over before the moment: goid <= goidgen,
 * and in no P's [goidcache, goidcacheend).
 *
 * Why (b) holds (runtime/proc.go newproc1, the same in Go 1.18 to 1.26): ids come from
 * sched.goidgen, the last one handed out, in batches of 16 to a P, which gives them out from
 * goidcache on. The structure is taken from the dead ones before it gets its id, and ids are never
 * used again, so whoever holds the structure and an id that was given out at time t has held it
 * since t. goidgen is read before the caches, so a batch it includes is in some P's cache by then,
 * unless the thread that took it lost its CPU within the two instructions between the addition and
 * the store: a hole of some 1e-4 of a spawning program's time on an overloaded machine, and a wrong
 * label needs a second goroutine of the same batch to take the sampled one's structure within the
 * delay of the read, too. Goroutines of extra threads (cgo callbacks) take single ids from goidgen:
 * no batch.
 */
#ifndef SAMPLER_GO_BIRTH_H
#define SAMPLER_GO_BIRTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sampler/go/image.h"
#include "sampler/symbols/target.h"

enum {
    BIRTH_P_MAX = 1024, /* of one program; GOMAXPROCS above that: no labels */
    BIRTH_RANGES_MAX = BIRTH_P_MAX + 2,
    BIRTH_READINGS = 32,       /* kept; at least BIRTH_GAP_NS apart */
    BIRTH_SEEN_SLOTS = 4096,   /* goroutines remembered, a power of two; 96 KiB */
    BIRTH_GAP_NS = 100 * 1000, /* between two readings */
    BIRTH_GAP_P_NS = 2000,     /* and this more for each P, for a reading's cost grows with them */
};

struct birth; /* opaque: the history of one process */

/**
 * birth_new(image, target, ret, e): finds sched and allp. -ENOTSUP when they are not found or do
 * not hold what they should (${e} says which); -ENOMEM, -ESRCH, -EPERM.
 */
int birth_new(struct go_image *image, const struct target *target, struct birth **ret,
              struct err *e);
void birth_free(struct birth *b);

/** birth_due(b, now_ns): is it time for another reading? */
bool birth_due(const struct birth *b, uint64_t now_ns);

/**
 * birth_ranges(b, out): what a reading has to read, in this order, in one readv with whatever else
 * (${out} has room for BIRTH_RANGES_MAX). Returns how many ranges; they stay valid until
 * birth_take().
 */
size_t birth_ranges(struct birth *b, struct target_range *out);

/** birth_take(b, ranges, count, over_ns): that readv was over at ${over_ns}. */
void birth_take(struct birth *b, const struct target_range *ranges, size_t count, uint64_t over_ns);

/** birth_follow(b): GOMAXPROCS may have changed: read the list of P's again when it has. */
void birth_follow(struct birth *b);

/** birth_seen(b, g, goid, over_ns): a read that was over at ${over_ns} found ${goid} in ${g}. */
void birth_seen(struct birth *b, uint64_t g, uint64_t goid, uint64_t over_ns);

/** birth_proven(b, g, goid, moment_ns): (a) or (b), for the moment. */
bool birth_proven(const struct birth *b, uint64_t g, uint64_t goid, uint64_t moment_ns);

#endif
