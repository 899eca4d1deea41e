#include "base/err.h"

#include <stdarg.h>

void err_clear(struct err *e)
{
    if (e) {
        e->code = 0;
        e->text[0] = '\0';
    }
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return code;
    e->code = code;
    va_start(ap, fmt);
    (void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    return code;
}

/* Append to the text of ${len} bytes; what does not fit is cut. */
static size_t append(struct err *e, size_t len, const char *s)
{
    size_t bytes = strlen(s);

    if (bytes > sizeof(e->text) - 1 - len)
        bytes = sizeof(e->text) - 1 - len;
    memcpy(e->text + len, s, bytes);
    e->text[len + bytes] = '\0';
    return len + bytes;
}

void err_prefix(struct err *e, const char *fmt, ...)
{
    char old[ERR_TEXT_BYTES];
    va_list ap;

    if (!e)
        return;
    memcpy(old, e->text, sizeof(old));
    va_start(ap, fmt);
    (void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    (void)append(e, append(e, strlen(e->text), ": "), old);
}

const char *err_clean(char *out, size_t out_bytes, const void *in, size_t in_bytes)
{
    const unsigned char *p = in;
    size_t i;

    if (out_bytes == 0)
        return out;
    for (i = 0; i < in_bytes && i + 1 < out_bytes; i++)
        out[i] = (p[i] >= 0x20 && p[i] < 0x7f) ? (char)p[i] : '?';
    out[i] = '\0';
    return out;
}
