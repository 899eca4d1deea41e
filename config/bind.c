/*
 * Each type of config/keys.h has one setter here. A setter checks all it is given and writes the
 * field last, so that no half of a value ever stands in the struct; the first error ends the whole
 * parse, and the caller throws the struct away. Offsets count from ${base}: struct config, or
 * struct config_token for the rows below auth.tokens.
 */
#include "config/bind.h"

#include <errno.h>

#include "base/num.h"
#include "config/expand.h"
#include "config/text.h"

enum {
    UNKNOWN_LIST_BYTES = 200, /* the keys of the longest section, and some */
};

/* Every error names the place of the value; those about a key name the key's own place instead. */
#define FAIL(b, n, code, fmt, ...) \
    err_set((b)->e, (code), "%s:%u:%u: " fmt, (b)->name, (n)->line, (n)->column, ##__VA_ARGS__)

/* "x takes y", where y comes from the row. */
static int takes(struct config_bind *b, const struct config_key *k, const struct config_node *n)
{
    char right[160];

    return FAIL(b, n, -EINVAL, "\"%s\" takes %s", config_key_name(k),
                config_key_takes(k, right, sizeof(right)));
}

/* The text of a scalar with its variables replaced; valid until the next call. */
static int value_of(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char **ret)
{
    char why[200];
    int r;

    /* "key:" with nothing behind it is a value that was forgotten, except for sections */
    if (n->kind != CONFIG_NODE_SCALAR || config_tree_is_empty(n))
        return takes(b, k, n);
    buf_clear(&b->value);
    r = config_expand(config_tree_text(b->tree, n), &b->value, why, sizeof(why));
    if (r)
        return FAIL(b, n, r, "%s", why);
    *ret = buf_text(&b->value);
    return 0;
}

typedef int (*item_setter)(struct config_bind *b, const struct config_key *k,
                           const struct config_node *n, void *field, size_t i);

/* A list, or one scalar that stands for a list of one; the count goes to the row's own place. */
static int each(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                void *base, item_setter set)
{
    void *field = (char *)base + k->offset;
    size_t count = 0;

    if (n->kind == CONFIG_NODE_SCALAR) {
        int r = set(b, k, n, field, 0);

        if (r)
            return r;
        count = 1;
    } else if (n->kind == CONFIG_NODE_LIST) {
        if (n->children < k->min || n->children > k->max)
            return FAIL(b, n, -EINVAL, "\"%s\" takes %llu to %llu entries", config_key_name(k),
                        (unsigned long long)k->min, (unsigned long long)k->max);
        for (const struct config_node *i = config_tree_node(b->tree, n->first); i;
             i = config_tree_node(b->tree, i->next)) {
            int r = set(b, k, i, field, count++);

            if (r)
                return r;
        }
    } else {
        return takes(b, k, n);
    }
    memcpy((char *)base + k->count, &count, sizeof(count));
    return 0;
}

static int bind_map(struct config_bind *b, const char *section, const struct config_node *map,
                    void *base);

/* "auth:" with all its lines commented out is how people leave a section for later: no error. */
static int set_section(struct config_bind *b, const struct config_key *k,
                       const struct config_node *n, void *base)
{
    if (config_tree_is_empty(n))
        return 0;
    if (n->kind != CONFIG_NODE_MAP)
        return takes(b, k, n);
    return bind_map(b, k->path, n, base);
}

/*
 * YAML 1.1 and 1.2 disagree about yes and on; the spellings of both are taken, in lower case only.
 * Quotes do not matter, so that "${SHARE:-false}" works.
 */
static int set_bool(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    void *base)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    const char *text = "";
    int r = value_of(b, k, n, &text);

    if (r)
        return r;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *(bool *)((char *)base + k->offset) = i % 2 == 1;
            return 0;
        }
    }
    return takes(b, k, n);
}

static int set_number(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, void *base)
{
    const char *text = "";
    uint64_t v;
    uint32_t v32;
    int r = value_of(b, k, n, &text);

    if (r)
        return r;
    if (num_u64(text, strlen(text), 10, k->max, &v) != 0 || v < k->min)
        return takes(b, k, n);
    v32 = (uint32_t)v;
    /* memcpy: the table knows an offset and not a type, and need not promise alignment */
    memcpy((char *)base + k->offset, &v32, sizeof(v32));
    return 0;
}

/* The range is the row's too: num_duration_ms() refuses what is above, here what is below. */
static int set_time(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    void *base)
{
    const char *text = "";
    uint64_t ms;
    int r = value_of(b, k, n, &text);

    if (r)
        return r;
    if (num_duration_ms(text, strlen(text), k->max, &ms) != 0 || ms < k->min)
        return takes(b, k, n);
    memcpy((char *)base + k->offset, &ms, sizeof(ms));
    return 0;
}

/* Copy into a field of k->max + 1 bytes, the rest zero. */
static int put_text(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    const char *text, void *field)
{
    size_t bytes = strlen(text);

    if (bytes > k->max)
        return FAIL(b, n, -EINVAL, "\"%s\" takes at most %llu bytes", config_key_name(k),
                    (unsigned long long)k->max);
    if (bytes < k->min)
        return takes(b, k, n);
    memset(field, 0, k->max + 1);
    memcpy(field, text, bytes);
    return 0;
}

/* Names go into log lines and metrics as they are, so they need no escaping anywhere. */
static int set_name(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    void *base)
{
    const char *text = "";
    int r = value_of(b, k, n, &text);

    if (r)
        return r;
    if (!config_text_is_name(text))
        return takes(b, k, n);
    return put_text(b, k, n, text, (char *)base + k->offset);
}

/* As nginx and Prometheus do: a relative path is seen from the file that names it. */
static int set_path(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    void *base)
{
    const char *slash = strrchr(b->name, '/');
    char joined[2 * CONFIG_PATH_BYTES];
    const char *text = "";
    int r = value_of(b, k, n, &text);

    if (r)
        return r;
    /* empty stays empty: it means "none" where the row allows it */
    if (text[0] == '\0' || text[0] == '/' || !slash)
        return put_text(b, k, n, text, (char *)base + k->offset);
    r = snprintf(joined, sizeof(joined), "%.*s%s", (int)(slash + 1 - b->name), b->name, text);
    if (r < 0 || (size_t)r >= sizeof(joined))
        return FAIL(b, n, -EINVAL, "\"%s\" is too long", config_key_name(k));
    return put_text(b, k, n, joined, (char *)base + k->offset);
}

/* Upper and lower case digits alike; the length first, so that the loop cannot read too far. */
static int set_hash(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    void *base)
{
    uint8_t hash[CONFIG_SHA256_BYTES];
    const char *text = "";
    int r = value_of(b, k, n, &text);

    if (r)
        return r;
    if (strlen(text) != 2 * sizeof(hash))
        return takes(b, k, n);
    for (size_t i = 0; i < sizeof(hash); i++) {
        uint64_t byte;

        if (num_u64(text + 2 * i, 2, 16, 255, &byte) != 0)
            return takes(b, k, n);
        hash[i] = (uint8_t)byte;
    }
    memcpy((char *)base + k->offset, hash, sizeof(hash));
    return 0;
}

/* Exact words only: "INFO" or "Json" would be one more spelling to support for ever. */
static int set_word(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    void *base)
{
    const char *text = "";
    int r = value_of(b, k, n, &text);

    if (r)
        return r;
    for (uint32_t i = 0; k->words[i]; i++) {
        if (strcmp(text, k->words[i]) == 0) {
            memcpy((char *)base + k->offset, &i, sizeof(i));
            return 0;
        }
    }
    return takes(b, k, n);
}

/*
 * One way to choose and one only: with two, a reader could not tell whether both must hold. What
 * the value may be is config_target_set()'s business, the same as for the command line.
 */
static int set_target(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, void *base)
{
    const struct config_node *how;
    struct err why;
    const char *text = "";
    int r;

    if (n->kind == CONFIG_NODE_SCALAR) {
        r = value_of(b, k, n, &text);
        return r || strcmp(text, "auto") == 0 ? r : takes(b, k, n);
    }
    if (n->kind != CONFIG_NODE_MAP || n->children != 1)
        return takes(b, k, n);
    how = config_tree_node(b->tree, n->first);
    r = value_of(b, k, how, &text);
    if (r)
        return r;
    r = config_target_set(base, config_tree_key(b->tree, how), text, &why);
    if (r == -ENOENT)
        return err_set(b->e, -EINVAL,
                       "%s:%u:%u: %s; right are pid process port cmdline container env", b->name,
                       how->key_line, how->key_column, why.text);
    return r ? FAIL(b, how, r, "%s", why.text) : 0;
}

/* The one key with two shapes: the word off, or a section like any other. */
static int set_tls(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                   void *base)
{
    struct config *c = base;
    const char *text = "";
    int r;

    if (n->kind != CONFIG_NODE_SCALAR || config_tree_is_empty(n))
        return set_section(b, k, n, base);
    r = value_of(b, k, n, &text);
    if (r)
        return r;
    if (strcmp(text, "off") != 0)
        return takes(b, k, n);
    c->admin.tls_off = true;
    return 0;
}

/* The text of an address is checked by the same function as --listen. */
static int set_address(struct config_bind *b, const struct config_key *k,
                       const struct config_node *n, void *field, size_t i)
{
    struct config_address *list = field;
    struct err why;
    const char *text = "";
    int r = value_of(b, k, n, &text);

    if (r)
        return r;
    r = config_address_parse(text, &list[i], &why);
    return r ? FAIL(b, n, r, "%s", why.text) : 0;
}

static int set_listen(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, void *base)
{
    return each(b, k, n, base, set_address);
}

static int set_host(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    void *field, size_t i)
{
    char(*list)[CONFIG_TEXT_BYTES] = field;
    const char *text = "";
    int r = value_of(b, k, n, &text);

    if (r)
        return r;
    if (!config_text_is_host(text))
        return FAIL(b, n, -EINVAL, "a host is a name or an address, without a port");
    memset(list[i], 0, sizeof(list[i]));
    /* RFC 4343: names are equal whatever their case; a Host header is lowered before comparing */
    for (size_t j = 0; text[j]; j++) /* names are compared in lower case */
        list[i][j] = text[j] >= 'A' && text[j] <= 'Z' ? (char)(text[j] - 'A' + 'a') : text[j];
    return 0;
}

static int set_hosts(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                     void *base)
{
    return each(b, k, n, base, set_host);
}

/* Scopes add up; naming one twice, or a group and its part, is no error. */
static int add_scope(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                     uint32_t *bits)
{
    const char *text = "";
    char clean[40];
    uint32_t more;
    int r = value_of(b, k, n, &text);

    if (r)
        return r;
    if (config_scope_from(text, &more) != 0)
        return FAIL(b, n, -EINVAL,
                    "unknown scope \"%s\"; right are cpu heap goroutine contention trace cmdline "
                    "symbol metrics history view scrape all",
                    err_clean(clean, sizeof(clean), text, strlen(text)));
    *bits |= more;
    return 0;
}

static int set_scopes(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, void *base)
{
    /* built up aside: a list that fails half way grants nothing */
    uint32_t bits = 0;
    int r = 0;

    if (n->kind == CONFIG_NODE_SCALAR)
        r = add_scope(b, k, n, &bits);
    else if (n->kind != CONFIG_NODE_LIST)
        r = takes(b, k, n);
    else
        for (uint32_t i = n->first; r == 0 && i != CONFIG_NODE_NONE;) {
            const struct config_node *item = config_tree_node(b->tree, i);

            r = add_scope(b, k, item, &bits);
            i = item->next;
        }
    if (r == 0)
        memcpy((char *)base + k->offset, &bits, sizeof(bits));
    return r;
}

/* Was this key named at all? Zero is a value for scopes, so the field cannot tell. */
static const struct config_node *child(const struct config_bind *b, const struct config_node *map,
                                       const char *key)
{
    for (const struct config_node *n = config_tree_node(b->tree, map->first); n;
         n = config_tree_node(b->tree, n->next)) {
        if (strcmp(config_tree_key(b->tree, n), key) == 0)
            return n;
    }
    return NULL;
}

static int set_token(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                     void *field, size_t i)
{
    struct config_token *list = field;
    struct config_token *t = &list[i];
    int r;

    if (n->kind != CONFIG_NODE_MAP)
        return takes(b, k, n);
    /* what an earlier, longer list left there must not show */
    memset(t, 0, sizeof(*t));
    r = bind_map(b, k->path, n, t);
    if (r)
        return r;
    t->has_hash = child(b, n, "sha256") != NULL;
    if (!child(b, n, "name"))
        return FAIL(b, n, -EINVAL, "a token needs a name");
    if (t->has_hash == (child(b, n, "file") != NULL))
        return FAIL(b, n, -EINVAL, "a token needs either sha256 or file");
    /* default deny, but said: a token without scopes is a mistake, an empty list is a decision */
    if (!child(b, n, "scopes"))
        return FAIL(b, n, -EINVAL, "a token needs scopes, like [scrape] or [all]");
    /* these two are what the log calls callers that no entry names */
    if (strcmp(t->name, "anonymous") == 0 || strcmp(t->name, "start") == 0)
        return FAIL(b, n, -EINVAL, "the name \"%s\" is taken; choose another", t->name);
    /* the log names callers; two with one name could not be told apart */
    for (size_t j = 0; j < i; j++) {
        if (strcmp(list[j].name, t->name) == 0)
            return FAIL(b, n, -EINVAL, "two tokens are named \"%s\"", t->name);
    }
    return 0;
}

static int set_tokens(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, void *base)
{
    if (n->kind != CONFIG_NODE_LIST)
        return takes(b, k, n);
    return each(b, k, n, base, set_token);
}

/*
 * A label's key is checked like a name: it becomes a label of Prometheus-like systems later, which
 * take no other bytes. Its value may be any clean text.
 */
static int set_label(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                     struct config_label *label)
{
    const char *key = config_tree_key(b->tree, n);
    const char *text = "";
    int r;

    memset(label, 0, sizeof(*label));
    if (!config_text_is_name(key) || strlen(key) >= sizeof(label->key))
        return err_set(b->e, -EINVAL,
                       "%s:%u:%u: a label's name is letters, digits and . _ - (at most %zu)",
                       b->name, n->key_line, n->key_column, sizeof(label->key) - 1);
    memcpy(label->key, key, strlen(key));
    r = value_of(b, k, n, &text);
    if (r)
        return r;
    if (strlen(text) >= sizeof(label->value))
        return FAIL(b, n, -EINVAL, "a label takes at most %zu bytes", sizeof(label->value) - 1);
    memcpy(label->value, text, strlen(text));
    return 0;
}

static int set_labels(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, void *base)
{
    struct config *c = base;
    size_t count = 0;

    if (n->kind != CONFIG_NODE_MAP)
        return takes(b, k, n);
    if (n->children > k->max)
        return FAIL(b, n, -EINVAL, "at most %llu labels", (unsigned long long)k->max);
    for (const struct config_node *i = config_tree_node(b->tree, n->first); i;
         i = config_tree_node(b->tree, i->next)) {
        int r = set_label(b, k, i, &c->labels[count++]);

        if (r)
            return r;
    }
    c->labels_count = count;
    return 0;
}

/*
 * Refused and not ignored: who writes client_ca or allow_from believes to be protected by it. The
 * key's place is named, whatever shape its value has.
 */
static int set_later(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                     void *base)
{
    (void)base;
    return err_set(b->e, -ENOTSUP, "%s:%u:%u: \"%s\" is not built yet; leave it out", b->name,
                   n->key_line, n->key_column, k->path);
}

/* In the order of enum config_key_type; a type without a setter would crash in the first test. */
static int (*const setters[CONFIG_KEY_TYPES])(struct config_bind *b, const struct config_key *k,
                                              const struct config_node *n, void *base) = {
    [CONFIG_KEY_SECTION] = set_section, [CONFIG_KEY_BOOL] = set_bool,
    [CONFIG_KEY_NUMBER] = set_number,   [CONFIG_KEY_TIME] = set_time,
    [CONFIG_KEY_NAME] = set_name,       [CONFIG_KEY_PATH] = set_path,
    [CONFIG_KEY_HASH] = set_hash,       [CONFIG_KEY_WORD] = set_word,
    [CONFIG_KEY_TARGET] = set_target,   [CONFIG_KEY_TLS] = set_tls,
    [CONFIG_KEY_LISTEN] = set_listen,   [CONFIG_KEY_HOSTS] = set_hosts,
    [CONFIG_KEY_SCOPES] = set_scopes,   [CONFIG_KEY_TOKENS] = set_tokens,
    [CONFIG_KEY_LABELS] = set_labels,   [CONFIG_KEY_LATER] = set_later,
};

/* The key is hostile text for a terminal: cleaned. Near ones are looked for in this section first.
 */
static int unknown_key(struct config_bind *b, const char *section, const struct config_node *n)
{
    const char *key = config_tree_key(b->tree, n);
    const char *near = config_key_nearest(section, key);
    char clean[CONFIG_NAME_BYTES], right[UNKNOWN_LIST_BYTES];

    (void)err_clean(clean, sizeof(clean), key, strlen(key));
    if (near)
        return err_set(b->e, -EINVAL, "%s:%u:%u: unknown key \"%s\" (did you mean \"%s\"?)",
                       b->name, n->key_line, n->key_column, clean, near);
    return err_set(b->e, -EINVAL, "%s:%u:%u: unknown key \"%s\"; right are %s", b->name,
                   n->key_line, n->key_column, clean,
                   config_key_list(section, right, sizeof(right)));
}

/* Every key of one map; ${base} is what the rows' offsets count from. */
static int bind_map(struct config_bind *b, const char *section, const struct config_node *map,
                    void *base)
{
    size_t count;
    const struct config_key *table = config_keys(&count);

    for (const struct config_node *n = config_tree_node(b->tree, map->first); n;
         n = config_tree_node(b->tree, n->next)) {
        const struct config_key *k = config_key_find(section, config_tree_key(b->tree, n));
        int r;

        if (!k)
            return unknown_key(b, section, n);
        /* for errors that show only when all keys are known (config/verify.c) */
        if ((size_t)(k - table) < CONFIG_BIND_KEYS_MAX) {
            b->at[k - table].line = n->key_line;
            b->at[k - table].column = n->key_column;
        }
        r = setters[k->type](b, k, n, base);
        if (r)
            return r;
    }
    return 0;
}

int config_bind(struct config_bind *b)
{
    const struct config_node *root = config_tree_node(b->tree, 0);
    int r;

    if (!root || config_tree_is_empty(root))
        return 0; /* an empty file, or only comments: all defaults */
    if (root->kind != CONFIG_NODE_MAP)
        return FAIL(b, root, -EINVAL, "a configuration is keys with values, like admin:");
    buf_init(&b->value, CONFIG_TREE_TEXT_MAX_BYTES);
    r = bind_map(b, "", root, b->config);
    buf_release(&b->value);
    return r;
}

bool config_bind_was_set(const struct config_bind *b, const char *path, uint32_t *ret_line,
                         uint32_t *ret_column)
{
    size_t count;
    const struct config_key *table = config_keys(&count);

    for (size_t i = 0; i < count && i < CONFIG_BIND_KEYS_MAX; i++) {
        if (strcmp(table[i].path, path) != 0)
            continue;
        *ret_line = b->at[i].line;
        *ret_column = b->at[i].column;
        return b->at[i].line > 0;
    }
    return false;
}
