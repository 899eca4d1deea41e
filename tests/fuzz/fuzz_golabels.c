/*
 * Label sets: the input is the target's memory at 0x10000, where g.labels points. Its first byte
 * chooses the shape (a map before Go 1.24, a list since), and is part of the memory all the same.
 */
#include <assert.h>
#include <errno.h>

#include "sampler/go/labelset.h"

#define BASE UINT64_C(0x10000)

struct memory {
    const uint8_t *data;
    size_t bytes;
};

static int memory_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    const struct memory *m = ctx;

    if (address < BASE || bytes > m->bytes || address - BASE > m->bytes - bytes)
        return -EFAULT;
    memcpy(out, m->data + (address - BASE), bytes);
    return 0;
}

static int memory_readv(void *ctx, struct target_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ranges[i].got = memory_read(ctx, ranges[i].address, ranges[i].out, ranges[i].bytes)
                            ? 0
                            : ranges[i].bytes;
    return 0;
}

/* Keys and values in pairs, each with its NUL, within the limits. */
static void check(const uint8_t *set, size_t bytes)
{
    size_t strings = 0;

    for (size_t at = 0; at < bytes; strings++) {
        const uint8_t *end = memchr(set + at, '\0', bytes - at);

        assert(end);
        assert((size_t)(end - set) - at <= LABELS_VALUE_MAX_BYTES);
        at = (size_t)(end - set) + 1;
    }
    assert(strings % 2 == 0 && strings <= 2 * LABELS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct target_ops ops = {.read = memory_read, .readv = memory_readv};
    struct memory m = {data, size};
    struct target target = {.ops = &ops, .ctx = &m};
    struct labelset *s;
    const void *set = NULL, *again = NULL;
    size_t bytes = 0, again_bytes = 0;
    int r;

    if (size == 0)
        return 0;
    if (labelset_new(&target, go_layout_find(data[0] & 8 ? "go1.26.8" : "go1.22.12"), &s) != 0)
        return 0;
    r = labelset_read(s, BASE, NULL, &set, &bytes);
    if (r == 0)
        check(set, bytes);
    /* What was remembered says the same. */
    assert(labelset_read(s, BASE, NULL, &again, &again_bytes) == r);
    assert(r != 0 || (again_bytes == bytes && memcmp(set, again, bytes) == 0));
    labelset_free(s);
    return 0;
}
