/*
 * forward.h: the profiles that wait in the store, sent to each backend: one queue, one connection,
 * one clock each, so that a slow or hostile backend holds up no other.
 *
 * Of each backend the oldest waiting profile is read, shaped (pool thread), sent, judged. Back-off
 * is exponential with full jitter (FORWARD_BACKOFF_MIN_MS … _MAX_MS), Retry-After is honoured up to
 * FORWARD_RETRY_AFTER_MAX_MS; after FORWARD_OPEN_AFTER failures in a row the circuit is open: one
 * profile tries at a time until one is taken. What is permanent is dropped at once, counted, and
 * logged once a minute at most for each backend. What several backends need of one item (its
 * bytes, gzip) is made once and shared while it is hot (FORWARD_SHARED_MAX items).
 */
#ifndef SIDECAR_FORWARD_FORWARD_H
#define SIDECAR_FORWARD_FORWARD_H

#include <uv.h>

#include "sidecar/forward/backend.h"
#include "sidecar/store/store.h"

enum {
    FORWARD_BACKOFF_MIN_MS = 500,
    FORWARD_BACKOFF_MAX_MS = 5 * 60 * 1000,
    FORWARD_RETRY_AFTER_MAX_MS = 60 * 60 * 1000,
    FORWARD_OPEN_AFTER = 3,
    FORWARD_SHARED_MAX = 4,
    FORWARD_LOG_MS = 60000,
};

struct forward; /* opaque */

struct forward_status {
    const char *name, *type;
    const char *circuit; /* "closed", "open", "blocked" */
    uint64_t waiting, waiting_bytes, oldest_ms;
    uint64_t taken, failed, rejected, skipped, retries, bytes; /* since start */
    int64_t last_success_ns, last_error_ns;                    /* real time, 0: never */
    char last_error[256];
    uint64_t next_try_ms; /* from now; 0: now or nothing to do */
};

/** forward_new(loop, config, store, ret, e): begins with what waits. */
int forward_new(uv_loop_t *loop, const struct config *c, struct store *store, struct forward **ret,
                struct err *e);
void forward_free(struct forward *f); /* NULL-safe; the loop must turn once more */

/** forward_reload(f, c): backends as they are now; what is under way ends as it began. */
int forward_reload(struct forward *f, const struct config *c, struct err *e);

/** forward_secrets(f): their files have changed: read them again, close blocked circuits. */
void forward_secrets(struct forward *f);

/** forward_drain(f): we are ending: no back-off any more, each backend tries what waits at once,
 * until it is empty or fails. */
void forward_drain(struct forward *f);

/** forward_idle(f): nothing is under way and nothing waits that could go now. */
bool forward_idle(const struct forward *f);

size_t forward_count(const struct forward *f); /* NULL-safe */
void forward_look(const struct forward *f, size_t i, struct forward_status *ret);

#endif
