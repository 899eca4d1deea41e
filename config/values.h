/*
 * values.h: one value of the file into one field, checked whole before it is written; and what the
 * rest of the binding needs to look at values and to say where an error is.
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "config/bind.h"

/**
 * config_value_set(b, k, n, field): the value of ${n} as ${k} wants it, whatever ${k} says about
 * lists. Types that are maps (sections, target, tls, labels) are not for here. 0 or -EINVAL.
 */
int config_value_set(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                     void *field);

/** config_value_is_scalar(type): may config_value_set() be asked? */
bool config_value_is_scalar(enum config_key_type type);

/**
 * config_value_text(b, k, n, ret): the text of a scalar with its variables replaced; valid until
 * the next call.
 */
int config_value_text(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, const char **ret);

/**
 * config_value_path(b, k, n, text, field): a path into a field of k->max + 1 bytes; a relative one
 * is seen from the file that names it, as nginx and Prometheus do.
 */
int config_value_path(struct config_bind *b, const struct config_key *k,
                      const struct config_node *n, const char *text, void *field);

/** config_value_takes(b, k, n): the error "\"x\" takes y" at the place of ${n}; -EINVAL. */
int config_value_takes(struct config_bind *b, const struct config_key *k,
                       const struct config_node *n);

/** config_value_fail(b, n, fmt, ...): an error at the place of the value ${n}; -EINVAL. */
int config_value_fail(struct config_bind *b, const struct config_node *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** config_value_child(b, map, key): the value of that key of a map; NULL: not named. */
const struct config_node *config_value_child(const struct config_bind *b,
                                             const struct config_node *map, const char *key);

#endif
