/*
 * config.h: the configuration as one struct, from defaults, the YAML file and the command line.
 *
 * The file's keys are one table in config/table.c (key, type, range, help); unknown and duplicate
 * keys, anchors, aliases and tags are errors with file:line:column. Texts are owned by the struct.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "wire/plan.h"

/* All limits of the configuration; a list that is longer is an error, never cut. */
enum {
    CONFIG_FILE_MAX_BYTES = 1024 * 1024,
    CONFIG_TEXT_BYTES = 512,
    CONFIG_PATH_BYTES = 1024,
    CONFIG_NAME_BYTES = 64,
    CONFIG_LISTEN_MAX = 8,
    CONFIG_HOSTS_MAX = 32,
    CONFIG_TOKENS_MAX = 64,
    CONFIG_LABELS_MAX = 32,
    CONFIG_SHA256_BYTES = 32,
    CONFIG_CIDRS_MAX = 64,
    CONFIG_CERTIFICATES_MAX = 64,
    CONFIG_CRLS_MAX = 16,
    CONFIG_ISSUERS_MAX = 8,
    CONFIG_AUDIENCES_MAX = 8,
    CONFIG_COLLECT_MAX = 16,
    CONFIG_SCRAPE_TYPES_MAX = 32,
    CONFIG_SAMPLE_LABELS_MAX = 64,
    CONFIG_REDACT_MAX = 16,
    CONFIG_BACKENDS_MAX = 16,
    CONFIG_BACKEND_LABELS_MAX = 16,
    CONFIG_PEERS_MAX = 16, /* uids or gids of a unix socket's callers */
    CONFIG_DRAIN_MAX_MS = 60000,
    CONFIG_DRAIN_GRACE_MS = 2000, /* so much longer the guard waits before it kills */
};

/* Read when --config names no other; it may be missing. */
#define CONFIG_DEFAULT_FILE "/etc/pillion/pillion.yaml"

/* Scopes of interface.md; bits. */
enum config_scope {
    CONFIG_SCOPE_CPU = 1,
    CONFIG_SCOPE_HEAP = 2,
    CONFIG_SCOPE_GOROUTINE = 4,
    CONFIG_SCOPE_CONTENTION = 8,
    CONFIG_SCOPE_TRACE = 16,
    CONFIG_SCOPE_CMDLINE = 32,
    CONFIG_SCOPE_SYMBOL = 64,
    CONFIG_SCOPE_METRICS = 128,
    CONFIG_SCOPE_HISTORY = 256,
    CONFIG_SCOPE_SCRAPE =
        CONFIG_SCOPE_CPU | CONFIG_SCOPE_HEAP | CONFIG_SCOPE_GOROUTINE | CONFIG_SCOPE_CONTENTION,
    CONFIG_SCOPE_VIEW = CONFIG_SCOPE_SCRAPE | CONFIG_SCOPE_SYMBOL | CONFIG_SCOPE_HISTORY,
    CONFIG_SCOPE_ALL = 511,
};

/* Where to listen. Names are not resolved: what is written is what is bound. */
struct config_address {
    bool is_unix;
    char host[CONFIG_TEXT_BYTES]; /* numeric IPv4/IPv6 without brackets, or the unix path */
    uint16_t port;                /* 0: any free one */
};

/* Who may call: one identity, known by a hash or by any of the tokens in a file. */
struct config_token {
    char name[CONFIG_NAME_BYTES]; /* unique; letters, digits, . _ - */
    bool has_hash;
    uint8_t sha256[CONFIG_SHA256_BYTES];
    char file[CONFIG_PATH_BYTES]; /* or one token a line; "" when has_hash */
    uint32_t scopes;              /* enum config_scope bits */
};

/* What every profile says of where it comes from. */
struct config_label {
    char key[CONFIG_NAME_BYTES];
    char value[CONFIG_TEXT_BYTES];
};

/* A range of addresses, IPv4 as ::ffff:a.b.c.d so that both families are one comparison. */
struct config_cidr {
    uint8_t address[16];
    uint8_t bits; /* 0..128; of an IPv4 range 96 more than written */
};

enum config_client_auth { CONFIG_CLIENT_OFF, CONFIG_CLIENT_OPTIONAL, CONFIG_CLIENT_REQUIRED };

/* Whose certificate? Exactly one of uri, dns, email, cn is set; all are compared exactly, but for a
 * uri that ends in a slash and a star, which stands for every URI with those path segments. */
struct config_certificate {
    char name[CONFIG_NAME_BYTES];
    char uri[CONFIG_TEXT_BYTES], dns[CONFIG_TEXT_BYTES], email[CONFIG_TEXT_BYTES],
        cn[CONFIG_TEXT_BYTES];
    uint32_t scopes;
};

/* An issuer of JSON Web Tokens. */
struct config_issuer {
    char issuer[CONFIG_TEXT_BYTES], audience[CONFIG_TEXT_BYTES];
    char jwks[CONFIG_PATH_BYTES];    /* a file, or an https URL */
    char ca[CONFIG_PATH_BYTES];      /* for the URL; "": the system's */
    char subject[CONFIG_TEXT_BYTES]; /* "": any; exact */
    uint32_t scopes;
};

/* How a connection that we open proves whom it reached, and who we are. */
struct config_client_tls {
    char ca[CONFIG_PATH_BYTES];                                  /* "": the system's bundle */
    char certificate[CONFIG_PATH_BYTES], key[CONFIG_PATH_BYTES]; /* "": none of our own */
    char server_name[CONFIG_TEXT_BYTES];                         /* "": the URL's host */
};

/* Credentials that we present; at most one of bearer_file and basic_user is set. */
struct config_client_auth_data {
    char bearer_file[CONFIG_PATH_BYTES]; /* re-read when it changes */
    char basic_user[CONFIG_TEXT_BYTES];
    char password_file[CONFIG_PATH_BYTES];
};

/* One profile of the schedule. */
struct config_collect {
    char type[CONFIG_NAME_BYTES]; /* cpu heap allocs goroutine block mutex threadcreate */
    uint32_t seconds, hz;         /* cpu only; 0: 10 and 100 */
    uint64_t every_ms;            /* 0: collect.every */
};

enum config_backend_type {
    CONFIG_BACKEND_PYROSCOPE,
    CONFIG_BACKEND_PARCA,
    CONFIG_BACKEND_DATADOG,
    CONFIG_BACKEND_GOOGLE,
    CONFIG_BACKEND_OTLP,
    CONFIG_BACKEND_DIRECTORY,
    CONFIG_BACKEND_S3,
    CONFIG_BACKEND_TYPES,
};

/* How it is said, where a backend knows more than one way. */
enum config_backend_format {
    CONFIG_FORMAT_DEFAULT,
    CONFIG_FORMAT_JSON,    /* pyroscope, parca, otlp */
    CONFIG_FORMAT_INGEST,  /* pyroscope's old one */
    CONFIG_FORMAT_ONLINE,  /* google: the server says when */
    CONFIG_FORMAT_OFFLINE, /* google; its default */
    CONFIG_FORMATS,
};

enum config_family { CONFIG_FAMILY_AUTO, CONFIG_FAMILY_GO, CONFIG_FAMILY_NATIVE };

/* Where profiles go. */
struct config_backend {
    char name[CONFIG_NAME_BYTES]; /* unique; a folder of the spool has it */
    enum config_backend_type type;
    enum config_backend_format format;
    char url[CONFIG_TEXT_BYTES];  /* http, https, or unix:/path (datadog) */
    char path[CONFIG_PATH_BYTES]; /* directory: the folder; otlp: the URL's path; s3: key prefix */
    struct config_client_auth_data auth;
    struct config_client_tls tls;
    char tenant[CONFIG_TEXT_BYTES];                         /* pyroscope: X-Scope-OrgID */
    char types[CONFIG_SCRAPE_TYPES_MAX][CONFIG_NAME_BYTES]; /* only these; none: all */
    size_t types_count;
    struct config_label labels[CONFIG_BACKEND_LABELS_MAX]; /* over those of `labels` */
    size_t labels_count;
    uint64_t timeout_ms; /* of one request */
    uint64_t max_age_ms; /* older ones are not sent (pyroscope: 1h); 0: the spool's max_age */

    char api_key_file[CONFIG_PATH_BYTES];     /* datadog without an agent */
    enum config_family family;                /* datadog */
    char project[CONFIG_TEXT_BYTES];          /* google; "": asked of the metadata server */
    char credentials_file[CONFIG_PATH_BYTES]; /* google: service-account key; "": metadata server */
    char language[CONFIG_NAME_BYTES];         /* google; "": go */
    char bucket[CONFIG_TEXT_BYTES], region[CONFIG_NAME_BYTES], access_key_id[CONFIG_TEXT_BYTES];
    char secret_access_key_file[CONFIG_PATH_BYTES], session_token_file[CONFIG_PATH_BYTES]; /* s3 */
};

/* What is replaced in names, files or label values before anything is kept or sent. */
struct config_redact {
    char match[CONFIG_TEXT_BYTES];   /* POSIX extended regular expression, compiled to check it */
    char replace[CONFIG_TEXT_BYTES]; /* as written, no references */
    uint32_t in;                     /* enum config_redact_in bits */
};
enum config_redact_in {
    CONFIG_REDACT_NAMES = 1,
    CONFIG_REDACT_FILES = 2,
    CONFIG_REDACT_LABELS = 4,
};

enum config_audit { CONFIG_AUDIT_ALL, CONFIG_AUDIT_DENIED, CONFIG_AUDIT_OFF };

/*
 * All of it. Plain memory without pointers: it may be copied, and two of them compared by memcmp(3)
 * (config_defaults() clears the padding). About 700 KiB: never on a stack.
 */
struct config {
    char path[CONFIG_PATH_BYTES]; /* the file that was read, "" when none */

    /* the target, as struct plan has it: a number or a text, or neither for auto */
    uint32_t select; /* enum plan_select */
    uint64_t select_number;
    char select_text[PLAN_TEXT_BYTES];
    bool all; /* target.all: every process that matches, and what descends from them */
    /* target.unsafe: each writes into the target or stops it; -1: left alone (the default) */
    struct {
        int64_t heap_profile_rate, block_profile_rate, mutex_profile_fraction;
        bool ptrace_sampling;
    } unsafe;

    struct {
        struct config_address listen[CONFIG_LISTEN_MAX];
        size_t listens;
        bool tls_off;
        char certificate[CONFIG_PATH_BYTES]; /* "" : self-signed */
        char key[CONFIG_PATH_BYTES];
        char hosts[CONFIG_HOSTS_MAX][CONFIG_TEXT_BYTES];
        size_t hosts_count;
        char client_ca[CONFIG_PATH_BYTES];
        enum config_client_auth client_auth; /* optional when only client_ca is given */
        char crls[CONFIG_CRLS_MAX][CONFIG_PATH_BYTES];
        size_t crls_count;
        struct config_cidr allow_from[CONFIG_CIDRS_MAX]; /* none: all that reach the listener */
        size_t allow_from_count;
        struct config_cidr trusted_proxies[CONFIG_CIDRS_MAX];
        size_t trusted_proxies_count;
        bool proxy_protocol; /* each connection begins with a PROXY v2 header */
        struct {
            uint32_t uids[CONFIG_PEERS_MAX], gids[CONFIG_PEERS_MAX]; /* none: all */
            size_t uids_count, gids_count;
        } unix_peers; /* who may connect to a unix: listener (SO_PEERCRED, SO_PEERGROUPS) */
    } admin;
    struct {
        struct config_address listen[CONFIG_LISTEN_MAX];
        size_t listens; /* 0: off */
    } health;
    struct {
        struct config_token tokens[CONFIG_TOKENS_MAX];
        size_t tokens_count;
        struct {
            char htpasswd[CONFIG_PATH_BYTES]; /* "": off */
            uint32_t scopes;
        } basic;
        struct config_certificate certificates[CONFIG_CERTIFICATES_MAX];
        size_t certificates_count;
        struct config_issuer issuers[CONFIG_ISSUERS_MAX]; /* auth.jwt */
        size_t issuers_count;
        struct {
            char audiences[CONFIG_AUDIENCES_MAX][CONFIG_TEXT_BYTES];
            size_t audiences_count; /* 0: off */
            uint32_t scopes;
            char api[CONFIG_TEXT_BYTES]; /* "": https://$KUBERNETES_SERVICE_HOST:…_PORT */
            char ca[CONFIG_PATH_BYTES], token_file[CONFIG_PATH_BYTES]; /* "": service account's */
            char namespace[CONFIG_TEXT_BYTES], pod[CONFIG_TEXT_BYTES]; /* "": $POD_… */
            bool non_resource; /* ask for the URL instead of pods/pprof: see the warning */
        } kubernetes;
        uint32_t anonymous; /* scopes without credentials */
    } auth;
    struct {
        uint32_t default_seconds, profile_seconds, trace_seconds, hz;
        uint64_t min_interval_ms;
        uint32_t concurrent;
        bool share;
        uint32_t connections, per_address;
        uint32_t unauthenticated; /* connections that have not shown credentials yet */
        uint32_t handshakes;      /* TLS handshakes a second; a burst is 2.5 times that */
    } limits;
    struct config_label labels[CONFIG_LABELS_MAX];
    size_t labels_count;
    struct {
        uint64_t every_ms; /* 0: off */
        uint32_t window, minimum;
    } leak_watch;
    struct {
        uint64_t every_ms; /* 0: nothing is collected (no `collect`) */
        struct config_collect profiles[CONFIG_COLLECT_MAX];
        size_t profiles_count;
        struct {
            char url[CONFIG_TEXT_BYTES]; /* "": none; http https, or unix:/socket:/debug/pprof */
            char types[CONFIG_SCRAPE_TYPES_MAX][CONFIG_NAME_BYTES];
            size_t types_count;
            struct config_client_auth_data auth;
            struct config_client_tls tls;
            uint64_t timeout_ms; /* beyond a profile's own seconds */
        } scrape;
    } collect;
    struct {
        bool read; /* pprof labels are read from goroutines by default */
        char keep[CONFIG_SAMPLE_LABELS_MAX][CONFIG_NAME_BYTES]; /* none: all */
        size_t keep_count;
        char drop[CONFIG_SAMPLE_LABELS_MAX][CONFIG_NAME_BYTES];
        size_t drop_count;
        uint32_t max_values; /* a label with more is dropped */
    } sample_labels;
    struct config_redact redact[CONFIG_REDACT_MAX];
    size_t redact_count;
    struct config_backend forward[CONFIG_BACKENDS_MAX];
    size_t forward_count;
    struct {
        char dir[CONFIG_PATH_BYTES]; /* "": in memory only, and said so when there are backends */
        uint64_t max_bytes, max_age_ms;
    } spool;
    struct {
        char dir[CONFIG_PATH_BYTES];               /* "": off */
        uint64_t minutely_ms, hourly_ms, daily_ms; /* how long one a minute, hour, day is kept */
        uint64_t max_bytes;
    } history;
    uint64_t drain_ms; /* after SIGTERM, for the last window and the last pushes */
    struct {
        enum log_level level;
        enum log_format format;
        enum config_audit audit;
    } log;
};

/** config_defaults(c): what holds without a file and without arguments. */
void config_defaults(struct config *c);

/**
 * config_parse(c, name, text, bytes, e): defaults, then this YAML. ${name} stands in errors:
 * "pillion.yaml:12:3: unknown key \"lisen\" (did you mean \"listen\"?)". 0, -EINVAL, -ENOMEM.
 * "${NAME}" and "${NAME:-default}" in values come from the environment, "$${" is a
 * literal "${"; relative paths are seen from the folder of ${name}.
 */
int config_parse(struct config *c, const char *name, const char *text, size_t bytes, struct err *e);

/** config_read(c, path, e): config_parse() of a file. */
int config_read(struct config *c, const char *path, struct err *e);

/**
 * config_from_args(c, argc, argv, e): the whole thing for `run`, `plan`, `check` and the sidecar:
 * --config FILE (default CONFIG_DEFAULT_FILE if it exists), TARGET options, --all, --listen ADDR;
 * the command line wins over the file. argv[0] is skipped. Unknown or bad arguments are -EBADRQC
 * with the usage hint; what is wrong in the file is as config_parse() says it; a file that cannot
 * be read is another -errno.
 */
int config_from_args(struct config *c, int argc, char **argv, struct err *e);

/**
 * config_target_option(c, argc, argv, i, e): if argv[i] is a TARGET option (--pid N, --process
 * NAME, --port N, --cmdline REGEX, --container ID, --env NAME=VALUE; also --opt=value), take it
 * into ${c}: returns how many arguments were used (1 or 2), 0 when it is none, or -errno.
 */
int config_target_option(struct config *c, int argc, char **argv, int i, struct err *e);

/** config_plan(c, ret): the guard's part. */
void config_plan(const struct config *c, struct plan *ret);

/** config_print(c, out): the effective configuration as YAML, hashes hidden ("sha256: (hidden)").
 */
void config_print(const struct config *c, struct buf *out);

/** config_address_parse(text, ret): "127.0.0.1:6060", "[::1]:0", ":6060", "unix:/path". */
int config_address_parse(const char *text, struct config_address *ret, struct err *e);

/** config_scopes_print(scopes, out): names separated by commas, for people. */
void config_scopes_print(uint32_t scopes, struct buf *out);

#endif
