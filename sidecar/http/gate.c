/*
 * All of it is asked before TLS where the address is known by then: who may not come in is worth no
 * 3 ms of CPU. What only a request can tell (X-Forwarded-For) is asked at each request, and so are
 * allow_from and penalties again: a connection may be older than both.
 */
#include "sidecar/http/gate.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/cidr.h"
#include "sidecar/http/forwarded.h"
#include "sidecar/http/host.h"

int gate_init(struct gate *g)
{
    *g = (struct gate){.own_uid = (uint32_t)geteuid()};
    return penalty_new(&g->penalties);
}

void gate_release(struct gate *g)
{
    penalty_free(g->penalties);
    g->penalties = NULL;
}

void gate_set(struct gate *g, const struct config *config)
{
    memcpy(g->allow, config->admin.allow_from, sizeof(g->allow));
    g->allow_count = config->admin.allow_from_count;
    memcpy(g->trusted, config->admin.trusted_proxies, sizeof(g->trusted));
    g->trusted_count = config->admin.trusted_proxies_count;
    g->proxy_protocol = config->admin.proxy_protocol;
    memcpy(g->uids, config->admin.unix_peers.uids, sizeof(g->uids));
    g->uids_count = config->admin.unix_peers.uids_count;
    memcpy(g->gids, config->admin.unix_peers.gids, sizeof(g->gids));
    g->gids_count = config->admin.unix_peers.gids_count;
}

bool gate_wants_shared(const struct config *config)
{
    return config->admin.unix_peers.uids_count || config->admin.unix_peers.gids_count;
}

void gate_client_of(const struct sockaddr_storage *addr, struct gate_client *ret)
{
    struct host h;

    *ret = (struct gate_client){.known = host_from_socket(addr, &h) == 0};
    if (ret->known)
        memcpy(ret->address, &h.ip, sizeof(ret->address));
}

void gate_key(const struct gate_client *c, struct limits_key *ret)
{
    struct sockaddr_storage addr = {.ss_family = AF_UNSPEC};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    memcpy(&in6.sin6_addr, c->address, sizeof(c->address));
    if (c->known)
        memcpy(&addr, &in6, sizeof(in6));
    limits_key(&addr, ret);
}

bool gate_is_trusted(const struct gate *g, const struct gate_client *c)
{
    return c->known && config_cidr_holds(g->trusted, g->trusted_count, c->address);
}

/* allow_from is about addresses: a process at a unix socket has its own rules. */
static bool is_allowed(const struct gate *g, const struct gate_client *c)
{
    return !c->known || g->allow_count == 0 ||
           config_cidr_holds(g->allow, g->allow_count, c->address);
}

static uint64_t left_ms(const struct gate *g, const struct gate_client *c, uint64_t now_ns)
{
    struct limits_key key;

    gate_key(c, &key);
    return penalty_left_ms(g->penalties, &key, now_ns);
}

enum gate_reason gate_peer(const struct gate *g, const struct gate_client *c, uint64_t now_ns)
{
    if (g->proxy_protocol) {
        /* whose penalty would that be? Everybody comes by the balancer's address. */
        if (g->trusted_count && c->known)
            return gate_is_trusted(g, c) ? GATE_OPEN : GATE_PROXY;
        return is_allowed(g, c) ? GATE_OPEN : GATE_ADDRESS;
    }
    return gate_named(g, c, now_ns);
}

enum gate_reason gate_named(const struct gate *g, const struct gate_client *c, uint64_t now_ns)
{
    if (gate_is_trusted(g, c))
        return GATE_OPEN;
    if (!is_allowed(g, c))
        return GATE_ADDRESS;
    return left_ms(g, c, now_ns) ? GATE_PENALTY : GATE_OPEN;
}

static bool is_in(const uint32_t *ids, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

int gate_process_of(int fd, struct gate_process *ret)
{
    socklen_t bytes = sizeof(ret->who);

    ret->groups_count = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ret->who, &bytes))
        return -errno;
    /* Linux 4.13 (sk_getsockopt() in net/core/sock.c); ERANGE for more than there is room: without
     * them fewer are let in, never more */
    bytes = sizeof(ret->groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret->groups, &bytes) == 0)
        ret->groups_count = bytes / sizeof(ret->groups[0]);
    return 0;
}

static bool is_in_group(const struct gate *g, const struct gate_process *p)
{
    for (size_t i = 0; i < p->groups_count; i++) {
        if (is_in(g->gids, g->gids_count, p->groups[i]))
            return true;
    }
    return is_in(g->gids, g->gids_count, p->who.gid);
}

enum gate_reason gate_unix(const struct gate *g, const struct gate_process *p)
{
    const struct ucred *who = &p->who;
    bool open = g->uids_count == 0 && g->gids_count == 0;

    /* the rules went with a reload, the file's mode could not: ours alone, as without any */
    if (open && g->shared && who->uid != g->own_uid && who->uid != 0)
        return GATE_UNIX_PEER;
    if (open || is_in(g->uids, g->uids_count, who->uid) || is_in_group(g, p))
        return GATE_OPEN;
    return GATE_UNIX_PEER;
}

unsigned gate_request(const struct gate *g, const struct gate_request *r, uint64_t now_ns,
                      struct gate_client *ret, uint64_t *ret_wait_s, const char **ret_why)
{
    bool forwarded = (r->forwarded || r->forwarded_bad) && gate_is_trusted(g, r->peer);
    uint64_t ms;

    *ret = *r->peer;
    if (forwarded && (r->forwarded_bad ||
                      forwarded_client(r->forwarded, g->trusted, g->trusted_count, ret->address))) {
        *ret_why = "malformed X-Forwarded-For from a trusted proxy";
        return 400;
    }
    if (!is_allowed(g, ret)) {
        *ret_why = "requests from this address are not accepted";
        return 403;
    }
    /* on a connection of its own, credentials once shown were right: the failures are another's */
    if (r->authenticated && !forwarded)
        return 0;
    ms = gate_is_trusted(g, ret) ? 0 : left_ms(g, ret, now_ns);
    if (ms == 0)
        return 0;
    *ret_wait_s = (ms + 999) / 1000;
    *ret_why = "too many wrong credentials or broken handshakes from this address";
    return 429;
}

void gate_failed(struct gate *g, const struct gate_client *c, enum penalty_weight weight,
                 uint64_t now_ns)
{
    struct limits_key key;

    gate_key(c, &key);
    if (!gate_is_trusted(g, c))
        penalty_failed(g->penalties, &key, weight, now_ns);
}

void gate_passed(struct gate *g, const struct gate_client *c, uint64_t now_ns)
{
    struct limits_key key;

    gate_key(c, &key);
    if (!gate_is_trusted(g, c))
        penalty_passed(g->penalties, &key, now_ns);
}

const char *gate_reason_name(enum gate_reason reason)
{
    static const char *const names[GATE_REASONS] = {
        [GATE_OPEN] = "none",           [GATE_ADDRESS] = "address",    [GATE_PENALTY] = "penalty",
        [GATE_UNIX_PEER] = "unix_peer", [GATE_PROXY] = "proxy_header", [GATE_LIMITS] = "limits",
    };

    return reason < GATE_REASONS ? names[reason] : "none";
}

void gate_refused(struct gate *g, enum gate_reason reason, const char *peer, uint64_t now_ns)
{
    g->refused[reason]++;
    if (g->say[reason].said_ns && now_ns - g->say[reason].said_ns < GATE_SAY_MS * CLOCK_NS_PER_MS) {
        g->say[reason].unsaid++;
        return;
    }
    log_warn("connection refused", LOG_STR("address", peer),
             LOG_STR("reason", gate_reason_name(reason)),
             LOG_U64("more_before", g->say[reason].unsaid));
    g->say[reason].said_ns = now_ns;
    g->say[reason].unsaid = 0;
}
