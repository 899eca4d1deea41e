/*
 * libyaml's event parser under a strict grammar of ours. Its own document loader is not used: it
 * builds anchors and aliases into one graph (a "billion laughs" in memory) and drops duplicate
 * keys without a word. Events come one at a time, so each bound is tested before anything is kept.
 * Nodes refer to each other and to their texts by numbers, because both arrays move as they grow.
 */
#include "config/tree.h"

#include <errno.h>
#include <yaml.h>

#include "config/text.h"

/* One parse; the event is the one looked at now. */
struct reader {
    struct config_tree *tree;
    const char *name;
    const char *input;
    size_t input_bytes;
    yaml_parser_t parser;
    yaml_event_t event;
    bool have_event;
    struct err *e;
};

/* libyaml counts from 0; editors, compilers and people count from 1. */
static int fail_at(struct reader *r, const yaml_mark_t *at, const char *why)
{
    return err_set(r->e, -EINVAL, "%s:%zu:%zu: %s", r->name, at->line + 1, at->column + 1, why);
}

static int fail_here(struct reader *r, const char *why)
{
    return fail_at(r, &r->event.start_mark, why);
}

/* libyaml tells where a bad byte is by its offset only. */
static yaml_mark_t mark_of(const struct reader *r, size_t offset)
{
    yaml_mark_t at = {.index = offset};

    /* columns of a reader error are bytes, those of libyaml's marks are characters */
    for (size_t i = 0; i < offset && i < r->input_bytes; i++) {
        at.column++;
        if (r->input[i] == '\n') {
            at.line++;
            at.column = 0;
        }
    }
    return at;
}

/*
 * The text is libyaml's own constant, but it is cleaned all the same: it goes to a terminal. A
 * reader error (no UTF-8) has no mark, see mark_of().
 */
static int fail_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    yaml_mark_t at = p->problem_mark;
    char clean[160];
    const char *why = p->problem ? p->problem : "not YAML";

    if (p->error == YAML_MEMORY_ERROR)
        return err_set(r->e, -ENOMEM, "%s: no memory", r->name);
    if (p->error == YAML_READER_ERROR)
        at = mark_of(r, p->problem_offset);
    return fail_at(r, &at, err_clean(clean, sizeof(clean), why, strlen(why)));
}

/* Exactly one event is alive at a time; it owns the memory of its texts. */
static void drop_event(struct reader *r)
{
    if (r->have_event)
        yaml_event_delete(&r->event);
    r->have_event = false;
}

static int next_event(struct reader *r)
{
    drop_event(r);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return fail_parser(r);
    r->have_event = true;
    return 0;
}

/* What gives a text a second meaning is refused wherever it stands: at keys and at values. */
static int refuse_extras(struct reader *r)
{
    const yaml_event_t *ev = &r->event;
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;

    if (ev->type == YAML_ALIAS_EVENT)
        return fail_here(r, "aliases (*name) are not allowed; write the value out");
    if (ev->type == YAML_SCALAR_EVENT) {
        anchor = ev->data.scalar.anchor;
        tag = ev->data.scalar.tag;
    } else if (ev->type == YAML_SEQUENCE_START_EVENT) {
        anchor = ev->data.sequence_start.anchor;
        tag = ev->data.sequence_start.tag;
    } else if (ev->type == YAML_MAPPING_START_EVENT) {
        anchor = ev->data.mapping_start.anchor;
        tag = ev->data.mapping_start.tag;
    }
    if (anchor)
        return fail_here(r, "anchors (&name) are not allowed");
    if (tag)
        return fail_here(r, "tags (!name) are not allowed");
    return 0;
}

/* The scalar of the event with a NUL; its place in *ret_offset. */
static int keep_text(struct reader *r, uint32_t *ret_offset, uint32_t *ret_bytes)
{
    const unsigned char *p = r->event.data.scalar.value;
    size_t bytes = r->event.data.scalar.length;

    /* a NUL in a quoted scalar would end a C string early: "a\0b" must not become "a" */
    if (!config_text_is_clean(p, bytes))
        return fail_here(r, "line breaks and control characters are not allowed in a value");
    *ret_offset = (uint32_t)r->tree->text.len;
    *ret_bytes = (uint32_t)bytes;
    buf_put(&r->tree->text, p, bytes);
    buf_putc(&r->tree->text, '\0');
    return r->tree->text.failed ? err_set(r->e, -ENOMEM, "%s: no memory", r->name) : 0;
}

static int new_node(struct reader *r, uint32_t *ret)
{
    struct config_tree *t = r->tree;

    /* a file of 1 MiB can hold 350,000 of "[],": 48 bytes each would be 16 MiB */
    if (t->count == CONFIG_TREE_NODES_MAX)
        return fail_here(r, "too many values in one file");
    if (t->count == t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 64;
        struct config_node *p = realloc(t->nodes, cap * sizeof(*p));

        if (!p)
            return err_set(r->e, -ENOMEM, "%s: no memory", r->name);
        t->nodes = p;
        t->cap = cap;
    }
    t->nodes[t->count] = (struct config_node){
        .line = (uint32_t)r->event.start_mark.line + 1,
        .column = (uint32_t)r->event.start_mark.column + 1,
        .first = CONFIG_NODE_NONE,
        .next = CONFIG_NODE_NONE,
    };
    *ret = t->count++;
    return 0;
}

static int read_value(struct reader *r, unsigned depth, uint32_t *ret);

/* Append child to parent behind *last (nodes may have moved since: numbers, not pointers). */
static void hang(struct config_tree *t, uint32_t parent, uint32_t child, uint32_t *last)
{
    if (*last == CONFIG_NODE_NONE)
        t->nodes[parent].first = child;
    else
        t->nodes[*last].next = child;
    t->nodes[parent].children++;
    *last = child;
}

/* Bounds the search for duplicate keys too, which is quadratic within one map. */
static int too_many(struct reader *r, uint32_t parent)
{
    if (r->tree->nodes[parent].children < CONFIG_TREE_CHILDREN_MAX)
        return 0;
    return fail_here(r, "too many entries in one list or map");
}

/* From the event behind the list's start up to its end. */
static int read_list(struct reader *r, unsigned depth, uint32_t self)
{
    uint32_t last = CONFIG_NODE_NONE;

    for (;;) {
        uint32_t child = 0;
        int rc = next_event(r);

        if (rc)
            return rc;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        rc = too_many(r, self);
        if (rc == 0)
            rc = read_value(r, depth + 1, &child);
        if (rc)
            return rc;
        hang(r->tree, self, child, &last);
    }
}

/* The key of the event: a scalar that did not come before in this map. */
static int read_key(struct reader *r, uint32_t parent, uint32_t *ret_key)
{
    const struct config_tree *t = r->tree;
    char clean[80];
    uint32_t bytes;
    int rc = refuse_extras(r);

    if (rc)
        return rc;
    if (r->event.type != YAML_SCALAR_EVENT)
        return fail_here(r, "a key must be a plain word");
    rc = keep_text(r, ret_key, &bytes);
    if (rc)
        return rc;
    /*
     * YAML 1.2, 3.2.1.3 wants unique keys, libyaml does not look; the last one would win in
     * silence, and a copied block would open what its first half closed
     */
    for (uint32_t i = t->nodes[parent].first; i != CONFIG_NODE_NONE; i = t->nodes[i].next) {
        const char *key = (const char *)t->text.data + *ret_key;

        if (strcmp(config_tree_key(t, &t->nodes[i]), key) != 0)
            continue;
        return err_set(r->e, -EINVAL, "%s:%zu:%zu: \"%s\" is here a second time (first in line %u)",
                       r->name, r->event.start_mark.line + 1, r->event.start_mark.column + 1,
                       err_clean(clean, sizeof(clean), key, bytes), t->nodes[i].key_line);
    }
    return 0;
}

/* Keys and values in turn; libyaml gives an empty scalar for a value that is not there. */
static int read_map(struct reader *r, unsigned depth, uint32_t self)
{
    uint32_t last = CONFIG_NODE_NONE;

    for (;;) {
        uint32_t child = 0, key = 0;
        yaml_mark_t at;
        int rc = next_event(r);

        if (rc)
            return rc;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return 0;
        at = r->event.start_mark;
        rc = too_many(r, self);
        if (rc == 0)
            rc = read_key(r, self, &key);
        if (rc == 0)
            rc = next_event(r);
        if (rc == 0)
            rc = read_value(r, depth + 1, &child);
        if (rc)
            return rc;
        r->tree->nodes[child].key = key;
        r->tree->nodes[child].key_line = (uint32_t)at.line + 1;
        r->tree->nodes[child].key_column = (uint32_t)at.column + 1;
        hang(r->tree, self, child, &last);
    }
}

/* The value that begins with the event. Recursion is bounded by CONFIG_TREE_DEPTH_MAX. */
static int read_value(struct reader *r, unsigned depth, uint32_t *ret)
{
    struct config_node *n;
    int rc = refuse_extras(r);

    if (rc == 0)
        rc = new_node(r, ret);
    if (rc)
        return rc;
    /* valid until the next new_node(): read_list() and read_map() take the number instead */
    n = &r->tree->nodes[*ret];
    if (r->event.type == YAML_SCALAR_EVENT) {
        n->kind = CONFIG_NODE_SCALAR;
        n->plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        return keep_text(r, &n->text, &n->text_bytes);
    }
    if (depth >= CONFIG_TREE_DEPTH_MAX)
        return fail_here(r, "nested too deeply");
    if (r->event.type == YAML_SEQUENCE_START_EVENT) {
        n->kind = CONFIG_NODE_LIST;
        return read_list(r, depth, *ret);
    }
    if (r->event.type == YAML_MAPPING_START_EVENT) {
        n->kind = CONFIG_NODE_MAP;
        return read_map(r, depth, *ret);
    }
    return fail_here(r, "a value is expected here");
}

/* STREAM-START [DOCUMENT-START value DOCUMENT-END] STREAM-END, and nothing else. */
static int read_stream(struct reader *r)
{
    uint32_t root = 0;
    /* an empty file has no document at all: that is all defaults */
    int rc = next_event(r); /* STREAM-START */

    if (rc == 0)
        rc = next_event(r);
    if (rc || r->event.type == YAML_STREAM_END_EVENT)
        return rc;
    if (r->event.data.document_start.tag_directives.start !=
        r->event.data.document_start.tag_directives.end)
        return fail_here(r, "%TAG is not allowed");
    rc = next_event(r);
    if (rc == 0)
        rc = read_value(r, 0, &root);
    if (rc == 0)
        rc = next_event(r); /* DOCUMENT-END */
    if (rc == 0)
        rc = next_event(r);
    if (rc == 0 && r->event.type != YAML_STREAM_END_EVENT)
        return fail_here(r, "a second document is not allowed");
    return rc;
}

int config_tree_parse(struct config_tree *t, const char *name, const char *text, size_t bytes,
                      struct err *e)
{
    struct reader r = {.tree = t, .name = name, .input = text, .input_bytes = bytes, .e = e};
    /* also when it fails: the caller releases the tree in any case */
    int rc;

    *t = (struct config_tree){0};
    buf_init(&t->text, CONFIG_TREE_TEXT_MAX_BYTES);
    if (!yaml_parser_initialize(&r.parser))
        return err_set(e, -ENOMEM, "%s: no memory", name);
    /* said, not guessed: a byte order mark must not turn the file into UTF-16 */
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(bytes ? text : ""), bytes);
    rc = read_stream(&r);
    drop_event(&r);
    yaml_parser_delete(&r.parser);
    return rc;
}

void config_tree_release(struct config_tree *t)
{
    if (!t)
        return;
    free(t->nodes);
    buf_release(&t->text);
    t->nodes = NULL;
    t->count = t->cap = 0;
}

const struct config_node *config_tree_node(const struct config_tree *t, uint32_t i)
{
    return i < t->count ? &t->nodes[i] : NULL;
}

const char *config_tree_text(const struct config_tree *t, const struct config_node *n)
{
    return (const char *)t->text.data + n->text;
}

const char *config_tree_key(const struct config_tree *t, const struct config_node *n)
{
    return (const char *)t->text.data + n->key;
}

bool config_tree_is_empty(const struct config_node *n)
{
    return n->kind == CONFIG_NODE_SCALAR && n->plain && n->text_bytes == 0;
}
