/*
 * net/http/pprof's Cmdline (Go 1.26, net/http/pprof/pprof.go) joins os.Args by NUL. Arguments can
 * hold secrets, which is why they have a scope of their own.
 */
#include "sidecar/routes/argv.h"

#include "base/bulk.h"
#include "base/magic.h"

static const char type[] = "text/plain; charset=utf-8";

static void client_left(struct visit *v)
{
    peers_forget(v->state->peers, v->question);
}

static void came(void *data, const struct peers_answer *a)
{
    struct visit *v = data;
    const struct wire_said *said;
    struct bulk bulk = {0};
    struct buf body;
    size_t bytes;

    MAGIC_CHECK(v, VISIT_MAGIC);
    v->left = NULL;
    if (visit_unanswered(v, a))
        return;
    said = &a->answer->body.said;
    if (said->result || bulk_map(a->answer->fd, WIRE_BYTES_MAX_BYTES, &bulk)) {
        visit_refuse(v, 503, said->text[0] ? said->text : "the arguments could not be read");
        return;
    }
    /* each argument came with its NUL; Go joins them, so the last one has none */
    bytes = bulk.bytes;
    if (bytes && bulk.data[bytes - 1] == '\0')
        bytes--;
    buf_init(&body, WIRE_BYTES_MAX_BYTES);
    if (bytes)
        buf_put(&body, bulk.data, bytes);
    bulk_release(&bulk);
    visit_answer(v, 200, type, &body);
}

void argv_handle(struct visit *v)
{
    char why[STATE_WHY_BYTES];
    unsigned status;
    int r;

    if (v->request->method == SERVER_HEAD) {
        server_answer(v->request, 200, type, NULL);
        return;
    }
    status = state_refuses_target(v->state, why);
    if (status) {
        visit_refuse(v, status, why);
        return;
    }
    r = peers_argv(v->state->peers, came, v, &v->question);
    if (r) {
        visit_unasked(v, r);
        return;
    }
    v->left = client_left;
}
