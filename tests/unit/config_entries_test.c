/*
 * config/: entries of lists, ranges, URLs, files and what follows from several keys: what is
 * taken, what it becomes, and where an error is.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "config/cidr.h"
#include "config/files.h"
#include "config/regex.h"
#include "config/url.h"
#include "config/weak.h"

static struct config config;
static struct err err;

static int parse(const char *text)
{
    err_clear(&err);
    return config_parse(&config, "c.yaml", text, strlen(text), &err);
}

static void must(const char *text)
{
    if (parse(text) != 0)
        fail_msg("%s\n%s", err.text, text);
}

/* The beginning of the error. */
static void refuse(const char *text, const char *want)
{
    if (parse(text) == 0)
        fail_msg("taken: %s", text);
    if (strncmp(err.text, want, strlen(want)) != 0)
        fail_msg("\"%s\"\ninstead of\n\"%s\"", err.text, want);
}

static void ranges_of_addresses(void **state)
{
    static const struct {
        const char *text, *printed;
        unsigned bits;
    } good[] = {
        {"10.0.0.0/8", "10.0.0.0/8", 104},
        {"127.0.0.1", "127.0.0.1/32", 128},
        {"0.0.0.0/0", "0.0.0.0/0", 96},
        {"10.1.2.3/32", "10.1.2.3/32", 128},
        {"::/0", "::/0", 0},
        {"2001:db8::/32", "2001:db8::/32", 32},
        {"::1", "::1/128", 128},
        {"::1/128", "::1/128", 128},
        {"::ffff:10.0.0.0/104", "10.0.0.0/8", 104},
        {"128.0.0.0/1", "128.0.0.0/1", 97},
    };
    static const char *const bad[] = {
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8 ",
        "10.0.0/8",
        "host/8",
        "::/129",
        "::/0x1",
        "[::1]",
        "10.0.0.1/8",
        "2001:db8::1/32",
        "::1/127",
        "1.2.3.4/8/8",
        "128.0.0.0/0",
        "fe80::1%lo",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct config_cidr c;
        struct buf out;

        if (config_cidr_parse(good[i].text, &c, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(c.bits, good[i].bits);
        buf_init(&out, 128);
        config_cidr_print(&c, &out);
        assert_string_equal(buf_text(&out), good[i].printed);
        buf_release(&out);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct config_cidr c;

        if (config_cidr_parse(bad[i], &c, &err) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
    }
    must("admin: {allow_from: 10.1.0.0/16}");
    assert_int_equal(config.admin.allow_from_count, 1);
    assert_memory_equal(config.admin.allow_from[0].address,
                        "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\0\0", 16);
    refuse("admin: {allow_from: [10.1.0.0/8]}",
           "c.yaml:1:22: \"10.1.0.0/8\" has bits behind its prefix");
    refuse("admin: {trusted_proxies: [proxy]}", "c.yaml:1:27: \"proxy\" is no range");
}

static void urls(void **state)
{
    static const char *const good[] = {
        "https://host",      "http://host:1/",        "https://a.b-c_d.example:65535/x/y%20z",
        "http://[::1]:80/p", "https://1.2.3.4/a:b@c", "unix:/run/app.sock:/debug/pprof",
    };
    static const char *const bad[] = {
        "host",
        "//host",
        "ftp://host",
        "https:/host",
        "https://",
        "https:///x",
        "HTTPS://host",
        "https://host:",
        "https://host:0",
        "https://host:65536",
        "https://host:8x",
        "https://user@host",
        "https://u:p@host",
        "https://host?a=b",
        "https://host/x?a=b",
        "https://host/#x",
        "https://host/a b",
        "https://h\xc3\xb6st",
        "https://host/\xc3\xa4",
        "https://[::1",
        "https://[::g]",
        "https://[::1]x",
        "https://ho st",
        "https://*.x",
        "unix:run:/x",
        "unix:/",
        "unix:/x",
        "unix:/x:y",
        "unix::/x",
    };
    const uint32_t kinds = CONFIG_URL_HTTP | CONFIG_URL_HTTPS | CONFIG_URL_UNIX_PATH;
    char path[160] = "unix:/";

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (config_url_check(good[i], kinds, &err) != 0)
            fail_msg("%s: %s", good[i], err.text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (config_url_check(bad[i], kinds, &err) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
        assert_null(strstr(err.text, "u:p")); /* nor is it shown */
    }
    assert_int_equal(config_url_check("http://x", CONFIG_URL_HTTPS, &err), -EINVAL);
    assert_int_equal(config_url_check("unix:/x", CONFIG_URL_UNIX, &err), 0);
    assert_int_equal(config_url_check("unix:/x:/y", CONFIG_URL_UNIX, &err), -EINVAL);
    memset(path + 6, 'a', 106); /* sun_path has 108 bytes with the NUL */
    assert_int_equal(config_url_check(path, CONFIG_URL_UNIX, &err), 0);
    path[6 + 106] = 'a';
    assert_int_equal(config_url_check(path, CONFIG_URL_UNIX, &err), -EINVAL);
    assert_true(config_url_is_open("http://otelcol:4318"));
    assert_true(config_url_is_open("http://10.0.0.1/x"));
    assert_false(config_url_is_open("https://otelcol"));
    assert_false(config_url_is_open("http://localhost:1/x"));
    assert_false(config_url_is_open("http://127.3.2.1:1"));
    assert_false(config_url_is_open("http://[::1]:1"));
    assert_false(config_url_is_open("unix:/x"));
}

static void callers(void **state)
{
    (void)state;
    refuse("auth: {basic: {htpasswd: /h}}", "c.yaml:1:8: basic needs scopes, like [view]");
    refuse("auth: {basic: {scopes: [cpu]}}", "c.yaml:1:8: basic needs htpasswd");
    must("auth: {basic: {htpasswd: /h, scopes: []}}");
    refuse("auth: {kubernetes: {scopes: [cpu]}}", "c.yaml:1:8: kubernetes needs audiences");
    refuse("auth: {kubernetes: {audiences: [a]}}", "c.yaml:1:8: kubernetes needs scopes");
    refuse("auth: {kubernetes: {api: 'http://x'}}", "c.yaml:1:26: \"api\": right is https://host");
#define CERTIFICATE(rest) "{admin: {tls: {client_ca: /c}}, auth: {certificates: [" rest "]}}"
    must(CERTIFICATE("{name: a, cn: x, scopes: []}"));
    assert_int_equal(config.admin.client_auth, CONFIG_CLIENT_OPTIONAL);
    refuse(CERTIFICATE("{name: a, scopes: []}"), "c.yaml:1:55: a certificate needs one of");
    refuse(CERTIFICATE("{name: a, cn: x, dns: y, scopes: []}"), "c.yaml:1:55: a certificate needs");
    refuse(CERTIFICATE("{name: a, cn: x}"), "c.yaml:1:55: a certificate needs scopes, like");
    refuse(CERTIFICATE("{name: start, cn: x, scopes: []}"), "c.yaml:1:55: the name \"start\" is");
    refuse(CERTIFICATE("{name: a, cn: x, scopes: []}, {name: a, cn: y, scopes: []}"),
           "c.yaml:1:85: two certificates are named \"a\"");
    must(CERTIFICATE("{name: a, uri: 'spiffe://d/ns/*', scopes: []}"));
    must(CERTIFICATE("{name: a, uri: 'spiffe://d/*', scopes: []}"));
    refuse(CERTIFICATE("{name: a, uri: 'spiffe://d/n*', scopes: []}"),
           "c.yaml:1:70: a star stands");
    refuse(CERTIFICATE("{name: a, uri: 'spiffe://*', scopes: []}"), "c.yaml:1:70: a star stands");
    refuse(CERTIFICATE("{name: a, uri: 'spiffe://*/a', scopes: []}"), "c.yaml:1:70: a star");
    refuse(CERTIFICATE("{name: a, uri: '*', scopes: []}"), "c.yaml:1:70: a star stands");
    refuse(CERTIFICATE("{name: a, uri: '/*', scopes: []}"), "c.yaml:1:70: a star stands");
    refuse("auth: {certificates: [{name: a, cn: x, scopes: []}]}",
           "c.yaml:1:8: certificates need admin.tls.client_ca");
    refuse("admin: {tls: {client_auth: required}}", "c.yaml:1:15: client_auth needs client_ca");
    refuse("admin: {tls: {crl: /x}}", "c.yaml:1:15: crl needs client_ca");
    must("admin: {tls: {client_ca: /c, client_auth: off, crl: [/a, /b]}}");
    assert_int_equal(config.admin.client_auth, CONFIG_CLIENT_OFF);
    assert_string_equal(config.admin.crls[1], "/b");
#define ISSUER(rest) "auth: {jwt: [{issuer: i, audience: a, " rest "scopes: []}]}"
    must(ISSUER("jwks: k.json, "));
    refuse(ISSUER(""), "c.yaml:1:14: an issuer needs jwks");
    refuse(ISSUER("jwks: 'http://x', "), "c.yaml:1:45: \"jwks\": right is https://host");
    refuse(ISSUER("jwks: k.json, ca: /c, "), "c.yaml:1:57: ca is for a jwks that is a URL");
    refuse("auth: {jwt: [{issuer: i, audience: a, jwks: k, scopes: []}, "
           "{issuer: i, audience: a, jwks: l, scopes: [cpu]}]}",
           "c.yaml:1:61: this issuer, audience and subject are here twice");
}

static void schedule(void **state)
{
    (void)state;
    must("");
    assert_int_equal(config.collect.every_ms, 0);
    assert_int_equal(config.collect.profiles_count, 0);
    must("collect: {}");
    assert_int_equal(config.collect.every_ms, 60000);
    assert_int_equal(config.collect.profiles_count, 3);
    assert_string_equal(config.collect.profiles[0].type, "cpu");
    assert_int_equal(config.collect.profiles[0].seconds, 10);
    assert_int_equal(config.collect.profiles[0].hz, 100);
    assert_string_equal(config.collect.profiles[2].type, "goroutine");
    must("collect:");
    assert_int_equal(config.collect.profiles_count, 3);
    must("collect: {profiles: []}");
    assert_int_equal(config.collect.every_ms, 60000);
    assert_int_equal(config.collect.profiles_count, 0);
    must("{collect: {every: 4s}, limits: {hz: 50}}"); /* both defaults follow */
    assert_int_equal(config.collect.profiles[0].seconds, 4);
    assert_int_equal(config.collect.profiles[0].hz, 50);
    must("collect: {every: 0s}");
    assert_int_equal(config.collect.every_ms, 0);
    must("collect: {every: 1s, profiles: [{type: heap}]}");
    refuse("collect: {every: 999ms}", "c.yaml:1:11: every is 0s (off) or at least 1s");
    must("collect: {every: 60s, profiles: [{type: cpu, seconds: 60}]}");
    refuse("collect: {every: 60s, profiles: [{type: cpu, seconds: 61}]}",
           "c.yaml:1:23: 61 seconds of cpu do not fit into every 60 seconds");
    refuse("collect: {profiles: [{type: cpu, seconds: 11, every: 10s}]}",
           "c.yaml:1:11: 11 seconds of cpu do not fit into every 10 seconds");
    must("collect: {profiles: [{type: cpu, hz: 1000}]}");
    refuse("collect: {profiles: [{type: cpu, hz: 1001}]}",
           "c.yaml:1:11: hz (1001) is above limits.hz (1000)");
    refuse("collect: {profiles: [{type: heap, seconds: 1}]}", "c.yaml:1:44: seconds are for cpu");
    refuse("collect: {profiles: [{type: heap, hz: 1}]}", "c.yaml:1:39: hz is for cpu and wall");
    refuse("collect: {profiles: [{type: heap}, {type: heap}]}", "c.yaml:1:36: type \"heap\" is");
    refuse("collect: {profiles: [{seconds: 1}]}", "c.yaml:1:22: a profile needs a type");
    refuse("collect: {profiles: [{type: trace}]}", "c.yaml:1:29: \"type\" takes one of cpu, heap");
#define SCRAPE(rest) "collect: {scrape: {url: 'https://x', " rest "}}"
    must(SCRAPE("types: [heap, example.com/a/b.c, '.x']"));
    refuse(SCRAPE("types: ['../heap']"), "c.yaml:1:46: \"types\" takes a list of profiles' names");
    refuse(SCRAPE("types: ['a//b']"), "c.yaml:1:46: ");
    refuse(SCRAPE("types: ['a/']"), "c.yaml:1:46: ");
    refuse(SCRAPE("types: ['a?b']"), "c.yaml:1:46: ");
    refuse(SCRAPE("types: ['']"), "c.yaml:1:46: ");
    refuse(SCRAPE("basic: {user: u}"), "c.yaml:1:11: basic needs both user and password_file");
    refuse(SCRAPE("token_file: t, basic: {user: u, password_file: p}"),
           "c.yaml:1:11: either basic or token_file");
    refuse(SCRAPE("tls: {key: k}"), "c.yaml:1:11: tls needs both");
    refuse("collect: {scrape: {types: [heap]}}", "c.yaml:1:11: scrape needs a url");
    refuse("collect: {scrape: {url: 'http://x', tls: {ca: /c}}}", "c.yaml:1:11: tls: is given");
}

static void redactions(void **state)
{
    (void)state;
    must("redact: [{match: 'a+', replace: b}]");
    assert_int_equal(config.redact_count, 1);
    assert_int_equal(config.redact[0].in, 7);
    refuse("redact: [{match: 'a*'}]", "c.yaml:1:18: the pattern matches an empty text");
    refuse("redact: [{match: '^'}]", "c.yaml:1:18: the pattern matches an empty text");
    refuse("redact: [{match: '('}]", "c.yaml:1:18: no regular expression: ");
    refuse("redact: [{match: '(a)\\1'}]", "c.yaml:1:18: back-references");
    refuse("redact: [{match: 'a{257}'}]", "c.yaml:1:18: the {n,m} of the pattern");
    refuse("redact: [{replace: x}]", "c.yaml:1:10: a redaction needs match");
    refuse("redact: [{match: a, in: []}]", "c.yaml:1:10: \"in\" names nothing");
    refuse("redact: [{match: a, in: [name]}]",
           "c.yaml:1:26: \"in\" takes a list of names, files, labels");
    assert_true(config_regex_matches_nothing("("));
}

#define BACKEND(rest) "forward: [{name: a, type: " rest "}]"

static void backends(void **state)
{
    static const char *const least[] = {
        "pyroscope, url: 'http://x'",
        "parca, url: 'http://x'",
        "polarsignals, url: 'https://x'",
        "datadog, url: unix:/x",
        "google",
        "otlp, url: 'http://x'",
        "directory, path: /p",
        "s3, url: 'https://x', bucket: b, region: r, access_key_id: i, secret_access_key_file: f",
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(least) / sizeof(least[0]); i++) {
        const char *comma = strrchr(least[i], ',');

        (void)snprintf(text, sizeof(text), BACKEND("%s"), least[i]);
        must(text);
        assert_int_equal(config.forward_count, 1);
        assert_int_equal(config.forward[0].timeout_ms, 10000);
        assert_int_equal(config.forward[0].max_age_ms, i == 0 ? 3600000 : 0);
        if (!comma)
            continue;
        (void)snprintf(text, sizeof(text), BACKEND("%.*s"), (int)(comma - least[i]), least[i]);
        assert_int_equal(parse(text), -EINVAL);
        assert_non_null(strstr(err.text, " needs "));
    }
    refuse(BACKEND("parca"), "c.yaml:1:11: type parca needs url");
    refuse(BACKEND("polarsignals, url: 'https://x', tenant: t"),
           "c.yaml:1:59: \"tenant\" makes no sense for type polarsignals");
    refuse(BACKEND("google, bearer_file: b"), "c.yaml:1:35: \"bearer_file\" makes no sense for");
    refuse(BACKEND("directory, path: /p, url: 'http://x'"), "c.yaml:1:48: \"url\" makes no sense");
    refuse(BACKEND("google, format: json"), "c.yaml:1:43: this format makes no sense for type goo");
    refuse(BACKEND("otlp, url: 'http://x', format: json"),
           "c.yaml:1:58: this format makes no sense for type otlp");
    refuse(BACKEND("parca, url: 'http://x', format: ingest"), "c.yaml:1:59: this format makes no");
    refuse(BACKEND("google, format: xml"), "c.yaml:1:43: \"format\" takes one of default, json");
    refuse(BACKEND("parca, url: unix:/x"), "c.yaml:1:39: unix: is for datadog's agent only");
    refuse(BACKEND("parca, url: 'http://x', tls: {ca: c}"), "c.yaml:1:39: tls: is given, but");
    refuse(BACKEND("parca, url: 'https://x', tls: {key: c}"), "c.yaml:1:11: tls needs both");
    refuse(BACKEND("parca, url: 'https://u:p@x'"),
           "c.yaml:1:39: \"url\": a URL must not hold a user or a password");
    refuse(BACKEND("parca, url: 'https://x', basic: {user: u}"), "c.yaml:1:11: basic needs both");
    refuse(BACKEND("parca, url: 'https://x', bearer_file: b, basic: {user: u, password_file: p}"),
           "c.yaml:1:11: either basic or bearer_file");
    refuse(BACKEND("otlp, url: 'https://x', path: v1"),
           "c.yaml:1:57: \"path\" of otlp begins with");
    refuse(BACKEND("kafka"), "c.yaml:1:27: \"type\" takes one of pyroscope, parca");
    refuse("forward: [{type: google}]", "c.yaml:1:11: a backend needs a name");
    refuse("forward: [{name: a}]", "c.yaml:1:11: a backend needs a type");
    refuse("forward: [{name: .., type: google}]", "c.yaml:1:11: a backend's name must not begin");
    refuse("forward: [{name: a, type: google}, {name: a, type: google}]",
           "c.yaml:1:36: two backends are named \"a\"");
    refuse("forward: {name: a, type: google}", "c.yaml:1:10: \"forward\" takes a list of maps");
    err_clear(&err);
    assert_int_equal(config_parse(&config, "/etc/p/c.yaml", BACKEND("directory, path: d"),
                                  strlen(BACKEND("directory, path: d")), &err),
                     0);
    assert_string_equal(config.forward[0].path, "/etc/p/d");
}

static void numbers_of_peers(void **state)
{
    (void)state;
    must("admin: {unix_peers: {uids: [0, 4294967294]}}");
    assert_int_equal(config.admin.unix_peers.uids[1], UINT32_MAX - 1);
    refuse("admin: {unix_peers: {uids: [4294967295]}}",
           "c.yaml:1:29: \"uids\" takes a list of num");
    refuse("admin: {unix_peers: {gids: [-1]}}", "c.yaml:1:29: ");
    refuse("admin: {unix_peers: {gids: [root]}}", "c.yaml:1:29: ");
}

static void unsafe_ways(void **state)
{
    (void)state;
    must("target: {unsafe: {set_heap_profile_rate: 0}}");
    assert_int_equal(config.select, PLAN_SELECT_AUTO);
    assert_int_equal(config.unsafe.heap_profile_rate, 0);
    assert_int_equal(config.unsafe.block_profile_rate, -1);
    must("target: {unsafe: {ptrace_sampling: true}, pid: 7}");
    assert_int_equal(config.select_number, 7);
    assert_true(config.unsafe.ptrace_sampling);
    refuse("target: {unsafe: {}, pid: 7, port: 8}", "c.yaml:1:9: \"target\" takes auto or one of");
    refuse("target: {unsafe: {set_heap: 1}}", "c.yaml:1:19: unknown key \"set_heap\"");
}

/* "key=path" of each, separated by spaces. */
static void note(void *data, const char *key, enum config_file use, const char *path)
{
    static const char *const uses[] = {"?", "public", "certificate", "secret", "folder"};

    buf_printf(data, "%s %s=%s ", uses[use], key, path);
}

static void files(void **state)
{
    struct buf out;

    (void)state;
    must(
        "{admin: {tls: {client_ca: /ca, crl: [/1.crl, /2.crl]}}, spool: {dir: /s},\n"
        "auth: {tokens: [{name: a, file: /t, scopes: []}], kubernetes: {audiences: a, scopes: [],\n"
        " ca: /k}, jwt: [{issuer: i, audience: a, jwks: 'https://x', scopes: []},\n"
        " {issuer: j, audience: a, jwks: /j, scopes: []}]}, forward: [{name: d, path: /d,\n"
        " type: directory}, {name: p, type: parca, url: 'https://x', bearer_file: /b,\n"
        " tls: {certificate: /crt, key: /key}}]}");
    buf_init(&out, 4096);
    config_files(&config, note, &out);
    assert_string_equal(buf_text(&out),
                        "certificate admin.tls.client_ca=/ca public admin.tls.crl=/1.crl "
                        "public admin.tls.crl=/2.crl secret auth.tokens.file=/t "
                        "public auth.jwt.jwks=/j public auth.kubernetes.ca=/k "
                        "secret forward.bearer_file=/b "
                        "certificate forward.tls.certificate=/crt secret forward.tls.key=/key "
                        "folder spool.dir=/s folder forward.path=/d "
                        "secret auth.kubernetes.token_file=" CONFIG_SERVICE_ACCOUNT "/token ");
    buf_release(&out);
    assert_true(config_connects(&config));
    must(BACKEND("directory, path: /d"));
    assert_false(config_connects(&config));
    must("auth: {jwt: [{issuer: i, audience: a, jwks: 'https://x', scopes: []}]}");
    assert_true(config_connects(&config));
    must("collect: {scrape: {url: 'unix:/x:/y'}}");
    assert_true(config_connects(&config));
}

/* A sidecar that runs as nobody could not read these again. */
static void who_keeps_the_uid(void **state)
{
    static const char *const texts[] = {
        "spool: {dir: /s}",
        "history: {dir: /s}",
        "auth: {basic: {htpasswd: /h, scopes: []}}",
        "auth: {kubernetes: {audiences: a, scopes: []}}",
        "admin: {tls: {client_ca: /c}}",
        BACKEND("directory, path: /d"),
        BACKEND("datadog, url: unix:/x"),
        BACKEND("google, credentials_file: /x"),
        "collect: {scrape: {url: 'unix:/x:/y'}}",
        "collect: {scrape: {url: 'http://x', token_file: /t}}",
    };
    struct plan plan;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        must(texts[i]);
        config_plan(&config, &plan);
        assert_int_equal(plan.front_uid_drop, 0);
    }
    must(BACKEND("parca, url: 'http://x'"));
    config_plan(&config, &plan);
    assert_int_equal(plan.front_uid_drop, 1);
}

static void drain(void **state)
{
    const char *why = "";
    struct plan plan;

    (void)state;
    must("");
    config_plan(&config, &plan);
    assert_int_equal(plan.drain_ms, 22000);
    must("drain: 60s");
    config_plan(&config, &plan);
    assert_int_equal(plan.drain_ms, 62000);
    assert_int_equal(plan_check(&plan, sizeof(plan), &why), 0);
    refuse("drain: 61s",
           "c.yaml:1:8: \"drain\" takes a duration like 500ms, 10s, 5m, 7d; at most 1m");
}

static void note_weak(void *data, const char *where, const char *what)
{
    (void)what;
    buf_printf(data, "%s ", where);
}

static void weaknesses(void **state)
{
    static const struct {
        const char *text, *where;
    } rows[] = {
        {"", ""},
        {"auth: {anonymous: {scopes: [cpu]}}", "auth.anonymous "},
        {"admin: {tls: off}", "admin.tls: off "},
        {"admin: {proxy_protocol: true}", "admin.proxy_protocol "},
        {"admin: {proxy_protocol: true, trusted_proxies: 10.0.0.0/8}", ""},
        {"admin: {trusted_proxies: 0.0.0.0/0}", "admin.trusted_proxies "},
        {"admin: {trusted_proxies: [10.0.0.0/8, '::/0']}", "admin.trusted_proxies "},
        {"auth: {jwt: [{issuer: i, audience: a, jwks: k, scopes: [cpu]}]}", "auth.jwt "},
        {"auth: {jwt: [{issuer: i, audience: a, jwks: k, subject: s, scopes: [cpu]}]}", ""},
        {"auth: {kubernetes: {audiences: a, scopes: [], non_resource: true}}",
         "auth.kubernetes.non_resource "},
        {"target: {unsafe: {set_mutex_profile_fraction: 0}}", "target.unsafe "},
        {"target: {unsafe: {ptrace_sampling: true}}", "target.unsafe.ptrace_sampling "},
        {"collect: {}", "collect "},
        {"{collect: {}, history: {dir: /h}}", ""},
        {BACKEND("directory, path: /d"), "forward spool "},
        {"{collect: {}, spool: {dir: /s}, " BACKEND("parca, url: 'http://x', bearer_file: b") "}",
         "forward "},
        {"{collect: {}, spool: {dir: /s}, " BACKEND("parca, url: 'http://x'") "}", ""},
        {"{collect: {}, spool: {dir: /s}, " BACKEND("parca, url: 'https://x', bearer_file: b") "}",
         ""},
        {"drain: 27s", ""},
        {"drain: 28s", "drain "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out;

        must(rows[i].text);
        buf_init(&out, 4096);
        config_weak(&config, note_weak, &out);
        if (strcmp(buf_text(&out), rows[i].where) != 0)
            fail_msg("%s: \"%s\"", rows[i].text, buf_text(&out));
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_addresses),
        cmocka_unit_test(urls),
        cmocka_unit_test(callers),
        cmocka_unit_test(schedule),
        cmocka_unit_test(redactions),
        cmocka_unit_test(backends),
        cmocka_unit_test(numbers_of_peers),
        cmocka_unit_test(unsafe_ways),
        cmocka_unit_test(files),
        cmocka_unit_test(who_keeps_the_uid),
        cmocka_unit_test(drain),
        cmocka_unit_test(weaknesses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
