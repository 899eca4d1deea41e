/*
 * config.h: the configuration as one struct, from defaults, the YAML file and the command line.
 *
 * The file's keys are one table in config.c (key, type, range, help); unknown and duplicate keys,
 * anchors, aliases and tags are errors with file:line:column. Keys of interface.md that are not
 * built yet are refused as such, never ignored. Texts are owned by the struct.
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

/*
 * All of it. Plain memory without pointers: it may be copied, and two of them compared by memcmp(3)
 * (config_defaults() clears the padding). About 120 KiB: not for small stacks.
 */
struct config {
    char path[CONFIG_PATH_BYTES]; /* the file that was read, "" when none */

    /* the target, as struct plan has it: a number or a text, or neither for auto */
    uint32_t select; /* enum plan_select */
    uint64_t select_number;
    char select_text[PLAN_TEXT_BYTES];

    struct {
        struct config_address listen[CONFIG_LISTEN_MAX];
        size_t listens;
        bool tls_off;
        char certificate[CONFIG_PATH_BYTES]; /* "" : self-signed */
        char key[CONFIG_PATH_BYTES];
        char hosts[CONFIG_HOSTS_MAX][CONFIG_TEXT_BYTES];
        size_t hosts_count;
    } admin;
    struct {
        struct config_address listen[CONFIG_LISTEN_MAX];
        size_t listens; /* 0: off */
    } health;
    struct {
        struct config_token tokens[CONFIG_TOKENS_MAX];
        size_t tokens_count;
        uint32_t anonymous; /* scopes without credentials */
    } auth;
    struct {
        uint32_t default_seconds, profile_seconds, trace_seconds, hz;
        uint64_t min_interval_ms;
        uint32_t concurrent;
        bool share;
        uint32_t connections, per_address;
    } limits;
    struct config_label labels[CONFIG_LABELS_MAX];
    size_t labels_count;
    struct {
        uint64_t every_ms; /* 0: off */
        uint32_t window, minimum;
    } leak_watch;
    struct {
        enum log_level level;
        enum log_format format;
    } log;
    bool sample_labels; /* pprof labels read from goroutines by default */
};

/** config_defaults(c): what holds without a file and without arguments. */
void config_defaults(struct config *c);

/**
 * config_parse(c, name, text, bytes, e): defaults, then this YAML. ${name} stands in errors:
 * "pillion.yaml:12:3: unknown key \"lisen\" (did you mean \"listen\"?)". 0, -EINVAL, -ENOTSUP (not
 * built yet). "${NAME}" and "${NAME:-default}" in values come from the environment, "$${" is a
 * literal "${"; relative paths are seen from the folder of ${name}.
 */
int config_parse(struct config *c, const char *name, const char *text, size_t bytes, struct err *e);

/** config_read(c, path, e): config_parse() of a file. */
int config_read(struct config *c, const char *path, struct err *e);

/**
 * config_from_args(c, argc, argv, e): the whole thing for `run`, `plan`, `check` and the sidecar:
 * --config FILE (default CONFIG_DEFAULT_FILE if it exists), TARGET options, --listen ADDR; the
 * command line wins over the file. argv[0] is skipped. Unknown or bad arguments are -EBADRQC with
 * the usage hint; what is wrong in the file is as config_parse() says it; a file that cannot be
 * read is another -errno.
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
