/*
 * store_priv.h: the inside of a store, for store*.c alone.
 *
 * Two owners: `disk` and `format` belong to the job that runs (one at a time; to store_open() and
 * store_close() while none can), everything else to the loop's thread. A job gets what it needs as
 * copies, and brings back results that its after() looks at.
 */
#ifndef SIDECAR_STORE_STORE_PRIV_H
#define SIDECAR_STORE_STORE_PRIV_H

#include "sidecar/store/disk.h"
#include "sidecar/store/format.h"
#include "sidecar/store/index.h"
#include "sidecar/store/jobs.h"
#include "sidecar/store/store.h"

enum {
    STORE_MAGIC = 0x53544f52,
    STORE_TICK_MS = 250,
    STORE_LOCK_WAIT_MS = 1000, /* for the sidecar before us, at the start */
    STORE_LOCK_LOOK_MS = 20,
    STORE_BATCH_MAX = 32, /* profiles of one job: their folders are synced once */
    STORE_BATCH_MAX_BYTES = 16 * 1024 * 1024,  /* of it, but for one that is larger alone */
    STORE_QUEUE_MAX_BYTES = 128 * 1024 * 1024, /* not packed yet */
    STORE_TROUBLE_BYTES = 240,
};

/* A file's bytes in memory, shared by an entry and the jobs that read or write it. */
struct packed {
    unsigned refs; /* the loop's thread counts them */
    size_t bytes;
    unsigned char data[];
};

/* One profile on its way to the disk. */
struct put {
    struct put *next;
    uint64_t handle; /* the entry in memory that it is about; 0: it is new */
    struct key key;
    char name[KEY_NAME_BYTES], marked[KEY_NAME_BYTES];
    struct item *item; /* of a new one; freed once it is packed */
    void *raw;
    size_t raw_bytes;
    uint32_t slots;
    bool history;
    store_accepted then; /* NULL: forgotten */
    void *data;
    struct packed *packed;
    int pack_result;
    bool tried; /* the disk was; then the two results hold */
    int spool_result, history_result;
};

struct store_removal {
    struct key key;
    uint32_t mask;
};

struct store_handles { /* closes by itself */
    uv_timer_t tick;
};

struct fetch;

struct store {
    unsigned magic;
    uv_loop_t *loop;
    struct store_handles *handles;
    struct jobs *jobs;
    bool started; /* the loop turns: we are confined, the pool may be used */

    struct disk disk;      /* the jobs' */
    struct format *format; /* the jobs' */

    bool spool, history; /* is there a folder? */
    char spool_dir[CONFIG_PATH_BYTES];
    uint64_t max_bytes, max_age_ms;
    char slot[INDEX_SLOTS_MAX][CONFIG_NAME_BYTES + 1]; /* folder names, "": free */
    uint32_t configured;                               /* slots of backends that there are */
    int backend_slot[CONFIG_BACKENDS_MAX];
    size_t backends;

    struct index index;
    struct key_types types;
    uint64_t memory_bytes;

    struct put *put, **put_end; /* not in a job yet */
    struct put *writing;        /* in the job that runs */
    size_t puts, put_bytes;
    bool write_queued, scanned, scan_queued;
    struct fetch *fetches;
    size_t fetching;
    struct store_removal *removal;
    size_t removals, removals_cap;
    bool removal_queued;

    char trouble[STORE_TROUBLE_BYTES]; /* "": none */
    uint64_t retry_ms;                 /* monotonic */
    uint64_t dropped[STORE_REASONS], written, write_errors, history_lost;

    void (*news)(void *ctx);
    void *news_ctx;
    void (*kept)(void *ctx, const struct key *k, const char *type, uint64_t bytes);
    void *kept_ctx;
};

uint64_t store_now_ms(void);

/* store_packed_unref(p): NULL-safe. */
void store_packed_unref(struct packed *p);

/* store_let_go(s, e, mask, reason): these will not get it; counted, unless ${reason} is
 * STORE_REASONS. The entry is not valid any more. */
void store_let_go(struct store *s, struct index_entry *e, uint32_t mask, enum store_reason reason);

/* store_remove_later(s, k, mask): the links go when the pool has time. */
void store_remove_later(struct store *s, const struct key *k, uint32_t mask);
void store_remove_queue(struct store *s); /* what waits for that */
void store_remove_last(struct store *s);  /* at the end: now, and no more */

/* store_bounds(s): drop what is above them. */
void store_bounds(struct store *s);

/* store_troubled(s, what, r): the disk refuses: say it once, try again later. store_mended(): it
 * took something. */
void store_troubled(struct store *s, const char *what, int r);
void store_mended(struct store *s);

/* store_write.c: begin to write what waits; to write what is only in memory; the end of all. */
void store_write_queue(struct store *s);
void store_write_flush(struct store *s);
void store_write_release(struct store *s);
void store_write_forget(struct store *s, const void *data);

/* store_scan.c: what lies in the folders, now (before the loop turns), or by a job. */
int store_scan_now(struct store *s);
void store_scan_queue(struct store *s);

#endif
