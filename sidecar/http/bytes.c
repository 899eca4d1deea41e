/*
 * The server_bytes part of server.h. A file of its own, because the connections release what they
 * have sent and must not call back into server.c.
 */
#include "sidecar/http/bytes.h"

#include <assert.h>

struct server_bytes *server_bytes_take(struct buf *b)
{
    struct server_bytes *s = calloc(1, sizeof(*s));

    if (!s || b->failed) {
        free(s);
        buf_release(b);
        return NULL;
    }
    s->references = 1;
    s->data = b->data;
    s->bytes = b->len;
    b->data = NULL;
    b->len = b->cap = 0;
    return s;
}

struct server_bytes *server_bytes_ref(struct server_bytes *s)
{
    if (!s)
        return NULL;
    assert(s->references > 0 && s->references < UINT32_MAX);
    s->references++;
    return s;
}

void server_bytes_unref(struct server_bytes *s)
{
    if (!s)
        return;
    assert(s->references > 0);
    if (--s->references)
        return;
    free(s->data);
    free(s);
}
