/*
 * scrape.h: the target's own pprof endpoint, asked by us: for the schedule (whole profiles) and for
 * clients that want through our door what only the target can make (a stream that nobody holds).
 *
 * Names are checked before they become a path: [A-Za-z0-9_.-], no "..". The target is hostile: its
 * answers are bounded by client.h and checked as profiles before they are kept.
 */
#ifndef SIDECAR_COLLECT_SCRAPE_H
#define SIDECAR_COLLECT_SCRAPE_H

#include "config/config.h"
#include "sidecar/client/client.h"
#include "sidecar/item.h"
#include "wire/wire.h"

enum {
    SCRAPE_NAME_BYTES = CONFIG_NAME_BYTES,
    SCRAPE_SECONDS_MIN = 1,
    SCRAPE_WHY_BYTES = 256,
    SCRAPE_STREAM_MAX_MS = 30 * 60 * 1000,
};

struct scrape; /* opaque */

struct scrape_answer {
    int result; /* 0; -ENOENT 404, -EBUSY (another profile runs there), -EIO, -EFBIG … */
    unsigned status;
    const char *why;
    const void *body; /* as it came, when 0 */
    size_t bytes;
    uint64_t seconds; /* that were granted: less than asked when the target's time-out is short */
};
typedef void (*scrape_came)(void *data, const struct scrape_answer *answer);

/** scrape_new(loop, config, ret, e): NULL in *ret when no collect.scrape.url is configured. */
int scrape_new(uv_loop_t *loop, const struct config *c, struct scrape **ret, struct err *e);
/** scrape_ref(s): one more owner: an open stream outlives a reload, and ends as it began. */
struct scrape *scrape_ref(struct scrape *s);
/** scrape_free(s): one owner less; the last one ends it: no callback any more; the loop must turn.
 * NULL-safe. */
void scrape_free(struct scrape *s);

/** scrape_any_name(s): may names be asked for that are not configured? Not when the URL has no
 * path: every page of an application would lie beside its profiles then. */
bool scrape_any_name(const struct scrape *s);

/** scrape_secrets(s): read the files with credentials again. */
void scrape_secrets(struct scrape *s);

/** scrape_name_ok(name): may it be part of a path? */
bool scrape_name_ok(const char *name);

/**
 * scrape_get(s, name, seconds, then, data, ret_ticket): one profile; ${seconds} 0: without (a
 * snapshot). A target that refuses so many seconds because of its WriteTimeout (Go <= 1.22: 400,
 * "profile duration exceeds server's WriteTimeout") is asked again for half of them. 0 or -errno.
 */
int scrape_get(struct scrape *s, const char *name, uint64_t seconds, scrape_came then, void *data,
               uint32_t *ret_ticket);

/* What is asked for as a stream. */
struct scrape_want {
    const char *name;
    const char *query; /* without "?", made of checked parts; may be "" */
    uint64_t quiet_ms; /* how long it may say nothing, beside collect.scrape.timeout */
    uint64_t max_bytes;
};

/**
 * scrape_stream(s, want, stream, answered, data, ret_ticket): the answer as it comes (client.h), by
 * connections of its own: a slow reader keeps no profile of the schedule waiting. It ends after
 * SCRAPE_STREAM_MAX_MS at the latest.
 */
int scrape_stream(struct scrape *s, const struct scrape_want *want,
                  const struct client_stream *stream, client_answered answered, void *data,
                  uint32_t *ret_ticket);
void scrape_resume(struct scrape *s, uint32_t ticket);
/** scrape_stream_drop(s, ticket): nobody wants it any more; no callback. Unknown ones are ignored.
 */
void scrape_stream_drop(struct scrape *s, uint32_t ticket);

/** scrape_drop(s, ticket): the same for scrape_get(). */
void scrape_drop(struct scrape *s, uint32_t ticket);

#endif
