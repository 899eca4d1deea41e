/*
 * link.h: one end of a SOCK_SEQPACKET pair: whole packets with descriptors, checked by codec.h on
 * the way in. Used by both halves of every pair; it knows no message.
 */
#ifndef WIRE_LINK_H
#define WIRE_LINK_H

#include "wire/codec.h"

/*
 * Descriptors that are on their way through any socket count for the user who sent them, in all his
 * processes together, and the kernel lets none begin its way while they are more than the sender's
 * RLIMIT_NOFILE (net/unix/af_unix.c, too_many_unix_fds()). Another program of that user, maybe in
 * another container, can so be in our way: mostly for an instant.
 */
enum {
    LINK_CROWDED_MS = 100,
    LINK_CROWDED_TRIES = 20,
};

struct link {
    int fd; /* -1: closed */
    struct wire_turn turn;
    uint32_t next_id;
    uint32_t fds_max; /* descriptors that the peer may send at once; more never become ours */
    const char *why;  /* the reason of the last -EPROTO */
};

struct packet {
    struct wire_head head;
    uint8_t body[WIRE_BODY_MAX_BYTES];
    int fds[WIRE_FDS_MAX]; /* close-on-exec; the receiver's to close */
};

/** link_init(l, fd, self, peer): takes over ${fd}; state START. */
void link_init(struct link *l, int fd, enum wire_role self, enum wire_role peer);

/** link_close(l): NULL-safe and repeatable. */
void link_close(struct link *l);

/**
 * link_send(l, type, id, body, body_bytes, tail, tail_bytes, fds, nfds): one packet; the
 * descriptors stay the caller's. Never waits for the peer. 0; -EAGAIN (full: the peer does not
 * read); -EPIPE (the peer is gone); -ETOOMANYREFS: only with descriptors, after LINK_CROWDED_MS;
 * without them it can go.
 */
int link_send(struct link *l, enum wire_type type, uint32_t id, const void *body, size_t body_bytes,
              const void *tail, size_t tail_bytes, const int *fds, size_t nfds);

/**
 * link_recv(l, timeout_ms, p): the next packet; ${timeout_ms} < 0 waits for ever, 0 only looks.
 * 0; -EAGAIN nothing there in time; -EPIPE the peer closed; -EPROTO the peer broke the rules
 * (l->why says how; descriptors it sent were closed).
 */
int link_recv(struct link *l, int timeout_ms, struct packet *p);

/** packet_drop_fds(p): close the descriptors of a packet that are not wanted. */
void packet_drop_fds(struct packet *p);

/** link_pair(ret): two connected ends, close-on-exec; -errno. */
int link_pair(int ret[static 2]);

#endif
