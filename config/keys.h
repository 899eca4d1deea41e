/*
 * keys.h: every key of the configuration file as one row of one table. The parser (config/bind.c),
 * the printing (config/print.c), the defaults' ranges and `pillion help config` all come from it,
 * so that none of them can drift from the others.
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "config/config.h"

enum config_key_type {
    CONFIG_KEY_SECTION, /* a map of further rows */
    CONFIG_KEY_BOOL,
    CONFIG_KEY_NUMBER, /* uint32_t within min..max */
    CONFIG_KEY_TIME,   /* uint64_t milliseconds within min..max */
    CONFIG_KEY_NAME,   /* text of at most max bytes, letters digits . _ - */
    CONFIG_KEY_PATH,   /* text of at most max bytes, below the file's folder when relative */
    CONFIG_KEY_HASH,   /* 64 hex digits */
    CONFIG_KEY_WORD,   /* one of words[], stored as its index in a uint32_t */
    CONFIG_KEY_TARGET,
    CONFIG_KEY_TLS,    /* off, or a map of further rows */
    CONFIG_KEY_LISTEN, /* one address or a list of min..max */
    CONFIG_KEY_HOSTS,
    CONFIG_KEY_SCOPES, /* uint32_t bits */
    CONFIG_KEY_TOKENS, /* a list of maps of further rows */
    CONFIG_KEY_LABELS, /* a map of texts */
    CONFIG_KEY_LATER,  /* named by interface.md, refused as not built yet */
    CONFIG_KEY_TYPES,
};

struct config_key {
    const char *path; /* "admin.tls.key" */
    enum config_key_type type;
    size_t offset; /* of the field in struct config, or in struct config_token below auth.tokens */
    size_t count;  /* offset of the field that counts the entries of a list */
    uint64_t min, max;
    const char *const *words; /* NULL at the end */
    const char *help;
};

/** config_keys(ret_count): the table, a section before what is in it. */
const struct config_key *config_keys(size_t *ret_count);

/** config_key_find(section, name): the row of "section.name"; "" is the top. NULL: unknown. */
const struct config_key *config_key_find(const char *section, const char *name);

/** config_key_name(k): the last part of the path. */
const char *config_key_name(const struct config_key *k);

/** config_key_depth(k): how many sections it is in. */
unsigned config_key_depth(const struct config_key *k);

/**
 * config_key_nearest(section, name): what may have been meant by an unknown key: a near name in the
 * same section, else the same name elsewhere (its path). NULL when nothing is near.
 */
const char *config_key_nearest(const char *section, const char *name);

/** config_key_list(section, out, bytes): the keys of a section that are built, "level format". */
const char *config_key_list(const char *section, char *out, size_t bytes);

/** config_key_takes(k, out, bytes): what is right for it: "a number from 1 to 3600". */
const char *config_key_takes(const struct config_key *k, char *out, size_t bytes);

#endif
