/* auth/certificate.c: which entry of auth.certificates a verified certificate is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/certificate.h"

static struct config config;

static struct config_certificate *entry(const char *name, uint32_t scopes)
{
    struct config_certificate *c = &config.auth.certificates[config.auth.certificates_count++];

    (void)snprintf(c->name, sizeof(c->name), "%s", name);
    c->scopes = scopes;
    return c;
}

static void has(struct auth_peer *peer, enum auth_name kind, const char *text)
{
    struct auth_peer_name *n = &peer->names[peer->count++];

    n->kind = (uint8_t)kind;
    n->at = (uint16_t)peer->used;
    (void)snprintf(peer->text + peer->used, sizeof(peer->text) - peer->used, "%s", text);
    peer->used += strlen(text) + 1;
}

static int setup(void **state)
{
    (void)state;
    config_defaults(&config);
    return 0;
}

static void test_uri_exact(void **state)
{
    (void)state;
    assert_true(auth_certificate_uri_fits("spiffe://a/ns/x", "spiffe://a/ns/x"));
    assert_false(auth_certificate_uri_fits("spiffe://a/ns/x", "spiffe://a/ns/x/"));
    assert_false(auth_certificate_uri_fits("spiffe://a/ns/x", "spiffe://a/ns/X"));
    assert_false(auth_certificate_uri_fits("spiffe://a/ns/x", "spiffe://a/ns"));
    assert_false(auth_certificate_uri_fits("spiffe://a/ns/x", "spiffe://a/ns/xy"));
    /* a star elsewhere is a character */
    assert_false(auth_certificate_uri_fits("spiffe://a/*/x", "spiffe://a/ns/x"));
    assert_true(auth_certificate_uri_fits("spiffe://a/*/x", "spiffe://a/*/x"));
    assert_false(auth_certificate_uri_fits("spiffe://a/ns*", "spiffe://a/nsx"));
}

static void test_uri_prefix(void **state)
{
    static const struct {
        const char *uri;
        bool fits;
    } TABLE[] = {
        {"spiffe://a/ns/b", true},      {"spiffe://a/ns/b/sa/c", true},
        {"spiffe://a/ns/.b", true},     {"spiffe://a/ns/...", true},
        {"spiffe://a/nsx", false},      {"spiffe://a/nsx/b", false},
        {"spiffe://a/ns", false},       {"spiffe://a/ns/", false},
        {"spiffe://a/ns//b", false},    {"spiffe://a/ns/b/", false},
        {"spiffe://a/ns/..", false},    {"spiffe://a/ns/.", false},
        {"spiffe://a/ns/../x", false},  {"spiffe://a/ns/b/../../x", false},
        {"spiffe://a/ns/b/./c", false}, {"spiffe://a/ns/%2e%2e/x", false},
        {"spiffe://a/ns/b%2fc", false}, {"spiffe://a/ns/b?x", false},
        {"spiffe://a/ns/b#x", false},   {"spiffe://a/ns/b\\c", false},
        {"spiffe://A/ns/b", false},     {"spiffe://a.evil/ns/b", false},
        {"spiffe://a/x/ns/b", false},   {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        if (auth_certificate_uri_fits("spiffe://a/ns/*", TABLE[i].uri) != TABLE[i].fits)
            fail_msg("%s", TABLE[i].uri);
    }
    assert_true(auth_certificate_uri_fits("spiffe://a/*", "spiffe://a/ns/b"));
    /* a star is never a host */
    assert_false(auth_certificate_uri_fits("spiffe://*", "spiffe://a/ns"));
    assert_false(auth_certificate_uri_fits("spiffe://*", "spiffe://a"));
    assert_false(auth_certificate_uri_fits("spiffe:///*", "spiffe:///a"));
    assert_false(auth_certificate_uri_fits("://a/*", "://a/b"));
    assert_false(auth_certificate_uri_fits("/*", "/a"));
    assert_false(auth_certificate_uri_fits("*", "a"));
    assert_false(auth_certificate_uri_fits("a/*", "a/b"));
}

static void test_kinds(void **state)
{
    struct auth_peer peer = {.verified = true};
    const struct config_certificate *list = config.auth.certificates;

    (void)state;
    (void)snprintf(entry("cn", 1)->cn, CONFIG_TEXT_BYTES, "same");
    (void)snprintf(entry("email", 2)->email, CONFIG_TEXT_BYTES, "a@b");
    (void)snprintf(entry("dns", 4)->dns, CONFIG_TEXT_BYTES, "host.example");
    (void)snprintf(entry("uri", 8)->uri, CONFIG_TEXT_BYTES, "spiffe://a/b");
    (void)snprintf(entry("wide", 16)->uri, CONFIG_TEXT_BYTES, "spiffe://a/*");
    assert_int_equal(auth_certificate_find(list, 5, &peer), -ENOENT);
    has(&peer, AUTH_NAME_DNS, "same"); /* as a DNS name it is no common name */
    has(&peer, AUTH_NAME_EMAIL, "host.example");
    has(&peer, AUTH_NAME_DNS, "HOST.example");
    has(&peer, AUTH_NAME_DNS, "");
    assert_int_equal(auth_certificate_find(list, 5, &peer), -ENOENT);
    has(&peer, AUTH_NAME_URI, "spiffe://a/b"); /* the first of the list, narrow before wide */
    assert_int_equal(auth_certificate_find(list, 5, &peer), 3);
    has(&peer, AUTH_NAME_DNS, "host.example");
    assert_int_equal(auth_certificate_find(list, 5, &peer), 2);
    has(&peer, AUTH_NAME_EMAIL, "a@b");
    assert_int_equal(auth_certificate_find(list, 5, &peer), 1);
    has(&peer, AUTH_NAME_CN, "same");
    assert_int_equal(auth_certificate_find(list, 5, &peer), 0);
    peer.verified = false;
    assert_int_equal(auth_certificate_find(list, 5, &peer), -ENOENT);
    assert_int_equal(auth_certificate_find(list, 5, NULL), -ENOENT);
    assert_string_equal(auth_peer_name(&peer, AUTH_NAME_DNS, 1), "HOST.example");
    assert_null(auth_peer_name(&peer, AUTH_NAME_CN, 1));
}

static void judge(const struct auth_peer *peer, const char *token, struct auth_verdict *ret)
{
    struct auth_request r = {
        .peer = peer, .token = token, .token_bytes = token ? strlen(token) : 0};
    struct auth *a = NULL;

    assert_int_equal(auth_new(&config, "plln_0123456789abcdef", &a, NULL), 0);
    auth_judge(a, &r, ret, NULL);
    auth_free(a);
}

/* certificate, token, both, neither */
static void test_judge(void **state)
{
    struct auth_peer peer = {.verified = true}, other = {.verified = true};
    struct auth_verdict v;

    (void)state;
    has(&peer, AUTH_NAME_URI, "spiffe://a/b");
    has(&other, AUTH_NAME_URI, "spiffe://a/c");
    /* no entry: a certificate names nobody, and is in nobody's way */
    judge(&peer, NULL, &v);
    assert_false(v.known);
    assert_int_equal(v.method, AUTH_NONE);
    config.auth.anonymous = CONFIG_SCOPE_HEAP;
    judge(&peer, NULL, &v);
    assert_true(v.known);
    assert_string_equal(v.name, "anonymous");
    (void)snprintf(entry("alloy", CONFIG_SCOPE_SCRAPE)->uri, CONFIG_TEXT_BYTES, "spiffe://a/b");
    judge(&peer, NULL, &v);
    assert_true(v.known);
    assert_string_equal(v.name, "alloy");
    assert_int_equal(v.method, AUTH_CERTIFICATE);
    assert_int_equal(v.scopes, CONFIG_SCOPE_SCRAPE);
    /* a verified stranger is not the anonymous one */
    judge(&other, NULL, &v);
    assert_false(v.known);
    assert_int_equal(v.scopes, 0);
    assert_non_null(strstr(v.why, "auth.certificates"));
    /* a token names the identity; a wrong one is not made good */
    judge(&peer, "plln_0123456789abcdef", &v);
    assert_true(v.known);
    assert_string_equal(v.name, "start");
    judge(&other, "plln_0123456789abcdef", &v);
    assert_true(v.known);
    judge(&peer, "plln_wrong", &v);
    assert_false(v.known);
    peer.verified = false;
    judge(&peer, NULL, &v);
    assert_false(v.known);
    judge(NULL, NULL, &v);
    assert_true(v.known);
    assert_string_equal(v.name, "anonymous");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_uri_exact, setup),
        cmocka_unit_test_setup(test_uri_prefix, setup),
        cmocka_unit_test_setup(test_kinds, setup),
        cmocka_unit_test_setup(test_judge, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
