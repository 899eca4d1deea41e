/*
 * request.h: a parsed request as the handler sees it, and the refusals that need more than its
 * bytes: a Host that is not ours, another site's page, the made-up request id.
 */
#ifndef SIDECAR_HTTP_REQUEST_H
#define SIDECAR_HTTP_REQUEST_H

#include "sidecar/http/host.h"
#include "sidecar/http/parse.h"
#include "sidecar/http/server.h"

/* Where the request came in: what Host and Origin are held against. */
struct request_place {
    const struct host *hosts; /* allowed names */
    size_t hosts_count;
    struct host local; /* the address the client dialled; a name of "" and no IP for unix */
    int port;          /* the listener's, or HOST_PORT_ANY */
    bool tls;
};

/** request_clear(r): no request yet: texts are "" or NULL; peer and listener stay. */
void request_clear(struct server_request *r);

/** request_fill(r, p): from a finished parse, which must outlive it; gives it an id. */
void request_fill(struct server_request *r, const struct parse *p);

/** request_id(r): a random id. */
void request_id(struct server_request *r);

/**
 * request_refused(p, place, ret_why): 0 = let it in, or the status (400 bad Host, 421 not our Host,
 * 403 another site's page) with a text.
 */
unsigned request_refused(const struct parse *p, const struct request_place *place,
                         const char **ret_why);

#endif
