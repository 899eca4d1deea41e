/*
 * llhttp calls back with fragments: a name or a value may come in any number of pieces, so each
 * callback appends and its _complete callback judges. A callback that returns non-zero stops llhttp
 * for good; the reason is in the struct by then, and the first one stays.
 */
#include "sidecar/client/response.h"

#include <errno.h>
#include <strings.h>

#include "sidecar/client/retry_after.h"

/* Remember the first refusal; the value makes llhttp stop. */
static int refuse(struct response *r, enum response_result bad, const char *why)
{
    if (r->bad == RESPONSE_MORE) {
        r->bad = bad;
        r->why = why;
    }
    return -1;
}

static int stored(struct response *r, const struct buf *b)
{
    return b->failed ? refuse(r, RESPONSE_BAD, "out of memory for the answer") : 0;
}

/* Trailers and chunk extensions are looked at by nobody, so there may be few of them. */
static int extra(struct response *r, size_t bytes)
{
    if (bytes > RESPONSE_EXTRA_BYTES - r->extra_bytes)
        return refuse(r, RESPONSE_LARGE, "its trailers and chunk extensions are too large");
    r->extra_bytes += (uint32_t)bytes;
    return 0;
}

static int on_message_begin(llhttp_t *h)
{
    struct response *r = h->data;

    r->headers_count = 0; /* of a 1xx before */
    r->headers[0].name = UINT16_MAX;
    r->text.len = 0;
    return 0;
}

static int on_version_complete(llhttp_t *h)
{
    if (h->http_major != 1 || h->http_minor > 1)
        return refuse(h->data, RESPONSE_BAD, "it does not answer in HTTP/1.1");
    return 0;
}

static int on_field(llhttp_t *h, const char *at, size_t bytes)
{
    struct response *r = h->data;

    if (r->head_done)
        return extra(r, bytes);
    if (r->headers_count == CLIENT_HEADERS_MAX)
        return 0; /* its end tells: whether it is a header at all is not known yet */
    if (r->headers[r->headers_count].name == UINT16_MAX)
        r->headers[r->headers_count].name = (uint16_t)r->text.len;
    for (size_t i = 0; i < bytes; i++)
        buf_putc(&r->text, at[i] >= 'A' && at[i] <= 'Z' ? at[i] + 'a' - 'A' : at[i]);
    return stored(r, &r->text);
}

static int on_field_complete(llhttp_t *h)
{
    struct response *r = h->data;

    if (r->head_done)
        return extra(r, 2);
    if (r->headers_count == CLIENT_HEADERS_MAX)
        return refuse(r, RESPONSE_LARGE, "its answer has too many headers");
    buf_putc(&r->text, '\0');
    r->headers[r->headers_count].value = (uint16_t)r->text.len;
    return stored(r, &r->text);
}

static int on_value(llhttp_t *h, const char *at, size_t bytes)
{
    struct response *r = h->data;

    if (r->head_done)
        return extra(r, bytes);
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)at[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return refuse(r, RESPONSE_BAD, "control bytes in a header of its answer");
        /* obs-text (RFC 9110 5.5) has no meaning, but real servers send it */
        buf_putc(&r->text, c == '\t' ? ' ' : c >= 0x80 ? '?' : c);
    }
    return stored(r, &r->text);
}

static int on_value_complete(llhttp_t *h)
{
    struct response *r = h->data;
    size_t at;

    if (r->head_done)
        return extra(r, 2);
    at = r->headers[r->headers_count].value;
    /* llhttp strips what stands before a value, not what stands after it */
    while (r->text.len > at && r->text.data[r->text.len - 1] == ' ')
        r->text.len--;
    buf_putc(&r->text, '\0');
    if (++r->headers_count < CLIENT_HEADERS_MAX)
        r->headers[r->headers_count].name = UINT16_MAX;
    return stored(r, &r->text);
}

/* The only coding that we can take off is "chunked", and it must be the only one. */
static bool is_plainly_chunked(const struct response *r)
{
    const char *value = NULL;

    for (size_t i = 0; i < r->headers_count; i++) {
        if (strcmp((const char *)r->text.data + r->headers[i].name, "transfer-encoding") != 0)
            continue;
        if (value)
            return false;
        value = (const char *)r->text.data + r->headers[i].value;
    }
    return !value || strcasecmp(value, "chunked") == 0;
}

static int on_headers_complete(llhttp_t *h)
{
    struct response *r = h->data;
    bool bodyless = r->to == RESPONSE_TO_HEAD || h->status_code == 204 || h->status_code == 304;

    if (h->http_major != 1)
        return refuse(r, RESPONSE_BAD, "it does not answer in HTTP/1.1");
    if (h->status_code < 100 || h->status_code > 599 || h->status_code == 101)
        return refuse(r, RESPONSE_BAD, "its answer has no status that makes sense");
    if (h->status_code < 200) {
        if (++r->interim > RESPONSE_INTERIM_MAX)
            return refuse(r, RESPONSE_BAD, "it only sends interim answers");
        return 0;
    }
    r->head_done = true;
    if (r->to == RESPONSE_TO_CONNECT && h->status_code < 300)
        return 1; /* Content-Length and such do not count: RFC 9110 9.3.6 */
    if (!is_plainly_chunked(r))
        return refuse(r, RESPONSE_BAD, "its answer is in a transfer coding other than chunked");
    if (bodyless)
        return 1;
    if ((h->flags & F_CONTENT_LENGTH) && h->content_length > r->body_max)
        return refuse(r, RESPONSE_LARGE, "its answer is too large");
    return 0;
}

static int on_chunk_extension(llhttp_t *h, const char *at, size_t bytes)
{
    (void)at;
    return extra(h->data, bytes + 1);
}

static int on_body(llhttp_t *h, const char *at, size_t bytes)
{
    struct response *r = h->data;

    if (bytes > r->body_max - r->body_seen)
        return refuse(r, RESPONSE_LARGE, "its answer is too large");
    r->body_seen += bytes;
    buf_put(&r->body, at, bytes);
    return stored(r, &r->body);
}

static int on_message_complete(llhttp_t *h)
{
    struct response *r = h->data;

    if (!r->head_done)
        return 0; /* 1xx: the next one */
    r->done = true;
    r->keep_alive = llhttp_should_keep_alive(h) != 0;
    return HPE_PAUSED;
}

static const llhttp_settings_t SETTINGS = {
    .on_message_begin = on_message_begin,
    .on_version_complete = on_version_complete,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_chunk_extension_name = on_chunk_extension,
    .on_chunk_extension_value = on_chunk_extension,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void response_init(struct response *r, enum response_to to, uint64_t body_max, bool streamed)
{
    *r = (struct response){.to = to, .body_max = body_max, .why = ""};
    r->headers[0].name = UINT16_MAX;
    /* each header has a NUL more than its colon and a NUL for its line's end */
    buf_init(&r->text, CLIENT_HEAD_MAX_BYTES + (size_t)CLIENT_HEADERS_MAX * 2);
    buf_init(&r->body, streamed ? RESPONSE_FEED_BYTES : body_max < SIZE_MAX ? body_max : SIZE_MAX);
    llhttp_init(&r->http, HTTP_RESPONSE, &SETTINGS);
    r->http.data = r;
}

void response_release(struct response *r)
{
    if (!r)
        return;
    buf_release(&r->text);
    buf_release(&r->body);
}

enum response_result response_feed(struct response *r, const void *data, size_t bytes,
                                   size_t *ret_used)
{
    const char *s = data;
    size_t used = 0;

    r->http.data = r;
    r->any = r->any || bytes > 0;
    while (used < bytes) {
        size_t room = CLIENT_HEAD_MAX_BYTES - r->head_bytes;
        size_t n = bytes - used;
        bool in_head = !r->head_done;
        enum llhttp_errno e;

        /* llhttp never sees a byte past the head's limit before the head is complete */
        if (in_head && n > room)
            n = room;
        e = llhttp_execute(&r->http, s + used, n);
        if (r->done) {
            *ret_used = (size_t)(llhttp_get_error_pos(&r->http) - s);
            return RESPONSE_DONE;
        }
        if (e != HPE_OK) {
            (void)refuse(r, RESPONSE_BAD, "its answer is malformed HTTP");
            return r->bad;
        }
        used += n;
        if (in_head)
            r->head_bytes += (uint32_t)n;
        if (r->head_bytes == CLIENT_HEAD_MAX_BYTES && !r->head_done) {
            (void)refuse(r, RESPONSE_LARGE, "the head of its answer is too large");
            return r->bad;
        }
    }
    *ret_used = used;
    return RESPONSE_MORE;
}

enum response_result response_end(struct response *r)
{
    r->http.data = r;
    (void)llhttp_finish(&r->http);
    if (r->done)
        return RESPONSE_DONE;
    (void)refuse(r, RESPONSE_BAD,
                 !r->any ? "it closed the connection without an answer"
                         : "it closed the connection in the middle of its answer");
    return r->bad;
}

unsigned response_status(const struct response *r)
{
    return r->head_done || r->bad == RESPONSE_LARGE ? r->http.status_code : 0;
}

const char *response_header(const struct response *r, const char *name)
{
    for (size_t i = 0; i < r->headers_count; i++) {
        if (strcasecmp((const char *)r->text.data + r->headers[i].name, name) == 0)
            return (const char *)r->text.data + r->headers[i].value;
    }
    return NULL;
}

void response_fill(const struct response *r, int64_t now_s, struct client_answer *ret)
{
    const char *type = r->head_done ? response_header(r, "content-type") : NULL;
    const char *location = r->head_done ? response_header(r, "location") : NULL;
    const char *retry = r->head_done ? response_header(r, "retry-after") : NULL;
    size_t n = type ? strcspn(type, "; ,") : 0;

    ret->status = response_status(r);
    ret->head = r->head_done ? r : NULL;
    ret->body = r->body.len ? (const char *)r->body.data : "";
    ret->bytes = r->body.len;
    ret->retry_after_ms = retry ? retry_after_ms(retry, now_s) : 0;
    for (size_t i = 0; i < n && i + 1 < sizeof(ret->content_type); i++)
        ret->content_type[i] =
            (char)(type[i] >= 'A' && type[i] <= 'Z' ? type[i] + 'a' - 'A' : type[i]);
    if (location && strlen(location) < sizeof(ret->location))
        memcpy(ret->location, location, strlen(location) + 1);
}

const char *client_header_of(const struct client_answer *a, const char *name)
{
    return a->head ? response_header(a->head, name) : NULL;
}
