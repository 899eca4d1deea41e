/*
 * The one list of what a configuration may hold; config/keys.h. A new key is a field of struct
 * config and a row here: parser, printing, help, the list of files and the range tests follow.
 * Sections stand before what is in them, because the table is printed in this order.
 */
#include "config/keys.h"

#include "config/url.h"
#include "wire/wire.h"

#define MS_PER_SECOND UINT64_C(1000)
#define MS_PER_MINUTE UINT64_C(60000)
#define MS_PER_DAY    UINT64_C(86400000)
#define MIB           (UINT64_C(1) << 20)
#define TIB           (UINT64_C(1) << 40)

enum {
    TABLE_CONNECTIONS_MAX = 4096,
    TABLE_HANDSHAKES_MAX = 100000,
    TABLE_VALUES_MAX = 1000000, /* of one label */
    TABLE_GOROUTINES_MAX = 1000000,
    TABLE_KEEP_DAYS_MAX = 3660, /* ten years */
    TABLE_SPOOL_DAYS_MAX = 30,
    TABLE_RATE_MAX = PLAN_RATE_MAX, /* what the guard takes; a fraction of the mutex profile too */
};

/* Words are stored as their index, so their order is part of the contract: that of the enums. */
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"auto", "json", "text", NULL};
static const char *const audits[] = {"all", "denied", "off", NULL};
static const char *const client_auths[] = {"off", "optional", "required", NULL};
/* the last one is another name of parca: config/backends.c */
static const char *const backends[] = {"pyroscope", "parca", "datadog",      "google", "otlp",
                                       "directory", "s3",    "polarsignals", NULL};
static const char *const formats[] = {"default", "json", "ingest", "online", "offline", NULL};
static const char *const families[] = {"auto", "go", "native", NULL};
static const char *const redacted[] = {"names", "files", "labels", NULL};
static const char *const collected[] = {"cpu",   "heap",         "allocs", "goroutine", "block",
                                        "mutex", "threadcreate", "wall",   NULL};

#define WORDS(list) (sizeof(list) / sizeof((list)[0]) - 1)
_Static_assert(sizeof(enum log_level) == sizeof(uint32_t), "stored as a word");
_Static_assert(sizeof(enum log_format) == sizeof(uint32_t), "stored as a word");
_Static_assert(sizeof(enum config_audit) == sizeof(uint32_t), "stored as a word");
_Static_assert(sizeof(enum config_client_auth) == sizeof(uint32_t), "stored as a word");
_Static_assert(sizeof(enum config_backend_type) == sizeof(uint32_t), "stored as a word");
_Static_assert(sizeof(enum config_backend_format) == sizeof(uint32_t), "stored as a word");
_Static_assert(sizeof(enum config_family) == sizeof(uint32_t), "stored as a word");
_Static_assert(WORDS(backends) == CONFIG_BACKEND_TYPES + 1, "a word for each, and polarsignals");
_Static_assert(WORDS(formats) == CONFIG_FORMATS, "a word for each");

/* ---- rows: S is the struct that offsets count from, f its field */

#define ROOM(S, f)  sizeof(((struct S *)NULL)->f)
#define FIELD(S, f) .offset = offsetof(struct S, f)
#define SECTION(p, h)                                        \
    {                                                        \
        .path = (p), .type = CONFIG_KEY_SECTION, .help = (h) \
    }
#define VALUE(p, t, S, f, h, ...)                                         \
    {                                                                     \
        .path = (p), .type = (t), FIELD(S, f), .help = (h), ##__VA_ARGS__ \
    }
/* min..max inclusive */
#define RANGE(p, t, S, f, lo, hi, h) VALUE(p, t, S, f, h, .min = (lo), .max = (hi))
#define NUMBER(p, f, lo, hi, h)      RANGE(p, CONFIG_KEY_NUMBER, config, f, lo, hi, h)
/* a text of at least lo bytes that fills its field at most */
#define TEXT(p, t, S, f, lo, h, ...) \
    VALUE(p, t, S, f, h, .min = (lo), .max = ROOM(S, f) - 1, ##__VA_ARGS__)
#define FILED(p, S, f, use, h, ...) \
    TEXT(p, CONFIG_KEY_PATH, S, f, 0, h, .file = (use), ##__VA_ARGS__)
/* a list of lo to as many as there is room for; each value has at least one byte */
#define LIST(p, t, S, f, n, lo, h, ...)                                                          \
    VALUE(p, t, S, f, h, .count = offsetof(struct S, n), .stride = ROOM(S, f[0]), .least = (lo), \
          .most = ROOM(S, f) / ROOM(S, f[0]), .min = 1, .max = ROOM(S, f[0]) - 1, ##__VA_ARGS__)
#define NUMBERS(p, f, n, h)                                                            \
    {                                                                                  \
        .path = (p), .type = CONFIG_KEY_NUMBER, FIELD(config, f),                      \
        .count = offsetof(struct config, n), .stride = sizeof(uint32_t),               \
        .most = ROOM(config, f) / sizeof(uint32_t), .max = UINT32_MAX - 1, .help = (h) \
    }
/* NOLINTBEGIN(bugprone-macro-parentheses): literals are joined, fields named */
#define LABELS(p, S, f, n, h)                                            \
    VALUE(p, CONFIG_KEY_LABELS, S, f, h, .count = offsetof(struct S, n), \
          .most = ROOM(S, f) / ROOM(S, f[0]))

/* of connections that we open: the same keys for collect.scrape and for each backend */
#define CLIENT_TLS(p, S, f)                                                                    \
    SECTION(p, "how the server proves who it is, and we do"),                                  \
        FILED(p ".ca", S, f.ca, CONFIG_FILE_PUBLIC, "in PEM; empty: the system's"),            \
        FILED(p ".certificate", S, f.certificate, CONFIG_FILE_CERTIFICATE, "our own, in PEM"), \
        FILED(p ".key", S, f.key, CONFIG_FILE_SECRET, "its private key in PEM"),               \
        TEXT(p ".server_name", CONFIG_KEY_HOST, S, f.server_name, 0, "empty: the URL's host")
#define CLIENT_BASIC(p, S, f)                                                  \
    SECTION(p, "HTTP Basic"),                                                  \
        TEXT(p ".user", CONFIG_KEY_TEXT, S, f.basic_user, 0, "sent as it is"), \
        FILED(p ".password_file", S, f.password_file, CONFIG_FILE_SECRET, "with the password")
/* NOLINTEND(bugprone-macro-parentheses) */

static const struct config_key keys[] = {
    /* three fields at once (how, number, text), so the setter takes the struct and no offset */
    {.path = "target", .type = CONFIG_KEY_TARGET, .help = "the process to look at"},
    VALUE("target.all", CONFIG_KEY_BOOL, config, all,
          "all that match and their descendants: one CPU profile, labels pid and process"),
    SECTION("target.unsafe", "writes into the target or stops it; keep: left alone"),
    RANGE("target.unsafe.set_heap_profile_rate", CONFIG_KEY_RATE, config, unsafe.heap_profile_rate,
          0, TABLE_RATE_MAX, "writes runtime.MemProfileRate into the target"),
    RANGE("target.unsafe.set_block_profile_rate", CONFIG_KEY_RATE, config,
          unsafe.block_profile_rate, 0, TABLE_RATE_MAX, "writes the block profile's rate, in ns"),
    RANGE("target.unsafe.set_mutex_profile_fraction", CONFIG_KEY_RATE, config,
          unsafe.mutex_profile_fraction, 0, TABLE_RATE_MAX, "writes the mutex profile's fraction"),
    VALUE("target.unsafe.ptrace_sampling", CONFIG_KEY_BOOL, config, unsafe.ptrace_sampling,
          "stops the target for each sample where perf is refused"),
    SECTION("admin", "the endpoint with the profiles"),
    LIST("admin.listen", CONFIG_KEY_ADDRESS, config, admin.listen, admin.listens, 1,
         "where it listens; port 0 takes a free one"),
    {.path = "admin.tls", .type = CONFIG_KEY_TLS, .help = "off only on loopback or unix"},
    FILED("admin.tls.certificate", config, admin.certificate, CONFIG_FILE_CERTIFICATE,
          "chain in PEM; empty: self-signed"),
    FILED("admin.tls.key", config, admin.key, CONFIG_FILE_SECRET, "its private key in PEM"),
    FILED("admin.tls.client_ca", config, admin.client_ca, CONFIG_FILE_CERTIFICATE,
          "who signs callers' certificates, in PEM"),
    VALUE("admin.tls.client_auth", CONFIG_KEY_WORD, config, admin.client_auth,
          "must callers have a certificate? optional when client_ca is given",
          .words = client_auths),
    LIST("admin.tls.crl", CONFIG_KEY_PATH, config, admin.crls, admin.crls_count, 0,
         "revoked ones, in PEM", .file = CONFIG_FILE_PUBLIC),
    LIST("admin.hosts", CONFIG_KEY_HOST, config, admin.hosts, admin.hosts_count, 0,
         "Host names accepted besides localhost and the addresses"),
    LIST("admin.allow_from", CONFIG_KEY_CIDR, config, admin.allow_from, admin.allow_from_count, 0,
         "who may connect; empty: all that reach the listener"),
    LIST("admin.trusted_proxies", CONFIG_KEY_CIDR, config, admin.trusted_proxies,
         admin.trusted_proxies_count, 0, "whose X-Forwarded-For or PROXY header counts"),
    VALUE("admin.proxy_protocol", CONFIG_KEY_BOOL, config, admin.proxy_protocol,
          "each connection begins with a PROXY v2 header"),
    SECTION("admin.unix_peers", "who may connect to unix: listeners; empty: all"),
    NUMBERS("admin.unix_peers.uids", admin.unix_peers.uids, admin.unix_peers.uids_count,
            "their user ids"),
    NUMBERS("admin.unix_peers.gids", admin.unix_peers.gids, admin.unix_peers.gids_count,
            "or their group ids"),
    SECTION("health", "/livez /readyz /metrics in plain HTTP"),
    LIST("health.listen", CONFIG_KEY_ADDRESS, config, health.listen, health.listens, 0,
         "where it listens; empty: off"),
    SECTION("auth", "who may call"),
    LIST("auth.tokens", CONFIG_KEY_SECTION, config, auth.tokens, auth.tokens_count, 0,
         "named tokens with their scopes", .entry = "a token"),
    TEXT("auth.tokens.name", CONFIG_KEY_NAME, config_token, name, 1, "who it is, for the log",
         .needs = "a name"),
    VALUE("auth.tokens.sha256", CONFIG_KEY_HASH, config_token, sha256,
          "of the token; pillion token makes both"),
    TEXT("auth.tokens.file", CONFIG_KEY_PATH, config_token, file, 1,
         "or a file with one token a line", .file = CONFIG_FILE_SECRET),
    VALUE("auth.tokens.scopes", CONFIG_KEY_SCOPES, config_token, scopes, "what it may do",
          .needs = "scopes, like [scrape] or [all]"),
    SECTION("auth.basic", "user names with passwords"),
    FILED("auth.basic.htpasswd", config, auth.basic.htpasswd, CONFIG_FILE_SECRET,
          "bcrypt lines; empty: off"),
    VALUE("auth.basic.scopes", CONFIG_KEY_SCOPES, config, auth.basic.scopes, "what they may do"),
    LIST("auth.certificates", CONFIG_KEY_SECTION, config, auth.certificates,
         auth.certificates_count, 0, "callers known by their certificate",
         .entry = "a certificate"),
    TEXT("auth.certificates.name", CONFIG_KEY_NAME, config_certificate, name, 1,
         "who it is, for the log", .needs = "a name"),
    TEXT("auth.certificates.uri", CONFIG_KEY_TEXT, config_certificate, uri, 1,
         "its URI; /* at the end for all below"),
    TEXT("auth.certificates.dns", CONFIG_KEY_TEXT, config_certificate, dns, 1, "or its DNS name"),
    TEXT("auth.certificates.email", CONFIG_KEY_TEXT, config_certificate, email, 1,
         "or its e-mail address"),
    TEXT("auth.certificates.cn", CONFIG_KEY_TEXT, config_certificate, cn, 1, "or its common name"),
    VALUE("auth.certificates.scopes", CONFIG_KEY_SCOPES, config_certificate, scopes,
          "what it may do", .needs = "scopes, like [scrape] or [all]"),
    LIST("auth.jwt", CONFIG_KEY_SECTION, config, auth.issuers, auth.issuers_count, 0,
         "issuers of JSON Web Tokens", .entry = "an issuer"),
    TEXT("auth.jwt.issuer", CONFIG_KEY_TEXT, config_issuer, issuer, 1, "iss, exact",
         .needs = "issuer, its iss"),
    TEXT("auth.jwt.audience", CONFIG_KEY_TEXT, config_issuer, audience, 1, "one of aud",
         .needs = "an audience"),
    TEXT("auth.jwt.jwks", CONFIG_KEY_JWKS, config_issuer, jwks, 1, "its keys: a file or https URL",
         .needs = "jwks, a file or an https URL", .file = CONFIG_FILE_PUBLIC),
    FILED("auth.jwt.ca", config_issuer, ca, CONFIG_FILE_PUBLIC, "for the URL; empty: the system's"),
    TEXT("auth.jwt.subject", CONFIG_KEY_TEXT, config_issuer, subject, 0, "sub, exact; empty: any"),
    VALUE("auth.jwt.scopes", CONFIG_KEY_SCOPES, config_issuer, scopes, "what they may do",
          .needs = "scopes, like [scrape] or [all]"),
    SECTION("auth.kubernetes", "callers that the API server knows and permits"),
    LIST("auth.kubernetes.audiences", CONFIG_KEY_TEXT, config, auth.kubernetes.audiences,
         auth.kubernetes.audiences_count, 0, "of their tokens; empty: off"),
    VALUE("auth.kubernetes.scopes", CONFIG_KEY_SCOPES, config, auth.kubernetes.scopes,
          "what they may do"),
    TEXT("auth.kubernetes.api", CONFIG_KEY_URL, config, auth.kubernetes.api, 0,
         "empty: as in every Pod", .urls = CONFIG_URL_HTTPS),
    FILED("auth.kubernetes.ca", config, auth.kubernetes.ca, CONFIG_FILE_PUBLIC,
          "empty: the service account's"),
    FILED("auth.kubernetes.token_file", config, auth.kubernetes.token_file, CONFIG_FILE_SECRET,
          "empty: the service account's"),
    TEXT("auth.kubernetes.namespace", CONFIG_KEY_NAME, config, auth.kubernetes.namespace, 0,
         "empty: $POD_NAMESPACE"),
    TEXT("auth.kubernetes.pod", CONFIG_KEY_NAME, config, auth.kubernetes.pod, 0,
         "empty: $POD_NAME"),
    VALUE("auth.kubernetes.non_resource", CONFIG_KEY_BOOL, config, auth.kubernetes.non_resource,
          "ask for the path and not for pods/pprof"),
    SECTION("auth.anonymous", "callers without credentials"),
    VALUE("auth.anonymous.scopes", CONFIG_KEY_SCOPES, config, auth.anonymous,
          "what they may do; empty: nothing"),
    SECTION("limits", "what a client may ask for"),
    NUMBER("limits.default_seconds", limits.default_seconds, 1, WIRE_SECONDS_MAX,
           "when a request names no seconds"),
    NUMBER("limits.profile_seconds", limits.profile_seconds, 1, WIRE_SECONDS_MAX,
           "longest profile"),
    NUMBER("limits.trace_seconds", limits.trace_seconds, 1, WIRE_SECONDS_MAX, "longest trace"),
    NUMBER("limits.hz", limits.hz, 1, WIRE_HZ_MAX, "most samples a second and CPU"),
    RANGE("limits.min_interval", CONFIG_KEY_TIME, config, limits.min_interval_ms, 0, MS_PER_DAY,
          "between two profiles of a kind for one identity"),
    /* more than the guard has slots for could never run */
    NUMBER("limits.concurrent", limits.concurrent, 1, WIRE_PERF_SLOTS, "profiles at once"),
    VALUE("limits.share", CONFIG_KEY_BOOL, config, limits.share,
          "overlapping requests share one session"),
    NUMBER("limits.connections", limits.connections, 1, TABLE_CONNECTIONS_MAX, "open connections"),
    NUMBER("limits.per_address", limits.per_address, 1, TABLE_CONNECTIONS_MAX,
           "of them from one address"),
    NUMBER("limits.unauthenticated", limits.unauthenticated, 1, TABLE_CONNECTIONS_MAX,
           "of them without credentials so far"),
    NUMBER("limits.handshakes", limits.handshakes, 1, TABLE_HANDSHAKES_MAX,
           "TLS handshakes a second"),
    SECTION("collect", "profiles on a schedule, to keep or to forward"),
    RANGE("collect.every", CONFIG_KEY_TIME, config, collect.every_ms, 0, MS_PER_DAY,
          "between two of a kind; 0s: off"),
    LIST("collect.profiles", CONFIG_KEY_SECTION, config, collect.profiles, collect.profiles_count,
         0, "cpu for 10 s, heap and goroutine when left out", .entry = "a profile"),
    TEXT("collect.profiles.type", CONFIG_KEY_CHOICE, config_collect, type, 1, "which one",
         .words = collected, .needs = "a type"),
    RANGE("collect.profiles.seconds", CONFIG_KEY_NUMBER, config_collect, seconds, 1,
          WIRE_SECONDS_MAX, "of cpu, 10"),
    RANGE("collect.profiles.hz", CONFIG_KEY_NUMBER, config_collect, hz, 1, WIRE_HZ_MAX,
          "of cpu, 100"),
    RANGE("collect.profiles.every", CONFIG_KEY_TIME, config_collect, every_ms, MS_PER_SECOND,
          MS_PER_DAY, "instead of collect.every"),
    SECTION("collect.scrape", "the target's own endpoint"),
    TEXT("collect.scrape.url", CONFIG_KEY_URL, config, collect.scrape.url, 0,
         "its /debug/pprof; empty: none",
         .urls = CONFIG_URL_HTTP | CONFIG_URL_HTTPS | CONFIG_URL_UNIX_PATH),
    LIST("collect.scrape.types", CONFIG_KEY_PROFILE, config, collect.scrape.types,
         collect.scrape.types_count, 0, "what is fetched from there"),
    FILED("collect.scrape.token_file", config, collect.scrape.auth.bearer_file, CONFIG_FILE_SECRET,
          "with a bearer token"),
    CLIENT_BASIC("collect.scrape.basic", config, collect.scrape.auth),
    CLIENT_TLS("collect.scrape.tls", config, collect.scrape.tls),
    RANGE("collect.scrape.timeout", CONFIG_KEY_TIME, config, collect.scrape.timeout_ms, 100,
          10 * MS_PER_MINUTE, "beyond a profile's own seconds"),
    SECTION("leak_watch", "do the target's goroutines pile up?"),
    RANGE("leak_watch.every", CONFIG_KEY_TIME, config, leak_watch.every_ms, 0, MS_PER_DAY,
          "between two looks; 0s: off"),
    NUMBER("leak_watch.window", leak_watch.window, 3, 120, "looks that are compared"),
    NUMBER("leak_watch.minimum", leak_watch.minimum, 1, TABLE_GOROUTINES_MAX,
           "goroutines below which a group is no leak"),
    LABELS("labels", config, labels, labels_count, "what every profile says of its origin"),
    SECTION("sample_labels", "the target's own pprof labels"),
    VALUE("sample_labels.read", CONFIG_KEY_BOOL, config, sample_labels.read,
          "are they read at all?"),
    LIST("sample_labels.keep", CONFIG_KEY_TEXT, config, sample_labels.keep,
         sample_labels.keep_count, 0, "only these; empty: all"),
    LIST("sample_labels.drop", CONFIG_KEY_TEXT, config, sample_labels.drop,
         sample_labels.drop_count, 0, "but not these"),
    NUMBER("sample_labels.max_values", sample_labels.max_values, 1, TABLE_VALUES_MAX,
           "a label with more in one profile is dropped"),
    LIST("redact", CONFIG_KEY_SECTION, config, redact, redact_count, 0,
         "what is replaced before anything is kept or sent", .entry = "a redaction"),
    TEXT("redact.match", CONFIG_KEY_REGEX, config_redact, match, 1,
         "POSIX extended regular expression", .needs = "match, a regular expression"),
    TEXT("redact.replace", CONFIG_KEY_TEXT, config_redact, replace, 0, "what stands there instead"),
    VALUE("redact.in", CONFIG_KEY_WORDS, config_redact, in, "where; all three when left out",
          .words = redacted),
    LIST("forward", CONFIG_KEY_SECTION, config, forward, forward_count, 0, "where profiles go",
         .entry = "a backend"),
    TEXT("forward.name", CONFIG_KEY_NAME, config_backend, name, 1, "for log, metrics and spool",
         .needs = "a name"),
    VALUE("forward.type", CONFIG_KEY_WORD, config_backend, type, "what it is", .words = backends,
          .needs = "a type"),
    VALUE("forward.format", CONFIG_KEY_WORD, config_backend, format, "another way to say it",
          .words = formats),
    TEXT("forward.url", CONFIG_KEY_URL, config_backend, url, 1, "where it is",
         .urls = CONFIG_URL_HTTP | CONFIG_URL_HTTPS | CONFIG_URL_UNIX),
    TEXT("forward.path", CONFIG_KEY_TEXT, config_backend, path, 1,
         "directory: the folder; otlp: the URL's path; s3: key prefix"),
    TEXT("forward.tenant", CONFIG_KEY_TEXT, config_backend, tenant, 1, "pyroscope: X-Scope-OrgID"),
    CLIENT_BASIC("forward.basic", config_backend, auth),
    FILED("forward.bearer_file", config_backend, auth.bearer_file, CONFIG_FILE_SECRET,
          "or with a bearer token"),
    CLIENT_TLS("forward.tls", config_backend, tls),
    LABELS("forward.labels", config_backend, labels, labels_count, "over those of labels"),
    LIST("forward.types", CONFIG_KEY_PROFILE, config_backend, types, types_count, 0,
         "only these; empty: all"),
    RANGE("forward.timeout", CONFIG_KEY_TIME, config_backend, timeout_ms, 100, 10 * MS_PER_MINUTE,
          "of one request"),
    RANGE("forward.max_age", CONFIG_KEY_TIME, config_backend, max_age_ms, MS_PER_SECOND,
          TABLE_SPOOL_DAYS_MAX *MS_PER_DAY, "older ones are not sent; left out: the spool's"),
    FILED("forward.api_key_file", config_backend, api_key_file, CONFIG_FILE_SECRET,
          "datadog without an agent"),
    VALUE("forward.family", CONFIG_KEY_WORD, config_backend, family, "datadog", .words = families),
    TEXT("forward.project", CONFIG_KEY_TEXT, config_backend, project, 1,
         "google; left out: asked of the metadata server"),
    FILED("forward.credentials_file", config_backend, credentials_file, CONFIG_FILE_SECRET,
          "google: service-account key"),
    TEXT("forward.language", CONFIG_KEY_NAME, config_backend, language, 1, "google; go"),
    TEXT("forward.bucket", CONFIG_KEY_NAME, config_backend, bucket, 1, "s3"),
    TEXT("forward.region", CONFIG_KEY_NAME, config_backend, region, 1, "s3"),
    TEXT("forward.access_key_id", CONFIG_KEY_TEXT, config_backend, access_key_id, 1, "s3"),
    FILED("forward.secret_access_key_file", config_backend, secret_access_key_file,
          CONFIG_FILE_SECRET, "s3"),
    FILED("forward.session_token_file", config_backend, session_token_file, CONFIG_FILE_SECRET,
          "s3"),
    SECTION("spool", "what could not be sent yet"),
    FILED("spool.dir", config, spool.dir, CONFIG_FILE_FOLDER, "empty: in memory only"),
    RANGE("spool.max_size", CONFIG_KEY_SIZE, config, spool.max_bytes, MIB, TIB,
          "the oldest go first"),
    RANGE("spool.max_age", CONFIG_KEY_TIME, config, spool.max_age_ms, MS_PER_MINUTE,
          TABLE_SPOOL_DAYS_MAX *MS_PER_DAY, "older ones are dropped"),
    SECTION("history", "what is kept here, to look at later"),
    FILED("history.dir", config, history.dir, CONFIG_FILE_FOLDER, "empty: off"),
    SECTION("history.keep", "how long one of each is kept"),
    RANGE("history.keep.minutely", CONFIG_KEY_TIME, config, history.minutely_ms, 0,
          TABLE_KEEP_DAYS_MAX *MS_PER_DAY, "of a minute"),
    RANGE("history.keep.hourly", CONFIG_KEY_TIME, config, history.hourly_ms, 0,
          TABLE_KEEP_DAYS_MAX *MS_PER_DAY, "of an hour"),
    RANGE("history.keep.daily", CONFIG_KEY_TIME, config, history.daily_ms, 0,
          TABLE_KEEP_DAYS_MAX *MS_PER_DAY, "of a day"),
    RANGE("history.max_size", CONFIG_KEY_SIZE, config, history.max_bytes, MIB, TIB,
          "the oldest go first"),
    RANGE("drain", CONFIG_KEY_TIME, config, drain_ms, 0, CONFIG_DRAIN_MAX_MS,
          "after SIGTERM, for the last answers and the last pushes"),
    SECTION("log", "one line an event on standard error"),
    VALUE("log.level", CONFIG_KEY_WORD, config, log.level, "least important line shown",
          .words = levels),
    VALUE("log.format", CONFIG_KEY_WORD, config, log.format, "auto: text on a terminal",
          .words = log_formats),
    VALUE("log.audit", CONFIG_KEY_WORD, config, log.audit, "which requests get a line",
          .words = audits),
};

const struct config_key *config_keys(size_t *ret_count)
{
    *ret_count = sizeof(keys) / sizeof(keys[0]);
    return keys;
}
