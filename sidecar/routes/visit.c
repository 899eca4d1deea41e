/*
 * The few ways in which handlers answer. Everything that goes wrong goes through the server's own
 * error form, which gives it the headers `go tool pprof` needs to show the text.
 */
#include "sidecar/routes/visit.h"

#include <errno.h>
#include <inttypes.h>

enum {
    RETRY_MS = 5000, /* after a 503: the guard looks for the target every few seconds */
};

void visit_answer(struct visit *v, unsigned status, const char *type, struct buf *body)
{
    visit_answer_bytes(v, status, type, server_bytes_take(body));
}

void visit_answer_bytes(struct visit *v, unsigned status, const char *type,
                        struct server_bytes *bytes)
{
    if (!bytes) {
        visit_refuse(v, 503, "the answer is larger than this program allows itself");
        return;
    }
    server_answer(v->request, status, type, bytes);
}

void visit_retry(struct visit *v, unsigned status, uint64_t wait_ms, const char *why)
{
    uint64_t seconds = (wait_ms + 999) / 1000;

    server_headerf(v->request, "Retry-After", "%" PRIu64, seconds ? seconds : 1);
    server_error(v->request, status, "%s", why);
}

void visit_refuse(struct visit *v, unsigned status, const char *why)
{
    if (status == 503)
        visit_retry(v, status, RETRY_MS, why);
    else
        server_error(v->request, status, "%s", why);
}

bool visit_unanswered(struct visit *v, const struct peers_answer *answer)
{
    if (answer->fate == PEERS_ANSWERED)
        return false;
    visit_retry(v, 503, RETRY_MS, answer->why);
    return true;
}

/* A full queue passes by itself in a moment; a missing link takes as long as a restart. */
void visit_unasked(struct visit *v, int r)
{
    if (r == -EBUSY || r == -EAGAIN)
        visit_retry(v, 429, 1000, "too many questions are open: try again in a moment");
    else
        visit_retry(v, 503, RETRY_MS, "the sampler is not running");
}
