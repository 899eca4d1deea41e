/*
 * The folders. A lock on the spool (flock(2), ends with the process) keeps a second sidecar from
 * emptying tmp/ under the first one's hands; where a file system knows no locks there is none.
 */
#include "sidecar/store/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP  "tmp"
#define BAD  "bad"
#define LOCK ".lock"

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void disk_init(struct disk *d, const char *spool, const char *history)
{
    memset(d, 0, sizeof(*d));
    (void)snprintf(d->spool, sizeof(d->spool), "%s", spool);
    (void)snprintf(d->history, sizeof(d->history), "%s", history);
    d->spool_fd = d->history_fd = d->tmp_fd = d->bad_fd = d->lock_fd = -1;
    for (unsigned s = 0; s < INDEX_SLOTS_MAX; s++)
        d->slot_fd[s] = -1;
}

void disk_close(struct disk *d)
{
    close_fd(&d->spool_fd);
    close_fd(&d->history_fd);
    close_fd(&d->tmp_fd);
    close_fd(&d->bad_fd);
    close_fd(&d->lock_fd);
    for (unsigned s = 0; s < INDEX_SLOTS_MAX; s++)
        close_fd(&d->slot_fd[s]);
}

/* A backend's name has letters, digits and . _ - only, so the tilde makes it no other's. */
void disk_folder(const char *name, char out[static CONFIG_NAME_BYTES + 1])
{
    bool taken = name[0] == '.' || strcmp(name, TMP) == 0 || strcmp(name, BAD) == 0;

    (void)snprintf(out, CONFIG_NAME_BYTES + 1, "%s%s", taken ? "~" : "", name);
}

void disk_slots(struct disk *d, char (*names)[CONFIG_NAME_BYTES + 1])
{
    for (unsigned s = 0; s < INDEX_SLOTS_MAX; s++) {
        if (strcmp(d->slot[s], names[s]) != 0)
            close_fd(&d->slot_fd[s]);
        memcpy(d->slot[s], names[s], sizeof(d->slot[s]));
    }
}

/* --- looking --- */

int disk_list(int fd, disk_seen seen, void *ctx)
{
    int mine = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a position of its own */
    DIR *dir = mine >= 0 ? fdopendir(mine) : NULL;
    struct dirent *row;
    int r = 0;

    if (!dir) {
        r = -errno;
        close_fd(&mine);
        return r;
    }
    for (unsigned i = 0; r == 0 && i < DISK_LIST_MAX && (row = readdir(dir)) != NULL; i++) {
        struct stat st;

        if (row->d_name[0] == '.')
            continue; /* the folder, the one above, the lock */
        if (fstatat(fd, row->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        r = seen(ctx, row->d_name, S_ISREG(st.st_mode) ? (int64_t)st.st_size : -1);
    }
    (void)closedir(dir);
    return r;
}

struct folders {
    const struct disk *disk;
    disk_seen seen;
    void *ctx;
};

static int pass_folder(void *ctx, const char *name, int64_t bytes)
{
    const struct folders *f = ctx;
    struct stat st, history;

    if (bytes >= 0 || strcmp(name, TMP) == 0 || strcmp(name, BAD) == 0 ||
        strlen(name) > CONFIG_NAME_BYTES ||
        fstatat(f->disk->spool_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
        return 0;
    if (f->disk->history_fd >= 0 && fstat(f->disk->history_fd, &history) == 0 &&
        history.st_dev == st.st_dev && history.st_ino == st.st_ino)
        return 0; /* it may lie in the spool */
    return f->seen(f->ctx, name, -1);
}

int disk_folders(const struct disk *d, disk_seen seen, void *ctx)
{
    struct folders f = {d, seen, ctx};

    return d->spool_fd < 0 ? 0 : disk_list(d->spool_fd, pass_folder, &f);
}

static bool names(int fd, const char *path)
{
    struct stat held, named;

    return fd >= 0 && fstat(fd, &held) == 0 && stat(path, &named) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

bool disk_is_there(const struct disk *d)
{
    if (d->spool[0] && !names(d->spool_fd, d->spool))
        return false;
    return !d->history[0] || names(d->history_fd, d->history);
}

/* --- making --- */

/* A folder that has been unlinked keeps its inode as long as it is open, without any name. */
static bool is_gone(int fd)
{
    struct stat st;

    return fd < 0 || fstat(fd, &st) != 0 || st.st_nlink == 0;
}

static int make_beneath(int root, const char *name, int *fd)
{
    if (!is_gone(*fd))
        return 0;
    close_fd(fd);
    if (mkdirat(root, name, DISK_FOLDER_MODE) != 0 && errno != EEXIST && errno != EROFS)
        return -errno;
    *fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *fd < 0 ? -errno : 0;
}

/* Like mkdir -p: what is there is left alone, whoever owns it. */
static int make_path(const char *path)
{
    char part[CONFIG_PATH_BYTES];
    size_t bytes = strlen(path);

    for (size_t i = 1; i <= bytes; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdirat(AT_FDCWD, part, DISK_FOLDER_MODE) == 0 || errno == EEXIST)
            continue;
        /* folders above may not be ours to look at: what counts is the last one */
        if (i == bytes)
            return -errno;
    }
    return 0;
}

static int open_root(struct disk *d, const char *path, int *fd)
{
    int r;

    if (names(*fd, path))
        return 0;
    d->replaced = d->replaced || *fd >= 0;
    if (fd == &d->spool_fd)
        disk_close(d); /* what lies in it is another one's too */
    close_fd(fd);
    *fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd >= 0)
        return 0;
    r = make_path(path);
    *fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd >= 0)
        return 0;
    return r ? r : -errno;
}

static int take_lock(struct disk *d, int root)
{
    if (!is_gone(d->lock_fd))
        return 0;
    close_fd(&d->lock_fd);
    d->lock_fd = openat(root, LOCK, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, DISK_FILE_MODE);
    if (d->lock_fd < 0)
        return errno == EROFS || errno == ENOSPC || errno == EDQUOT ? 0 : -errno;
    if (flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 0;
    close_fd(&d->lock_fd);
    return -EBUSY;
}

static int remove_it(void *ctx, const char *name, int64_t bytes)
{
    (void)bytes;
    (void)unlinkat(*(const int *)ctx, name, 0);
    return 0;
}

static int count_it(void *ctx, const char *name, int64_t bytes)
{
    (void)name;
    (void)bytes;
    ++*(unsigned *)ctx;
    return 0;
}

/* What stands in tmp/ was accepted by nobody: its writer is dead, or gave it up. */
static int open_tmp(struct disk *d, int root)
{
    bool fresh = is_gone(d->tmp_fd);
    int r = make_beneath(root, TMP, &d->tmp_fd);

    if (r == 0 && fresh)
        (void)disk_list(d->tmp_fd, remove_it, &d->tmp_fd);
    return r;
}

static int open_slots(struct disk *d)
{
    int r;

    r = make_beneath(d->spool_fd, BAD, &d->bad_fd);
    if (r)
        return r;
    d->bad_files = 0;
    (void)disk_list(d->bad_fd, count_it, &d->bad_files);
    for (unsigned s = 0; s < INDEX_SLOTS_MAX; s++) {
        if (!d->slot[s][0])
            continue;
        d->replaced = d->replaced || (d->slot_fd[s] >= 0 && is_gone(d->slot_fd[s]));
        r = make_beneath(d->spool_fd, d->slot[s], &d->slot_fd[s]);
        if (r)
            return r;
    }
    return 0;
}

static int says(struct err *e, int r, const char *path)
{
    if (r == -EBUSY)
        return err_set(e, r, "%s is in use by another pillion", path);
    return r ? err_set(e, r, "%s: %s", path, strerror(-r)) : 0;
}

int disk_open(struct disk *d, struct err *e)
{
    const char *base = d->spool[0] ? d->spool : d->history;
    int root;
    int r = d->spool[0] ? open_root(d, d->spool, &d->spool_fd) : 0;

    if (r)
        return says(e, r, d->spool);
    r = d->history[0] ? open_root(d, d->history, &d->history_fd) : 0;
    if (r)
        return says(e, r, d->history);
    if (!base[0])
        return 0;
    root = d->spool[0] ? d->spool_fd : d->history_fd;
    r = take_lock(d, root);
    if (r == 0)
        r = open_tmp(d, root);
    if (r == 0 && d->spool[0])
        r = open_slots(d);
    return says(e, r, base);
}
