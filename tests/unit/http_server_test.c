/*
 * The server as its clients meet it: in a child process, over plain TCP, TLS and a unix socket,
 * with good clients, slow ones, silent ones and such that leave. Every test ends with the child's
 * exit status, which is the sanitizers' verdict on its memory.
 * long: 40 s
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "sidecar/http/listen.h"
#include "sidecar/http/server.h"
#include "tests/unit/helper_http.h"

#define HOST "Host: localhost\r\n"
#define GOOD "X-Pprof-Token: good\r\n"

enum {
    GONE_MS = 1000, /* the promise: a client that leaves ends its session within a second */
    LONG_MS = 20000,
};

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int connected(int port)
{
    int fd = helper_http_connect(port);

    assert_true(fd >= 0);
    return fd;
}

/* Does the server close it, without a byte, within this time? */
static bool closes(int fd, int timeout_ms)
{
    char out[256];

    return helper_http_read(fd, out, sizeof(out), timeout_ms) == 0;
}

static void test_plain(void **state)
{
    struct helper_http h;
    char out[2048];
    int fd;

    (void)state;
    helper_http_start(&h, NULL);
    fd = connected(h.plain_port);
    for (int i = 0; i < 3; i++) { /* one connection */
        send_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
        assert_int_equal(helper_http_answer(fd, out, sizeof(out), LONG_MS), 200);
        assert_non_null(strstr(out, "\r\n\r\nhello\n"));
        assert_non_null(strstr(out, "X-Content-Type-Options: nosniff\r\n"));
        assert_non_null(strstr(out, "Cache-Control: no-store\r\n"));
        assert_non_null(strstr(out, "Referrer-Policy: no-referrer\r\n"));
        assert_non_null(strstr(out, "default-src 'none'; frame-ancestors 'none'\r\n"));
        assert_non_null(strstr(out, "X-Request-Id: "));
        assert_null(strstr(out, "Connection: close"));
    }
    /* HEAD: the length, no body, and the connection goes on */
    send_text(fd, "HEAD /hello HTTP/1.1\r\n" HOST "\r\nGET");
    (void)usleep(1000);
    send_text(fd, "");
    assert_true(helper_http_read(fd, out, sizeof(out), LONG_MS) > 0);
    assert_non_null(strstr(out, "Content-Length: 6\r\n"));
    assert_null(strstr(out, "hello"));
    assert_true(helper_http_event(&h, "done 200 6 /hello", LONG_MS));
    assert_true(helper_http_event(&h, "done 200 0 /hello", LONG_MS));
    (void)close(fd);
    assert_int_equal(helper_http_ask(h.plain_port,
                                     "POST /echo HTTP/1.1\r\n" HOST
                                     "Content-Length: 4\r\n\r\nab\r\n",
                                     out, sizeof(out)),
                     200);
    assert_non_null(strstr(out, "\r\n\r\nab\r\n"));
    assert_int_equal(helper_http_ask(h.plain_port,
                                     "GET /nope HTTP/1.1\r\n" HOST "X-Request-Id: my-1\r\n\r\n",
                                     out, sizeof(out)),
                     404);
    assert_non_null(strstr(out, "X-Go-Pprof: 1\r\n"));
    assert_non_null(strstr(out, "Content-Type: text/plain; charset=utf-8\r\n"));
    assert_non_null(strstr(out, "X-Request-Id: my-1\r\n"));
    assert_non_null(strstr(out, "\r\n\r\nno such path\n"));
    assert_int_equal(
        helper_http_ask(h.plain_port, "GET /csp HTTP/1.1\r\n" HOST "\r\n", out, sizeof(out)), 200);
    assert_non_null(strstr(out, "Content-Security-Policy: default-src 'self'\r\n"));
    assert_null(strstr(out, "default-src 'none'"));
    assert_null(strstr(out, "X-Split"));
    assert_int_equal(helper_http_stop(&h), 0);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *request;
        int status;
    } TABLE[] = {
        {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
        {"GET / HTTP/1.1\r\nHost: pillion.example:1\r\n\r\n", 421},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Origin: https://evil.example\r\n\r\n", 403},
        {"GET / HTTP/1.1\r\n" HOST "Sec-Fetch-Site: cross-site\r\n\r\n", 403},
        {"GET / HTTP/2.0\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 4097\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost: extra.example:99\r\n\r\n", 200},
    };
    static const struct helper_http_options OPTIONS = {.host = "extra.example:99"};
    struct helper_http h;
    char out[2048];

    (void)state;
    helper_http_start(&h, &OPTIONS);
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        int fd = connected(h.plain_port);

        send_text(fd, TABLE[i].request);
        if (helper_http_answer(fd, out, sizeof(out), LONG_MS) != TABLE[i].status)
            fail_msg("%s: %s", TABLE[i].request, out);
        if (TABLE[i].status != 200) {
            assert_non_null(strstr(out, "X-Go-Pprof: 1\r\n"));
            assert_non_null(strstr(out, "Connection: close\r\n"));
            assert_true(closes(fd, LONG_MS));
        }
        (void)close(fd);
    }
    assert_true(helper_http_event(&h, "done 421", LONG_MS));
    assert_true(helper_http_event(&h, "done 413", LONG_MS));
    assert_int_equal(helper_http_stat(&h, "bad_requests "), 9);
    assert_int_equal(helper_http_stop(&h), 0);
}

/* The answer must arrive although the client goes on sending what nobody reads: no reset. */
static void test_lingering(void **state)
{
    static char junk[100000];
    struct helper_http h;
    char out[2048];

    (void)state;
    memset(junk, 'a', sizeof(junk));
    helper_http_start(&h, NULL);
    for (int i = 0; i < 10; i++) {
        int fd = connected(h.plain_port);

        send_text(fd, "GET / HTTP/1.1\r\n" HOST "X: ");
        (void)!send(fd, junk, sizeof(junk), MSG_NOSIGNAL);
        assert_int_equal(helper_http_answer(fd, out, sizeof(out), LONG_MS), 431);
        assert_true(closes(fd, LONG_MS));
        (void)close(fd);
    }
    assert_int_equal(helper_http_stop(&h), 0);
}

static void test_no_pipelining(void **state)
{
    struct helper_http h;
    char out[4096];
    int fd;

    (void)state;
    helper_http_start(&h, NULL);
    fd = connected(h.plain_port);
    send_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\nGET /nope HTTP/1.1\r\n" HOST "\r\n");
    assert_true(helper_http_read(fd, out, sizeof(out), LONG_MS) > 0);
    assert_non_null(strstr(out, "200 OK"));
    assert_non_null(strstr(out, "Connection: close"));
    assert_null(strstr(out, "HTTP/1.1 404"));
    (void)close(fd);
    assert_int_equal(helper_http_stop(&h), 0);
}

static void test_tls(void **state)
{
    struct helper_http h;
    struct helper_tls *t;
    char out[2048];
    ssize_t n;

    (void)state;
    helper_http_start(&h, NULL);
    t = helper_tls_connect(h.tls_port, "http/1.1");
    assert_non_null(t);
    assert_string_equal(helper_tls_version(t), "TLSv1.3");
    for (int i = 0; i < 3; i++) {
        size_t got = 0;

        assert_true(helper_tls_write(t, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
        while (got + 1 < sizeof(out) && (n = helper_tls_read(t, out + got, 1)) == 1) {
            out[++got] = '\0';
            if (strstr(out, "\r\n\r\nhello\n"))
                break;
        }
        assert_non_null(strstr(out, "HTTP/1.1 200 OK\r\n"));
    }
    assert_true(helper_tls_write(t, "GET /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    while ((n = helper_tls_read(t, out, sizeof(out))) > 0)
        ;
    assert_int_equal(n, 0); /* close_notify, not a cut */
    helper_tls_close(t, true);
    assert_null(helper_tls_connect(h.tls_port, "h2"));
    t = helper_tls_connect(h.tls_port, NULL); /* no ALPN at all is fine */
    assert_non_null(t);
    helper_tls_close(t, false);
    assert_int_equal(helper_http_stat(&h, "handshakes "), 2);
    assert_int_equal(helper_http_stat(&h, "threads "), 1); /* seccomp will allow no more */
    assert_int_equal(helper_http_stat(&h, "handshakes_failed "), 1);
    assert_int_equal(helper_http_stop(&h), 0);
}

static void test_bad_handshakes(void **state)
{
    static const char HELLO[] = "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03";
    struct helper_http h;
    struct helper_tls *t;
    char out[2048];
    int fd;

    (void)state;
    helper_http_start(&h, NULL);
    fd = connected(h.tls_port); /* HTTP to the HTTPS port: told so, in HTTP */
    send_text(fd, "GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(helper_http_answer(fd, out, sizeof(out), LONG_MS), 400);
    assert_non_null(strstr(out, "https://"));
    (void)close(fd);
    fd = connected(h.tls_port); /* a broken hello gets an alert (21) or an end, soon */
    assert_int_equal(send(fd, HELLO, sizeof(HELLO) - 1, MSG_NOSIGNAL), sizeof(HELLO) - 1);
    assert_true(helper_http_read(fd, out, sizeof(out), LONG_MS) >= 0);
    (void)close(fd);
    fd = connected(h.tls_port);
    send_text(fd, "\x80 no TLS at all");
    assert_true(helper_http_read(fd, out, sizeof(out), LONG_MS) >= 0);
    (void)close(fd);
    fd = connected(h.tls_port); /* gone in the middle */
    assert_int_equal(send(fd, HELLO, 3, MSG_NOSIGNAL), 3);
    (void)close(fd);
    t = helper_tls_connect(h.tls_port, NULL);
    assert_non_null(t);
    helper_tls_close(t, true);
    assert_true(helper_http_stat(&h, "handshakes_failed ") >= 2);
    assert_int_equal(helper_http_stop(&h), 0);
}

static bool is_pattern(const unsigned char *data, size_t bytes, uint64_t from)
{
    for (size_t i = 0; i < bytes; i++) {
        if (data[i] != helper_http_pattern(from + i))
            return false;
    }
    return true;
}

/* 8 MB arrive as they were, by TLS and without, from a buffer and from a rope. */
static void test_big(void **state)
{
    static unsigned char out[65536];
    struct helper_http h;

    (void)state;
    helper_http_start(&h, NULL);
    for (int round = 0; round < 4; round++) {
        bool with_tls = round & 1;
        struct helper_tls *t = with_tls ? helper_tls_connect(h.tls_port, NULL) : NULL;
        int fd = with_tls ? -1 : connected(h.plain_port);
        uint64_t at = 0;
        ssize_t n;
        unsigned char *body = NULL;
        const char *ask =
            round < 2 ? "GET /big?bytes=8388608 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
                      : "GET /rope?bytes=8388608 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";

        assert_true(!with_tls || t);
        if (t)
            assert_true(helper_tls_write(t, ask));
        else
            send_text(fd, ask);
        while ((n = t ? helper_tls_read(t, out, sizeof(out)) : recv(fd, out, sizeof(out), 0)) > 0) {
            unsigned char *from = out;

            if (!body) { /* the head comes in one piece: it is far smaller than a window */
                body = memmem(out, (size_t)n, "\r\n\r\n", 4);
                assert_non_null(body);
                from = body + 4;
            }
            n -= from - out;
            assert_true(is_pattern(from, (size_t)n, at));
            at += (uint64_t)n;
        }
        assert_int_equal(n, 0);
        assert_int_equal(at, 8388608);
        assert_true(helper_http_event(
            &h, round < 2 ? "done 200 8388608 /big" : "done 200 8388608 /rope", LONG_MS));
        if (t)
            helper_tls_close(t, true);
        (void)close(fd);
    }
    assert_int_equal(helper_http_stop(&h), 0);
}

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    (void)close(fd);
}

/* A request that waits, and then its client leaves in one of many ways. */
static void test_client_leaves(void **state)
{
    static const char ASK[] = "GET /wait HTTP/1.1\r\n" HOST "\r\n";
    struct helper_http h;
    struct helper_tls *t;

    (void)state;
    helper_http_start(&h, NULL);
    for (int how = 0; how < 3; how++) {
        int fd = connected(h.plain_port);

        send_text(fd, ASK);
        assert_false(helper_http_event(&h, "gone", 200));
        if (how == 0)
            (void)close(fd);
        else if (how == 1)
            reset(fd);
        else
            (void)shutdown(fd, SHUT_WR);
        assert_true(helper_http_event(&h, "gone /wait", GONE_MS));
        if (how == 2)
            (void)close(fd);
    }
    for (int notify = 0; notify < 2; notify++) {
        t = helper_tls_connect(h.tls_port, NULL);
        assert_non_null(t);
        assert_true(helper_tls_write(t, ASK));
        assert_false(helper_http_event(&h, "gone", 200));
        helper_tls_close(t, notify);
        assert_true(helper_http_event(&h, "gone /wait", GONE_MS));
    }
    /* without on_gone the handler answers into the void, and that is counted as an answer */
    int fd = connected(h.plain_port);

    send_text(fd, "GET /deaf?ms=300 HTTP/1.1\r\n" HOST "\r\n");
    (void)usleep(50000);
    (void)close(fd);
    fd = connected(h.plain_port); /* may well get the same descriptor in the server */
    send_text(fd, "GET /late?ms=600 HTTP/1.1\r\n" HOST "\r\n");
    assert_true(helper_http_event(&h, "done 200 0 /deaf", LONG_MS));
    assert_true(helper_http_event(&h, "done 200 5 /late", LONG_MS));
    (void)close(fd);
    assert_int_equal(helper_http_stop(&h), 0);
}

/* Requests still held when the server ends: their handlers are told, nothing leaks. */
static void test_end_with_requests(void **state)
{
    struct helper_http h;
    int fd[3];

    (void)state;
    helper_http_start(&h, NULL);
    for (int i = 0; i < 3; i++) {
        fd[i] = connected(h.plain_port);
        send_text(fd[i], i == 0   ? "GET /wait HTTP/1.1\r\n" HOST "\r\n"
                         : i == 1 ? "GET /deaf?ms=60000 HTTP/1.1\r\n" HOST "\r\n"
                                  : "GET /big?bytes=20000000 HTTP/1.1\r\n" HOST "\r\n");
    }
    (void)usleep(200000);
    (void)close(fd[1]);
    (void)usleep(50000);
    assert_int_equal(helper_http_stop(&h), 0);
    (void)close(fd[0]);
    (void)close(fd[2]);
}

static void test_bytes_while_waiting(void **state)
{
    static char junk[16384 + 1];
    struct helper_http h;
    char out[2048];
    int fd;

    (void)state;
    memset(junk, 'j', sizeof(junk));
    helper_http_start(&h, NULL);
    fd = connected(h.plain_port);
    send_text(fd, "GET /late?ms=500 HTTP/1.1\r\n" HOST "\r\n");
    (void)usleep(50000);
    assert_int_equal(send(fd, junk, 16384, MSG_NOSIGNAL), 16384); /* at the bound */
    assert_int_equal(helper_http_answer(fd, out, sizeof(out), LONG_MS), 200);
    assert_non_null(strstr(out, "Connection: close"));
    assert_true(closes(fd, LONG_MS));
    (void)close(fd);
    fd = connected(h.plain_port);
    send_text(fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    (void)usleep(50000);
    assert_int_equal(send(fd, junk, sizeof(junk), MSG_NOSIGNAL), sizeof(junk)); /* one above */
    assert_true(helper_http_event(&h, "gone /wait", LONG_MS));
    (void)close(fd);
    assert_int_equal(helper_http_stop(&h), 0);
}

/* A good TLS client: fresh connection, one request, right answer. */
static void good_client(const struct helper_http *h)
{
    struct helper_tls *t = helper_tls_connect(h->tls_port, NULL);
    char out[2048] = "";

    assert_non_null(t);
    assert_true(helper_tls_write(t, "GET /hello HTTP/1.1\r\n" HOST GOOD "\r\n"));
    assert_true(helper_tls_read(t, out, sizeof(out) - 1) > 0);
    assert_non_null(strstr(out, "HTTP/1.1 200 OK"));
    helper_tls_close(t, true);
}

/* Until the server has taken them all from the kernel's queue. */
static void wait_accepted(const struct helper_http *h, long count)
{
    for (int i = 0; i < 100 && helper_http_stat(h, "accepted ") < count; i++)
        (void)usleep(50000);
}

/* The caps as configured by default, all attackers at the good client's address. */
static void test_silent_and_slow(void **state)
{
    static const struct helper_http_options OPTIONS = {.connections = 64, .per_address = 8};
    struct helper_http h;
    int fd[256];

    (void)state;
    helper_http_start(&h, &OPTIONS);
    for (int i = 0; i < 256; i++)
        fd[i] = connected(i % 2 ? h.tls_port : h.plain_port);
    wait_accepted(&h, 256);
    for (int i = 0; i < 5; i++)
        good_client(&h);
    assert_true(helper_http_stat(&h, "connections ") <= 8);
    for (int i = 0; i < 256; i++)
        (void)close(fd[i]);
    for (int i = 0; i < 100; i++) { /* slow heads */
        fd[i] = connected(h.plain_port);
        send_text(fd[i], "GET /hello HTTP/1.1\r\nHo");
    }
    wait_accepted(&h, 256 + 5 + 100);
    for (int i = 0; i < 5; i++)
        good_client(&h);
    for (int i = 0; i < 100; i++)
        (void)close(fd[i]);
    assert_int_equal(helper_http_stop(&h), 0);
}

/* The same with many per address: then the pre-auth cap does it, and credentials protect. */
static void test_preauth_cap(void **state)
{
    static const struct helper_http_options OPTIONS = {.connections = 64, .per_address = 1000};
    struct helper_http h;
    struct helper_tls *t;
    char out[2048] = "";
    int fd[256];

    (void)state;
    helper_http_start(&h, &OPTIONS);
    t = helper_tls_connect(h.tls_port, NULL);
    assert_non_null(t);
    assert_true(helper_tls_write(t, "GET /hello HTTP/1.1\r\n" HOST GOOD "\r\n"));
    assert_true(helper_tls_read(t, out, sizeof(out) - 1) > 0);
    for (int i = 0; i < 256; i++)
        fd[i] = connected(i % 2 ? h.tls_port : h.plain_port);
    wait_accepted(&h, 257);
    good_client(&h);
    assert_true(helper_http_stat(&h, "preauth ") <= SERVER_PREAUTH_MAX);
    /* the connection that has shown its token is still there */
    assert_true(helper_tls_write(t, "GET /late?ms=10 HTTP/1.1\r\n" HOST "\r\n"));
    while (!strstr(out, "late"))
        assert_true(helper_tls_read(t, out, sizeof(out) - 1) > 0);
    helper_tls_close(t, true);
    for (int i = 0; i < 256; i++)
        (void)close(fd[i]);
    assert_int_equal(helper_http_stop(&h), 0);
}

static void test_busy_are_not_evicted(void **state)
{
    static const struct helper_http_options OPTIONS = {.connections = 4, .per_address = 1000};
    struct helper_http h;
    char out[2048];
    int fd[4], late;

    (void)state;
    helper_http_start(&h, &OPTIONS);
    for (int i = 0; i < 4; i++) {
        fd[i] = connected(h.plain_port);
        send_text(fd[i], i == 0 ? "GET /late?ms=1500 HTTP/1.1\r\n" HOST GOOD "\r\n"
                                : "GET /wait HTTP/1.1\r\n" HOST GOOD "\r\n");
        (void)usleep(50000);
    }
    late = connected(h.plain_port);
    assert_true(helper_http_read(late, out, sizeof(out), LONG_MS) <= 0); /* refused: closed */
    (void)close(late);
    assert_int_equal(helper_http_answer(fd[0], out, sizeof(out), LONG_MS), 200);
    /* now that one is idle: it has to make room */
    assert_int_equal(helper_http_stat(&h, "refused "), 1);
    assert_true(closes(fd[0], LONG_MS));
    for (int i = 0; i < 4; i++)
        (void)close(fd[i]);
    assert_int_equal(helper_http_stop(&h), 0);
}

/* 100 readers that do not read a shared 4 MB: a window each, not a copy each. */
static void test_slow_readers(void **state)
{
    static const char ASK[] = "GET /big?bytes=4194304 HTTP/1.1\r\n" HOST GOOD "\r\n";
    struct helper_http h;
    struct helper_tls *t[100];
    uint64_t began = clock_mono_ns();
    int fd[100];
    long before, after;

    (void)state;
    helper_http_start(&h, NULL);
    assert_true(helper_http_stat(&h, "rss_kb ") > 0);
    fd[0] = connected(h.plain_port);
    send_text(fd[0], ASK);
    before = helper_http_stat(&h, "rss_kb ");
    for (int i = 1; i < 100; i++) {
        fd[i] = connected(h.plain_port);
        send_text(fd[i], ASK);
    }
    for (int i = 0; i < 100; i++) {
        t[i] = helper_tls_connect(h.tls_port, NULL);
        assert_non_null(t[i]);
        assert_true(helper_tls_write(t[i], ASK));
    }
    (void)usleep(300000);
    after = helper_http_stat(&h, "rss_kb ");
    /* on a machine that is too busy the first have stalled for too long before the last came */
    if (clock_mono_ns() - began < SERVER_NO_PROGRESS_MS / 2 * UINT64_C(1000000))
        assert_int_equal(helper_http_stat(&h, "connections "), 201);
    /* 200 copies would be 800 MB; the windows are in the kernel, TLS takes 35 KB each (and the
     * sanitizer keeps what the handshakes have freed) */
    assert_in_range(after - before, 0, 96 * 1024);
    for (int i = 0; i < 100; i++) {
        (void)close(fd[i]);
        helper_tls_close(t[i], false);
    }
    assert_int_equal(helper_http_stop(&h), 0);
}

/* The clocks, all at once: what is silent is closed, what has begun is told 408. */
static void test_timeouts(void **state)
{
    struct helper_http h;
    uint64_t began = clock_mono_ns();
    struct helper_tls *shaken;
    char out[2048];
    int silent, silent_tls, head, body, hello, stalled;

    (void)state;
    helper_http_start(&h, NULL);
    stalled = connected(h.plain_port); /* asks for much and reads nothing */
    send_text(stalled, "GET /big?bytes=33554432 HTTP/1.1\r\n" HOST GOOD "\r\n");
    silent = connected(h.plain_port);
    silent_tls = connected(h.tls_port);
    hello = connected(h.tls_port);
    send_text(hello, "\x16\x03");
    head = connected(h.plain_port);
    send_text(head, "GET / HTTP/1.1\r\n");
    body = connected(h.plain_port);
    send_text(body, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc");
    shaken = helper_tls_connect(h.tls_port, NULL);
    assert_non_null(shaken);
    for (int i = 0; i < 6; i++) { /* a trickle does not help */
        (void)sleep(1);
        send_text(head, "X: y\r\n");
        send_text(body, "d");
    }
    assert_int_equal(helper_http_answer(head, out, sizeof(out), LONG_MS), 408);
    assert_non_null(strstr(out, "Connection: close"));
    assert_int_equal(helper_http_answer(body, out, sizeof(out), LONG_MS), 408);
    assert_true(closes(silent, LONG_MS));
    assert_true(closes(silent_tls, LONG_MS));
    assert_true(closes(hello, LONG_MS));
    assert_true(helper_tls_read(shaken, out, sizeof(out)) <= 0);
    assert_in_range(clock_mono_ns() - began, 9 * CLOCK_NS_PER_SEC, 25 * CLOCK_NS_PER_SEC);
    assert_int_equal(helper_http_stat(&h, "timeouts "), 6);
    assert_true(helper_http_event(&h, " /big", 2 * SERVER_NO_PROGRESS_MS));
    assert_in_range(clock_mono_ns() - began, 29 * CLOCK_NS_PER_SEC, 60 * CLOCK_NS_PER_SEC);
    assert_int_equal(helper_http_stat(&h, "timeouts "), 7);
    (void)close(stalled);
    (void)close(silent);
    (void)close(silent_tls);
    (void)close(hello);
    (void)close(head);
    (void)close(body);
    helper_tls_close(shaken, false);
    assert_int_equal(helper_http_stop(&h), 0);
}

static void test_drain(void **state)
{
    struct helper_http h;
    char out[2048];
    int idle, busy;

    (void)state;
    helper_http_start(&h, NULL);
    idle = connected(h.plain_port);
    send_text(idle, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(helper_http_answer(idle, out, sizeof(out), LONG_MS), 200);
    busy = connected(h.plain_port);
    send_text(busy, "GET /late?ms=500 HTTP/1.1\r\n" HOST "\r\n");
    (void)usleep(50000);
    assert_int_equal(
        helper_http_ask(h.plain_port, "GET /drain HTTP/1.1\r\n" HOST "\r\n", out, sizeof(out)),
        200);
    assert_non_null(strstr(out, "Connection: close"));
    assert_true(closes(idle, LONG_MS));
    assert_int_equal(helper_http_connect(h.plain_port), -1);
    assert_int_equal(helper_http_answer(busy, out, sizeof(out), LONG_MS), 200);
    assert_non_null(strstr(out, "Connection: close"));
    (void)close(idle);
    (void)close(busy);
    assert_int_equal(helper_http_stop(&h), 0);
}

static int ask_unix(const char *path, char *out, size_t bytes)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int status;

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    send_text(fd, "GET /stat HTTP/1.1\r\nHost: localhost:1\r\n\r\n");
    status = helper_http_answer(fd, out, bytes, LONG_MS);
    (void)close(fd);
    return status;
}

static void test_unix(void **state)
{
    struct helper_http h;
    char out[2048], want[64];
    struct stat st;

    (void)state;
    helper_http_start(&h, NULL);
    assert_int_equal(stat(h.unix_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(ask_unix(h.unix_path, out, sizeof(out)), 200);
    (void)snprintf(want, sizeof(want), "peer unix:pid %d uid %u", (int)getpid(), getuid());
    assert_non_null(strstr(out, want));
    assert_non_null(strstr(out, "listener 3\n"));
    assert_int_equal(helper_http_stop(&h), 0);
}

static void test_unix_files(void **state)
{
    struct config_address a = {.is_unix = true};
    struct listen one, two;
    struct err e;
    struct stat st;
    FILE *f;

    (void)state;
    (void)snprintf(a.host, sizeof(a.host), "/tmp/http-listen-%d.sock", (int)getpid());
    assert_int_equal(listen_open(&one, &a, &e), 0);
    assert_int_equal(listen_open(&two, &a, &e), -EADDRINUSE); /* somebody listens */
    (void)close(one.fd);                                      /* as if it had been killed */
    one.fd = -1;
    assert_int_equal(stat(a.host, &st), 0);
    assert_int_equal(listen_open(&two, &a, &e), 0);
    listen_close(&two);
    assert_int_equal(stat(a.host, &st), 0); /* it stays: a confined process may not unlink(2) */
    assert_int_equal(unlink(a.host), 0);
    f = fopen(a.host, "w");
    assert_non_null(f);
    (void)fclose(f);
    assert_int_equal(listen_open(&two, &a, &e), -EEXIST);
    assert_int_equal(unlink(a.host), 0);
    memset(a.host, 'x', 108);
    a.host[0] = '/';
    a.host[108] = '\0';
    assert_int_equal(listen_open(&two, &a, &e), -ENAMETOOLONG);
    memcpy(a.host, "relative", 9);
    assert_int_equal(listen_open(&two, &a, &e), -EINVAL);
}

static void test_listen_errors(void **state)
{
    struct config_address a = {.port = 0, .host = "127.0.0.1"};
    struct listen one, two;
    struct err e;

    (void)state;
    assert_int_equal(listen_open(&one, &a, &e), 0);
    assert_true(one.port > 0);
    a.port = (uint16_t)one.port;
    assert_int_equal(listen_open(&two, &a, &e), -EADDRINUSE);
    assert_non_null(strstr(e.text, "127.0.0.1 port"));
    listen_close(&one);
    listen_close(&one);
    memcpy(a.host, "localhost", 10);
    assert_int_equal(listen_open(&two, &a, &e), -EINVAL);
    assert_int_equal(two.fd, -1);
}

static bool has_openssl(void)
{
    return system("openssl version >/dev/null 2>&1") == 0;
}

static int make_certificate(const char *dir, const char *name)
{
    char command[512];

    (void)snprintf(command, sizeof(command),
                   "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=%s "
                   "-keyout %s/%s.key -out %s/%s.crt >/dev/null 2>&1",
                   name, dir, name, dir, name);
    return system(command);
}

static void ask_reload(const struct helper_http *h, const char *dir, const char *crt,
                       const char *key, int want)
{
    char request[512], out[2048];

    (void)snprintf(request, sizeof(request),
                   "GET /reload?cert=%s/%s&key=%s/%s HTTP/1.1\r\n" HOST "\r\n", dir, crt, dir, key);
    assert_int_equal(helper_http_ask(h->plain_port, request, out, sizeof(out)), want);
}

static void sha256_now(const struct helper_http *h, char out[static 65])
{
    char text[2048];

    assert_int_equal(
        helper_http_ask(h->plain_port, "GET /stat HTTP/1.1\r\n" HOST "\r\n", text, sizeof(text)),
        200);
    assert_int_equal(sscanf(strstr(text, "sha256 "), "sha256 %64s", out), 1);
}

static void test_reload(void **state)
{
    char dir[] = "/tmp/http-reload-XXXXXX", first[65], second[65], now[65], command[128];
    struct helper_http h;
    struct helper_tls *old;

    (void)state;
    if (!has_openssl())
        skip();
    assert_non_null(mkdtemp(dir));
    assert_int_equal(make_certificate(dir, "one"), 0);
    assert_int_equal(make_certificate(dir, "two"), 0);
    helper_http_start(&h, NULL);
    sha256_now(&h, first);
    old = helper_tls_connect(h.tls_port, NULL);
    assert_non_null(old);
    ask_reload(&h, dir, "one.crt", "one.key", 200);
    sha256_now(&h, second);
    assert_string_not_equal(first, second);
    good_client(&h); /* with an RSA certificate */
    /* bad ones are refused and change nothing */
    ask_reload(&h, dir, "one.crt", "two.key", 500);
    ask_reload(&h, dir, "one.key", "one.key", 500);
    ask_reload(&h, dir, "one.crt", "one.crt", 500);
    ask_reload(&h, dir, "none", "none", 500);
    ask_reload(&h, dir, "", "", 500); /* a directory */
    sha256_now(&h, now);
    assert_string_equal(second, now);
    /* the old connection goes on with its own certificate */
    assert_true(helper_tls_write(old, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    assert_true(helper_tls_read(old, command, sizeof(command)) > 0);
    helper_tls_close(old, true);
    assert_int_equal(helper_http_stop(&h), 0);
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_lingering),
        cmocka_unit_test(test_no_pipelining),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_bad_handshakes),
        cmocka_unit_test(test_big),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_end_with_requests),
        cmocka_unit_test(test_bytes_while_waiting),
        cmocka_unit_test(test_silent_and_slow),
        cmocka_unit_test(test_preauth_cap),
        cmocka_unit_test(test_busy_are_not_evicted),
        cmocka_unit_test(test_slow_readers),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_unix_files),
        cmocka_unit_test(test_listen_errors),
        cmocka_unit_test(test_reload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
