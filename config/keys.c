/*
 * The one list of what a configuration may hold. To build a key of interface.md that stands here as
 * LATER: give it its type, field and range; parser, printing, help and the range tests follow.
 * Sections stand before what is in them, because the table is printed in this order.
 */
#include "config/keys.h"

#include "wire/wire.h"

enum {
    KEY_NEAR = 2,        /* edits that a slip of the fingers may have */
    KEY_NAME_BYTES = 64, /* longer ones are near to nothing */
    MS_PER_HOUR = 3600 * 1000,
    MS_PER_DAY = 24 * MS_PER_HOUR,
};

/* Words are stored as their index, so their order is part of the contract. */
/* Same order as enum log_level and enum log_format. */
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const formats[] = {"auto", "json", "text", NULL};

_Static_assert(sizeof(enum log_level) == sizeof(uint32_t), "stored as a word");
_Static_assert(sizeof(enum log_format) == sizeof(uint32_t), "stored as a word");

#define AT(field)       offsetof(struct config, field)
#define IN_TOKEN(field) offsetof(struct config_token, field)
/* Short forms for the rows that need little; the others spell all fields out. */
#define SECTION(path, help)                              \
    {                                                    \
        path, CONFIG_KEY_SECTION, 0, 0, 0, 0, NULL, help \
    }
#define LATER(path)                                               \
    {                                                             \
        path, CONFIG_KEY_LATER, 0, 0, 0, 0, NULL, "not built yet" \
    }
#define NUMBER(path, field, min, max, help)                         \
    {                                                               \
        path, CONFIG_KEY_NUMBER, AT(field), 0, min, max, NULL, help \
    }

static const struct config_key keys[] = {
    /* three fields at once (how, number, text), so the setter takes the struct and no offset */
    {"target", CONFIG_KEY_TARGET, 0, 0, 0, 0, NULL, "the process to look at"},
    SECTION("admin", "the endpoint with the profiles"),
    {"admin.listen", CONFIG_KEY_LISTEN, AT(admin.listen), AT(admin.listens), 1, CONFIG_LISTEN_MAX,
     NULL, "where it listens; port 0 takes a free one"},
    {"admin.tls", CONFIG_KEY_TLS, 0, 0, 0, 0, NULL, "off only on loopback or unix"},
    {"admin.tls.certificate", CONFIG_KEY_PATH, AT(admin.certificate), 0, 0, CONFIG_PATH_BYTES - 1,
     NULL, "chain in PEM; empty: self-signed"},
    {"admin.tls.key", CONFIG_KEY_PATH, AT(admin.key), 0, 0, CONFIG_PATH_BYTES - 1, NULL,
     "its private key in PEM"},
    LATER("admin.tls.client_ca"),
    LATER("admin.tls.client_auth"),
    LATER("admin.tls.crl"),
    {"admin.hosts", CONFIG_KEY_HOSTS, AT(admin.hosts), AT(admin.hosts_count), 0, CONFIG_HOSTS_MAX,
     NULL, "Host names accepted besides localhost and the addresses"},
    LATER("admin.allow_from"),
    LATER("admin.trusted_proxies"),
    SECTION("health", "/livez /readyz /metrics in plain HTTP"),
    {"health.listen", CONFIG_KEY_LISTEN, AT(health.listen), AT(health.listens), 0,
     CONFIG_LISTEN_MAX, NULL, "where it listens; empty: off"},
    SECTION("auth", "who may call"),
    {"auth.tokens", CONFIG_KEY_TOKENS, AT(auth.tokens), AT(auth.tokens_count), 0, CONFIG_TOKENS_MAX,
     NULL, "named tokens with their scopes"},
    /* rows of each entry of the list: offsets are within struct config_token */
    {"auth.tokens.name", CONFIG_KEY_NAME, IN_TOKEN(name), 0, 1, CONFIG_NAME_BYTES - 1, NULL,
     "who it is, for the log"},
    {"auth.tokens.sha256", CONFIG_KEY_HASH, IN_TOKEN(sha256), 0, 0, 0, NULL,
     "of the token; pillion token makes both"},
    {"auth.tokens.file", CONFIG_KEY_PATH, IN_TOKEN(file), 0, 1, CONFIG_PATH_BYTES - 1, NULL,
     "or a file with one token a line"},
    {"auth.tokens.scopes", CONFIG_KEY_SCOPES, IN_TOKEN(scopes), 0, 0, 0, NULL, "what it may do"},
    LATER("auth.basic"),
    LATER("auth.certificates"),
    LATER("auth.jwt"),
    LATER("auth.kubernetes"),
    SECTION("auth.anonymous", "callers without credentials"),
    {"auth.anonymous.scopes", CONFIG_KEY_SCOPES, AT(auth.anonymous), 0, 0, 0, NULL,
     "what they may do; empty: nothing"},
    SECTION("limits", "what a client may ask for"),
    NUMBER("limits.default_seconds", limits.default_seconds, 1, WIRE_SECONDS_MAX,
           "when a request names no seconds"),
    NUMBER("limits.profile_seconds", limits.profile_seconds, 1, WIRE_SECONDS_MAX,
           "longest profile"),
    NUMBER("limits.trace_seconds", limits.trace_seconds, 1, WIRE_SECONDS_MAX, "longest trace"),
    NUMBER("limits.hz", limits.hz, 1, WIRE_HZ_MAX, "most samples a second and CPU"),
    {"limits.min_interval", CONFIG_KEY_TIME, AT(limits.min_interval_ms), 0, 0, MS_PER_DAY, NULL,
     "between two profiles of a kind for one identity"},
    /* more than the guard has slots for could never run */
    NUMBER("limits.concurrent", limits.concurrent, 1, WIRE_PERF_SLOTS, "profiles at once"),
    {"limits.share", CONFIG_KEY_BOOL, AT(limits.share), 0, 0, 0, NULL,
     "overlapping requests share one session"},
    NUMBER("limits.connections", limits.connections, 1, 4096, "open connections"),
    NUMBER("limits.per_address", limits.per_address, 1, 4096, "of them from one address"),
    SECTION("leak_watch", "do the target's goroutines pile up?"),
    {"leak_watch.every", CONFIG_KEY_TIME, AT(leak_watch.every_ms), 0, 0, MS_PER_DAY, NULL,
     "between two looks; 0s: off"},
    NUMBER("leak_watch.window", leak_watch.window, 3, 120, "looks that are compared"),
    NUMBER("leak_watch.minimum", leak_watch.minimum, 1, 1000000,
           "goroutines below which a group is no leak"),
    LATER("collect"),
    {"labels", CONFIG_KEY_LABELS, AT(labels), AT(labels_count), 0, CONFIG_LABELS_MAX, NULL,
     "what every profile says of its origin"},
    LATER("sample_labels"),
    LATER("forward"),
    LATER("spool"),
    LATER("history"),
    SECTION("log", "one line an event on standard error"),
    {"log.level", CONFIG_KEY_WORD, AT(log.level), 0, 0, 0, levels, "least important line shown"},
    {"log.format", CONFIG_KEY_WORD, AT(log.format), 0, 0, 0, formats, "auto: text on a terminal"},
};

enum {
    KEYS = sizeof(keys) / sizeof(keys[0]),
};

const struct config_key *config_keys(size_t *ret_count)
{
    *ret_count = KEYS;
    return keys;
}

/* The name behind "section.", when the row stands directly in that section; else NULL. */
static const char *name_in(const struct config_key *k, const char *section)
{
    size_t bytes = strlen(section);
    const char *name = k->path;

    if (bytes > 0) {
        if (strncmp(k->path, section, bytes) != 0 || k->path[bytes] != '.')
            return NULL;
        name += bytes + 1;
    }
    return strchr(name, '.') ? NULL : name;
}

/*
 * Linear: the table is short, files have few keys, and the alternative would be a second list that
 * could differ from the first.
 */
const struct config_key *config_key_find(const char *section, const char *name)
{
    for (size_t i = 0; i < KEYS; i++) {
        const char *own = name_in(&keys[i], section);

        if (own && strcmp(own, name) == 0)
            return &keys[i];
    }
    return NULL;
}

const char *config_key_name(const struct config_key *k)
{
    const char *dot = strrchr(k->path, '.');

    return dot ? dot + 1 : k->path;
}

/* The depth in the file is the number of dots in the path. */
unsigned config_key_depth(const struct config_key *k)
{
    unsigned depth = 0;

    for (const char *p = k->path; *p; p++)
        depth += *p == '.';
    return depth;
}

/* Levenshtein's distance, one row of the table at a time; both shorter than KEY_NAME_BYTES. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[KEY_NAME_BYTES];
    size_t width = strlen(b);

    for (unsigned j = 0; j <= width; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            unsigned shorter = row[j] < row[j - 1] ? row[j] : row[j - 1];

            diagonal = row[j];
            row[j] = change < shorter + 1 ? change : shorter + 1;
        }
    }
    return row[width];
}

const char *config_key_nearest(const char *section, const char *name)
{
    unsigned best = KEY_NEAR + 1;
    const char *found = NULL;

    if (strlen(name) >= KEY_NAME_BYTES)
        return NULL;
    for (size_t i = 0; i < KEYS; i++) {
        const char *own = name_in(&keys[i], section);
        unsigned d = own ? distance(name, own) : best;

        /* a whole word is not near to another that shares nothing with it: "pid" and "key" */
        if (d < best && d < strlen(name)) {
            best = d;
            found = own;
        }
    }
    /* the right word in the wrong section: "listen" at the top is admin.listen */
    for (size_t i = 0; i < KEYS && !found; i++) {
        if (strcmp(config_key_name(&keys[i]), name) == 0)
            found = keys[i].path;
    }
    return found;
}

const char *config_key_list(const char *section, char *out, size_t bytes)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < KEYS && used < bytes; i++) {
        const char *own = keys[i].type == CONFIG_KEY_LATER ? NULL : name_in(&keys[i], section);
        int n = own ? snprintf(out + used, bytes - used, "%s%s", used ? " " : "", own) : 0;

        used += n > 0 ? (size_t)n : 0;
    }
    return out;
}

/* Numbers, times and words tell their own ranges; see config_key_takes(). */
static const char *const takes[CONFIG_KEY_TYPES] = {
    [CONFIG_KEY_SECTION] = "a map",
    [CONFIG_KEY_BOOL] = "true or false",
    [CONFIG_KEY_NAME] = "letters, digits and . _ -",
    [CONFIG_KEY_PATH] = "a path",
    [CONFIG_KEY_HASH] = "64 hex digits",
    [CONFIG_KEY_TARGET] = "auto or one of pid process port cmdline container env",
    [CONFIG_KEY_TLS] = "off or a map with certificate and key",
    [CONFIG_KEY_LISTEN] = "an address or a list of them",
    [CONFIG_KEY_HOSTS] = "a list of host names",
    [CONFIG_KEY_SCOPES] = "a list of scopes",
    [CONFIG_KEY_TOKENS] = "a list of maps with name, sha256 or file, scopes",
    [CONFIG_KEY_LABELS] = "a map of texts",
    [CONFIG_KEY_LATER] = "nothing, it is not built yet",
};

/* snprintf(3) tells what it would have written, so used may pass bytes: then the loop ends. */
static void takes_words(const struct config_key *k, char *out, size_t bytes)
{
    size_t used = 0;

    for (size_t i = 0; k->words[i] && used < bytes; i++) {
        int n = snprintf(out + used, bytes - used, "%s%s", i ? ", " : "one of ", k->words[i]);

        used += n > 0 ? (size_t)n : 0;
    }
}

const char *config_key_takes(const struct config_key *k, char *out, size_t bytes)
{
    out[0] = '\0';
    if (k->type == CONFIG_KEY_NUMBER)
        (void)snprintf(out, bytes, "a number from %llu to %llu", (unsigned long long)k->min,
                       (unsigned long long)k->max);
    else if (k->type == CONFIG_KEY_TIME)
        (void)snprintf(out, bytes, "a duration like 500ms, 10s, 5m; at most %lluh",
                       (unsigned long long)k->max / MS_PER_HOUR);
    else if (k->type == CONFIG_KEY_WORD)
        takes_words(k, out, bytes);
    else
        (void)snprintf(out, bytes, "%s", takes[k->type]);
    return out;
}
