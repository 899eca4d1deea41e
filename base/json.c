#include "base/json.h"

#include <inttypes.h>
#include <math.h>

#include "base/utf8.h"

void json_begin(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out};
}

static void quoted(struct json *j, const unsigned char *p, size_t bytes)
{
    buf_putc(j->out, '"');
    for (size_t i = 0; i < bytes;) {
        size_t n = utf8_step(p + i, bytes - i);

        if (n == 0) {
            buf_puts(j->out, "\xef\xbf\xbd");
            i++;
        } else if (n == 1 && (p[i] == '"' || p[i] == '\\')) {
            buf_putc(j->out, '\\');
            buf_putc(j->out, p[i++]);
        } else if (n == 1 && (p[i] < 0x20 || p[i] == 0x7f)) {
            buf_printf(j->out, "\\u%04x", p[i++]);
        } else {
            buf_put(j->out, p + i, n);
            i += n;
        }
    }
    buf_putc(j->out, '"');
}

/* Comma and key before a value. */
static void lead(struct json *j, const char *key)
{
    if (j->comma)
        buf_putc(j->out, ',');
    j->comma = true;
    if (key) {
        quoted(j, (const unsigned char *)key, strlen(key));
        buf_putc(j->out, ':');
    }
}

static void open_with(struct json *j, const char *key, int c)
{
    lead(j, key);
    buf_putc(j->out, c);
    j->comma = false;
}

static void close_with(struct json *j, int c)
{
    buf_putc(j->out, c);
    j->comma = true;
}

void json_object_begin(struct json *j, const char *key)
{
    open_with(j, key, '{');
}

void json_object_end(struct json *j)
{
    close_with(j, '}');
}

void json_array_begin(struct json *j, const char *key)
{
    open_with(j, key, '[');
}

void json_array_end(struct json *j)
{
    close_with(j, ']');
}

void json_bytes(struct json *j, const char *key, const void *value, size_t bytes)
{
    lead(j, key);
    quoted(j, value, bytes);
}

void json_str(struct json *j, const char *key, const char *value)
{
    if (value) {
        json_bytes(j, key, value, strlen(value));
    } else {
        lead(j, key);
        buf_puts(j->out, "null");
    }
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
    lead(j, key);
    buf_printf(j->out, "%" PRIu64, value);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
    lead(j, key);
    buf_printf(j->out, "%" PRId64, value);
}

void json_double(struct json *j, const char *key, double value)
{
    lead(j, key);
    if (isfinite(value))
        buf_printf(j->out, "%.9g", value);
    else
        buf_puts(j->out, "null");
}

void json_bool(struct json *j, const char *key, bool value)
{
    lead(j, key);
    buf_puts(j->out, value ? "true" : "false");
}
