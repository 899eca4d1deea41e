/*
 * The socket is used directly, below libuv's streams: those would copy what is to be written into
 * their queue or hold it there, and read into a buffer before anybody knows what for. Here the
 * kernel's buffer is the only one, and its size is the write window (listen.c).
 */
#include "sidecar/http/stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void stream_init(struct stream *s, int fd)
{
    *s = (struct stream){.fd = fd};
}

void stream_close(struct stream *s)
{
    /* sends nothing: who wants to say good-bye calls stream_finish() before */
    tls_conn_free(s->tls);
    s->tls = NULL;
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

/* recvmsg(2) and sendmsg(2) instead of recv and send: the other calls are not on the seccomp list.
 */
static ssize_t receive(int fd, void *data, size_t bytes, int flags)
{
    struct iovec iov = {.iov_base = data, .iov_len = bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    do
        n = recvmsg(fd, &msg, flags | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t stream_read_raw(struct stream *s, void *data, size_t bytes)
{
    return receive(s->fd, data, bytes, 0);
}

static ssize_t send_raw(struct stream *s, const void *data, size_t bytes)
{
    struct iovec iov = {.iov_len = bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    memcpy(&iov.iov_base, &data, sizeof(data)); /* the call does not write, its type does not say */
    do
        n = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    s->sent += (uint64_t)n;
    return n;
}

static ssize_t tls_out(void *ctx, const void *data, size_t bytes)
{
    return send_raw(ctx, data, bytes);
}

static ssize_t tls_in(void *ctx, void *data, size_t bytes)
{
    return stream_read_raw(ctx, data, bytes);
}

int stream_peek(struct stream *s)
{
    /* so that TLS's 35 KB are spent on those only that have said something */
    unsigned char c;
    ssize_t n = receive(s->fd, &c, 1, MSG_PEEK);

    if (n == 0)
        return -EPIPE;
    return n < 0 ? (int)n : c;
}

int stream_start_tls(struct stream *s, struct tls *tls)
{
    return tls_conn_new(tls, tls_out, tls_in, s, &s->tls);
}

int stream_start_client_tls(struct stream *s, const struct mbedtls_ssl_config *config,
                            const char *name)
{
    return tls_conn_new_client(config, name, tls_out, tls_in, s, &s->tls);
}

int stream_handshake(struct stream *s)
{
    return tls_conn_handshake(s->tls);
}

ssize_t stream_read(struct stream *s, void *data, size_t bytes)
{
    return s->tls ? tls_conn_read(s->tls, data, bytes) : stream_read_raw(s, data, bytes);
}

ssize_t stream_write(struct stream *s, const void *data, size_t bytes)
{
    return s->tls ? tls_conn_write(s->tls, data, bytes) : send_raw(s, data, bytes);
}

bool stream_wants_write(const struct stream *s, bool otherwise)
{
    return s->tls ? tls_conn_wants_write(s->tls) : otherwise;
}

int stream_finish(struct stream *s)
{
    int r = s->tls ? tls_conn_close_notify(s->tls) : 0;

    if (r == -EAGAIN)
        return r;
    /* a TLS that failed has sent its alert already: the alert is all there is to finish */
    return shutdown(s->fd, SHUT_WR) ? -errno : 0;
}
