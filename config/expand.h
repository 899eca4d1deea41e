/*
 * expand.h: ${NAME} and ${NAME:-default} in a configuration value.
 */
#ifndef CONFIG_EXPAND_H
#define CONFIG_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum {
    CONFIG_EXPAND_NAME_BYTES = 128, /* longest variable name with its NUL */
};

/*
 * The value of a variable that was taken away at start, since no ${NAME} asked for it then
 * (sidecar/environment.h). A file that asks for it later is refused: it needs a restart.
 */
#define CONFIG_EXPAND_TAKEN "\001"

/**
 * config_expand(text, out, why, why_bytes): append ${text} with its variables replaced to ${out}
 * (whose max_bytes bounds the result). The default counts when the variable is unset or empty, as
 * in sh(1). What comes from the environment is not looked at again. "$${" stands for a "${" that
 * is meant literally; any other "$" is itself. 0, or -EINVAL with the reason in ${why}: unset
 * without a default, a bad name, no closing brace, control bytes or no UTF-8 in the environment.
 */
int config_expand(const char *text, struct buf *out, char *why, size_t why_bytes);

/** config_expand_names(text, name, bytes): does ${text}, a file's, hold "${name}" or "${name:"? In
 * a comment it counts too. */
bool config_expand_names(const struct buf *text, const char *name, size_t bytes);

/** config_expand_escape(text, out): the opposite: append ${text} so that expanding gives it back.
 */
void config_expand_escape(const char *text, struct buf *out);

#endif
