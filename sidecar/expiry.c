/*
 * Lists of revoked certificates are often made anew each day, so a week ahead says nothing about
 * them: they are told of when they are over, which is when clients begin to be refused.
 */
#include "sidecar/expiry.h"

#include "base/log.h"

enum expiry_news expiry_look(int64_t *said, int64_t *said_end, int64_t now, int64_t end,
                             int64_t ahead)
{
    bool over = end <= now;

    if (end == 0 || end - ahead > now) {
        *said = 0;
        return EXPIRY_NOTHING;
    }
    /* the moment it ends is news, whatever was said that day */
    if (*said && *said_end == end && now >= *said && now - *said < EXPIRY_AGAIN_SECONDS &&
        !(over && *said < end))
        return EXPIRY_NOTHING;
    *said = now;
    *said_end = end;
    return over ? EXPIRY_OVER : EXPIRY_SOON;
}

void expiry_log(struct expiry *x, int64_t now, int64_t certificate_end, int64_t crl_end)
{
    switch (expiry_look(&x->certificate, &x->certificate_end, now, certificate_end,
                        EXPIRY_AHEAD_SECONDS)) {
    case EXPIRY_SOON:
        log_warn("the served certificate ends soon: renew admin.tls.certificate",
                 LOG_I64("seconds_left", certificate_end - now));
        break;
    case EXPIRY_OVER:
        log_error("the served certificate has expired: clients that check it refuse it",
                  LOG_I64("seconds_ago", now - certificate_end));
        break;
    case EXPIRY_NOTHING:
        break;
    }
    if (expiry_look(&x->crl, &x->crl_end, now, crl_end, 0) == EXPIRY_OVER)
        log_error("a revocation list of admin.tls.crl is stale: client certificates of its issuer "
                  "are refused",
                  LOG_I64("seconds_ago", now - crl_end));
}
