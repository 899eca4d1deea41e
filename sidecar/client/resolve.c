#include "sidecar/client/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <strings.h>

#include "config/config.h"

/* Lives as long as the pool works on it, which may be longer than who asked. */
struct lookup {
    uv_getaddrinfo_t req;
    struct resolve *owner; /* NULL: nobody cares any more */
    uint64_t began_ms;
};

struct resolve {
    uv_loop_t *loop;
    resolve_lookup lookup;
    resolve_done done;
    void *data;
    struct lookup *running[RESOLVE_LOOKUPS_MAX];
    struct resolve_addresses known;
    uint64_t until_ms; /* when `known` is too old */
    uint16_t port;
    bool fixed; /* a number or localhost */
    char host[CONFIG_TEXT_BYTES];
};

static void put_v4(struct resolve *r, struct in_addr v4)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(r->port), .sin_addr = v4};

    memcpy(&r->known.at[r->known.count++], &to, sizeof(to));
}

static void put_v6(struct resolve *r, const struct in6_addr *v6)
{
    struct sockaddr_in6 to = {
        .sin6_family = AF_INET6, .sin6_port = htons(r->port), .sin6_addr = *v6};

    memcpy(&r->known.at[r->known.count++], &to, sizeof(to));
}

static void fix(struct resolve *r)
{
    struct in_addr v4 = {htonl(INADDR_LOOPBACK)};
    struct in6_addr v6;

    r->fixed = true;
    if (strcasecmp(r->host, "localhost") == 0) {
        put_v4(r, v4);
        put_v6(r, &in6addr_loopback);
    } else if (inet_pton(AF_INET, r->host, &v4) == 1) {
        put_v4(r, v4);
    } else if (inet_pton(AF_INET6, r->host, &v6) == 1) {
        put_v6(r, &v6);
    } else {
        r->fixed = false;
    }
}

int resolve_new(uv_loop_t *loop, const char *host, uint16_t port, resolve_lookup lookup,
                resolve_done done, void *data, struct resolve **ret)
{
    struct resolve *r = calloc(1, sizeof(*r));

    if (!r)
        return -ENOMEM;
    r->loop = loop;
    r->lookup = lookup;
    r->done = done;
    r->data = data;
    r->port = port;
    (void)snprintf(r->host, sizeof(r->host), "%s", host);
    fix(r);
    *ret = r;
    return 0;
}

void resolve_free(struct resolve *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < RESOLVE_LOOKUPS_MAX; i++) {
        if (!r->running[i])
            continue;
        r->running[i]->owner = NULL;
        (void)uv_cancel((uv_req_t *)&r->running[i]->req); /* works while it waits for a thread */
    }
    free(r);
}

/* What the resolver says, in its order (RFC 6724 is its work), the port is ours. */
static void take(struct resolve *r, const struct addrinfo *list)
{
    r->known.count = 0;
    for (; list && r->known.count < RESOLVE_ADDRESSES_MAX; list = list->ai_next) {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;

        if (list->ai_family == AF_INET && list->ai_addrlen == sizeof(v4)) {
            memcpy(&v4, list->ai_addr, sizeof(v4));
            put_v4(r, v4.sin_addr);
        } else if (list->ai_family == AF_INET6 && list->ai_addrlen == sizeof(v6)) {
            memcpy(&v6, list->ai_addr, sizeof(v6));
            v6.sin6_port = htons(r->port); /* its scope stays */
            memcpy(&r->known.at[r->known.count++], &v6, sizeof(v6));
        }
    }
    r->until_ms = uv_now(r->loop) + RESOLVE_KEEP_MS;
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct lookup *l = req->data;
    struct resolve *r = l->owner;

    for (size_t i = 0; r && i < RESOLVE_LOOKUPS_MAX; i++) {
        if (r->running[i] == l)
            r->running[i] = NULL;
    }
    free(l);
    if (r && status == 0) {
        take(r, list);
        status = r->known.count ? 0 : UV_EAI_NODATA;
    }
    uv_freeaddrinfo(list);
    if (r)
        r->done(r->data, status); /* last: it may free us */
}

static int start(struct resolve *r, struct lookup **slot)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct lookup *l = calloc(1, sizeof(*l));
    int x;

    if (!l)
        return -ENOMEM;
    l->owner = r;
    l->began_ms = uv_now(r->loop);
    l->req.data = l;
    x = r->lookup(r->loop, &l->req, on_lookup, r->host, NULL, &hints);
    if (x) {
        free(l);
        return x;
    }
    *slot = l;
    return -EAGAIN;
}

int resolve_get(struct resolve *r, struct resolve_addresses *ret)
{
    struct lookup **slot = NULL;
    uint64_t now = uv_now(r->loop);

    if (r->known.count && (r->fixed || now < r->until_ms)) {
        *ret = r->known;
        return 0;
    }
    for (size_t i = 0; i < RESOLVE_LOOKUPS_MAX; i++) {
        if (!r->running[i])
            slot = &r->running[i];
        else if (now - r->running[i]->began_ms < RESOLVE_PATIENCE_MS)
            return -EAGAIN; /* this one may still come in time */
    }
    return slot ? start(r, slot) : -EAGAIN;
}

void resolve_forget(struct resolve *r)
{
    r->until_ms = 0;
}
