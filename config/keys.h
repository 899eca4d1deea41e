/*
 * keys.h: every key of the configuration file as one row of one table (config/table.c). The parser
 * (config/bind.c), the printing (config/print.c), the list of files (config/files.c) and `pillion
 * help config` all come from it, so that none of them can drift from the others.
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "config/config.h"

/* What one value is. A row with a stride is a list of them, or one that stands for a list. */
enum config_key_type {
    CONFIG_KEY_SECTION, /* a map of further rows; as a list: each entry is one */
    CONFIG_KEY_BOOL,
    CONFIG_KEY_NUMBER,  /* uint32_t within min..max */
    CONFIG_KEY_RATE,    /* int64_t, 0..max; "keep" is -1 */
    CONFIG_KEY_TIME,    /* uint64_t milliseconds within min..max */
    CONFIG_KEY_SIZE,    /* uint64_t bytes within min..max */
    CONFIG_KEY_NAME,    /* text of min..max bytes, letters digits . _ - */
    CONFIG_KEY_TEXT,    /* text of min..max bytes */
    CONFIG_KEY_CHOICE,  /* the same, but one of words[] */
    CONFIG_KEY_PROFILE, /* a profile's name: "heap", also with slashes, as Go programs name them */
    CONFIG_KEY_REGEX,   /* POSIX extended regular expression */
    CONFIG_KEY_PATH,    /* text of min..max bytes, below the file's folder when relative */
    CONFIG_KEY_JWKS,    /* the same, or an https URL */
    CONFIG_KEY_URL,     /* of the schemes in urls */
    CONFIG_KEY_HASH,    /* 64 hex digits */
    CONFIG_KEY_WORD,    /* one of words[], stored as its index in a uint32_t */
    CONFIG_KEY_WORDS,   /* a list of words[], stored as bits 1 << index of a uint32_t */
    CONFIG_KEY_SCOPES,  /* a list of scopes, stored as bits of a uint32_t */
    CONFIG_KEY_TARGET,  /* auto, or a map of one choice and further rows */
    CONFIG_KEY_TLS,     /* off, or a map of further rows */
    CONFIG_KEY_ADDRESS, /* struct config_address */
    CONFIG_KEY_HOST,    /* text, in lower case */
    CONFIG_KEY_CIDR,    /* struct config_cidr */
    CONFIG_KEY_LABELS,  /* a map of texts; an array of struct config_label with its count */
    CONFIG_KEY_TYPES,
};

/* What a path is for. */
enum config_file {
    CONFIG_FILE_NONE,        /* no path */
    CONFIG_FILE_PUBLIC,      /* read; anybody may */
    CONFIG_FILE_CERTIFICATE, /* the same, and one that expires */
    CONFIG_FILE_SECRET,      /* read; nobody else should */
    CONFIG_FILE_FOLDER,      /* written to */
};

struct config_key {
    const char *path; /* "admin.tls.key" */
    enum config_key_type type;
    size_t offset;        /* of the field in struct config, or in the struct of the list's entry */
    size_t count;         /* lists and labels: offset of the size_t that counts the entries */
    size_t stride;        /* bytes of one entry; 0: no list */
    uint32_t least, most; /* entries of lists and labels */
    uint64_t min, max;    /* of each value */
    const char *const *words; /* NULL at the end */
    uint32_t urls;            /* enum config_url_kind bits */
    enum config_file file;
    const char *needs; /* in an entry: it must be there, and this is what the error asks for */
    const char *entry; /* of a list of maps: "a token", for errors */
    const char *help;
};

/** config_keys(ret_count): the table, a section before what is in it. */
const struct config_key *config_keys(size_t *ret_count);

/** config_key_find(section, name): the row of "section.name"; "" is the top. NULL: unknown. */
const struct config_key *config_key_find(const char *section, const char *name);

/**
 * config_key_in(k, section): the row's own name when it stands directly in that section, else NULL.
 */
const char *config_key_in(const struct config_key *k, const char *section);

/** config_key_below(k, section): is it in that section, at any depth? */
bool config_key_below(const struct config_key *k, const char *section);

/** config_key_name(k): the last part of the path. */
const char *config_key_name(const struct config_key *k);

/** config_key_depth(k): how many sections it is in. */
unsigned config_key_depth(const struct config_key *k);

/** config_key_entries(k, base): how many entries the list or the labels of ${base} have. */
size_t config_key_entries(const struct config_key *k, const void *base);

/**
 * config_key_nearest(section, name): what may have been meant by an unknown key: a near name in the
 * same section, else the same name elsewhere (its path). NULL when nothing is near.
 */
const char *config_key_nearest(const char *section, const char *name);

/** config_key_list(section, out, bytes): the keys of a section, "level format". */
const char *config_key_list(const char *section, char *out, size_t bytes);

/** config_key_takes(k, out, bytes): what is right for it: "a number from 1 to 3600". */
const char *config_key_takes(const struct config_key *k, char *out, size_t bytes);

#endif
