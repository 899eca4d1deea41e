/*
 * The index says what waits; the folders say it too, for the next start. Whatever leaves the index
 * leaves the folders later, in the pool: a crash in between sends a profile again, and never loses
 * one.
 */
#include "sidecar/store/store.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "sidecar/store/store_priv.h"

const char *store_reason_name(enum store_reason r)
{
    static const char *const names[STORE_REASONS] = {
        [STORE_DROP_AGE] = "age",       [STORE_DROP_SIZE] = "size",
        [STORE_DROP_MEMORY] = "memory", [STORE_DROP_REJECTED] = "rejected",
        [STORE_DROP_BAD] = "bad",       [STORE_DROP_BACKEND] = "backend",
    };

    return r < STORE_REASONS ? names[r] : "";
}

uint64_t store_now_ms(void)
{
    return clock_mono_ns() / CLOCK_NS_PER_MS;
}

void store_packed_unref(struct packed *p)
{
    if (p && --p->refs == 0)
        free(p);
}

/* --- trouble --- */

void store_troubled(struct store *s, const char *what, int r)
{
    char text[STORE_TROUBLE_BYTES];

    (void)snprintf(text, sizeof(text), "%s", what);
    if (r) /* else the reason stands in it already */
        (void)snprintf(text, sizeof(text), "%s: %s", what, strerror(-r));
    s->retry_ms = store_now_ms() + STORE_RETRY_MS;
    if (strcmp(s->trouble, text) == 0)
        return;
    memcpy(s->trouble, text, sizeof(text));
    log_warn("the spool cannot be written: profiles stay in memory", LOG_STR("why", text),
             LOG_U64("memory_max_bytes", STORE_MEMORY_MAX_BYTES));
}

void store_mended(struct store *s)
{
    if (!s->trouble[0])
        return;
    s->trouble[0] = '\0';
    log_info("the spool can be written again");
}

/* --- bounds --- */

/* For everybody. What waited for a backend that is no more counts as its own when it is too old. */
static void drop_all_of(struct store *s, struct index_entry *e, enum store_reason reason)
{
    uint32_t orphans = reason == STORE_DROP_AGE ? e->mask & ~s->configured : 0;

    s->dropped[STORE_DROP_BACKEND] += (unsigned)__builtin_popcount(orphans);
    s->dropped[reason] += (unsigned)__builtin_popcount(e->mask & ~orphans);
    s->history_lost += e->keep;
    e->keep = false;
    store_let_go(s, e, e->mask, STORE_REASONS);
}

static void bound_slot(struct store *s, unsigned slot)
{
    while (s->index.slot_count[slot] > STORE_ENTRIES_MAX) {
        struct index_entry *e = index_oldest(&s->index, slot, 0);

        if (!e)
            return;
        store_let_go(s, e, 1u << slot, STORE_DROP_SIZE);
    }
}

/* The oldest are the first: born later means accepted later, but for files of the future. */
static void bound_age(struct store *s)
{
    int64_t limit = (int64_t)store_now_ms() - (int64_t)s->max_age_ms;
    struct index_entry *e;

    while (s->max_age_ms && (e = index_first(&s->index)) != NULL && e->born_ms < limit)
        drop_all_of(s, e, STORE_DROP_AGE);
}

/* Only what is in memory alone, or there for the history's sake. */
static void bound_memory(struct store *s)
{
    struct index_entry *e = index_first(&s->index);

    while (e && s->memory_bytes > STORE_MEMORY_MAX_BYTES) {
        uint64_t handle = e->handle;

        if (e->memory) {
            if (e->on_disk && e->mask) {
                s->history_lost += e->keep;
                e->keep = false;
                s->memory_bytes -= e->memory->bytes;
                store_packed_unref(e->memory);
                e->memory = NULL;
            } else {
                drop_all_of(s, e, STORE_DROP_MEMORY);
            }
        }
        e = index_next(&s->index, handle);
    }
}

void store_bounds(struct store *s)
{
    struct index_entry *e;

    bound_age(s);
    while (s->index.bytes > s->max_bytes && (e = index_first(&s->index)) != NULL)
        drop_all_of(s, e, STORE_DROP_SIZE);
    for (unsigned slot = 0; slot < INDEX_SLOTS_MAX; slot++)
        bound_slot(s, slot);
    bound_memory(s);
}

/* --- backends and their slots --- */

static int find_slot(const struct store *s, const char *folder)
{
    for (int i = 0; i < INDEX_SLOTS_MAX; i++) {
        if (strcmp(s->slot[i], folder) == 0)
            return i;
    }
    return -1;
}

/* A free one, or that of a backend which is no more and for which nothing waits. */
static int free_slot(const struct store *s)
{
    int i = find_slot(s, "");

    for (int k = 0; i < 0 && k < INDEX_SLOTS_MAX; k++) {
        if (!(s->configured & 1u << k) && s->index.slot_count[k] == 0)
            i = k;
    }
    return i;
}

static int take_slot(struct store *s, const char *folder)
{
    int i = find_slot(s, folder);

    if (i < 0)
        i = free_slot(s);
    if (i >= 0)
        (void)snprintf(s->slot[i], sizeof(s->slot[i]), "%s", folder);
    return i;
}

static void take_config(struct store *s, const struct config *c)
{
    s->max_bytes = c->spool.max_bytes ? c->spool.max_bytes : UINT64_MAX;
    s->max_age_ms = c->spool.max_age_ms;
    s->backends = c->forward_count;
    s->configured = 0;
    for (size_t i = 0; i < c->forward_count; i++) { /* those that have one keep it */
        char folder[CONFIG_NAME_BYTES + 1];
        int slot;

        disk_folder(c->forward[i].name, folder);
        slot = find_slot(s, folder);
        s->configured |= slot >= 0 ? 1u << slot : 0;
    }
    for (size_t i = 0; i < c->forward_count; i++) {
        char folder[CONFIG_NAME_BYTES + 1];
        int slot;

        disk_folder(c->forward[i].name, folder);
        slot = take_slot(s, folder);
        s->backend_slot[i] = slot;
        s->configured |= slot >= 0 ? 1u << slot : 0;
    }
}

static int slot_of(const struct store *s, uint32_t backend)
{
    return backend < s->backends ? s->backend_slot[backend] : -1;
}

/* A folder of a backend that is not configured: what is in it waits until it is too old. */
static int adopt_folder(void *ctx, const char *name, int64_t bytes)
{
    struct store *s = ctx;

    (void)bytes;
    if (find_slot(s, name) < 0 && take_slot(s, name) < 0)
        log_warn("too many folders in the spool: one is left alone", LOG_STR("folder", name));
    return 0;
}

struct renaming {
    struct job job;
    struct store *store;
    char slot[INDEX_SLOTS_MAX][CONFIG_NAME_BYTES + 1];
    struct err e;
    int result;
};

static void rename_work(struct job *j)
{
    struct renaming *r = (struct renaming *)j;

    disk_slots(&r->store->disk, r->slot);
    r->result = disk_open(&r->store->disk, &r->e);
}

static void rename_after(struct job *j, bool canceled)
{
    struct renaming *r = (struct renaming *)j;

    if (!canceled && r->result)
        store_troubled(r->store, r->e.text, 0);
    free(r);
}

void store_reload(struct store *s, const struct config *c)
{
    struct renaming *r;

    MAGIC_CHECK(s, STORE_MAGIC);
    if (strcmp(s->spool_dir, c->spool.dir) != 0)
        log_warn("another spool.dir needs a restart", LOG_STR("dir", s->spool_dir));
    take_config(s, c);
    store_bounds(s);
    r = s->spool ? calloc(1, sizeof(*r)) : NULL;
    if (!r)
        return; /* a folder that is missing is made when it is written to */
    r->job = (struct job){NULL, rename_work, rename_after, NULL};
    r->store = s;
    memcpy(r->slot, s->slot, sizeof(r->slot));
    jobs_add(s->jobs, &r->job);
}

/* --- life --- */

static void on_tick(uv_timer_t *t)
{
    struct store *s = t->data;

    MAGIC_CHECK(s, STORE_MAGIC);
    s->started = true;
    store_bounds(s);
    store_write_queue(s);
    if (s->trouble[0]) {
        if (store_now_ms() >= s->retry_ms)
            store_write_flush(s);
    } else {
        store_remove_queue(s);
    }
}

/* Mistakes in the configuration, or of rights: no waiting mends them. */
static bool is_for_people(int r)
{
    return r == -EACCES || r == -EPERM || r == -ENOTDIR || r == -ELOOP || r == -ENAMETOOLONG ||
           r == -EINVAL;
}

/* The one before us may still be ending: a guard that was killed leaves its sidecar for a moment,
 * and until the folders are ours, profiles would be in memory only. */
static int open_folders(struct store *s, struct err *why)
{
    int r = disk_open(&s->disk, why);

    for (int ms = 0; r == -EBUSY && ms < STORE_LOCK_WAIT_MS; ms += STORE_LOCK_LOOK_MS) {
        (void)poll(NULL, 0, STORE_LOCK_LOOK_MS);
        r = disk_open(&s->disk, why);
    }
    return r;
}

static int open_disk(struct store *s, struct err *e)
{
    struct err why = {0};
    int r = open_folders(s, &why);

    if (r == 0 && s->spool) {
        r = disk_folders(&s->disk, adopt_folder, s);
        disk_slots(&s->disk, s->slot);
        if (r == 0)
            r = disk_open(&s->disk, &why);
        if (r == 0)
            r = store_scan_now(s);
    }
    if (r && is_for_people(r))
        return err_set(e, r, "%s", why.text[0] ? why.text : strerror(-r));
    if (r)
        store_troubled(s, why.text[0] ? why.text : strerror(-r), 0);
    return 0;
}

static void free_handle(uv_handle_t *h)
{
    free(h->data);
}

static int open_handles(struct store *s)
{
    s->handles = calloc(1, sizeof(*s->handles));
    s->jobs = jobs_new(s->loop);
    s->format = format_new();
    if (!s->handles || !s->jobs || !s->format)
        return -ENOMEM;
    (void)uv_timer_init(s->loop, &s->handles->tick); /* always 0 */
    s->handles->tick.data = s;
    (void)uv_timer_start(&s->handles->tick, on_tick, 0, STORE_TICK_MS);
    uv_unref((uv_handle_t *)&s->handles->tick); /* alone it keeps no loop turning */
    return 0;
}

int store_open(uv_loop_t *loop, const struct config *c, struct store **ret, struct err *e)
{
    struct store *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return err_set(e, -ENOMEM, "out of memory");
    s->magic = STORE_MAGIC;
    s->loop = loop;
    s->put_end = &s->put;
    s->spool = c->spool.dir[0];
    s->history = c->history.dir[0];
    (void)snprintf(s->spool_dir, sizeof(s->spool_dir), "%s", c->spool.dir);
    disk_init(&s->disk, c->spool.dir, c->history.dir);
    take_config(s, c);
    disk_slots(&s->disk, s->slot);
    r = open_handles(s) ? err_set(e, -ENOMEM, "out of memory") : open_disk(s, e);
    if (r) {
        store_close(s);
        return r;
    }
    store_bounds(s);
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    MAGIC_CHECK(s, STORE_MAGIC);
    jobs_free(s->jobs);
    store_remove_last(s);
    store_write_release(s);
    for (size_t i = 0; i < s->index.count; i++)
        store_packed_unref(s->index.entry[i].memory);
    index_release(&s->index);
    format_free(s->format);
    disk_close(&s->disk);
    if (s->handles) {
        s->handles->tick.data = s->handles;
        (void)uv_timer_stop(&s->handles->tick);
        uv_close((uv_handle_t *)&s->handles->tick, free_handle);
    }
    s->magic = 0;
    free(s);
}

/* --- questions --- */

bool store_oldest(const struct store *s, uint32_t backend, uint64_t after, struct store_entry *ret)
{
    int slot = slot_of(s, backend);
    struct index *ix = (struct index *)(uintptr_t)&s->index; /* its hints are no content */
    const struct index_entry *e = slot < 0 ? NULL : index_oldest(ix, (unsigned)slot, after);

    if (!e)
        return false;
    memset(ret, 0, sizeof(*ret));
    ret->handle = e->handle;
    ret->time_ns = e->key.time_ns;
    ret->age_ms = (uint64_t)((int64_t)store_now_ms() - e->born_ms);
    ret->bytes = e->bytes;
    memcpy(ret->type, s->types.name[e->key.type], sizeof(ret->type));
    key_id(&e->key, ret->id);
    return true;
}

uint64_t store_waiting(const struct store *s, uint32_t backend, uint64_t *ret_bytes)
{
    int slot = slot_of(s, backend);

    if (ret_bytes)
        *ret_bytes = slot < 0 ? 0 : s->index.slot_bytes[slot];
    return slot < 0 ? 0 : s->index.slot_count[slot];
}

static void end(struct store *s, uint32_t backend, uint64_t handle, enum store_reason reason)
{
    int slot = slot_of(s, backend);
    struct index_entry *e = slot < 0 ? NULL : index_find(&s->index, handle);

    if (e)
        store_let_go(s, e, 1u << slot, reason);
}

void store_done(struct store *s, uint32_t backend, uint64_t handle)
{
    end(s, backend, handle, STORE_REASONS);
}

void store_drop(struct store *s, uint32_t backend, uint64_t handle, enum store_reason reason)
{
    end(s, backend, handle, reason);
}

void store_on_news(struct store *s, void (*fn)(void *ctx), void *ctx)
{
    s->news = fn;
    s->news_ctx = ctx;
}

uv_loop_t *store_loop(const struct store *s)
{
    return s->loop;
}

uint64_t store_history_lost(const struct store *s)
{
    return s->history_lost;
}

void store_on_kept(struct store *s,
                   void (*fn)(void *ctx, const struct key *k, const char *type, uint64_t bytes),
                   void *ctx)
{
    s->kept = fn;
    s->kept_ctx = ctx;
}

void store_counts(const struct store *s, struct store_counts *ret)
{
    memset(ret, 0, sizeof(*ret));
    (void)snprintf(ret->state, sizeof(ret->state), "off");
    if (!s)
        return;
    ret->bytes = s->index.bytes;
    ret->profiles = s->index.profiles;
    memcpy(ret->dropped, s->dropped, sizeof(ret->dropped));
    for (size_t i = s->index.first; i < s->index.count; i++)
        ret->in_memory += s->index.entry[i].memory && !s->index.entry[i].on_disk;
    ret->written = s->written;
    ret->write_errors = s->write_errors;
    if (s->trouble[0])
        (void)snprintf(ret->state, sizeof(ret->state), "degraded: %s", s->trouble);
    else
        (void)snprintf(ret->state, sizeof(ret->state), "%s",
                       s->spool || s->backends == 0 ? "ok"
                                                    : "in memory only: spool.dir is not set");
}
