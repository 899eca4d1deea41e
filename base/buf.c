#include "base/buf.h"

#include <stdarg.h>

enum {
    BUF_FIRST_BYTES = 256,
};

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max_bytes = max_bytes};
}

void buf_release(struct buf *b)
{
    if (!b)
        return;
    free(b->data);
    buf_init(b, b->max_bytes);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

/*
 * Room for `bytes` more. The limit is tested before anything is grown or moved. Behind cap there is
 * always one byte more, for the end mark of buf_text() and vsnprintf(3), which is no content.
 */
static bool room(struct buf *b, size_t bytes)
{
    size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
    unsigned char *p;

    if (b->failed)
        return false;
    if (bytes > b->max_bytes || b->len > b->max_bytes - bytes || bytes > SIZE_MAX / 2) {
        b->failed = true;
        return false;
    }
    if (b->data && b->len + bytes <= b->cap)
        return true;
    while (cap < b->len + bytes)
        cap = cap > b->max_bytes / 2 ? b->max_bytes : cap * 2;
    p = realloc(b->data, cap + 1);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->data = p;
    b->cap = cap;
    return true;
}

void *buf_reserve(struct buf *b, size_t bytes)
{
    return room(b, bytes) ? b->data + b->len : NULL;
}

void buf_put(struct buf *b, const void *data, size_t bytes)
{
    if (bytes == 0 || !room(b, bytes))
        return;
    memcpy(b->data + b->len, data, bytes);
    b->len += bytes;
}

void buf_puts(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_putc(struct buf *b, int c)
{
    unsigned char byte = (unsigned char)c;

    buf_put(b, &byte, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[256];
    va_list ap;
    char *p;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if ((size_t)n < sizeof(small)) {
        buf_put(b, small, (size_t)n);
        return;
    }
    p = buf_reserve(b, (size_t)n);
    if (!p)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void buf_drop(struct buf *b, size_t bytes)
{
    if (bytes > b->len)
        bytes = b->len;
    if (bytes == 0)
        return;
    memmove(b->data, b->data + bytes, b->len - bytes);
    b->len -= bytes;
}

const char *buf_text(struct buf *b)
{
    if (b->failed || !b->data)
        return "";
    b->data[b->len] = '\0';
    return (const char *)b->data;
}
