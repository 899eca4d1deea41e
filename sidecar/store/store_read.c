/*
 * store_fetch(): one file, or what stands for it in memory, unpacked in the pool. A bad one is set
 * aside by the job that found it, so that it is looked at once.
 */
#include <errno.h>

#include "base/log.h"
#include "base/magic.h"
#include "sidecar/store/store_priv.h"

struct fetch {
    struct job job;
    struct store *store;
    struct fetch *next, **link; /* among the store's open ones */
    uint64_t handle;
    unsigned slot;
    struct key key;
    char name[KEY_NAME_BYTES];
    struct packed *packed; /* NULL: on disk */
    store_came then;       /* NULL: forgotten */
    void *data;
    struct buf raw;
    struct store_read read;
};

static int unpack(struct fetch *f, const void *data, size_t bytes)
{
    struct store *s = f->store;
    int r = format_unpack(s->format, data, bytes, &f->read.item, &f->raw, &f->read.why);

    if (r == 0 && !key_is_of(&s->types, &f->key, &f->read.item)) {
        buf_release(&f->raw);
        f->read.why = "the file is not the profile that its name tells";
        r = -EBADMSG;
    }
    return r;
}

static void fetch_work(struct job *j)
{
    struct fetch *f = (struct fetch *)j;
    struct disk *d = &f->store->disk;
    int folder = d->slot_fd[f->slot];
    struct buf file;
    int r;

    if (f->packed) {
        f->read.result = unpack(f, f->packed->data, f->packed->bytes);
        return;
    }
    r = disk_read(folder, f->name, FORMAT_FILE_MAX_BYTES, &file);
    if (r == -EBADMSG)
        f->read.why = "it is no plain file, empty, cut, or too long";
    if (r == 0)
        r = unpack(f, file.data, file.len);
    buf_release(&file);
    if (r == -EBADMSG)
        disk_set_aside(d, folder, f->name);
    f->read.result = r;
}

/* It is neither what was written nor will it ever be. */
static void lose(struct store *s, struct fetch *f)
{
    struct index_entry *e = index_find(&s->index, f->handle);

    log_warn("a waiting profile is lost", LOG_STR("file", f->name),
             LOG_STR("folder", s->slot[f->slot]),
             LOG_STR("why", f->read.why ? f->read.why : strerror(-f->read.result)));
    if (e)
        store_let_go(s, e, 1u << f->slot, STORE_DROP_BAD);
}

static void fetch_after(struct job *j, bool canceled)
{
    struct fetch *f = (struct fetch *)j;
    struct store *s = f->store;

    MAGIC_CHECK(s, STORE_MAGIC);
    *f->link = f->next;
    if (f->next)
        f->next->link = f->link;
    s->fetching--;
    if (canceled) {
        f->read.result = -ECANCELED;
        f->read.why = "shutting down";
    }
    if (f->read.result == -EBADMSG || f->read.result == -ENOENT)
        lose(s, f);
    if (f->read.result && !f->read.why)
        f->read.why = strerror(-f->read.result);
    f->read.raw = f->read.result ? NULL : &f->raw;
    if (f->then)
        f->then(f->data, &f->read);
    buf_release(&f->raw);
    store_packed_unref(f->packed);
    free(f);
}

int store_fetch(struct store *s, uint32_t backend, uint64_t handle, store_came then, void *data)
{
    int slot = backend < s->backends ? s->backend_slot[backend] : -1;
    const struct index_entry *e = slot < 0 ? NULL : index_find(&s->index, handle);
    struct fetch *f;

    MAGIC_CHECK(s, STORE_MAGIC);
    if (!e || !(e->mask & 1u << slot))
        return -ENOENT;
    if (s->puts + s->fetching >= STORE_JOBS_MAX || !s->started)
        return -EBUSY;
    f = calloc(1, sizeof(*f));
    if (!f)
        return -EBUSY;
    f->job = (struct job){NULL, fetch_work, fetch_after, NULL};
    f->store = s;
    f->handle = handle;
    f->slot = (unsigned)slot;
    f->key = e->key;
    key_print(&s->types, &f->key, false, f->name);
    f->packed = e->on_disk ? NULL : e->memory;
    if (f->packed)
        f->packed->refs++;
    f->then = then;
    f->data = data;
    f->next = s->fetches;
    f->link = &s->fetches;
    if (f->next)
        f->next->link = &f->next;
    s->fetches = f;
    s->fetching++;
    jobs_add(s->jobs, &f->job);
    return 0;
}

void store_forget(struct store *s, const void *data)
{
    MAGIC_CHECK(s, STORE_MAGIC);
    store_write_forget(s, data);
    for (struct fetch *f = s->fetches; f; f = f->next)
        f->then = f->data == data ? NULL : f->then;
}
