#include "sampler/symbols/dynamic.h"

#include <elf.h>

enum {
    WORDS_AT_ONCE = 1024,
};

/* Of tags that come twice the last one counts, as in ld.so (glibc elf/get-dynamic-info.h). */
static void take(const Elf64_Dyn *d, struct dynamic *ret)
{
    switch (d->d_tag) {
    case DT_SYMTAB:
        ret->symtab = d->d_un.d_ptr;
        break;
    case DT_STRTAB:
        ret->strtab = d->d_un.d_ptr;
        break;
    case DT_STRSZ:
        ret->strings_bytes = d->d_un.d_val;
        break;
    case DT_HASH:
        ret->hash = d->d_un.d_ptr;
        break;
    case DT_GNU_HASH:
        ret->gnu_hash = d->d_un.d_ptr;
        break;
    case DT_SONAME:
        ret->soname = true;
        break;
    case DT_FLAGS_1:
        ret->pie = (d->d_un.d_val & DF_1_PIE) != 0;
        break;
    default:
        break;
    }
}

/* p_filesz is not trusted to be right, only to be no smaller than what we may read. */
void dynamic_read(struct file *f, uint64_t offset, uint64_t bytes, struct dynamic *ret)
{
    uint64_t count = bytes / sizeof(Elf64_Dyn);

    *ret = (struct dynamic){0};
    if (count > DYNAMIC_ENTRIES_MAX)
        count = DYNAMIC_ENTRIES_MAX;
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Dyn d;

        if (file_read(f, offset + i * sizeof d, &d, sizeof d) < 0 || d.d_tag == DT_NULL)
            return;
        take(&d, ret);
    }
}

uint64_t dynamic_count_hash(struct file *f, uint64_t offset)
{
    uint32_t head[2]; /* nbucket, nchain; as many chain words as symbols */

    return file_read(f, offset, head, sizeof head) == 0 ? head[1] : 0;
}

/*
 * The highest symbol number that a bucket starts with: symbols are sorted by bucket, so the last of
 * its chain is the last symbol of all. In pieces, since a real table has tens of thousands.
 */
static uint32_t top_bucket(struct file *f, uint64_t offset, uint32_t buckets)
{
    uint32_t words[WORDS_AT_ONCE], top = 0;

    for (uint32_t i = 0; i < buckets;) {
        uint32_t n = buckets - i < WORDS_AT_ONCE ? buckets - i : WORDS_AT_ONCE;

        if (file_read(f, offset + UINT64_C(4) * i, words, n * sizeof words[0]) < 0)
            return 0;
        for (uint32_t k = 0; k < n; k++)
            top = words[k] > top ? words[k] : top;
        i += n;
    }
    return top;
}

/*
 * Layout (the gABI does not have it; glibc elf/dl-lookup.c, do_lookup_x): nbuckets, symoffset,
 * bloom words, bloom shift; 64-bit bloom words; buckets; one 32-bit hash a symbol from symoffset
 * on, its lowest bit set on the last of a chain.
 */
uint64_t dynamic_count_gnu(struct file *f, uint64_t offset, uint64_t max)
{
    uint32_t head[4], last;
    uint64_t buckets, chains;

    if (offset > INT64_MAX || file_read(f, offset, head, sizeof head) < 0 || head[0] > max)
        return 0;
    buckets = offset + sizeof head + UINT64_C(8) * head[2];
    chains = buckets + UINT64_C(4) * head[0];
    last = top_bucket(f, buckets, head[0]);
    if (last < head[1] || last > max)
        return 0;
    for (uint64_t n = last; n < max; n++) {
        uint32_t hash;

        if (file_read(f, chains + UINT64_C(4) * (n - head[1]), &hash, sizeof hash) < 0)
            return 0;
        if (hash & 1)
            return n + 1;
    }
    return 0;
}
