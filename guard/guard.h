/*
 * guard.h: the privileged program as one object: the target, the two children, the links to them.
 *
 * Plain poll(2). It faces the sampler's requests and /proc text, nothing else. main.c reads like
 * the card: undumpable, plan, target, confined, children, loop.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include "guard/child.h"
#include "guard/members.h"
#include "guard/perf.h"
#include "guard/rates.h"
#include "guard/stops.h"
#include "guard/target.h"
#include "wire/answer_guard.h"
#include "wire/front.h"
#include "wire/plan.h"

enum {
    GUARD_SEARCH_MS = 500,      /* between two looks for a target that is not there */
    GUARD_STATUS_MS = 5000,     /* between two reports of the programs' use of the machine */
    GUARD_FRONT_TRIES_MAX = 10, /* the sidecar died so often without a steady time: give up */
};

struct guard {
    struct plan plan;
    const char *const *args; /* the user's, for the sidecar */
    struct target target;
    struct guard_members members; /* target.all: those beside it */
    struct find find;
    struct find_skip skip;
    struct guard_perf perf;
    struct guard_rates rates;
    struct guard_stops stops;
    bool reap_due; /* look after the children though no SIGCHLD came (tracee_wait()) */

    struct child sampler, front;
    struct link to_sampler, to_front; /* fd -1: no link */
    int sampler_for_front;            /* the front's end of a new sampler's link, -1: passed on */
    bool client;                      /* the front is `pillion record`, not our child */
    bool looks;                       /* … `pillion doctor`, which may do without a target */
    bool front_ready;
    bool started;     /* the first look for the target is done */
    bool status_due;  /* the front has not heard the latest */
    bool facts_due;   /* … of what is allowed */
    bool sampler_due; /* the sampler has not heard of the target's change */
    uint64_t status_at_ns, search_at_ns;
    uint32_t front_tries;
    char note[WIRE_TEXT_BYTES]; /* why the sampler is not up */

    int signals; /* signalfd(2) */
    bool ending; /* SIGTERM or SIGINT came */
    uint64_t ends_at_ns;
    int exit_code;
    bool done;
};

/* --- supervise.c: the children --- */

/** supervise_run(g): start what should run and may be started now. */
void supervise_run(struct guard *g);
/** supervise_reap(g): after SIGCHLD. */
void supervise_reap(struct guard *g);
/** supervise_end(g): SIGTERM or SIGINT: ask the front to drain, end all in time. */
void supervise_end(struct guard *g);
/** supervise_broken(g, who, why): this child broke the rules: end it. */
void supervise_broken(struct guard *g, struct child *who, const char *why);
/** supervise_blocked(g): its question cannot be answered any more: start it anew. */
void supervise_blocked(struct guard *g);
/** supervise_front_closed(g): the front's link is at its end. */
void supervise_front_closed(struct guard *g);
/** supervise_kill_all(g): at the very end. */
void supervise_kill_all(struct guard *g);

/* --- watch.c: the target, and telling about it --- */

/** watch_first(g): the first look, before anything is started: -ENOTUNIQ ambiguous (listed). */
int watch_first(struct guard *g);
/** watch_run(g): has it exited? Is it there again? */
void watch_run(struct guard *g);
/** watch_members(g): target.all: look who belongs to the target, unless that was just done. */
void watch_members(struct guard *g);
/**
 * watch_relieve(g): in the thread that took over from one that waits for another process without
 * end: whose fault was it, and what is not asked again? -errno: nobody's that we know of.
 */
int watch_relieve(struct guard *g);
/** watch_reload(g): SIGHUP: `pillion plan` once more, for target.unsafe alone. */
void watch_reload(struct guard *g);
/** watch_news(g): what is known of the target has changed: to be told. */
void watch_news(struct guard *g);
/** watch_tell(g): bring the news to sampler and front, as far as they take them. */
void watch_tell(struct guard *g);

/** serve_ops(): the operations behind the sampler's questions (serve.c); ctx is struct guard. */
const struct answer_guard_ops *serve_ops(void);

#endif
