/*
 * visit.h: one request on its way through the routes: who calls, which row it met, what it asked
 * for. Made by dispatch.c, handed to the row's handler, which answers at once or later.
 *
 * A handler that answers later sets `left`: it is called when the client has gone (the handler then
 * drops what it started, and must not touch the request any more).
 */
#ifndef SIDECAR_ROUTES_VISIT_H
#define SIDECAR_ROUTES_VISIT_H

#include "sidecar/state.h"

struct visit;

enum route_method { ROUTE_GET = 1, ROUTE_POST = 2 }; /* GET means HEAD too */
enum route_where { ROUTE_ADMIN = 1, ROUTE_HEALTH = 2 };

struct route {
    const char *path;
    const char *name; /* the metrics' handler label, the index's row */
    unsigned methods; /* enum route_method bits */
    unsigned where;   /* enum route_where bits */
    uint32_t scope;   /* of config.h; 0: any valid credentials */
    void (*handle)(struct visit *v);
    const char *about;  /* what it is: a row of the index; NULL: not listed */
    const char *absent; /* not NULL: why this version answers 501 */
    const char *alone;  /* not NULL: why it is 501 without the target's own endpoint */
    bool beneath;       /* the path is a beginning: one more segment follows */
};

struct visit {
    unsigned magic; /* VISIT_MAGIC */
    struct state *state;
    struct server_request *request;
    const struct route *route; /* NULL: none met */
    struct auth_verdict who;
    uint64_t asked_seconds, granted_seconds; /* for the audit line; 0: none */
    void (*left)(struct visit *v);
    void *job;          /* the handler's own, for left(); it frees it */
    uint32_t judgement; /* of credentials.h, while it waits; 0: none */
    uint32_t question;  /* open at the sampler, 0: none */
    uint32_t ticket;    /* of the sampling session, 0: none */
};

#define VISIT_MAGIC 0x56495354u

/** visit_answer(v, status, type, body): moves ${body} out; its failure becomes a 503. */
void visit_answer(struct visit *v, unsigned status, const char *type, struct buf *body);

/** visit_answer_bytes(v, status, type, bytes): takes over the reference; NULL becomes a 503. */
void visit_answer_bytes(struct visit *v, unsigned status, const char *type,
                        struct server_bytes *bytes);

/** visit_refuse(v, status, why): an error; 503 gets Retry-After. ${why} is shown as it is. */
void visit_refuse(struct visit *v, unsigned status, const char *why);

/** visit_retry(v, status, wait_ms, why): the same with Retry-After: rounded up to whole seconds. */
void visit_retry(struct visit *v, unsigned status, uint64_t wait_ms, const char *why);

/**
 * visit_unanswered(v, answer): if the sampler died or was silent, answer 503 for it; true then.
 */
bool visit_unanswered(struct visit *v, const struct peers_answer *answer);

/** visit_unasked(v, r): a question could not even be put (-errno of peers.h): 503 or 429. */
void visit_unasked(struct visit *v, int r);

#endif
