/*
 * arrival.h: where one connection comes from, from accept(2) on: the socket's address, whom a PROXY
 * header named over it, and for whom the request of the moment asks. What may be believed is
 * gate.c's; this is the one connection's part, which conn.c embeds.
 */
#ifndef SIDECAR_HTTP_ARRIVAL_H
#define SIDECAR_HTTP_ARRIVAL_H

#include "sidecar/http/gate.h"
#include "sidecar/http/parse.h"
#include "sidecar/http/proxyv2.h"
#include "sidecar/http/stream.h"

struct arrival {
    struct gate *gate;          /* NULL: a listener that is open to all; nothing is asked or kept */
    struct gate_client client;  /* of the connection */
    struct gate_client asker;   /* of the request: the same, or whom a trusted proxy named */
    bool shared;                /* several clients may come by it: a proxy's */
    char peer[GATE_TEXT_BYTES]; /* the client: "127.0.0.1:51234", "unix:pid 12 uid 0" */
    char via[GATE_TEXT_BYTES];  /* the socket's address where a PROXY header named another; or "" */
    struct proxyv2 header;
};

/** arrival_begin(a, gate, fd, addr, now_ns): of a new connection. ${gate} may be NULL. */
enum gate_reason arrival_begin(struct arrival *a, struct gate *gate, int fd,
                               const struct sockaddr_storage *addr, uint64_t now_ns);

/** arrival_has_header(a): it has to begin with a PROXY header, which is not read yet. */
bool arrival_has_header(const struct arrival *a);

/**
 * arrival_header(a, s, now_ns, ret): read the PROXY header, and no byte behind it. 0: all is there,
 * and ${ret} says whether the client may stay; -EAGAIN; -EPIPE the peer has gone.
 */
int arrival_header(struct arrival *a, struct stream *s, uint64_t now_ns, enum gate_reason *ret);

/**
 * arrival_request(a, p, authenticated, r, now_ns, ret_wait_s, ret_why): whose request is it? Puts
 * the client into ${r}; 0, or the status to refuse it with, as gate_request() has it.
 */
unsigned arrival_request(struct arrival *a, const struct parse *p, bool authenticated,
                         struct server_request *r, uint64_t now_ns, uint64_t *ret_wait_s,
                         const char **ret_why);

/** arrival_show(a, r): a new request: for all that is known, of the connection's client. */
void arrival_show(struct arrival *a, struct server_request *r);

/** arrival_key(a, ret): of the client so far; not counted where many come by one address. */
void arrival_key(const struct arrival *a, struct limits_key *ret);
/** arrival_is_known(a, now_ns): valid credentials came from there lately. */
bool arrival_is_known(const struct arrival *a, uint64_t now_ns);

/** arrival_failed(a, weight, now_ns), arrival_passed(a, now_ns): the request's credentials or the
 * connection's handshake were wrong; or right. */
void arrival_failed(struct arrival *a, enum penalty_weight weight, uint64_t now_ns);
void arrival_passed(struct arrival *a, uint64_t now_ns);

#endif
