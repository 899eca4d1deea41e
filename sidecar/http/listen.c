/*
 * Sockets are made by hand and not by libuv: the mode of a unix socket and the inherited options
 * have to be right from the first moment on, and nothing here may ever resolve a name.
 */
#include "sidecar/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sidecar/http/host.h"
#include "sidecar/http/server.h"

enum {
    /* A client that vanished without a word during a profile is noticed within half a minute. */
    LISTEN_KEEPIDLE_S = 15,
    LISTEN_KEEPINTVL_S = 5,
    LISTEN_KEEPCNT = 3,
};

static int option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* Best effort but for SO_REUSEADDR: the server works without them, only less well. */
static int set_options(int fd)
{
    (void)option(fd, SOL_SOCKET, SO_RCVBUF, LISTEN_RECEIVE_BYTES);
    (void)option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)option(fd, IPPROTO_TCP, TCP_KEEPIDLE, LISTEN_KEEPIDLE_S);
    (void)option(fd, IPPROTO_TCP, TCP_KEEPINTVL, LISTEN_KEEPINTVL_S);
    (void)option(fd, IPPROTO_TCP, TCP_KEEPCNT, LISTEN_KEEPCNT);
    (void)option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    /* The write window: the kernel takes no more than this of what it cannot send yet (tcp(7)), so
     * that slow readers do not each fill a send buffer of megabytes. */
    (void)option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, SERVER_WINDOW_BYTES);
    return option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

/* A numeric address; "" is every one there is, of both families. */
static int tcp_address(const struct config_address *a, struct sockaddr_storage *ret, socklen_t *len)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};

    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, a->host, &in.sin_addr) == 1) {
        memcpy(ret, &in, sizeof(in));
        *len = sizeof(in);
    } else if (a->host[0] == '\0' || inet_pton(AF_INET6, a->host, &in6.sin6_addr) == 1) {
        memcpy(ret, &in6, sizeof(in6));
        *len = sizeof(in6);
    } else {
        return -EINVAL;
    }
    return 0;
}

static int tcp_bind(struct listen *l, const struct config_address *a)
{
    struct sockaddr_storage addr;
    socklen_t len;
    int r = tcp_address(a, &addr, &len);

    if (r)
        return r;
    l->fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0 && errno == EAFNOSUPPORT && a->host[0] == '\0') {
        /* no IPv6 in this kernel: every address is every IPv4 address */
        struct config_address v4 = *a;

        memcpy(v4.host, "0.0.0.0", sizeof("0.0.0.0"));
        return tcp_bind(l, &v4);
    }
    if (l->fd < 0)
        return -errno;
    if ((r = set_options(l->fd)))
        return r;
    /* "::" alone is IPv6 alone, so that 0.0.0.0 with the same port may stand beside it */
    if (addr.ss_family == AF_INET6)
        (void)option(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, a->host[0] != '\0');
    return bind(l->fd, (struct sockaddr *)&addr, len) ? -errno : 0;
}

static int tcp_text(struct listen *l)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    struct host h;

    if (getsockname(l->fd, (struct sockaddr *)&addr, &len))
        return -errno;
    if (host_from_socket(&addr, &h))
        return -EAFNOSUPPORT;
    l->port = h.port;
    host_print(&h, l->text, sizeof(l->text));
    return 0;
}

/* Remove a socket file whose listener is dead: connecting to it is refused. */
static int unix_clear(const struct sockaddr_un *addr)
{
    struct stat st;
    int fd, r;

    if (lstat(addr->sun_path, &st))
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* unix(7): a full queue is EAGAIN for a non-blocking socket, so this never waits */
    r = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? -errno : 0;
    (void)close(fd);
    if (r != -ECONNREFUSED)
        return -EADDRINUSE; /* accepted, or its queue is full (EAGAIN), or it is not ours to judge
                             */
    return unlink(addr->sun_path) && errno != ENOENT ? -errno : 0;
}

static int unix_bind(struct listen *l, const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int r;

    /* relative: to a working directory that the user does not see */
    if (path[0] != '/')
        return -EINVAL;
    if (strlen(path) >= sizeof(addr.sun_path) || strlen(path) + 6 > LISTEN_TEXT_BYTES)
        return -ENAMETOOLONG;
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if ((r = unix_clear(&addr)))
        return r;
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return -errno;
    /* bind(2) makes the file with the socket's mode (net/unix/af_unix.c, unix_bind_bsd), so it is
     * closed to others from its first moment on */
    if (fchmod(l->fd, 0600) || bind(l->fd, (struct sockaddr *)&addr, sizeof(addr)))
        return -errno;
    if (chmod(path, 0600))
        return -errno;
    l->port = HOST_PORT_ANY;
    (void)snprintf(l->text, sizeof(l->text), "unix:%s", addr.sun_path);
    return 0;
}

int listen_open(struct listen *l, const struct config_address *address, struct err *e)
{
    const char *hint = "";
    int r;

    *l = (struct listen){.fd = -1};
    r = address->is_unix ? unix_bind(l, address->host) : tcp_bind(l, address);
    if (r == 0 && listen(l->fd, LISTEN_BACKLOG))
        r = -errno;
    if (r == 0 && !address->is_unix)
        r = tcp_text(l);
    if (r == 0)
        return 0;
    listen_close(l);
    if (r == -EADDRINUSE)
        hint = "; another program listens there, choose another port or end it";
    else if (r == -EACCES && !address->is_unix)
        hint = "; ports below 1024 need a right that we do not have, choose a higher one";
    else if (r == -EEXIST)
        hint = "; the path is there and is not a socket";
    if (address->is_unix)
        return err_set(e, r, "cannot listen on unix:%.200s: %s%s", address->host, uv_strerror(r),
                       hint);
    return err_set(e, r, "cannot listen on %.100s port %u: %s%s", address->host, address->port,
                   uv_strerror(r), hint);
}

int listen_share(struct listen *l, const struct config_address *address, struct err *e)
{
    int r;

    if (chmod(address->host, 0666) == 0)
        return 0;
    r = -errno;
    listen_close(l);
    return err_set(e, r, "cannot open unix:%.200s to others: %s", address->host, uv_strerror(r));
}

void listen_close(struct listen *l)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
}
