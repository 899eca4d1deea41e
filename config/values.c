/*
 * Each scalar type of config/keys.h has one setter here. A setter checks all it is given and writes
 * the field last, so that no half of a value ever stands in the struct; the first error ends the
 * whole parse, and the caller throws the struct away. Fields are written by memcpy(3): the table
 * knows an offset and not a type, and need not promise alignment.
 */
#include "config/values.h"

#include <errno.h>
#include <stdarg.h>

#include "base/num.h"
#include "config/cidr.h"
#include "config/expand.h"
#include "config/regex.h"
#include "config/text.h"
#include "config/url.h"

typedef int (*value_setter)(struct config_bind *b, const struct config_key *k,
                            const struct config_node *n, const char *text, void *field);

int config_value_fail(struct config_bind *b, const struct config_node *n, const char *fmt, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(b->e, -EINVAL, "%s:%u:%u: %s", b->name, n->line, n->column, text);
}

int config_value_takes(struct config_bind *b, const struct config_key *k,
                       const struct config_node *n)
{
    char right[160];

    return config_value_fail(b, n, "\"%s\" takes %s", config_key_name(k),
                             config_key_takes(k, right, sizeof(right)));
}

const struct config_node *config_value_child(const struct config_bind *b,
                                             const struct config_node *map, const char *key)
{
    for (const struct config_node *n = config_tree_node(b->tree, map->first); n;
         n = config_tree_node(b->tree, n->next)) {
        if (strcmp(config_tree_key(b->tree, n), key) == 0)
            return n;
    }
    return NULL;
}

int config_value_text(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, const char **ret)
{
    char why[200];

    /* "key:" with nothing behind it is a value that was forgotten, except for sections */
    if (n->kind != CONFIG_NODE_SCALAR || config_tree_is_empty(n))
        return config_value_takes(b, k, n);
    buf_clear(&b->value);
    if (config_expand(config_tree_text(b->tree, n), &b->value, why, sizeof(why)) != 0)
        return config_value_fail(b, n, "%s", why);
    *ret = buf_text(&b->value);
    return 0;
}

/*
 * YAML 1.1 and 1.2 disagree about yes and on; the spellings of both are taken, in lower case only.
 * Quotes do not matter, so that "${SHARE:-false}" works.
 */
static int set_bool(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *(bool *)field = i % 2 == 1;
            return 0;
        }
    }
    return config_value_takes(b, k, n);
}

static int set_number(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, const char *text, void *field)
{
    uint64_t v;
    uint32_t v32;

    if (num_u64(text, strlen(text), 10, k->max, &v) != 0 || v < k->min)
        return config_value_takes(b, k, n);
    v32 = (uint32_t)v;
    memcpy(field, &v32, sizeof(v32));
    return 0;
}

/* Zero is a rate (off), so what is left alone needs a word of its own. */
static int set_rate(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    int64_t rate = -1;
    uint64_t v;

    if (strcmp(text, "keep") != 0) {
        if (num_u64(text, strlen(text), 10, k->max, &v) != 0)
            return config_value_takes(b, k, n);
        rate = (int64_t)v;
    }
    memcpy(field, &rate, sizeof(rate));
    return 0;
}

/* The range is the row's too: num_duration_ms() refuses what is above, here what is below. */
static int set_time(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    uint64_t ms;

    if (num_duration_ms(text, strlen(text), k->max, &ms) != 0 || ms < k->min)
        return config_value_takes(b, k, n);
    memcpy(field, &ms, sizeof(ms));
    return 0;
}

static int set_size(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    uint64_t bytes;

    if (num_size_bytes(text, strlen(text), k->max, &bytes) != 0 || bytes < k->min)
        return config_value_takes(b, k, n);
    memcpy(field, &bytes, sizeof(bytes));
    return 0;
}

/* Copy into a field of k->max + 1 bytes, the rest zero. */
static int set_text(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    size_t bytes = strlen(text);

    if (bytes > k->max)
        return config_value_fail(b, n, "\"%s\" takes at most %llu bytes", config_key_name(k),
                                 (unsigned long long)k->max);
    if (bytes < k->min)
        return config_value_takes(b, k, n);
    memset(field, 0, k->max + 1);
    memcpy(field, text, bytes);
    return 0;
}

/* Names go into log lines and metrics as they are, so they need no escaping anywhere. */
static int set_name(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    if (text[0] ? !config_text_is_name(text) : k->min > 0)
        return config_value_takes(b, k, n);
    return set_text(b, k, n, text, field);
}

static int set_choice(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, const char *text, void *field)
{
    for (size_t i = 0; k->words[i]; i++) {
        if (strcmp(text, k->words[i]) == 0)
            return set_text(b, k, n, text, field);
    }
    return config_value_takes(b, k, n);
}

static int set_profile(struct config_bind *b, const struct config_key *k,
                       const struct config_node *n, const char *text, void *field)
{
    if (!config_text_is_profile(text))
        return config_value_takes(b, k, n);
    return set_text(b, k, n, text, field);
}

static int set_regex(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                     const char *text, void *field)
{
    struct err why;

    if (config_regex_check(text, k->max, &why) != 0)
        return config_value_fail(b, n, "%s", why.text);
    /* replacing it would go on for ever, or put the replacement between all letters */
    if (config_regex_matches_nothing(text))
        return config_value_fail(b, n, "the pattern matches an empty text; write .+ for .*");
    return set_text(b, k, n, text, field);
}

int config_value_path(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, const char *text, void *field)
{
    const char *slash = strrchr(b->name, '/');
    char joined[2 * CONFIG_PATH_BYTES];
    int r;

    /* empty stays empty: it means "none" where the row allows it */
    if (text[0] == '\0' || text[0] == '/' || !slash)
        return set_text(b, k, n, text, field);
    r = snprintf(joined, sizeof(joined), "%.*s%s", (int)(slash + 1 - b->name), b->name, text);
    if (r < 0 || (size_t)r >= sizeof(joined))
        return config_value_fail(b, n, "\"%s\" is too long", config_key_name(k));
    return set_text(b, k, n, joined, field);
}

static int set_url(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                   const char *text, void *field)
{
    struct err why;

    if (text[0] == '\0')
        return set_text(b, k, n, text, field); /* "none", where the row allows it */
    if (config_url_check(text, k->urls, &why) != 0)
        return config_value_fail(b, n, "\"%s\": %s", config_key_name(k), why.text);
    return set_text(b, k, n, text, field);
}

/* Keys decide who may call: over http, whoever is on the way could put in his own. */
static int set_jwks(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    struct err why;

    if (!strstr(text, "://"))
        return config_value_path(b, k, n, text, field);
    if (config_url_check(text, CONFIG_URL_HTTPS, &why) != 0)
        return config_value_fail(b, n, "\"%s\": %s", config_key_name(k), why.text);
    return set_text(b, k, n, text, field);
}

/* Upper and lower case digits alike; the length first, so that the loop cannot read too far. */
static int set_hash(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    uint8_t hash[CONFIG_SHA256_BYTES];

    if (strlen(text) != 2 * sizeof(hash))
        return config_value_takes(b, k, n);
    for (size_t i = 0; i < sizeof(hash); i++) {
        uint64_t byte;

        if (num_u64(text + 2 * i, 2, 16, 255, &byte) != 0)
            return config_value_takes(b, k, n);
        hash[i] = (uint8_t)byte;
    }
    memcpy(field, hash, sizeof(hash));
    return 0;
}

/* Exact words only: "INFO" or "Json" would be one more spelling to support for ever. */
static int set_word(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    for (uint32_t i = 0; k->words[i]; i++) {
        if (strcmp(text, k->words[i]) == 0) {
            memcpy(field, &i, sizeof(i));
            return 0;
        }
    }
    return config_value_takes(b, k, n);
}

/* The text of an address is checked by the same function as --listen. */
static int set_address(struct config_bind *b, const struct config_key *k,
                       const struct config_node *n, const char *text, void *field)
{
    struct err why;

    (void)k;
    return config_address_parse(text, field, &why) ? config_value_fail(b, n, "%s", why.text) : 0;
}

static int set_host(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    char *p = field;
    int r;

    if (text[0] ? !config_text_is_host(text) : k->min > 0)
        return config_value_fail(b, n, "a host is a name or an address, without a port");
    r = set_text(b, k, n, text, field);
    /* RFC 4343: names are equal whatever their case; a Host header is lowered before comparing */
    for (size_t j = 0; r == 0 && p[j]; j++)
        p[j] = p[j] >= 'A' && p[j] <= 'Z' ? (char)(p[j] - 'A' + 'a') : p[j];
    return r;
}

static int set_cidr(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    struct err why;

    (void)k;
    return config_cidr_parse(text, field, &why) ? config_value_fail(b, n, "%s", why.text) : 0;
}

/* In the order of enum config_key_type; NULL: no scalar. */
static const value_setter setters[CONFIG_KEY_TYPES] = {
    [CONFIG_KEY_BOOL] = set_bool,
    [CONFIG_KEY_NUMBER] = set_number,
    [CONFIG_KEY_RATE] = set_rate,
    [CONFIG_KEY_TIME] = set_time,
    [CONFIG_KEY_SIZE] = set_size,
    [CONFIG_KEY_NAME] = set_name,
    [CONFIG_KEY_TEXT] = set_text,
    [CONFIG_KEY_CHOICE] = set_choice,
    [CONFIG_KEY_PROFILE] = set_profile,
    [CONFIG_KEY_REGEX] = set_regex,
    [CONFIG_KEY_PATH] = config_value_path,
    [CONFIG_KEY_JWKS] = set_jwks,
    [CONFIG_KEY_URL] = set_url,
    [CONFIG_KEY_HASH] = set_hash,
    [CONFIG_KEY_WORD] = set_word,
    [CONFIG_KEY_ADDRESS] = set_address,
    [CONFIG_KEY_HOST] = set_host,
    [CONFIG_KEY_CIDR] = set_cidr,
};

bool config_value_is_scalar(enum config_key_type type)
{
    return setters[type] != NULL;
}

int config_value_set(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                     void *field)
{
    const char *text = "";
    int r = config_value_text(b, k, n, &text);

    return r ? r : setters[k->type](b, k, n, text, field);
}
