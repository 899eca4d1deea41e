/*
 * sidecar/client/{url,proxy,request,retry_after}.c: what needs no socket.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sidecar/client/proxy.h"
#include "sidecar/client/request.h"
#include "sidecar/client/response.h"
#include "sidecar/client/retry_after.h"

static struct client_url parsed(const char *text)
{
    struct client_url u;
    struct err e = {0};

    if (client_url_parse(text, &u, &e))
        fail_msg("%s: %s", text, e.text);
    return u;
}

static void good_urls(void **state)
{
    static const struct {
        const char *text;
        bool tls, is_unix;
        const char *host;
        uint16_t port;
        const char *path;
    } CASES[] = {
        {"http://parca:7070", false, false, "parca", 7070, ""},
        {"http://parca", false, false, "parca", 80, ""},
        {"https://Push.Example.COM/", true, false, "push.example.com", 443, ""},
        {"HTTPS://a.b/c/d//", true, false, "a.b", 443, "/c/d"},
        {"http://127.0.0.1:6065/debug/pprof", false, false, "127.0.0.1", 6065, "/debug/pprof"},
        {"http://[::1]:6065/x", false, false, "::1", 6065, "/x"},
        {"https://[fe80::1]", true, false, "fe80::1", 443, ""},
        {"http://my_service-1.ns.svc:65535", false, false, "my_service-1.ns.svc", 65535, ""},
        {"http://a:1/x%20y:z@w", false, false, "a", 1, "/x%20y:z@w"},
        {"unix:/run/agent.socket", false, true, "/run/agent.socket", 0, ""},
        {"unix:/run/a.sock:/debug/pprof/", false, true, "/run/a.sock", 0, "/debug/pprof"},
        {"unix:/run/a:b.sock", false, true, "/run/a:b.sock", 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct client_url u = parsed(CASES[i].text);

        assert_int_equal(u.tls, CASES[i].tls);
        assert_int_equal(u.is_unix, CASES[i].is_unix);
        assert_string_equal(u.host, CASES[i].host);
        assert_int_equal(u.port, CASES[i].port);
        assert_string_equal(u.path, CASES[i].path);
    }
}

static void bad_urls(void **state)
{
    static const char *const CASES[] = {
        "",
        "parca:7070",
        "ftp://a",
        "http://",
        "http:///x",
        "http://:80",
        "http://a:0",
        "http://a:65536",
        "http://a:",
        "http://a:+1",
        "http://a b",
        "http://a/b c",
        "http://a/\r\nHost: b",
        "http://user@a",
        "http://user:secret@a/",
        "http://a/x?y=1",
        "http://a?y",
        "http://a#f",
        "http://[::1",
        "http://::1",
        "http://[nonsense]",
        "http://[::1]x:80",
        "http://a/\x80",
        "http://a\x80",
        "unix:relative",
        "unix:",
        "unix:/run/0123456789012345678901234567890123456789012345678901234567890123456789012345678"
        "90123456789012345678901234567890",
    };
    struct client_url u = {.port = 4711};
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        err_clear(&e);
        if (client_url_parse(CASES[i], &u, &e) != -EINVAL)
            fail_msg("taken: %s", CASES[i]);
        assert_true(e.text[0]);
        assert_null(strstr(e.text, "secret"));
    }
    assert_int_equal(u.port, 4711); /* outputs only on success */
}

static void url_limits(void **state)
{
    char text[CLIENT_URL_BYTES + 64];
    struct client_url u;

    (void)state;
    /* host: 255 bytes and 256 */
    (void)snprintf(text, sizeof(text), "http://%0255d", 0);
    assert_int_equal(client_url_parse(text, &u, NULL), 0);
    (void)snprintf(text, sizeof(text), "http://%0256d", 0);
    assert_int_equal(client_url_parse(text, &u, NULL), -EINVAL);
    /* path: CLIENT_URL_BYTES - 1 with its slash, and one more */
    (void)snprintf(text, sizeof(text), "http://a/%0*d", CLIENT_URL_BYTES - 2, 0);
    assert_int_equal(client_url_parse(text, &u, NULL), 0);
    (void)snprintf(text, sizeof(text), "http://a/%0*d", CLIENT_URL_BYTES - 1, 0);
    assert_int_equal(client_url_parse(text, &u, NULL), -EINVAL);
}

/* ---- proxies: an environment of the test's own */

static const char *const *environment;

static char *env(const char *name)
{
    size_t bytes = strlen(name);

    for (const char *const *at = environment; *at; at++) {
        if (strncmp(*at, name, bytes) == 0 && (*at)[bytes] == '=')
            return (char *)(uintptr_t)(*at + bytes + 1);
    }
    return NULL;
}

/* "host:port" of the proxy, "" for none, "!" for an error. */
static const char *chosen(const char *url, const char *const *variables)
{
    static char out[CONFIG_TEXT_BYTES + 8];
    struct client_url u = parsed(url);
    struct proxy p;

    environment = variables;
    if (proxy_for(&u, env, &p, NULL))
        return "!";
    out[0] = '\0';
    if (p.used)
        (void)snprintf(out, sizeof(out), "%s:%u", p.host, p.port);
    return out;
}

#define VARIABLES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void which_proxy(void **state)
{
    (void)state;
    assert_string_equal(chosen("https://a.b", VARIABLES("X=y")), "");
    assert_string_equal(chosen("https://a.b", VARIABLES("HTTPS_PROXY=http://p:3128")), "p:3128");
    assert_string_equal(chosen("https://a.b", VARIABLES("HTTPS_PROXY=p:1", "https_proxy=q:2")),
                        "q:2");
    assert_string_equal(chosen("https://a.b", VARIABLES("https_proxy=q")), "q:1080");
    assert_string_equal(chosen("https://a.b", VARIABLES("https_proxy=http://[::1]/")), "::1:1080");
    assert_string_equal(chosen("https://a.b", VARIABLES("http_proxy=q:2")), "");
    assert_string_equal(chosen("https://a.b", VARIABLES("https_proxy=")), "");
    assert_string_equal(chosen("https://a.b", VARIABLES("ALL_PROXY=q:2")), "q:2");
    assert_string_equal(chosen("http://a.b", VARIABLES("http_proxy=q:2")), "q:2");
    /* a CGI program's header of a stranger */
    assert_string_equal(chosen("http://a.b", VARIABLES("HTTP_PROXY=q:2")), "");
    assert_string_equal(chosen("http://a.b", VARIABLES("HTTPS_PROXY=q:2")), "");
    /* what cannot be used is said, not passed over */
    assert_string_equal(chosen("https://a.b", VARIABLES("https_proxy=socks5://q:2")), "!");
    assert_string_equal(chosen("https://a.b", VARIABLES("https_proxy=https://q:2")), "!");
    assert_string_equal(chosen("https://a.b", VARIABLES("https_proxy=http://q:x")), "!");
    /* never for what is here */
    assert_string_equal(chosen("http://localhost", VARIABLES("http_proxy=q:2")), "");
    assert_string_equal(chosen("http://127.1.2.3", VARIABLES("http_proxy=q:2")), "");
    assert_string_equal(chosen("http://[::1]", VARIABLES("http_proxy=q:2")), "");
    assert_string_equal(chosen("http://notlocalhost", VARIABLES("http_proxy=q:2")), "q:2");
    assert_string_equal(chosen("unix:/x", VARIABLES("http_proxy=q:2", "all_proxy=q:2")), "");
}

static void no_proxy(void **state)
{
    static const struct {
        const char *url, *list;
        bool excepted;
    } CASES[] = {
        {"http://a.b", "NO_PROXY=*", true},
        {"http://a.b", "no_proxy=a.b", true},
        {"http://a.b", "no_proxy=.a.b", true},
        {"http://x.a.b", "no_proxy=a.b", true},
        {"http://x.a.b", "no_proxy=.a.b", true},
        {"http://xa.b", "no_proxy=a.b", false},
        {"http://a.b", "no_proxy=c, a.b ,d", true},
        {"http://a.b", "no_proxy=c d\ta.B", true},
        {"http://a.b", "no_proxy=c,,d", false},
        {"http://a.b", "no_proxy=b", true},
        {"http://a.b", "no_proxy=.", false},
        {"http://10.1.2.3", "no_proxy=10.0.0.0/8", true},
        {"http://10.1.2.3", "no_proxy=10.1.2.0/24", true},
        {"http://10.1.2.3", "no_proxy=10.1.3.0/24", false},
        {"http://10.1.2.3", "no_proxy=10.1.2.2/31", true},
        {"http://10.1.2.3", "no_proxy=10.1.2.2/32", false},
        {"http://10.1.2.3", "no_proxy=10.1.2.3", true},
        {"http://10.1.2.3", "no_proxy=0.0.0.0/0", true},
        {"http://10.1.2.3", "no_proxy=10.0.0.0/33", false},
        {"http://[fd00::1]", "no_proxy=fd00::/8", true},
        {"http://[fd00::1]", "no_proxy=[fd00::1]", true},
        {"http://[fd00::1]", "no_proxy=fe00::/8", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const char *got = chosen(CASES[i].url, VARIABLES("http_proxy=q:2", CASES[i].list));

        if ((got[0] == '\0') != CASES[i].excepted)
            fail_msg("%s with %s: \"%s\"", CASES[i].url, CASES[i].list, got);
    }
}

static void proxy_credentials(void **state)
{
    struct client_url u = parsed("https://a.b");
    struct err e = {0};
    struct proxy p;
    char text[2048];

    (void)state;
    environment = VARIABLES("https_proxy=http://user:p%40ss@proxy:3128/");
    assert_int_equal(proxy_for(&u, env, &p, &e), 0);
    assert_string_equal(p.host, "proxy");
    assert_string_equal(p.authorization, "Basic dXNlcjpwQHNz"); /* user:p@ss */
    environment = VARIABLES("https_proxy=user@proxy:3128");
    assert_int_equal(proxy_for(&u, env, &p, &e), 0);
    assert_string_equal(p.authorization, "Basic dXNlcjo=");
    environment = VARIABLES("https_proxy=http://user:hidden@proxy:port");
    assert_int_equal(proxy_for(&u, env, &p, &e), -EINVAL);
    assert_null(strstr(e.text, "hidden"));
    (void)snprintf(text, sizeof(text), "https_proxy=http://u:%01000d@proxy:1", 0);
    environment = VARIABLES(text);
    assert_int_equal(proxy_for(&u, env, &p, &e), -EINVAL);
    assert_false(p.used);
}

/* ---- requests */

static const struct proxy NO_PROXY;

static int head(const char *url, const struct proxy *proxy, const struct client_request *r,
                char *out, size_t bytes)
{
    struct client_url u = parsed(url);
    struct buf b;
    int x;

    buf_init(&b, 4096);
    x = request_head(&u, proxy, r, &b);
    (void)snprintf(out, bytes, "%s", buf_text(&b));
    buf_release(&b);
    return x;
}

static void request_heads(void **state)
{
    struct client_request r = {.method = "POST",
                               .path = "/push?x=1",
                               .headers = {{"X-A", "b"}, {"User-Agent", "me"}},
                               .headers_count = 2,
                               .body = "abc",
                               .bytes = 3};
    struct proxy p = {.used = true, .host = "p", .port = 1, .authorization = "Basic eA=="};
    char out[4096];

    (void)state;
    assert_int_equal(head("http://h:81/base", &NO_PROXY, &r, out, sizeof(out)), 0);
    assert_string_equal(out, "POST /push?x=1 HTTP/1.1\r\nHost: h:81\r\nX-A: b\r\nUser-Agent: me\r\n"
                             "Content-Length: 3\r\n\r\n");
    r = (struct client_request){.method = "GET", .path = ""};
    assert_int_equal(head("https://h/base", &NO_PROXY, &r, out, sizeof(out)), 0);
    assert_non_null(strstr(out, "GET /base HTTP/1.1\r\nHost: h\r\nUser-Agent: pillion/"));
    assert_null(strstr(out, "Content-Length"));
    assert_int_equal(head("http://[::1]:80", &NO_PROXY, &r, out, sizeof(out)), 0);
    assert_non_null(strstr(out, "GET / HTTP/1.1\r\nHost: [::1]\r\n"));
    assert_int_equal(head("unix:/run/x:/y", &NO_PROXY, &r, out, sizeof(out)), 0);
    assert_non_null(strstr(out, "GET /y HTTP/1.1\r\nHost: localhost\r\n"));
    /* by a proxy: absolute, with the credentials; not inside a tunnel */
    assert_int_equal(head("http://h:81/base", &p, &r, out, sizeof(out)), 0);
    assert_non_null(strstr(out, "GET http://h:81/base HTTP/1.1\r\nHost: h:81\r\n"
                                "Proxy-Authorization: Basic eA==\r\n"));
    assert_int_equal(head("https://h/base", &p, &r, out, sizeof(out)), 0);
    assert_null(strstr(out, "Proxy-"));
    r.method = "PUT";
    assert_int_equal(head("http://h", &NO_PROXY, &r, out, sizeof(out)), 0);
    assert_non_null(strstr(out, "Content-Length: 0\r\n"));
}

static void bad_requests(void **state)
{
    static const struct client_request CASES[] = {
        {.method = "GE T"},
        {.method = ""},
        {.method = "GET\r\n"},
        {.method = "GET", .path = "x"},
        {.method = "GET", .path = "/x y"},
        {.method = "GET", .path = "/x\r\nA: b"},
        {.method = "GET", .path = "/x#y"},
        {.method = "GET", .headers = {{"A", "b\r\nC: d"}}, .headers_count = 1},
        {.method = "GET", .headers = {{"A", "b\n"}}, .headers_count = 1},
        {.method = "GET", .headers = {{"A: x", "b"}}, .headers_count = 1},
        {.method = "GET", .headers = {{"", "b"}}, .headers_count = 1},
        {.method = "GET", .headers = {{"A", NULL}}, .headers_count = 1},
        {.method = "GET", .headers = {{"Host", "b"}}, .headers_count = 1},
        {.method = "GET", .headers = {{"content-length", "1"}}, .headers_count = 1},
        {.method = "GET", .headers = {{"Transfer-Encoding", "chunked"}}, .headers_count = 1},
        {.method = "GET", .headers_count = CLIENT_REQUEST_HEADERS_MAX + 1},
    };
    char out[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        assert_int_equal(head("http://h", &NO_PROXY, &CASES[i], out, sizeof(out)), -EINVAL);
}

/* ---- Retry-After */

static void retry_after(void **state)
{
    const int64_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT, of RFC 9110 */

    (void)state;
    assert_int_equal(retry_after_ms("0", now), 0);
    assert_int_equal(retry_after_ms("7", now), 7000);
    assert_int_equal(retry_after_ms("86400", now), 86400000);
    assert_int_equal(retry_after_ms("86401", now), 86400000);
    assert_int_equal(retry_after_ms("99999999999999999999999", now), 86400000);
    assert_int_equal(retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", now), 0);
    assert_int_equal(retry_after_ms("Sun, 06 Nov 1994 08:49:47 GMT", now), 10000);
    assert_int_equal(retry_after_ms("Sun, 06 Nov 1994 08:49:27 GMT", now), 0);
    assert_int_equal(retry_after_ms("Wed, 07 Dec 1994 00:00:00 GMT", now), 86400000);
    assert_int_equal(retry_after_ms("Sun, 06 Non 1994 08:50:37 GMT", now), 0);
    assert_int_equal(retry_after_ms("Sun, 00 Nov 1994 08:50:37 GMT", now), 0);
    assert_int_equal(retry_after_ms("Sun, 06 Nov 1994 08:50:37 CET", now), 0);
    assert_int_equal(retry_after_ms("Sun, 06 Nov 1994 08:50:37 GMTx", now), 0);
    assert_int_equal(retry_after_ms("-1", now), 0);
    assert_int_equal(retry_after_ms("1.5", now), 0);
    assert_int_equal(retry_after_ms("soon", now), 0);
    assert_int_equal(retry_after_ms("", now), 0);
}

/* ---- limits of an answer's head, at the limit and one above */

static enum response_result feed(struct response *r, const char *text)
{
    enum response_result x = RESPONSE_MORE;
    size_t left = strlen(text), used = 0;

    response_init(r, RESPONSE_TO_ANY, 10, false);
    while (left && x == RESPONSE_MORE) {
        size_t n = left < RESPONSE_FEED_BYTES ? left : RESPONSE_FEED_BYTES;

        x = response_feed(r, text, n, &used);
        text += n;
        left -= n;
    }
    return x;
}

static enum response_result with_headers(size_t count, size_t last_bytes)
{
    struct response r;
    struct buf b;
    enum response_result x;

    buf_init(&b, 65536);
    buf_puts(&b, "HTTP/1.1 204 No\r\n");
    for (size_t i = 1; i < count; i++)
        buf_printf(&b, "X-%zu: y\r\n", i);
    /* the head has ${last_bytes} in all */
    buf_puts(&b, "Last: ");
    while (b.len < last_bytes - 4)
        buf_putc(&b, 'a');
    buf_puts(&b, "\r\n\r\n");
    x = feed(&r, buf_text(&b));
    if (x == RESPONSE_DONE) {
        assert_int_equal(r.headers_count, count);
        assert_non_null(response_header(&r, "LAST"));
    }
    response_release(&r);
    buf_release(&b);
    return x;
}

static void head_limits(void **state)
{
    (void)state;
    assert_int_equal(with_headers(CLIENT_HEADERS_MAX, 2000), RESPONSE_DONE);
    assert_int_equal(with_headers(CLIENT_HEADERS_MAX + 1, 2000), RESPONSE_LARGE);
    assert_int_equal(with_headers(2, CLIENT_HEAD_MAX_BYTES), RESPONSE_DONE);
    assert_int_equal(with_headers(2, CLIENT_HEAD_MAX_BYTES + 1), RESPONSE_LARGE);
}

static void endings(void **state)
{
    struct response r;

    (void)state;
    /* trailers and extensions are read over, a few of them */
    assert_int_equal(feed(&r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
                              "3;a=\"b\"\r\nabc\r\n0\r\nX-Late: y\r\n\r\n"),
                     RESPONSE_DONE);
    assert_int_equal(r.body.len, 3);
    assert_null(response_header(&r, "x-late"));
    response_release(&r);
    /* until the end, where nothing else says it */
    assert_int_equal(feed(&r, "HTTP/1.1 200 OK\r\n\r\nabc"), RESPONSE_MORE);
    assert_int_equal(response_end(&r), RESPONSE_DONE);
    assert_false(r.keep_alive);
    response_release(&r);
    assert_int_equal(feed(&r, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"), RESPONSE_MORE);
    assert_int_equal(response_end(&r), RESPONSE_BAD);
    response_release(&r);
    assert_int_equal(feed(&r, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"),
                     RESPONSE_DONE);
    assert_true(r.keep_alive);
    response_release(&r);
    assert_int_equal(feed(&r, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n"), RESPONSE_LARGE);
    assert_int_equal(response_status(&r), 200);
    response_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_urls),     cmocka_unit_test(bad_urls),
        cmocka_unit_test(url_limits),    cmocka_unit_test(which_proxy),
        cmocka_unit_test(no_proxy),      cmocka_unit_test(proxy_credentials),
        cmocka_unit_test(request_heads), cmocka_unit_test(bad_requests),
        cmocka_unit_test(retry_after),   cmocka_unit_test(head_limits),
        cmocka_unit_test(endings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
