#include "tests/unit/helper_goelf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_TEXT = 0x1000, /* file offsets of the three segments */
    FILE_RO = 0x2000,
    FILE_RW = 0x3000,
    FILE_MODULE = 0x3100,
    FILE_END = 0x3400,
    HEADER_BYTES = 72,
    FUNCS = 3,
};

/* Names in the order of the name table. */
enum name { NAME_START, NAME_OUTER, NAME_MID, NAME_INNER, NAME_WRAP, NAMES };

struct names {
    uint32_t at[NAMES];
};

static void pad_to(struct buf *b, size_t bytes)
{
    while (b->len < bytes && !b->failed)
        buf_putc(b, 0);
}

static void put32(struct buf *b, uint32_t v)
{
    buf_put(b, &v, sizeof(v));
}

void helper_goelf_put32(struct helper_goelf *h, size_t at, uint32_t value)
{
    memcpy(h->file.data + at, &value, sizeof(value));
}

void helper_goelf_put64(struct helper_goelf *h, size_t at, uint64_t value)
{
    memcpy(h->file.data + at, &value, sizeof(value));
}

static void varint(struct buf *b, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_putc(b, (int)(v & 0x7f) | 0x80);
    buf_putc(b, (int)v);
}

void helper_goelf_steps(struct buf *b, size_t count, const int32_t *values, const uint32_t *ends)
{
    int32_t last = -1;
    uint32_t pc = 0;

    for (size_t i = 0; i < count; i++) {
        int32_t d = values[i] - last;

        varint(b, d < 0 ? ~((uint32_t)d << 1) : (uint32_t)d << 1);
        varint(b, ends[i] - pc);
        last = values[i];
        pc = ends[i];
    }
    buf_putc(b, 0);
}

static uint32_t steps(struct buf *pctab, size_t count, const int32_t *values, const uint32_t *ends)
{
    uint32_t at = (uint32_t)pctab->len;

    helper_goelf_steps(pctab, count, values, ends);
    return at;
}

static uint32_t constant(struct buf *pctab, int32_t value, uint32_t end)
{
    return steps(pctab, 1, &value, &end);
}

static bool is_old(const char *version)
{
    return strncmp(version, "go1.18", 6) == 0 || strncmp(version, "go1.19", 6) == 0;
}

/* One _func; its PCDATA 0..2 (2: inlining) and FUNCDATA 0..3 (3: the tree) follow when asked for.
 */
static void put_func(struct buf *b, bool old, uint32_t entry, uint32_t name, const uint32_t *tables,
                     uint32_t start_line, uint32_t tail, uint32_t inline_table)
{
    put32(b, entry);
    put32(b, name);
    put32(b, 0); /* args */
    put32(b, 0); /* deferreturn */
    for (int i = 0; i < 3; i++)
        put32(b, tables[i]); /* pcsp, pcfile, pcln */
    put32(b, inline_table ? 3 : 0);
    put32(b, 0); /* cuOffset */
    if (!old)
        put32(b, start_line);
    put32(b, tail | (inline_table ? 4u << 24 : 0)); /* funcID, flag, pad, nfuncdata */
    if (inline_table) {
        put32(b, 0);
        put32(b, 0);
        put32(b, inline_table);
        for (int i = 0; i < 3; i++)
            put32(b, UINT32_MAX);
        put32(b, 0); /* the tree is at gofunc + 0 */
    }
}

static uint8_t wrapper_id(const char *version)
{
    unsigned long minor = strtoul(version + 4, NULL, 10);

    if (minor < 22)
        return 21;
    return minor < 25 ? 22 : 23;
}

static void put_functions(struct helper_goelf *h, const char *version, const struct names *n,
                          struct buf *pctab, size_t base)
{
    static const uint32_t entries[FUNCS + 1] = {0, 0x40, 0x80, HELPER_GOELF_TEXT_BYTES};
    static const int32_t sp[] = {0, 24, 0}, file[] = {0, 1, 0}, line[] = {10, 31, 22, 12},
                         index[] = {-1, 1, 0, -1};
    static const uint32_t sp_end[] = {4, 0x3f, 0x40}, file_end[] = {8, 16, 0x40},
                          end[] = {8, 16, 24, 0x40};
    bool old = is_old(version);
    uint32_t at[FUNCS], tables[FUNCS][3];
    struct buf funcs;

    buf_init(&funcs, HELPER_GOELF_MAX_BYTES);
    tables[0][0] = constant(pctab, 0, 0x40);
    tables[0][1] = constant(pctab, 0, 0x40);
    tables[0][2] = constant(pctab, 5, 0x40);
    tables[1][0] = steps(pctab, 3, sp, sp_end);
    tables[1][1] = steps(pctab, 3, file, file_end);
    tables[1][2] = steps(pctab, 4, line, end);
    tables[2][0] = constant(pctab, 8, 0x20);
    tables[2][1] = constant(pctab, 0, 0x20);
    tables[2][2] = constant(pctab, 1, 0x20);
    h->inline_table = base + steps(pctab, 4, index, end);

    at[0] = FUNCS * 8 + 8;
    put_func(&funcs, old, entries[0], n->at[NAME_START], tables[0], 4, 1u << 8, 0);
    at[1] = at[0] + (uint32_t)funcs.len;
    put_func(&funcs, old, entries[1], n->at[NAME_OUTER], tables[1], 9, 0,
             (uint32_t)(h->inline_table - base));
    at[2] = at[0] + (uint32_t)funcs.len;
    put_func(&funcs, old, entries[2], n->at[NAME_WRAP], tables[2], 1, wrapper_id(version), 0);

    buf_put(&h->file, pctab->data, pctab->len);
    pad_to(&h->file, (h->file.len + 7) / 8 * 8);
    h->functab = h->file.len;
    for (int i = 0; i < FUNCS; i++) {
        put32(&h->file, entries[i]);
        put32(&h->file, at[i]);
    }
    put32(&h->file, entries[FUNCS]);
    put32(&h->file, 0);
    h->outer_func = h->functab + at[1];
    h->wrap_func = h->functab + at[2];
    buf_put(&h->file, funcs.data, funcs.len);
    h->end = h->file.len;
    buf_release(&funcs);
}

static void put_tree(struct helper_goelf *h, bool old, const struct names *n)
{
    /* {name, parent pc from main.outer's entry, start line} of index 0 and 1 */
    const uint32_t entry[2][3] = {{n->at[NAME_MID], 0x18, 20}, {n->at[NAME_INNER], 0x10, 30}};

    for (int i = 0; i < 2; i++) {
        put32(&h->file, old ? 0xffffu : 0); /* parent and FuncID, FuncID */
        if (old) {
            put32(&h->file, 0); /* file */
            put32(&h->file, 0); /* line */
        }
        put32(&h->file, entry[i][0]);
        put32(&h->file, entry[i][1]);
        if (!old)
            put32(&h->file, entry[i][2]);
    }
}

static void put_pclntab(struct helper_goelf *h, const char *version, const struct names *n,
                        const struct buf *names)
{
    static const char files[] = "/src/a.go\0/src/b.go";
    struct buf *b = &h->file, pctab;

    pad_to(b, FILE_RO + 0x40);
    h->pclntab = b->len;
    pad_to(b, h->pclntab + HEADER_BYTES);
    helper_goelf_put32(h, h->pclntab, is_old(version) ? 0xfffffff0 : 0xfffffff1);
    helper_goelf_put32(h, h->pclntab + 4, 0x08010000); /* pad, pad, minLC, ptrSize */
    helper_goelf_put64(h, h->pclntab + 8, FUNCS);
    helper_goelf_put64(h, h->pclntab + 16, 2);
    h->names = b->len;
    buf_put(b, names->data, names->len);
    pad_to(b, (b->len + 7) / 8 * 8);
    helper_goelf_put64(h, h->pclntab + 32, h->names - h->pclntab);
    helper_goelf_put64(h, h->pclntab + 40, b->len - h->pclntab);
    put32(b, 0);
    put32(b, 10); /* of "/src/b.go" */
    h->files = b->len;
    helper_goelf_put64(h, h->pclntab + 48, h->files - h->pclntab);
    buf_put(b, files, sizeof(files));
    pad_to(b, (b->len + 7) / 8 * 8);
    h->pctab = b->len;
    helper_goelf_put64(h, h->pclntab + 56, h->pctab - h->pclntab);
    buf_init(&pctab, HELPER_GOELF_MAX_BYTES);
    buf_putc(&pctab, 0); /* offset 0 means: no table */
    put_functions(h, version, n, &pctab, h->pctab);
    buf_release(&pctab);
    helper_goelf_put64(h, h->pclntab + 64, h->functab - h->pclntab);
}

static void put_elf(struct helper_goelf *h, bool dyn, size_t ro_bytes, size_t rw)
{
    const uint64_t rows[3][4] = {{PF_R | PF_X, FILE_TEXT, HELPER_GOELF_TEXT, 0x100},
                                 {PF_R, FILE_RO, HELPER_GOELF_RO, ro_bytes},
                                 {PF_R | PF_W, rw, HELPER_GOELF_RW, FILE_END - FILE_RW}};
    Elf64_Ehdr e = {.e_type = dyn ? ET_DYN : ET_EXEC,
                    .e_machine = EM_X86_64,
                    .e_version = EV_CURRENT,
                    .e_phoff = sizeof(e),
                    .e_ehsize = sizeof(e),
                    .e_phentsize = sizeof(Elf64_Phdr),
                    .e_phnum = 3};

    memcpy(e.e_ident, ELFMAG, SELFMAG);
    e.e_ident[EI_CLASS] = ELFCLASS64;
    e.e_ident[EI_DATA] = ELFDATA2LSB;
    e.e_ident[EI_VERSION] = EV_CURRENT;
    memcpy(h->file.data, &e, sizeof(e));
    for (int i = 0; i < 3; i++) {
        Elf64_Phdr p = {.p_type = PT_LOAD,
                        .p_flags = (Elf64_Word)rows[i][0],
                        .p_offset = rows[i][1],
                        .p_vaddr = rows[i][2],
                        .p_filesz = rows[i][3],
                        .p_memsz = rows[i][3],
                        .p_align = 0x1000};

        memcpy(h->file.data + sizeof(e) + (size_t)i * sizeof(p), &p, sizeof(p));
    }
}

void helper_goelf_relocate(const struct helper_goelf *h, uint64_t bias,
                           unsigned char out[HELPER_GOELF_MODULE_BYTES])
{
    bool old = h->file.data[h->pclntab] == 0xf0;
    uint64_t table = HELPER_GOELF_RO + (h->pclntab - FILE_RO) + bias;
    const uint64_t words[][2] = {
        {0, table},
        {8, table + (h->names - h->pclntab)},
        {128, table + (h->functab - h->pclntab)},
        {136, FUNCS + 1},
        {144, FUNCS + 1},
        {176, HELPER_GOELF_TEXT + bias},
        {184, HELPER_GOELF_TEXT + HELPER_GOELF_TEXT_BYTES + bias},
        {192, HELPER_GOELF_RW + bias},
        {248, HELPER_GOELF_RW + 0x800 + bias},
        {old ? 296 : 312, HELPER_GOELF_RO + bias},
        {old ? 304 : 320, HELPER_GOELF_RO + bias}, /* gofunc: the tree comes first */
    };

    memset(out, 0, HELPER_GOELF_MODULE_BYTES);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        memcpy(out + words[i][0], &words[i][1], 8);
}

void helper_goelf_make(struct helper_goelf *h, const char *version, const char *outer_name,
                       bool dyn)
{
    const char *text[NAMES] = {"runtime.start", outer_name ? outer_name : "main.outer", "main.mid",
                               "main.inner", "main.(*T).Wrap"};
    unsigned char module[HELPER_GOELF_MODULE_BYTES];
    struct names n;
    struct buf names;
    size_t rw;

    memset(h, 0, sizeof(*h));
    buf_init(&h->file, HELPER_GOELF_MAX_BYTES);
    buf_init(&names, HELPER_GOELF_MAX_BYTES);
    for (int i = 0; i < NAMES; i++) {
        n.at[i] = (uint32_t)names.len;
        buf_put(&names, text[i], strlen(text[i]) + 1);
    }
    pad_to(&h->file, FILE_RO);
    h->tree = FILE_RO;
    put_tree(h, is_old(version), &n);
    put_pclntab(h, version, &n, &names);
    buf_release(&names);

    rw = (h->file.len + 0xfff) / 0x1000 * 0x1000; /* FILE_RW, but for long names */
    h->buildinfo = rw;
    pad_to(&h->file, rw);
    buf_put(&h->file, "\xff Go buildinf:\x08\x02", 16);
    pad_to(&h->file, rw + 32);
    varint(&h->file, (uint32_t)strlen(version));
    buf_puts(&h->file, version);
    h->module = rw + (FILE_MODULE - FILE_RW);
    pad_to(&h->file, rw + (FILE_END - FILE_RW));
    put_elf(h, dyn, h->end - FILE_RO, rw);
    helper_goelf_relocate(h, 0, module);
    for (size_t i = 0; dyn && i < sizeof(module); i++) /* pointers are for the loader to write */
        module[i] = (i >= 136 && i < 152) ? module[i] : 0;
    memcpy(h->file.data + h->module, module, sizeof(module));
}

void helper_goelf_release(struct helper_goelf *h)
{
    buf_release(&h->file);
}
