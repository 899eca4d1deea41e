/*
 * store.h: profiles on disk until every backend has answered (the spool), and the ones that are
 * kept to look at later (the history). One file a profile; a folder a backend, with hard links to
 * one inode.
 *
 *     spool/tmp/      being written; emptied at start
 *     spool/NAME/     waits for the backend NAME
 *     history/        kept (history.h)
 *
 * A file is written to tmp/, fsync(2)ed, link(2)ed into each folder, each folder fsync(2)ed, and
 * only then is the profile accepted (`then` is called with 0). From there on it is in memory only
 * by its name: it goes when store_done() or store_drop() says so, or when the bounds are reached:
 * oldest first, each drop counted with its reason. Age is real time at start and monotonic time
 * after it, so that a stepping clock drops nothing.
 *
 * Names sort by time: 19 digits of time_ns, the type, the id: "1763750000000000000-cpu-….plsp".
 * The file (version 1, little endian): "PLSP", u32 version, u32 meta bytes, u32 crc32 of all that
 * follows these 32 bytes, u64 raw bytes, u64 packed bytes; the item as JSON; the pprof as one zstd
 * frame. A file that is not exactly that is moved to spool/bad/ (bounded), counted and never sent.
 *
 * When the disk refuses (full, read-only, folder gone) profiles stay in memory up to
 * STORE_MEMORY_MAX_BYTES and are written as soon as it takes them again: the state says so. The
 * same memory is all there is when no spool.dir is configured.
 *
 * All calls come from the loop's thread; reading, writing, compressing and fsync(2) happen in
 * libuv's pool, one job at a time and in order.
 */
#ifndef SIDECAR_STORE_STORE_H
#define SIDECAR_STORE_STORE_H

#include <uv.h>

#include "config/config.h"
#include "sidecar/item.h"

enum {
    STORE_ENTRIES_MAX = 65536, /* files known of one backend; above, the oldest go */
    STORE_MEMORY_MAX_BYTES = 16 * 1024 * 1024,
    STORE_BAD_MAX = 16,    /* files kept in bad/ */
    STORE_RETRY_MS = 2000, /* between two tries of a disk that refuses */
    STORE_JOBS_MAX = 256,  /* open reads and writes */
};

struct store; /* opaque */

/* Why a profile was dropped; the label `reason` of spool_dropped_total. */
enum store_reason {
    STORE_DROP_AGE,
    STORE_DROP_SIZE,     /* spool.max_size, or entries */
    STORE_DROP_MEMORY,   /* the disk refused and the memory was full */
    STORE_DROP_REJECTED, /* the backend will never take it */
    STORE_DROP_BAD,      /* the file is not what was written */
    STORE_DROP_BACKEND,  /* its backend is no longer configured (only if also too old) */
    STORE_REASONS,
};

struct store_counts {
    uint64_t bytes, profiles; /* on disk and in memory, each inode once */
    uint64_t dropped[STORE_REASONS];
    uint64_t in_memory; /* profiles that are not on disk */
    uint64_t written, write_errors;
    char state[256]; /* "ok", or "degraded: No space left on device" */
};

/* One waiting profile of one backend; valid until it is done or dropped. */
struct store_entry {
    uint64_t handle; /* never 0; not used again */
    int64_t time_ns;
    uint64_t age_ms;
    uint64_t bytes; /* packed */
    char type[ITEM_TYPE_BYTES], id[ITEM_ID_BYTES];
};

/* The pprof stays valid until the callback returns, or until the buf was moved away. */
struct store_read {
    int result; /* 0, -errno; -EBADMSG: the file was bad, it is dropped already */
    struct item item;
    struct buf *raw;
    const char *why;
};

typedef void (*store_accepted)(void *data, int result, const char *why);
typedef void (*store_came)(void *data, const struct store_read *read);

/**
 * store_open(loop, config, ret, e): make the folders, look at what waits. Blocking, before the
 * loop turns; 20,000 files take less than a second, since only names and sizes are looked at.
 * ${e} only for what no waiting can mend (a bad path, no right); a full disk is a state.
 */
int store_open(uv_loop_t *loop, const struct config *c, struct store **ret, struct err *e);

/** store_close(s): the job that runs is waited for, the rest is dropped from memory. NULL-safe. */
void store_close(struct store *s);

/** store_reload(s, c): bounds and backends as they are now. */
void store_reload(struct store *s, const struct config *c);

/**
 * store_put(s, item, raw, bytes, backends, history, then, data): keep it for the backends whose bit
 * is set (index in config.forward), and for the history. ${raw} is copied. 0, or -EBUSY, -EFBIG,
 * -EINVAL (no valid id or type), -ENOMEM and no callback. The callback's 0 has a ${why} (else NULL)
 * when the disk refused it, or there is no folder: it is in memory only, until the disk takes it.
 */
int store_put(struct store *s, const struct item *item, const void *raw, size_t bytes,
              uint32_t backends, bool history, store_accepted then, void *data);

/** store_oldest(s, backend, after, ret): the oldest one waiting that is newer than the entry
 * ${after} (0: any); false: none. */
bool store_oldest(const struct store *s, uint32_t backend, uint64_t after, struct store_entry *ret);

/** store_waiting(s, backend, ret_bytes): how many wait for it. ${ret_bytes} may be NULL. */
uint64_t store_waiting(const struct store *s, uint32_t backend, uint64_t *ret_bytes);

/** store_fetch(s, backend, handle, then, data): 0, or -ENOENT (dropped meanwhile), -EBUSY. */
int store_fetch(struct store *s, uint32_t backend, uint64_t handle, store_came then, void *data);

/** store_done(s, backend, handle): the backend has it: the link goes. */
void store_done(struct store *s, uint32_t backend, uint64_t handle);
/** store_drop(s, backend, handle, reason): nobody will have it: counted. */
void store_drop(struct store *s, uint32_t backend, uint64_t handle, enum store_reason reason);

/** store_forget(s, data): no callback with this ${data} any more. */
void store_forget(struct store *s, const void *data);

/** store_on_news(s, fn, ctx): called when something was added for any backend. */
void store_on_news(struct store *s, void (*fn)(void *ctx), void *ctx);

/** store_loop(s), store_history_lost(s): for history.c. */
uv_loop_t *store_loop(const struct store *s);
uint64_t store_history_lost(const struct store *s);

/**
 * store_on_kept(s, fn, ctx): called when a profile has got its name in history.dir (history.c).
 */
struct key;
void store_on_kept(struct store *s,
                   void (*fn)(void *ctx, const struct key *k, const char *type, uint64_t bytes),
                   void *ctx);

void store_counts(const struct store *s, struct store_counts *ret); /* NULL-safe: zeros */

/** store_reason_name(r): "age", "size", "memory", "rejected", "bad", "backend". */
const char *store_reason_name(enum store_reason r);

#endif
