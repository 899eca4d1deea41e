/*
 * An item is fetched, then packed, then ready; those who wait for it are called at each end. A
 * profile that is sent to four backends is so read and packed once, not four times.
 */
#include "sidecar/forward/hot.h"

#include <errno.h>

#include "base/magic.h"
#include "profile/gzip.h"

enum {
    HOT_MAGIC = 0x484f5449,
    HOT_WHY_BYTES = 128,
};

enum hot_state { HOT_FETCHING, HOT_PACKING, HOT_READY, HOT_FAILED };

struct hot_waiter {
    hot_came then; /* NULL: free */
    void *data;
};

struct hot_item {
    unsigned magic;
    struct hot *owner; /* NULL: it ended before us */
    struct hot_item *next;
    enum hot_state state;
    int result; /* of HOT_FAILED */
    char why[HOT_WHY_BYTES];
    uint32_t refs;
    uint64_t order; /* of last use */
    char id[ITEM_ID_BYTES];
    struct item item;
    struct buf raw, gzip;
    uv_work_t work;
    struct hot_waiter waiters[HOT_WAITERS_MAX];
};

struct hot {
    uv_loop_t *loop;
    struct store *store;
    struct hot_item *first;
    uint64_t next_order;
};

static void item_free(struct hot_item *i)
{
    i->magic = 0;
    buf_release(&i->raw);
    buf_release(&i->gzip);
    free(i);
}

static void unlink_item(struct hot *h, struct hot_item *i)
{
    for (struct hot_item **at = &h->first; *at; at = &(*at)->next) {
        if (*at == i) {
            *at = i->next;
            return;
        }
    }
}

static bool is_spare(const struct hot_item *i)
{
    return i->refs == 0 && (i->state == HOT_READY || i->state == HOT_FAILED);
}

/* Failed and large ones go at once, of the others the least recently used. */
static void tidy(struct hot *h)
{
    for (;;) {
        struct hot_item *oldest = NULL;
        size_t spare = 0;

        for (struct hot_item *i = h->first; i; i = i->next) {
            if (!is_spare(i))
                continue;
            spare++;
            if (i->state == HOT_FAILED || i->raw.len > HOT_KEPT_MAX_BYTES) {
                oldest = i;
                spare = HOT_KEPT_MAX + 1;
                break;
            }
            if (!oldest || i->order < oldest->order)
                oldest = i;
        }
        if (spare <= HOT_KEPT_MAX)
            return;
        unlink_item(h, oldest);
        item_free(oldest);
    }
}

/* Each waiter once; it may ask again, also for another item, from within its callback. */
static void tell(struct hot_item *i)
{
    struct hot_waiter waiters[HOT_WAITERS_MAX];

    memcpy(waiters, i->waiters, sizeof(waiters));
    memset(i->waiters, 0, sizeof(i->waiters));
    i->refs++; /* it must outlive the callbacks */
    for (size_t k = 0; k < HOT_WAITERS_MAX; k++) {
        if (waiters[k].then)
            waiters[k].then(waiters[k].data, i->state == HOT_FAILED ? i->result : 0, i->why);
    }
    hot_put(i);
}

static void fail(struct hot_item *i, int result, const char *why)
{
    i->state = HOT_FAILED;
    i->result = result;
    (void)snprintf(i->why, sizeof(i->why), "%s", why);
    tell(i);
}

/* --- packing, in the pool --- */

static void pack(uv_work_t *work)
{
    struct hot_item *i = work->data;

    i->result = gzip_pack(i->raw.data, i->raw.len, &i->gzip);
}

static void packed(uv_work_t *work, int status)
{
    struct hot_item *i = work->data;
    int r;

    MAGIC_CHECK(i, HOT_MAGIC);
    r = status ? status : i->result;
    if (!i->owner) {
        item_free(i);
        return;
    }
    if (r) {
        fail(i, r, "it cannot be compressed");
        return;
    }
    i->state = HOT_READY;
    tell(i);
}

static void came(void *data, const struct store_read *read)
{
    struct hot_item *i = data;
    int r;

    MAGIC_CHECK(i, HOT_MAGIC);
    if (read->result) {
        fail(i, read->result, read->why ? read->why : "it cannot be read");
        return;
    }
    i->item = read->item;
    i->raw = *read->raw; /* moved: what stays behind is empty */
    buf_init(read->raw, i->raw.max_bytes);
    buf_init(&i->gzip, ITEM_RAW_MAX_BYTES + ITEM_RAW_MAX_BYTES / 1024 + 1024);
    i->state = HOT_PACKING;
    i->work.data = i;
    r = uv_queue_work(i->owner->loop, &i->work, pack, packed);
    if (r)
        fail(i, r, "no thread to compress it");
}

/* --- from outside --- */

struct hot *hot_new(uv_loop_t *loop, struct store *store)
{
    struct hot *h = calloc(1, sizeof(*h));

    if (h) {
        h->loop = loop;
        h->store = store;
    }
    return h;
}

void hot_free(struct hot *h)
{
    if (!h)
        return;
    while (h->first) {
        struct hot_item *i = h->first;

        h->first = i->next;
        store_forget(h->store, i);
        i->owner = NULL;
        memset(i->waiters, 0, sizeof(i->waiters));
        if (i->state == HOT_FETCHING)
            i->state = HOT_FAILED; /* its callback will not come */
        if (is_spare(i))
            item_free(i);
    }
    free(h);
}

static struct hot_item *find(struct hot *h, const char *id)
{
    for (struct hot_item *i = h->first; i; i = i->next) {
        if (i->state != HOT_FAILED && strcmp(i->id, id) == 0)
            return i;
    }
    return NULL;
}

static int wait_for(struct hot_item *i, hot_came then, void *data)
{
    for (size_t k = 0; k < HOT_WAITERS_MAX; k++) {
        if (!i->waiters[k].then) {
            i->waiters[k] = (struct hot_waiter){.then = then, .data = data};
            return -EAGAIN;
        }
    }
    return -EBUSY;
}

int hot_get(struct hot *h, uint32_t backend, const struct store_entry *entry, hot_came then,
            void *data, struct hot_item **ret)
{
    struct hot_item *i = find(h, entry->id);
    int r;

    if (i && i->state == HOT_READY) {
        i->refs++;
        i->order = h->next_order++;
        *ret = i;
        return 0;
    }
    if (i)
        return wait_for(i, then, data);
    i = calloc(1, sizeof(*i));
    if (!i)
        return -ENOMEM;
    i->magic = HOT_MAGIC;
    i->owner = h;
    i->order = h->next_order++;
    (void)snprintf(i->id, sizeof(i->id), "%s", entry->id);
    r = store_fetch(h->store, backend, entry->handle, came, i);
    if (r) {
        item_free(i);
        return r;
    }
    i->next = h->first;
    h->first = i;
    return wait_for(i, then, data);
}

void hot_forget(struct hot *h, const void *data)
{
    for (struct hot_item *i = h->first; i; i = i->next) {
        for (size_t k = 0; k < HOT_WAITERS_MAX; k++) {
            if (i->waiters[k].data == data)
                memset(&i->waiters[k], 0, sizeof(i->waiters[k]));
        }
    }
}

void hot_put(struct hot_item *i)
{
    if (!i)
        return;
    MAGIC_CHECK(i, HOT_MAGIC);
    i->refs--;
    if (i->owner)
        tidy(i->owner);
    else if (is_spare(i))
        item_free(i);
}

void hot_input(const struct hot_item *i, struct backend_input *ret)
{
    *ret = (struct backend_input){
        .item = &i->item,
        .raw = i->raw.data,
        .bytes = i->raw.len,
        .gzip = i->gzip.data,
        .gzip_bytes = i->gzip.len,
    };
}
