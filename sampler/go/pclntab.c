#include "sampler/go/pclntab.h"

#include <errno.h>

/*
 * The table's parts, in the order of the file:
 *
 *   header    magic, 2 zero bytes, pc quantum, pointer size, nfunc, nfile, textStart, 5 offsets
 *   names     NUL-terminated function names
 *   cus       u32 for each file of each compilation unit: its offset in files, or ~0
 *   files     NUL-terminated paths
 *   pctab     pc-value tables
 *   funcs     {entry u32, offset of its record u32} for each function by address, then the end
 *             of the text (u32), then the records: _func, PCDATA u32[], FUNCDATA u32[]
 *
 * The five offsets count from the header, those in funcs from the beginning of funcs.
 */
enum {
    MAGIC_GO118 = 0xf0,      /* low byte of 0xfffffff0 */
    MAGIC_GO120 = 0xf1,      /* low byte of 0xfffffff1 */
    FUNC_GO118_BYTES = 40,   /* runtime._func without startLine */
    FUNC_GO120_BYTES = 44,   /* with it */
    VARINT_MAX_BYTES = 5,    /* of a 32-bit value */
    READER_BYTES = 256,      /* most pc-value tables are shorter */
    FUNCDATA_NONE = -1,      /* ^uint32(0) in the table */
    FUNCTAB_ENTRY_BYTES = 8, /* entry u32, offset of _func u32 */
};

/* A window on the file for byte by byte decoding; it never passes `end`. */
struct reader {
    struct file *file;
    uint64_t at, end;
    size_t pos, len;
    unsigned char bytes[READER_BYTES];
};

/* Go's tables have the byte order of the machine; elf.h takes little-endian files only. */
static uint32_t le32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const unsigned char *p)
{
    return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* ${bytes} at ${offset}, which must lie in [lo, hi). A short file is a damaged table to us. */
static int read_within(const struct pclntab *t, uint64_t offset, uint64_t lo, uint64_t hi,
                       void *out, size_t bytes)
{
    if (offset < lo || offset > hi || hi - offset < bytes)
        return -EBADMSG;
    return file_read(t->file, offset, out, bytes) == 0 ? 0 : -EBADMSG;
}

static uint64_t func_bytes(const struct pclntab *t)
{
    return t->magic == PCLNTAB_GO118 ? FUNC_GO118_BYTES : FUNC_GO120_BYTES;
}

/* One entry of the function table; the one at nfunc has only an entry: the end of the text. */
static int functab(const struct pclntab *t, uint32_t index, uint32_t *ret_entry, uint32_t *ret_func)
{
    unsigned char b[FUNCTAB_ENTRY_BYTES] = {0};
    size_t bytes = index == t->nfunc ? 4 : sizeof(b);
    int r = read_within(t, t->funcs + (uint64_t)index * FUNCTAB_ENTRY_BYTES, t->funcs, t->end, b,
                        bytes);

    if (r != 0)
        return r;
    *ret_entry = le32(b);
    *ret_func = le32(b + 4);
    return 0;
}

/* The header's words: each table's offset from the header, in the order of the tables. */
static int take_offsets(struct pclntab *t, const unsigned char *header, uint64_t limit)
{
    uint64_t *const to[] = {&t->names, &t->cus, &t->files, &t->pctab, &t->funcs};
    uint64_t last = PCLNTAB_HEADER_BYTES;

    for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
        uint64_t offset = le64(header + 32 + 8 * i);

        /* the linker writes them in this order (ld/pcln.go, makePclntab): what is not in order
         * has no known end */
        if (offset < last || offset > limit - t->header)
            return -EBADMSG;
        *to[i] = t->header + offset;
        last = offset;
    }
    t->end = limit;
    if (limit - t->funcs < (uint64_t)t->nfunc * FUNCTAB_ENTRY_BYTES + 4)
        return -EBADMSG;
    return 0;
}

int pclntab_open(struct file *f, uint64_t offset, uint64_t limit, struct pclntab *ret)
{
    unsigned char b[PCLNTAB_HEADER_BYTES];
    struct pclntab t = {.file = f, .header = offset, .credit = PCLNTAB_CREDIT_MAX};
    struct pclntab_func first;
    uint64_t nfunc;
    int r;

    if (offset > limit || limit - offset < sizeof(b) || file_read(f, offset, b, sizeof(b)) != 0)
        return -ENOEXEC;
    if ((b[0] != MAGIC_GO118 && b[0] != MAGIC_GO120) || b[1] != 0xff || b[2] != 0xff ||
        b[3] != 0xff || b[4] != 0 || b[5] != 0)
        return -ENOEXEC;
    t.magic = b[0] == MAGIC_GO118 ? PCLNTAB_GO118 : PCLNTAB_GO120;
    t.quantum = b[6];
    nfunc = le64(b + 8);
    if ((b[6] != 1 && b[6] != 2 && b[6] != 4) || b[7] != 8 || nfunc == 0 ||
        nfunc > PCLNTAB_FUNCS_MAX)
        return -EBADMSG;
    t.nfunc = (uint32_t)nfunc;
    r = take_offsets(&t, b, limit);
    if (r == 0)
        r = pclntab_func(&t, 0, &first); /* magic bytes in some other data do not lead to one */
    if (r == 0)
        *ret = t;
    return r;
}

void pclntab_allow(struct pclntab *t)
{
    t->credit += PCLNTAB_CREDIT_PER_LOOKUP;
    if (t->credit > PCLNTAB_CREDIT_MAX)
        t->credit = PCLNTAB_CREDIT_MAX;
}

int pclntab_func(struct pclntab *t, uint32_t index, struct pclntab_func *ret)
{
    unsigned char b[FUNC_GO120_BYTES] = {0};
    uint32_t entry, offset, end, unused;
    const unsigned char *tail;
    struct pclntab_func fn;
    int r;

    if (index >= t->nfunc)
        return -EBADMSG;
    r = functab(t, index, &entry, &offset);
    if (r == 0)
        r = functab(t, index + 1, &end, &unused);
    if (r == 0)
        r = read_within(t, t->funcs + offset, t->funcs, t->end, b, func_bytes(t));
    if (r != 0)
        return r;
    /* C code that Go's linker took in may have several names for one address (C++ constructors, in
     * programs built with -race): all but the last of them are empty. */
    if (entry > end || le32(b) != entry)
        return -EBADMSG;
    /* Bytes 8 and 12 are args and deferreturn: of no use from outside. */
    tail = b + func_bytes(t) - 4; /* funcID, flag, a pad byte, nfuncdata */
    fn = (struct pclntab_func){
        .entry = entry,
        .end = end,
        .at = t->funcs + offset,
        .name = le32(b + 4),
        .pcsp = le32(b + 16),
        .pcfile = le32(b + 20),
        .pcln = le32(b + 24),
        .npcdata = le32(b + 28),
        .cu = le32(b + 32),
        .start_line = t->magic == PCLNTAB_GO118 ? 0 : (int32_t)le32(b + 36),
        .id = tail[0],
        .flag = tail[1],
        .nfuncdata = tail[3],
    };
    *ret = fn;
    return 0;
}

/*
 * Binary search, with no hope in the order of a hostile table: 22 probes end it in any case, and
 * pclntab_func() compares what it found with the record itself.
 */
int pclntab_func_at(struct pclntab *t, uint32_t pc, struct pclntab_func *ret)
{
    uint32_t lo = 0, hi = t->nfunc; /* entry[lo] <= pc < entry[hi], if the table is in order */
    struct pclntab_func fn;
    uint32_t entry, unused;
    int r;

    r = functab(t, hi, &entry, &unused);
    if (r != 0)
        return r;
    if (pc >= entry)
        return -ENOENT;
    /* the entry at nfunc is the end of the text, so that lo always has a successor */
    while (hi - lo > 1) {
        uint32_t middle = lo + (hi - lo) / 2;

        r = functab(t, middle, &entry, &unused);
        if (r != 0)
            return r;
        if (entry <= pc)
            lo = middle;
        else
            hi = middle;
    }
    r = pclntab_func(t, lo, &fn);
    if (r != 0)
        return r;
    if (pc < fn.entry)
        return -ENOENT; /* before the first function */
    if (pc >= fn.end)
        return -EBADMSG; /* a table that is not in order */
    *ret = fn;
    return 0;
}

/* The next byte, or -EBADMSG. */
static int reader_byte(struct reader *r)
{
    if (r->pos == r->len) {
        size_t bytes = sizeof(r->bytes);

        if (r->end - r->at < bytes)
            bytes = (size_t)(r->end - r->at);
        if (bytes == 0 || file_read(r->file, r->at, r->bytes, bytes) != 0)
            return -EBADMSG;
        r->at += bytes;
        r->pos = 0;
        r->len = bytes;
    }
    return r->bytes[r->pos++];
}

/* Unsigned LEB128 of 32 bits. The runtime reads on until a byte without the high bit; we do not. */
static int reader_varint(struct reader *r, uint32_t *ret)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < VARINT_MAX_BYTES; i++) {
        int b = reader_byte(r);

        if (b < 0)
            return b;
        v |= (uint32_t)(b & 0x7f) << (7 * i);
        if ((b & 0x80) == 0) {
            *ret = v;
            return 0;
        }
    }
    return -EBADMSG;
}

/*
 * A pc-value table is a run of (value delta, pc delta) varint pairs that starts at the function's
 * entry with value -1; the first value delta is zig-zag coded and a zero one ends the table,
 * except at its very beginning (runtime/symtab.go, step).
 */
int pclntab_value(struct pclntab *t, const struct pclntab_func *fn, uint32_t table, uint32_t pc,
                  int32_t *ret)
{
    struct reader r = {.file = t->file, .at = t->pctab + table, .end = t->funcs};
    uint64_t target = (uint64_t)pc - fn->entry;
    uint32_t value = UINT32_MAX; /* -1, in arithmetic that may wrap */
    uint64_t at = 0;

    if (table == 0) {
        *ret = -1;
        return 0;
    }
    if (pc < fn->entry || pc >= fn->end || r.at >= r.end)
        return -EBADMSG;
    for (uint32_t steps = 0; steps < PCLNTAB_STEPS_MAX; steps++) {
        uint32_t delta, pcs;

        if (t->credit == 0 || reader_varint(&r, &delta) != 0)
            return -EBADMSG;
        if (delta == 0 && steps > 0) { /* the padding behind the function's last instruction */
            *ret = -1;
            return 0;
        }
        if (reader_varint(&r, &pcs) != 0)
            return -EBADMSG;
        t->credit--;
        value += (delta & 1) ? ~(delta >> 1) : delta >> 1;
        at += (uint64_t)pcs * t->quantum;
        if (target < at) {
            *ret = (int32_t)value;
            return 0;
        }
    }
    return -EBADMSG;
}

/* PCDATA offsets follow the record, FUNCDATA offsets follow those (runtime.pcdatastart, funcdata).
 */
int pclntab_pcdata(struct pclntab *t, const struct pclntab_func *fn, uint32_t index, uint32_t pc,
                   int32_t *ret)
{
    unsigned char b[4];
    int r;

    if (index >= fn->npcdata) {
        *ret = -1;
        return 0;
    }
    r = read_within(t, fn->at + func_bytes(t) + 4 * (uint64_t)index, t->funcs, t->end, b,
                    sizeof(b));
    return r == 0 ? pclntab_value(t, fn, le32(b), pc, ret) : r;
}

int pclntab_funcdata(struct pclntab *t, const struct pclntab_func *fn, uint32_t index,
                     uint32_t *ret)
{
    uint64_t at = fn->at + func_bytes(t) + 4 * ((uint64_t)fn->npcdata + index);
    unsigned char b[4];
    int r;

    if (index >= fn->nfuncdata)
        return -ENOENT;
    r = read_within(t, at, t->funcs, t->end, b, sizeof(b));
    if (r != 0)
        return r;
    if (le32(b) == (uint32_t)FUNCDATA_NONE)
        return -ENOENT;
    *ret = le32(b);
    return 0;
}

/* A NUL-terminated string of one of the text tables, [lo, hi). */
static int text_at(const struct pclntab *t, uint64_t at, uint64_t hi, char *out, size_t out_bytes)
{
    if (at >= hi)
        return -EBADMSG;
    return file_string(t->file, at, hi, out, out_bytes) < 0 ? -EBADMSG : 0;
}

/*
 * runtime.funcline1: the value of pcfile counts files within the function's compilation unit; the
 * unit's first entry in cus is in the record.
 */
int pclntab_line(struct pclntab *t, const struct pclntab_func *fn, uint32_t pc, char *file,
                 size_t file_bytes, int64_t *ret_line)
{
    uint64_t at;
    unsigned char b[4];
    int32_t number, line;
    int r;

    r = pclntab_value(t, fn, fn->pcfile, pc, &number);
    if (r == 0)
        r = pclntab_value(t, fn, fn->pcln, pc, &line);
    if (r != 0)
        return r;
    if (number < 0 || line < 0) {
        file[0] = '\0';
        *ret_line = 0;
        return 0;
    }
    at = t->cus + 4 * ((uint64_t)fn->cu + (uint32_t)number);
    r = read_within(t, at, t->cus, t->files, b, sizeof(b));
    if (r != 0)
        return r;
    file[0] = '\0';
    if (le32(b) != UINT32_MAX) /* the linker dropped a file that nothing refers to */
        r = text_at(t, t->files + le32(b), t->pctab, file, file_bytes);
    if (r == 0)
        *ret_line = line;
    return r;
}

int pclntab_name(const struct pclntab *t, uint32_t name, char *out, size_t out_bytes)
{
    return text_at(t, t->names + name, t->cus, out, out_bytes);
}
