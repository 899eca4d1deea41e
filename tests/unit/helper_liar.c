#include "tests/unit/helper_liar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum {
    BATCH = 1024, /* UIO_MAXIOV */
};

/* Puts the lies over what was read. */
static void lie(struct helper_liar *l, const struct target_range *t)
{
    unsigned char *out = t->out;

    for (size_t i = 0; i < l->lie_count; i++) {
        struct helper_lie *x = &l->lies[i];
        uint64_t from = x->address > t->address ? x->address : t->address;
        uint64_t x_end = x->address + x->bytes, t_end = t->address + t->got;
        uint64_t to = x_end < t_end ? x_end : t_end;

        if (from >= to)
            continue;
        memcpy(out + (from - t->address), x->data + (from - x->address), to - from);
        if (x->changes)
            x->data[0]++;
    }
}

static void batch(const struct helper_liar *l, struct target_range *t, size_t count)
{
    struct iovec local[BATCH], remote[BATCH];
    size_t at = 0;

    while (at < count) {
        size_t n = count - at < BATCH ? count - at : BATCH, k = 0;
        ssize_t got;

        for (size_t i = 0; i < n; i++) {
            local[i] = (struct iovec){t[at + i].out, t[at + i].bytes};
            remote[i] = (struct iovec){(void *)(uintptr_t)t[at + i].address, t[at + i].bytes};
        }
        got = process_vm_readv(l->pid, local, n, remote, n, 0);
        if (got < 0)
            got = 0;
        for (; k < n && (size_t)got >= t[at + k].bytes; k++) {
            t[at + k].got = t[at + k].bytes;
            got -= t[at + k].bytes;
        }
        if (k < n)
            t[at + k++].got = (uint32_t)got; /* a bad range: the others get their own go */
        at += k;
    }
}

static int liar_readv(void *ctx, struct target_range *ranges, size_t count)
{
    struct helper_liar *l = ctx;

    l->calls++;
    if (l->end_with && l->calls >= l->end_at)
        return l->end_with;
    batch(l, ranges, count);
    for (size_t i = 0; i < count; i++) {
        l->reads++;
        if (l->gone_from && l->reads >= l->gone_from)
            ranges[i].got = 0;
        lie(l, &ranges[i]);
    }
    return 0;
}

static int liar_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    struct target_range t = {address, out, (uint32_t)bytes, 0};
    int r = liar_readv(ctx, &t, 1);

    return r != 0 ? r : t.got == bytes ? 0 : -EFAULT;
}

static int liar_open(void *ctx, uint64_t start, uint64_t inode)
{
    (void)ctx;
    (void)start;
    (void)inode;
    return -ENOENT;
}

void helper_liar_init(struct helper_liar *l, pid_t pid)
{
    static const struct target_ops ops = {liar_read, liar_readv, liar_open};

    memset(l, 0, sizeof(*l));
    l->pid = pid;
    l->target = (struct target){&ops, l};
}

struct helper_lie *helper_liar_put(struct helper_liar *l, uint64_t address, const void *data,
                                   size_t bytes)
{
    struct helper_lie *x;

    if (l->lie_count == HELPER_LIAR_LIES || bytes > HELPER_LIAR_BYTES)
        abort();
    x = &l->lies[l->lie_count++];
    *x = (struct helper_lie){.address = address, .bytes = (uint32_t)bytes};
    memcpy(x->data, data, bytes);
    return x;
}

void helper_liar_put64(struct helper_liar *l, uint64_t address, uint64_t value)
{
    (void)helper_liar_put(l, address, &value, sizeof(value));
}

void helper_liar_clear(struct helper_liar *l)
{
    l->lie_count = 0;
    l->reads = l->calls = 0;
    l->gone_from = l->end_at = 0;
    l->end_with = 0;
}

uint64_t helper_liar_word(struct helper_liar *l, uint64_t address)
{
    uint64_t v = 0;

    return liar_read(l, address, &v, sizeof(v)) == 0 ? v : 0;
}
