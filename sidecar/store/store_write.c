/*
 * store_put() and what becomes of it: a batch is packed and written by one job, and only its
 * after() makes entries of it. What the disk refused stays as an entry in memory, and the same job
 * writes it when its time has come again.
 */
#include <errno.h>

#include "base/log.h"
#include "base/magic.h"
#include "sidecar/store/store_priv.h"

struct writing {
    struct job job;
    struct store *store;
    struct put *list;
    size_t count;
    bool flush;    /* what is in memory already; without any of it the disk is probed */
    bool try_disk; /* or only pack: it has just refused */
    bool replaced; /* the folders were made anew: what lay in them may be gone */
    struct err e;  /* of the folders */
    int result;    /* of the probe or the folders */
};

static void free_put(struct store *s, struct put *p)
{
    if (p->item) {
        s->puts--;
        s->put_bytes -= p->raw_bytes;
    }
    free(p->item);
    free(p->raw);
    store_packed_unref(p->packed);
    free(p);
}

/* --- in the pool --- */

static int pack(struct format *f, struct put *p)
{
    struct buf out;
    int r;

    buf_init(&out, FORMAT_FILE_MAX_BYTES);
    r = format_pack(f, p->item, p->raw, p->raw_bytes, &out);
    if (r == 0 && !out.failed)
        p->packed = malloc(sizeof(*p->packed) + out.len); /* exactly: it may stay */
    if (p->packed) {
        p->packed->refs = 1;
        p->packed->bytes = out.len;
        memcpy(p->packed->data, out.data, out.len);
    }
    buf_release(&out);
    if (r)
        return r;
    return p->packed ? 0 : -ENOMEM;
}

static void fill(const struct store *s, const struct put *p, struct disk_write *w)
{
    *w = (struct disk_write){
        .name = p->name,
        .history_name = p->history && s->history ? p->marked : NULL,
        .data = p->packed->data,
        .bytes = p->packed->bytes,
        .slots = s->spool ? p->slots : 0,
    };
}

static bool is_gone(const struct disk_write *w)
{
    return w->spool_result == -ENOENT || w->spool_result == -ESTALE ||
           w->history_result == -ENOENT || w->history_result == -ESTALE;
}

static int open_again(struct writing *w)
{
    struct disk *d = &w->store->disk;
    int r = disk_open(d, &w->e);

    w->replaced = w->replaced || d->replaced;
    d->replaced = false;
    return r;
}

/* Folders that vanish while we write are made anew, once; then it is an error like any other. */
static void write_puts(struct writing *w)
{
    struct disk_write rows[STORE_BATCH_MAX];
    struct disk *d = &w->store->disk;
    size_t n = 0;
    bool gone = false;

    for (struct put *p = w->list; p && n < STORE_BATCH_MAX; p = p->next) {
        if (!p->pack_result)
            fill(w->store, p, &rows[n++]);
    }
    disk_write(d, rows, n);
    for (size_t i = 0; i < n; i++)
        gone = gone || is_gone(&rows[i]);
    if (gone && open_again(w) == 0)
        disk_write(d, rows, n); /* what was linked is linked already */
    n = 0;
    for (struct put *p = w->list; p && n < STORE_BATCH_MAX; p = p->next) {
        if (p->pack_result)
            continue;
        p->tried = true;
        p->spool_result = rows[n].spool_result;
        p->history_result = rows[n++].history_result;
    }
}

static void write_work(struct job *j)
{
    struct writing *w = (struct writing *)j;
    struct store *s = w->store;

    for (struct put *p = w->list; p; p = p->next) {
        if (!p->packed)
            p->pack_result = pack(s->format, p);
    }
    if (!w->try_disk || !(s->spool || s->history))
        return;
    if (!disk_is_there(&s->disk) || w->flush)
        w->result = open_again(w);
    if (w->result) {
        for (struct put *p = w->list; p; p = p->next) {
            p->tried = true;
            p->spool_result = s->spool ? w->result : 0;
            p->history_result = w->result;
        }
        return;
    }
    if (w->list)
        write_puts(w);
    else
        w->result = disk_probe(&s->disk);
}

/* --- afterwards --- */

static void answer(struct put *p, int result, const char *why)
{
    if (p->then)
        p->then(p->data, result, why);
}

static void tell_history(struct store *s, const struct put *p)
{
    if (s->kept)
        s->kept(s->kept_ctx, &p->key, s->types.name[p->key.type], p->packed->bytes);
}

/* What of it is on the disk now, and what is not but should be. */
static void judge(const struct store *s, const struct put *p, bool *ret_on_disk, bool *ret_kept,
                  bool *ret_keep)
{
    bool history = p->history && s->history;

    *ret_on_disk = s->spool && p->slots && p->tried && p->spool_result == 0;
    *ret_kept = history && p->tried && p->history_result == 0;
    *ret_keep = history && !*ret_kept;
}

static void hold(struct store *s, struct index_entry *e, struct packed *p)
{
    e->memory = p;
    p->refs++;
    s->memory_bytes += p->bytes;
}

/* A new one becomes an entry, unless nobody but the history wanted it, which has it. */
static void take_in(struct store *s, struct put *p)
{
    struct index_entry e = {.key = p->key, .born_ms = (int64_t)store_now_ms(), .mask = p->slots};
    const char *why = NULL;
    bool kept;

    judge(s, p, &e.on_disk, &kept, &e.keep);
    e.bytes = (uint32_t)p->packed->bytes;
    if ((p->slots && !e.on_disk) || e.keep) {
        hold(s, &e, p->packed);
        why = s->spool || s->history ? "it is in memory only: the disk refused it"
                                     : "it is in memory only: spool.dir is not set";
    }
    if (e.on_disk || kept)
        s->written++;
    if (kept)
        tell_history(s, p);
    if ((e.mask || e.keep) && !index_add(&s->index, &e)) {
        if (e.memory) {
            s->memory_bytes -= e.memory->bytes;
            store_packed_unref(e.memory);
        }
        store_remove_later(s, &p->key, e.on_disk ? e.mask : 0);
        answer(p, -ENOMEM, "out of memory");
        return;
    }
    answer(p, 0, why);
}

/* One that was in memory: it may have been sent or dropped while it was written. */
static void settle(struct store *s, struct put *p)
{
    struct index_entry *e = index_find(&s->index, p->handle);
    bool on_disk, kept, keep;

    judge(s, p, &on_disk, &kept, &keep);
    if (on_disk || kept)
        s->written++;
    if (kept)
        tell_history(s, p);
    if (on_disk)
        store_remove_later(s, &p->key, p->slots & ~(e ? e->mask : 0));
    if (!e)
        return;
    e->on_disk = e->on_disk || on_disk;
    e->keep = e->keep && !kept;
    if (e->memory && !e->keep && (e->on_disk || !e->mask)) {
        s->memory_bytes -= e->memory->bytes;
        store_packed_unref(e->memory);
        e->memory = NULL;
    }
    index_clear(&s->index, e, 0); /* gone, when the history was all that it was there for */
}

static void finish(struct store *s, struct put *p, bool canceled)
{
    if (p->handle) {
        if (!canceled)
            settle(s, p);
    } else if (canceled || !p->packed) {
        answer(p, canceled ? -ECANCELED : p->pack_result,
               canceled ? "shutting down" : strerror(-p->pack_result));
    } else if (p->packed->bytes > s->max_bytes) {
        s->dropped[STORE_DROP_SIZE] += (unsigned)__builtin_popcount(p->slots);
        if (p->tried && s->spool && p->spool_result == 0)
            store_remove_later(s, &p->key, p->slots);
        answer(p, -EFBIG, "the profile is larger than spool.max_size");
    } else {
        take_in(s, p);
    }
}

static void state_of(struct store *s, const struct writing *w)
{
    int spool = 0, history = 0;
    bool tried = w->flush && !w->list;

    for (const struct put *p = w->list; p; p = p->next) {
        tried = tried || p->tried;
        spool = spool ? spool : p->spool_result;
        history = history ? history : p->history && s->history ? p->history_result : 0;
        s->write_errors += p->tried && (p->spool_result || (p->history && p->history_result));
    }
    if (w->result)
        store_troubled(s, w->e.text[0] ? w->e.text : "spool", w->e.text[0] ? 0 : w->result);
    else if (spool)
        store_troubled(s, "spool", spool);
    else if (history)
        store_troubled(s, "history", history);
    else if (tried)
        store_mended(s);
    if (w->replaced || (tried && !s->scanned && !s->trouble[0]))
        store_scan_queue(s);
}

static void write_after(struct job *j, bool canceled)
{
    struct writing *w = (struct writing *)j;
    struct store *s = w->store;
    bool news = w->list && !w->flush && !canceled;

    MAGIC_CHECK(s, STORE_MAGIC);
    s->writing = NULL;
    if (!canceled)
        state_of(s, w);
    while (w->list) {
        struct put *p = w->list;

        w->list = p->next;
        finish(s, p, canceled);
        free_put(s, p);
    }
    if (!canceled) {
        store_bounds(s);
        if (w->flush && !s->trouble[0] && s->memory_bytes && w->count)
            store_write_flush(s); /* the rest of it */
        store_write_queue(s);
    }
    if (news && s->news)
        s->news(s->news_ctx);
    free(w);
}

/* --- before --- */

/* As many of those that wait as make one batch. */
static void begin_puts(struct writing *w)
{
    struct store *s = w->store;
    struct put **end = &w->list;
    size_t bytes = 0;

    while (s->put && w->count < STORE_BATCH_MAX &&
           (w->count == 0 || bytes + s->put->raw_bytes <= STORE_BATCH_MAX_BYTES)) {
        struct put *p = s->put;

        s->put = p->next;
        p->next = NULL;
        bytes += p->raw_bytes;
        *end = p;
        end = &p->next;
        w->count++;
    }
    if (!s->put)
        s->put_end = &s->put;
    w->try_disk = !s->trouble[0];
}

static struct put *put_of(const struct store *s, const struct index_entry *e)
{
    struct put *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->handle = e->handle;
    p->key = e->key;
    p->slots = e->on_disk ? 0 : e->mask;
    p->history = e->keep;
    p->packed = e->memory;
    p->packed->refs++;
    key_print(&s->types, &p->key, false, p->name);
    key_print(&s->types, &p->key, true, p->marked);
    return p;
}

/* Without a spool, what waits for backends stays where it is. */
static bool wants_disk(const struct store *s, const struct index_entry *e)
{
    return e->memory && ((s->spool && !e->on_disk && e->mask) || e->keep);
}

static void begin_flush(struct writing *w)
{
    struct store *s = w->store;
    struct put **end = &w->list;

    for (struct index_entry *e = index_first(&s->index); e && w->count < STORE_BATCH_MAX;
         e = index_next(&s->index, e->handle)) {
        struct put *p = wants_disk(s, e) ? put_of(s, e) : NULL;

        if (!p)
            continue;
        *end = p;
        end = &p->next;
        w->count++;
    }
    w->try_disk = true;
}

static void write_begin(struct job *j)
{
    struct writing *w = (struct writing *)j;

    w->store->write_queued = false;
    if (w->flush)
        begin_flush(w);
    else
        begin_puts(w);
    w->store->writing = w->list;
}

static void queue(struct store *s, bool flush)
{
    struct writing *w;

    if (!s->started || s->write_queued)
        return;
    w = calloc(1, sizeof(*w));
    if (!w)
        return; /* the next tick tries again */
    w->job = (struct job){write_begin, write_work, write_after, NULL};
    w->store = s;
    w->flush = flush;
    s->write_queued = true;
    jobs_add(s->jobs, &w->job);
}

void store_write_queue(struct store *s)
{
    if (s->put)
        queue(s, false);
}

void store_write_flush(struct store *s)
{
    if (s->spool || s->history)
        queue(s, true);
}

static struct put *new_put(struct store *s, const struct item *item, const struct key *k,
                           const void *raw, size_t bytes)
{
    struct put *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->item = malloc(sizeof(*p->item));
    p->raw = malloc(bytes);
    if (!p->item || !p->raw) {
        free(p->item);
        free(p->raw);
        free(p);
        return NULL;
    }
    *p->item = *item;
    p->key = *k;
    memcpy(p->raw, raw, bytes);
    p->raw_bytes = bytes;
    key_print(&s->types, &p->key, false, p->name);
    key_print(&s->types, &p->key, true, p->marked);
    return p;
}

/* Bits of the caller's numbering as slots. */
static uint32_t slots_of(const struct store *s, uint32_t backends)
{
    uint32_t slots = 0;

    for (size_t i = 0; i < s->backends; i++) {
        if ((backends & 1u << i) && s->backend_slot[i] >= 0)
            slots |= 1u << s->backend_slot[i];
    }
    return slots;
}

int store_put(struct store *s, const struct item *item, const void *raw, size_t bytes,
              uint32_t backends, bool history, store_accepted then, void *data)
{
    struct put *p;
    struct key k;

    MAGIC_CHECK(s, STORE_MAGIC);
    if (bytes == 0 || bytes > ITEM_RAW_MAX_BYTES)
        return -EFBIG;
    if (s->puts + s->fetching >= STORE_JOBS_MAX || s->put_bytes + bytes > STORE_QUEUE_MAX_BYTES)
        return -EBUSY;
    if (key_of(&s->types, item, &k))
        return -EINVAL;
    p = new_put(s, item, &k, raw, bytes);
    if (!p)
        return -ENOMEM;
    p->slots = slots_of(s, backends);
    p->history = history;
    p->then = then;
    p->data = data;
    s->puts++;
    s->put_bytes += bytes;
    *s->put_end = p;
    s->put_end = &p->next;
    store_write_queue(s);
    return 0;
}

void store_write_forget(struct store *s, const void *data)
{
    for (struct put *p = s->put; p; p = p->next)
        p->then = p->data == data ? NULL : p->then;
    for (struct put *p = s->writing; p; p = p->next)
        p->then = p->data == data ? NULL : p->then;
}

void store_write_release(struct store *s)
{
    while (s->put) {
        struct put *p = s->put;

        s->put = p->next;
        answer(p, -ECANCELED, "shutting down");
        free_put(s, p);
    }
}
