/*
 * The files. One gets its name only when all of its bytes are on the disk: write, fsync(2),
 * link(2), fsync(2) of the folder (that is what makes a new name last, open(2) and fsync(2),
 * NOTES). Where no hard link can be had (another file system, one that has none, Landlock's first
 * ABI) the folder gets a copy, written aside in it and renamed.
 */
#include "sidecar/store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/store/format.h"
#include "sidecar/store/store.h"

#define ASIDE_PREFIX ".new-" /* not listed; what a crash leaves is overwritten or lies there */

static int write_all(int fd, const unsigned char *p, size_t bytes)
{
    while (bytes) {
        ssize_t n = write(fd, p, bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        p += n;
        bytes -= (size_t)n;
    }
    return 0;
}

/* A new file of that name, synced; none when it fails. */
static int write_file(int folder, const char *name, const void *data, size_t bytes)
{
    enum { FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
    int fd = openat(folder, name, FLAGS, DISK_FILE_MODE);
    int r;

    if (fd < 0 && errno == EEXIST) { /* a try that was interrupted left it */
        (void)unlinkat(folder, name, 0);
        fd = openat(folder, name, FLAGS, DISK_FILE_MODE);
    }
    if (fd < 0)
        return -errno;
    r = write_all(fd, data, bytes);
    if (r == 0 && fsync(fd) != 0)
        r = -errno;
    if (close(fd) != 0 && r == 0) /* NFS tells of a full disk here */
        r = -errno;
    if (r)
        (void)unlinkat(folder, name, 0);
    return r;
}

static int copy_file(const struct disk_write *w, int folder, const char *name)
{
    char aside[sizeof(ASIDE_PREFIX) + KEY_NAME_BYTES];
    int r;

    (void)snprintf(aside, sizeof(aside), ASIDE_PREFIX "%s", name);
    r = write_file(folder, aside, w->data, w->bytes);
    if (r == 0 && renameat(folder, aside, folder, name) != 0) {
        r = -errno;
        (void)unlinkat(folder, aside, 0);
    }
    return r;
}

/* The same name is the same profile: a link that is there already is what we want. */
static int link_file(const struct disk *d, const struct disk_write *w, int folder, const char *name)
{
    if (folder < 0)
        return -ENOENT;
    if (linkat(d->tmp_fd, w->name, folder, name, 0) == 0 || errno == EEXIST)
        return 0;
    switch (errno) {
    case EXDEV:
    case EPERM:
    case EOPNOTSUPP:
    case ENOSYS:
    case EMLINK:
        return copy_file(w, folder, name);
    default:
        return -errno;
    }
}

static int sync_folder(int folder)
{
    /* EINVAL: a file system that has no such thing (fsync(2)) */
    return fsync(folder) == 0 || errno == EINVAL ? 0 : -errno;
}

static void write_one(struct disk *d, struct disk_write *w)
{
    int r = d->tmp_fd < 0 ? -ENOENT : write_file(d->tmp_fd, w->name, w->data, w->bytes);

    w->spool_result = r;
    w->history_result = w->history_name ? r : 0;
    for (unsigned s = 0; s < INDEX_SLOTS_MAX && w->spool_result == 0; s++) {
        if (w->slots & 1u << s)
            w->spool_result = link_file(d, w, d->slot_fd[s], w->name);
    }
    if (r == 0 && w->history_name)
        w->history_result = link_file(d, w, d->history_fd, w->history_name);
    if (r == 0)
        (void)unlinkat(d->tmp_fd, w->name, 0);
}

void disk_write(struct disk *d, struct disk_write *w, size_t n)
{
    uint32_t slots = 0;
    bool history = false;
    int spool_sync = 0, history_sync = 0;

    for (size_t i = 0; i < n; i++) {
        write_one(d, &w[i]);
        slots |= w[i].spool_result == 0 ? w[i].slots : 0;
        history = history || (w[i].history_name && w[i].history_result == 0);
    }
    for (unsigned s = 0; s < INDEX_SLOTS_MAX; s++) {
        if ((slots & 1u << s) && spool_sync == 0)
            spool_sync = sync_folder(d->slot_fd[s]);
    }
    if (history)
        history_sync = sync_folder(d->history_fd);
    for (size_t i = 0; i < n; i++) {
        if (w[i].spool_result == 0 && w[i].slots)
            w[i].spool_result = spool_sync;
        if (w[i].history_result == 0 && w[i].history_name)
            w[i].history_result = history_sync;
        if (w[i].spool_result)
            (void)disk_remove(d, w[i].name, w[i].slots);
    }
}

int disk_probe(struct disk *d)
{
    static const char name[] = "probe";
    char page[4096] = "";
    int r = d->tmp_fd < 0 ? -ENOENT : write_file(d->tmp_fd, name, page, sizeof(page));

    if (r == 0)
        (void)unlinkat(d->tmp_fd, name, 0);
    return r;
}

static int read_all(int fd, size_t bytes, struct buf *out)
{
    unsigned char *p = buf_reserve(out, bytes);

    if (!p)
        return -ENOMEM;
    while (out->len < bytes) {
        ssize_t n = pread(fd, p + out->len, bytes - out->len, (off_t)out->len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EBADMSG; /* cut meanwhile */
        out->len += (size_t)n;
    }
    return 0;
}

int disk_read(int folder, const char *name, size_t max_bytes, struct buf *out)
{
    /* not blocking: what lies there may be a FIFO */
    int fd = folder < 0 ? -1 : openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    int r = 0;

    buf_init(out, max_bytes);
    if (folder < 0)
        return -ENOENT;
    if (fd < 0)
        return errno == ELOOP || errno == ENXIO ? -EBADMSG : -errno;
    if (fstat(fd, &st) != 0)
        r = -errno;
    else if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > max_bytes)
        r = -EBADMSG;
    if (r == 0) {
        buf_init(out, (size_t)st.st_size); /* no more is taken than is needed */
        r = read_all(fd, (size_t)st.st_size, out);
    }
    (void)close(fd);
    if (r)
        buf_release(out);
    return r;
}

int disk_remove(struct disk *d, const char *name, uint32_t slots)
{
    int r = 0;

    for (unsigned s = 0; s < INDEX_SLOTS_MAX; s++) {
        if ((slots & 1u << s) && d->slot_fd[s] >= 0 && unlinkat(d->slot_fd[s], name, 0) != 0 &&
            errno != ENOENT && r == 0)
            r = -errno;
    }
    return r;
}

void disk_set_aside(struct disk *d, int folder, const char *name)
{
    if (folder < 0)
        return;
    if (d->bad_fd >= 0 && d->bad_files < STORE_BAD_MAX &&
        renameat(folder, name, d->bad_fd, name) == 0)
        d->bad_files++;
    else if (unlinkat(folder, name, 0) != 0 && errno == EISDIR)
        (void)unlinkat(folder, name, AT_REMOVEDIR);
}
