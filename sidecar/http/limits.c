/*
 * One list of all connections, oldest first, walked on every accept: there are at most a few
 * hundred (limits.connections), so a walk costs less than the accept(2) before it, and no second
 * structure can disagree with the first.
 */
#include "sidecar/http/limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "sidecar/http/server.h"

#define HANDSHAKE_NS (CLOCK_NS_PER_SEC / SERVER_HANDSHAKES_PER_SEC)

void limits_init(struct limits *l)
{
    *l = (struct limits){.max = 0};
}

void limits_set(struct limits *l, uint32_t max, uint32_t max_per_address)
{
    l->max = max ? max : 1;
    l->max_per_address = max_per_address ? max_per_address : 1;
    /* With few connections in all, half of them stay reserved for those with credentials: else
     * strangers alone could fill the server. */
    l->max_preauth = l->max / 2 < SERVER_PREAUTH_MAX ? l->max / 2 : SERVER_PREAUTH_MAX;
    if (l->max_preauth == 0)
        l->max_preauth = 1;
}

void limits_key(const struct sockaddr_storage *addr, struct limits_key *ret)
{
    static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};

    *ret = (struct limits_key){.counted = false};
    if (addr->ss_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, addr, sizeof(in));
        ret->counted = true;
        memcpy(ret->bytes, MAPPED, sizeof(MAPPED));
        memcpy(ret->bytes + 12, &in.sin_addr, 4);
    } else if (addr->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;

        /* one client has a whole /64 to choose its addresses from */
        memcpy(&in6, addr, sizeof(in6));
        ret->counted = true;
        memcpy(ret->bytes, &in6.sin6_addr,
               memcmp(&in6.sin6_addr, MAPPED, sizeof(MAPPED)) == 0 ? 16 : 8);
    }
}

static bool same_key(const struct limits_key *a, const struct limits_key *b)
{
    return a->counted && b->counted && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* The lowest rank, then the oldest; of one address when key is not NULL. */
/* A stranger that floods us evicts its own silent ones first: they rank below whoever gets on. */
static struct limits_entry *least(const struct limits *l, const struct limits_key *key,
                                  bool preauth_only)
{
    struct limits_entry *found = NULL;

    for (struct limits_entry *e = l->first; e; e = e->next) {
        if (e->rank == LIMITS_BUSY || (key && !same_key(key, &e->key)) ||
            (preauth_only && e->authenticated))
            continue;
        if (!found || e->rank < found->rank)
            found = e;
    }
    return found;
}

static uint32_t count_key(const struct limits *l, const struct limits_key *key)
{
    uint32_t n = 0;

    for (const struct limits_entry *e = l->first; e; e = e->next)
        n += same_key(key, &e->key);
    return n;
}

struct limits_entry *limits_victim(struct limits *l)
{
    return least(l, NULL, false);
}

int limits_admit(struct limits *l, const struct limits_key *key, struct limits_entry **ret_victim)
{
    struct limits_entry *victim;

    if (key->counted && count_key(l, key) >= l->max_per_address)
        victim = least(l, key, false);
    /* each newcomer begins without credentials, so this cap is asked before the total */
    else if (l->preauth >= l->max_preauth)
        victim = least(l, NULL, true);
    else if (l->count >= l->max)
        victim = least(l, NULL, false);
    else
        return 0;
    if (!victim)
        return -EBUSY;
    *ret_victim = victim;
    return -EAGAIN;
}

void limits_add(struct limits *l, struct limits_entry *e)
{
    e->rank = LIMITS_SILENT;
    e->authenticated = false;
    e->next = NULL;
    e->prev = l->last;
    *(l->last ? &l->last->next : &l->first) = e;
    l->last = e;
    l->count++;
    l->preauth++;
}

void limits_remove(struct limits *l, struct limits_entry *e)
{
    if (l->first != e && !e->prev)
        return; /* not in the list */
    *(e->prev ? &e->prev->next : &l->first) = e->next;
    *(e->next ? &e->next->prev : &l->last) = e->prev;
    e->prev = e->next = NULL;
    l->count--;
    l->preauth -= !e->authenticated;
}

void limits_authenticated(struct limits *l, struct limits_entry *e)
{
    if (!e->authenticated) {
        e->authenticated = true;
        l->preauth--;
    }
}

uint32_t limits_handshake(struct limits *l, uint64_t now_ns)
{
    /* GCRA: next_ns is when the budget would be even again. It may run ahead of the clock by the
     * burst; one number does what a bucket with a refill timer would. */
    uint64_t begin = l->next_ns > now_ns ? l->next_ns : now_ns;
    uint64_t slack = (SERVER_HANDSHAKES_BURST - 1) * HANDSHAKE_NS;

    if (begin - now_ns > slack)
        return (uint32_t)((begin - now_ns - slack + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS);
    l->next_ns = begin + HANDSHAKE_NS;
    return 0;
}
