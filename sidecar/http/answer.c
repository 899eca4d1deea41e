/*
 * Head and body are two ranges behind each other: `sent` counts through both, so that a stream that
 * takes half a piece needs no state of its own. TLS wants a refused piece again with the same bytes
 * (mbedtls_ssl_write): a piece depends on `sent` alone, and that has not moved then.
 */
#include "sidecar/http/answer.h"

#include <errno.h>

enum {
    ANSWER_PIECES = SERVER_WINDOW_BYTES / TLS_RECORD_BYTES, /* of a flow, in one turn */
};

void answer_init(struct answer *a)
{
    *a = (struct answer){.status = 0};
    reply_init(&a->reply);
    buf_init(&a->head, REPLY_HEAD_MAX_BYTES);
}

void answer_release(struct answer *a)
{
    if (!a)
        return;
    reply_release(&a->reply);
    buf_release(&a->head);
    server_bytes_unref(a->bytes);
    free(a->window);
    free(a->flow);
    a->window = NULL;
    a->flow = NULL;
    a->bytes = NULL;
    a->body_bytes = 0;
}

void answer_begin(struct answer *a, struct reply_frame *frame, struct server_bytes *bytes,
                  bool head_only)
{
    frame->length = bytes ? bytes->bytes : 0;
    a->status = frame->status;
    a->bytes = bytes;
    a->body_bytes = head_only ? 0 : frame->length;
    a->sent = 0;
    if (a->body_bytes > 0 && bytes->is_rope)
        a->window = calloc(1, sizeof(*a->window));
    reply_head(&a->reply, frame, &a->head);
}

/* RFC 9112 6.1: chunks are not for HTTP/1.0, whose bodies may end with the connection. */
int answer_stream(struct answer *a, struct reply_frame *frame, bool head_only)
{
    enum flow_form form = frame->http10 ? FLOW_PLAIN : FLOW_CHUNKED;

    a->flow = flow_new(head_only ? FLOW_SILENT : form);
    if (!a->flow) {
        a->head.failed = true; /* answer_write() will not send half an answer */
        return -ENOMEM;
    }
    frame->framing = frame->http10 ? REPLY_UNTIL_CLOSE : REPLY_CHUNKED;
    frame->close = frame->close || frame->http10;
    a->status = frame->status;
    a->sent = 0;
    reply_head(&a->reply, frame, &a->head);
    return 0;
}

struct server_bytes *answer_line(const char *text)
{
    struct buf b;

    buf_init(&b, ERR_TEXT_BYTES + 1);
    /* one line: `go tool pprof` prints it behind the status, a log takes it as it is */
    for (size_t i = 0; i < ERR_TEXT_BYTES && text[i]; i++)
        buf_putc(&b, (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i]);
    buf_putc(&b, '\n');
    return server_bytes_take(&b);
}

/*
 * A rope's text is made here, a record of TLS at a time; the window stays until the stream has
 * taken all of it, so that what was refused comes again as it was.
 */
static ssize_t write_window(struct answer *a, struct stream *s, uint64_t at)
{
    struct answer_window *w = a->window;

    if (at == w->at + w->bytes) {
        w->at = at;
        w->bytes = rope_read(&a->bytes->rope, &w->place, w->data, sizeof(w->data));
    }
    return stream_write(s, w->data + (at - w->at), w->bytes - (size_t)(at - w->at));
}

/* The next piece of head or body, straight from where it is. */
static ssize_t write_piece(struct answer *a, struct stream *s)
{
    uint64_t at;

    if (a->sent < a->head.len)
        return stream_write(s, a->head.data + a->sent, a->head.len - a->sent);
    at = a->sent - a->head.len;
    if (a->window)
        return write_window(a, s, at);
    return stream_write(s, a->bytes->data + at, a->body_bytes - at);
}

int answer_write(struct answer *a, struct stream *s)
{
    uint64_t end = a->head.len + a->body_bytes;
    uint64_t turn = a->sent + SERVER_WINDOW_BYTES;

    /* half a head would be an answer that nobody can read: rather none */
    if (a->head.failed || (a->body_bytes > 0 && a->bytes->is_rope && !a->window))
        return -ENOMEM;
    while (a->sent < end && a->sent < turn) {
        ssize_t n = write_piece(a, s);

        /* 0 was never asked for, so it is no progress and not the end */
        if (n <= 0)
            return n ? (int)n : -EAGAIN;
        a->sent += (uint64_t)n;
    }
    if (a->sent < end || !a->flow)
        return a->sent < end;
    for (int i = 0; i < ANSWER_PIECES && flow_waits(a->flow) > 0; i++) {
        int r = flow_write(a->flow, s);

        if (r < 0)
            return r;
    }
    return flow_waits(a->flow) > 0;
}

uint64_t answer_body_sent(const struct answer *a)
{
    if (a->flow)
        return flow_sent(a->flow);
    return a->sent > a->head.len ? a->sent - a->head.len : 0;
}
