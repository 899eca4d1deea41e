#include "tests/unit/helper_http.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <psa/crypto.h>

#include "base/num.h"
#include "sidecar/http/query.h"
#include "sidecar/http/server.h"
#include "wire/rope.h"

/* ---- the child: a server and its routes */

struct served {
    uv_loop_t loop;
    uv_poll_t control;
    struct server *server;
    struct config config;
    struct server_bytes *big, *rope;
    int events;
    int waiting; /* timers of /late still open */
};

struct late {
    uv_timer_t timer;
    struct served *s;
    struct server_request *r; /* NULL: gone */
};

static void tell(struct served *s, const char *line)
{
    (void)!write(s->events, line, strlen(line));
}

static void answer_text(struct server_request *r, unsigned status, const char *text)
{
    struct buf b;

    buf_init(&b, 65536);
    buf_puts(&b, text);
    server_answer(r, status, "text/plain; charset=utf-8", server_bytes_take(&b));
}

static void on_gone(struct server_request *r)
{
    struct late *late = r->user;
    struct served *s = late->s;
    char line[128];

    late->r = NULL;
    (void)snprintf(line, sizeof(line), "gone %s\n", r->path);
    tell(s, line);
}

static void on_late_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_late(uv_timer_t *t)
{
    struct late *late = t->data;

    if (late->r)
        answer_text(late->r, 200, "late\n");
    uv_close((uv_handle_t *)t, on_late_closed);
}

static uint64_t number(const struct server_request *r, const char *key, uint64_t otherwise)
{
    char text[32];
    uint64_t value = otherwise;

    if (query_get(r->query, key, text, sizeof(text)) == 1)
        (void)num_u64(text, strlen(text), 10, UINT32_MAX, &value);
    return value;
}

static void wait_for_it(struct served *s, struct server_request *r, bool deaf, uint64_t ms)
{
    struct late *late = calloc(1, sizeof(*late));

    late->s = s;
    late->r = r;
    r->user = late;
    r->on_gone = deaf ? NULL : on_gone;
    (void)uv_timer_init(&s->loop, &late->timer);
    late->timer.data = late;
    (void)uv_timer_start(&late->timer, on_late, ms, 0);
}

static struct server_bytes *make_big(uint64_t bytes)
{
    struct buf b;
    unsigned char *p;

    buf_init(&b, 64 << 20);
    p = buf_reserve(&b, bytes);
    for (uint64_t i = 0; p && i < bytes; i++)
        p[i] = helper_http_pattern(i);
    b.len = bytes;
    return server_bytes_take(&b);
}

static void answer_big(struct served *s, struct server_request *r)
{
    uint64_t bytes = number(r, "bytes", 0);

    if (number(r, "own", 0)) {
        server_answer(r, 200, "application/octet-stream", make_big(bytes));
        return;
    }
    if (!s->big)
        s->big = make_big(bytes);
    server_answer(r, 200, "application/octet-stream", server_bytes_ref(s->big));
}

/* The same bytes as a rope: no piece ends where the next one begins. */
static struct server_bytes *make_rope(uint64_t bytes)
{
    struct rope rope;
    struct bulk bulk;
    int fd;

    rope_init(&rope, ROPE_MAX_BYTES);
    for (uint64_t i = 0, n; i < bytes; i += n) {
        unsigned char piece[9000];

        n = i % 3 == 0 ? 1 + i % 61 : 1 + i % sizeof(piece);
        n = n < bytes - i ? n : bytes - i;
        for (uint64_t k = 0; k < n; k++)
            piece[k] = helper_http_pattern(i + k);
        rope_put(&rope, piece, n);
        (void)rope_keep(&rope, "-", 1);
    }
    fd = rope_seal(&rope);
    rope_release(&rope);
    assert(fd >= 0 && bulk_map(fd, 64 << 20, &bulk) == 0);
    (void)close(fd);
    return server_bytes_rope(&bulk);
}

static void answer_rope(struct served *s, struct server_request *r)
{
    if (!s->rope)
        s->rope = make_rope(number(r, "bytes", 0));
    server_answer(r, 200, "application/octet-stream", server_bytes_ref(s->rope));
}

/* /flow: pushed as long as there is room. */
struct flowing {
    struct served *s;
    uint64_t at, bytes, piece;
    bool breaks, never;
};

static void flow_gone(struct server_request *r)
{
    struct flowing *f = r->user;
    char line[128];

    (void)snprintf(line, sizeof(line), "gone %s sent %d\n", r->path, server_sent(r) > 0);
    tell(f->s, line);
    free(f);
}

static void flow_pump(struct server_request *r)
{
    struct flowing *f = r->user;
    bool room = true;

    while (room && f->at < f->bytes) {
        unsigned char data[SERVER_PUSH_MAX_BYTES];
        uint64_t n = f->bytes - f->at < f->piece ? f->bytes - f->at : f->piece;

        for (uint64_t i = 0; i < n; i++)
            data[i] = helper_http_pattern(f->at + i);
        room = server_push(r, data, n);
        f->at += n;
    }
    if (f->at < f->bytes || f->never)
        return;
    server_end(r, !f->breaks);
    free(f);
}

static void answer_flow(struct served *s, struct server_request *r)
{
    struct flowing *f = calloc(1, sizeof(*f));
    char end[16] = "";

    (void)query_get(r->query, "end", end, sizeof(end));
    *f = (struct flowing){
        .s = s,
        .bytes = number(r, "bytes", 0),
        .piece = number(r, "piece", SERVER_PUSH_MAX_BYTES),
        .breaks = strcmp(end, "break") == 0,
        .never = strcmp(end, "never") == 0,
    };
    r->user = f;
    r->on_gone = flow_gone;
    server_begin(r, 200, "application/octet-stream", flow_pump);
    flow_pump(r);
}

static void answer_stat(struct served *s, struct server_request *r)
{
    struct server_counts c;
    char line[128], text[1024];
    unsigned long rss_kb = 0, threads = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f && fgets(line, sizeof(line), f)) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            rss_kb = strtoul(line + 6, NULL, 10);
        if (strncmp(line, "Threads:", 8) == 0)
            threads = strtoul(line + 8, NULL, 10);
    }
    if (f)
        (void)fclose(f);
    server_counts(s->server, &c);
    (void)snprintf(text, sizeof(text),
                   "rss_kb %lu\nthreads %lu\nconnections %u\npreauth %u\naccepted %" PRIu64
                   "\nrefused %" PRIu64 "\nhandshakes %" PRIu64 "\nhandshakes_failed %" PRIu64
                   "\ntimeouts %" PRIu64 "\nrequests %" PRIu64 "\nbad_requests %" PRIu64
                   "\nevicted %" PRIu64 "\nexpiry %" PRId64 "\nsha256 %s\npeer %s\nlistener %d\n",
                   rss_kb, threads, c.connections, c.preauth, c.accepted, c.refused, c.handshakes,
                   c.handshakes_failed, c.timeouts, c.requests, c.bad_requests, c.evicted,
                   server_cert_expiry(s->server), server_cert_sha256(s->server), r->peer,
                   r->listener);
    answer_text(r, 200, text);
}

static void answer_reload(struct served *s, struct server_request *r)
{
    struct err e = {0};

    (void)query_get(r->query, "cert", s->config.admin.certificate,
                    sizeof(s->config.admin.certificate));
    (void)query_get(r->query, "key", s->config.admin.key, sizeof(s->config.admin.key));
    if (server_reload(s->server, &s->config, &e))
        server_error(r, 500, "%s", e.text);
    else
        answer_text(r, 200, "reloaded\n");
}

static void on_request(void *ctx, struct server_request *r)
{
    struct served *s = ctx;

    if (r->token && strcmp(r->token, "good") == 0)
        server_authenticated(r);
    if (strcmp(r->path, "/hello") == 0) {
        server_header(r, "X-Test", r->accepts_gzip ? "gzip" : "plain");
        answer_text(r, 200, "hello\n");
    } else if (strcmp(r->path, "/echo") == 0) {
        struct buf b;

        buf_init(&b, SERVER_BODY_MAX_BYTES);
        buf_put(&b, r->body, r->body_bytes);
        server_answer(r, 200, "application/octet-stream", server_bytes_take(&b));
    } else if (strcmp(r->path, "/csp") == 0) {
        server_header(r, "Content-Security-Policy", "default-src 'self'");
        server_header(r, "X-Bad", "a\r\nX-Split: 1");
        server_header(r, "Content-Length", "1");
        server_answer(r, 200, "text/html", NULL);
    } else if (strcmp(r->path, "/rope") == 0) {
        answer_rope(s, r);
    } else if (strcmp(r->path, "/flow") == 0) {
        answer_flow(s, r);
    } else if (strcmp(r->path, "/big") == 0) {
        answer_big(s, r);
    } else if (strcmp(r->path, "/wait") == 0) {
        wait_for_it(s, r, false, 20000);
    } else if (strcmp(r->path, "/late") == 0) {
        wait_for_it(s, r, false, number(r, "ms", 100));
    } else if (strcmp(r->path, "/deaf") == 0) {
        wait_for_it(s, r, true, number(r, "ms", 100));
    } else if (strcmp(r->path, "/stat") == 0) {
        answer_stat(s, r);
    } else if (strcmp(r->path, "/reload") == 0) {
        answer_reload(s, r);
    } else if (strcmp(r->path, "/drain") == 0) {
        server_drain(s->server);
        answer_text(r, 200, "draining\n");
    } else {
        server_error(r, 404, "no such\npath");
    }
}

static void on_done(void *ctx, const struct server_request *r, unsigned status, uint64_t bytes)
{
    char line[256];

    (void)snprintf(line, sizeof(line), "done %u %" PRIu64 " %.100s\n", status, bytes, r->path);
    tell(ctx, line);
}

static void close_it(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (!uv_is_closing(h) && h->type == UV_TIMER)
        uv_close(h, on_late_closed);
}

static void on_control(uv_poll_t *p, int status, int events)
{
    struct served *s = p->data;

    (void)status;
    (void)events;
    uv_close((uv_handle_t *)p, NULL);
    server_free(s->server);
    server_bytes_unref(s->big);
    server_bytes_unref(s->rope);
    /* what is left are the timers of requests that were never answered */
    s->server = NULL;
    uv_walk(&s->loop, close_it, NULL);
}

static void fail(const char *what)
{
    (void)fprintf(stderr, "helper_http: %s\n", what);
    _exit(99);
}

static void child(const struct helper_http_options *o, const char *unix_path, int control,
                  int events)
{
    struct served *s = calloc(1, sizeof(*s));
    struct config_address tcp = {.port = 0}, local = {.is_unix = true};
    struct rlimit files = {4096, 4096};
    char tls_text[128], plain_text[128], unix_text[128], line[512];
    struct err e = {0};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_NOFILE, &files);
    log_setup("http-test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    s->events = events;
    s->config.limits.connections = o->connections ? o->connections : 1000;
    s->config.limits.per_address = o->per_address ? o->per_address : 1000;
    if (o->certificate) {
        (void)snprintf(s->config.admin.certificate, CONFIG_PATH_BYTES, "%s", o->certificate);
        (void)snprintf(s->config.admin.key, CONFIG_PATH_BYTES, "%s", o->key);
    }
    if (o->host) {
        (void)snprintf(s->config.admin.hosts[0], CONFIG_TEXT_BYTES, "%s", o->host);
        s->config.admin.hosts_count = 1;
    }
    (void)snprintf(tcp.host, sizeof(tcp.host), "%s", o->listen ? o->listen : "127.0.0.1");
    (void)snprintf(local.host, sizeof(local.host), "%s", unix_path);
    if (uv_loop_init(&s->loop) ||
        server_new(&s->loop, &s->config, on_request, on_done, s, &s->server, &e) ||
        server_listen(s->server, &tcp, true, 1, tls_text, &e) ||
        server_listen(s->server, &tcp, false, 2, plain_text, &e) ||
        server_listen(s->server, &local, false, 3, unix_text, &e))
        fail(e.text);
    (void)snprintf(line, sizeof(line), "ready %s %s\n", strrchr(tls_text, ':') + 1,
                   strrchr(plain_text, ':') + 1);
    tell(s, line);
    (void)uv_poll_init(&s->loop, &s->control, control);
    s->control.data = s;
    (void)uv_poll_start(&s->control, UV_READABLE, on_control);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&s->loop))
        fail("handles are left in the loop");
    free(s);
    exit(0); /* with the leak check */
}

void helper_http_start(struct helper_http *h, const struct helper_http_options *options)
{
    static const struct helper_http_options NONE = {0};
    static int number_of_them;
    int control[2], events[2];
    char line[128] = "";

    (void)snprintf(h->unix_path, sizeof(h->unix_path), "/tmp/http-test-%d-%d.sock", (int)getpid(),
                   number_of_them++);
    if (pipe(control) || pipe(events))
        fail("pipe");
    h->pid = fork();
    if (h->pid == 0) {
        (void)close(control[1]);
        (void)close(events[0]);
        child(options ? options : &NONE, h->unix_path, control[0], events[1]);
    }
    (void)close(control[0]);
    (void)close(events[1]);
    h->control = control[1];
    h->events = events[0];
    for (size_t n = 0; n + 1 < sizeof(line) && read(h->events, line + n, 1) == 1; n++) {
        if (line[n] == '\n')
            break;
    }
    if (sscanf(line, "ready %d %d", &h->tls_port, &h->plain_port) != 2)
        fail("the server did not start");
}

int helper_http_stop(struct helper_http *h)
{
    int status = -1;

    pid_t pid;

    (void)close(h->control);
    pid = waitpid(h->pid, &status, 0);
    (void)unlink(h->unix_path);
    (void)close(h->events); /* only now: its last lines must not meet a closed pipe */
    return pid == h->pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool helper_http_event(struct helper_http *h, const char *want, int timeout_ms)
{
    char line[256];
    size_t n = 0;

    for (;;) {
        struct pollfd p = {.fd = h->events, .events = POLLIN};

        if (poll(&p, 1, timeout_ms) != 1 || read(h->events, line + n, 1) != 1)
            return false;
        if (line[n] != '\n') {
            n += n + 2 < sizeof(line);
            continue;
        }
        line[n] = '\0';
        if (strstr(line, want))
            return true;
        n = 0;
    }
}

/* ---- plain clients */

int helper_http_connect(int port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof(in))) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

ssize_t helper_http_read(int fd, char *out, size_t bytes, int timeout_ms)
{
    size_t n = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t r;

        if (poll(&p, 1, timeout_ms) != 1)
            return -1;
        r = recv(fd, out + n, bytes - 1 - n, 0);
        if (r < 0)
            return -2;
        n += (size_t)r;
        out[n] = '\0';
        if (r == 0 || n + 1 == bytes)
            return (ssize_t)n;
    }
}

int helper_http_answer(int fd, char *out, size_t bytes, int timeout_ms)
{
    size_t n = 0, want = 0;
    int status = -1;

    out[0] = '\0';
    while (want == 0 || n < want) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char *end, *length;

        if (n + 1 >= bytes || poll(&p, 1, timeout_ms) != 1)
            return -1;
        /* byte by byte: the next answer on this connection stays where it is */
        if (recv(fd, out + n, want ? want - n : 1, 0) <= 0)
            return -2;
        n += want ? want - n : 1;
        out[n] = '\0';
        end = want ? NULL : strstr(out, "\r\n\r\n");
        if (!end)
            continue;
        length = strstr(out, "Content-Length: ");
        if (sscanf(out, "HTTP/1.1 %d", &status) != 1 || !length)
            return -3;
        want = n + strtoul(length + 16, NULL, 10);
        if (want >= bytes)
            return -4;
        if (want == n)
            break;
    }
    return status;
}

int helper_http_ask(int port, const char *request, char *out, size_t bytes)
{
    int fd = helper_http_connect(port);
    int status = -5;

    if (fd >= 0 && send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request))
        status = helper_http_answer(fd, out, bytes, 20000);
    (void)close(fd);
    return status;
}

long helper_http_stat(const struct helper_http *h, const char *name)
{
    char out[2048];
    char *at;

    if (helper_http_ask(h->plain_port,
                        "GET /stat HTTP/1.1\r\nHost: localhost\r\nX-Pprof-Token: good\r\n\r\n", out,
                        sizeof(out)) != 200)
        return -1;
    at = strstr(out, "\r\n\r\n");
    at = at ? strstr(at, name) : NULL;
    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

unsigned char helper_http_pattern(uint64_t i)
{
    return (unsigned char)((i * UINT64_C(2654435761)) >> 13);
}

/* ---- TLS client */

struct helper_tls {
    int fd;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    const char *alpn[2];
};

static int tls_send_raw(void *ctx, const unsigned char *data, size_t bytes)
{
    ssize_t n = send(((struct helper_tls *)ctx)->fd, data, bytes, MSG_NOSIGNAL);

    return n < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)n;
}

static int tls_receive_raw(void *ctx, unsigned char *data, size_t bytes)
{
    ssize_t n = recv(((struct helper_tls *)ctx)->fd, data, bytes, 0);

    return n < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)n;
}

struct helper_tls *helper_tls_connect(int port, const char *alpn)
{
    struct helper_tls *t = calloc(1, sizeof(*t));

    (void)psa_crypto_init();
    t->alpn[0] = alpn;
    mbedtls_entropy_init(&t->entropy);
    mbedtls_ctr_drbg_init(&t->random);
    mbedtls_ssl_config_init(&t->config);
    mbedtls_ssl_init(&t->ssl);
    t->fd = helper_http_connect(port);
    if (t->fd < 0 ||
        mbedtls_ctr_drbg_seed(&t->random, mbedtls_entropy_func, &t->entropy, NULL, 0) ||
        mbedtls_ssl_config_defaults(&t->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT))
        goto fail;
    mbedtls_ssl_conf_authmode(&t->config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&t->config, mbedtls_ctr_drbg_random, &t->random);
    if ((alpn && mbedtls_ssl_conf_alpn_protocols(&t->config, t->alpn)) ||
        mbedtls_ssl_setup(&t->ssl, &t->config) || mbedtls_ssl_set_hostname(&t->ssl, "localhost"))
        goto fail;
    mbedtls_ssl_set_bio(&t->ssl, t, tls_send_raw, tls_receive_raw, NULL);
    if (mbedtls_ssl_handshake(&t->ssl) == 0)
        return t;
fail:
    helper_tls_close(t, false);
    return NULL;
}

int helper_tls_fd(const struct helper_tls *t)
{
    return t->fd;
}

const char *helper_tls_version(const struct helper_tls *t)
{
    return mbedtls_ssl_get_version(&t->ssl);
}

bool helper_tls_write(struct helper_tls *t, const char *text)
{
    int bytes = (int)strlen(text);

    return mbedtls_ssl_write(&t->ssl, (const unsigned char *)text, (size_t)bytes) == bytes;
}

ssize_t helper_tls_read(struct helper_tls *t, void *out, size_t bytes)
{
    int n = mbedtls_ssl_read(&t->ssl, out, bytes);

    if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || n == 0)
        return 0;
    return n < 0 ? -1 : n;
}

void helper_tls_close(struct helper_tls *t, bool notify)
{
    if (notify)
        (void)mbedtls_ssl_close_notify(&t->ssl);
    if (t->fd >= 0)
        (void)close(t->fd);
    mbedtls_ssl_free(&t->ssl);
    mbedtls_ssl_config_free(&t->config);
    mbedtls_ctr_drbg_free(&t->random);
    mbedtls_entropy_free(&t->entropy);
    free(t);
}
