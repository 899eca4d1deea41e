#include "sampler/go/gruns.h"

#include <stdlib.h>
#include <string.h>

/* The callers' ranges are reordered by pointer; where their bytes go is theirs. */
void gruns_begin(struct gruns *r, uint32_t bytes)
{
    r->bytes = bytes;
    r->count = 0;
}

void gruns_add(struct gruns *r, struct target_range *one)
{
    one->got = 0;
    r->one[r->count++] = one;
}

static int compare_addresses(const void *a, const void *b)
{
    const struct target_range *x = *(struct target_range *const *)a;
    const struct target_range *y = *(struct target_range *const *)b;

    return x->address < y->address ? -1 : x->address > y->address;
}

size_t gruns_plan(struct gruns *r, struct target_range *out)
{
    uint64_t end = 0;
    size_t n = 0, used = 0;

    qsort(r->one, r->count, sizeof(struct target_range *), compare_addresses);
    for (size_t i = 0; i < r->count; i++) {
        uint64_t address = r->one[i]->address;

        /* Those that overlap are lies, and get a run each, so that all fit into the memory. */
        if (n == 0 || address < end || address - end > GRUNS_GAP_BYTES) {
            used += n > 0 ? out[n - 1].bytes : 0;
            out[n++] = (struct target_range){address, r->memory + used, 0, 0};
        }
        out[n - 1].bytes = (uint32_t)(address + r->bytes - out[n - 1].address);
        end = address + r->bytes;
    }
    return n;
}

void gruns_share(struct gruns *r, const struct target_range *ranges, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < r->count; i++) {
        struct target_range *one = r->one[i];
        uint64_t at;

        /* the last run that does not begin behind it: see gruns_plan() */
        while (n + 1 < count && ranges[n + 1].address <= one->address)
            n++;
        at = one->address - ranges[n].address;
        if (at + r->bytes > ranges[n].got)
            continue; /* not readable, or behind something that is not */
        memcpy(one->out, (const uint8_t *)ranges[n].out + at, r->bytes);
        one->got = r->bytes;
    }
}
