/*
 * peers.h: the sidecar's two links on its libuv loop: to the guard (news of the target and of the
 * programs, wire/front.h) and to the sampler (questions and answers, wire/ask_sampler.h).
 *
 * Every question is answered exactly once through its callback: with the sampler's answer, or with
 * the reason why none will come (it died, it did not answer in time). The table of open questions
 * has a fixed size. A sampler that breaks the rules is blamed to the guard, which ends it; a guard
 * that breaks them, or closes, means that this program has to end.
 */
#ifndef SIDECAR_PEERS_H
#define SIDECAR_PEERS_H

#include <uv.h>

#include "wire/ask_sampler.h"
#include "wire/wire.h"

enum {
    PEERS_PENDING_MAX = 64,         /* open questions */
    PEERS_SMALL_TIMEOUT_MS = 15000, /* about, symbol, argv: the sampler may be symbolizing */
    PEERS_CPU_GRACE_MS = 30000,     /* beyond the profile's own time: symbols of a large program */
    PEERS_RUNTIME_TIMEOUT_MS = 60000, /* behind the symbols of a profile; reading takes no second */
    PEERS_STATS_TIMEOUT_MS = 150,     /* looked at every 100 ms: within 250 ms there is an answer */
    PEERS_OBITUARY_MS = 500, /* how long the guard's word on a dead sampler is waited for */
};

struct peers; /* opaque */

enum peers_fate {
    PEERS_ANSWERED,
    PEERS_DIED,    /* the sampler ended (or was ended) before it answered */
    PEERS_OVERDUE, /* no answer in time */
};

struct peers_answer {
    enum peers_fate fate;
    struct ask_sampler_answer *answer; /* PEERS_ANSWERED; its descriptor is closed afterwards */
    uint64_t incident;                 /* PEERS_DIED: numbers the sampler's death */
    const char *why;                   /* otherwise; for people, "" with PEERS_ANSWERED */
};

typedef void (*peers_answered)(void *data, const struct peers_answer *answer);

/* What the owner is told; none but facts may be NULL. */
struct peers_hooks {
    void *ctx;
    void (*status)(void *ctx, const struct wire_status *status); /* news from the guard */
    void (*sampler)(void *ctx, bool up);            /* a link to a new sampler, or it is gone */
    void (*guard_gone)(void *ctx, const char *why); /* end now; "" when it simply closed */
    void (*facts)(void *ctx, const struct wire_facts *facts); /* what the guard found by trying */
};

/** peers_new(loop, guard_fd, hooks, ret): takes over ${guard_fd}; hears from now on. */
int peers_new(uv_loop_t *loop, int guard_fd, const struct peers_hooks *hooks, struct peers **ret);

/** peers_free(p): NULL-safe; no callback is called any more. The loop must run once afterwards. */
void peers_free(struct peers *p);

/** peers_say_ready(p): tell the guard, once, that we listen and are confined. */
int peers_say_ready(struct peers *p);

/*
 * Questions. 0 and the question's ticket (never 0) in *ret_ticket, or -errno and no callback:
 * -EPIPE no sampler, -EBUSY too many open questions, -EAGAIN its queue is full.
 */
int peers_about(struct peers *p, peers_answered then, void *data, uint32_t *ret_ticket);
int peers_argv(struct peers *p, peers_answered then, void *data, uint32_t *ret_ticket);
int peers_symbol(struct peers *p, const uint64_t *addresses, size_t count, peers_answered then,
                 void *data, uint32_t *ret_ticket);
int peers_cpu(struct peers *p, const struct wire_cpu *cpu, peers_answered then, void *data,
              uint32_t *ret_ticket);
int peers_runtime(struct peers *p, const struct wire_runtime *want, peers_answered then, void *data,
                  uint32_t *ret_ticket);
/* One that is late is nothing to talk about: the next one comes with the next scrape. */
int peers_stats(struct peers *p, peers_answered then, void *data, uint32_t *ret_ticket);

/**
 * peers_forget(p, ticket): whoever asked has gone: its callback will not be called, and a running
 * profile is cancelled. Unknown tickets (also 0) are ignored.
 */
void peers_forget(struct peers *p, uint32_t ticket);

/** peers_cancel(p, ticket): end that profile; its callback is still called, as the rule is. */
void peers_cancel(struct peers *p, uint32_t ticket);

/** peers_finish(p): running profiles are to end now with what there is (we are shutting down). */
void peers_finish(struct peers *p);

#endif
