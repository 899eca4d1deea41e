/*
 * params.h: the query parameters of profiles, as interface.md has them: the first of repeated ones
 * counts, unknown ones are no error, an empty one counts as absent (net/http/pprof, Go 1.26).
 */
#ifndef SIDECAR_ROUTES_PARAMS_H
#define SIDECAR_ROUTES_PARAMS_H

#include "base/err.h"
#include "config/config.h"

struct params_cpu {
    uint64_t asked_seconds; /* as it came, or the default */
    uint32_t seconds;       /* clamped to the limit */
    uint32_t hz;
    bool labels;
    bool kernel;
};

/**
 * params_cpu(query, c, default_hz, ret, e): of /debug/pprof/profile. 0, or -EINVAL with the text
 * for the 400.
 */
int params_cpu(const char *query, const struct config *c, uint32_t default_hz,
               struct params_cpu *ret, struct err *e);

/* Of a profile that is read from the target's runtime: heap, goroutine … */
struct params_runtime {
    uint64_t asked_seconds; /* 0: none, the profile as it is */
    uint32_t seconds;       /* clamped to the limit */
    uint32_t form;          /* enum wire_runtime_form */
    bool text;              /* debug != 0: text/plain */
    bool detail;            /* labels=detail, of goroutines */
    bool gc;                /* gc > 0 was asked for, of the heap */
};

/**
 * params_runtime(query, c, kind, ret, e): 0, or -EINVAL with the text for the 400. In Go's order:
 * first seconds, then whether debug goes with it; a debug or gc that is no number is 0
 * (net/http/pprof, handler.ServeHTTP). ${kind}: enum wire_runtime_kind.
 */
int params_runtime(const char *query, const struct config *c, uint32_t kind,
                   struct params_runtime *ret, struct err *e);

/* Of what the target's own endpoint serves. */
struct params_through {
    uint64_t asked_seconds; /* rounded up; 0: none */
    uint64_t ms;            /* clamped to the limit; 0: none */
    unsigned debug;         /* 0, 1, 2 */
    bool gc;
};

/**
 * params_through(query, max_seconds, ret, e): what may be passed on, and nothing else; seconds may
 * have a fraction, as Go's trace has it. 0, or -EINVAL with the text for the 400.
 */
int params_through(const char *query, uint32_t max_seconds, struct params_through *ret,
                   struct err *e);

/** params_gc(query): is a collection asked for (gc > 0)? It is never made. */
bool params_gc(const char *query);

/** params_is(query, key, value): is the first ${key} exactly ${value}? */
bool params_is(const char *query, const char *key, const char *value);

#endif
