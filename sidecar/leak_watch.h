/*
 * leak_watch.h: looks at the target's goroutines again and again (leak_watch.every of the
 * configuration), gives what it sees to leak.h and says what that finds: one log line an event.
 * Rests while the target is no Go program, cannot be read, or every is 0.
 */
#ifndef SIDECAR_LEAK_WATCH_H
#define SIDECAR_LEAK_WATCH_H

#include <uv.h>

#include "sidecar/leak.h"

enum {
    LEAK_WATCH_IDLE_MS = 60000, /* switched off: between two looks whether that still holds */
};

struct leak_watch; /* opaque */
struct state;

/** leak_watch_new(loop, st, ret): begins; ${st} must outlive it. */
int leak_watch_new(uv_loop_t *loop, struct state *st, struct leak_watch **ret);

/** leak_watch_free(w): NULL-safe. The loop must run once afterwards. */
void leak_watch_free(struct leak_watch *w);

/** leak_watch_news(w): the configuration may be another one. */
void leak_watch_news(struct leak_watch *w);

/** leak_watch_leak(w): what is known; NULL while nothing was seen (also of ${w} NULL). */
const struct leak *leak_watch_leak(const struct leak_watch *w);

#endif
