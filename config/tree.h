/*
 * tree.h: a YAML text as a small tree with positions; what config/bind.c reads.
 *
 * Only the plain part of YAML is taken: scalars, lists and maps with scalar keys, one document.
 * Anchors, aliases, tags (also !!str), %TAG, duplicate keys, control characters and a second
 * document are errors, because each of them makes a file mean something else than it shows. The
 * parsing is libyaml's, by events, so that no depth or count is believed before it is checked.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    CONFIG_TREE_DEPTH_MAX = 12,     /* maps and lists inside each other */
    CONFIG_TREE_NODES_MAX = 8192,   /* of one file */
    CONFIG_TREE_CHILDREN_MAX = 256, /* entries of one map or list */
    /* all texts of one file: an escape of two bytes ("\P") can become three */
    CONFIG_TREE_TEXT_MAX_BYTES = 2 * 1024 * 1024,
};

enum config_node_kind { CONFIG_NODE_SCALAR, CONFIG_NODE_LIST, CONFIG_NODE_MAP };

#define CONFIG_NODE_NONE UINT32_MAX

struct config_node {
    enum config_node_kind kind;
    bool plain;            /* a scalar without quotes */
    uint32_t line, column; /* from 1, of the value */
    uint32_t key_line, key_column;
    uint32_t key;  /* offset of the key's text when the parent is a map */
    uint32_t text; /* offset of a scalar's text */
    uint32_t text_bytes;
    uint32_t children;
    uint32_t first, next; /* child, sibling: CONFIG_NODE_NONE at the end */
};

struct config_tree {
    struct config_node *nodes; /* nodes[0] is the outermost one when count > 0 */
    uint32_t count;            /* 0: an empty file */
    uint32_t cap;
    struct buf text; /* every text with its NUL */
};

/**
 * config_tree_parse(t, name, text, bytes, e): fill ${t} (uninitialised before). ${name} stands in
 * the error: "name:line:column: reason". 0, -EINVAL, -ENOMEM; release it in any case.
 */
int config_tree_parse(struct config_tree *t, const char *name, const char *text, size_t bytes,
                      struct err *e);

/** config_tree_release(t): NULL-safe and repeatable. */
void config_tree_release(struct config_tree *t);

/** config_tree_node(t, i): node number ${i}, NULL for CONFIG_NODE_NONE. */
const struct config_node *config_tree_node(const struct config_tree *t, uint32_t i);

/** config_tree_text(t, n), config_tree_key(t, n): NUL-terminated, without a NUL inside. */
const char *config_tree_text(const struct config_tree *t, const struct config_node *n);
const char *config_tree_key(const struct config_tree *t, const struct config_node *n);

/** config_tree_is_empty(n): a key with nothing behind it ("auth:"). */
bool config_tree_is_empty(const struct config_node *n);

#endif
