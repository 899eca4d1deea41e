/*
 * text.h: the small texts of the configuration that have a form: addresses, scopes, the target.
 * Used by the file's keys (config/bind.c), the command line (config/args.c) and the printing.
 */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include "config/config.h"

enum {
    CONFIG_TEXT_PRINTED_BYTES = 2 * CONFIG_PATH_BYTES, /* any one text, escaped */
};

/** config_address_print(a, out): the text that config_address_parse() takes. */
void config_address_print(const struct config_address *a, struct buf *out);

/** config_address_is_local(a): loopback or unix: nobody on the network reaches it. */
bool config_address_is_local(const struct config_address *a);

/** config_scope_from(name, ret): the bits of a scope or a group; -EINVAL for an unknown name. */
int config_scope_from(const char *name, uint32_t *ret);

/**
 * config_text_is_clean(p, bytes): UTF-8 without control characters and line breaks (also Unicode's
 * own: U+0080 to U+009F, U+2028, U+2029), so that it can be printed and read again.
 */
bool config_text_is_clean(const void *p, size_t bytes);

/** config_text_is_name(s): letters, digits and . _ - only, not empty. */
bool config_text_is_name(const char *s);

/**
 * config_text_is_profile(s): a profile's name, "heap" or "example.com/pool.connections": names as
 * above between single slashes, none of them "." or "..", since it becomes part of a path.
 */
bool config_text_is_profile(const char *s);

/** config_text_is_host(s): a DNS name or an address ([::1] with brackets), no port. */
bool config_text_is_host(const char *s);

/**
 * config_target_set(c, kind, value, e): choose the target by ${kind} (pid process port cmdline
 * container env) and ${value}. 0, or -EINVAL with what would be right; -ENOENT for an unknown kind.
 */
int config_target_set(struct config *c, const char *kind, const char *value, struct err *e);

/** config_target_kind(select): the word for it; "auto" for PLAN_SELECT_AUTO. */
const char *config_target_kind(uint32_t select);

#endif
