/*
 * app.h: the sidecar as a whole: its parts put together, kept up to date and taken apart again.
 *
 * Starts the listeners, hears guard and sampler, reads the configuration again when it is told to
 * (SIGHUP) or when its files change, drains on SIGTERM for at most `drain`. SIGINT is left to the
 * guard, which gets it from the terminal too.
 */
#ifndef SIDECAR_APP_H
#define SIDECAR_APP_H

#include <uv.h>

#include "base/err.h"

enum {
    APP_WATCH_MS = 1000, /* between two looks at the configuration's files: a stat(2) of each. What
                            was exchanged has to be in force within five seconds, also where the
                            machine is busy */
    APP_POLL_MS = 5000, /* between two looks at what changes seldom; a refused file is read again */
    APP_READY_MS = 1000, /* how long the `ready` line waits for a target that is just looked for */
};

struct app; /* opaque */
struct config;

/**
 * app_new(loop, guard_fd, argc, argv, ret, e): read the configuration (${argv} as for
 * config_from_args(); kept for reloads), take over ${guard_fd}, listen. On failure everything that
 * was begun is undone, but for handles that the loop still has to close.
 */
int app_new(uv_loop_t *loop, int guard_fd, int argc, char **argv, struct app **ret, struct err *e);

/** app_config(a): as it holds now. */
const struct config *app_config(const struct app *a);

/** app_begin(a): confined by now: tell the guard, watch the files and the signals. */
int app_begin(struct app *a, struct err *e);

/** app_end(a): the exit code; frees everything. The loop must run once more for its handles. */
int app_end(struct app *a);

#endif
