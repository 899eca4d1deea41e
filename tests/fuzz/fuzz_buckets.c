/*
 * A runtime's profile buckets, threads and counters: the input is the target's memory at 0x10000,
 * zero up to the end of its last page. Its first bytes say what is looked at, and one byte that is
 * another one from a certain read on, as memory is that goes on living:
 *
 *	0 layout  1 what: buckets of memory, block, mutex; threads; counters  2 read  3 change  4-6
 *where 8 list of buckets  16 cycle  24 allm  32 allp  56 allgs  128 sched  1024 gcController 4096
 *memstats
 */
#include <assert.h>
#include <errno.h>
#include <math.h>

#include "base/clock.h"
#include "sampler/go/buckets.h"
#include "sampler/go/stats.h"

#define BASE UINT64_C(0x10000)

enum {
    PAGE = 4096,
    HEADER_BYTES = 8,
    BUDGET_BYTES = 64 * 1024 * 1024,
};

struct memory {
    uint8_t *data;
    size_t bytes; /* whole pages */
    unsigned reads, change_at;
    uint8_t change;
    size_t where;
};

static void live(struct memory *m)
{
    if (++m->reads == m->change_at && m->where < m->bytes)
        m->data[m->where] ^= m->change;
}

static int copy(const struct memory *m, uint64_t address, void *out, size_t bytes)
{
    if (address < BASE || bytes > m->bytes || address - BASE > m->bytes - bytes)
        return -EFAULT;
    memcpy(out, m->data + (address - BASE), bytes);
    return 0;
}

static int memory_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    live(ctx);
    return copy(ctx, address, out, bytes);
}

static int memory_readv(void *ctx, struct target_range *ranges, size_t count)
{
    live(ctx);
    for (size_t i = 0; i < count; i++)
        ranges[i].got =
            copy(ctx, ranges[i].address, ranges[i].out, ranges[i].bytes) ? 0 : ranges[i].bytes;
    return 0;
}

/* No bucket comes out that no runtime could have. */
static int each(void *ctx, const struct bucket *b)
{
    uint64_t *sum = ctx;

    assert(b->depth <= BUCKETS_DEPTH_MAX);
    assert(b->allocs >= 0 && b->frees >= 0 && b->frees <= b->allocs);
    assert(b->alloc_bytes >= 0 && b->free_bytes >= 0 && b->free_bytes <= b->alloc_bytes);
    assert(isfinite(b->count) && b->count >= 0 && b->cycles >= 0);
    for (uint32_t i = 0; i < b->depth; i++)
        *sum += b->pcs[i];
    return 0;
}

static int each_thread(void *ctx, uint32_t tid, const uint64_t *pcs, uint32_t depth)
{
    uint64_t *sum = ctx;

    for (uint32_t i = 0; i < depth; i++)
        *sum += pcs[i] + tid;
    return 0;
}

static void look(struct go_runtime *rt, unsigned what)
{
    struct go_budget b = {.deadline_ns = UINT64_MAX, .bytes_left = BUDGET_BYTES};
    struct go_stats s = {0};
    struct err e = {0};
    uint64_t sum = 0;
    int r;

    switch (what % 5) {
    case 3:
        r = buckets_threads(rt, &b, each_thread, &sum, &e);
        break;
    case 4:
        r = go_stats_read(rt, &s, &e);
        assert(r != 0 || !(s.has & GO_STATS_BIT(goroutines)) || s.goroutines > 0);
        break;
    default:
        r = buckets_read(rt, (enum buckets_kind)(what % 5 + 1), &b, each, &sum, NULL, &e);
        break;
    }
    assert((r == 0) == (e.text[0] == '\0')); /* each refusal has a reason */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct target_ops ops = {.read = memory_read, .readv = memory_readv};
    struct memory m = {.bytes = (size + PAGE - 1) / PAGE * PAGE};
    struct target target = {.ops = &ops, .ctx = &m};
    struct go_runtime rt = {
        .target = &target,
        .certain = true,
        .mbuckets = BASE + 8,
        .bbuckets = BASE + 8,
        .xbuckets = BASE + 8,
        .mprof_cycle = BASE + 16,
        .allm = BASE + 24,
        .allp = BASE + 32,
        .allgs = BASE + 56,
        .sched = BASE + 128,
        .gc_controller = BASE + 1024,
        .memstats = BASE + 4096,
    };

    if (size < HEADER_BYTES)
        return 0;
    m.data = calloc(1, m.bytes);
    if (!m.data)
        return 0;
    memcpy(m.data, data, size);
    rt.layout = &go_layout_table[data[0] % go_layout_count];
    m.change_at = data[2];
    m.change = data[3];
    m.where = (size_t)data[4] | (size_t)data[5] << 8 | (size_t)data[6] << 16;
    look(&rt, data[1]);
    free(m.data);
    return 0;
}
