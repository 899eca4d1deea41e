/*
 * sidecar/outgoing.c, and what the sandbox leaves to a sidecar that connects: each attempt is a
 * process of its own, confined for a configuration with a backend, and does what it should and
 * what somebody who took it over would.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sidecar/client/client_priv.h"
#include "sidecar/confine.h"
#include "sidecar/outgoing.h"
#include "tests/unit/helper_backend.h"

enum {
    KILLED = -1,
    BROKEN = 250,
    MPTCP = 262,
};

static char folder[HELPER_BACKEND_PATH];
static struct helper_backend backend, other;
static uv_loop_t loop; /* made before the sandbox, as in main() */

static struct config *config_with(const char *url)
{
    struct config *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    c->limits.connections = 8;
    if (url[0]) {
        c->forward[0].type = CONFIG_BACKEND_PARCA;
        (void)snprintf(c->forward[0].url, sizeof(c->forward[0].url), "%s", url);
        c->forward_count = 1;
    }
    return c;
}

static bool has_port(const struct outgoing *o, uint16_t port)
{
    for (size_t i = 0; i < o->count; i++) {
        if (o->ports[i] == port)
            return true;
    }
    return false;
}

static void ports(void **state)
{
    struct config *c = config_with("");
    struct outgoing o, narrow;

    (void)state;
    (void)unsetenv("https_proxy");
    assert_int_equal(outgoing_of(c, &o), 0);
    assert_false(o.tcp || o.is_unix || o.count);
    c->forward[0].type = CONFIG_BACKEND_DIRECTORY;
    c->forward_count = 1;
    assert_int_equal(outgoing_of(c, &o), 0);
    assert_false(o.tcp);
    c->forward[0].type = CONFIG_BACKEND_DATADOG;
    (void)snprintf(c->forward[0].url, sizeof(c->forward[0].url), "unix:/run/agent.sock");
    assert_int_equal(outgoing_of(c, &o), 0);
    assert_true(o.is_unix && !o.tcp && o.count == 0);
    c->forward[0].url[0] = '\0';
    assert_int_equal(outgoing_of(c, &narrow), 0); /* the agent: both ways, as it comes */
    assert_true(narrow.is_unix && has_port(&narrow, 8126));
    (void)snprintf(c->forward[0].api_key_file, sizeof(c->forward[0].api_key_file), "/key");
    assert_int_equal(outgoing_of(c, &narrow), 0);
    assert_true(narrow.tcp && has_port(&narrow, 443) && has_port(&narrow, 53));
    assert_false(outgoing_within(&o, &narrow));
    (void)snprintf(c->collect.scrape.url, sizeof(c->collect.scrape.url), "http://127.0.0.1:6065/x");
    (void)snprintf(c->auth.issuers[0].jwks, sizeof(c->auth.issuers[0].jwks), "https://keys:8443/j");
    (void)snprintf(c->auth.issuers[1].jwks, sizeof(c->auth.issuers[1].jwks), "/etc/keys.json");
    c->auth.issuers_count = 2;
    (void)setenv("KUBERNETES_SERVICE_PORT", "6443", 1);
    c->auth.kubernetes.audiences_count = 1;
    (void)setenv("https_proxy", "http://proxy:3128", 1);
    assert_int_equal(outgoing_of(c, &o), 0);
    assert_int_equal(o.count, 6);
    assert_true(has_port(&o, 6065) && has_port(&o, 8443) && has_port(&o, 6443) &&
                has_port(&o, 3128) && has_port(&o, 443) && has_port(&o, 53));
    assert_true(outgoing_within(&o, &narrow));
    assert_false(outgoing_within(&narrow, &o));
    c->forward[0].type = CONFIG_BACKEND_GOOGLE;
    assert_int_equal(outgoing_of(c, &o), 0);
    assert_true(has_port(&o, 80)); /* the metadata server */
    (void)unsetenv("https_proxy");
    (void)unsetenv("KUBERNETES_SERVICE_PORT");
    free(c);
}

/* ---- in the sandbox */

static int code(long r)
{
    return r < 0 ? errno : 0;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? errno : code(connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

static int to_the_backend(void)
{
    return connect_to(backend.port);
}

static int to_another_port(void)
{
    return connect_to(other.port);
}

static int netlink(void)
{
    return code(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int multipath(void)
{
    return code(socket(AF_INET, SOCK_STREAM, MPTCP));
}

static int unix_socket(void)
{
    return code(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int listens(void)
{
    return code(listen(socket(AF_INET, SOCK_STREAM, 0), 1));
}

static int binds(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};

    return code(bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&any, sizeof(any)));
}

static int upper_layer(void)
{
    return code(setsockopt(socket(AF_INET, SOCK_STREAM, 0), IPPROTO_TCP, 31 /* ULP */, "tls", 4));
}

static int executable(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : 0;
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    *(int *)req->data = status;
    uv_freeaddrinfo(list);
}

/* What matters is that it comes back, from files or from a name server or without one. */
static int look_up(const char *name)
{
    uv_getaddrinfo_t req;
    int status = 1;

    req.data = &status;
    if (uv_getaddrinfo(&loop, &req, on_lookup, name, NULL, NULL))
        return BROKEN;
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    return status == 1 ? BROKEN : -status;
}

static int resolves_here(void)
{
    return look_up("localhost");
}

static int resolves_there(void)
{
    return look_up("no-such-name.invalid") == BROKEN ? BROKEN : 0;
}

static void on_answer(void *data, const struct client_answer *a)
{
    *(int *)data = a->fate == CLIENT_ANSWERED && a->status == 200 ? 0 : 1;
    if (a->fate != CLIENT_ANSWERED)
        (void)fprintf(stderr, "%s\n", a->why);
}

/* All of the client, in the sandbox. */
static int asks(void)
{
    const struct client_request r = {.method = "GET", .path = "/step?body=x", .total_ms = 20000};
    struct client_want want = {.tls = NULL};
    struct client *c;
    uint32_t ticket;
    char url[64];
    int result = 2;

    (void)snprintf(url, sizeof(url), "http://localhost:%u", backend.port);
    if (client_url_parse(url, &want.url, NULL) || client_new(&loop, &want, &c, NULL) ||
        client_ask(c, &r, NULL, on_answer, &result, &ticket))
        return BROKEN;
    while (result == 2)
        (void)uv_run(&loop, UV_RUN_ONCE);
    client_free(c);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    return result;
}

static int reads_the_bundle(void)
{
    const struct mbedtls_ssl_config *config;
    struct trust *trust;
    struct err e = {0};
    int r;

    if (trust_new(NULL, &trust, &e))
        return BROKEN;
    r = trust_config(trust, &config, &e);
    trust_unref(trust);
    trust_forget_bundle();
    return r == -ENOENT ? 0 : -r; /* a machine without CAs has none to read */
}

static int attempt(const char *url, int (*run)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct config *c = config_with(url);
        struct err e = {0};

        if (chdir(folder) != 0 || confine_loop() != 0 || uv_loop_init(&loop) != 0 ||
            confine_enter(c, &e) != 0)
            _exit(BROKEN);
        free(c);
        _exit(run());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? KILLED : WEXITSTATUS(status);
}

static void a_sidecar_that_connects(void **state)
{
    static const struct {
        const char *name;
        int (*run)(void);
        int want;
    } CASES[] = {
        {"to the backend", to_the_backend, 0},
        {"netlink", netlink, EAFNOSUPPORT},
        {"MPTCP", multipath, EAFNOSUPPORT},
        {"unix socket", unix_socket, EAFNOSUPPORT},
        {"listen", listens, KILLED},
        {"bind", binds, KILLED},
        {"TCP_ULP", upper_layer, ENOPROTOOPT},
        {"PROT_EXEC", executable, EACCES},
        {"localhost", resolves_here, 0},
        {"a name", resolves_there, 0},
        {"a request", asks, 0},
        {"the system's CAs", reads_the_bundle, 0},
    };
    char url[64];

    (void)state;
    (void)snprintf(url, sizeof(url), "http://localhost:%u", backend.port);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        int got = attempt(url, CASES[i].run);

        if (got != CASES[i].want)
            fail_msg("%s: %d, not %d", CASES[i].name, got, CASES[i].want);
    }
    assert_int_equal(attempt("unix:/run/x", unix_socket), 0);
    /* where nothing is configured there is nothing to connect with */
    assert_int_equal(attempt("", to_the_backend), KILLED);
}

/* Landlock's, of ABI 4 (Linux 6.7). */
static void only_the_ports_that_are_configured(void **state)
{
    char url[64];
    int got;

    (void)state;
    (void)snprintf(url, sizeof(url), "http://localhost:%u", backend.port);
    got = attempt(url, to_another_port);
    if (got == 0)
        skip(); /* an older kernel */
    assert_int_equal(got, EACCES);
}

static int prepare(void **state)
{
    (void)state;
    helper_backend_folder(folder);
    helper_backend_start(&backend, folder, NULL);
    helper_backend_start(&other, folder, NULL);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    helper_backend_stop(&backend);
    helper_backend_stop(&other);
    helper_backend_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports),
        cmocka_unit_test(a_sidecar_that_connects),
        cmocka_unit_test(only_the_ports_that_are_configured),
    };

    return cmocka_run_group_tests(tests, prepare, clean);
}
