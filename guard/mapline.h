/*
 * mapline.h: one line of /proc/PID/maps (proc(5)): "start-end perms offset major:minor inode path".
 * Pure; the path is partly the target's choice and only compared.
 */
#ifndef GUARD_MAPLINE_H
#define GUARD_MAPLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guard/proc.h"

struct mapline {
    uint64_t start, end;    /* the end is the first byte behind it */
    bool writable, private; /* not private: shared with other processes, or with the file */
    dev_t dev;              /* as the kernel shows it there: not always st_dev (overlayfs, btrfs) */
    uint64_t inode;         /* 0: no file */
    char path[PROC_PATH_BYTES]; /* or "[stack]" and the like; "" of anonymous memory */
};

/** mapline_parse(line, ret): ${line} without its newline. False: no such line, or too long. */
bool mapline_parse(const char *line, struct mapline *ret);

/**
 * mapline_unescape(path): the kernel writes a newline in a path as \012, and " (deleted)" behind
 * one whose name is gone. Both undone in place; true when it is gone.
 */
bool mapline_unescape(char *path);

#endif
