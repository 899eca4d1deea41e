#include "sampler/source.h"

#include <errno.h>

static int source_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    struct source *s = ctx;
    unsigned char *p = out;

    while (bytes > 0) {
        size_t n = bytes < WIRE_ARENA_BYTES ? bytes : WIRE_ARENA_BYTES;
        int r = ask_guard_copy(s->guard, s->generation, address, p, n);

        if (r)
            return r;
        p += n;
        address += n;
        bytes -= n;
    }
    return 0;
}

/* One packet's worth: as many ranges as the arena and the packet hold. */
static int read_some(struct source *s, struct target_range *ranges, size_t count)
{
    struct wire_range wire[WIRE_READ_MAX_RANGES];
    uint32_t got[WIRE_READ_MAX_RANGES];
    size_t at = 0;
    int r;

    if (count == 0 || count > WIRE_READ_MAX_RANGES)
        return -EMSGSIZE;
    for (size_t i = 0; i < count; i++)
        wire[i] = (struct wire_range){ranges[i].address, ranges[i].bytes, 0};
    r = ask_guard_read(s->guard, s->generation, wire, count, got);
    if (r)
        return r;
    for (size_t i = 0; i < count; i++) {
        memcpy(ranges[i].out, s->guard->arena + at, got[i]);
        ranges[i].got = got[i];
        at += ((size_t)ranges[i].bytes + 7) & ~(size_t)7;
    }
    return 0;
}

static int source_readv(void *ctx, struct target_range *ranges, size_t count)
{
    struct source *s = ctx;

    while (count > 0) {
        size_t bytes = 0;
        size_t n = 0;
        int r;

        while (n < count && n < WIRE_READ_MAX_RANGES) {
            size_t more = ((size_t)ranges[n].bytes + 7) & ~(size_t)7;

            if (bytes + more > WIRE_ARENA_BYTES)
                break;
            bytes += more;
            n++;
        }
        r = read_some(s, ranges, n);
        if (r)
            return r;
        ranges += n;
        count -= n;
    }
    return 0;
}

static int source_open(void *ctx, uint64_t start, uint64_t inode)
{
    struct source *s = ctx;
    int fd;
    int r = ask_guard_file(s->guard, s->generation, start, inode, &fd);

    return r ? r : fd;
}

void source_init(struct source *s, struct ask_guard *guard, uint32_t generation)
{
    static const struct target_ops ops = {source_read, source_readv, source_open};

    *s = (struct source){.guard = guard, .generation = generation};
    s->target.ops = &ops;
    s->target.ctx = s;
}
