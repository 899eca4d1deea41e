/*
 * Requests and what becomes of them. Each row is fed whole, byte by byte and in pieces of seven:
 * how a request is cut must never matter. Ideas for rows: llhttp's test/request, Go's
 * net/http/readrequest_test.go and serve_test.go, RFC 9112.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sidecar/http/forwarded.h"
#include "sidecar/http/parse.h"
#include "sidecar/http/reply.h"
#include "sidecar/http/request.h"

#define HOST "Host: localhost\r\n"

enum {
    MORE = 0, /* the request is not complete */
    OK = 200,
};

/* 0 more, 200 done, or the status of the refusal; p is to be released. */
static unsigned feed(struct parse *p, const char *data, size_t bytes, size_t piece,
                     size_t *ret_used)
{
    size_t done = 0;

    parse_init(p);
    while (done < bytes) {
        size_t n = bytes - done < piece ? bytes - done : piece;
        size_t used = 0;
        enum parse_result r = parse_feed(p, data + done, n, &used);

        if (r == PARSE_BAD)
            return p->status;
        if (r == PARSE_DONE) {
            *ret_used = done + used;
            return OK;
        }
        assert_int_equal(used, n);
        done += n;
    }
    return MORE;
}

static void expect(const char *data, size_t bytes, unsigned status, const char *what)
{
    static const size_t PIECES[] = {SIZE_MAX, 1, 7};

    for (size_t i = 0; i < 3; i++) {
        struct parse p;
        size_t used = 0;
        unsigned got = feed(&p, data, bytes, PIECES[i], &used);

        if (got != status)
            fail_msg("%s: got %u, want %u (pieces of %zu; %s)", what, got, status, PIECES[i],
                     p.why);
        if (got != OK && got != MORE)
            assert_true(p.why[0] != '\0');
        parse_release(&p);
    }
}

static const struct {
    const char *text;
    unsigned status;
} ROWS[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n", OK},
    {"GET / HTTP/1.0\r\n" HOST "\r\n", OK},
    {"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", OK},
    {"HEAD /x?y HTTP/1.1\r\nhOsT:localhost\r\n\r\n", OK},
    {"POST /s HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", OK},
    {"POST /s HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", OK},
    {"GET //debug/../x%2e%2e/ HTTP/1.1\r\n" HOST "\r\n", OK},
    {"GET / HTTP/1.1\r\n" HOST "X-Empty:\r\nX-Spaces: \t \r\n\r\n", OK},
    {"PUT / HTTP/1.1\r\n" HOST "\r\n", OK}, /* the handler says 405 */
    {"DELETE / HTTP/1.1\r\n" HOST "\r\n", OK},
    {"TRACE / HTTP/1.1\r\n" HOST "\r\n", OK},
    /* not finished */
    {"GET / HTTP/1.1\r\n" HOST, MORE},
    {"POST /s HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nab", MORE},
    {"\r\n", MORE},
    {"G", MORE},
    /* versions */
    {"GET /\r\n\r\n", 400},
    {"GET /\r\n" HOST "\r\n", 400},
    {"GET / HTTP/0.9\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.2\r\n" HOST "\r\n", 400},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", 400},
    {"GET / HTTP/3.0\r\n" HOST "\r\n", 400},
    {"GET / http/1.1\r\n" HOST "\r\n", 400},
    {"GET / ICE/1.0\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1 x\r\n" HOST "\r\n", 400},
    {"GET / HTTP/11.1\r\n" HOST "\r\n", 400},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
    {"SOURCE / ICE/1.0\r\n" HOST "\r\n", 400},
    {"GET / RTSP/1.0\r\n" HOST "\r\n", 400},
    /* methods and targets */
    {"get / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"FOO / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"CONNECT localhost:443 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"CONNECT / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET http://localhost/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET https://evil.example/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET localhost/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET ?x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET  HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /a b HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /a\tb HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /\x7f HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400},
    {"\x16\x03\x01\x02\x00", 400}, /* TLS to a plain port */
    {"SSH-2.0-OpenSSH_9.2\r\n", 400},
    {"HTTP/1.1 200 OK\r\n\r\n", 400},
    /* Host */
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.0\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: \t\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "HOST: other\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\n" HOST "\r\n", 400},
    /* framing */
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "transfer-ENCODING: identity\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: -3\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551616\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551615\r\n\r\n", 413},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 4097\r\n\r\n", 413},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 4096\r\n\r\n", MORE},
    {"GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", 417},
    /* the grammar of headers */
    {"GET / HTTP/1.1\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: localhost\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400}, /* obs-fold */
    {"GET / HTTP/1.1\r\n" HOST " X: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X\xe4: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: \x85"
     "admin\xa0\r\n\r\n",
     400}, /* obs-text */
    {"GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "Authorization: Bearer \xff\r\n\r\n", 400},
    /* credentials */
    {"GET / HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\n\r\n", OK},
    {"GET / HTTP/1.1\r\n" HOST "X-Pprof-Token: a\r\n\r\n", OK},
    {"GET / HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\nauthorization: Bearer a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "Authorization:\r\nAuthorization: Bearer a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X-Pprof-Token: a\r\nX-PPROF-TOKEN: b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\nX-Pprof-Token: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "Origin: a\r\nOrigin: b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "User-Agent: a\r\nUser-Agent: b\r\n\r\n", OK},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        expect(ROWS[i].text, strlen(ROWS[i].text), ROWS[i].status, ROWS[i].text);
}

static void test_nul_bytes(void **state)
{
    static const char IN_VALUE[] = "GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n";
    static const char IN_TARGET[] = "GET /a\0b HTTP/1.1\r\n" HOST "\r\n";
    static const char IN_NAME[] = "GET / HTTP/1.1\r\n" HOST "X\0: b\r\n\r\n";
    static const char IN_HOST[] = "GET / HTTP/1.1\r\nHost: localhost\0.evil\r\n\r\n";

    (void)state;
    expect(IN_VALUE, sizeof(IN_VALUE) - 1, 400, "NUL in a value");
    expect(IN_TARGET, sizeof(IN_TARGET) - 1, 400, "NUL in the target");
    expect(IN_NAME, sizeof(IN_NAME) - 1, 400, "NUL in a name");
    expect(IN_HOST, sizeof(IN_HOST) - 1, 400, "NUL in Host");
}

/* Each limit: at it, and one above. */
static void test_target_limit(void **state)
{
    for (size_t over = 0; over < 2; over++) {
        char text[SERVER_URL_MAX_BYTES + 64];
        size_t n = (size_t)snprintf(text, sizeof(text), "GET /");

        (void)state;
        memset(text + n, 'a', SERVER_URL_MAX_BYTES - 1 + over);
        n += SERVER_URL_MAX_BYTES - 1 + over;
        n += (size_t)snprintf(text + n, sizeof(text) - n, " HTTP/1.1\r\n" HOST "\r\n");
        expect(text, n, over ? 414 : OK, "target");
    }
}

/* The whole head of exactly `bytes`, by one long value; `name` of its header. */
static size_t long_head(char *text, size_t bytes, const char *name)
{
    size_t n = (size_t)snprintf(text, bytes, "GET / HTTP/1.1\r\n" HOST "%s: ", name);

    memset(text + n, 'a', bytes - n);
    memcpy(text + bytes - 4, "\r\n\r\n", 4);
    return bytes;
}

static void test_head_limit(void **state)
{
    static const char *const NAMES[] = {"X", "Authorization", "User-Agent", "Accept-Encoding"};
    char text[SERVER_HEADER_MAX_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        expect(text, long_head(text, SERVER_HEADER_MAX_BYTES, NAMES[i]), OK, NAMES[i]);
        expect(text, long_head(text, SERVER_HEADER_MAX_BYTES + 1, NAMES[i]), 431, NAMES[i]);
    }
    /* a name that never ends, and empty lines that never end */
    (void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n");
    memset(text + 16, 'n', sizeof(text) - 16);
    expect(text, sizeof(text), 431, "endless name");
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 2 ? '\n' : '\r';
    expect(text, sizeof(text), 431, "endless empty lines");
}

static void test_headers_limit(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        char text[SERVER_HEADERS_MAX * 8 + 64];
        size_t n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST);

        for (size_t i = 1; i < SERVER_HEADERS_MAX + over; i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "A: b\r\n");
        n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n");
        expect(text, n, over ? 431 : OK, "number of headers");
    }
}

static void test_body_limit(void **state)
{
    char text[SERVER_BODY_MAX_BYTES + 128];
    struct parse p;
    size_t used = 0;
    size_t n = (size_t)snprintf(text, sizeof(text),
                                "POST / HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n",
                                SERVER_BODY_MAX_BYTES);

    (void)state;
    memset(text + n, '\xff', SERVER_BODY_MAX_BYTES);
    expect(text, n + SERVER_BODY_MAX_BYTES - 1, MORE, "body, one short");
    expect(text, n + SERVER_BODY_MAX_BYTES, OK, "body");
    assert_int_equal(feed(&p, text, n + SERVER_BODY_MAX_BYTES, 1000, &used), OK);
    assert_int_equal(p.body.len, SERVER_BODY_MAX_BYTES);
    assert_memory_equal(p.body.data, text + n, SERVER_BODY_MAX_BYTES);
    parse_release(&p);
}

static void test_fields(void **state)
{
    static const char TEXT[] = "POST /debug/pprof/profile?seconds=5&x=?y HTTP/1.1\r\n"
                               "Host:  pillion.example:6060 \t\r\n"
                               "Authorization: Bearer  a b\r\n"
                               "User-Agent: first\r\nUser-Agent: second\r\n"
                               "Accept-Encoding: br, gzip;q=0.5\r\n"
                               "Origin: null\r\nSec-Fetch-Site: cross-site\r\n"
                               "X-Request-Id: abc-1\r\nContent-Length: 2\r\n\r\nhiGET";
    static const size_t PIECES[] = {SIZE_MAX, 1, 3};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct server_request r = {0};
        struct parse p;
        size_t used = 0;

        assert_int_equal(feed(&p, TEXT, sizeof(TEXT) - 1, PIECES[i], &used), OK);
        assert_int_equal(used, sizeof(TEXT) - 1 - 3);
        request_fill(&r, &p);
        assert_int_equal(r.method, SERVER_POST);
        assert_string_equal(r.path, "/debug/pprof/profile");
        assert_string_equal(r.query, "seconds=5&x=?y");
        assert_string_equal(parse_value(&p, PARSE_HOST), "pillion.example:6060");
        assert_string_equal(r.authorization, "Bearer  a b");
        assert_null(r.token);
        assert_string_equal(r.user_agent, "first");
        assert_string_equal(r.origin, "null");
        assert_string_equal(r.sec_fetch_site, "cross-site");
        assert_string_equal(r.id, "abc-1");
        assert_true(r.accepts_gzip);
        assert_int_equal(r.body_bytes, 2);
        assert_memory_equal(r.body, "hi", 2);
        assert_true(p.keep_alive);
        parse_release(&p);
    }
}

static void test_keep_alive(void **state)
{
    static const struct {
        const char *text;
        bool keep;
    } TABLE[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: x, CLOSE\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n" HOST "\r\n", false},
        {"GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        struct parse p;
        size_t used;

        assert_int_equal(feed(&p, TABLE[i].text, strlen(TABLE[i].text), SIZE_MAX, &used), OK);
        assert_int_equal(p.keep_alive, TABLE[i].keep);
        assert_int_equal(parse_is_http10(&p), i >= 3);
        assert_string_equal(parse_query(&p), "");
        parse_release(&p);
    }
}

static void test_accept_encoding(void **state)
{
    static const struct {
        const char *value;
        bool gzip;
    } TABLE[] = {
        {"gzip", true},
        {"GZIP", true},
        {"br, gzip", true},
        {"gzip;q=0", false},
        {"gzip; q=0.000", false},
        {"gzip;q=0.001", true},
        {"gzip;q=1", true},
        {"identity", false},
        {"", false},
        {"*", true},
        {"*;q=0", false},
        {"*, gzip;q=0", false},
        {"xgzip", false},
        {"gzipx", false},
        {",,gzip,,", true},
        {"deflate;q=1, gzip ; Q=0.0, *", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        char text[256];
        struct parse p;
        size_t used;
        int n = snprintf(text, sizeof(text),
                         "GET / HTTP/1.1\r\nAccept-Encoding: %s\r\n" HOST "\r\n", TABLE[i].value);

        assert_int_equal(feed(&p, text, (size_t)n, SIZE_MAX, &used), OK);
        if (p.accepts_gzip != TABLE[i].gzip)
            fail_msg("Accept-Encoding: %s", TABLE[i].value);
        parse_release(&p);
    }
}

/* All X-Forwarded-For headers count, in their order, wherever they stand; their bytes are bounded.
 */
static void test_forwarded(void **state)
{
    static const char TEXT[] = "GET / HTTP/1.1\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2 \r\n" HOST
                               "x-forwarded-for:3.3.3.3\r\nUser-Agent: a\r\n"
                               "X-FORWARDED-FOR: x\r\n\r\n";
    static const size_t PIECES[] = {SIZE_MAX, 1, 3};
    char text[2 * FORWARDED_MAX_BYTES];
    struct parse p;
    size_t used;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(feed(&p, TEXT, sizeof(TEXT) - 1, PIECES[i], &used), OK);
        assert_string_equal(parse_forwarded(&p), "1.1.1.1, 2.2.2.2,3.3.3.3,x");
        assert_string_equal(parse_value(&p, PARSE_USER_AGENT), "a");
        parse_release(&p);
    }
    for (int more = 0; more < 2; more++) { /* at the limit and one above: 1 + comma + the rest */
        int n = snprintf(text, sizeof(text),
                         "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1\r\n"
                         "X-Forwarded-For: %0*d\r\nX-Forwarded-For: 2\r\n\r\n",
                         FORWARDED_MAX_BYTES - 4 + more, 7);

        assert_int_equal(feed(&p, text, (size_t)n, SIZE_MAX, &used), OK);
        assert_int_equal(p.forwarded_bad, more);
        if (more)
            assert_null(parse_forwarded(&p)); /* and the end of it is not taken for the whole */
        else
            assert_int_equal(strlen(parse_forwarded(&p)), FORWARDED_MAX_BYTES);
        parse_release(&p);
    }
    assert_int_equal(feed(&p, "GET / HTTP/1.1\r\n" HOST "\r\n", 35, SIZE_MAX, &used), OK);
    assert_null(parse_forwarded(&p));
    parse_release(&p);
}

static void test_request_id(void **state)
{
    static const struct {
        const char *value;
        bool taken;
    } TABLE[] = {
        {"a", true},
        {"0123456789abcdefABCDEF-123456789", true},   /* 32 */
        {"0123456789abcdefABCDEF-1234567890", false}, /* 33 */
        {"", false},
        {"a b", false},
        {"a_b", false},
        {"a\"b", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        struct server_request r = {0};
        char text[256];
        struct parse p;
        size_t used;
        int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nX-Request-Id: %s\r\n" HOST "\r\n",
                         TABLE[i].value);

        assert_int_equal(feed(&p, text, (size_t)n, SIZE_MAX, &used), OK);
        request_fill(&r, &p);
        assert_int_equal(strcmp(r.id, TABLE[i].value) == 0, TABLE[i].taken);
        if (!TABLE[i].taken)
            assert_int_equal(strlen(r.id), 32);
        parse_release(&p);
    }
}

static unsigned refused(const char *headers, bool tls, int port, const char *allowed)
{
    struct request_place place = {.tls = tls, .port = port};
    struct host hosts[2];
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_storage addr = {0};
    const char *why = "";
    char text[512];
    struct parse p;
    size_t used;
    unsigned status;
    int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\n", headers);

    local.sin_addr.s_addr = htonl(0x0a000007); /* 10.0.0.7 */
    memcpy(&addr, &local, sizeof(local));
    if (port != HOST_PORT_ANY)
        assert_int_equal(host_from_socket(&addr, &place.local), 0);
    assert_int_equal(host_parse("localhost", &hosts[0]), 0);
    assert_int_equal(host_parse(allowed, &hosts[1]), 0);
    place.hosts = hosts;
    place.hosts_count = 2;
    assert_int_equal(feed(&p, text, (size_t)n, SIZE_MAX, &used), OK);
    status = request_refused(&p, &place, &why);
    parse_release(&p);
    return status;
}

static void test_hosts(void **state)
{
    static const struct {
        const char *host;
        unsigned status;
    } TABLE[] = {
        {"localhost", 0},
        {"LocalHost:6060", 0},
        {"localhost.", 0},
        {"localhost:6061", 0},
        {"localhost:", 400},
        {"localhost:0", 400},
        {"localhost:65536", 400},
        {"localhost:6060:6060", 400},
        {"localhost:606x", 400},
        {"localhost@evil", 400},
        {"local host", 400},
        {"a..b", 400},
        {".a", 400},
        {"a/b", 400},
        {"0.0.0.0=5000", 400},
        {"evil.example", 421},
        {"localhost.evil.example", 421},
        {"10.0.0.7", 0}, /* the address that was dialled */
        {"10.0.0.7:6060", 0},
        {"10.0.0.8:6060", 421},
        {"[::ffff:10.0.0.7]:6060", 0},
        {"[::1]", 421},
        {"[::1", 400},
        {"[::1]x", 400},
        {"[localhost]", 400},
        {"[]", 400},
        {"pillion.example", 0},
        {"PILLION.example:443", 0}, /* the configured port */
        {"pillion.example:6060", 0},
        {"pillion.example:444", 421},
        {"0.0.0.0", 421},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        char header[128];
        unsigned got;

        (void)snprintf(header, sizeof(header), "Host: %s\r\n", TABLE[i].host);
        got = refused(header, true, 6060, "pillion.example:443");
        if (got != TABLE[i].status)
            fail_msg("Host: %s: got %u, want %u", TABLE[i].host, got, TABLE[i].status);
    }
    /* a unix socket has no port of its own */
    assert_int_equal(refused("Host: localhost:99\r\n", false, HOST_PORT_ANY, "x"), 0);
    assert_int_equal(refused("Host: other\r\n", false, HOST_PORT_ANY, "x"), 421);
    /* configured IPv6, with and without brackets */
    assert_int_equal(refused("Host: [2001:db8::1]:6060\r\n", true, 6060, "2001:db8::1"), 0);
    assert_int_equal(refused("Host: [2001:DB8:0::1]\r\n", true, 6060, "[2001:db8::1]:7"), 0);
}

static void test_other_sites(void **state)
{
    static const struct {
        const char *headers;
        bool tls;
        unsigned status;
    } TABLE[] = {
        {HOST "Origin: https://localhost\r\n", true, 0},
        {HOST "Origin: http://localhost\r\n", true, 403},
        {HOST "Origin: http://localhost\r\n", false, 0},
        {HOST "Origin: https://localhost\r\n", false, 0}, /* behind a proxy with TLS */
        {HOST "Origin: https://localhost:6060\r\n", true, 403},
        {"Host: localhost:6060\r\nOrigin: https://localhost:6060\r\n", true, 0},
        {HOST "Origin: https://evil.example\r\n", true, 403},
        {HOST "Origin: null\r\n", true, 403},
        {HOST "Origin:\r\n", true, 403},
        {HOST "Sec-Fetch-Site: cross-site\r\n", true, 403},
        {HOST "Sec-Fetch-Site: same-site\r\n", true, 403},
        {HOST "Sec-Fetch-Site: same-origin\r\n", true, 0},
        {HOST "Sec-Fetch-Site: none\r\n", true, 0},
        {HOST "Sec-Fetch-Site: anything\r\n", true, 403},
        {HOST "Origin: https://localhost\r\nSec-Fetch-Site: cross-site\r\n", true, 403},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        if (refused(TABLE[i].headers, TABLE[i].tls, 6060, "x") != TABLE[i].status)
            fail_msg("row %zu: %s", i, TABLE[i].headers);
    }
}

static void test_reply(void **state)
{
    struct reply_frame frame = {.status = 405,
                                .content_type = "text/plain",
                                .length = 7,
                                .id = "an-id",
                                .close = true,
                                .now = 784111777};
    struct reply r;
    struct buf out;

    (void)state;
    reply_init(&r);
    buf_init(&out, REPLY_HEAD_MAX_BYTES);
    assert_true(reply_header(&r, "Allow", "GET, HEAD"));
    assert_true(reply_header(&r, "content-security-policy", "default-src 'self'"));
    assert_false(reply_header(&r, "Content-Length", "9"));
    assert_false(reply_header(&r, "X", "a\r\nY: b"));
    assert_false(reply_header(&r, "X: y", "a"));
    assert_false(reply_header(&r, "", "a"));
    assert_false(reply_header(&r, "X", "\xc3\xa4"));
    reply_head(&r, &frame, &out);
    assert_string_equal(buf_text(&out),
                        "HTTP/1.1 405 Method Not Allowed\r\n"
                        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                        "Content-Type: text/plain\r\nContent-Length: 7\r\n"
                        "X-Content-Type-Options: nosniff\r\n"
                        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
                        "X-Request-Id: an-id\r\nConnection: close\r\n"
                        "Allow: GET, HEAD\r\n"
                        "content-security-policy: default-src 'self'\r\n\r\n");
    buf_release(&out);
    reply_release(&r);
}

static void test_reply_limit(void **state)
{
    char value[REPLY_HEADERS_MAX_BYTES + 1];
    struct reply r;

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        memset(value, 'v', sizeof(value));
        value[REPLY_HEADERS_MAX_BYTES - 5 + over] = '\0'; /* "N: " and "\r\n" */
        reply_init(&r);
        assert_int_equal(reply_header(&r, "N", value), !over);
        assert_false(r.headers.failed);
        assert_int_equal(r.headers.len, over ? 0 : REPLY_HEADERS_MAX_BYTES);
        assert_false(reply_header(&r, "A", over ? value : ""));
        reply_release(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),           cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_target_limit),    cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_headers_limit),   cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_fields),          cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_accept_encoding), cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_request_id),      cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_other_sites),     cmocka_unit_test(test_reply),
        cmocka_unit_test(test_reply_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
