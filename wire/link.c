#include "wire/link.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"

void link_init(struct link *l, int fd, enum wire_role self, enum wire_role peer)
{
    *l = (struct link){
        .fd = fd,
        .turn = {.self = self, .peer = peer, .state = WIRE_STATE_START},
        .next_id = 1,
        .why = "",
    };
    l->fds_max = (uint32_t)codec_fds_max(&l->turn);
}

void link_close(struct link *l)
{
    if (!l || l->fd < 0)
        return;
    (void)close(l->fd);
    l->fd = -1;
}

int link_pair(int ret[static 2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) ? -errno : 0;
}

static int put(int fd, const struct msghdr *msg)
{
    ssize_t n;

    do {
        /* a peer that does not read must never make us wait for it, least of all the guard */
        n = sendmsg(fd, msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
    return 0;
}

/* Three pairs of pointer and length: a struct for them would be filled at each of the calls. */
/* NOLINTNEXTLINE(readability-function-size) */
int link_send(struct link *l, enum wire_type type, uint32_t id, const void *body, size_t body_bytes,
              const void *tail, size_t tail_bytes, const int *fds, size_t nfds)
{
    struct wire_head head = {WIRE_MAGIC, (uint16_t)type, (uint16_t)nfds, id,
                             (uint32_t)(body_bytes + tail_bytes)};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
    } control = {0};
    struct iovec iov[3] = {{&head, sizeof(head)},
                           {(void *)(uintptr_t)body, body_bytes},
                           {(void *)(uintptr_t)tail, tail_bytes}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = tail_bytes ? 3 : 2};
    int r = -EPIPE;

    assert(body_bytes + tail_bytes <= WIRE_BODY_MAX_BYTES && nfds <= WIRE_FDS_MAX);
    if (l->fd < 0)
        return r;
    if (nfds) {
        struct cmsghdr *c;

        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
    }
    for (int i = 0; i < LINK_CROWDED_TRIES; i++) {
        r = put(l->fd, &msg);
        if (r != -ETOOMANYREFS)
            break;
        (void)poll(NULL, 0, LINK_CROWDED_MS / LINK_CROWDED_TRIES);
    }
    return r;
}

void packet_drop_fds(struct packet *p)
{
    for (size_t i = 0; i < p->head.fds; i++)
        (void)close(p->fds[i]);
    p->head.fds = 0;
}

/* Collect descriptors; what does not fit is closed, and the count then tells that it was wrong. */
static size_t take_fds(struct msghdr *msg, int fds[static WIRE_FDS_MAX])
{
    size_t count = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (count < WIRE_FDS_MAX)
                fds[count] = fd;
            else
                (void)close(fd);
            count++;
        }
    }
    return count;
}

static int wait_readable(int fd, int timeout_ms)
{
    uint64_t deadline =
        clock_mono_ns() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms) * CLOCK_NS_PER_MS;
    struct pollfd p = {.fd = fd, .events = POLLIN};

    for (;;) {
        int r = poll(&p, 1, timeout_ms < 0 ? -1 : clock_wait_ms(deadline));

        if (r > 0)
            return 0;
        if (r == 0)
            return -EAGAIN;
        if (errno != EINTR)
            return -errno;
    }
}

int link_recv(struct link *l, int timeout_ms, struct packet *p)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
    } control;
    struct {
        struct wire_head head;
        uint8_t body[WIRE_BODY_MAX_BYTES];
    } raw;
    struct iovec iov = {&raw, sizeof(raw)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    size_t nfds;
    ssize_t n;
    int r;

    if (l->fd < 0)
        return -EPIPE;
    r = timeout_ms == 0 ? 0 : wait_readable(l->fd, timeout_ms);
    if (r)
        return r;
    /*
     * No room for more descriptors than any row allows: the kernel then lets go of them itself and
     * says MSG_CTRUNC. Closing one can wait for its file system's daemon, which may be the target.
     */
    if (l->fds_max) {
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_LEN(sizeof(int) * l->fds_max);
    }
    do {
        n = recvmsg(l->fd, &msg, MSG_CMSG_CLOEXEC | MSG_TRUNC | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
    nfds = take_fds(&msg, p->fds);
    p->head.fds = (uint16_t)(nfds > WIRE_FDS_MAX ? WIRE_FDS_MAX : nfds);
    if (n ==
        0) { /* the end, or an empty packet, which may bring descriptors: neither is an answer */
        packet_drop_fds(p);
        return -EPIPE;
    }
    if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        l->why = "too long";
        r = -EPROTO;
    } else {
        struct wire_head head;

        r = codec_check(&l->turn, &raw, (size_t)n, nfds, &head, &l->why);
        if (r == 0) {
            p->head = head;
            memcpy(p->body, raw.body, head.bytes);
            return 0;
        }
    }
    packet_drop_fds(p);
    return r;
}
