/*
 * maps.h: /proc/PID/maps (proc(5)) as a table. The text is hostile: names may hold anything.
 */
#ifndef SAMPLER_SYMBOLS_MAPS_H
#define SAMPLER_SYMBOLS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    MAPS_MAX = 65536,
    MAPS_PATH_BYTES = 512, /* longer paths are cut */
    MAPS_PATHS_MAX_BYTES = 8 * 1024 * 1024,
    MAPS_KEPT_MAX = 4096, /* vanished rows that maps_keep() takes over */
};

struct maps_row {
    uint64_t start, end, offset;
    uint64_t inode;
    uint32_t dev_major, dev_minor;
    bool exec, write, deleted; /* deleted: " (deleted)" was taken off the path */
    bool gone;                 /* no longer mapped: taken over by maps_keep() */
    uint32_t path;             /* index into struct maps' paths, 0: none */
};

struct maps {
    struct maps_row *rows; /* sorted by start, not overlapping */
    size_t count;
    char *paths; /* NUL-terminated strings, the first is "" */
    size_t paths_bytes;
    bool truncated; /* more rows or paths than allowed */
};

/**
 * maps_parse(text, bytes, ret, e): 0, -EBADMSG, -ENOMEM. A last line without its newline was cut
 * on the way: it is left out and the table is truncated. Of rows that overlap (the kernel writes
 * the text page by page while the target goes on) the first counts.
 */
int maps_parse(const char *text, size_t bytes, struct maps *ret, struct err *e);

/**
 * maps_keep(now, before): add what is executable in ${before} and unmapped in ${now}, marked gone:
 * samples taken before the change still mean it. Rows are cut to what nobody else has taken.
 * 0 or -ENOMEM (${now} is as it was).
 */
int maps_keep(struct maps *now, const struct maps *before);
void maps_release(struct maps *m);
const struct maps_row *maps_find(const struct maps *m, uint64_t address); /* NULL: unmapped */
const char *maps_path(const struct maps *m, const struct maps_row *row);

#endif
