/* config/: what a file may say, what it becomes, and exactly where an error is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/bind.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/tree.h"
#include "wire/wire.h"

#define HASH_A "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"

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

/* The whole error text, or its beginning when ${want} ends with "...". */
static void refuse(const char *text, const char *want)
{
    size_t bytes = strlen(want);

    if (parse(text) == 0)
        fail_msg("taken: %s", text);
    if (bytes > 3 && strcmp(want + bytes - 3, "...") == 0)
        bytes -= 3;
    else
        bytes++;
    if (strncmp(err.text, want, bytes) != 0)
        fail_msg("\"%s\"\ninstead of\n\"%s\"", err.text, want);
}

static void defaults(void **state)
{
    static const char *const empty[] = {"",
                                        "# only a comment\n",
                                        "---\n",
                                        "---\n...\n",
                                        "\n\n",
                                        "\xef\xbb\xbf",
                                        "auth:\nlimits:\nadmin:\n  tls:\n"};
    static struct config wanted;

    (void)state;
    config_defaults(&wanted);
    assert_int_equal(wanted.admin.listens, 1);
    assert_string_equal(wanted.admin.listen[0].host, "127.0.0.1");
    assert_int_equal(wanted.admin.listen[0].port, 6060);
    assert_int_equal(wanted.limits.default_seconds, 30);
    assert_int_equal(wanted.limits.profile_seconds, 60);
    assert_int_equal(wanted.limits.hz, 1000);
    assert_int_equal(wanted.limits.min_interval_ms, 10000);
    assert_int_equal(wanted.auth.anonymous, 0);
    assert_int_equal(wanted.select, PLAN_SELECT_AUTO);
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        must(empty[i]);
        assert_memory_equal(&config, &wanted, sizeof(config));
    }
    assert_int_equal(config_parse(&config, "c.yaml", NULL, 0, NULL), 0);
}

static const char full[] = "target: {cmdline: \"^a \\\"b\\\\$\"}\n"
                           "admin:\n"
                           "  listen: [\"127.0.0.1:6060\", \"[::1]:0\", unix:/run/p.sock]\n"
                           "  tls:\n"
                           "    certificate: /etc/c.pem\n"
                           "    key: /etc/k.pem\n"
                           "  hosts: [Pillion.Example, \"[::1]\"]\n"
                           "health: {listen: 0.0.0.0:6061}\n"
                           "auth:\n"
                           "  tokens:\n"
                           "    - {name: oncall, sha256: " HASH_A ", scopes: [all]}\n"
                           "    - {name: alloy, file: /run/t, scopes: [scrape, metrics]}\n"
                           "  anonymous: {scopes: [metrics]}\n"
                           "limits: {default_seconds: 5, profile_seconds: 20, trace_seconds: 7,\n"
                           "  hz: 250, min_interval: 1500ms, concurrent: 4, share: true,\n"
                           "  connections: 100, per_address: 9}\n"
                           "labels: {service_name: \"a: {b}\", namespace: \"\xc3\xa4 'x' \\\"\"}\n"
                           "log: {level: debug, format: json}\n";

static void everything(void **state)
{
    (void)state;
    must(full);
    assert_int_equal(config.select, PLAN_SELECT_CMDLINE);
    assert_string_equal(config.select_text, "^a \"b\\$");
    assert_int_equal(config.admin.listens, 3);
    assert_string_equal(config.admin.listen[1].host, "::1");
    assert_int_equal(config.admin.listen[1].port, 0);
    assert_true(config.admin.listen[2].is_unix);
    assert_string_equal(config.admin.listen[2].host, "/run/p.sock");
    assert_string_equal(config.admin.certificate, "/etc/c.pem");
    assert_string_equal(config.admin.key, "/etc/k.pem");
    assert_int_equal(config.admin.hosts_count, 2);
    assert_string_equal(config.admin.hosts[0], "pillion.example");
    assert_int_equal(config.health.listens, 1);
    assert_int_equal(config.health.listen[0].port, 6061);
    assert_int_equal(config.auth.tokens_count, 2);
    assert_true(config.auth.tokens[0].has_hash);
    assert_int_equal(config.auth.tokens[0].sha256[0], 0x01);
    assert_int_equal(config.auth.tokens[0].sha256[31], 0xef);
    assert_int_equal(config.auth.tokens[0].scopes, CONFIG_SCOPE_ALL);
    assert_string_equal(config.auth.tokens[1].file, "/run/t");
    assert_int_equal(config.auth.tokens[1].scopes, CONFIG_SCOPE_SCRAPE | CONFIG_SCOPE_METRICS);
    assert_int_equal(config.auth.anonymous, CONFIG_SCOPE_METRICS);
    assert_int_equal(config.limits.min_interval_ms, 1500);
    assert_int_equal(config.limits.concurrent, 4);
    assert_true(config.limits.share);
    assert_int_equal(config.labels_count, 2);
    assert_string_equal(config.labels[1].value, "\xc3\xa4 'x' \"");
    assert_int_equal(config.log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(config.log.format, LOG_FORMAT_JSON);
}

/* Print, put the hash back in, parse: the same struct. */
static void round_trip(const char *text)
{
    static struct config first;
    static char again[65536];
    struct buf out;
    const char *rest;
    size_t used = 0;

    must(text);
    memcpy(&first, &config, sizeof(first));
    buf_init(&out, 1 << 20);
    config_print(&config, &out);
    assert_false(out.failed);
    assert_null(strstr(buf_text(&out), "0123456789abcdef"));
    for (rest = buf_text(&out); *rest;) {
        const char *hidden = strstr(rest, "(hidden)");
        size_t n = hidden ? (size_t)(hidden - rest) : strlen(rest);

        assert_true(used + n + sizeof(HASH_A) < sizeof(again));
        memcpy(again + used, rest, n);
        used += n;
        rest += n;
        if (!hidden)
            break;
        memcpy(again + used, HASH_A, sizeof(HASH_A) - 1);
        used += sizeof(HASH_A) - 1;
        rest += strlen("(hidden)");
    }
    again[used] = '\0';
    buf_release(&out);
    must(again);
    assert_memory_equal(&first, &config, sizeof(first));
}

static void round_trips(void **state)
{
    static const char *const texts[] = {
        "",
        full,
        "target: {pid: 4194304}",
        "target: {port: 65535}",
        "target: {env: \"A=b c\"}",
        "target: {container: 0123abc}",
        "target: auto",
        "target: {all: true}",
        "target: {process: a, all: true}",
        "target: {all: true, pid: 7, unsafe: {set_heap_profile_rate: 1}}",
        "admin: {tls: off, listen: localhost:0}",
        "labels: {a: \"$${x} $$ $ $x $${\", b: '\\', c: \"\"}",
        "health: {listen: []}",
        "limits: {min_interval: 0, profile_seconds: 1}",
        "log: {level: error, format: text}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        round_trip(texts[i]);
}

/* A file of the fuzzer's corpus; the tests run in the root of the tree. */
static const char *corpus(const char *name)
{
    static char text[16384];
    char file[128];
    size_t bytes;
    FILE *f;

    (void)snprintf(file, sizeof(file), "tests/fuzz/corpus/fuzz_yaml/%s", name);
    f = fopen(file, "r");
    if (!f)
        fail_msg("%s: cannot be read", file);
    bytes = fread(text, 1, sizeof(text) - 1, f);
    text[bytes] = '\0';
    assert_int_equal(fclose(f), 0);
    return text;
}

/* All keys at once: as its users write it, and with every other choice. */
static void whole_files(void **state)
{
    (void)state;
    round_trip(corpus("interface.yaml"));
    assert_string_equal(config.admin.client_ca, "/etc/pillion/tls/ca.crt");
    assert_int_equal(config.admin.crls_count, 1);
    assert_int_equal(config.auth.issuers_count, 2);
    assert_string_equal(config.collect.scrape.types[2], "open_connections");
    assert_int_equal(config.forward_count, 6);
    assert_string_equal(config.forward[0].auth.basic_user, "1234");
    assert_int_equal(config.forward[0].max_age_ms, 3600000);
    assert_int_equal(config.forward[5].type, CONFIG_BACKEND_DIRECTORY);
    assert_int_equal(config.history.hourly_ms, UINT64_C(7) * 86400000);
    round_trip(corpus("all.yaml"));
    assert_int_equal(config.unsafe.heap_profile_rate, 524288);
    assert_int_equal(config.unsafe.block_profile_rate, 0);
    assert_int_equal(config.unsafe.mutex_profile_fraction, -1);
    assert_true(config.unsafe.ptrace_sampling);
    assert_int_equal(config.admin.unix_peers.uids[1], 65532);
    assert_int_equal(config.forward[1].type, CONFIG_BACKEND_PARCA);
    assert_string_equal(config.forward[0].tls.server_name, "f.example");
    assert_int_equal(config.redact[0].in,
                     CONFIG_REDACT_NAMES | CONFIG_REDACT_FILES | CONFIG_REDACT_LABELS);
    assert_int_equal(config.redact[2].in, CONFIG_REDACT_NAMES | CONFIG_REDACT_FILES);
    assert_int_equal(config.log.audit, CONFIG_AUDIT_DENIED);
    assert_int_equal(config.drain_ms, 0);
}

static void yaml_refused(void **state)
{
    (void)state;
    refuse("admin: &x {hosts: []}", "c.yaml:1:8: anchors (&name) are not allowed");
    refuse("log:\n  level: &a info\n", "c.yaml:2:10: anchors (&name) are not allowed");
    refuse("log: *x", "c.yaml:1:6: aliases (*name) are not allowed...");
    refuse("log:\n  level: !!str info", "c.yaml:2:10: tags (!name) are not allowed");
    refuse("log: ! info", "c.yaml:1:6: tags (!name) are not allowed");
    refuse("!x log: 1", "c.yaml:1:1: tags (!name) are not allowed");
    refuse("&k log: 1", "c.yaml:1:1: anchors (&name) are not allowed");
    refuse("%TAG ! tag:x,2000:\n---\nlog: {}", "c.yaml:1:1: %TAG is not allowed");
    refuse("log: {}\n---\nlog: {}", "c.yaml:2:1: a second document is not allowed");
    refuse("log: {}\nlabels: {}\nlog: {}",
           "c.yaml:3:1: \"log\" is here a second time (first in line 1)");
    refuse("labels: {a: x, 'a': y}", "c.yaml:1:16: \"a\" is here a second time (first in line 1)");
    refuse("[a]: b", "c.yaml:1:1: a key must be a plain word");
    refuse("? {a: b}\n: c", "c.yaml:1:3: a key must be a plain word");
    refuse("*a : b", "c.yaml:1:1: aliases (*name) are not allowed...");
    refuse("<<: {log: {}}", "c.yaml:1:1: unknown key \"<<\"; right are ...");
    refuse("- a", "c.yaml:1:1: a configuration is keys with values, like admin:");
    refuse("just text", "c.yaml:1:1: a configuration is...");
    refuse("log: {level: [}", "c.yaml:1:15: ...");
    refuse("log:\n\tlevel: info", "c.yaml:2:1: ...");
    refuse("labels:\n  a: \"x\xff\"", "c.yaml:2:8: ...");
    refuse("labels: {a: \"x\\ny\"}", "c.yaml:1:13: line breaks and control characters...");
    refuse("labels: {a: \"\\0\"}", "c.yaml:1:13: line breaks and control characters...");
    refuse("labels: {a: \"\\L\"}", "c.yaml:1:13: line breaks and control characters...");
    refuse("labels: {\"a\\e\": x}", "c.yaml:1:10: line breaks and control characters...");
    refuse("labels:\n  a: |\n    x\n", "c.yaml:2:6: line breaks and control characters...");
}

static void unknown_keys(void **state)
{
    (void)state;
    refuse("admin:\n  lisen: x", "c.yaml:2:3: unknown key \"lisen\" (did you mean \"listen\"?)");
    refuse("Admin: {}", "c.yaml:1:1: unknown key \"Admin\" (did you mean \"admin\"?)");
    refuse("listen: x", "c.yaml:1:1: unknown key \"listen\" (did you mean \"admin.listen\"?)");
    refuse("auth:\n  tokens:\n    - {nam: x}",
           "c.yaml:3:8: unknown key \"nam\" (did you mean \"name\"?)");
    refuse("zebra: 1", "c.yaml:1:1: unknown key \"zebra\"; right are target admin health auth "
                       "limits collect leak_watch labels sample_labels redact forward spool "
                       "history drain log");
    refuse("log: {zebra: 1}", "c.yaml:1:7: unknown key \"zebra\"; right are level format audit");
    refuse("forward: [{zebra: 1}]", "c.yaml:1:12: unknown key \"zebra\"; right are name type "
                                    "format url path tenant basic bearer_file tls labels types "
                                    "timeout max_age api_key_file family project credentials_file "
                                    "language bucket region access_key_id secret_access_key_file "
                                    "session_token_file");
    refuse("forward: [{tls: {cert: x}}]",
           "c.yaml:1:18: unknown key \"cert\"; right are ca certificate key server_name");
    refuse("auth: {tokens: [{zebra: 1}]}",
           "c.yaml:1:18: unknown key \"zebra\"; right are name sha256 file scopes");
    refuse("\"a\xc3\xa4\": 1", "c.yaml:1:1: unknown key \"a??\"; right are ...");
    refuse("admin.listen: x", "c.yaml:1:1: unknown key \"admin.listen\"; right are ...");
    refuse("'': x", "c.yaml:1:1: unknown key \"\"; right are ...");
}

/* "a.b.c: value" as a file; what the entries of ${key}'s list need stands beside it. */
static void one_key(char *out, size_t bytes, const struct config_key *k, const char *value)
{
    static const struct {
        const char *section, *open, *close;
    } around[] = {
        {"collect.profiles", "collect: {every: 24h, profiles: [{type: cpu, ", "}]}"},
        {"forward", "forward: [{name: a, type: pyroscope, url: 'https://x', ", "}]"},
        {"limits", "limits: {", "}"},
    };
    char inner[128];
    int n;

    (void)snprintf(inner, sizeof(inner), "%s: %s", config_key_name(k), value);
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        if (!config_key_in(k, around[i].section))
            continue;
        /* the longest default must not be above the longest profile, the schedule's hz no limit */
        (void)snprintf(
            out, bytes, "%s%s%s%s%s", i == 0 ? "limits: {hz: 10000}\n" : "", around[i].open, inner,
            strcmp(config_key_name(k), "default_seconds") == 0 ? ", profile_seconds: 3600" : "",
            around[i].close);
        return;
    }
    out[0] = '\0';
    for (const char *p = k->path; strchr(p, '.'); p = strchr(p, '.') + 1) {
        n = snprintf(out, bytes, "%.*s: {", (int)strcspn(p, "."), p);
        out += n;
        bytes -= (size_t)n;
    }
    n = snprintf(out, bytes, "%s", inner);
    for (unsigned i = 0; i < config_key_depth(k); i++)
        out[(unsigned)n + i] = '}';
    out[(unsigned)n + config_key_depth(k)] = '\0';
}

/* Every number, time and size of the table at both limits and one beyond, from the table itself. */
static void ranges(void **state)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    unsigned seen = 0;

    (void)state;
    assert_true(count <= CONFIG_BIND_KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *unit = keys[i].type == CONFIG_KEY_TIME ? "ms" : "";
        char text[256], value[32];

        if (keys[i].stride ||
            (keys[i].type != CONFIG_KEY_NUMBER && keys[i].type != CONFIG_KEY_TIME &&
             keys[i].type != CONFIG_KEY_SIZE && keys[i].type != CONFIG_KEY_RATE))
            continue;
        seen++;
        for (int step = -1; step <= 1; step += 2) {
            uint64_t limit = step < 0 ? keys[i].min : keys[i].max;
            uint64_t beyond = limit + (uint64_t)(int64_t)step;

            (void)snprintf(value, sizeof(value), "%llu%s", (unsigned long long)limit, unit);
            one_key(text, sizeof(text), &keys[i], value);
            must(text);
            (void)snprintf(value, sizeof(value), "%lld%s", (long long)beyond, unit);
            one_key(text, sizeof(text), &keys[i], value);
            if (parse(text) == 0)
                fail_msg("taken: %s", text);
            if (!strstr(err.text, " takes "))
                fail_msg("%s: %s", text, err.text);
        }
    }
    assert_int_equal(seen, 31);
    refuse("limits: {hz: -1}", "c.yaml:1:14: \"hz\" takes a number from 1 to 10000");
    refuse("limits: {hz: 1e3}", "c.yaml:1:14: ...");
    refuse("limits: {hz: }", "c.yaml:1:14: ...");
    refuse("limits: {hz: [1]}", "c.yaml:1:14: ...");
    refuse("limits: {hz: {a: 1}}", "c.yaml:1:14: ...");
    refuse("limits: 5", "c.yaml:1:9: \"limits\" takes a map");
    must("leak_watch: {every: 0s}");
    assert_int_equal(config.leak_watch.every_ms, 0);
    assert_int_equal(config.leak_watch.window, 30);
    assert_int_equal(config.leak_watch.minimum, 100);
    must("limits: {min_interval: 24h}");
    refuse("limits: {min_interval: 25h}", "c.yaml:1:24: \"min_interval\" takes a duration...");
    refuse("limits: {min_interval: 10}", "c.yaml:1:24: ...");
    must("limits: {min_interval: 0s, concurrent: 4}");
    refuse("limits: {concurrent: 5}", "c.yaml:1:22: ...");
}

static void seconds(void **state)
{
    (void)state;
    must("limits: {profile_seconds: 20}"); /* takes its default along */
    assert_int_equal(config.limits.default_seconds, 20);
    must("limits: {default_seconds: 20, profile_seconds: 20}");
    refuse("limits:\n  profile_seconds: 20\n  default_seconds: 21",
           "c.yaml:3:3: default_seconds (21) is above profile_seconds (20)");
}

static void words(void **state)
{
    static const char *const yes[] = {"true", "yes", "on", "\"true\""};
    static const char *const no[] = {"false", "no", "off"};
    char text[64];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(text, sizeof(text), "limits: {share: %s}", yes[i]);
        must(text);
        assert_true(config.limits.share);
    }
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof(text), "limits: {share: %s}", no[i]);
        must(text);
        assert_false(config.limits.share);
    }
    refuse("limits: {share: 1}", "c.yaml:1:17: \"share\" takes true or false");
    refuse("limits: {share: True}", "c.yaml:1:17: ...");
    refuse("log: {level: INFO}", "c.yaml:1:14: \"level\" takes one of debug, info, warn, error");
    refuse("log: {format: xml}", "c.yaml:1:15: \"format\" takes one of auto, json, text");
}

static void tls(void **state)
{
    (void)state;
    must("admin: {tls: off}");
    assert_true(config.admin.tls_off);
    must("admin: {tls: off, listen: [\"127.0.0.2:1\", \"[::1]:1\", unix:/x]}");
    refuse("admin:\n  listen: [\"127.0.0.1:1\", \"0.0.0.0:1\"]\n  tls: off",
           "c.yaml:3:3: tls: off is only for loopback and unix addresses, and 0.0.0.0:1 is...");
    refuse("admin: {listen: \":1\", tls: off}", "c.yaml:1:23: tls: off...");
    refuse("admin: {listen: \"[::]:1\", tls: off}", "c.yaml:1:27: tls: off...");
    refuse("admin: {listen: \"[::ffff:127.0.0.1]:1\", tls: off}", "c.yaml:1:41: tls: off...");
    refuse("admin: {tls: on}", "c.yaml:1:14: \"tls\" takes off or a map with...");
    refuse("admin: {tls: {certificate: /x}}", "c.yaml:1:9: tls needs both certificate and key...");
    refuse("admin: {tls: {key: /x}}", "c.yaml:1:9: tls needs both...");
    must("admin: {tls: {key: '', certificate: ''}}");
}

static void addresses(void **state)
{
    static const struct {
        const char *text, *host;
        int port;
    } good[] = {
        {"127.0.0.1:6060", "127.0.0.1", 6060}, {":6060", "0.0.0.0", 6060},
        {"0.0.0.0:0", "0.0.0.0", 0},           {"[::]:65535", "::", 65535},
        {"localhost:1", "127.0.0.1", 1},       {"[2001:db8::1]:80", "2001:db8::1", 80},
    };
    static const char *const bad[] = {
        "",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "[127.0.0.1]:80",
        "host:80",
        "1.2.3:80",
        "unix:",
        "unix:x",
        "unix:/",
        "unix:@x",
        "127.0.0.1:0x50",
        "127.0.0.1 :80",
        "[]:80",
        "[::1%lo]:80",
        "*:80",
        "256.0.0.1:80",
        "http://1.2.3.4:80",
    };
    struct config_address a;
    char path[200] = "unix:/";

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(config_address_parse(good[i].text, &a, &err), 0);
        assert_false(a.is_unix);
        assert_string_equal(a.host, good[i].host);
        assert_int_equal(a.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(config_address_parse(bad[i], &a, &err), -EINVAL);
    memset(path + 6, 'a', 106); /* sun_path has 108 bytes with the NUL */
    assert_int_equal(config_address_parse(path, &a, &err), 0);
    assert_true(a.is_unix);
    path[6 + 106] = 'a';
    assert_int_equal(config_address_parse(path, &a, &err), -EINVAL);
    refuse("admin: {listen: x}", "c.yaml:1:17: \"x\" is no address; right are...");
    refuse("admin: {listen: []}", "c.yaml:1:17: \"listen\" takes 1 to 8 entries");
    refuse("admin: {listen: [\":1\", {a: b}]}", "c.yaml:1:24: \"listen\" takes an address...");
}

/* A list with so many entries of the same kind. */
static void list_of(char *out, size_t bytes, const char *before, const char *entry, unsigned count,
                    const char *after)
{
    size_t used = (size_t)snprintf(out, bytes, "%s", before);

    for (unsigned i = 0; i < count; i++) {
        for (const char *p = entry; *p; p++) {
            if (*p == '#')
                used += (size_t)snprintf(out + used, bytes - used, "%u", i);
            else
                out[used++] = *p;
            assert_true(used + 16 < bytes);
        }
    }
    (void)snprintf(out + used, bytes - used, "%s", after);
}

static void list_limits(void **state)
{
    static const struct {
        const char *before, *entry, *after;
        unsigned max;
    } rows[] = {
        {"admin: {listen: [", "\":#\", ", "]}", CONFIG_LISTEN_MAX},
        {"health: {listen: [", "\":#\", ", "]}", CONFIG_LISTEN_MAX},
        {"admin: {hosts: [", "h#, ", "]}", CONFIG_HOSTS_MAX},
        {"labels: {", "l#: x, ", "}", CONFIG_LABELS_MAX},
        {"auth: {tokens: [", "{name: n#, file: /f, scopes: []}, ", "]}", CONFIG_TOKENS_MAX},
    };
    static char text[CONFIG_TREE_NODES_MAX * 8];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        list_of(text, sizeof(text), rows[i].before, rows[i].entry, rows[i].max, rows[i].after);
        must(text);
        list_of(text, sizeof(text), rows[i].before, rows[i].entry, rows[i].max + 1, rows[i].after);
        assert_int_equal(parse(text), -EINVAL);
    }
    /* of the tree itself, before any key is looked at */
    list_of(text, sizeof(text), "x: [", "a, ", CONFIG_TREE_CHILDREN_MAX, "]");
    refuse(text, "c.yaml:1:1: unknown key \"x\"; right are ...");
    list_of(text, sizeof(text), "x: [", "a, ", CONFIG_TREE_CHILDREN_MAX + 1, "]");
    assert_int_equal(parse(text), -EINVAL);
    assert_non_null(strstr(err.text, "too many entries"));
    list_of(text, sizeof(text), "", "[", CONFIG_TREE_DEPTH_MAX + 1, "");
    assert_int_equal(parse(text), -EINVAL);
    assert_non_null(strstr(err.text, "nested too deeply"));
    list_of(text, sizeof(text), "", "[", CONFIG_TREE_DEPTH_MAX, "");
    assert_int_equal(parse(text), -EINVAL);
    assert_null(strstr(err.text, "nested too deeply"));
}

static void node_limit(void **state)
{
    static char text[CONFIG_TREE_NODES_MAX * 8];
    char inner[CONFIG_TREE_CHILDREN_MAX * 3 + 8];

    (void)state;
    list_of(inner, sizeof(inner), "[", "a,", CONFIG_TREE_CHILDREN_MAX, "],\n");
    list_of(text, sizeof(text), "x: [\n", inner, 40, "]");
    assert_int_equal(parse(text), -EINVAL);
    assert_non_null(strstr(err.text, "too many values in one file"));
}

static void tokens(void **state)
{
    (void)state;
    refuse("auth: {tokens: [{sha256: " HASH_A ", scopes: [all]}]}",
           "c.yaml:1:17: a token needs a name");
    refuse("auth: {tokens: [{name: a, scopes: [all]}]}",
           "c.yaml:1:17: a token needs either sha256 or file");
    refuse("auth: {tokens: [{name: a, file: /x, sha256: " HASH_A ", scopes: [all]}]}",
           "c.yaml:1:17: a token needs either...");
    refuse("auth: {tokens: [{name: a, file: /x}]}", "c.yaml:1:17: a token needs scopes...");
    refuse("auth:\n  tokens:\n    - {name: a, file: /x, scopes: []}\n"
           "    - {name: a, file: /y, scopes: []}",
           "c.yaml:4:7: two tokens are named \"a\"");
    refuse("auth: {tokens: [{name: start, file: /x, scopes: []}]}",
           "c.yaml:1:17: the name \"start\" is taken...");
    refuse("auth: {tokens: [{name: anonymous, file: /x, scopes: []}]}",
           "c.yaml:1:17: the name \"anonymous\" is...");
    refuse("auth: {tokens: [{name: 'a b'}]}", "c.yaml:1:24: \"name\" takes letters...");
    refuse("auth: {tokens: [{file: ''}]}", "c.yaml:1:24: \"file\" takes a path");
    refuse("auth: {tokens: [{sha256: 0123}]}", "c.yaml:1:26: \"sha256\" takes 64 hex digits");
    refuse("auth: {tokens: [{sha256: " HASH_A "0}]}", "c.yaml:1:26: \"sha256\" takes...");
    refuse(
        "auth: {tokens: [{sha256: x123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
        "f}]}",
        "c.yaml:1:26: \"sha256\" takes...");
    refuse("auth: {tokens: [x]}", "c.yaml:1:17: \"tokens\" takes a list of maps...");
    refuse("auth: {tokens: x}", "c.yaml:1:16: \"tokens\" takes a list of maps...");
    refuse("auth: {anonymous: {scopes: [cpu, everything]}}",
           "c.yaml:1:34: unknown scope \"everything\"; right are cpu heap...");
    must("auth: {anonymous: {scopes: view}}");
    assert_int_equal(config.auth.anonymous, CONFIG_SCOPE_VIEW);
    must("auth: {anonymous: {scopes: []}}");
    assert_int_equal(config.auth.anonymous, 0);
}

static void targets(void **state)
{
    (void)state;
    must("target: {process: server}");
    assert_int_equal(config.select, PLAN_SELECT_PROCESS);
    assert_string_equal(config.select_text, "server");
    must("target: {pid: 12}");
    assert_int_equal(config.select_number, 12);
    refuse("target: server", "c.yaml:1:9: \"target\" takes auto or one of pid process...");
    refuse("target: {pid: 1, port: 2}", "c.yaml:1:9: \"target\" takes...");
    refuse("target: {}", "c.yaml:1:9: ...");
    refuse("target: {pid: 0}", "c.yaml:1:15: pid \"0\": right is a number from 1 to 4194304");
    refuse("target: {port: 65536}", "c.yaml:1:16: port...");
    refuse("target: {process: a/b}", "c.yaml:1:19: process \"a/b\": right is the name of...");
    refuse("target: {container: xyz}", "c.yaml:1:21: container...");
    refuse("target: {env: NAME}", "c.yaml:1:15: env \"NAME\": right is NAME=VALUE");
    refuse("target: {name: x}", "c.yaml:1:10: \"name\" is no way to choose a target; right are...");
}

static void hosts(void **state)
{
    (void)state;
    refuse("admin: {hosts: ['a:80']}", "c.yaml:1:17: a host is a name or an address...");
    refuse("admin: {hosts: ['a b']}", "c.yaml:1:17: ...");
    refuse("admin: {hosts: ['']}", "c.yaml:1:17: ...");
    refuse("admin: {hosts: ['[::g]']}", "c.yaml:1:17: ...");
    refuse("admin: {hosts: ['*.example']}", "c.yaml:1:17: ...");
    must("admin: {hosts: [10.0.0.1, '[2001:db8::1]', a-b.c_d]}");
    assert_int_equal(config.admin.hosts_count, 3);
}

static void environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("PILLION_T_A", "va lue", 1), 0);
    assert_int_equal(setenv("PILLION_T_NEST", "${PILLION_T_A}", 1), 0);
    assert_int_equal(setenv("PILLION_T_EMPTY", "", 1), 0);
    assert_int_equal(setenv("PILLION_T_HZ", "77", 1), 0);
    assert_int_equal(setenv("PILLION_T_BAD", "a\nb", 1), 0);
    assert_int_equal(setenv("PILLION_T_UTF", "a\xff", 1), 0);
    assert_int_equal(unsetenv("PILLION_T_NONE"), 0);
    must(
        "labels: {a: \"<${PILLION_T_A}>\", b: \"${PILLION_T_NEST}\", c: \"${PILLION_T_NONE:-d}\",\n"
        "  d: \"${PILLION_T_EMPTY:-e}\", e: \"${PILLION_T_EMPTY}\", f: \"$${PILLION_T_A}\",\n"
        "  g: \"$x $$ $\", h: \"${PILLION_T_NONE:-}\", i: '${PILLION_T_A}${PILLION_T_A}'}\n"
        "limits: {hz: \"${PILLION_T_HZ}\"}");
    assert_string_equal(config.labels[0].value, "<va lue>");
    assert_string_equal(config.labels[1].value, "${PILLION_T_A}"); /* not looked at again */
    assert_string_equal(config.labels[2].value, "d");
    assert_string_equal(config.labels[3].value, "e");
    assert_string_equal(config.labels[4].value, "");
    assert_string_equal(config.labels[5].value, "${PILLION_T_A}");
    assert_string_equal(config.labels[6].value, "$x $$ $");
    assert_string_equal(config.labels[7].value, "");
    assert_string_equal(config.labels[8].value, "va lueva lue");
    assert_int_equal(config.limits.hz, 77);
    round_trip("labels: {b: \"${PILLION_T_NEST}\"}");
    refuse("labels:\n  a: ${PILLION_T_NONE}",
           "c.yaml:2:6: PILLION_T_NONE is not set in the environment and has no default");
    refuse("labels: {a: \"${A B}\"}", "c.yaml:1:13: ${...} takes a name of letters...");
    refuse("labels: {a: \"${1A}\"}", "c.yaml:1:13: ${...} takes...");
    refuse("labels: {a: \"${}\"}", "c.yaml:1:13: ${...} takes...");
    refuse("labels: {a: \"${PILLION_T_A\"}", "c.yaml:1:13: ${ without a closing brace");
    refuse("labels: {a: \"${PILLION_T_BAD}\"}", "c.yaml:1:13: PILLION_T_BAD holds control...");
    refuse("labels: {a: \"${PILLION_T_UTF}\"}", "c.yaml:1:13: PILLION_T_UTF holds control...");
    refuse("${PILLION_T_A}: x",
           "c.yaml:1:1: unknown key \"${PILLION_T_A}\"; right are ..."); /* keys stay */
}

static void text_limits(void **state)
{
    char text[CONFIG_PATH_BYTES + 64], value[CONFIG_PATH_BYTES + 1];

    (void)state;
    memset(value, 'a', sizeof(value));
    value[CONFIG_TEXT_BYTES - 1] = '\0';
    (void)snprintf(text, sizeof(text), "labels: {a: %s}", value);
    must(text);
    (void)snprintf(text, sizeof(text), "labels: {a: %sa}", value);
    refuse(text, "c.yaml:1:13: a label takes at most 511 bytes");
    value[CONFIG_NAME_BYTES - 1] = '\0';
    (void)snprintf(text, sizeof(text), "labels: {%s: x}", value);
    must(text);
    (void)snprintf(text, sizeof(text), "labels: {%sa: x}", value);
    refuse(text, "c.yaml:1:10: a label's name is...");
    refuse("labels: {'a b': x}", "c.yaml:1:10: a label's name is...");
    memset(value, 'a', sizeof(value));
    value[0] = '/';
    value[CONFIG_PATH_BYTES - 1] = '\0';
    (void)snprintf(text, sizeof(text), "admin: {tls: {key: /k, certificate: %s}}", value);
    must(text);
    (void)snprintf(text, sizeof(text), "admin: {tls: {key: /k, certificate: %sa}}", value);
    refuse(text, "c.yaml:1:37: \"certificate\" takes at most 1023 bytes");
}

static void file_size(void **state)
{
    static char text[CONFIG_FILE_MAX_BYTES + 1];

    (void)state;
    memset(text, '#', sizeof(text));
    assert_int_equal(config_parse(&config, "c", text, CONFIG_FILE_MAX_BYTES, &err), 0);
    assert_int_equal(config_parse(&config, "c", text, sizeof(text), &err), -EINVAL);
    assert_string_equal(err.text, "c: larger than 1048576 bytes");
}

static char path[64];

static void write_file(const char *text)
{
    FILE *f;

    (void)snprintf(path, sizeof(path), "/tmp/pillion-config-test.%d", (int)getpid());
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int remove_file(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

static void files(void **state)
{
    (void)state;
    write_file("admin: {tls: {certificate: c.pem, key: /k.pem}}\n");
    assert_int_equal(config_read(&config, path, &err), 0);
    assert_string_equal(config.path, path);
    assert_string_equal(config.admin.certificate, "/tmp/c.pem"); /* beside the file */
    assert_string_equal(config.admin.key, "/k.pem");
    write_file("nope: 1\n");
    assert_int_equal(config_read(&config, path, &err), -EINVAL);
    assert_memory_equal(err.text, path, strlen(path));
    assert_non_null(strstr(err.text + strlen(path), ":1:1: unknown key \"nope\"; right are "));
    (void)unlink(path);
    assert_int_equal(config_read(&config, path, &err), -ENOENT);
    assert_int_equal(config_read(&config, "/tmp", &err), -EISDIR);
    assert_int_equal(config_read(&config, "/dev/zero", &err), -EISDIR);
}

static int args(char *const *argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    err_clear(&err);
    return config_from_args(&config, argc, (char **)(uintptr_t)argv, &err);
}

#define ARGS(...) args((char *const[]){(char *)(uintptr_t) "x", ##__VA_ARGS__, NULL})
#define A(text)   (char *)(uintptr_t)(text)

static void command_line(void **state)
{
    (void)state;
    write_file("target: {process: a}\nadmin: {listen: [\":1\", \":2\"]}\n");
    assert_int_equal(ARGS(A("--config"), path), 0);
    assert_string_equal(config.select_text, "a");
    assert_int_equal(config.admin.listens, 2);
    assert_int_equal(ARGS(A("--pid"), A("7"), A("--config"), path, A("--listen=127.0.0.1:0")), 0);
    assert_int_equal(config.select, PLAN_SELECT_PID);
    assert_int_equal(config.select_number, 7);
    assert_string_equal(config.select_text, "");
    assert_int_equal(config.admin.listens, 1);
    assert_int_equal(config.admin.listen[0].port, 0);
    assert_int_equal(ARGS(A("--listen"), A(":3"), A("--listen"), A("[::1]:4")), 0);
    assert_int_equal(config.admin.listens, 2);
    assert_int_equal(config.admin.listen[1].port, 4);
    assert_int_equal(ARGS(A("--cmdline=--config x")), 0);
    assert_string_equal(config.select_text, "--config x");
    assert_int_equal(ARGS(A("--env"), A("A=b=c")), 0);
    assert_string_equal(config.select_text, "A=b=c");
    assert_int_equal(ARGS(A("--container"), A("0a1b")), 0);
    assert_int_equal(ARGS(A("--port"), A("80")), 0);
    assert_int_equal(ARGS(A("--process"), A("--config")), 0); /* a value is a value */
    assert_string_equal(config.select_text, "--config");
}

/* --all takes no value, and stands beside whatever chooses. */
static void all_of_them(void **state)
{
    const char *why = "";
    struct plan plan;

    (void)state;
    must("target: {process: a, all: true}");
    assert_true(config.all);
    assert_string_equal(config.select_text, "a");
    config_plan(&config, &plan);
    assert_int_equal(plan_check(&plan, sizeof(plan), &why), 0);
    assert_int_equal(plan.all, 1);
    must("target: {all: false, pid: 7}");
    assert_false(config.all);
    config_plan(&config, &plan);
    assert_int_equal(plan.all, 0);
    must("target: {all: true}");
    assert_int_equal(config.select, PLAN_SELECT_AUTO);
    refuse("target: {all: 7}", "c.yaml:1:15: \"all\" takes true or false");
    refuse("target: {all: true, pid: 7, process: a}",
           "c.yaml:1:9: \"target\" takes auto or one of...");
    write_file("target: {process: a}\n");
    assert_int_equal(ARGS(A("--all"), A("--config"), path), 0);
    assert_true(config.all);
    assert_string_equal(config.select_text, "a");
    assert_int_equal(ARGS(A("--pid"), A("7"), A("--all"), A("--listen"), A(":3")), 0);
    assert_true(config.all);
    assert_int_equal(config.admin.listen[0].port, 3);
    assert_int_equal(ARGS(A("--process"), A("--all")), 0); /* a value is a value */
    assert_false(config.all);
    assert_int_equal(ARGS(A("--all=1")), -EBADRQC);
}

static void command_line_refused(void **state)
{
    (void)state;
    assert_int_equal(ARGS(A("--pid")), -EBADRQC);
    assert_string_equal(err.text, "--pid needs a value");
    assert_int_equal(ARGS(A("--pid"), A("x")), -EBADRQC);
    assert_string_equal(err.text, "--pid \"x\": right is a number from 1 to 4194304");
    assert_int_equal(ARGS(A("--pid="), A("1")), -EBADRQC);
    assert_int_equal(ARGS(A("--process=")), -EBADRQC);
    assert_int_equal(ARGS(A("--pid"), A("1"), A("--port"), A("1")), -EBADRQC);
    assert_string_equal(err.text, "more than one target is named");
    assert_int_equal(ARGS(A("--pidx"), A("1")), -EBADRQC);
    assert_int_equal(ARGS(A("server")), -EBADRQC);
    assert_memory_equal(err.text, "unknown argument \"server\"", 25);
    assert_int_equal(ARGS(A("")), -EBADRQC);
    assert_int_equal(ARGS(A("--config"), A("/a"), A("--config=/b")), -EBADRQC);
    assert_int_equal(ARGS(A("--config")), -EBADRQC);
    assert_int_equal(ARGS(A("--config"), A("/nonexistent/x")), -ENOENT);
    assert_int_equal(ARGS(A("--listen"), A("x")), -EBADRQC);
    assert_int_equal(ARGS(A("--listen")), -EBADRQC);
    write_file("admin: {tls: off}\n"); /* what holds in the file may not hold with the arguments */
    assert_int_equal(ARGS(A("--config"), path, A("--listen"), A(":1")), -EINVAL);
    assert_non_null(strstr(err.text, "0.0.0.0:1"));
    assert_int_equal(config_target_option(&config, 1, (char *[]){A("--listen")}, 0, &err), 0);
}

static void plans(void **state)
{
    const char *why = "";
    struct plan plan;

    (void)state;
    must(full);
    config_plan(&config, &plan);
    assert_int_equal(plan_check(&plan, sizeof(plan), &why), 0);
    assert_int_equal(plan.select, PLAN_SELECT_CMDLINE);
    assert_int_equal(plan.hz_max, 250);
    assert_int_equal(plan.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(plan.front_uid_drop, 0); /* it has to read its files again */
    must("");
    config_plan(&config, &plan);
    assert_int_equal(plan_check(&plan, sizeof(plan), &why), 0);
    assert_int_equal(plan.front_uid_drop, 1);
    assert_int_equal(plan.rates, 0); /* nothing is written that nobody asked for */
    config.unsafe.block_profile_rate = 0;
    config.unsafe.mutex_profile_fraction = PLAN_RATE_MAX;
    config_plan(&config, &plan);
    assert_int_equal(plan_check(&plan, sizeof(plan), &why), 0);
    assert_int_equal(plan.rates, 1u << WIRE_RATE_BLOCK | 1u << WIRE_RATE_MUTEX);
    assert_int_equal(plan.rate[WIRE_RATE_MUTEX], PLAN_RATE_MAX);
    must("admin: {listen: unix:/run/x}");
    config_plan(&config, &plan);
    assert_int_equal(plan.front_uid_drop, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(everything),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(whole_files),
        cmocka_unit_test(yaml_refused),
        cmocka_unit_test(unknown_keys),
        cmocka_unit_test(ranges),
        cmocka_unit_test(seconds),
        cmocka_unit_test(words),
        cmocka_unit_test(tls),
        cmocka_unit_test(addresses),
        cmocka_unit_test(list_limits),
        cmocka_unit_test(node_limit),
        cmocka_unit_test(tokens),
        cmocka_unit_test(targets),
        cmocka_unit_test(hosts),
        cmocka_unit_test(environment),
        cmocka_unit_test(text_limits),
        cmocka_unit_test(file_size),
        cmocka_unit_test_teardown(files, remove_file),
        cmocka_unit_test_teardown(command_line, remove_file),
        cmocka_unit_test_teardown(command_line_refused, remove_file),
        cmocka_unit_test(all_of_them),
        cmocka_unit_test(plans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
