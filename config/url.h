/*
 * url.h: is this a URL that the configuration may name? What connects to it takes it apart again
 * (sidecar/client); here is decided, with words, what never gets that far.
 */
#ifndef CONFIG_URL_H
#define CONFIG_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum config_url_kind {
    CONFIG_URL_HTTP = 1,
    CONFIG_URL_HTTPS = 2,
    CONFIG_URL_UNIX = 4,      /* unix:/socket */
    CONFIG_URL_UNIX_PATH = 8, /* unix:/socket:/path */
};

/**
 * config_url_check(text, kinds, e): 0, or -EINVAL with what would be right. User and password are
 * refused: a URL is shown in logs and in the list of processes. The error never quotes the URL.
 */
int config_url_check(const char *text, uint32_t kinds, struct err *e);

/** config_url_is_https(text): by its scheme. */
bool config_url_is_https(const char *text);

/** config_url_is_open(text): http to another machine: who is on the way reads along. */
bool config_url_is_open(const char *text);

#endif
