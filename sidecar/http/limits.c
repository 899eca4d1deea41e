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

void limits_init(struct limits *l)
{
    *l = (struct limits){.max = 0};
}

static uint32_t or_else(uint32_t n, uint32_t otherwise)
{
    return n ? n : otherwise;
}

void limits_set(struct limits *l, const struct limits_caps *caps)
{
    uint32_t preauth = or_else(caps->max_preauth, SERVER_PREAUTH_MAX);

    l->max = or_else(caps->max, 1);
    l->max_per_address = or_else(caps->max_per_address, 1);
    l->handshakes = or_else(caps->handshakes, SERVER_HANDSHAKES_PER_SEC);
    /* With few connections in all, half of them stay reserved for those with credentials: else
     * strangers alone could fill the server. */
    l->max_preauth = l->max / 2 < preauth ? l->max / 2 : preauth;
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

/* Strangers before known addresses, those with credentials last; within each by rank. A flooder
 * evicts its own silent ones first: they rank below whoever gets on. */
static unsigned worth(const struct limits_entry *e)
{
    if (e->rank == LIMITS_CLOSING)
        return 0;
    if (e->authenticated)
        return 2 * LIMITS_RANKS + e->rank;
    return (e->known ? LIMITS_RANKS : 0) + e->rank;
}

/* The least worth, then the oldest; of one address when key is not NULL. */
static struct limits_entry *least(const struct limits *l, const struct limits_key *key,
                                  bool preauth_only)
{
    struct limits_entry *found = NULL;

    for (struct limits_entry *e = l->first; e; e = e->next) {
        if (e->rank == LIMITS_BUSY || (key && !same_key(key, &e->key)) ||
            (preauth_only && e->authenticated))
            continue;
        if (!found || worth(e) < worth(found))
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

int limits_claim(struct limits *l, struct limits_entry *e, const struct limits_key *key,
                 struct limits_entry **ret_victim)
{
    struct limits_entry *victim;

    e->key.counted = false; /* it is not its own rival */
    if (!key->counted || count_key(l, key) < l->max_per_address) {
        e->key = *key;
        return 0;
    }
    victim = least(l, key, false);
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

/* GCRA: ${next} is when the budget would be even again. It may run ahead of the clock by the burst;
 * one number does what a bucket with a refill timer would. */
static uint64_t wait_ns(uint64_t *next, uint64_t each_ns, uint64_t now_ns)
{
    uint64_t begin = *next > now_ns ? *next : now_ns;
    uint64_t slack =
        CLOCK_NS_PER_SEC * SERVER_HANDSHAKES_BURST / SERVER_HANDSHAKES_PER_SEC - each_ns;

    if (begin - now_ns > slack)
        return begin - now_ns - slack;
    *next = begin + each_ns;
    return 0;
}

uint32_t limits_handshake(struct limits *l, bool known, uint64_t now_ns)
{
    uint64_t each_ns = CLOCK_NS_PER_SEC / l->handshakes;
    uint64_t ns;

    if (known && wait_ns(&l->next_ns[1], each_ns, now_ns) == 0)
        return 0;
    ns = wait_ns(&l->next_ns[0], each_ns, now_ns);
    return (uint32_t)((ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS);
}
