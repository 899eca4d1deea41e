/*
 * Answers that go out bit by bit: the window by itself, and a server that pushes to good clients,
 * old ones, slow ones and such that leave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "sidecar/http/flow.h"
#include "tests/unit/helper_http.h"

#define HOST "Host: localhost\r\n"
#define GOOD "X-Pprof-Token: good\r\n"

enum {
    LONG_MS = 20000,
    MOST = 4 << 20,
    FLAT_KB = 4096, /* what a server may grow by for any length of a stream */
};

/* ---- the window */

static void the_window_is_bounded(void **state)
{
    static unsigned char piece[FLOW_PUSH_MAX_BYTES + 1];
    struct flow *f = flow_new(FLOW_CHUNKED);
    size_t pushed = 0;

    (void)state;
    while (flow_push(f, piece, FLOW_PUSH_MAX_BYTES))
        pushed++;
    assert_int_equal(pushed, FLOW_WINDOW_BYTES / FLOW_PUSH_MAX_BYTES - 1);
    assert_true(flow_waits(f) > FLOW_WINDOW_BYTES && flow_waits(f) < sizeof(f->data));
    assert_false(f->broken || flow_has_room(f));
    (void)flow_push(f, piece, 1); /* one that does not listen */
    assert_true(f->broken);
    free(f);
    f = flow_new(FLOW_PLAIN);
    assert_true(flow_push(f, piece, FLOW_PUSH_MAX_BYTES));
    assert_false(f->broken);
    (void)flow_push(f, piece, FLOW_PUSH_MAX_BYTES + 1);
    assert_true(f->broken);
    free(f);
}

static void chunks_are_framed(void **state)
{
    struct flow *f = flow_new(FLOW_CHUNKED);

    (void)state;
    assert_true(flow_push(f, "hello, world: 17 b", 17));
    assert_true(flow_push(f, "", 0)); /* would be the last one */
    assert_true(flow_push(f, "x", 1));
    flow_end(f, true);
    assert_int_equal(flow_waits(f), 4 + 17 + 2 + 3 + 1 + 2 + 5);
    assert_memory_equal(f->data, "11\r\nhello, world: 17 \r\n1\r\nx\r\n0\r\n\r\n", flow_waits(f));
    free(f);
    f = flow_new(FLOW_CHUNKED);
    (void)flow_push(f, "x", 1);
    flow_end(f, false);
    assert_int_equal(flow_waits(f), 6); /* no last chunk */
    free(f);
    f = flow_new(FLOW_SILENT);
    assert_true(flow_push(f, "x", 1));
    flow_end(f, true);
    assert_int_equal(flow_waits(f), 0);
    free(f);
}

/* ---- the server */

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void ask(int fd, const char *method, const char *query, const char *version)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "%s /flow?%s HTTP/%s\r\n" HOST GOOD "\r\n", method, query,
                   version);
    send_text(fd, text);
}

static char *body_of(char *text)
{
    char *at = strstr(text, "\r\n\r\n");

    assert_non_null(at);
    return at + 4;
}

/* Take the framing off, in place. The bytes of the body, -1 when the last chunk is not there. */
static ssize_t unchunk(char *at, const char *end)
{
    char *out = at;
    const char *begin = at;

    while (at < end) {
        size_t digits = strspn(at, "0123456789abcdef");
        uint64_t n;

        if (num_u64(at, digits, 16, MOST, &n) || strncmp(at + digits, "\r\n", 2) != 0)
            return -1;
        at += digits + 2;
        if (n == 0)
            return strncmp(at, "\r\n", 3) == 0 ? out - begin : -1;
        if ((size_t)(end - at) < n + 2)
            return -1;
        memmove(out, at, n);
        out += n;
        at += n + 2;
    }
    return -1;
}

static void is_pattern(const char *body, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)body[i] != helper_http_pattern(i))
            fail_msg("byte %zu of %zu is wrong", i, bytes);
    }
}

static const struct {
    size_t bytes, piece;
} SIZES[] = {
    {0, 1},         {1, 1},         {1000, 7},   {16384, 16384}, {16385, 16384},
    {65536, 16384}, {65537, 16384}, {65536, 65}, {1000000, 977}, {3000000, 16384},
};

/* An answer to HTTP/1.1 ends with its last chunk and not with the connection. */
static size_t read_chunks(int fd, char *out, size_t bytes)
{
    size_t got = 0;
    const char *body = NULL;

    do {
        ssize_t n = recv(fd, out + got, bytes - 1 - got, 0);

        assert_true(n > 0);
        got += (size_t)n;
        out[got] = '\0';
        body = memmem(out, got, "\r\n\r\n", 4);
        /* a head may end like a last chunk: its last line is a random id */
    } while (!body || out + got < body + 9 || memcmp(out + got - 5, "0\r\n\r\n", 5) != 0);
    return got;
}

static void check_new(int port, const char *query, size_t bytes)
{
    static char out[MOST + 4096];
    int fd = helper_http_connect(port);
    size_t got;

    ask(fd, "GET", query, "1.1");
    got = read_chunks(fd, out, sizeof(out));
    assert_non_null(strstr(out, "Transfer-Encoding: chunked\r\n"));
    assert_int_equal(unchunk(body_of(out), out + got), bytes);
    is_pattern(body_of(out), bytes);
    send_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n"); /* it goes on */
    assert_int_equal(helper_http_answer(fd, out, sizeof(out), LONG_MS), 200);
    (void)close(fd);
}

static void check_old(int port, const char *query, size_t bytes)
{
    static char out[MOST + 4096];
    int fd = helper_http_connect(port);
    ssize_t n;

    ask(fd, "GET", query, "1.0");
    n = helper_http_read(fd, out, sizeof(out) - 1, LONG_MS);
    assert_true(n > 0);
    assert_null(strstr(out, "Transfer-Encoding"));
    assert_non_null(strstr(out, "Connection: close"));
    assert_int_equal(out + n - body_of(out), bytes);
    is_pattern(body_of(out), bytes);
    (void)close(fd);
}

static void every_byte_arrives(void **state)
{
    struct helper_http h;

    (void)state;
    helper_http_start(&h, NULL);
    for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        char query[64], done[64];

        (void)snprintf(query, sizeof(query), "bytes=%zu&piece=%zu", SIZES[i].bytes, SIZES[i].piece);
        (void)snprintf(done, sizeof(done), "done 200 %zu /flow", SIZES[i].bytes);
        check_new(h.plain_port, query, SIZES[i].bytes);
        assert_true(helper_http_event(&h, done, LONG_MS));
        check_old(h.plain_port, query, SIZES[i].bytes);
        assert_true(helper_http_event(&h, done, LONG_MS));
    }
    assert_int_equal(helper_http_stop(&h), 0);
}

static void head_has_no_body(void **state)
{
    struct helper_http h;
    char out[4096] = "";
    int fd;

    (void)state;
    helper_http_start(&h, NULL);
    fd = helper_http_connect(h.plain_port);
    ask(fd, "HEAD", "bytes=100000", "1.1");
    assert_true(helper_http_event(&h, "done 200 0 /flow", LONG_MS));
    assert_true(recv(fd, out, sizeof(out) - 1, 0) > 0);
    assert_non_null(strstr(out, "Transfer-Encoding: chunked\r\n"));
    assert_string_equal(body_of(out), "");
    send_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(helper_http_answer(fd, out, sizeof(out), LONG_MS), 200);
    (void)close(fd);
    assert_int_equal(helper_http_stop(&h), 0);
}

/* Everything that was pushed, and then the end without the last chunk. */
static void a_break_is_seen(void **state)
{
    static char out[MOST];
    struct helper_http h;
    struct helper_tls *t;
    ssize_t n, got = 0;
    int fd;

    (void)state;
    helper_http_start(&h, NULL);
    fd = helper_http_connect(h.plain_port);
    ask(fd, "GET", "bytes=200000&end=break", "1.1");
    n = helper_http_read(fd, out, sizeof(out) - 1, LONG_MS);
    assert_true(n > 200000);
    assert_int_equal(unchunk(body_of(out), out + n), -1);
    assert_true(helper_http_event(&h, "done 200 200000 /flow", LONG_MS));
    (void)close(fd);
    t = helper_tls_connect(h.tls_port, NULL);
    assert_true(helper_tls_write(t, "GET /flow?bytes=100000&end=break HTTP/1.1\r\n" HOST "\r\n"));
    while ((n = helper_tls_read(t, out + got, sizeof(out) - 1 - (size_t)got)) > 0)
        got += n;
    assert_true(got > 100000);
    assert_int_equal(unchunk(body_of(out), out + got), -1);
    helper_tls_close(t, false);
    assert_int_equal(helper_http_stop(&h), 0);
}

static void over_tls(void **state)
{
    static char out[MOST + 4096];
    struct helper_http h;
    struct helper_tls *t;
    ssize_t n;
    size_t got = 0;

    (void)state;
    helper_http_start(&h, NULL);
    t = helper_tls_connect(h.tls_port, NULL);
    assert_true(
        helper_tls_write(t, "GET /flow?bytes=3000000&piece=15000 HTTP/1.0\r\n" HOST "\r\n"));
    (void)usleep(200000); /* so that it meets a full socket in the middle of a record */
    while ((n = helper_tls_read(t, out + got, sizeof(out) - got)) > 0)
        got += (size_t)n;
    assert_int_equal(n, 0); /* with close_notify: whole */
    out[got] = '\0';
    assert_int_equal(out + got - body_of(out), 3000000);
    is_pattern(body_of(out), 3000000);
    helper_tls_close(t, true);
    assert_int_equal(helper_http_stop(&h), 0);
}

/* One that reads a little and then leaves: the memory is the window, and the handler hears of it.
 */
static void a_slow_client_costs_a_window(void **state)
{
    static char out[65536];
    struct helper_http h;
    long before, grown;
    int fd;

    (void)state;
    helper_http_start(&h, NULL);
    before = helper_http_stat(&h, "rss_kb ");
    fd = helper_http_connect(h.plain_port);
    ask(fd, "GET", "bytes=1000000000", "1.1");
    for (int i = 0; i < 200; i++)
        assert_true(recv(fd, out, sizeof(out), 0) > 0);
    grown = helper_http_stat(&h, "rss_kb ") - before;
    if (grown > FLAT_KB)
        fail_msg("grown by %ld KB", grown);
    (void)close(fd);
    assert_true(helper_http_event(&h, "gone /flow sent 1", LONG_MS));
    /* the same when nothing is on its way: the end of a client is not noticed by writing alone */
    fd = helper_http_connect(h.plain_port);
    ask(fd, "GET", "bytes=10&end=never", "1.1");
    assert_true(recv(fd, out, sizeof(out), 0) > 0);
    (void)close(fd);
    assert_true(helper_http_event(&h, "gone /flow sent 1", LONG_MS));
    /* and when the server ends in the middle of it */
    fd = helper_http_connect(h.plain_port);
    ask(fd, "GET", "bytes=1000000000", "1.1");
    assert_true(recv(fd, out, sizeof(out), 0) > 0);
    assert_int_equal(helper_http_stop(&h), 0);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_is_bounded),
        cmocka_unit_test(chunks_are_framed),
        cmocka_unit_test(every_byte_arrives),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(a_break_is_seen),
        cmocka_unit_test(over_tls),
        cmocka_unit_test(a_slow_client_costs_a_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
