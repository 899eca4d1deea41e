/*
 * expiry.h: what ends soon and is noticed by nobody until it has: the served certificate, and the
 * revocation lists without which no client certificate is believed. A log line once a day.
 */
#ifndef SIDECAR_EXPIRY_H
#define SIDECAR_EXPIRY_H

#include <stdint.h>

enum {
    EXPIRY_AHEAD_SECONDS = 7 * 86400, /* of the certificate */
    EXPIRY_AGAIN_SECONDS = 86400,
};

/* When each was last said, in seconds since 1970; 0: never. Zero it at the start. */
struct expiry {
    int64_t certificate, crl;
    int64_t certificate_end, crl_end; /* what was said of; another end is news */
};

enum expiry_news {
    EXPIRY_NOTHING,
    EXPIRY_SOON, /* within EXPIRY_AHEAD_SECONDS */
    EXPIRY_OVER,
};

/**
 * expiry_look(said, said_end, now, end, ahead): is something to be said now of what ends at ${end}
 * (0: nothing there)? If so ${said} and ${said_end} remember it. A clock that was set back does
 * not silence it.
 */
enum expiry_news expiry_look(int64_t *said, int64_t *said_end, int64_t now, int64_t end,
                             int64_t ahead);

/** expiry_log(x, now, certificate_end, crl_end): look at both, and write the lines that are due. */
void expiry_log(struct expiry *x, int64_t now, int64_t certificate_end, int64_t crl_end);

#endif
