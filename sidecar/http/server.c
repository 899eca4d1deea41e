/*
 * The server as a whole: listeners, what is configured, and the public face of conn.c. Memory: the
 * struct lives until its last handle and its last connection are closed, whatever comes last; until
 * then callbacks of libuv find it whole.
 */
#include "sidecar/http/server.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/magic.h"
#include "sidecar/http/conn.h"
#include "sidecar/http/listen.h"

enum {
    SERVER_MAGIC = 0x48545450,
    SERVER_LISTENERS_MAX = 2 * CONFIG_LISTEN_MAX,
    SERVER_ACCEPTS_PER_TURN = 16,      /* then those that are connected have their turn */
    SERVER_ACCEPT_PAUSE_MS = 100,      /* when descriptors have run out */
    SERVER_HOSTS_FIXED = 3,            /* localhost and the two loopback addresses */
    SERVER_RENEW_SECONDS = 30 * 86400, /* a reload replaces a self-signed certificate this late */
};

_Static_assert(SERVER_REFUSALS == GATE_REASONS - 1, "one count for each reason but GATE_OPEN");

struct listener {
    struct server *server;
    struct listen listen;
    struct conn_door door;
    uv_poll_t poll;
};

struct server {
    uint32_t magic;
    struct conn_env env;
    struct listener *listeners[SERVER_LISTENERS_MAX];
    size_t listeners_count;
    uv_timer_t pause; /* of accepting */
    int handles;      /* listeners' and the timer's, not closed yet */
    bool freed;
};

/* conn.c knows the environment only, which is embedded in us. */
static struct server *server_of(struct conn_env *env)
{
    struct server *s = (struct server *)(void *)((char *)env - offsetof(struct server, env));

    MAGIC_CHECK(s, SERVER_MAGIC);
    return s;
}

/* The last of the memory goes with the last handle. */
static void end_if_last(struct server *s)
{
    if (!s->freed || s->handles || s->env.open)
        return;
    tls_unref(s->env.tls);
    free(s->env.hosts);
    gate_release(&s->env.gate);
    s->magic = 0;
    free(s);
}

static void on_conn_closed(struct conn_env *env)
{
    end_if_last(server_of(env));
}

static void on_timer_closed(uv_handle_t *h)
{
    struct server *s = h->data;

    MAGIC_CHECK(s, SERVER_MAGIC);
    s->handles--;
    end_if_last(s);
}

static void on_listener_closed(uv_handle_t *h)
{
    struct listener *l = h->data;
    struct server *s = l->server;

    MAGIC_CHECK(s, SERVER_MAGIC);
    free(l);
    s->handles--;
    end_if_last(s);
}

static void add_host(struct host *hosts, size_t *n, const char *text)
{
    struct host h;

    /* a wildcard is no name for anybody; a connection knows the address that was dialled */
    if (host_parse(text, &h) || host_is_any(&h))
        return;
    for (size_t i = 0; i < *n; i++) {
        if (hosts[i].port == h.port && host_matches(&hosts[i], &h, HOST_PORT_ANY))
            return;
    }
    hosts[(*n)++] = h;
}

static void add_listens(struct host *hosts, size_t *n, const struct config_address *a, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!a[i].is_unix && a[i].host[0])
            add_host(hosts, n, a[i].host);
    }
}

/* The names of this server: for the Host header and for a self-signed certificate. */
static int make_hosts(const struct config *config, struct host **ret, size_t *ret_count,
                      struct err *e)
{
    size_t max = SERVER_HOSTS_FIXED + CONFIG_HOSTS_MAX + SERVER_LISTENERS_MAX;
    struct host *hosts = calloc(max, sizeof(*hosts));
    size_t n = 0;

    if (!hosts)
        return err_set(e, -ENOMEM, "out of memory");
    add_host(hosts, &n, "localhost");
    add_host(hosts, &n, "127.0.0.1");
    add_host(hosts, &n, "::1");
    for (size_t i = 0; i < config->admin.hosts_count; i++) {
        struct host h;

        if (host_parse(config->admin.hosts[i], &h)) {
            free(hosts);
            return err_set(e, -EINVAL, "admin.hosts: \"%.200s\" is not a host name or address",
                           config->admin.hosts[i]);
        }
        add_host(hosts, &n, config->admin.hosts[i]);
    }
    add_listens(hosts, &n, config->admin.listen, config->admin.listens);
    add_listens(hosts, &n, config->health.listen, config->health.listens);
    *ret = hosts;
    *ret_count = n;
    return 0;
}

/* `keep`: NULL, or whose certificate stays while all else is made anew. */
static int make_tls(const struct config *config, const struct host *hosts, size_t count,
                    const struct tls *keep, struct tls **ret, struct err *e)
{
    *ret = NULL;
    if (config->admin.tls_off)
        return 0;
    return tls_new(&(struct tls_settings){.certificate = config->admin.certificate,
                                          .key = config->admin.key,
                                          .names = hosts,
                                          .names_count = count,
                                          .keep = keep,
                                          .client_auth = config->admin.client_auth,
                                          .client_ca = config->admin.client_ca,
                                          .crls = config->admin.crls,
                                          .crls_count = config->admin.crls_count},
                   ret, e);
}

/* Lower caps drop nobody; they hold for those that come. */
static void set_limits(struct server *s, const struct config *config)
{
    limits_set(&s->env.limits, &(struct limits_caps){.max = config->limits.connections,
                                                     .max_per_address = config->limits.per_address,
                                                     .max_preauth = config->limits.unauthenticated,
                                                     .handshakes = config->limits.handshakes});
    gate_set(&s->env.gate, config);
}

int server_new(uv_loop_t *loop, const struct config *config, server_handler handler,
               server_done done, void *ctx, struct server **ret, struct err *e)
{
    struct server *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return err_set(e, -ENOMEM, "out of memory");
    s->magic = SERVER_MAGIC;
    s->env = (struct conn_env){
        .loop = loop, .handler = handler, .done = done, .ctx = ctx, .closed = on_conn_closed};
    limits_init(&s->env.limits);
    r = gate_init(&s->env.gate);
    if (r)
        (void)err_set(e, r, "out of memory");
    set_limits(s, config);
    s->env.gate.shared = gate_wants_shared(config);
    if (r == 0)
        r = make_hosts(config, &s->env.hosts, &s->env.hosts_count, e);
    if (r == 0)
        r = make_tls(config, s->env.hosts, s->env.hosts_count, NULL, &s->env.tls, e);
    if (r) {
        s->freed = true;
        end_if_last(s);
        return r;
    }
    (void)uv_timer_init(loop, &s->pause); /* cannot fail */
    s->pause.data = s;
    s->handles = 1;
    *ret = s;
    return 0;
}

static void on_readable(uv_poll_t *p, int status, int events);

static void on_pause_over(uv_timer_t *t)
{
    struct server *s = t->data;

    MAGIC_CHECK(s, SERVER_MAGIC);
    for (size_t i = 0; i < s->listeners_count; i++)
        (void)uv_poll_start(&s->listeners[i]->poll, UV_READABLE, on_readable);
}

/* No descriptors: readable listeners would spin the loop, so look away for a moment. */
static void pause_accepting(struct server *s)
{
    for (size_t i = 0; i < s->listeners_count; i++)
        (void)uv_poll_stop(&s->listeners[i]->poll);
    (void)uv_timer_start(&s->pause, on_pause_over, SERVER_ACCEPT_PAUSE_MS, 0);
}

static void on_readable(uv_poll_t *p, int status, int events)
{
    struct listener *l = p->data;
    struct server *s = l->server;

    (void)events;
    MAGIC_CHECK(s, SERVER_MAGIC);
    if (status < 0) {
        pause_accepting(s);
        return;
    }
    for (int i = 0; i < SERVER_ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof(peer);
        int fd =
            accept4(l->listen.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            conn_accept(&s->env, &l->door, fd, &peer);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* the newest of all waits in the kernel; make room for it */
            (void)conn_evict(&s->env);
            pause_accepting(s);
            return;
        } else if (errno == EAGAIN) {
            return;
        } /* else: this one's own network error (accept(2)), or EINTR: the next */
    }
}

int server_listen(struct server *s, const struct config_address *address, unsigned flags,
                  int listener, char *ret_text, struct err *e)
{
    bool tls = flags & SERVER_TLS, open = flags & SERVER_OPEN;
    struct listener *l;
    int r;

    MAGIC_CHECK(s, SERVER_MAGIC);
    if (s->listeners_count == SERVER_LISTENERS_MAX)
        return err_set(e, -E2BIG, "more than %d listeners", SERVER_LISTENERS_MAX);
    if (tls && !s->env.tls)
        return err_set(e, -EINVAL,
                       "a TLS listener was asked for, but the configuration says "
                       "`tls: off`");
    l = calloc(1, sizeof(*l));
    if (!l)
        return err_set(e, -ENOMEM, "out of memory");
    r = listen_open(&l->listen, address, e);
    if (r == 0 && address->is_unix && !open && s->env.gate.shared)
        r = listen_share(&l->listen, address, e);
    if (r) {
        free(l);
        return r;
    }
    r = uv_poll_init_socket(s->env.loop, &l->poll, l->listen.fd);
    if (r) {
        listen_close(&l->listen);
        free(l);
        return err_set(e, r, "cannot watch %s: %s", address->host, uv_strerror(r));
    }
    /* conn.c copies the door, so a connection may outlive the listener it came through */
    l->server = s;
    l->poll.data = l;
    l->door = (struct conn_door){.id = listener, .tls = tls, .open = open, .port = l->listen.port};
    s->listeners[s->listeners_count++] = l;
    s->handles++;
    (void)uv_poll_start(&l->poll, UV_READABLE, on_readable); /* epoll has taken it in the init */
    memcpy(ret_text, l->listen.text, sizeof(l->listen.text));
    return 0;
}

static bool same_hosts(const struct host *a, size_t a_count, const struct host *b, size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++) {
        if (a[i].port != b[i].port || !host_matches(&a[i], &b[i], HOST_PORT_ANY))
            return false;
    }
    return true;
}

/* A self-signed certificate that still fits stays, so that those who pinned it need not again. */
static bool keeps_certificate(const struct server *s, const struct config *config,
                              const struct host *hosts, size_t count)
{
    return s->env.tls && !config->admin.tls_off && config->admin.certificate[0] == '\0' &&
           tls_is_self_signed(s->env.tls) &&
           tls_expiry(s->env.tls) > (int64_t)time(NULL) + SERVER_RENEW_SECONDS &&
           same_hosts(s->env.hosts, s->env.hosts_count, hosts, count);
}

int server_reload(struct server *s, const struct config *config, struct err *e)
{
    struct host *hosts = NULL;
    struct tls *tls = NULL;
    const struct tls *keep;
    size_t count = 0;
    int r;

    MAGIC_CHECK(s, SERVER_MAGIC);
    /* everything is made before anything is changed: a bad file changes nothing */
    r = make_hosts(config, &hosts, &count, e);
    if (r)
        return r;
    keep = keeps_certificate(s, config, hosts, count) ? s->env.tls : NULL;
    r = make_tls(config, hosts, count, keep, &tls, e);
    if (r) {
        free(hosts);
        return r;
    }
    /* listeners stay as they are, so one that speaks TLS keeps its old certificate at `tls: off` */
    if (tls) {
        tls_unref(s->env.tls);
        s->env.tls = tls;
    }
    free(s->env.hosts);
    s->env.hosts = hosts;
    s->env.hosts_count = count;
    set_limits(s, config);
    return 0;
}

static void close_listeners(struct server *s)
{
    (void)uv_timer_stop(&s->pause);
    for (size_t i = 0; i < s->listeners_count; i++) {
        struct listener *l = s->listeners[i];

        /* the handle before the descriptor, see drop() in conn.c */
        uv_close((uv_handle_t *)&l->poll, on_listener_closed);
        listen_close(&l->listen);
    }
    s->listeners_count = 0;
}

void server_drain(struct server *s)
{
    MAGIC_CHECK(s, SERVER_MAGIC);
    close_listeners(s);
    conn_drain(&s->env);
}

void server_free(struct server *s)
{
    if (!s)
        return;
    MAGIC_CHECK(s, SERVER_MAGIC);
    close_listeners(s);
    conn_drop_all(&s->env);
    s->freed = true;
    uv_close((uv_handle_t *)&s->pause, on_timer_closed);
}

void server_counts(const struct server *s, struct server_counts *ret)
{
    *ret = s->env.counts;
    ret->connections = s->env.limits.count;
    ret->preauth = s->env.limits.preauth;
    memcpy(ret->refused_for, s->env.gate.refused + 1, sizeof(ret->refused_for));
}

const char *server_refusal_name(unsigned i)
{
    return gate_reason_name((enum gate_reason)(i + 1)); /* GATE_OPEN is none */
}

int64_t server_crl_expiry(const struct server *s)
{
    return s->env.tls ? tls_crl_expiry(s->env.tls) : 0;
}

int64_t server_cert_expiry(const struct server *s)
{
    return s->env.tls ? tls_expiry(s->env.tls) : 0;
}

const char *server_cert_sha256(const struct server *s)
{
    return s->env.tls ? tls_sha256(s->env.tls) : "";
}

void server_authenticated(struct server_request *r)
{
    conn_authenticated(r);
}

void server_header(struct server_request *r, const char *name, const char *value)
{
    conn_header(r, name, value);
}

void server_headerf(struct server_request *r, const char *name, const char *fmt, ...)
{
    char value[ERR_TEXT_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    conn_header(r, name, value);
}

void server_answer(struct server_request *r, unsigned status, const char *content_type,
                   struct server_bytes *bytes)
{
    conn_answer(r, status, content_type, bytes);
}

void server_error(struct server_request *r, unsigned status, const char *fmt, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    conn_error(r, status, text);
}

void server_begin(struct server_request *r, unsigned status, const char *content_type,
                  void (*on_room)(struct server_request *r))
{
    conn_begin(r, status, content_type, on_room);
}

bool server_push(struct server_request *r, const void *data, size_t bytes)
{
    return conn_push(r, data, bytes);
}

void server_end(struct server_request *r, bool ok)
{
    conn_end(r, ok);
}

uint64_t server_sent(const struct server_request *r)
{
    return conn_sent(r);
}
