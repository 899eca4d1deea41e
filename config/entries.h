/*
 * entries.h: what must hold within one entry of a list of maps, and between it and those before.
 */
#ifndef CONFIG_ENTRIES_H
#define CONFIG_ENTRIES_H

#include "config/bind.h"

/** config_entry_defaults(k, entry): what holds in a zeroed entry of list ${k} before its keys. */
void config_entry_defaults(const struct config_key *k, void *entry);

/**
 * config_entry_check(b, k, n, list, i): is entry ${i}, which stands at ${n}, whole and at odds with
 * nothing before it? What follows from its other keys is set. 0 or -EINVAL.
 */
int config_entry_check(struct config_bind *b, const struct config_key *k,
                       const struct config_node *n, void *list, size_t i);

#endif
