/*
 * connect(2) on our own non-blocking sockets, watched by uv_poll. Errors that are known at once
 * (no route, a refusal on loopback) take the same way as late ones: through the timer, so that
 * done() never runs below dial_start().
 */
#include "sidecar/client/dial.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/magic.h"

enum {
    DIAL_MAGIC = 0x4449414c,
};

struct attempt {
    uv_poll_t poll;
    struct dial *d;
    int fd; /* -1: none */
};

struct dial {
    uint32_t magic;
    uv_loop_t *loop;
    uv_timer_t timer;
    struct attempt attempts[RESOLVE_ADDRESSES_MAX];
    struct resolve_addresses to;
    size_t next;      /* address to be tried */
    unsigned open;    /* sockets that are connecting */
    unsigned handles; /* of libuv, until their close callbacks came */
    int error;
    bool over;
    dial_done done;
    void *data;
};

static void step(struct dial *d);

static void unhold(struct dial *d)
{
    if (--d->handles == 0)
        free(d);
}

static void on_poll_closed(uv_handle_t *h)
{
    unhold(((struct attempt *)h->data)->d);
}

static void on_timer_closed(uv_handle_t *h)
{
    unhold(h->data);
}

/* Stop watching; the socket is the caller's. */
static int let_go(struct attempt *a)
{
    int fd = a->fd;

    a->fd = -1;
    a->d->open--;
    uv_close((uv_handle_t *)&a->poll, on_poll_closed);
    return fd;
}

void dial_cancel(struct dial *d)
{
    if (!d || d->over)
        return;
    d->over = true;
    for (size_t i = 0; i < RESOLVE_ADDRESSES_MAX; i++) {
        if (d->attempts[i].fd >= 0)
            (void)close(let_go(&d->attempts[i]));
    }
    uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

static void finish(struct dial *d, int fd)
{
    dial_done done = d->done;
    void *data = d->data;

    dial_cancel(d);
    done(data, fd);
}

static void on_timer(uv_timer_t *t)
{
    struct dial *d = t->data;

    MAGIC_CHECK(d, DIAL_MAGIC);
    step(d);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct attempt *a = h->data;
    struct dial *d = a->d;
    socklen_t bytes = sizeof(int);
    int error = 0;

    MAGIC_CHECK(d, DIAL_MAGIC);
    (void)status; /* an error of the socket is reported as EBADF here: ask the socket */
    (void)events;
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
        error = errno;
    if (error == 0) {
        finish(d, let_go(a));
        return;
    }
    d->error = -error;
    (void)close(let_go(a));
    step(d); /* no need to wait for the head start of what has failed */
}

static socklen_t address_bytes(const struct sockaddr_storage *to)
{
    if (to->ss_family == AF_INET)
        return sizeof(struct sockaddr_in);
    if (to->ss_family == AF_INET6)
        return sizeof(struct sockaddr_in6);
    return sizeof(struct sockaddr_un); /* sun_path has its NUL */
}

static int begin(struct attempt *a, const struct sockaddr_storage *to)
{
    int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r;

    if (fd < 0)
        return -errno;
    /* a head and its body are two writes: the second must not wait for the first one's ACK */
    if (to->ss_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    r = connect(fd, (const struct sockaddr *)to, address_bytes(to)) == 0 ? 0 : -errno;
    if (r == -EINPROGRESS || r == -EINTR)
        r = 0;
    if (r == 0)
        r = uv_poll_init(a->d->loop, &a->poll, fd);
    if (r) {
        (void)close(fd);
        return r;
    }
    a->poll.data = a;
    a->fd = fd;
    a->d->handles++;
    a->d->open++;
    r = uv_poll_start(&a->poll, UV_WRITABLE, on_poll);
    if (r)
        (void)close(let_go(a));
    return r;
}

/* The next address that does not fail at once; when there is none left and none open: the end. */
static void step(struct dial *d)
{
    while (d->next < d->to.count) {
        size_t i = d->next++;
        int r = begin(&d->attempts[i], &d->to.at[i]);

        if (r == 0) {
            if (d->next < d->to.count)
                (void)uv_timer_start(&d->timer, on_timer, DIAL_STEP_MS, 0);
            return;
        }
        d->error = r;
    }
    if (d->open == 0)
        finish(d, d->error);
}

int dial_start(uv_loop_t *loop, const struct resolve_addresses *to, dial_done done, void *data,
               struct dial **ret)
{
    struct dial *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    d->magic = DIAL_MAGIC;
    d->loop = loop;
    d->to = *to;
    d->error = -EHOSTUNREACH;
    d->done = done;
    d->data = data;
    for (size_t i = 0; i < RESOLVE_ADDRESSES_MAX; i++)
        d->attempts[i] = (struct attempt){.d = d, .fd = -1};
    d->handles = 1;
    (void)uv_timer_init(loop, &d->timer);
    d->timer.data = d;
    (void)uv_timer_start(&d->timer, on_timer, 0, 0);
    *ret = d;
    return 0;
}
