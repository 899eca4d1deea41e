/*
 * leak.h: do goroutines pile up? The rules of the watch, without a clock, a reader or a sampler.
 *
 * Goroutines are grouped by who created them, by their stack and by their state; each sample says
 * how many are in each group. A group is suspected when, over a full window of samples, it grew in
 * at least LEAK_GROWS_PERCENT of the steps, is not smaller than the minimum now, and its floor has
 * risen (the least of the newer half of the window is more than the least of the older half, which
 * a pool that fills and empties does not do). It is cleared when it grew in fewer than
 * LEAK_CLEARS_PERCENT of them, shrank below the minimum, or is gone. Only the LEAK_GROUPS_MAX
 * largest groups of a sample are followed: a leak gets there.
 *
 * Each beginning and each end is one event, whatever the number of samples in between.
 */
#ifndef SIDECAR_LEAK_H
#define SIDECAR_LEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

enum {
    LEAK_GROUPS_MAX = 256,
    LEAK_WINDOW_MIN = 3,
    LEAK_WINDOW_MAX = 120, /* samples */
    LEAK_TEXT_BYTES = 160, /* of a name, NUL included; longer ones are cut */
    LEAK_GROWS_PERCENT = 80,
    LEAK_CLEARS_PERCENT = 50,
    LEAK_MANY = 10000,    /* goroutines: more than that is an event of its own … */
    LEAK_FEW = 9000,      /* … which is over at this */
    LEAK_SERIES_MAX = 16, /* of the metric */
    LEAK_TOLD_MAX = 64,   /* of the JSON */
};

struct leak_rules {
    uint32_t window;  /* samples, LEAK_WINDOW_MIN to LEAK_WINDOW_MAX */
    uint64_t minimum; /* goroutines of a group */
};

/* One group as a sample has it. Texts stay the caller's. */
struct leak_seen {
    uint64_t key; /* of creator, stack and state; the same in every sample */
    uint64_t count;
    const char *created_by, *function, *state;
};

/* One group that is followed. */
struct leak_group {
    bool used;
    bool suspected;
    uint64_t key;
    uint32_t samples;                /* that it was in without a gap, at most the window */
    uint32_t grew;                   /* steps of the window, newest judgement */
    uint64_t since_ns;               /* suspected since, time of day */
    uint32_t count[LEAK_WINDOW_MAX]; /* newest first */
    char created_by[LEAK_TEXT_BYTES], function[LEAK_TEXT_BYTES], state[LEAK_TEXT_BYTES];
};

struct leak {
    struct leak_rules rules;
    struct leak_group groups[LEAK_GROUPS_MAX];
    uint64_t total; /* goroutines of the latest sample */
    uint64_t when_ns;
    uint64_t samples; /* since the target was found */
    bool many;
};

enum leak_event { LEAK_BEGINS, LEAK_ENDS, LEAK_TOO_MANY, LEAK_FEWER };

/* ${group} is NULL for LEAK_TOO_MANY and LEAK_FEWER. Valid during the call. */
typedef void (*leak_tell)(void *ctx, enum leak_event what, const struct leak *l,
                          const struct leak_group *group);

/** leak_init(l, rules): nothing seen yet. About 300 KiB: not for small stacks. */
void leak_init(struct leak *l, const struct leak_rules *rules);

/** leak_set_rules(l, rules): another window begins anew; what is the same goes on. */
void leak_set_rules(struct leak *l, const struct leak_rules *rules);

/** leak_forget(l): another target: nothing of the old one is left; no events. */
void leak_forget(struct leak *l);

/**
 * leak_sample(l, now_ns, seen, n, tell, ctx): one sample; ${seen} is put into another order. Keys
 * must differ from each other.
 */
void leak_sample(struct leak *l, uint64_t now_ns, struct leak_seen *seen, size_t n, leak_tell tell,
                 void *ctx);

/** leak_suspects(l): groups under suspicion now. */
uint32_t leak_suspects(const struct leak *l);

/** leak_json(l, j, key): what is known, as an object of that name. */
void leak_json(const struct leak *l, struct json *j, const char *key);

/** leak_metrics(l, out): Prometheus text; at most LEAK_SERIES_MAX creators. */
void leak_metrics(const struct leak *l, struct buf *out);

#endif
