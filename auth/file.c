#include "auth/file.h"

#include <errno.h>
#include <string.h>

#include "auth/auth.h"
#include "config/slurp.h"

/* The rule and never the bytes: an error goes into a log, and a bad token is often a good password.
 */
static const char *complaint(const char *line, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)line[i] <= 0x20 || (unsigned char)line[i] >= 0x7f)
            return "a token is printable ASCII without spaces";
    }
    if (bytes < AUTH_FILE_TOKEN_MIN_BYTES)
        return "a token needs at least 16 bytes; `pillion token` makes one";
    if (bytes > AUTH_TOKEN_MAX_BYTES)
        return "a token may have at most 4096 bytes";
    return NULL;
}

/*
 * Line by line over memory, not by fgets(3): lines may hold NULs, and the last one need not have
 * its end. Numbers count all lines, as an editor does.
 */
static int each_line(const char *path, const char *text, size_t bytes, auth_file_token token,
                     void *ctx, struct err *e)
{
    unsigned number = 0, tokens = 0;

    for (size_t at = 0; at < bytes;) {
        const char *line = text + at;
        const char *end = memchr(line, '\n', bytes - at);
        size_t length = end ? (size_t)(end - line) : bytes - at;
        const char *why;
        int r;

        at += length + 1;
        number++;
        /* a file from Windows; the token itself may hold no control byte */
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length == 0 || line[0] == '#')
            continue;
        why = complaint(line, length);
        if (!why && ++tokens > AUTH_FILE_TOKENS_MAX)
            why = "more than 64 tokens in one file";
        if (why)
            return err_set(e, -EINVAL, "%s:%u: %s", path, number, why);
        r = token(ctx, line, length, e);
        if (r)
            return r;
    }
    return tokens ? 0 : err_set(e, -EINVAL, "%s: no token in it", path);
}

int auth_file_tokens(const char *path, auth_file_token token, void *ctx, struct err *e)
{
    struct buf text;
    int r;

    buf_init(&text, AUTH_FILE_MAX_BYTES);
    r = slurp_file(path, &text, e);
    if (r == -EFBIG)
        r = -EINVAL; /* for the caller it is a bad file like any other */
    if (r == 0)
        r = each_line(path, text.data ? (const char *)text.data : "", text.len, token, ctx, e);
    /* freed memory is reused for answers to strangers */
    if (text.data)
        explicit_bzero(text.data, text.cap);
    buf_release(&text);
    return r;
}
