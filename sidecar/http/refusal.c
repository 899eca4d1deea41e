#include "sidecar/http/refusal.h"

#include "base/clock.h"
#include "base/log.h"

void refusal_say(struct refusal *r, const struct tls_conn *tls, const char *peer, const char *why,
                 uint64_t now_ns)
{
    char subject[256];

    if (r->said_ns && now_ns - r->said_ns < REFUSAL_SAY_MS * CLOCK_NS_PER_MS) {
        r->unsaid++;
        return;
    }
    log_warn("client certificate refused", LOG_STR("address", peer), LOG_STR("reason", why),
             LOG_STR("subject", tls_conn_subject(tls, subject, sizeof(subject))),
             LOG_U64("more_before", r->unsaid));
    r->said_ns = now_ns;
    r->unsaid = 0;
}
