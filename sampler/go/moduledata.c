#include "sampler/go/moduledata.h"

#include <elf.h>
#include <errno.h>

#include "sampler/go/elfscan.h"

/* Offsets that are the same from Go 1.18 to 1.26 (runtime/symtab.go, moduledata). */
enum {
    AT_PCHEADER = 0,
    AT_FUNCNAMETAB = 8,
    AT_FTAB = 128, /* a slice: pointer, length, capacity */
    AT_FTAB_LEN = 136,
    AT_FTAB_CAP = 144,
    AT_MINPC = 160,
    AT_MAXPC = 168,
    AT_TEXT = 176,
    AT_ETEXT = 184,
    AT_NOPTRDATA = 192,
    AT_DATA = 208,
    AT_ENOPTRBSS = 248,
    AT_RODATA_118 = 296, /* Go 1.18 and 1.19 */
    AT_RODATA_120 = 312, /* 1.20 added covctrs and ecovctrs before it */
    AT_GOFUNC = 8,       /* after rodata */
    HEAD_BYTES = 328,    /* up to and with gofunc, in all versions */
};

/*
 * What is looked for. In the file of a PIE all pointers are still zero (or addends): there only the
 * function table's length and capacity, nfunc + 1 each, give a candidate away. In memory the
 * pointer to the pc-line table and those into it must be exactly ours.
 */
struct search {
    const struct elf *elf;
    const struct target *target;
    const struct pclntab *t;
    uint64_t pclntab; /* in memory */
    uint64_t bias;
    int minor;
    unsigned candidates;
    bool file_only; /* memory may not be read */
    struct moduledata *ret;
};

static uint64_t word(const unsigned char *p, size_t at)
{
    uint64_t v;

    memcpy(&v, p + at, sizeof(v)); /* elf.h takes little-endian files only, as is this machine */
    return v;
}

/* A wrong text would shift every name; it is checked against what the file says is code:
 * [text, etext) lies within one executable segment, and pc offsets fit 32 bits. */
static bool text_is_sane(const struct search *s, uint64_t text, uint64_t etext)
{
    const struct elf_segment *segments;
    size_t count = elf_segments(s->elf, &segments);
    uint64_t at = text - s->bias;

    if (text == 0 || text >= etext || etext - text > UINT32_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct elf_segment *g = &segments[i];

        if ((g->flags & PF_X) && at >= g->vaddr && at - g->vaddr < g->memsz &&
            etext - text <= g->memsz - (at - g->vaddr))
            return true;
    }
    return false;
}

/* Does a segment with all of ${flags} hold [lo, hi), addresses in memory? */
static bool lies_in_segment(const struct search *s, uint64_t lo, uint64_t hi, uint32_t flags)
{
    const struct elf_segment *segments;
    size_t count = elf_segments(s->elf, &segments);

    for (size_t i = 0; i < count; i++) {
        const struct elf_segment *g = &segments[i];
        uint64_t at = lo - s->bias;

        if ((g->flags & flags) == flags && at >= g->vaddr && at - g->vaddr <= g->memsz &&
            hi >= lo && hi - lo <= g->memsz - (at - g->vaddr))
            return true;
    }
    return false;
}

/*
 * A version that is not known may have its fields elsewhere: those that are used must be what they
 * should be. minpc and maxpc are the ends of the table of functions (runtime/symtab.go,
 * moduledataverify1), which stand right before text.
 */
static bool proves_itself(const struct search *s, const unsigned char *p,
                          const struct moduledata *m)
{
    struct pclntab t = *s->t;
    struct pclntab_func first, last;

    return pclntab_func(&t, 0, &first) == 0 && pclntab_func(&t, t.nfunc - 1, &last) == 0 &&
           word(p, AT_MINPC) == m->text + first.entry && word(p, AT_MAXPC) == m->text + last.end &&
           word(p, AT_MAXPC) <= m->etext && m->noptrdata < m->enoptrbss &&
           lies_in_segment(s, m->noptrdata, m->enoptrbss, PF_R | PF_W) &&
           lies_in_segment(s, m->gofunc, m->gofunc + 1, PF_R) && m->rodata <= m->gofunc;
}

/* Do these bytes, with pointers as in memory, describe our pclntab? */
static bool take(struct search *s, uint64_t address, const unsigned char *p)
{
    size_t rodata = s->minor < 20 ? AT_RODATA_118 : AT_RODATA_120;
    struct moduledata m = {
        .address = address,
        .text = word(p, AT_TEXT),
        .etext = word(p, AT_ETEXT),
        .noptrdata = word(p, AT_NOPTRDATA),
        .data = word(p, AT_DATA),
        .enoptrbss = word(p, AT_ENOPTRBSS),
        .rodata = word(p, rodata),
        .gofunc = word(p, rodata + AT_GOFUNC),
    };

    if (word(p, AT_PCHEADER) != s->pclntab ||
        word(p, AT_FUNCNAMETAB) != s->pclntab + (s->t->names - s->t->header) ||
        word(p, AT_FTAB) != s->pclntab + (s->t->funcs - s->t->header) ||
        word(p, AT_FTAB_LEN) != (uint64_t)s->t->nfunc + 1)
        return false;
    if (!text_is_sane(s, m.text, m.etext) || m.noptrdata > m.enoptrbss || m.gofunc == 0)
        return false;
    if (s->minor > MODULEDATA_MINOR_MAX && !proves_itself(s, p, &m))
        return false;
    *s->ret = m;
    return true;
}

/* elfscan's question. The two lengths are the same number in the file and in memory. */
static int match(void *ctx, uint64_t vaddr, uint64_t offset, const unsigned char *record)
{
    struct search *s = ctx;
    unsigned char live[HEAD_BYTES];
    int r;

    (void)offset;
    if (word(record, AT_FTAB_LEN) != (uint64_t)s->t->nfunc + 1 ||
        word(record, AT_FTAB_CAP) != (uint64_t)s->t->nfunc + 1)
        return 0;
    if (s->candidates++ == MODULEDATA_CANDIDATES_MAX)
        return -ENOENT;
    /* memory is asked for each candidate only, not for whole segments: fewer reads by the guard */
    if (s->file_only)
        return take(s, vaddr, record);
    r = s->target->ops->read(s->target->ctx, vaddr + s->bias, live, sizeof(live));
    if (r == 0)
        return take(s, vaddr + s->bias, live);
    if (r == -EPERM && !elf_is_dyn(s->elf)) {
        s->file_only = true;
        return take(s, vaddr, record);
    }
    return r == -EFAULT ? 0 : r;
}

int moduledata_find(const struct elf *elf, const struct target *target, uint64_t bias,
                    uint64_t pclntab_vaddr, const struct pclntab *t, int minor,
                    struct moduledata *ret)
{
    struct search s = {.elf = elf,
                       .target = target,
                       .t = t,
                       .pclntab = pclntab_vaddr + bias,
                       .bias = bias,
                       .minor = minor,
                       .ret = ret};
    struct elfscan scan = {.flags_mask = PF_W,
                           .flags = PF_W,
                           .step = 8,
                           .record_bytes = HEAD_BYTES,
                           .match = match,
                           .ctx = &s};

    return elfscan_run(elf, &scan);
}
