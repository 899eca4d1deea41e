/*
 * The head is text from trusted parts only: constants, numbers, an id of [A-Za-z0-9-], and headers
 * that were checked byte by byte. No answer can be split by what a client or a target has sent.
 */
#include "sidecar/http/reply.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    const char *value;
} FIXED[] = {
    /* a profile is not a script, whatever its bytes look like; it belongs into no cache; the
     * address of this server is nobody's business; and nothing here may be framed or run */
    {"X-Content-Type-Options", "nosniff"},
    {"Cache-Control", "no-store"},
    {"Referrer-Policy", "no-referrer"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
};

/* What the server says itself and no handler may. */
static const char *const RESERVED[] = {"Content-Length", "Transfer-Encoding", "Connection",
                                       "Date",           "X-Request-Id",      "Content-Type"};

enum {
    REPLY_FIXED = sizeof(FIXED) / sizeof(FIXED[0]),
    REPLY_RESERVED = sizeof(RESERVED) / sizeof(RESERVED[0]),
};

static const struct {
    unsigned status;
    const char *text; /* RFC 9110 15 */
} REASONS[] = {
    {200, "OK"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const char *reason(unsigned status)
{
    for (size_t i = 0; i < sizeof(REASONS) / sizeof(REASONS[0]); i++) {
        if (REASONS[i].status == status)
            return REASONS[i].text;
    }
    return "Status";
}

void reply_init(struct reply *r)
{
    *r = (struct reply){.own = 0};
    buf_init(&r->headers, REPLY_HEADERS_MAX_BYTES);
}

void reply_release(struct reply *r)
{
    if (!r)
        return;
    buf_release(&r->headers);
    r->own = 0;
}

static bool is_token(const char *s)
{
    static const char MARKS[] = "!#$%&'*+-.^_`|~"; /* RFC 9110 5.6.2 */

    if (*s == '\0')
        return false;
    for (; *s; s++) {
        bool alnum =
            (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');

        if (!alnum && !strchr(MARKS, *s))
            return false;
    }
    return true;
}

static bool is_printable(const char *s)
{
    for (; *s; s++) {
        if (*s < 0x20 || *s >= 0x7f)
            return false;
    }
    return true;
}

bool reply_header(struct reply *r, const char *name, const char *value)
{
    size_t bytes = strlen(name) + strlen(value) + 4;

    if (!is_token(name) || !is_printable(value) || bytes > REPLY_HEADERS_MAX_BYTES - r->headers.len)
        return false;
    for (size_t i = 0; i < REPLY_RESERVED; i++) {
        if (strcasecmp(name, RESERVED[i]) == 0)
            return false;
    }
    for (size_t i = 0; i < REPLY_FIXED; i++) {
        if (strcasecmp(name, FIXED[i].name) == 0)
            r->own |= 1U << i;
    }
    /* the room was tested above, so one header is in as a whole or not at all */
    buf_printf(&r->headers, "%s: ", name);
    buf_puts(&r->headers, value);
    buf_puts(&r->headers, "\r\n");
    return !r->headers.failed;
}

static void put_date(struct buf *out, time_t now)
{
    char text[64];
    struct tm tm;

    /* RFC 9110 5.6.7; the program never calls setlocale(3), so names of days are English */
    if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm))
        buf_printf(out, "Date: %s\r\n", text);
}

void reply_head(const struct reply *r, const struct reply_frame *frame, struct buf *out)
{
    buf_printf(out, "HTTP/1.1 %u %s\r\n", frame->status, reason(frame->status));
    put_date(out, frame->now);
    if (frame->content_type && is_printable(frame->content_type))
        buf_printf(out, "Content-Type: %s\r\n", frame->content_type);
    if (frame->framing == REPLY_LENGTH)
        buf_printf(out, "Content-Length: %" PRIu64 "\r\n", frame->length);
    else if (frame->framing == REPLY_CHUNKED)
        buf_puts(out, "Transfer-Encoding: chunked\r\n");
    for (size_t i = 0; i < REPLY_FIXED; i++) {
        if (!(r->own & (1U << i)))
            buf_printf(out, "%s: %s\r\n", FIXED[i].name, FIXED[i].value);
    }
    buf_printf(out, "X-Request-Id: %s\r\n", frame->id);
    /* RFC 9112 9.3: staying is HTTP/1.1's default and has to be said to HTTP/1.0 */
    if (frame->close)
        buf_puts(out, "Connection: close\r\n");
    else if (frame->http10)
        buf_puts(out, "Connection: keep-alive\r\n");
    buf_put(out, r->headers.data, r->headers.len);
    buf_puts(out, "\r\n");
}
