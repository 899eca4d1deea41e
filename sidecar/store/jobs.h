/*
 * jobs.h: work for libuv's pool that is done one at a time and in order: so the pool's other
 * threads stay free for others, and what one job did the next one sees without a lock.
 *
 * A job is begun and ended by the loop's thread; ${work} alone runs in the pool.
 */
#ifndef SIDECAR_STORE_JOBS_H
#define SIDECAR_STORE_JOBS_H

#include <stdbool.h>
#include <uv.h>

/* The first member of what a job needs; its owner frees it in ${after}. */
struct job {
    void (*begin)(struct job *j); /* NULL, or called right before the work: last preparations */
    void (*work)(struct job *j);  /* in the pool; touches nothing but its own */
    void (*after)(struct job *j, bool canceled); /* once; canceled: work() was never called */
    struct job *next;
};

struct jobs; /* opaque */

/** jobs_new(loop): NULL: no memory. Nothing runs before the first jobs_add(). */
struct jobs *jobs_new(uv_loop_t *loop);

/** jobs_add(js, j): behind those that wait. */
void jobs_add(struct jobs *js, struct job *j);

/** jobs_open(js): how many wait or run. */
size_t jobs_open(const struct jobs *js);

/**
 * jobs_free(js): waits for the one that runs and calls its after(); those that wait get theirs with
 * canceled. No job may be added any more. The loop must turn once more. Not to be called from
 * inside a job's function. NULL-safe.
 */
void jobs_free(struct jobs *js);

#endif
