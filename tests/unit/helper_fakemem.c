#include "tests/unit/helper_fakemem.h"

#include <errno.h>

enum {
    PAGE = 4096,
};

/* How much of a range is there, as process_vm_readv(2) counts. */
static size_t copy(struct helper_fakemem *m, uint64_t address, unsigned char *out, size_t bytes)
{
    size_t n = 0;

    for (; n < bytes; n++) {
        uint64_t at = address + n;

        if (at < m->base || at - m->base >= m->count || (m->hole && at / PAGE == m->hole / PAGE))
            break;
        out[n] = m->bytes[at - m->base];
    }
    return n;
}

static int read_one(void *ctx, uint64_t address, void *out, size_t bytes)
{
    struct helper_fakemem *m = ctx;

    m->reads++;
    if (m->before)
        m->before(m, m->ctx);
    if (m->fail)
        return m->fail;
    return copy(m, address, out, bytes) == bytes ? 0 : -EFAULT;
}

static int read_many(void *ctx, struct target_range *ranges, size_t count)
{
    struct helper_fakemem *m = ctx;

    m->reads++;
    if (m->before)
        m->before(m, m->ctx);
    for (size_t i = 0; m->fail == 0 && i < count; i++)
        ranges[i].got = (uint32_t)copy(m, ranges[i].address, ranges[i].out, ranges[i].bytes);
    return m->fail;
}

void helper_fakemem_init(struct helper_fakemem *m, uint64_t base, size_t count)
{
    static const struct target_ops ops = {.read = read_one, .readv = read_many};

    *m = (struct helper_fakemem){.base = base, .bytes = calloc(1, count), .count = count};
    m->target = (struct target){.ops = &ops, .ctx = m};
}

void helper_fakemem_release(struct helper_fakemem *m)
{
    free(m->bytes);
    m->bytes = NULL;
}

void helper_fakemem_put(struct helper_fakemem *m, uint64_t address, uint64_t word)
{
    memcpy(m->bytes + (address - m->base), &word, sizeof(word));
}

uint64_t helper_fakemem_get(const struct helper_fakemem *m, uint64_t address)
{
    uint64_t word;

    memcpy(&word, m->bytes + (address - m->base), sizeof(word));
    return word;
}
