/*
 * buckets.h: the runtime's profile buckets (runtime/mprof.go): memory, block, mutex; and the
 * threads with their creation stacks (allm).
 */
#ifndef SAMPLER_GO_BUCKETS_H
#define SAMPLER_GO_BUCKETS_H

#include "sampler/go/budget.h"
#include "sampler/go/runtime.h"

enum {
    BUCKETS_MAX = 1024 * 1024, /* of one list */
    BUCKETS_DEPTH_MAX = 1024,  /* bucket.nstk; more is no bucket */
    /* Since Go 1.23 block and mutex records keep some more pcs than are shown, for those that turn
     * out to be inlined (runtime/proc.go, makeProfStackFP); runtime/pprof shows
     * debug.profstackdepth frames of them, which is 128 unless GODEBUG says more. */
    BUCKETS_PHYSICAL_MINOR = 23,
    BUCKETS_SHOWN_FRAMES = 128,
    BUCKETS_KEPT_PCS = 1 + 6 + BUCKETS_SHOWN_FRAMES, /* a longer one: GODEBUG says more */
};

enum buckets_kind { BUCKETS_MEMORY = 1, BUCKETS_BLOCK = 2, BUCKETS_MUTEX = 3 };

struct bucket {
    uint64_t size; /* memory: of one object */
    uint32_t depth;
    const uint64_t *pcs; /* as the runtime stores them: for inlinelist_expand() */
    /* memory: raw counts, not scaled: what runtime.MemProfile would give */
    int64_t allocs, frees, alloc_bytes, free_bytes;
    /* block, mutex */
    double count;
    int64_t cycles;
};

struct buckets_rates {
    int64_t memory; /* MemProfileRate: 0 = the program records nothing */
    int64_t block;  /* in ticks */
    int64_t mutex;  /* 1 in so many */
};

/** buckets_rates(rt, ret): what the program records now. Rates that were not found are -1. */
int buckets_rates(struct go_runtime *rt, struct buckets_rates *ret);

/**
 * buckets_ticks_per_second(rt): what block and mutex records count in; 0: unknown on this machine.
 * Takes 2 ms, for it compares the target's answer with the clocks.
 */
double buckets_ticks_per_second(struct go_runtime *rt);

/**
 * buckets_read(rt, kind, budget, each, ctx, ret_mixed, e): every bucket, newest first, with the
 * pending memory cycle added by the runtime's own rule; each is called when all of them have held
 * still, and what it returns (not 0: the end) is returned. -ENOTSUP (not found), -EBADMSG (a
 * circle, an impossible bucket), -EAGAIN (they do not hold still), -ETIMEDOUT, -ECANCELED (budget),
 * -ESRCH, -EPERM, -E2BIG, -ENOMEM; with the reason in ${e}.
 * ${ret_mixed} (may be NULL): 0 for one moment, as the runtime itself would give it; else how many
 * buckets may be of the collection after, for collections came too fast for a list of this length.
 */
int buckets_read(struct go_runtime *rt, enum buckets_kind kind, struct go_budget *budget,
                 int (*each)(void *ctx, const struct bucket *b), void *ctx, uint64_t *ret_mixed,
                 struct err *e);

/**
 * buckets_threads(rt, budget, each, ctx, e): the creation stack of each m (may be empty), in the
 * order of allm. Errors as above.
 */
int buckets_threads(struct go_runtime *rt, struct go_budget *budget,
                    int (*each)(void *ctx, uint32_t tid, const uint64_t *pcs, uint32_t depth),
                    void *ctx, struct err *e);

/** buckets_scale(count, bytes, rate, ret_count, ret_bytes): runtime/pprof/protomem.go's scaling. */
void buckets_scale(int64_t count, int64_t bytes, int64_t rate, int64_t *ret_count,
                   int64_t *ret_bytes);

#endif
