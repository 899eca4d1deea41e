/*
 * history.h: the kept profiles: tiers, listing, reading, merging over a range.
 *
 * The folder holds the same files as the spool (hard links where both are on one file system, else
 * copies). Of each type, one a minute is kept for `minutely`, one an hour for `hourly`, one a day
 * for `daily`, and one for each version of the target ("one per release") up to
 * HISTORY_RELEASES_MAX; the earliest of each minute, hour and day counts. Above history.max_size
 * the oldest go first. Files are looked at by name (which tells the version by a CRC); the meta is
 * read when a file is listed.
 *
 * Calls come from the loop's thread, disk work happens in the pool (as store.h).
 */
#ifndef SIDECAR_STORE_HISTORY_H
#define SIDECAR_STORE_HISTORY_H

#include "sidecar/store/store.h"

enum {
    HISTORY_FILES_MAX = 65536,
    HISTORY_LIST_MAX = 1000, /* rows of one listing; the rest by `before` */
    HISTORY_RELEASES_MAX = 16,
    HISTORY_MERGE_MAX = 1500,                    /* profiles of one merge: a day of minutes */
    HISTORY_MERGE_MAX_BYTES = 256 * 1024 * 1024, /* unpacked, one after the other */
    HISTORY_PRUNE_MS = 60000,
};

struct history; /* opaque */

struct history_query {
    char type[ITEM_TYPE_BYTES]; /* "": all */
    int64_t from_ns, to_ns;     /* of time_ns, inclusive and exclusive; 0: open */
    size_t limit;               /* rows of a listing */
};

struct history_answer {
    int result; /* 0, -ENOENT, -EFBIG, -EBADMSG … */
    const char *why;
    struct buf *body; /* JSON of a listing, or pprof as one gzip member; may be moved away */
    struct item item; /* of the profile, or what all merged ones share */
    size_t count;     /* rows, or merged profiles */
};
typedef void (*history_came)(void *data, const struct history_answer *answer);

/** history_open(store, config, ret, e): NULL in *ret when history.dir is not configured. */
int history_open(struct store *s, const struct config *c, struct history **ret, struct err *e);
void history_close(struct history *h); /* NULL-safe */
void history_reload(struct history *h, const struct config *c);

/*
 * Each: 0 and one callback later, or -errno and none: -EBUSY, -ENOTSUP (no history), -ENOENT (none
 * of that id, in that range), -EFBIG (more than HISTORY_MERGE_MAX), -ENOMEM.
 * A listing is newest first: {"profiles":[{id,type,time,duration_ns,bytes,target,version,…}],
 * "more":bool}. A merge has the sums of all and comments that tell how many, from when to when.
 */
int history_list(struct history *h, const struct history_query *q, history_came then, void *data);
int history_read(struct history *h, const char *id, history_came then, void *data);
int history_merge(struct history *h, const struct history_query *q, history_came then, void *data);

/** history_forget(h, data): no callback with this ${data} any more. */
void history_forget(struct history *h, const void *data);

struct history_counts {
    uint64_t profiles, bytes, pruned;
    uint64_t lost;   /* that the disk refused: the spool does not wait for the history */
    char state[128]; /* "ok", or "degraded: …" */
};
void history_counts(const struct history *h, struct history_counts *ret); /* NULL-safe */

#endif
