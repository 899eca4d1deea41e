/*
 * dispatch.h: what the server calls for each request: who is it, may they, which row is it?
 *
 * In this order: a credential in the query is refused (400); without valid credentials every path
 * is 401, so that nothing tells which exist; then 404, 405, 403, 501; then the row's handler. After
 * every answer: counted, and on the admin listener written to the audit log.
 */
#ifndef SIDECAR_ROUTES_DISPATCH_H
#define SIDECAR_ROUTES_DISPATCH_H

#include "sidecar/state.h"

/** dispatch_request(state, r): a server_handler. */
void dispatch_request(void *state, struct server_request *r);

/** dispatch_done(state, r, status, bytes): a server_done. */
void dispatch_done(void *state, const struct server_request *r, unsigned status, uint64_t bytes);

#endif
