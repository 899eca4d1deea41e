/*
 * net/http/pprof's Symbol (Go 1.26, net/http/pprof/pprof.go): the raw query, not its decoded form,
 * and a body that is read to its end. Since Go 1.23 stock servers refuse the POST that pprof sends,
 * and pprof then gives up the whole command; here both work.
 */
#include "sidecar/routes/symbol.h"

#include <errno.h>

#include "base/bulk.h"
#include "base/magic.h"
#include "base/num.h"

static const char type[] = "text/plain; charset=utf-8";

/* Tells pprof that symbols can be had here; the number itself means nothing (net/http/pprof). */
static const char first_line[] = "num_symbols: 1\n";

int symbol_parse(const char *text, size_t bytes, uint64_t *ret, size_t max)
{
    size_t count = 0;

    while (bytes) {
        const char *plus = memchr(text, '+', bytes);
        size_t word = plus ? (size_t)(plus - text) : bytes;
        uint64_t address;

        if (num_any(text, word, UINT64_MAX, &address) == 0 && address) {
            if (count == max)
                return -E2BIG;
            ret[count++] = address;
        }
        word += plus != NULL;
        text += word;
        bytes -= word;
    }
    return (int)count;
}

static void client_left(struct visit *v)
{
    peers_forget(v->state->peers, v->question);
}

static void answer(struct visit *v, const void *lines, size_t bytes)
{
    struct buf body;

    buf_init(&body, WIRE_BYTES_MAX_BYTES + sizeof(first_line));
    buf_puts(&body, first_line);
    if (bytes)
        buf_put(&body, lines, bytes);
    visit_answer(v, 200, type, &body);
}

static void came(void *data, const struct peers_answer *a)
{
    struct visit *v = data;
    const struct wire_said *said;
    struct bulk bulk = {0};

    MAGIC_CHECK(v, VISIT_MAGIC);
    v->left = NULL;
    if (visit_unanswered(v, a))
        return;
    said = &a->answer->body.said;
    if (said->result || bulk_map(a->answer->fd, WIRE_BYTES_MAX_BYTES, &bulk)) {
        visit_refuse(v, 503, said->text[0] ? said->text : "the symbols could not be read");
        return;
    }
    answer(v, bulk.data, bulk.bytes);
    bulk_release(&bulk);
}

void symbol_handle(struct visit *v)
{
    const struct server_request *q = v->request;
    uint64_t addresses[WIRE_SYMBOLS_MAX];
    char why[STATE_WHY_BYTES];
    unsigned status;
    int count;
    int r;

    if (q->method == SERVER_HEAD) {
        server_answer(v->request, 200, type, NULL);
        return;
    }
    if (q->method == SERVER_POST)
        count = symbol_parse((const char *)q->body, q->body_bytes, addresses, WIRE_SYMBOLS_MAX);
    else
        count = symbol_parse(q->query, strlen(q->query), addresses, WIRE_SYMBOLS_MAX);
    if (count < 0) {
        visit_refuse(v, 413, "too many addresses at once: ask for at most 512");
        return;
    }
    if (count == 0) {
        answer(v, NULL, 0); /* pprof's probe whether symbols can be had at all */
        return;
    }
    status = state_refuses_target(v->state, why);
    if (status) {
        visit_refuse(v, status, why);
        return;
    }
    r = peers_symbol(v->state->peers, addresses, (size_t)count, came, v, &v->question);
    if (r) {
        visit_unasked(v, r);
        return;
    }
    v->left = client_left;
}
