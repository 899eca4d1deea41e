/*
 * row.h: one profile of the schedule: when it is due, whom it is asked of, what becomes of the
 * answer. collect.c has the clock.
 */
#ifndef SIDECAR_COLLECT_ROW_H
#define SIDECAR_COLLECT_ROW_H

#include "sidecar/collect/collect.h"
#include "sidecar/collect/origin.h"
#include "sidecar/collect/refine.h"
#include "sidecar/collect/scrape.h"

enum row_state {
    ROW_RESTS,   /* until it is due */
    ROW_ASKS,    /* the sampler or the target's endpoint */
    ROW_REFINES, /* in the pool */
    ROW_STORES,
};

/* What the rows share; collect.c's. */
struct row_room {
    uv_loop_t *loop;
    struct state *st;
    struct scrape *scrape; /* NULL: none */
    struct refine_policy *policy;
    struct origin origin;
    bool draining;
    void (*rested)(void *ctx); /* a row is done: look at the clock again */
    void *ctx;
};

struct row {
    struct row_room *room;
    char type[ITEM_TYPE_BYTES];
    bool scraped;
    enum session_kind kind; /* not scraped */
    uint32_t seconds, hz;   /* cpu; of a scraped profile that takes time: seconds */
    uint64_t every_ms, phase_ms;
    bool growth; /* cumulative: what is kept is the difference */

    enum row_state state;
    uint64_t due_ns; /* monotonic */
    uint32_t ticket; /* ROW_ASKS */
    struct refine *job;
    struct item item;
    uint32_t backends;
    bool again;                /* the last one was kept */
    struct buf base;           /* gzip of the last reading */
    uint64_t base_ns, read_ns; /* monotonic: when that came, when the present one did */
    uint32_t generation;
    uint64_t seq;
    struct collect_status status;
};

/** row_init(r, room, type, scraped, c): ${c} may be NULL (a scraped type). -EINVAL: no such type
 * for the sampler. */
int row_init(struct row *r, struct row_room *room, const char *type, bool scraped,
             const struct config_collect *c);

/** row_release(r): what is under way is dropped. */
void row_release(struct row *r);

/** row_renew(r): the target is another: no base, count from 0. */
void row_renew(struct row *r);

/** row_may(r): is what it asks there? */
bool row_may(const struct row *r);

/** row_take(r): ask now. The row rests again when all is done. */
void row_take(struct row *r);

/** row_schedule(r): due at its next beat, or at once when it has no base yet. */
void row_schedule(struct row *r);

#endif
