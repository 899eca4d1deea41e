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
    s->buf = *b;
    s->data = b->data;
    s->bytes = b->len;
    buf_init(b, b->max_bytes);
    return s;
}

struct server_bytes *server_bytes_map(struct bulk *b)
{
    struct server_bytes *s = calloc(1, sizeof(*s));

    if (!s) {
        bulk_release(b);
        return NULL;
    }
    s->references = 1;
    s->bulk = *b;
    s->data = b->data;
    s->bytes = b->bytes;
    *b = (struct bulk){NULL, 0};
    return s;
}

struct server_bytes *server_bytes_rope(struct bulk *b)
{
    struct rope_text rope;
    struct server_bytes *s;

    if (rope_open(b, &rope) != 0) {
        bulk_release(b);
        return NULL;
    }
    s = server_bytes_map(b);
    if (!s)
        return NULL;
    s->rope = rope;
    s->is_rope = true;
    s->data = NULL;
    s->bytes = rope.bytes;
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
    buf_release(&s->buf);
    bulk_release(&s->bulk);
    free(s);
}
