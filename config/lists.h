/*
 * lists.h: what several values of the file make together: bits of scopes and words, labels.
 */
#ifndef CONFIG_LISTS_H
#define CONFIG_LISTS_H

#include "config/values.h"

/** config_list_bits(b, k, n, field): scopes or words, one or a list, into a uint32_t. */
int config_list_bits(struct config_bind *b, const struct config_key *k, const struct config_node *n,
                     void *field);

/** config_list_labels(b, k, n, base): a map of texts into k's array and count of ${base}. */
int config_list_labels(struct config_bind *b, const struct config_key *k,
                       const struct config_node *n, void *base);

#endif
