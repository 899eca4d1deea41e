#include "sampler/perf/ring.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    RING_PAGES_MAX = 4096,
};

/*
 * The control page is shared with the kernel and the guard. Of it only data_head is read; where
 * the data stand and how many there are is known from what was mapped (data_offset has been the
 * page size ever since there is one), and how far we read is known here, not from data_tail.
 */
struct ring {
    int fd;
    int hup;
    size_t map_bytes;
    size_t data_bytes; /* a power of two */
    struct perf_event_mmap_page *control;
    const uint8_t *data;
    uint64_t tail;                          /* bytes read since the ring was made */
    uint64_t wrapped[RECORD_MAX_BYTES / 8]; /* a record that goes over the end, put together */
};

int ring_open(int fd, uint32_t data_pages, struct ring **ret)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct ring *r = NULL;
    void *map;
    int e;

    if (fd < 0 || data_pages == 0 || data_pages > RING_PAGES_MAX ||
        (data_pages & (data_pages - 1)) != 0) {
        e = -EINVAL;
        goto out;
    }
    r = malloc(sizeof(*r));
    if (!r) {
        e = -ENOMEM;
        goto out;
    }
    r->map_bytes = (data_pages + (size_t)1) * page;
    map = mmap(NULL, r->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        e = -errno;
        goto out;
    }
    r->fd = fd;
    r->hup = 0;
    r->data_bytes = data_pages * page;
    r->control = map;
    r->data = (const uint8_t *)map + page;
    r->tail = 0; /* a new ring: nobody has read before us */
    *ret = r;
    return 0;
out:
    free(r);
    if (fd >= 0)
        (void)close(fd);
    return e;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    (void)munmap(r->control, r->map_bytes);
    (void)close(r->fd);
    free(r);
}

int ring_fd(const struct ring *r)
{
    return r->fd;
}

void ring_set_hup(struct ring *r)
{
    r->hup = 1;
}

int ring_is_hup(const struct ring *r)
{
    return r->hup;
}

/*
 * The record at the tail: in place, or put together when it goes over the end. A position is a
 * multiple of 8 and so is the ring's size, so a header never goes over the end. NULL: broken.
 */
static const void *record_at_tail(struct ring *r, uint64_t head, size_t *ret_bytes)
{
    size_t at = (size_t)(r->tail & (r->data_bytes - 1));
    struct perf_event_header header;
    size_t first;

    memcpy(&header, r->data + at, sizeof(header));
    if (header.size < sizeof(header) || header.size % 8 != 0 || header.size > head - r->tail)
        return NULL;
    *ret_bytes = header.size;
    first = r->data_bytes - at;
    if (header.size <= first)
        return r->data + at;
    memcpy(r->wrapped, r->data + at, first);
    memcpy((uint8_t *)r->wrapped + first, r->data, header.size - first);
    return r->wrapped;
}

/* Pairs with the barriers in kernel/events/ring_buffer.c, perf_output_put_handle(). */
static void publish_tail(struct ring *r)
{
    __atomic_store_n(&r->control->data_tail, r->tail, __ATOMIC_RELEASE);
}

int ring_read(struct ring *r, const struct record_shape *shape,
              int (*each)(void *ctx, const struct record *rec), void *ctx, size_t max_records,
              uint64_t *ret_bad)
{
    uint64_t head = __atomic_load_n(&r->control->data_head, __ATOMIC_ACQUIRE);
    size_t count = 0;
    int stop = 0;

    if (max_records > INT32_MAX)
        max_records = INT32_MAX;
    /* unsigned: a head behind the tail is also a distance larger than the ring */
    if (head - r->tail > r->data_bytes || head % 8 != 0)
        goto broken;
    while (r->tail != head && count < max_records && !stop) {
        struct record rec;
        size_t bytes;
        const void *data = record_at_tail(r, head, &bytes);

        if (!data)
            goto broken;
        if (record_parse(data, bytes, shape, &rec) == 0)
            stop = each(ctx, &rec);
        else
            ++*ret_bad;
        r->tail += bytes;
        count++;
    }
    publish_tail(r);
    return (int)count;
broken:
    r->tail = head & ~UINT64_C(7);
    publish_tail(r);
    return -EBADMSG;
}
