/*
 * front.h: the guard's link to the front (pillion-sidecar or `pillion record`), both halves.
 *
 * The guard tells: what the target is, what is allowed with it, how the programs are, and a new
 * link to the sampler each time one was started. The front says that it is ready, and whom it
 * blames for a broken packet.
 */
#ifndef WIRE_FRONT_H
#define WIRE_FRONT_H

#include "wire/link.h"

/* --- the front's half (wire/front_hears.c) --- */

struct front_news {
    bool is_facts; /* TELL_FACTS: ${facts} and nothing else; otherwise TELL_STATUS */
    struct wire_facts facts;
    struct wire_status status; /* texts are clean printable ASCII, these and those in facts */
    int sampler_fd;            /* a new link to the sampler, -1: none; the receiver owns it */
};

/** front_open(l, fd): the front's end; it may hear at once. */
void front_open(struct link *l, int fd);

/** front_hear(l, timeout_ms, ret): the next news; results as link_recv(). */
int front_hear(struct link *l, int timeout_ms, struct front_news *ret);

/** front_say_ready(l): once, when it listens and is confined. */
int front_say_ready(struct link *l);

/** front_say_blame(l): the sampler broke the rules; the guard ends and restarts it. */
int front_say_blame(struct link *l);

/* --- the guard's half (wire/front_tells.c) --- */

enum front_said { FRONT_SAID_READY, FRONT_SAID_BLAME };

/** front_guard_open(l, fd): the guard's end. */
void front_guard_open(struct link *l, int fd);

/** front_tell(l, status, sampler_fd): sampler_fd < 0 for none; -EAGAIN: full, tell later. */
int front_tell(struct link *l, const struct wire_status *status, int sampler_fd);

/** front_tell_facts(l, facts): what was found by trying; results as front_tell(). */
int front_tell_facts(struct link *l, const struct wire_facts *facts);

/** front_listen(l, ret): what the front said; results as link_recv(l, 0, …). */
int front_listen(struct link *l, enum front_said *ret);

#endif
