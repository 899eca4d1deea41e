#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int output_open(struct output *o, const char *path, struct err *e)
{
    *o = (struct output){.fd = -1, .path = path};
    if (strcmp(path, "-") == 0) {
        o->fd = STDOUT_FILENO;
        o->borrowed = true;
        return 0;
    }
    /*
     * O_EXCL first tells whether the file is new, and with it whether it may be removed again. The
     * mode is the user's umask's business, as for any compiler's output.
     */
    o->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
    o->created = o->fd >= 0;
    if (o->fd < 0 && errno == EEXIST)
        o->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (o->fd < 0)
        return err_set(e, -errno, "%s: cannot be written: %s", path, strerror(errno));
    return 0;
}

/* A device or a pipe has no old content to drop. */
/* Not by rename(2) of a new file: FILE may be a device, a pipe, or in a folder we cannot write. */
static int empty(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISREG(st.st_mode) && ftruncate(fd, 0) != 0)
        return -errno;
    return 0;
}

int output_write(struct output *o, const void *data, size_t bytes, struct err *e)
{
    const unsigned char *p = data;
    int r = o->borrowed ? 0 : empty(o->fd);

    while (r == 0 && bytes > 0) {
        ssize_t n = write(o->fd, p, bytes);

        if (n < 0 && errno == EINTR)
            continue;
        /* write(2) gives 0 for a regular file only when nothing more fits */
        if (n <= 0) {
            r = n < 0 ? -errno : -EIO;
            break;
        }
        p += n;
        bytes -= (size_t)n;
    }
    if (r == 0 && !o->borrowed) { /* some file systems tell a full disk only here */
        r = close(o->fd) == 0 ? 0 : -errno;
        o->fd = -1;
        o->created = r != 0 && o->created;
    }
    if (r)
        return err_set(e, r, "%s: cannot be written: %s", o->borrowed ? "standard output" : o->path,
                       strerror(-r));
    return 0;
}

void output_close(struct output *o)
{
    if (o->fd >= 0 && !o->borrowed)
        (void)close(o->fd);
    if (o->created)
        (void)unlink(o->path);
    o->fd = -1;
    o->created = false;
}
