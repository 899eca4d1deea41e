/*
 * disk.h: the folders of spool and history: made, locked, listed, written to, emptied. Everything
 * here blocks: it runs before the loop turns, or in the pool, one job at a time.
 *
 * Each folder is held open and files are named relative to it, never by a path, never through a
 * symbolic link. A folder that was deleted or replaced under us is found by that and made anew.
 */
#ifndef SIDECAR_STORE_DISK_H
#define SIDECAR_STORE_DISK_H

#include "config/config.h"
#include "sidecar/store/index.h"
#include "sidecar/store/key.h"

enum {
    DISK_FOLDER_MODE = 0700,
    DISK_FILE_MODE = 0600,
    DISK_LIST_MAX = 1024 * 1024, /* names looked at in one folder */
};

/* One that is not open is -1. */
struct disk {
    char spool[CONFIG_PATH_BYTES], history[CONFIG_PATH_BYTES]; /* "": not kept on disk */
    int spool_fd, history_fd;
    int tmp_fd, bad_fd; /* in the spool; without one tmp/ is in the history */
    int lock_fd;
    int slot_fd[INDEX_SLOTS_MAX];
    char slot[INDEX_SLOTS_MAX][CONFIG_NAME_BYTES + 1]; /* folder's name, "": none */
    unsigned bad_files;                                /* in bad/ */
    bool replaced; /* disk_open() found other folders than last time: files may be missing */
};

void disk_init(struct disk *d, const char *spool, const char *history);
void disk_close(struct disk *d); /* the folders; disk_open() opens them again */

/**
 * disk_folder(name, out): what the folder of the backend ${name} is called: its name, but for those
 * that the spool has itself, and what begins with a dot.
 */
void disk_folder(const char *name, char out[static CONFIG_NAME_BYTES + 1]);

/** disk_slots(d, names): the folders of the slots from now on; disk_open() makes them. */
void disk_slots(struct disk *d, char (*names)[CONFIG_NAME_BYTES + 1]);

/**
 * disk_open(d, e): make and open all folders, take the lock, empty tmp/. Folders that are open and
 * still there stay open. -errno of the first that fails, -EBUSY: another one has the spool.
 */
int disk_open(struct disk *d, struct err *e);

/** disk_is_there(d): are the folders that we hold the ones that their paths name? */
bool disk_is_there(const struct disk *d);

/** disk_list(fd, seen, ctx): each file of a folder with its size; what is no plain file has none
 * (-1). 0 or -errno. The callback's result other than 0 ends it. */
typedef int (*disk_seen)(void *ctx, const char *name, int64_t bytes);
int disk_list(int fd, disk_seen seen, void *ctx);

/** disk_folders(d, seen, ctx): the same for the folders of the spool that may be backends'. */
int disk_folders(const struct disk *d, disk_seen seen, void *ctx);

/* One file to be written: its results are 0 or -errno, of both places. */
struct disk_write {
    const char *name, *history_name; /* NULL: not there */
    const void *data;
    size_t bytes;
    uint32_t slots; /* links to make */
    int spool_result, history_result;
};

/**
 * disk_write(d, w, n): all of them, each folder synced once. A file that failed has no link in the
 * spool; one whose history_result alone is not 0 is in the spool.
 */
void disk_write(struct disk *d, struct disk_write *w, size_t n);

/** disk_probe(d): can a file be written now? 0 or -errno. */
int disk_probe(struct disk *d);

/** disk_read(fd, name, max_bytes, out): a whole plain file. ${out} is initialised here. 0; -EBADMSG
 * (no plain file, or longer), -ENOENT, another -errno; -ENOMEM. */
int disk_read(int fd, const char *name, size_t max_bytes, struct buf *out);

/** disk_remove(d, name, slots): its links in these folders. 0 or the first -errno but ENOENT. */
int disk_remove(struct disk *d, const char *name, uint32_t slots);

/** disk_set_aside(d, fd, name): to bad/, or away when that is full. */
void disk_set_aside(struct disk *d, int fd, const char *name);

#endif
