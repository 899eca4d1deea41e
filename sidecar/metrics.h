/*
 * metrics.h: counters of the sidecar and their Prometheus text (exposition format 0.0.4).
 *
 * The names are those of interface.md, prefix `pillion_`. Every label value comes from a closed set
 * (handler names, status codes, methods, program names), so that no client can make the text grow;
 * the target's own texts stand in target_info alone and are escaped. Memory is of fixed size.
 */
#ifndef SIDECAR_METRICS_H
#define SIDECAR_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/wire.h"

enum {
    METRICS_HANDLERS_MAX = 48, /* the route table and "other" */
    METRICS_CODES_MAX = 19,    /* those of metrics.c and "other" */
    METRICS_BUCKETS = 14,
    METRICS_AUTH_METHODS = 8, /* enum auth_method */
    METRICS_TYPES = 9,        /* enum session_kind */
    METRICS_TEXT_MAX_BYTES = 512 * 1024,
};

struct leak; /* leak.h */

enum metrics_decision {
    METRICS_ALLOWED,
    METRICS_UNKNOWN,   /* 401 */
    METRICS_FORBIDDEN, /* 403 */
    METRICS_DECISIONS,
};

enum metrics_result {
    METRICS_OK,
    METRICS_PARTIAL,  /* ended early, served with what there was */
    METRICS_CANCELED, /* the client went away */
    METRICS_FAILED,   /* the sampler refused or failed */
    METRICS_CRASHED,  /* the sampler died */
    METRICS_RESULTS,
};

struct metrics_latency {
    uint64_t bucket[METRICS_BUCKETS]; /* not cumulative */
    uint64_t count;
    double sum_seconds;
};

struct metrics {
    uint64_t requests[METRICS_HANDLERS_MAX][METRICS_CODES_MAX];
    struct metrics_latency latency[METRICS_HANDLERS_MAX];
    uint64_t auth[METRICS_AUTH_METHODS][METRICS_DECISIONS];
    uint64_t profiles[METRICS_TYPES][METRICS_RESULTS];
    uint64_t samples;
    uint64_t samples_lost;
    uint64_t rate_limited;
    /* over all readings of the target's goroutines, the leak watch's too */
    uint64_t goroutine_readings;
    uint64_t goroutines_torn, goroutines_unreadable, goroutines_truncated, goroutines_running;
};

/* What is not counted but looked up when the text is made. */
struct metrics_now {
    const char *version;
    const struct wire_status *status; /* the guard's latest news */
    const struct wire_about *about;
    const struct wire_stats *stats; /* the target's counters; NULL: they were not to be had */
    const struct leak *leak;        /* NULL: nothing seen */
    uint32_t in_flight;
    int64_t cert_expiry; /* seconds since 1970, 0: no TLS */
    int64_t crl_expiry;  /* the same of the first revocation list, 0: none */
    uint64_t certificates_refused;
    const uint64_t *refused;     /* connections, by reason */
    const char *const *refusals; /* names of the reasons */
    size_t refusals_count;
    uint64_t evicted; /* connections */
    bool reload_ok;
    const char *const *handlers; /* names by index; NULL at an index: "other" */
    const char *const *methods;  /* METRICS_AUTH_METHODS names */
    const char *const *types;    /* METRICS_TYPES names */
};

/**
 * metrics_request(m, handler, status, seconds): one answered request; a ${handler} out of range or
 * an unknown ${status} counts as "other".
 */
void metrics_request(struct metrics *m, size_t handler, unsigned status, double seconds);

void metrics_auth(struct metrics *m, unsigned method, enum metrics_decision decision);
void metrics_profile(struct metrics *m, unsigned type, enum metrics_result result);

/** metrics_print(m, now, out): append the text. */
void metrics_print(const struct metrics *m, const struct metrics_now *now, struct buf *out);

/** metrics_label(text, out): a label's value, quoted and escaped. */
void metrics_label(const char *text, struct buf *out);

#endif
