/*
 * correlate.h: the labels by which a sample names the trace and span it belongs to, as the
 * libraries of several makers write them into pprof, read into one form. Each backend has its own
 * spelling, so they stay as they are until a profile goes out (facts: Grafana otel-profiling-go
 * v0.6.0, dd-trace-go v2.12.0, Polar Signals otel-profiling-go, OTLP Link).
 *
 *   span_id (profile_id of older clients), trace_id    16 and 32 hex digits
 *   span id, local root span id                        decimal, as text or as a number
 *   otel.traceid                                       32 hex digits
 */
#ifndef PROFILE_CORRELATE_H
#define PROFILE_CORRELATE_H

#include "profile/profile.h"

enum {
    CORRELATE_TRACE_BYTES = 16,
    CORRELATE_TRACE_HEX = 33, /* with the NUL */
    CORRELATE_SPAN_HEX = 17,
    CORRELATE_DECIMAL = 21, /* a uint64_t with the NUL */
};

/* What one sample says; zero ids are none (W3C Trace Context: all zeros is invalid). */
struct correlate {
    bool has_trace, has_span, has_root;
    uint8_t trace[CORRELATE_TRACE_BYTES];
    uint64_t span, root; /* root: the local root's, of the same trace */
};

/** correlate_key(key): is it one of the keys above? Their values are many by nature. */
bool correlate_key(const char *key);

/**
 * correlate_take(c, label): true when its key is one of the above; then what it says is in ${c},
 * unless it cannot be read.
 */
bool correlate_take(struct correlate *c, const struct profile_label *label);

void correlate_trace_hex(const struct correlate *c, char ret[static CORRELATE_TRACE_HEX]);
void correlate_span_hex(uint64_t span, char ret[static CORRELATE_SPAN_HEX]);

#endif
