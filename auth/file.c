#include "auth/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth.h"

/* Fill ${out}; one byte more than allowed tells that the file is too long. */
static int slurp(const char *path, char *out, size_t bytes, size_t *ret_bytes, struct err *e)
{
    /* O_NONBLOCK: a pipe put there must not hang the server; symlinks are the kubelet's way */
    /* opened anew each time: the kubelet swaps a symlink above the file (facts: a rename of ..data)
     */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t used = 0;
    struct stat st;
    int r = 0;

    if (fd < 0 || fstat(fd, &st) != 0) {
        r = err_set(e, -errno, "%s: cannot be read: %m", path);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        r = err_set(e, -EINVAL, "%s: is no file", path);
        goto out;
    }
    while (used < bytes) {
        ssize_t n = read(fd, out + used, bytes - used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = err_set(e, -errno, "%s: cannot be read: %m", path);
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    *ret_bytes = used;
out:
    if (fd >= 0)
        (void)close(fd);
    return r;
}

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
    char *text = malloc(AUTH_FILE_MAX_BYTES + 1);
    size_t bytes = 0;
    int r;

    if (!text)
        return err_set(e, -ENOMEM, "no memory for %s", path);
    r = slurp(path, text, AUTH_FILE_MAX_BYTES + 1, &bytes, e);
    if (r == 0 && bytes > AUTH_FILE_MAX_BYTES)
        r = err_set(e, -EINVAL, "%s: larger than %d bytes", path, AUTH_FILE_MAX_BYTES);
    if (r == 0)
        r = each_line(path, text, bytes, token, ctx, e);
    /* freed memory is reused for answers to strangers */
    explicit_bzero(text, AUTH_FILE_MAX_BYTES + 1);
    free(text);
    return r;
}
