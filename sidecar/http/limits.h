/*
 * limits.h: who may have a connection, and who has to leave for it? Pure bookkeeping: no socket,
 * the clock is an argument.
 *
 * Three caps: all connections, those of one address (of one /64 for IPv6), and those that have not
 * shown valid credentials. A full cap does not lock anybody out: the least deserving connection
 * under it leaves, by rank, then by age; a newcomer is refused only when all are busy. Handshakes
 * cost 3 ms of CPU each (facts: measured), so their rate is bounded as well.
 *
 * Under a flood of strangers, age alone would be chance: whoever waits for his handshake becomes
 * the oldest before his turn. So an address from which valid credentials came lately (penalty.h) is
 * a known one: its connections leave after those of strangers, and it has a handshake budget of its
 * own beside theirs.
 */
#ifndef SIDECAR_HTTP_LIMITS_H
#define SIDECAR_HTTP_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* What a connection is worth, least first. */
enum limits_rank {
    LIMITS_CLOSING,   /* only waits for its end */
    LIMITS_SILENT,    /* has not sent a byte */
    LIMITS_HANDSHAKE, /* TLS is not up */
    LIMITS_READING,   /* no credentials yet: reads, idles, or takes a refusal */
    LIMITS_IDLE,      /* has shown credentials, between two requests */
    LIMITS_BUSY,      /* a request is served: never evicted */
    LIMITS_RANKS,
};

struct limits_key {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d, IPv6 without the lower half */
    bool counted;      /* false: unix sockets, the address cap does not hold */
};

/* One connection; a member of its struct. */
struct limits_entry {
    struct limits_entry *prev, *next;
    struct limits_key key;
    enum limits_rank rank;
    bool authenticated;
    bool known; /* its address has shown valid credentials lately; set before limits_add() */
};

struct limits {
    struct limits_entry *first, *last; /* oldest first */
    uint32_t count, preauth;
    uint32_t max, max_preauth, max_per_address;
    uint32_t handshakes; /* a second */
    uint64_t next_ns[2]; /* the theoretical arrival time of GCRA (ITU-T I.371): of all; of
                            known addresses */
};

/* What is configured; 0 is the default of server.h, for the first two 1. */
struct limits_caps {
    uint32_t max, max_per_address;
    uint32_t max_preauth; /* at most half of max: the rest is for those with credentials */
    uint32_t handshakes;  /* a second; a burst is 2.5 times that */
};

/** limits_init(l): no connection, nothing allowed until limits_set(). */
void limits_init(struct limits *l);

/** limits_set(l, caps): present connections may exceed them. */
void limits_set(struct limits *l, const struct limits_caps *caps);

/** limits_key(addr, ret): the key of a peer. */
void limits_key(const struct sockaddr_storage *addr, struct limits_key *ret);

/**
 * limits_admit(l, key, ret_victim): may one more come in from ${key}? 0: yes. -EAGAIN: drop
 * ${ret_victim} first, then ask again. -EBUSY: no.
 */
int limits_admit(struct limits *l, const struct limits_key *key, struct limits_entry **ret_victim);

/**
 * limits_claim(l, e, key, ret_victim): ${e}, which is in already, turns out to be of ${key}: count
 * it there from now on. 0, -EAGAIN and -EBUSY as limits_admit(); it is counted only after 0.
 */
int limits_claim(struct limits *l, struct limits_entry *e, const struct limits_key *key,
                 struct limits_entry **ret_victim);

/** limits_victim(l): the least deserving connection of all, NULL when all are busy. */
struct limits_entry *limits_victim(struct limits *l);

/** limits_add(l, e): ${e} with its key set; silent, not authenticated. */
void limits_add(struct limits *l, struct limits_entry *e);
/** limits_remove(l, e): repeatable. */
void limits_remove(struct limits *l, struct limits_entry *e);
/** limits_authenticated(l, e): leaves the pre-auth cap for good. */
void limits_authenticated(struct limits *l, struct limits_entry *e);

/**
 * limits_handshake(l, known, now_ns): take one from the handshake budget (for a ${known} address
 * from its own first): 0, or how many milliseconds to wait before asking again (at least 1).
 */
uint32_t limits_handshake(struct limits *l, bool known, uint64_t now_ns);

#endif
