/*
 * retry_after.h: the value of a Retry-After header (RFC 9110 10.2.3): seconds, or a date.
 */
#ifndef SIDECAR_CLIENT_RETRY_AFTER_H
#define SIDECAR_CLIENT_RETRY_AFTER_H

#include <stdint.h>

enum {
    RETRY_AFTER_MAX_S = 86400, /* whoever says more is asked again after a day */
};

/**
 * retry_after_ms(text, now_s): milliseconds from ${now_s} (seconds since 1970), at most a day; 0
 * when it is neither form, or the time has come. Of the three date forms only IMF-fixdate, the one
 * that may be made since 1999, is read.
 */
uint64_t retry_after_ms(const char *text, int64_t now_s);

#endif
