#include "sidecar/http/arrival.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "sidecar/http/host.h"

enum {
    ARRIVAL_READ_BYTES = 512, /* of a header at a time */
};

static enum gate_reason begin_unix(struct arrival *a, int fd)
{
    struct gate_process p;

    if (gate_process_of(fd, &p)) {
        (void)snprintf(a->peer, sizeof(a->peer), "unix:?");
        return a->gate ? GATE_UNIX_PEER : GATE_OPEN;
    }
    (void)snprintf(a->peer, sizeof(a->peer), "unix:pid %d uid %u", (int)p.who.pid,
                   (unsigned)p.who.uid);
    return a->gate ? gate_unix(a->gate, &p) : GATE_OPEN;
}

enum gate_reason arrival_begin(struct arrival *a, struct gate *gate, int fd,
                               const struct sockaddr_storage *addr, uint64_t now_ns)
{
    struct host h;

    *a = (struct arrival){.gate = gate};
    proxyv2_init(&a->header);
    gate_client_of(addr, &a->client);
    a->asker = a->client;
    if (!a->client.known)
        return begin_unix(a, fd);
    (void)host_from_socket(addr, &h); /* known: it worked above */
    host_print(&h, a->peer, sizeof(a->peer));
    if (!gate)
        return GATE_OPEN;
    a->shared = gate->proxy_protocol || gate_is_trusted(gate, &a->client);
    return gate_peer(gate, &a->client, now_ns);
}

bool arrival_has_header(const struct arrival *a)
{
    return a->gate && a->gate->proxy_protocol;
}

/* The client is whom the header names; of the balancer's own checks, the balancer. */
static enum gate_reason take_header(struct arrival *a, uint64_t now_ns)
{
    struct proxyv2_source source;
    struct host h = {.is_ip = true};

    proxyv2_result(&a->header, &source);
    if (source.named) {
        a->client.known = true;
        memcpy(a->client.address, source.address, sizeof(a->client.address));
        memcpy(a->via, a->peer, sizeof(a->via));
        memcpy(&h.ip, source.address, sizeof(h.ip));
        h.port = source.port;
        host_print(&h, a->peer, sizeof(a->peer));
    }
    a->asker = a->client;
    a->shared = gate_is_trusted(a->gate, &a->client);
    return gate_named(a->gate, &a->client, now_ns);
}

int arrival_header(struct arrival *a, struct stream *s, uint64_t now_ns, enum gate_reason *ret)
{
    unsigned char data[ARRIVAL_READ_BYTES];
    int r = -EAGAIN;

    while (r == -EAGAIN) {
        size_t wants = proxyv2_wants(&a->header);
        ssize_t n = stream_read_raw(s, data, wants < sizeof(data) ? wants : sizeof(data));

        if (n == -EAGAIN)
            return -EAGAIN;
        if (n <= 0)
            return -EPIPE;
        r = proxyv2_feed(&a->header, data, (size_t)n);
    }
    *ret = r ? GATE_PROXY : take_header(a, now_ns);
    return 0;
}

void arrival_show(struct arrival *a, struct server_request *r)
{
    a->asker = a->client;
    memcpy(r->peer, a->peer, sizeof(a->peer));
    r->via = a->via[0] ? a->via : NULL;
}

static void print_address(const uint8_t address[static 16], char *out, size_t bytes)
{
    struct in6_addr ip;
    bool v4;

    memcpy(&ip, address, sizeof(ip));
    v4 = IN6_IS_ADDR_V4MAPPED(&ip);
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, ip.s6_addr + (v4 ? 12 : 0), out, (socklen_t)bytes);
}

unsigned arrival_request(struct arrival *a, const struct parse *p, bool authenticated,
                         struct server_request *r, uint64_t now_ns, uint64_t *ret_wait_s,
                         const char **ret_why)
{
    const struct gate_request request = {
        .peer = &a->client,
        .forwarded = parse_forwarded(p),
        .forwarded_bad = p->forwarded_bad,
        .authenticated = authenticated,
    };
    unsigned status;

    if (!a->gate)
        return 0;
    status = gate_request(a->gate, &request, now_ns, &a->asker, ret_wait_s, ret_why);
    if (a->asker.known && memcmp(&a->asker, &a->client, sizeof(a->asker)) != 0) {
        print_address(a->asker.address, r->peer, sizeof(r->peer));
        r->via = a->peer;
    }
    return status;
}

void arrival_key(const struct arrival *a, struct limits_key *ret)
{
    gate_key(&a->asker, ret);
    if (a->shared && memcmp(&a->asker, &a->client, sizeof(a->asker)) == 0)
        ret->counted = false;
}

bool arrival_is_known(const struct arrival *a, uint64_t now_ns)
{
    struct limits_key key;

    gate_key(&a->asker, &key);
    return a->gate && penalty_known(a->gate->penalties, &key, now_ns);
}

void arrival_failed(struct arrival *a, enum penalty_weight weight, uint64_t now_ns)
{
    if (a->gate)
        gate_failed(a->gate, &a->asker, weight, now_ns);
}

void arrival_passed(struct arrival *a, uint64_t now_ns)
{
    if (a->gate)
        gate_passed(a->gate, &a->asker, now_ns);
}
