#include "sampler/go/pclnfind.h"

#include <errno.h>

#include "sampler/go/elfscan.h"

struct search {
    const struct elf *elf;
    struct pclntab *ret;
    uint64_t vaddr;
    unsigned candidates;
    bool damaged; /* something that calls itself a pc-line table did not hold together */
};

/*
 * A section's header is a claim like any other: the table in it must hold together. External
 * linkers keep the names that Go's own linker gives.
 */
static int try_section(const struct elf *e, const char *name, struct pclntab *ret,
                       uint64_t *ret_vaddr)
{
    uint64_t size = file_bytes(elf_file(e));
    struct elf_section s;
    uint64_t limit;
    int r;

    r = elf_section_find(e, name, &s);
    if (r != 0 || s.offset > size)
        return -ENOENT;
    limit = s.bytes < size - s.offset ? s.offset + s.bytes : size;
    r = pclntab_open(elf_file(e), s.offset, limit, ret);
    if (r == 0)
        *ret_vaddr = s.address;
    return r;
}

/* elfscan's question. A table in the middle of a segment ends where the segment does. */
static int match(void *ctx, uint64_t vaddr, uint64_t offset, const unsigned char *record)
{
    struct search *s = ctx;
    uint64_t at, left;
    int r;

    /* Cheap first: this is asked for every eighth byte of the file. Byte 6, the quantum, is left to
     * pclntab_open(). */
    if ((record[0] != 0xf0 && record[0] != 0xf1) || record[1] != 0xff || record[2] != 0xff ||
        record[3] != 0xff || record[4] != 0 || record[5] != 0 || record[7] != 8)
        return 0;
    if (elf_vaddr_to_offset(s->elf, vaddr, &at, &left) != 0 || at != offset)
        return 0;
    if (s->candidates++ == PCLNFIND_CANDIDATES_MAX)
        return -EBADMSG;
    r = pclntab_open(elf_file(s->elf), at, at + left, s->ret);
    if (r == 0)
        s->vaddr = vaddr;
    else
        s->damaged = true;
    return r == 0;
}

int pclnfind_open(const struct elf *e, struct pclntab *ret, uint64_t *ret_vaddr)
{
    struct search s = {.elf = e, .ret = ret};
    struct elfscan scan = {
        .step = 8, .record_bytes = PCLNTAB_HEADER_BYTES, .match = match, .ctx = &s};
    int r;

    if (try_section(e, ".gopclntab", ret, ret_vaddr) == 0 ||
        try_section(e, ".data.rel.ro.gopclntab", ret, ret_vaddr) == 0)
        return 0;
    r = elfscan_run(e, &scan);
    if (r == 0)
        *ret_vaddr = s.vaddr;
    return r == -ENOENT && s.damaged ? -EBADMSG : r;
}
