/*
 * session.h: who may sample now? The rules of `limits`, without a clock, a socket or a sampler.
 *
 * One sampling session at a time (concurrent), beside it one trace, the same kind for the same
 * identity not sooner than min_interval after the last one began, up to SESSION_RUNNING_MAX
 * overlapping ones with share. A kind that brought the sampler down SESSION_CRASHES_MAX times in a
 * row is refused until the target changes or the configuration is read again. Times are monotonic
 * milliseconds, given by the caller. All tables are of fixed size.
 */
#ifndef SIDECAR_SESSION_H
#define SIDECAR_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

enum {
    SESSION_RUNNING_MAX = 4,      /* the sampler's slots (WIRE_PERF_SLOTS) */
    SESSION_TRACES_MAX = 1,       /* Go makes one at a time */
    SESSION_IDENTITIES_MAX = 256, /* (identity, kind) pairs remembered for min_interval */
    SESSION_CRASHES_MAX = 3,
    SESSION_NAME_BYTES = 64, /* CONFIG_NAME_BYTES */
};

/*
 * What can be had: one row of the crash counts and of the metrics each. SESSION_CPU samples and has
 * sessions, and so has SESSION_TRACE, which the target's own endpoint makes (so it takes none of
 * the sampler's slots). The next ones are read from the target's runtime, in the order of enum
 * wire_runtime_kind (session_runtime_kind()). SESSION_CUSTOM is what else its endpoint serves.
 */
enum session_kind {
    SESSION_CPU,
    SESSION_GOROUTINE,
    SESSION_HEAP,
    SESSION_ALLOCS,
    SESSION_BLOCK,
    SESSION_MUTEX,
    SESSION_THREADCREATE, /* the last one that is ours to make */
    SESSION_TRACE,
    SESSION_CUSTOM,
    SESSION_WALL, /* samples too, and contends with SESSION_CPU for the slots */
    SESSION_KINDS,
};

enum session_verdict {
    SESSION_GO,
    SESSION_BUSY,   /* 429: a profile is already running */
    SESSION_SOON,   /* 429: min_interval has not passed */
    SESSION_BROKEN, /* 503: it crashed the sampler again and again */
};

/* How a session ended, for the next one's sake. */
enum session_end {
    SESSION_DONE,    /* a profile came: the crash count is forgotten */
    SESSION_LEFT,    /* the client went away: the interval stays, or leaving would get round it */
    SESSION_FAILED,  /* nothing was sampled: the interval is given back */
    SESSION_CRASHED, /* the sampler died meanwhile */
};

struct session_rules {
    uint64_t min_interval_ms;
    uint32_t concurrent;
    bool share;
};

struct session_running {
    uint32_t ticket; /* 0: free */
    enum session_kind kind;
    uint64_t ends_ms;
    char identity[SESSION_NAME_BYTES];
};

struct session_seen {
    bool used;
    enum session_kind kind;
    uint64_t began_ms;
    char identity[SESSION_NAME_BYTES];
};

struct session_crashes {
    uint32_t count;
    uint32_t generation; /* of the target they happened with */
    uint64_t incident;   /* the last death that was counted: two sessions may share one */
};

struct session {
    struct session_rules rules;
    struct session_running running[SESSION_RUNNING_MAX + SESSION_TRACES_MAX];
    struct session_seen seen[SESSION_IDENTITIES_MAX];
    struct session_crashes crashes[SESSION_KINDS];
    uint32_t next_ticket;
};

struct session_ask {
    enum session_kind kind;
    const char *identity;
    uint64_t duration_ms;
    uint64_t now_ms;
    uint32_t generation; /* the target's */
};

/** session_init(s, rules): nothing runs, nothing is remembered. */
void session_init(struct session *s, const struct session_rules *rules);

/** session_rules(s, rules): after a reload: new rules, and crashes are forgotten. */
void session_set_rules(struct session *s, const struct session_rules *rules);

/**
 * session_begin(s, ask, ret_ticket, ret_wait_ms): may it start? With SESSION_GO it has started and
 * ${ret_ticket} is for session_end(); with SESSION_BUSY and SESSION_SOON ${ret_wait_ms} tells how
 * long to wait. Running sessions are looked at before the interval.
 */
enum session_verdict session_begin(struct session *s, const struct session_ask *ask,
                                   uint32_t *ret_ticket, uint64_t *ret_wait_ms);

/**
 * session_end(s, ticket, end, incident, generation): it is over; unknown tickets are ignored.
 * ${incident} (SESSION_CRASHED only) numbers the sampler's death, ${generation} is the target's.
 */
void session_end(struct session *s, uint32_t ticket, enum session_end end, uint64_t incident,
                 uint32_t generation);

/**
 * session_broken(s, kind, generation): did this kind bring the sampler down too often with this
 * target?
 */
bool session_broken(const struct session *s, enum session_kind kind, uint32_t generation);

/** session_crashed(s, kind, incident, generation): once more; each ${incident} counts once. */
void session_crashed(struct session *s, enum session_kind kind, uint64_t incident,
                     uint32_t generation);

/** session_survived(s, kind): an answer came: the crash count is forgotten. */
void session_survived(struct session *s, enum session_kind kind);

/** session_count(s): how many run now. */
uint32_t session_count(const struct session *s);

/** session_samples(kind): is it the sampler's ASK_CPU that gives it? */
bool session_samples(enum session_kind kind);

/** session_kind_name(kind): "cpu", "heap"; for metrics and texts. */
const char *session_kind_name(enum session_kind kind);

/** session_runtime_kind(kind): of a ${kind} of enum wire_runtime_kind, which is in range. */
enum session_kind session_runtime_kind(uint32_t kind);

#endif
