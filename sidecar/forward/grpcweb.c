#include "sidecar/forward/grpcweb.h"

#include <strings.h>

#include "base/num.h"

enum {
    GRPCWEB_TRAILER = 0x80, /* flags */
};

void grpcweb_begin(struct buf *out)
{
    buf_clear(out);
    buf_put(out, "\0\0\0\0\0", GRPCWEB_FRAME_BYTES);
}

void grpcweb_end_frame(struct buf *out)
{
    size_t bytes = out->len - GRPCWEB_FRAME_BYTES;

    if (out->failed)
        return;
    for (size_t i = 0; i < 4; i++)
        out->data[1 + i] = (unsigned char)(bytes >> (24 - 8 * i));
}

/* "name: value" of a line of the trailers; names are in lower case by rule, not by everybody. */
static bool is_trailer(const char *line, size_t bytes, const char *name, const char **ret_value,
                       size_t *ret_bytes)
{
    size_t n = strlen(name);

    if (bytes <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return false;
    for (n++; n < bytes && line[n] == ' ';)
        n++;
    *ret_value = line + n;
    *ret_bytes = bytes - n;
    return true;
}

/* grpc-message is percent-encoded (PROTOCOL-HTTP2.md); what is no escape stays. */
static void unescape(const char *in, size_t bytes, char *out, size_t out_bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < bytes && n < out_bytes - 1; i++) {
        uint64_t c = (unsigned char)in[i];

        if (in[i] == '%' && bytes - i > 2 && num_u64(in + i + 1, 2, 16, 255, &c) == 0)
            i += 2;
        out[n++] = (char)c;
    }
    out[n] = '\0';
}

static void read_trailers(const char *p, size_t bytes, struct grpcweb_end *ret)
{
    while (bytes > 0) {
        const char *end = memchr(p, '\n', bytes), *value;
        size_t line = end ? (size_t)(end - p) : bytes, step = end ? line + 1 : bytes, n;

        if (line > 0 && p[line - 1] == '\r')
            line--;
        if (is_trailer(p, line, "grpc-status", &value, &n))
            ret->found = num_u64(value, n, 10, UINT32_MAX, &ret->status) == 0;
        else if (is_trailer(p, line, "grpc-message", &value, &n))
            unescape(value, n, ret->message, sizeof(ret->message));
        p += step;
        bytes -= step;
    }
}

/* Frames up to the trailers; an answer that ends before them is not whole. */
void grpcweb_read(const struct client_answer *a, struct grpcweb_end *ret)
{
    const char *p = a->body;
    size_t left = a->bytes;

    while (left >= GRPCWEB_FRAME_BYTES) {
        const unsigned char *h = (const unsigned char *)p;
        size_t bytes = (size_t)h[1] << 24 | (size_t)h[2] << 16 | (size_t)h[3] << 8 | h[4];

        if (bytes > left - GRPCWEB_FRAME_BYTES)
            return;
        if (h[0] == GRPCWEB_TRAILER) {
            read_trailers(p + GRPCWEB_FRAME_BYTES, bytes, ret);
            return;
        }
        p += GRPCWEB_FRAME_BYTES + bytes;
        left -= GRPCWEB_FRAME_BYTES + bytes;
    }
}

void grpcweb_read_head(const struct client_answer *a, struct grpcweb_end *ret)
{
    const char *status = client_header_of(a, "grpc-status");
    const char *message = client_header_of(a, "grpc-message");

    if (!status || num_u64(status, strlen(status), 10, UINT32_MAX, &ret->status) != 0)
        return;
    ret->found = true;
    if (message)
        unescape(message, strlen(message), ret->message, sizeof(ret->message));
}
