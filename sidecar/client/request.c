/*
 * Header values come from configurations and token files: one line end in them would be a second
 * request in a backend's eyes, so every byte is looked at here, whoever the caller is.
 */
#include "sidecar/client/request.h"

#include <errno.h>
#include <strings.h>

/* RFC 9110 5.6.2 */
static bool is_token(const char *s)
{
    static const char ALLOWED[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return s && s[0] && strspn(s, ALLOWED) == strlen(s);
}

static bool is_value(const char *s)
{
    for (; s && *s; s++) {
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
            return false;
    }
    return s != NULL;
}

static bool is_path(const char *s)
{
    if (s[0] != '/' || strlen(s) >= CLIENT_URL_BYTES)
        return false;
    for (; *s; s++) {
        if (*s <= 0x20 || *s >= 0x7f || *s == '#')
            return false;
    }
    return true;
}

static bool is_ours(const char *name)
{
    static const char *const OURS[] = {"host", "content-length", "connection", "transfer-encoding",
                                       "proxy-authorization"};

    for (size_t i = 0; i < sizeof(OURS) / sizeof(OURS[0]); i++) {
        if (strcasecmp(name, OURS[i]) == 0)
            return true;
    }
    return false;
}

void request_host(const struct client_url *url, bool always_port, struct buf *out)
{
    bool v6 = strchr(url->host, ':') != NULL;

    if (url->is_unix) {
        buf_puts(out, "localhost"); /* a path is no host name; servers want one all the same */
        return;
    }
    buf_printf(out, "%s%s%s", v6 ? "[" : "", url->host, v6 ? "]" : "");
    if (always_port || url->port != (url->tls ? 443 : 80))
        buf_printf(out, ":%u", url->port);
}

static bool wants_length(const struct client_request *r)
{
    /* RFC 9110 8.6: also when it is empty, where a body would have a meaning */
    return r->bytes || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0 ||
           strcmp(r->method, "PATCH") == 0;
}

static int put_headers(const struct client_request *r, struct buf *out)
{
    bool agent = false;

    if (r->headers_count > CLIENT_REQUEST_HEADERS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < r->headers_count; i++) {
        const struct client_header *h = &r->headers[i];

        if (!is_token(h->name) || !is_value(h->value) || is_ours(h->name))
            return -EINVAL;
        agent = agent || strcasecmp(h->name, "user-agent") == 0;
        buf_printf(out, "%s: %s\r\n", h->name, h->value);
    }
    if (!agent)
        buf_puts(out, "User-Agent: pillion/" PILLION_VERSION "\r\n");
    if (wants_length(r))
        buf_printf(out, "Content-Length: %zu\r\n", r->bytes);
    return 0;
}

int request_head(const struct client_url *url, const struct proxy *proxy,
                 const struct client_request *request, struct buf *out)
{
    const char *path = request->path && request->path[0] ? request->path : url->path;
    bool absolute = proxy->used && !url->tls;
    int r;

    if (!path[0])
        path = "/";
    if (!is_token(request->method) || !is_path(path))
        return -EINVAL;
    buf_printf(out, "%s ", request->method);
    if (absolute) {
        buf_puts(out, "http://");
        request_host(url, false, out);
    }
    buf_printf(out, "%s HTTP/1.1\r\nHost: ", path);
    request_host(url, false, out);
    buf_puts(out, "\r\n");
    if (absolute && proxy->authorization[0])
        buf_printf(out, "Proxy-Authorization: %s\r\n", proxy->authorization);
    r = put_headers(request, out);
    buf_puts(out, "\r\n");
    if (r)
        return r;
    return out->failed ? -ENOMEM : 0;
}
