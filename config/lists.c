#include "config/lists.h"

#include <errno.h>

#include "config/text.h"

/* Naming a scope twice, or a group and its part, is no error: they add up. */
static int add_scope(struct config_bind *b, const struct config_node *n, const char *text,
                     uint32_t *bits)
{
    char clean[40];
    uint32_t more;

    if (config_scope_from(text, &more) != 0)
        return config_value_fail(
            b, n,
            "unknown scope \"%s\"; right are cpu heap goroutine contention trace cmdline "
            "symbol metrics history view scrape all",
            err_clean(clean, sizeof(clean), text, strlen(text)));
    *bits |= more;
    return 0;
}

static int add_bit(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                   uint32_t *bits)
{
    const char *text = "";
    int r = config_value_text(b, k, n, &text);

    if (r)
        return r;
    if (k->type == CONFIG_KEY_SCOPES)
        return add_scope(b, n, text, bits);
    for (uint32_t i = 0; k->words[i]; i++) {
        if (strcmp(text, k->words[i]) == 0) {
            *bits |= UINT32_C(1) << i;
            return 0;
        }
    }
    return config_value_takes(b, k, n);
}

int config_list_bits(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                     void *field)
{
    /* built up aside: a list that fails half way grants nothing */
    uint32_t bits = 0;
    int r = 0;

    if (n->kind == CONFIG_NODE_SCALAR)
        r = add_bit(b, k, n, &bits);
    else if (n->kind != CONFIG_NODE_LIST)
        r = config_value_takes(b, k, n);
    else
        for (const struct config_node *i = config_tree_node(b->tree, n->first); i && r == 0;
             i = config_tree_node(b->tree, i->next))
            r = add_bit(b, k, i, &bits);
    if (r == 0)
        memcpy(field, &bits, sizeof(bits));
    return r;
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
    r = config_value_text(b, k, n, &text);
    if (r)
        return r;
    if (strlen(text) >= sizeof(label->value))
        return config_value_fail(b, n, "a label takes at most %zu bytes", sizeof(label->value) - 1);
    memcpy(label->value, text, strlen(text));
    return 0;
}

int config_list_labels(struct config_bind *b, const struct config_key *k,
                       const struct config_node *n, void *base)
{
    struct config_label *labels = (void *)((char *)base + k->offset);
    size_t count = 0;

    if (n->kind != CONFIG_NODE_MAP)
        return config_value_takes(b, k, n);
    if (n->children > k->most)
        return config_value_fail(b, n, "at most %u labels", k->most);
    for (const struct config_node *i = config_tree_node(b->tree, n->first); i;
         i = config_tree_node(b->tree, i->next)) {
        int r = set_label(b, k, i, &labels[count++]);

        if (r)
            return r;
    }
    memcpy((char *)base + k->count, &count, sizeof(count));
    return 0;
}
