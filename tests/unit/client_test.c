/*
 * sidecar/client against real servers: tests/e2e/servers/backend.py as a child, which is good,
 * slow, greedy or broken as each test tells it, over TCP, TLS and a unix socket.
 * long: 35 s
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "sidecar/client/client_priv.h"
#include "tests/unit/helper_backend.h"

enum {
    LONG_MS = 30000, /* nothing here takes so long, not even on a loaded machine */
    SHORT_MS = 300,
    TALLIES = CLIENT_WAITING_MAX + CLIENT_CONNECTIONS_MAX + 8,
};

/* What one request came to. */
struct tally {
    unsigned answers;
    struct client_answer answer;
    char why[CLIENT_WHY_BYTES];
    char body[4096];
    char header[64]; /* X-Told */
    unsigned heads;
    uint64_t streamed;
    bool stop_at_head, pause;
    bool free_client;
    uint32_t ticket;
    struct client *client;
};

static char folder[HELPER_BACKEND_PATH];
static bool has_openssl;
static uv_loop_t loop;
static const char *const *environment;

static char *env(const char *name)
{
    for (const char *const *at = environment; at && *at; at++) {
        if (strncmp(*at, name, strlen(name)) == 0 && (*at)[strlen(name)] == '=')
            return (char *)(uintptr_t)(*at + strlen(name) + 1);
    }
    return NULL;
}

static int setup(void **state)
{
    (void)state;
    environment = NULL;
    return uv_loop_init(&loop);
}

static void tick(uv_timer_t *t)
{
    (void)t;
}

/* Turn the loop until *${what} is at least ${n}. */
static void turn_until(const unsigned *what, unsigned n)
{
    uv_timer_t timer;
    uint64_t end;

    (void)uv_timer_init(&loop, &timer);
    (void)uv_timer_start(&timer, tick, 10, 10); /* so that it looks at the clock */
    uv_update_time(&loop);
    end = uv_now(&loop) + LONG_MS;
    while (*what < n && uv_now(&loop) < end)
        (void)uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(*what >= n);
}

/* Let it turn for a while; nothing special is awaited. */
static void turn_ms(uint64_t ms)
{
    uint64_t end;

    uv_update_time(&loop);
    end = uv_now(&loop) + ms;
    while (uv_now(&loop) < end) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
}

static int teardown(void **state)
{
    (void)state;
    (void)uv_run(&loop, UV_RUN_DEFAULT); /* all that is left is to close */
    return uv_loop_close(&loop);
}

static struct client *client_of(const char *url, const struct config_client_tls *tls,
                                resolve_lookup lookup)
{
    const struct client_outside outside = {.lookup = lookup ? lookup : uv_getaddrinfo, .env = env};
    struct client_want want = {.tls = tls};
    struct client *c = NULL;
    struct err e = {0};

    if (client_url_parse(url, &want.url, &e) || client_new_in(&outside, &loop, &want, &c, &e))
        fail_msg("%s: %s", url, e.text);
    return c;
}

static struct client *client_at(const struct helper_backend *b)
{
    char url[64];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", b->port);
    return client_of(url, NULL, NULL);
}

static void on_answer(void *data, const struct client_answer *a)
{
    struct tally *t = data;
    const char *told = client_header_of(a, "x-TOLD");
    size_t n = a->bytes < sizeof(t->body) - 1 ? a->bytes : sizeof(t->body) - 1;

    t->answers++;
    t->answer = *a;
    (void)snprintf(t->why, sizeof(t->why), "%s", a->why);
    memcpy(t->body, a->body, n);
    t->body[n] = '\0';
    (void)snprintf(t->header, sizeof(t->header), "%s", told ? told : "");
    if (t->free_client)
        client_free(t->client);
}

static bool on_head(void *data, const struct client_answer *a)
{
    struct tally *t = data;

    t->heads++;
    t->answer.status = a->status;
    return !t->stop_at_head;
}

static bool on_body(void *data, const void *bytes, size_t n)
{
    struct tally *t = data;

    assert_non_null(bytes);
    t->streamed += n;
    return !t->pause;
}

static void ask(struct client *c, const struct client_request *r, bool streamed, struct tally *t)
{
    const struct client_stream stream = {.head = on_head, .body = on_body};
    int x;

    t->client = c;
    x = client_ask(c, r, streamed ? &stream : NULL, on_answer, t, &t->ticket);
    if (x)
        fail_msg("client_ask: %d", x);
    assert_true(t->ticket != 0);
    assert_int_equal(t->answers, 0); /* never at once */
}

static void get(struct client *c, const char *path, struct tally *t)
{
    const struct client_request r = {.method = "GET", .path = path, .total_ms = LONG_MS};

    *t = (struct tally){.answers = 0};
    ask(c, &r, false, t);
    turn_until(&t->answers, 1);
    assert_int_equal(t->answers, 1);
}

static struct helper_backend started(const char *const *args)
{
    struct helper_backend b;

    helper_backend_start(&b, folder, args);
    return b;
}

#define STEPS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- good answers */

static void answers(void **state)
{
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct tally t;

    (void)state;
    get(c, "/step?body=hello&header=X-Told:+yes&type=Text/HTML;+charset%3dutf-8", &t);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    assert_int_equal(t.answer.status, 200);
    assert_string_equal(t.body, "hello");
    assert_string_equal(t.answer.content_type, "text/html"); /* HTML is an answer like any other */
    assert_string_equal(t.header, "yes");
    assert_string_equal(t.why, "");
    get(c, "/step?mode=chunked&bytes=100000", &t);
    assert_int_equal(t.answer.bytes, 100000);
    get(c, "/step?mode=close&bytes=100000", &t);
    assert_int_equal(t.answer.bytes, 100000);
    get(c, "/step?interim=3&body=x", &t);
    assert_int_equal(t.answer.status, 200);
    assert_string_equal(t.body, "x");
    for (int status = 204; status <= 304; status += 100) {
        char path[128];

        (void)snprintf(path, sizeof(path),
                       "/step?mode=raw&raw=HTTP/1.1%%20%d%%20No%%0d%%0a%%0d%%0a", status);
        get(c, path, &t);
        assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
        assert_int_equal(t.answer.status, status);
        assert_int_equal(t.answer.bytes, 0);
    }
    client_free(c);
    helper_backend_stop(&b);
}

static void head_has_no_body(void **state)
{
    const struct client_request r = {
        .method = "HEAD", .path = "/step?bytes=5000000", .total_ms = LONG_MS};
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct tally t = {.answers = 0};

    (void)state;
    ask(c, &r, false, &t);
    turn_until(&t.answers, 1);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    assert_int_equal(t.answer.bytes, 0);
    get(c, "/step?body=next", &t);
    assert_string_equal(t.body, "next");
    assert_int_equal(helper_backend_count(&b, "\"connection\": 1"), 2);
    client_free(c);
    helper_backend_stop(&b);
}

static void waits_are_told(void **state)
{
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct tally t;

    (void)state;
    get(c, "/step?status=429&header=Retry-After:+17", &t);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    assert_int_equal(t.answer.status, 429);
    assert_int_equal(t.answer.retry_after_ms, 17000);
    get(c, "/step?status=429", &t);
    assert_int_equal(t.answer.retry_after_ms, 0);
    get(c, "/step?status=503&header=Retry-After:+Fri,+31+Dec+2100+23:59:59+GMT", &t);
    assert_int_equal(t.answer.status, 503);
    assert_int_equal(t.answer.retry_after_ms, 86400000);
    get(c, "/step?status=307&header=Location:+https://elsewhere.example/x", &t);
    assert_int_equal(t.answer.status, 307); /* told, not followed */
    assert_string_equal(t.answer.location, "https://elsewhere.example/x");
    assert_int_equal(helper_backend_count(&b, ""), 4);
    client_free(c);
    helper_backend_stop(&b);
}

static void large_bodies_go_out(void **state)
{
    const size_t bytes = (size_t)20 << 20;
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct client_request r = {
        .method = "POST", .path = "/x", .total_ms = LONG_MS, .bytes = bytes, .body_owned = true};
    unsigned char *body = malloc(bytes);
    struct tally t = {.answers = 0};

    (void)state;
    assert_non_null(body);
    memset(body, 'a', bytes);
    r.body = body;
    ask(c, &r, false, &t);
    turn_until(&t.answers, 1);
    assert_int_equal(t.answer.status, 200);
    assert_int_equal(helper_backend_count(&b, "\"bytes\": 20971520, \"sha256\": \"48b6fb8f"), 1);
    /* copied: ours may go at once */
    r.bytes = 3;
    r.body_owned = false;
    t = (struct tally){.answers = 0};
    ask(c, &r, false, &t);
    memset(body, 'b', 3);
    free(body);
    turn_until(&t.answers, 1);
    assert_int_equal(helper_backend_count(
                         &b, "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0"),
                     1); /* of "aaa" */
    client_free(c);
    helper_backend_stop(&b);
}

/* ---- bad answers */

/* Status and fate of ${path}; a word of the reason must be in it. */
static void ends(struct client *c, const char *path, enum client_fate fate, unsigned status,
                 const char *word)
{
    struct tally t;

    get(c, path, &t);
    if (t.answer.fate != fate || t.answer.status != status || !strstr(t.why, word))
        fail_msg("%s: fate %d, status %u, \"%s\"", path, t.answer.fate, t.answer.status, t.why);
}

static void broken_answers(void **state)
{
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);

    (void)state;
    ends(c, "/step?mode=cut&bytes=10000", CLIENT_BROKEN, 200, "in the middle");
    ends(c, "/step?mode=cutchunk&bytes=10000", CLIENT_BROKEN, 200, "in the middle");
    ends(c, "/step?mode=hangup", CLIENT_BROKEN, 0, "without an answer");
    ends(c, "/step?mode=reset", CLIENT_BROKEN, 0, "reset");
    ends(c, "/step?mode=huge", CLIENT_TOO_LARGE, 200, "too large");
    ends(c, "/step?mode=hugechunk", CLIENT_TOO_LARGE, 200, "too large");
    ends(c, "/step?mode=bighead", CLIENT_TOO_LARGE, 200, "head");
    ends(c, "/step?interim=8&body=x", CLIENT_ANSWERED, 200, "");
    ends(c, "/step?interim=9&body=x", CLIENT_BROKEN, 0, "interim");
    client_free(c);
    helper_backend_stop(&b);
}

static void answer_limits(void **state)
{
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    char path[64];

    (void)state;
    (void)snprintf(path, sizeof(path), "/step?bytes=%d", CLIENT_BODY_MAX_BYTES);
    ends(c, path, CLIENT_ANSWERED, 200, "");
    (void)snprintf(path, sizeof(path), "/step?bytes=%d", CLIENT_BODY_MAX_BYTES + 1);
    ends(c, path, CLIENT_TOO_LARGE, 200, "too large");
    (void)snprintf(path, sizeof(path), "/step?mode=chunked&bytes=%d", CLIENT_BODY_MAX_BYTES);
    ends(c, path, CLIENT_ANSWERED, 200, "");
    (void)snprintf(path, sizeof(path), "/step?mode=close&bytes=%d", CLIENT_BODY_MAX_BYTES + 1);
    ends(c, path, CLIENT_TOO_LARGE, 200, "too large");
    client_free(c);
    helper_backend_stop(&b);
}

static void overdue(void **state)
{
    const struct client_request r[] = {
        {.method = "GET", .path = "/step?mode=silent", .total_ms = SHORT_MS},
        {.method = "GET",
         .path = "/step?mode=stall",
         .total_ms = SHORT_MS,
         .body_max_bytes = SIZE_MAX},
        {.method = "GET", .path = "/step?mode=drip&interval=0.1&bytes=10000", .total_ms = 1000},
    };
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);

    (void)state;
    for (size_t i = 0; i < sizeof(r) / sizeof(r[0]); i++) {
        struct tally t = {.answers = 0};

        ask(c, &r[i], false, &t);
        turn_until(&t.answers, 1);
        assert_int_equal(t.answer.fate, CLIENT_OVERDUE);
        assert_non_null(strstr(t.why, "out of time"));
    }
    client_free(c);
    helper_backend_stop(&b);
}

static void stalled(void **state)
{
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct tally t;

    (void)state;
    c->stall_ms = SHORT_MS;
    get(c, "/step?mode=silent", &t);
    assert_int_equal(t.answer.fate, CLIENT_OVERDUE);
    assert_non_null(strstr(t.why, "nothing for"));
    /* a byte now and then is progress */
    c->stall_ms = 3000;
    get(c, "/step?mode=drip&interval=0.05&bytes=80", &t);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    assert_int_equal(t.answer.bytes, 80);
    client_free(c);
    helper_backend_stop(&b);
}

/* The answer comes and the connection goes, with most of the body unsent. */
static void answered_early(void **state)
{
    const size_t bytes = (size_t)50 << 20;
    struct helper_backend b =
        started(STEPS("mode=early&status=413&body=too+large", "mode=early&status=413&body=again"));
    struct client *c = client_at(&b);
    struct client_request r = {.method = "POST", .path = "/x", .total_ms = LONG_MS, .bytes = bytes};
    struct tally t = {.answers = 0};

    (void)state;
    r.body = calloc(1, bytes);
    assert_non_null(r.body);
    r.body_owned = true;
    ask(c, &r, false, &t);
    turn_until(&t.answers, 1);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    assert_int_equal(t.answer.status, 413);
    assert_string_equal(t.body, "too large");
    free((void *)(uintptr_t)r.body);
    client_free(c);
    helper_backend_stop(&b);
}

/* Two ways to read them, and whoever stands between might read the other. */
static void smuggling(void **state)
{
    static const char *const CASES[] = {
        "HTTP/1.1 200 OK%0d%0aContent-Length: 1%0d%0aContent-Length: 2%0d%0a%0d%0aab",
        "HTTP/1.1 200 OK%0d%0aContent-Length: 1, 1%0d%0a%0d%0aa",
        "HTTP/1.1 200 OK%0d%0aContent-Length: -1%0d%0a%0d%0aa",
        "HTTP/1.1 200 OK%0d%0aContent-Length: %2b1%0d%0a%0d%0aa",
        "HTTP/1.1 200 OK%0d%0aContent-Length: 0x1%0d%0a%0d%0aa",
        "HTTP/1.1 200 OK%0d%0aContent-Length: 99999999999999999999%0d%0a%0d%0aa",
        "HTTP/1.1 200 OK%0d%0aContent-Length: 3%0d%0aTransfer-Encoding: chunked%0d%0a%0d%0a0%0d%0a",
        "HTTP/1.1 200 OK%0d%0aTransfer-Encoding: chunked%0d%0aContent-Length: 3%0d%0a%0d%0a0%0d%0a",
        "HTTP/1.1 200 OK%0d%0aTransfer-Encoding: gzip, chunked%0d%0a%0d%0a0%0d%0a%0d%0a",
        "HTTP/1.1 200 OK%0d%0aTransfer-Encoding: chunked, gzip%0d%0a%0d%0aabc",
        "HTTP/1.1 200 OK%0d%0aTransfer-Encoding: xchunked%0d%0a%0d%0aabc",
        "HTTP/1.1 200 OK%0d%0aTransfer-Encoding: chunked%0d%0a%0d%0ax%0d%0a",
        "HTTP/1.1 200 OK%0d%0aTransfer-Encoding: chunked%0d%0a%0d%0a-1%0d%0a",
        "HTTP/1.1 200 OK%0d%0aTransfer-Encoding: chunked%0d%0a%0d%0a0x1%0d%0aa%0d%0a0%0d%0a%0d%0a",
        "HTTP/1.1 200 OK%0d%0aTransfer-Encoding: chunked%0d%0a%0d%0a1%0d%0aab%0d%0a0%0d%0a%0d%0a",
        "HTTP/1.1 200 OK%0d%0aTransfer-Encoding: chunked%0d%0a%0d%0affffffffffffffffff%0d%0aa",
        "HTTP/1.1 200 OK%0d%0aX: a%00b%0d%0aContent-Length: 0%0d%0a%0d%0a",
        "HTTP/1.1 200 OK%0d%0aX%00Y: a%0d%0aContent-Length: 0%0d%0a%0d%0a",
        "HTTP/1.1 200 OK%0d%0aContent-Length : 0%0d%0a%0d%0a",
        "HTTP/1.1 200 OK%0d%0a X: folded%0d%0aContent-Length: 0%0d%0a%0d%0a",
        "HTTP/1.1 200 OK%0aContent-Length: 0%0a%0a",
        "HTTP/2.0 200 OK%0d%0aContent-Length: 0%0d%0a%0d%0a",
        "HTTP/0.9 200 OK%0d%0a%0d%0a",
        "HTTP/1.1 99 OK%0d%0aContent-Length: 0%0d%0a%0d%0a",
        "HTTP/1.1 999 OK%0d%0aContent-Length: 0%0d%0a%0d%0a",
        "HTTP/1.1 101 Switching%0d%0aUpgrade: x%0d%0aConnection: Upgrade%0d%0a%0d%0a",
        "ICE/1.0 200 OK%0d%0aContent-Length: 0%0d%0a%0d%0a",
        "%00%00%00%00",
        "<html>hello</html>%0d%0a%0d%0a",
        "SSH-2.0-OpenSSH_9.2%0d%0a",
    };
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char path[CLIENT_URL_BYTES];
        struct tally t;
        size_t n;

        n = (size_t)snprintf(path, sizeof(path), "/step?mode=raw&connection=close&raw=");
        for (const char *s = CASES[i]; *s; s++) {
            if (*s == ' ')
                n += (size_t)snprintf(path + n, sizeof(path) - n, "%%20");
            else if (*s == '%') /* twice: parse_qs() and unquote_to_bytes() */
                n += (size_t)snprintf(path + n, sizeof(path) - n, "%%25");
            else
                path[n++] = *s;
        }
        path[n] = '\0';
        get(c, path, &t);
        if (t.answer.fate == CLIENT_ANSWERED || !t.why[0])
            fail_msg("taken: %s (%u)", CASES[i], t.answer.status);
    }
    client_free(c);
    helper_backend_stop(&b);
}

/* ---- connections */

static void connections_are_kept(void **state)
{
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct tally t;

    (void)state;
    for (int i = 0; i < 5; i++)
        get(c, "/step?body=x", &t);
    assert_int_equal(helper_backend_count(&b, "\"connection\": 1"), 5);
    get(c, "/step?connection=close", &t);
    get(c, "/step?body=x", &t);
    assert_int_equal(helper_backend_count(&b, "\"connection\": 2"), 1);
    /* the server says how long it will keep it: 1 s is not worth it */
    get(c, "/step?header=Keep-Alive:+timeout%3d1", &t);
    get(c, "/step?body=x", &t);
    assert_int_equal(helper_backend_count(&b, "\"connection\": 3"), 1);
    client_free(c);
    helper_backend_stop(&b);
}

/* The server closes just when we ask: it is asked once more, on a new connection. */
static void a_connection_that_was_closed(void **state)
{
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct tally t;

    (void)state;
    for (int i = 0; i < 20; i++) {
        const struct client_request r = {.method = "POST",
                                         .path = "/step?vanish=1",
                                         .total_ms = LONG_MS,
                                         .body = "abc",
                                         .bytes = 3};

        t = (struct tally){.answers = 0};
        ask(c, &r, false, &t);
        turn_until(&t.answers, 1);
        assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
        if (i % 2) /* it has been seen to close; or not */
            turn_ms(5);
    }
    assert_int_equal(helper_backend_count(&b, ""), 20); /* none was asked for twice */
    /* a connection that hangs up at the first request is not tried again, that one was seen */
    get(c, "/step?body=x", &t);
    get(c, "/step?mode=hangup", &t);
    assert_int_equal(t.answer.fate, CLIENT_BROKEN);
    assert_int_equal(helper_backend_count(&b, "hangup"), 2); /* on the old one and on the new */
    client_free(c);
    helper_backend_stop(&b);
}

static void many_at_once(void **state)
{
    const struct client_request r = {
        .method = "GET", .path = "/step?delay=0.05&body=x", .total_ms = LONG_MS};
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct tally *t = calloc(TALLIES, sizeof(*t));
    uint32_t ticket;

    (void)state;
    assert_non_null(t);
    for (size_t i = 0; i < CLIENT_WAITING_MAX; i++)
        ask(c, &r, false, &t[i]);
    assert_int_equal(client_ask(c, &r, NULL, on_answer, &t[0], &ticket), -EBUSY);
    for (size_t i = 0; i < CLIENT_WAITING_MAX; i++)
        turn_until(&t[i].answers, 1);
    for (size_t i = 0; i < CLIENT_WAITING_MAX; i++) {
        assert_int_equal(t[i].answers, 1);
        assert_int_equal(t[i].answer.fate, CLIENT_ANSWERED);
    }
    assert_int_equal(helper_backend_count(&b, "\"connection\": 4"), CLIENT_WAITING_MAX / 4);
    assert_int_equal(helper_backend_count(&b, "\"connection\": 5"), 0);
    free(t);
    client_free(c);
    helper_backend_stop(&b);
}

static void some_wait_too_long(void **state)
{
    const struct client_request slow = {
        .method = "GET", .path = "/step?mode=silent", .total_ms = 2000};
    const struct client_request r = {.method = "GET", .path = "/x", .total_ms = SHORT_MS};
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct tally t[CLIENT_CONNECTIONS_MAX + 1] = {{.answers = 0}};

    (void)state;
    for (size_t i = 0; i < CLIENT_CONNECTIONS_MAX; i++)
        ask(c, &slow, false, &t[i]);
    ask(c, &r, false, &t[CLIENT_CONNECTIONS_MAX]);
    turn_until(&t[CLIENT_CONNECTIONS_MAX].answers, 1);
    assert_int_equal(t[CLIENT_CONNECTIONS_MAX].answer.fate, CLIENT_UNSENT);
    assert_non_null(strstr(t[CLIENT_CONNECTIONS_MAX].why, "waiting for a connection"));
    assert_int_equal(t[0].answers, 0);
    client_free(c); /* the others get no callback */
    turn_ms(10);
    assert_int_equal(t[0].answers, 0);
    helper_backend_stop(&b);
}

static void forgotten(void **state)
{
    const struct client_request slow = {
        .method = "GET", .path = "/step?delay=0.2&body=x", .total_ms = LONG_MS};
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct tally t[3] = {{.answers = 0}};

    (void)state;
    ask(c, &slow, false, &t[0]);
    client_forget(c, t[0].ticket); /* before it began */
    ask(c, &slow, false, &t[1]);
    ask(c, &slow, false, &t[2]);
    turn_ms(50);
    client_forget(c, t[1].ticket); /* while it was under way */
    client_forget(c, 4711);
    turn_until(&t[2].answers, 1);
    assert_int_equal(t[0].answers + t[1].answers, 0);
    client_forget(c, t[2].ticket); /* after it was answered */
    client_free(c);
    helper_backend_stop(&b);
}

static void freed_in_its_own_callback(void **state)
{
    struct helper_backend b = started(NULL);
    const char *const PATHS[] = {"/step?body=x", "/step?mode=hangup", "/step?mode=close&body=x"};

    (void)state;
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        const struct client_request r = {.method = "GET", .path = PATHS[i], .total_ms = LONG_MS};
        struct tally t = {.free_client = true};

        ask(client_at(&b), &r, false, &t);
        turn_until(&t.answers, 1);
    }
    helper_backend_stop(&b);
}

/* ---- streams */

static void streams(void **state)
{
    struct client_request r = {
        .method = "GET", .path = "/step?mode=chunked&bytes=5000000", .total_ms = LONG_MS};
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct tally t = {.answers = 0};

    (void)state;
    ask(c, &r, true, &t); /* more than an answer may have, without a bound */
    turn_until(&t.answers, 1);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    assert_int_equal(t.heads, 1);
    assert_int_equal(t.streamed, 5000000);
    assert_int_equal(t.answer.bytes, 0);
    /* with one */
    r.body_max_bytes = 4999999;
    t = (struct tally){.answers = 0};
    ask(c, &r, true, &t);
    turn_until(&t.answers, 1);
    assert_int_equal(t.answer.fate, CLIENT_TOO_LARGE);
    /* a pause, and on */
    r.body_max_bytes = 0;
    t = (struct tally){.pause = true};
    ask(c, &r, true, &t);
    turn_until(&t.heads, 1);
    turn_ms(50);
    assert_true(t.streamed <= RESPONSE_FEED_BYTES);
    assert_int_equal(t.answers, 0);
    t.pause = false;
    client_resume(c, t.ticket);
    turn_until(&t.answers, 1);
    assert_int_equal(t.streamed, 5000000);
    /* the head is enough */
    t = (struct tally){.stop_at_head = true};
    ask(c, &r, true, &t);
    turn_until(&t.answers, 1);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    assert_int_equal(t.streamed, 0);
    client_free(c);
    helper_backend_stop(&b);
}

static void a_pause_is_no_stall(void **state)
{
    const struct client_request r = {
        .method = "GET", .path = "/step?bytes=100000", .total_ms = LONG_MS};
    struct helper_backend b = started(NULL);
    struct client *c = client_at(&b);
    struct tally t = {.pause = true};

    (void)state;
    c->stall_ms = 100;
    ask(c, &r, true, &t);
    turn_until(&t.heads, 1);
    turn_ms(300);
    assert_int_equal(t.answers, 0);
    t.pause = false;
    client_resume(c, t.ticket);
    turn_until(&t.answers, 1);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    client_free(c);
    helper_backend_stop(&b);
}

/* ---- where to */

static void unix_sockets(void **state)
{
    char path[HELPER_BACKEND_PATH + 8], url[HELPER_BACKEND_PATH + 72];
    struct helper_backend b;
    struct client *c;
    struct tally t;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/sock", folder);
    (void)snprintf(url, sizeof(url), "unix:%s:/base", path);
    b = started(STEPS("--unix", path));
    c = client_of(url, NULL, NULL);
    get(c, "/step?body=x", &t);
    assert_string_equal(t.body, "x");
    get(c, "", &t);
    assert_int_equal(helper_backend_count(&b, "\"/base\""), 1);
    client_free(c);
    helper_backend_stop(&b);
    c = client_of("unix:/nonexistent/sock", NULL, NULL);
    get(c, "/", &t);
    assert_int_equal(t.answer.fate, CLIENT_UNSENT);
    assert_non_null(strstr(t.why, "unix:/nonexistent/sock: no such file"));
    client_free(c);
}

static void nobody_there(void **state)
{
    struct client *c = client_of("http://127.0.0.1:1", NULL, NULL);
    struct tally t;

    (void)state;
    get(c, "/", &t);
    assert_int_equal(t.answer.fate, CLIENT_UNSENT);
    assert_int_equal(t.answer.status, 0);
    assert_non_null(strstr(t.why, "127.0.0.1:1: connection refused"));
    client_free(c);
}

/* Lookups are counted. A name that is no number fails at once, if a thread is free for it. */
static unsigned lookups;

static int counted(uv_loop_t *l, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb, const char *node,
                   const char *service, const struct addrinfo *hints)
{
    struct addrinfo numeric = *hints;

    lookups++;
    numeric.ai_flags |= AI_NUMERICHOST;
    if (strcmp(node, "name.example") == 0)
        node = "127.0.0.1";
    return uv_getaddrinfo(l, req, cb, node, service, &numeric);
}

/* The pool's threads, each of them kept by somebody who waits: a name server that is silent. */
static uv_sem_t gate;

static void wait_at_gate(uv_work_t *w)
{
    (void)w;
    uv_sem_wait(&gate);
}

static void names_that_hang(void **state)
{
    const struct client_request r = {.method = "GET", .path = "/x", .total_ms = SHORT_MS};
    const struct client_request patient = {.method = "GET", .path = "/x", .total_ms = LONG_MS};
    struct client *c, *leaves;
    struct tally t[5] = {{.answers = 0}};
    uv_work_t work[16];

    (void)state;
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    for (size_t i = 0; i < sizeof(work) / sizeof(work[0]); i++)
        assert_int_equal(uv_queue_work(&loop, &work[i], wait_at_gate, NULL), 0);
    lookups = 0;
    c = client_of("http://hole.example", NULL, counted);
    leaves = client_of("http://hole.example", NULL, counted);
    for (int i = 0; i < 3; i++)
        ask(c, &r, false, &t[i]);
    for (int i = 0; i < 3; i++) {
        turn_until(&t[i].answers, 1);
        assert_int_equal(t[i].answer.fate, CLIENT_UNSENT);
        assert_non_null(strstr(t[i].why, "resolving"));
    }
    ask(leaves, &r, false, &t[4]);
    turn_ms(20);
    client_free(leaves);          /* with a lookup under way */
    assert_int_equal(lookups, 2); /* one each: the three shared theirs */
    ask(c, &patient, false, &t[3]);
    turn_ms(20);
    assert_int_equal(lookups, 2); /* and it still runs */
    for (size_t i = 0; i < sizeof(work) / sizeof(work[0]); i++)
        uv_sem_post(&gate);
    turn_until(&t[3].answers, 1);
    assert_int_equal(t[3].answer.fate, CLIENT_UNSENT);
    assert_non_null(strstr(t[3].why, "hole.example"));
    t[3] = (struct tally){.answers = 0};
    ask(c, &patient, false, &t[3]); /* a failure is not kept */
    turn_until(&t[3].answers, 1);
    assert_int_equal(lookups, 3);
    assert_int_equal(t[4].answers, 0);
    client_free(c);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    uv_sem_destroy(&gate);
}

static void names_are_kept(void **state)
{
    struct helper_backend b = started(NULL);
    struct client *c;
    struct tally t;
    char url[64];

    (void)state;
    lookups = 0;
    (void)snprintf(url, sizeof(url), "http://name.example:%u", b.port);
    c = client_of(url, NULL, counted);
    for (int i = 0; i < 3; i++) {
        get(c, "/step?connection=close&body=x", &t);
        assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    }
    assert_int_equal(lookups, 1);
    helper_backend_stop(&b);
    get(c, "/x", &t); /* nobody there any more: the address may be an old one */
    assert_int_equal(t.answer.fate, CLIENT_UNSENT);
    get(c, "/x", &t);
    assert_int_equal(lookups, 2);
    client_free(c);
}

static void on_dialled(void *data, int fd)
{
    *(int *)data = fd;
}

static void the_next_address(void **state)
{
    struct helper_backend b = started(NULL);
    struct resolve_addresses to = {.count = 3};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct dial *d;
    int fd = -4711;

    (void)state;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4.sin_port = htons(1);
    memcpy(&to.at[0], &v4, sizeof(v4));
    memcpy(&to.at[1], &v4, sizeof(v4));
    v4.sin_port = htons(b.port);
    memcpy(&to.at[2], &v4, sizeof(v4));
    assert_int_equal(dial_start(&loop, &to, on_dialled, &fd, &d), 0);
    assert_int_equal(fd, -4711);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(fd >= 0);
    (void)close(fd);
    to.count = 2;
    assert_int_equal(dial_start(&loop, &to, on_dialled, &fd, &d), 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(fd, -ECONNREFUSED);
    to.count = 0;
    assert_int_equal(dial_start(&loop, &to, on_dialled, &fd, &d), 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(fd, -EHOSTUNREACH);
    helper_backend_stop(&b);
}

/* A listener with a full queue does not answer to connect(2). */
static void a_silent_address(void **state)
{
    struct helper_backend b = started(NULL);
    struct resolve_addresses to = {.count = 2};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    socklen_t bytes = sizeof(v4);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fillers[4], fd = -4711;
    struct dial *d;

    (void)state;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&v4, sizeof(v4)), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&v4, &bytes), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], (struct sockaddr *)&v4, sizeof(v4));
    }
    memcpy(&to.at[0], &v4, sizeof(v4));
    v4.sin_port = htons(b.port);
    memcpy(&to.at[1], &v4, sizeof(v4));
    assert_int_equal(dial_start(&loop, &to, on_dialled, &fd, &d), 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(fd >= 0);
    (void)close(fd);
    for (int i = 0; i < 4; i++)
        (void)close(fillers[i]);
    (void)close(listener);
    helper_backend_stop(&b);
}

/* ---- TLS */

static const char *in_folder(const char *name)
{
    static char out[8][HELPER_BACKEND_PATH + 72];
    static unsigned next;
    char *at = out[next++ % 8];

    (void)snprintf(at, sizeof(out[0]), "%s/%s", folder, name);
    return at;
}

static struct config_client_tls tls_of(const char *ca, const char *name)
{
    struct config_client_tls tls = {.ca = ""};

    (void)snprintf(tls.ca, sizeof(tls.ca), "%s", in_folder(ca));
    (void)snprintf(tls.server_name, sizeof(tls.server_name), "%s", name);
    return tls;
}

/* One request to a server with this certificate: fate and a word of why. */
static void tls_ends(const char *certificate, const char *host, const struct config_client_tls *tls,
                     bool tls12, enum client_fate fate, const char *word)
{
    char crt[64], key[64], url[96];
    struct helper_backend b;
    struct client *c;
    struct tally t;

    (void)snprintf(crt, sizeof(crt), "%s.crt", certificate);
    (void)snprintf(key, sizeof(key), "%s.key", certificate);
    b = started(STEPS("--tls", in_folder(crt), in_folder(key), tls12 ? "--tls12" : NULL));
    (void)snprintf(url, sizeof(url), "https://%s:%u", host, b.port);
    c = client_of(url, tls, NULL);
    get(c, "/step?mode=chunked&bytes=100000", &t);
    if (t.answer.fate != fate || !strstr(t.why, word))
        fail_msg("%s at %s: fate %d, \"%s\"", certificate, host, t.answer.fate, t.why);
    assert_int_equal(helper_backend_count(&b, ""), fate == CLIENT_ANSWERED ? 1 : 0);
    if (fate == CLIENT_ANSWERED)
        assert_int_equal(t.answer.bytes, 100000);
    client_free(c);
    helper_backend_stop(&b);
}

static void certificates(void **state)
{
    struct config_client_tls ours, other, named, wrong;

    (void)state;
    if (!has_openssl)
        skip();
    ours = tls_of("ca.crt", "");
    other = tls_of("other-ca.crt", "");
    named = tls_of("ca.crt", "backend.example");
    wrong = tls_of("ca.crt", "wrong.example");
    for (int tls12 = 0; tls12 < 2; tls12++) {
        tls_ends("good", "localhost", &ours, tls12, CLIENT_ANSWERED, "");
        tls_ends("good", "127.0.0.1", &ours, tls12, CLIENT_ANSWERED, "");
        tls_ends("good", "127.0.0.1", &named, tls12, CLIENT_ANSWERED, "");
        tls_ends("good", "127.0.0.1", &wrong, tls12, CLIENT_UNSENT,
                 "certificate of wrong.example is not for that name");
        tls_ends("name", "localhost", &ours, tls12, CLIENT_UNSENT,
                 "certificate of localhost is not for that name");
        tls_ends("old", "localhost", &ours, tls12, CLIENT_UNSENT,
                 "certificate of localhost has expired");
        tls_ends("good", "localhost", &other, tls12, CLIENT_UNSENT,
                 "certificate of localhost is not from a CA that is trusted here");
        /* the system's CAs do not know it either */
        tls_ends("good", "localhost", NULL, tls12, CLIENT_UNSENT, "CA");
    }
}

static void our_certificate(void **state)
{
    struct config_client_tls tls;
    struct helper_backend b;
    struct client *c;
    struct tally t;
    char url[64];

    (void)state;
    if (!has_openssl)
        skip();
    tls = tls_of("ca.crt", "");
    b = started(STEPS("--tls", in_folder("good.crt"), in_folder("good.key"), "--client-ca",
                      in_folder("ca.crt")));
    (void)snprintf(url, sizeof(url), "https://localhost:%u", b.port);
    c = client_of(url, &tls, NULL);
    get(c, "/step?body=x", &t); /* TLS 1.3: it learns that only when it reads */
    assert_int_not_equal(t.answer.fate, CLIENT_ANSWERED);
    client_free(c);
    (void)snprintf(tls.certificate, sizeof(tls.certificate), "%s", in_folder("client.crt"));
    (void)snprintf(tls.key, sizeof(tls.key), "%s", in_folder("client.key"));
    c = client_of(url, &tls, NULL);
    get(c, "/step?body=x", &t);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    /* kept, with TLS and its tickets */
    get(c, "/step?body=x", &t);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    assert_int_equal(helper_backend_count(&b, ""), 2);
    assert_int_equal(client_reload(c, NULL), 0);
    get(c, "/step?connection=close", &t);
    get(c, "/step?body=x", &t);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    client_free(c);
    helper_backend_stop(&b);
}

static void bad_tls_files(void **state)
{
    struct client_want want = {.tls = NULL};
    struct config_client_tls tls = {.ca = "/nonexistent/ca.crt"};
    struct client *c;
    struct err e = {0};

    (void)state;
    assert_int_equal(client_url_parse("https://a", &want.url, NULL), 0);
    want.tls = &tls;
    assert_int_equal(client_new(&loop, &want, &c, &e), -ENOENT);
    assert_non_null(strstr(e.text, "/nonexistent/ca.crt"));
    (void)snprintf(tls.ca, sizeof(tls.ca), "/dev/null");
    assert_int_not_equal(client_new(&loop, &want, &c, &e), 0);
    (void)snprintf(tls.ca, sizeof(tls.ca), "/bin/true");
    assert_int_not_equal(client_new(&loop, &want, &c, &e), 0);
    if (!has_openssl)
        return;
    tls = tls_of("ca.crt", "");
    (void)snprintf(tls.certificate, sizeof(tls.certificate), "%s", in_folder("client.crt"));
    (void)snprintf(tls.key, sizeof(tls.key), "%s", in_folder("good.key"));
    assert_int_not_equal(client_new(&loop, &want, &c, &e), 0);
    assert_non_null(strstr(e.text, "is not the key"));
}

static void no_tls_there(void **state)
{
    struct helper_backend plain = started(NULL);
    struct helper_backend mute = started(STEPS("--mute"));
    struct config_client_tls tls;
    struct client *c;
    struct tally t;
    char url[64];

    (void)state;
    if (!has_openssl)
        skip();
    tls = tls_of("ca.crt", "");
    (void)snprintf(url, sizeof(url), "https://localhost:%u", plain.port);
    c = client_of(url, &tls, NULL);
    get(c, "/", &t);
    assert_int_equal(t.answer.fate, CLIENT_UNSENT);
    client_free(c);
    (void)snprintf(url, sizeof(url), "https://localhost:%u", mute.port);
    c = client_of(url, &tls, NULL);
    c->connect_ms = SHORT_MS;
    get(c, "/", &t);
    assert_int_equal(t.answer.fate, CLIENT_UNSENT);
    assert_non_null(strstr(t.why, "TLS handshake"));
    client_free(c);
    helper_backend_stop(&plain);
    helper_backend_stop(&mute);
}

/* ---- proxies */

static void proxies(void **state)
{
    struct helper_backend proxy = started(STEPS("--proxy", "--proxy-auth", "me:pa ss"));
    struct config_client_tls tls;
    struct helper_backend b;
    char variable[96], plain[96], url[96];
    struct client *c;
    struct tally t;

    (void)state;
    (void)snprintf(variable, sizeof(variable), "https_proxy=http://me:pa%%20ss@127.0.0.1:%u",
                   proxy.port);
    (void)snprintf(plain, sizeof(plain), "http_proxy=http://127.0.0.1:%u", proxy.port);
    environment = STEPS(variable, plain);
    /* without credentials; then plain, absolute */
    c = client_of("http://backend.example:81", NULL, NULL);
    get(c, "/x", &t);
    assert_int_equal(t.answer.fate, CLIENT_ANSWERED);
    assert_int_equal(t.answer.status, 407);
    client_free(c);
    (void)snprintf(plain, sizeof(plain), "http_proxy=http://me:pa%%20ss@127.0.0.1:%u", proxy.port);
    c = client_of("http://backend.example:81", NULL, NULL);
    get(c, "/step?body=x", &t);
    assert_int_equal(t.answer.status, 200);
    assert_int_equal(helper_backend_count(&proxy, "http://backend.example:81/step"), 1);
    client_free(c);
    if (!has_openssl)
        skip();
    tls = tls_of("ca.crt", "");
    b = started(STEPS("--tls", in_folder("good.crt"), in_folder("good.key")));
    (void)snprintf(url, sizeof(url), "https://backend.example:%u", b.port);
    c = client_of(url, &tls, NULL);
    get(c, "/step?body=x", &t);
    if (t.answer.fate != CLIENT_ANSWERED)
        fail_msg("%s", t.why);
    assert_int_equal(helper_backend_count(&proxy, "CONNECT"), 1);
    assert_int_equal(helper_backend_count(&b, "roxy-"), 0); /* its credentials stay with it */
    client_free(c);
    (void)snprintf(variable, sizeof(variable), "https_proxy=http://127.0.0.1:%u", proxy.port);
    c = client_of(url, &tls, NULL);
    get(c, "/", &t);
    assert_int_equal(t.answer.fate, CLIENT_UNSENT);
    assert_non_null(strstr(t.why, "407"));
    client_free(c);
    helper_backend_stop(&b);
    helper_backend_stop(&proxy);
}

static void bad_asks(void **state)
{
    struct client *c = client_of("http://127.0.0.1:1", NULL, NULL);
    struct client_request r = {.method = "GET", .path = "/"};
    uint32_t ticket = 0;

    (void)state;
    assert_int_equal(client_ask(c, &r, NULL, on_answer, NULL, &ticket), -EINVAL); /* total_ms */
    r.total_ms = 1;
    r.headers[0] = (struct client_header){"A", "b\r\nC: d"};
    r.headers_count = 1;
    assert_int_equal(client_ask(c, &r, NULL, on_answer, NULL, &ticket), -EINVAL);
    r.headers_count = 0;
    r.body = "";
    r.body_owned = true;
    r.bytes = CLIENT_REQUEST_BODY_MAX_BYTES + 1;
    assert_int_equal(client_ask(c, &r, NULL, on_answer, NULL, &ticket), -EINVAL);
    assert_int_equal(ticket, 0);
    client_free(c);
    client_free(NULL);
}

static int make_folder(void **state)
{
    (void)state;
    helper_backend_folder(folder);
    has_openssl = helper_backend_certificates(folder) == 0;
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    helper_backend_remove(folder);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers),
        TEST(head_has_no_body),
        TEST(waits_are_told),
        TEST(large_bodies_go_out),
        TEST(broken_answers),
        TEST(answer_limits),
        TEST(overdue),
        TEST(stalled),
        TEST(answered_early),
        TEST(smuggling),
        TEST(connections_are_kept),
        TEST(a_connection_that_was_closed),
        TEST(many_at_once),
        TEST(some_wait_too_long),
        TEST(forgotten),
        TEST(freed_in_its_own_callback),
        TEST(streams),
        TEST(a_pause_is_no_stall),
        TEST(unix_sockets),
        TEST(nobody_there),
        TEST(names_that_hang),
        TEST(names_are_kept),
        TEST(the_next_address),
        TEST(a_silent_address),
        TEST(certificates),
        TEST(our_certificate),
        TEST(bad_tls_files),
        TEST(no_tls_there),
        TEST(proxies),
        TEST(bad_asks),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
