#include "config/slurp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SLURP_STEP_BYTES = 4096,
    SLURP_SECRET_MAX_BYTES = 64 * 1024,
};

static int read_all(int fd, const char *path, struct buf *out, struct err *e)
{
    for (;;) {
        char step[SLURP_STEP_BYTES];
        ssize_t n = read(fd, step, sizeof(step));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, -errno, "%s: cannot be read: %m", path);
        if (n == 0)
            return 0;
        if ((size_t)n > out->max_bytes - out->len) {
            explicit_bzero(step, sizeof(step));
            return err_set(e, -EFBIG, "%s: larger than %zu bytes", path, out->max_bytes);
        }
        buf_put(out, step, (size_t)n);
        explicit_bzero(step, sizeof(step)); /* it may be a key */
        if (out->failed)
            return err_set(e, -ENOMEM, "%s: out of memory", path);
    }
}

/* O_NONBLOCK and O_NOCTTY: a path to a pipe or a terminal must neither hang nor be adopted. */
static int slurp(const char *path, bool pipes, struct buf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    int r;

    if (fd < 0)
        return err_set(e, -errno, "%s: cannot be read: %m", path);
    if (fstat(fd, &st) != 0) {
        r = err_set(e, -errno, "%s: cannot be read: %m", path);
    } else if (!S_ISREG(st.st_mode) && !(pipes && S_ISFIFO(st.st_mode))) {
        r = err_set(e, pipes ? -EISDIR : -EINVAL, "%s: is no file", path);
    } else {
        if (pipes)
            (void)fcntl(fd, F_SETFL, 0); /* its writer may take its time */
        r = read_all(fd, path, out, e);
    }
    (void)close(fd);
    return r;
}

int slurp_file(const char *path, struct buf *out, struct err *e)
{
    return slurp(path, false, out, e);
}

int slurp_text(const char *path, struct buf *out, struct err *e)
{
    return slurp(path, true, out, e);
}

static bool is_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int slurp_secret(const char *path, char *ret, size_t bytes, struct err *e)
{
    struct buf text;
    size_t from = 0, to;
    int r;

    buf_init(&text, SLURP_SECRET_MAX_BYTES);
    r = slurp_file(path, &text, e);
    if (r)
        goto out;
    while (from < text.len && is_space(text.data[from]))
        from++;
    for (to = from; to < text.len && text.data[to] != '\n'; to++)
        ;
    while (to > from && is_space(text.data[to - 1]))
        to--;
    for (size_t i = from; i < to; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e) {
            r = err_set(e, -EINVAL, "%s: a secret is printable ASCII", path);
            goto out;
        }
    }
    if (to == from)
        r = err_set(e, -EINVAL, "%s: is empty", path);
    else if (to - from >= bytes)
        r = err_set(e, -EINVAL, "%s: its first line is longer than %zu bytes", path, bytes - 1);
    if (r)
        goto out;
    memcpy(ret, text.data + from, to - from);
    ret[to - from] = '\0';
out:
    if (text.data)
        explicit_bzero(text.data, text.cap);
    buf_release(&text);
    return r;
}
