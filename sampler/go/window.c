/*
 * Direct mapped, for lists are walked in one direction: a block is needed again only by the bucket
 * that reaches into the next one.
 */
#include "sampler/go/window.h"

#include <errno.h>

enum {
    BLOCK_BYTES = WINDOW_BLOCK_PAGES * WINDOW_PAGE_BYTES,
};

/* There is no block at 0: user memory begins above it (vm.mmap_min_addr). */
struct block {
    uint64_t start; /* 0: free */
    uint32_t pages; /* a bit each: what could be read */
    unsigned char data[BLOCK_BYTES];
};

struct window {
    const struct target *target;
    struct go_budget *budget;
    struct block blocks[WINDOW_BLOCKS]; /* by block number, modulo */
};

int window_new(const struct target *target, struct go_budget *budget, struct window **ret)
{
    struct window *w = calloc(1, sizeof(*w));

    if (!w)
        return -ENOMEM;
    w->target = target;
    w->budget = budget;
    *ret = w;
    return 0;
}

void window_free(struct window *w)
{
    free(w);
}

void window_forget(struct window *w)
{
    for (size_t i = 0; i < WINDOW_BLOCKS; i++)
        w->blocks[i].start = 0;
}

/* The budget says only that it is over; who asked for the profile wants to know whether it was
 * himself. */
static int budget_code(const struct go_budget *b)
{
    return b->cancelled && b->cancelled(b->ctx) ? -ECANCELED : -ETIMEDOUT;
}

/* Each page is a range of its own: one that is not mapped leaves the others readable. */
static int fetch(struct window *w, struct block *b, uint64_t start)
{
    struct target_range ranges[WINDOW_BLOCK_PAGES];
    int r;

    if (!budget_spend(w->budget, BLOCK_BYTES))
        return budget_code(w->budget);
    for (uint32_t i = 0; i < WINDOW_BLOCK_PAGES; i++) {
        uint32_t at = i * WINDOW_PAGE_BYTES;

        ranges[i] = (struct target_range){start + at, b->data + at, WINDOW_PAGE_BYTES, 0};
    }
    b->start = 0; /* until all of it is here */
    b->pages = 0;
    r = w->target->ops->readv(w->target->ctx, ranges, WINDOW_BLOCK_PAGES);
    if (r != 0)
        return r;
    for (uint32_t i = 0; i < WINDOW_BLOCK_PAGES; i++) {
        if (ranges[i].got == WINDOW_PAGE_BYTES)
            b->pages |= 1U << i;
    }
    b->start = start;
    return 0;
}

/* The block of an address, read when it is not here. */
static int block_of(struct window *w, uint64_t address, struct block **ret)
{
    uint64_t start = address - address % BLOCK_BYTES;
    struct block *b = &w->blocks[start / BLOCK_BYTES % WINDOW_BLOCKS];
    int r;

    if (start == 0)
        return -EFAULT;
    if (b->start != start) {
        r = fetch(w, b, start);
        if (r != 0)
            return r;
    }
    *ret = b;
    return 0;
}

/* Page by page: what is asked for may begin in one that is mapped and end in one that is not. */
int window_read(struct window *w, uint64_t address, void *out, size_t bytes)
{
    unsigned char *to = out;

    if (address > UINT64_MAX - BLOCK_BYTES - bytes)
        return -EFAULT;
    while (bytes > 0) {
        uint64_t in_page = address % WINDOW_PAGE_BYTES;
        size_t n = WINDOW_PAGE_BYTES - in_page < bytes ? WINDOW_PAGE_BYTES - in_page : bytes;
        struct block *b;
        int r = block_of(w, address, &b);

        if (r != 0)
            return r;
        if (!(b->pages & 1U << address % BLOCK_BYTES / WINDOW_PAGE_BYTES))
            return -EFAULT;
        memcpy(to, b->data + address % BLOCK_BYTES, n);
        to += n;
        address += n;
        bytes -= n;
    }
    return 0;
}
