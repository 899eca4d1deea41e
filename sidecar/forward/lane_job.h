/*
 * lane_job.h: shaping one profile for one backend in libuv's pool, or delivering it there when the
 * backend is a folder.
 */
#ifndef SIDECAR_FORWARD_LANE_JOB_H
#define SIDECAR_FORWARD_LANE_JOB_H

#include "sidecar/forward/hot.h"

struct lane_job; /* opaque */

/* On the loop; the job is gone when this returns. */
typedef void (*lane_job_done)(void *data, struct lane_job *job);

/**
 * lane_job_start(loop, plan, ops, item, split, done, data, ret): takes over the hold on ${item},
 * looks at ${plan} until it is done. ${split} > 1: the profile in that many parts by its samples.
 * 0 or -errno and nothing was taken over.
 */
int lane_job_start(uv_loop_t *loop, const struct backend_plan *plan, const struct backend_ops *ops,
                   struct hot_item *item, unsigned split, lane_job_done done, void *data,
                   struct lane_job **ret);

/** lane_job_result(j, ret, e): in done(): 0 and what was shaped (malloc'd, the caller's; not for a
 * delivery), or -errno with its reason. */
int lane_job_result(struct lane_job *j, struct backend_shaped **ret, struct err *e);

/** lane_job_abandon(j, plan): done() will not be called; ${plan} is freed with the job. */
void lane_job_abandon(struct lane_job *j, struct backend_plan *plan);

#endif
