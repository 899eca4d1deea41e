/*
 * What lies in the folders: names and sizes, nothing is opened. At the start it is what waits; when
 * the folders were replaced under us it tells which of the profiles we know are gone.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "sidecar/store/store_priv.h"

/* One file; key first, for key_compare(). */
struct found {
    struct key key;
    uint64_t handle; /* of a known one, when lists are compared */
    uint32_t bytes, mask;
};

struct scan {
    struct job job;
    struct store *store;
    struct key_types types; /* its own: the store's belong to the loop's thread */
    struct found *list;
    size_t count, cap;
    unsigned slot; /* of the folder that is looked at */
    uint64_t bad;
    int result;
};

static int add(struct scan *n, const struct found *f)
{
    if (n->count == n->cap) {
        size_t cap = n->cap ? n->cap * 2 : 1024;
        struct found *p = reallocarray(n->list, cap, sizeof(*p));

        if (!p)
            return -ENOMEM;
        n->list = p;
        n->cap = cap;
    }
    n->list[n->count++] = *f;
    return 0;
}

static int look(void *ctx, const char *name, int64_t bytes)
{
    struct scan *n = ctx;
    struct disk *d = &n->store->disk;
    struct found f = {.mask = 1u << n->slot};

    if (bytes <= FORMAT_HEAD_BYTES || bytes > FORMAT_FILE_MAX_BYTES ||
        key_parse(&n->types, name, false, &f.key)) {
        disk_set_aside(d, d->slot_fd[n->slot], name);
        n->bad++;
        return 0;
    }
    f.bytes = (uint32_t)bytes;
    return add(n, &f);
}

/* The same name in several folders is one profile. */
static void unite(struct scan *n)
{
    size_t to = 0;

    if (n->count)
        qsort(n->list, n->count, sizeof(*n->list), key_compare);
    for (size_t i = 0; i < n->count; i++) {
        if (to && key_compare(&n->list[to - 1], &n->list[i]) == 0)
            n->list[to - 1].mask |= n->list[i].mask;
        else
            n->list[to++] = n->list[i];
    }
    n->count = to;
}

static void scan_work(struct job *j)
{
    struct scan *n = (struct scan *)j;
    struct disk *d = &n->store->disk;

    for (n->slot = 0; n->slot < INDEX_SLOTS_MAX && n->result == 0; n->slot++) {
        if (d->slot_fd[n->slot] >= 0)
            n->result = disk_list(d->slot_fd[n->slot], look, n);
    }
    unite(n);
}

/* --- what we know and what there is --- */

/* All that should lie on the disk, sorted like what was found. NULL with *ret_count 0: none. */
static struct found *known_ones(const struct store *s, size_t *ret_count)
{
    size_t n = 0;
    struct found *list = calloc(s->index.count ? s->index.count : 1, sizeof(*list));

    for (size_t i = 0; list && i < s->index.count; i++) {
        const struct index_entry *e = &s->index.entry[i];

        if (e->on_disk && e->mask)
            list[n++] = (struct found){e->key, e->handle, e->bytes, e->mask};
    }
    if (n)
        qsort(list, n, sizeof(*list), key_compare);
    *ret_count = n;
    return list;
}

static void lose(struct store *s, uint64_t handle, uint32_t mask)
{
    struct index_entry *e = mask ? index_find(&s->index, handle) : NULL;

    if (e)
        store_let_go(s, e, mask, STORE_DROP_BAD);
}

/* Age is real time here, and monotonic from here on. A file of the future is new. */
static int64_t born(const struct key *k)
{
    int64_t age_ns = (int64_t)clock_real_ns() - k->time_ns;

    return (int64_t)store_now_ms() - (age_ns > 0 ? age_ns / (int64_t)CLOCK_NS_PER_MS : 0);
}

static int adopt(struct store *s, const struct scan *n, const struct found *f)
{
    struct index_entry e = {.key = f->key,
                            .bytes = f->bytes,
                            .mask = f->mask,
                            .on_disk = true,
                            .born_ms = born(&f->key)};
    int r = key_type(&s->types, n->types.name[f->key.type], &e.key.type);

    if (r)
        return r;
    return index_add(&s->index, &e) ? 0 : -ENOMEM;
}

static int compare_removals(const void *a, const void *b)
{
    const struct store_removal *x = a, *y = b;

    return key_compare(&x->key, &y->key);
}

/* What is done but not unlinked yet is no news. */
static void forget_removed(struct store *s, struct scan *n)
{
    if (s->removals)
        qsort(s->removal, s->removals, sizeof(*s->removal), compare_removals);
    for (size_t i = 0; i < n->count && s->removals; i++) {
        const struct store_removal *r =
            bsearch(&n->list[i], s->removal, s->removals, sizeof(*s->removal), compare_removals);

        /* several of one profile lie side by side */
        while (r && r > s->removal && key_compare(&r[-1].key, &n->list[i].key) == 0)
            r--;
        for (; r && r < s->removal + s->removals && key_compare(&r->key, &n->list[i].key) == 0; r++)
            n->list[i].mask &= ~r->mask;
    }
}

static int merge(struct store *s, struct scan *n)
{
    size_t known_count, k = 0;
    struct found *known = known_ones(s, &known_count);
    int r = known ? 0 : -ENOMEM;

    forget_removed(s, n);
    for (size_t i = 0; r == 0 && i <= n->count; i++) {
        const struct found *f = i < n->count ? &n->list[i] : NULL;

        for (; k < known_count && (!f || key_compare(&known[k], f) < 0); k++)
            lose(s, known[k].handle, known[k].mask);
        if (f && k < known_count && key_compare(&known[k], f) == 0) {
            lose(s, known[k].handle, known[k].mask & ~f->mask);
            k++;
        } else if (f && f->mask) {
            r = adopt(s, n, f);
        }
    }
    free(known);
    return r;
}

static void taken(struct store *s, struct scan *n, int r)
{
    uint64_t lost = s->dropped[STORE_DROP_BAD];

    if (r == 0)
        r = merge(s, n);
    lost = s->dropped[STORE_DROP_BAD] - lost;
    s->dropped[STORE_DROP_BAD] += n->bad;
    if (r == 0)
        s->scanned = true;
    if (lost)
        log_warn("waiting profiles are gone from the spool", LOG_U64("profiles", lost));
    if (n->bad)
        log_warn("files in the spool are not ours: set aside", LOG_U64("files", n->bad));
}

int store_scan_now(struct store *s)
{
    struct scan *n = calloc(1, sizeof(*n));
    int r;

    if (!n)
        return -ENOMEM;
    n->store = s;
    scan_work(&n->job);
    r = n->result;
    taken(s, n, r);
    free(n->list);
    free(n);
    return r;
}

static void scan_after(struct job *j, bool canceled)
{
    struct scan *n = (struct scan *)j;
    struct store *s = n->store;

    MAGIC_CHECK(s, STORE_MAGIC);
    s->scan_queued = false;
    if (!canceled) {
        taken(s, n, n->result);
        store_bounds(s);
        if (s->news)
            s->news(s->news_ctx);
    }
    free(n->list);
    free(n);
}

void store_scan_queue(struct store *s)
{
    struct scan *n = s->scan_queued || !s->spool ? NULL : calloc(1, sizeof(*n));

    if (!n)
        return;
    n->job = (struct job){NULL, scan_work, scan_after, NULL};
    n->store = s;
    s->scan_queued = true;
    jobs_add(s->jobs, &n->job);
}
