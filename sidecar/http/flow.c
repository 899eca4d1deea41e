/*
 * A linear buffer rather than a ring: what waits is moved to the front when the end is reached, at
 * most a window in each window, and each piece can go to the stream as it lies.
 */
#include "sidecar/http/flow.h"

#include <errno.h>
#include <string.h>

_Static_assert(FLOW_WINDOW_BYTES + FLOW_PUSH_MAX_BYTES + FLOW_FRAME_BYTES + FLOW_LAST_BYTES <=
                   FLOW_ROOM_BYTES,
               "a push into a window that is not full always fits");

struct flow *flow_new(enum flow_form form)
{
    struct flow *f = calloc(1, sizeof(*f));

    if (f)
        f->form = form;
    return f;
}

size_t flow_waits(const struct flow *f)
{
    return f->end - f->at;
}

bool flow_has_room(const struct flow *f)
{
    return flow_waits(f) <= FLOW_WINDOW_BYTES / 2;
}

static void put(struct flow *f, const void *data, size_t bytes)
{
    memcpy(f->data + f->end, data, bytes);
    f->end += bytes;
}

static void make_room(struct flow *f, size_t bytes)
{
    if (sizeof(f->data) - f->end >= bytes)
        return;
    memmove(f->data, f->data + f->at, flow_waits(f));
    f->end -= f->at;
    f->at = 0;
}

bool flow_push(struct flow *f, const void *data, size_t bytes)
{
    char size[FLOW_FRAME_BYTES];
    int n;

    if (f->form == FLOW_SILENT || f->broken || bytes == 0) /* a chunk of 0 would be the last */
        return true;
    if (bytes > FLOW_PUSH_MAX_BYTES || flow_waits(f) > FLOW_WINDOW_BYTES) {
        f->broken = true; /* bytes are missing now: it must not look whole */
        return true;
    }
    make_room(f, bytes + FLOW_FRAME_BYTES + FLOW_LAST_BYTES);
    n = snprintf(size, sizeof(size), "%zx\r\n", bytes);
    if (f->form == FLOW_CHUNKED && n > 0)
        put(f, size, (size_t)n);
    put(f, data, bytes);
    if (f->form == FLOW_CHUNKED)
        put(f, "\r\n", 2);
    f->payload += bytes;
    f->hungry = flow_waits(f) > FLOW_WINDOW_BYTES;
    return !f->hungry;
}

void flow_end(struct flow *f, bool ok)
{
    f->ended = true;
    f->hungry = false;
    f->broken = f->broken || !ok;
    if (f->broken || f->form != FLOW_CHUNKED)
        return;
    make_room(f, FLOW_LAST_BYTES);
    put(f, "0\r\n\r\n", FLOW_LAST_BYTES);
}

/* TLS wants what it refused again with the same bytes and length (mbedtls_ssl_write), although more
 * may have been pushed behind it since. */
int flow_write(struct flow *f, struct stream *s)
{
    size_t piece = f->refused ? f->refused : flow_waits(f);
    ssize_t n;

    if (piece == 0)
        return 0;
    if (piece > TLS_RECORD_BYTES)
        piece = TLS_RECORD_BYTES;
    n = stream_write(s, f->data + f->at, piece);
    if (n <= 0) {
        f->refused = piece;
        return n ? (int)n : -EAGAIN;
    }
    f->refused = 0;
    f->at += (size_t)n;
    if (f->at == f->end)
        f->at = f->end = 0;
    return f->end != 0;
}

uint64_t flow_sent(const struct flow *f)
{
    uint64_t waits = flow_waits(f);

    return f->payload > waits ? f->payload - waits : 0;
}
