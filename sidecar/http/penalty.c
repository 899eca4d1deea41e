/*
 * A set-associative table: a key can only stand in the PENALTY_WAYS places of its set, so every
 * question is a walk over eight entries, and there is no chain that could grow. Which set is a
 * keyed mix of the address: not a cryptographic one, but nobody sees its results, and all that
 * guessing it would give is another's entry, overwritten.
 */
#include "sidecar/http/penalty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

struct penalty_entry {
    uint8_t address[16];
    bool used;
    uint32_t weight;   /* of all failures in a row */
    uint64_t last_ns;  /* of the last failure */
    uint64_t until_ns; /* refused so long; 0: never was */
    uint64_t known_ns; /* when valid credentials came last; 0: never */
};

struct penalty {
    uint64_t secret[2];
    struct penalty_entry sets[PENALTY_SETS][PENALTY_WAYS];
};

int penalty_new(struct penalty **ret)
{
    struct penalty *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    (void)!getrandom(t->secret, sizeof(t->secret), GRND_NONBLOCK); /* does not fail after boot */
    *ret = t;
    return 0;
}

void penalty_free(struct penalty *t)
{
    free(t);
}

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014): every bit depends on every other. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static size_t set_of(const struct penalty *t, const struct limits_key *key)
{
    uint64_t half[2];

    memcpy(half, key->bytes, sizeof(half));
    return mix(mix(half[0] ^ t->secret[0]) ^ half[1] ^ t->secret[1]) & (PENALTY_SETS - 1);
}

static const struct penalty_entry *find(const struct penalty *t, const struct limits_key *key)
{
    const struct penalty_entry *set = t->sets[set_of(t, key)];

    for (size_t i = 0; key->counted && i < PENALTY_WAYS; i++) {
        if (set[i].used && memcmp(set[i].address, key->bytes, sizeof(key->bytes)) == 0)
            return &set[i];
    }
    return NULL;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* When the entry says nothing any more: the earlier, the less it matters. */
static uint64_t matters_until(const struct penalty_entry *e)
{
    uint64_t bad =
        e->weight ? later(e->last_ns, e->until_ns) + PENALTY_FORGET_MS * CLOCK_NS_PER_MS : 0;
    uint64_t good = e->known_ns ? e->known_ns + PENALTY_KNOWN_MS * CLOCK_NS_PER_MS : 0;

    return later(bad, good);
}

/* The entry of an address, made where there is none. */
static struct penalty_entry *take(struct penalty *t, const struct limits_key *key)
{
    struct penalty_entry *set = t->sets[set_of(t, key)], *least = &set[0];

    for (size_t i = 0; i < PENALTY_WAYS; i++) {
        if (set[i].used && memcmp(set[i].address, key->bytes, sizeof(key->bytes)) == 0)
            return &set[i];
        if (!set[i].used || (least->used && matters_until(&set[i]) < matters_until(least)))
            least = &set[i];
    }
    *least = (struct penalty_entry){.used = true};
    memcpy(least->address, key->bytes, sizeof(least->address));
    return least;
}

/* 127.0.0.0/8 and ::1, as limits_key() writes them: of IPv6 the upper half alone, which ::1 shares
 * with nothing that is routed. */
static bool is_loopback(const struct limits_key *key)
{
    static const uint8_t mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
    static const uint8_t zero[16] = {0};

    return memcmp(key->bytes, mapped, sizeof(mapped)) == 0 || memcmp(key->bytes, zero, 16) == 0;
}

static uint64_t wait_ms(const struct limits_key *key, uint32_t weight)
{
    uint64_t ms;

    if (is_loopback(key))
        return weight > PENALTY_LOOPBACK_FREE * PENALTY_CREDENTIALS ? PENALTY_LOOPBACK_MS : 0;
    if (weight <= PENALTY_FREE * PENALTY_CREDENTIALS)
        return 0;
    ms = (uint64_t)PENALTY_STEP_MS * (weight - PENALTY_FREE * PENALTY_CREDENTIALS) /
         PENALTY_CREDENTIALS;
    return ms < PENALTY_MAX_MS ? ms : PENALTY_MAX_MS;
}

void penalty_failed(struct penalty *t, const struct limits_key *key, enum penalty_weight weight,
                    uint64_t now_ns)
{
    struct penalty_entry *e;
    uint64_t ms;

    if (!key->counted || (weight == PENALTY_HANDSHAKE && is_loopback(key)))
        return;
    e = take(t, key);
    if (now_ns > later(e->last_ns, e->until_ns) + PENALTY_FORGET_MS * CLOCK_NS_PER_MS)
        e->weight = 0;
    e->weight = e->weight < UINT32_MAX - weight ? e->weight + weight : UINT32_MAX;
    e->last_ns = now_ns;
    ms = wait_ms(key, e->weight);
    if (ms)
        e->until_ns = later(e->until_ns, now_ns + ms * CLOCK_NS_PER_MS);
}

void penalty_passed(struct penalty *t, const struct limits_key *key, uint64_t now_ns)
{
    struct penalty_entry *e;

    if (!key->counted)
        return;
    e = take(t, key);
    e->weight = 0;
    e->until_ns = 0;
    e->known_ns = now_ns;
}

uint64_t penalty_left_ms(const struct penalty *t, const struct limits_key *key, uint64_t now_ns)
{
    const struct penalty_entry *e = find(t, key);

    if (!e || e->until_ns <= now_ns)
        return 0;
    return (e->until_ns - now_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
}

bool penalty_known(const struct penalty *t, const struct limits_key *key, uint64_t now_ns)
{
    const struct penalty_entry *e = find(t, key);

    return e && e->known_ns && now_ns - e->known_ns < PENALTY_KNOWN_MS * CLOCK_NS_PER_MS;
}
