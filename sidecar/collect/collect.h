/*
 * collect.h: profiles on a schedule, from the sampler or from the target's own endpoint, into the
 * store.
 *
 * The beat of a Pod is shifted by a hash of its host's name, so that a fleet does not sample in
 * step; it holds across restarts. Our own windows take no client's place (limits.concurrent counts
 * clients): they run beside them, in a slot of the sampler that is free, and ask again in
 * COLLECT_RETRY_MS when none is. What is cumulative becomes growth (sidecar/delta.h); the first one
 * of a target's life is the base and is not kept. Labels and texts go through the policy
 * (profile/policy.h) once, here.
 *
 * Last words: when the target ends or SIGTERM comes, the running window is closed and kept.
 */
#ifndef SIDECAR_COLLECT_COLLECT_H
#define SIDECAR_COLLECT_COLLECT_H

#include "sidecar/item.h"
#include "sidecar/state.h"

enum {
    COLLECT_ROWS_MAX = CONFIG_COLLECT_MAX + CONFIG_SCRAPE_TYPES_MAX,
    COLLECT_RETRY_MS = 1000, /* when the sampler is busy */
};

struct collect; /* opaque */

struct collect_status {
    char type[ITEM_TYPE_BYTES];
    const char *source;     /* "sampler", "scrape" */
    uint64_t taken, failed; /* since start */
    int64_t last_ns;        /* real time of the last one kept, 0: none */
    char last_error[256];
    uint64_t next_ms;
};

/** collect_new(loop, st, ret, e): begins when there is a target; nothing when not configured. */
int collect_new(uv_loop_t *loop, struct state *st, struct collect **ret, struct err *e);
void collect_free(struct collect *c); /* NULL-safe */

/** collect_reload(c, e): st->config has changed. */
int collect_reload(struct collect *c, struct err *e);

/** collect_news(c): the target came, changed or went (st->status). */
void collect_news(struct collect *c);

/** collect_drain(c): close the running window; collect_idle() tells when all of it is kept. */
void collect_drain(struct collect *c);
bool collect_idle(const struct collect *c); /* NULL-safe */

/** collect_secrets(c): files with credentials have changed. NULL-safe. */
void collect_secrets(struct collect *c);

/** collect_scrape(c): the target's own endpoint, for the routes; NULL when none is configured. */
struct scrape *collect_scrape(struct collect *c);

size_t collect_count(const struct collect *c); /* NULL-safe */
void collect_look(const struct collect *c, size_t i, struct collect_status *ret);

#endif
