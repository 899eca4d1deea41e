/*
 * gate.h: may this address (or this process at a unix socket) come in, and for whom does a proxy
 * ask? The rules of the configuration, the penalties, and what was refused, counted and said.
 *
 * The order of trust: the address of the socket; over it, in a PROXY header, what it says, if the
 * socket's address may say so; over that, in X-Forwarded-For, the rightmost address that is not a
 * trusted proxy, if what stands so far is one. The address that comes out is the client: for
 * admin.allow_from, the penalties, the limit per address and the audit log. A header from anybody
 * else is as if it were not there.
 */
#ifndef SIDECAR_HTTP_GATE_H
#define SIDECAR_HTTP_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "config/config.h"
#include "sidecar/http/penalty.h"

enum {
    GATE_SAY_MS =
        60000, /* one log line so often for each reason: strangers must not fill the log */
    GATE_TEXT_BYTES = 64,
    GATE_GROUPS_MAX = 1024, /* supplementary groups of one caller; of one with more only the
                               primary group counts */
};

/* Why a connection was closed before its first request. */
enum gate_reason {
    GATE_OPEN,
    GATE_ADDRESS,   /* not in admin.allow_from */
    GATE_PENALTY,   /* failed too often */
    GATE_UNIX_PEER, /* not in admin.unix_peers */
    GATE_PROXY,     /* no PROXY header, a bad one, or not from a trusted proxy */
    GATE_LIMITS,    /* all connections under a cap are busy */
    GATE_REASONS,
};

/* Who called connect(2) at a unix socket, as the kernel kept it at that moment (unix(7),
 * SO_PEERCRED and SO_PEERGROUPS). */
struct gate_process {
    struct ucred who;
    uint32_t groups[GATE_GROUPS_MAX]; /* gid_t of each supplementary group */
    size_t groups_count;
};

struct gate_client {
    bool known;          /* false: a unix socket */
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
};

struct gate {
    struct config_cidr allow[CONFIG_CIDRS_MAX], trusted[CONFIG_CIDRS_MAX];
    size_t allow_count, trusted_count;
    bool proxy_protocol;
    uint32_t uids[CONFIG_PEERS_MAX], gids[CONFIG_PEERS_MAX];
    size_t uids_count, gids_count;
    bool shared; /* the socket files were opened to all, since there were rules at the start */
    uint32_t own_uid;
    struct penalty *penalties;
    uint64_t refused[GATE_REASONS];
    struct {
        uint64_t said_ns, unsaid;
    } say[GATE_REASONS];
};

/** gate_init(g): no rules. 0 or -ENOMEM. */
int gate_init(struct gate *g);
void gate_release(struct gate *g); /* repeatable */

/** gate_set(g, config): the rules of ${config}; penalties and counts stay. */
void gate_set(struct gate *g, const struct config *config);

/** gate_wants_shared(config): may another uid connect, so that a socket's file must be open? */
bool gate_wants_shared(const struct config *config);

/** gate_client_of(addr, ret): the address of a socket. */
void gate_client_of(const struct sockaddr_storage *addr, struct gate_client *ret);
/** gate_key(c, ret): what limits and penalties know it by. */
void gate_key(const struct gate_client *c, struct limits_key *ret);

/** gate_is_trusted(g, c): a trusted proxy: it may say for whom it asks. */
bool gate_is_trusted(const struct gate *g, const struct gate_client *c);

/**
 * gate_peer(g, c, now_ns): may a connection from ${c} go on to its first byte? A trusted proxy may:
 * it is asked for whom it comes. With proxy_protocol only those that may say so.
 */
enum gate_reason gate_peer(const struct gate *g, const struct gate_client *c, uint64_t now_ns);
/** gate_process_of(fd, ret): who is at the other end? 0, or -errno of getsockopt(2). */
int gate_process_of(int fd, struct gate_process *ret);
/** gate_unix(g, p): may this process? By its user, its primary or a supplementary group. */
enum gate_reason gate_unix(const struct gate *g, const struct gate_process *p);
/** gate_named(g, c, now_ns): the same as gate_peer() for whom a PROXY header named. */
enum gate_reason gate_named(const struct gate *g, const struct gate_client *c, uint64_t now_ns);

struct gate_request {
    const struct gate_client *peer; /* of the connection */
    const char *forwarded;          /* X-Forwarded-For, joined; NULL: none */
    bool forwarded_bad;             /* it was longer than may be kept */
    bool authenticated;             /* the connection has shown valid credentials */
};

/**
 * gate_request(g, r, now_ns, ret, ret_wait_s, ret_why): whose request is it? 0 and ${ret}, or the
 * status to refuse it with: 400 a trusted proxy sends a malformed list, 403 the client is not in
 * allow_from, 429 it has to wait ${ret_wait_s} seconds. ${ret} is set in any case.
 */
unsigned gate_request(const struct gate *g, const struct gate_request *r, uint64_t now_ns,
                      struct gate_client *ret, uint64_t *ret_wait_s, const char **ret_why);

/** gate_failed(g, c, weight, now_ns), gate_passed(g, c, now_ns): what the client's credentials, or
 * its handshake, were worth. Not for trusted proxies themselves: their address stands for too many.
 */
void gate_failed(struct gate *g, const struct gate_client *c, enum penalty_weight weight,
                 uint64_t now_ns);
void gate_passed(struct gate *g, const struct gate_client *c, uint64_t now_ns);

/** gate_refused(g, reason, peer, now_ns): count it, and say it at most once a GATE_SAY_MS. */
void gate_refused(struct gate *g, enum gate_reason reason, const char *peer, uint64_t now_ns);

/** gate_reason_name(reason): "address", "penalty", "unix_peer", "proxy_header", "limits". */
const char *gate_reason_name(enum gate_reason reason);

#endif
