/*
 * lane.h: the way to one backend: its queue in the store, its connection, its clock.
 *
 * A lane does one profile at a time: look for the oldest, have it read (hot.h), have it shaped in
 * the pool, send each part, settle it. All state changes happen on the loop. A lane that is freed
 * while its job runs in the pool leaves the job alone; the job frees itself.
 */
#ifndef SIDECAR_FORWARD_LANE_H
#define SIDECAR_FORWARD_LANE_H

#include "sidecar/forward/forward.h"
#include "sidecar/forward/hot.h"

enum {
    LANE_WHY_BYTES = 256,
    LANE_SPLIT_MAX = 8, /* into so many parts at most when a profile is too large for them */
};

struct lane; /* opaque */

/** lane_new(loop, store, hot, plan, index, ret, e): takes over ${plan} (malloc'd). */
int lane_new(uv_loop_t *loop, struct store *store, struct hot *hot, struct backend_plan *plan,
             uint32_t index, struct lane **ret, struct err *e);
void lane_free(struct lane *l); /* NULL-safe; the loop must turn once more */

const struct backend_plan *lane_plan(const struct lane *l);

/** lane_renumber(l, index): its place in the configuration has changed. */
void lane_renumber(struct lane *l, uint32_t index);

/** lane_kick(l): there may be something to do. */
void lane_kick(struct lane *l);

/** lane_secrets(l): their files may have changed: read them, and try again if it was blocked. */
void lane_secrets(struct lane *l);

/** lane_drain(l): no waiting any more: try at once, and give up at the first failure. */
void lane_drain(struct lane *l);

/** lane_idle(l): nothing is under way, and nothing waits that could go now. */
bool lane_idle(const struct lane *l);

void lane_look(const struct lane *l, struct forward_status *ret);

#endif
