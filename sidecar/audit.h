/*
 * audit.h: one log line for each answer of the admin listener: who did what, and how it ended.
 * Never a token, a query or a body: the struct has no place for them.
 */
#ifndef SIDECAR_AUDIT_H
#define SIDECAR_AUDIT_H

#include <stdint.h>

struct audit {
    const char *identity;     /* "" when not known */
    const char *method;       /* of the request: "GET" … */
    const char *with;         /* kind of credential: "token", "basic" … */
    const char *address;      /* the peer's */
    const char *path;         /* without the query */
    const char *id;           /* request id */
    uint64_t asked_seconds;   /* 0: nothing was asked */
    uint64_t granted_seconds; /* 0: nothing was granted */
    unsigned status;          /* 499: the client left before the answer */
    uint64_t bytes;
    uint64_t duration_ms;
};

/** audit_write(a): the line "request" with "audit":true, level info. */
void audit_write(const struct audit *a);

#endif
