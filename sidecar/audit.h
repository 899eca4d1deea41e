/*
 * audit.h: one log line for each answer of the admin listener: who did what, and how it ended.
 * Never a token, a query or a body: the struct has no place for them.
 *
 * `log.audit` decides which: all, those that were turned away, none; `log.level` has no say. The
 * lines are JSON whatever `log.format` says, since programs read them; only on a terminal, where a
 * person does, they look like the rest.
 */
#ifndef SIDECAR_AUDIT_H
#define SIDECAR_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct audit {
    const char *identity;     /* "" when not known */
    const char *method;       /* of the request: "GET" … */
    const char *with;         /* kind of credential: "token", "basic" … */
    const char *address;      /* the client's */
    const char *via;          /* the proxy's that it came through; NULL: none */
    const char *path;         /* without the query, as routes/trail.h shows it */
    const char *id;           /* request id */
    const char *reason;       /* why the credentials were refused, a constant text; NULL: they were
                                 not, or the status says it */
    uint64_t asked_seconds;   /* 0: nothing was asked */
    uint64_t granted_seconds; /* 0: nothing was granted */
    unsigned status;          /* 499: the client left before the answer */
    uint64_t bytes;
    uint64_t duration_ms;
};

/** audit_wants(which, status): is there a line for such an answer? Turned away are those with 400,
 * 401, 403, 421 and 429. */
bool audit_wants(enum config_audit which, unsigned status);

/** audit_write(a): the line "request" with "audit":true, level info. */
void audit_write(const struct audit *a);

#endif
