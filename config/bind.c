/*
 * Walking the tree along the rows: sections, lists and the two keys with two shapes. Offsets count
 * from ${base}: struct config, or the struct of one entry for the rows below a list of maps. What a
 * single value may be is config/values.c's business, what must hold within an entry that of
 * config/entries.c.
 */
#include "config/bind.h"

#include <errno.h>

#include "config/entries.h"
#include "config/lists.h"
#include "config/text.h"
#include "config/values.h"

enum {
    UNKNOWN_LIST_BYTES = 400, /* the keys of the longest section */
};

static int bind_map(struct config_bind *b, const char *section, const struct config_node *map,
                    void *base);

/* "auth:" with all its lines commented out is how people leave a section for later: no error. */
static int set_section(struct config_bind *b, const struct config_key *k,
                       const struct config_node *n, void *base)
{
    if (config_tree_is_empty(n))
        return 0;
    if (n->kind != CONFIG_NODE_MAP)
        return config_value_takes(b, k, n);
    return bind_map(b, k->path, n, base);
}

/* One entry of a list of maps; the rows' own texts say what is missing. */
static int set_entry(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                     void *list, size_t i)
{
    void *entry = (char *)list + i * k->stride;
    size_t count;
    const struct config_key *table = config_keys(&count);
    int r;

    if (n->kind != CONFIG_NODE_MAP)
        return config_value_takes(b, k, n);
    /* what an earlier, longer list left there must not show */
    memset(entry, 0, k->stride);
    config_entry_defaults(k, entry);
    r = bind_map(b, k->path, n, entry);
    for (size_t row = 0; row < count && r == 0; row++) {
        const char *own = table[row].needs ? config_key_in(&table[row], k->path) : NULL;

        if (own && !config_value_child(b, n, own))
            r = config_value_fail(b, n, "%s needs %s", k->entry, table[row].needs);
    }
    return r ? r : config_entry_check(b, k, n, list, i);
}

static int set_item(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    void *list, size_t i)
{
    if (k->type == CONFIG_KEY_SECTION)
        return set_entry(b, k, n, list, i);
    return config_value_set(b, k, n, (char *)list + i * k->stride);
}

/* A list, or one scalar that stands for a list of one; the count goes to the row's own place. */
static int set_list(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                    void *base)
{
    void *list = (char *)base + k->offset;
    size_t count = 0;

    if (n->kind == CONFIG_NODE_SCALAR && k->type != CONFIG_KEY_SECTION) {
        int r = set_item(b, k, n, list, 0);

        if (r)
            return r;
        count = 1;
    } else if (n->kind == CONFIG_NODE_LIST) {
        if (n->children < k->least || n->children > k->most)
            return config_value_fail(b, n, "\"%s\" takes %u to %u entries", config_key_name(k),
                                     k->least, k->most);
        for (const struct config_node *i = config_tree_node(b->tree, n->first); i;
             i = config_tree_node(b->tree, i->next)) {
            int r = set_item(b, k, i, list, count++);

            if (r)
                return r;
        }
    } else {
        return config_value_takes(b, k, n);
    }
    memcpy((char *)base + k->count, &count, sizeof(count));
    return 0;
}

/* One way to choose; what the value may be is the same as for the command line. */
static int set_choice(struct config_bind *b, const struct config_key *k,
                      const struct config_node *how)
{
    struct err why;
    const char *text = "";
    int r = config_value_text(b, k, how, &text);

    if (r)
        return r;
    r = config_target_set(b->config, config_tree_key(b->tree, how), text, &why);
    if (r == -ENOENT)
        return err_set(b->e, -EINVAL,
                       "%s:%u:%u: %s; right are pid process port cmdline container env", b->name,
                       how->key_line, how->key_column, why.text);
    return r ? config_value_fail(b, how, "%s", why.text) : 0;
}

static int set_row(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                   void *base);

/*
 * One way to choose and one only: with two, a reader could not tell whether both must hold. The
 * rows below stand beside it.
 */
static int set_target(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n)
{
    const char *text = "";
    size_t ways = 0;
    int r = 0;

    if (n->kind == CONFIG_NODE_SCALAR) {
        r = config_value_text(b, k, n, &text);
        return r || strcmp(text, "auto") == 0 ? r : config_value_takes(b, k, n);
    }
    if (n->kind != CONFIG_NODE_MAP || n->children == 0)
        return config_value_takes(b, k, n);
    for (const struct config_node *i = config_tree_node(b->tree, n->first); i && r == 0;
         i = config_tree_node(b->tree, i->next)) {
        const struct config_key *beside = config_key_find(k->path, config_tree_key(b->tree, i));

        if (beside)
            r = set_row(b, beside, i, b->config);
        else if (ways++ > 0)
            r = config_value_takes(b, k, n);
        else
            r = set_choice(b, k, i);
    }
    return r;
}

/* The word off, or a section like any other. */
static int set_tls(struct config_bind *b, const struct config_key *k, const struct config_node *n)
{
    const char *text = "";
    int r;

    if (n->kind != CONFIG_NODE_SCALAR || config_tree_is_empty(n))
        return set_section(b, k, n, b->config);
    r = config_value_text(b, k, n, &text);
    if (r)
        return r;
    if (strcmp(text, "off") != 0)
        return config_value_takes(b, k, n);
    b->config->admin.tls_off = true;
    return 0;
}

static int set_row(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                   void *base)
{
    if (k->stride)
        return set_list(b, k, n, base);
    if (k->type == CONFIG_KEY_SECTION)
        return set_section(b, k, n, base);
    if (k->type == CONFIG_KEY_TARGET)
        return set_target(b, k, n);
    if (k->type == CONFIG_KEY_TLS)
        return set_tls(b, k, n);
    if (k->type == CONFIG_KEY_LABELS)
        return config_list_labels(b, k, n, base);
    if (k->type == CONFIG_KEY_SCOPES || k->type == CONFIG_KEY_WORDS)
        return config_list_bits(b, k, n, (char *)base + k->offset);
    return config_value_set(b, k, n, (char *)base + k->offset);
}

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
        r = set_row(b, k, n, base);
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
        return config_value_fail(b, root, "a configuration is keys with values, like admin:");
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
