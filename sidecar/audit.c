/*
 * One line an answer, written when the last byte is out (or when the client has gone), because
 * only then status, bytes and duration are known. The log escapes what came from outside.
 */
#include "sidecar/audit.h"

#include "base/log.h"

/* What the server refused before it knew a path has none. */
static const char *or_empty(const char *s)
{
    return s ? s : "";
}

bool audit_wants(enum config_audit which, unsigned status)
{
    switch (which) {
    case CONFIG_AUDIT_ALL:
        return true;
    case CONFIG_AUDIT_DENIED:
        return status == 400 || status == 401 || status == 403 || status == 421 || status == 429;
    case CONFIG_AUDIT_OFF:
        break;
    }
    return false;
}

void audit_write(const struct audit *a)
{
    /* A field whose key is NULL is left out: only profiles have seconds. */
    const char *asked = a->asked_seconds ? "seconds_asked" : NULL;
    const char *granted = a->granted_seconds ? "seconds_granted" : NULL;
    const char *reason = a->reason ? "reason" : NULL;

    log_audit("request", LOG_BOOL("audit", true), LOG_STR("identity", or_empty(a->identity)),
              LOG_STR("method", or_empty(a->method)), LOG_STR("address", or_empty(a->address)),
              LOG_STR(a->via ? "via" : NULL, a->via), LOG_STR("path", or_empty(a->path)),
              LOG_STR("with", or_empty(a->with)), LOG_U64(asked, a->asked_seconds),
              LOG_U64(granted, a->granted_seconds), LOG_U64("status", a->status),
              LOG_U64("bytes", a->bytes), LOG_U64("duration_ms", a->duration_ms),
              LOG_STR("request_id", or_empty(a->id)), LOG_STR(reason, or_empty(a->reason)));
}
