/*
 * bind.h: from the tree of a YAML file into struct config, row by row of config/table.c.
 */
#ifndef CONFIG_BIND_H
#define CONFIG_BIND_H

#include "config/keys.h"
#include "config/tree.h"

enum {
    CONFIG_BIND_KEYS_MAX = 256, /* at least the rows of the table */
};

struct config_bind {
    struct config *config;
    const struct config_tree *tree;
    const char *name; /* stands in errors */
    struct err *e;
    struct buf value; /* the scalar looked at, expanded */
    /* where each row stood in the file (of rows in an entry: the last one); line 0: it did not */
    struct {
        uint32_t line, column;
    } at[CONFIG_BIND_KEYS_MAX];
};

/** config_bind(b): set every key of b->tree in b->config. 0, -EINVAL, -ENOMEM. */
int config_bind(struct config_bind *b);

/** config_bind_was_set(b, path, ret_line, ret_column): did the file name this key, and where? */
bool config_bind_was_set(const struct config_bind *b, const char *path, uint32_t *ret_line,
                         uint32_t *ret_column);

#endif
