/*
 * Goroutines: the input is the target's memory at 0x10000. The first byte chooses the form, the
 * release and whether memory changes while it is read; runtime.allgs is at + 8, waitReasonStrings
 * at + 32. The code is fixed: a few functions that call each other (stub_go_image.h).
 */
#include <assert.h>

#include "base/clock.h"
#include "sampler/goroutine_profile.h"
#include "sampler/goroutine_stacks.h"
#include "tests/unit/stub_go_image.h"

#define BASE  UINT64_C(0x10000)
#define TEXT  UINT64_C(0x401000)
#define ETEXT UINT64_C(0x401900)

enum {
    TEXT_BYTES = 0x900,
    MEMORY_MAX_BYTES = 256 * 1024,
    READ_MAX_BYTES = 4 * 1024 * 1024,
    OUT_MAX_BYTES = 4 * 1024 * 1024,
    CALL = 0xE8,
};

static const struct stub_row rows[] = {
    {0x401000, 0x401100, 0, GO_DELTA_TOP | GO_DELTA_ASM, "runtime.goexit"},
    {0x401100, 0x401200, 24, 0, "main.outer"},
    {0x401200, 0x401300, 8, 0, "main.inner"},
    {0x401300, 0x401400, 56, 0, "runtime.gopark"},
    {0x401400, 0x401500, 0, 0, "runtime.asyncPreempt"},
    {0x401500, 0x401600, 16, GO_DELTA_SPWRITE, "runtime.asmcgocall"},
    {0x401600, 0x401700, 40, 0, "runtime.cgocall"},
    {0x401700, 0x401800, 32, 0, "runtime.runFinalizers"},
    {0x401800, 0x401900, 72, GO_DELTA_SPWRITE, "runtime.cgocallback"},
};

struct memory {
    uint8_t *data;
    size_t bytes;
    uint8_t text[TEXT_BYTES];
    bool changes;
    uint32_t reads;
};

static int memory_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    struct memory *m = ctx;

    if (m->changes && ++m->reads % 5 == 0) /* anywhere, but the same each time */
        m->data[m->reads * 2654435761U % m->bytes]++;
    if (address >= TEXT && address < ETEXT && bytes <= ETEXT - address) {
        memcpy(out, m->text + (address - TEXT), bytes);
        return 0;
    }
    if (address < BASE || bytes > m->bytes || address - BASE > m->bytes - bytes)
        return -EFAULT;
    memcpy(out, m->data + (address - BASE), bytes);
    return 0;
}

static int memory_readv(void *ctx, struct target_range *ranges, size_t count)
{
    assert(count <= 1024);
    for (size_t i = 0; i < count; i++)
        ranges[i].got = memory_read(ctx, ranges[i].address, ranges[i].out, ranges[i].bytes)
                            ? 0
                            : ranges[i].bytes;
    return 0;
}

/* main.outer + 0x10 returns from main.inner, main.inner + 0x10 from runtime.gopark. */
static void put_call(struct memory *m, uint64_t pc, uint64_t to)
{
    uint32_t displacement = (uint32_t)(to - pc);

    m->text[pc - 5 - TEXT] = CALL;
    memcpy(&m->text[pc - 4 - TEXT], &displacement, sizeof(displacement));
}

struct seen {
    uint64_t count;
};

static int check(void *ctx, const struct goroutine *g)
{
    struct seen *s = ctx;

    s->count++;
    assert(g->depth <= GOROUTINES_DEPTH_MAX);
    assert(strlen(g->state) < GOROUTINES_REASON_BYTES + 16);
    for (uint32_t i = 0; i < g->depth; i++) {
        assert(go_image_has(NULL, g->pcs[i]));
        /* a direct call leads to the function above it, unless that was entered without one */
        if (i > 0 && g->pcs[i] == 0x401110 && !g->exact[i])
            assert(g->pcs[i - 1] >= 0x401200 && g->pcs[i - 1] < 0x401300);
    }
    /* whole, or said to be not */
    if (g->depth > 0 && !(g->flags & GOROUTINE_TRUNCATED))
        assert(g->pcs[g->depth - 1] < 0x401100);
    return 0;
}

static struct go_budget budget(void)
{
    return (struct go_budget){.deadline_ns = clock_mono_ns() + 2 * CLOCK_NS_PER_SEC,
                              .bytes_left = READ_MAX_BYTES};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct target_ops ops = {.read = memory_read, .readv = memory_readv};
    struct memory m = {.bytes = size};
    struct target target = {&ops, &m};
    struct go_runtime rt = {.image = &stub_image, .target = &target, .certain = true};
    struct goroutines_counts counts = {0};
    struct go_budget b = budget();
    struct seen seen = {0};
    struct err e = {0};
    struct rope rope;
    struct buf out;

    if (size < 64 || size > MEMORY_MAX_BYTES)
        return 0;
    m.data = malloc(size);
    assert(m.data);
    memcpy(m.data, data, size);
    m.changes = data[0] & 0x20;
    put_call(&m, 0x401110, 0x401200);
    put_call(&m, 0x401210, 0x401300);
    stub_go.text = TEXT;
    stub_go.etext = ETEXT;
    stub_go.rows = rows;
    stub_go.count = sizeof(rows) / sizeof(rows[0]);
    rt.layout = go_layout_find(data[0] & 8 ? "go1.26.8" : "go1.22.12");
    rt.allgs = BASE + 8;
    rt.wait_reasons = BASE + 32;
    if (goroutines_read(&rt, &b, check, &seen, &counts, &e) == 0)
        assert(seen.count == counts.user + counts.system &&
               counts.dead + counts.unreadable + seen.count <= counts.total);
    else
        assert(e.text[0] != '\0');
    b = budget();
    buf_init(&out, OUT_MAX_BYTES);
    (void)goroutine_profile_build(&rt, NULL, (enum goroutine_form)(data[0] % 4),
                                  data[0] & 0x10 ? GOROUTINE_PROFILE_DETAIL : 0, &b, &out, &counts,
                                  &e);
    buf_release(&out);
    b = budget();
    rope_init(&rope, OUT_MAX_BYTES);
    (void)goroutine_stacks_build(&rt, data[0] & 0x10, &b, &rope, &counts, &e);
    rope_release(&rope);
    free(m.data);
    return 0;
}
