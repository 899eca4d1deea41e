/*
 * weak.h: what in a configuration holds, but is weaker than it need be, or will not do what its
 * writer may expect. For `pillion check`; files are not looked at here (cli/check.c does).
 */
#ifndef CONFIG_WEAK_H
#define CONFIG_WEAK_H

#include "config/config.h"

/** Called with the key ("admin.tls") and a text for people; both are gone afterwards. */
typedef void (*config_weak_fn)(void *data, const char *where, const char *what);

/** config_weak(c, fn, data): call ${fn} for each weakness; none: it is never called. */
void config_weak(const struct config *c, config_weak_fn fn, void *data);

#endif
