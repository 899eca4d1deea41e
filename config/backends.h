/*
 * backends.h: which keys of an entry of `forward` its type needs, and which make no sense for it.
 */
#ifndef CONFIG_BACKENDS_H
#define CONFIG_BACKENDS_H

#include "config/bind.h"

enum {
    CONFIG_BACKEND_TIMEOUT_MS = 10000,
    /* Pyroscope refuses what is older than that by default (validation.go, RejectOlderThan) */
    CONFIG_BACKEND_PYROSCOPE_MS = 3600 * 1000,
};

/** config_backend_check(b, n, list, i): for config_entry_check(). */
int config_backend_check(struct config_bind *b, const struct config_node *n,
                         struct config_backend *list, size_t i);

#endif
