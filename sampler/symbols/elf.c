#include "sampler/symbols/elf.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>

#include "sampler/symbols/dynamic.h"
#include "sampler/symbols/note.h"
#include "sampler/symbols/symtab.h"

enum {
    /* fs/binfmt_elf.c, load_elf_phdrs(): the kernel runs nothing with more program headers. */
    ELF_PHDRS_MAX_BYTES = 64 * 1024,
    ELF_NOTES_MAX = 8, /* PT_NOTE segments looked at; two are usual */
    ELF_SECTION_NAME_BYTES = 64,
    ELF_UNDERSCORES_BYTES = 16, /* as much of a name as is looked at to count them */
};

/*
 * What is trusted: nothing. The program headers are what the kernel mapped the file by, so a file
 * whose program headers make no sense is refused; section headers are only looked at for what they
 * might tell. All offsets from the file go through file_read(), which knows the file's real end;
 * here it is only kept from overflowing on the way (offsets above INT64_MAX are no offsets).
 */
struct note {
    uint64_t offset, bytes, align;
};

struct elf {
    struct file *file;
    uint16_t machine, type;
    bool interp;
    struct elf_segment segments[ELF_SEGMENTS_MAX];
    size_t segment_count;
    struct note notes[ELF_NOTES_MAX];
    size_t note_count;
    uint64_t dynamic_offset, dynamic_bytes;
    struct dynamic dynamic;
    Elf64_Shdr *sections; /* as in the file; NULL when there are none to be had */
    size_t section_count;
    uint64_t names, names_end; /* file offsets of the sections' names */
    struct symtab *symbols;
    bool symbols_tried; /* a table that failed is not read again for each address */
};

/* offset + bytes, held below the top. */
static uint64_t end_of(uint64_t offset, uint64_t bytes)
{
    return bytes > UINT64_MAX - offset ? UINT64_MAX : offset + bytes;
}

static int check_header(const Elf64_Ehdr *h, struct err *err)
{
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
        return err_set(err, -ENOEXEC, "not an ELF file");
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
        return err_set(err, -ENOEXEC, "not a 64-bit little-endian ELF file");
    if (h->e_machine != EM_X86_64 && h->e_machine != EM_AARCH64)
        return err_set(err, -ENOEXEC, "ELF machine %u is neither x86-64 nor AArch64",
                       (unsigned)h->e_machine);
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return err_set(err, -ENOEXEC, "ELF type %u is neither a program nor a library",
                       (unsigned)h->e_type);
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 ||
        h->e_phnum > ELF_PHDRS_MAX_BYTES / sizeof(Elf64_Phdr))
        return err_set(err, -ENOEXEC, "%u ELF program headers of %u bytes", (unsigned)h->e_phnum,
                       (unsigned)h->e_phentsize);
    return 0;
}

/* Fields as the kernel checks them (fs/binfmt_elf.c, elf_load() and load_elf_binary()). */
static int add_segment(struct elf *e, const Elf64_Phdr *p, struct err *err)
{
    if (p->p_filesz > p->p_memsz || p->p_memsz > UINT64_MAX - p->p_vaddr ||
        p->p_filesz > UINT64_MAX - p->p_offset)
        return err_set(err, -ENOEXEC, "an ELF segment that no kernel would map");
    if (e->segment_count == ELF_SEGMENTS_MAX)
        return err_set(err, -ENOEXEC, "more than %d ELF segments", (int)ELF_SEGMENTS_MAX);
    e->segments[e->segment_count++] = (struct elf_segment){.vaddr = p->p_vaddr,
                                                           .memsz = p->p_memsz,
                                                           .offset = p->p_offset,
                                                           .filesz = p->p_filesz,
                                                           .flags = p->p_flags};
    return 0;
}

static int read_phdrs(struct elf *e, const Elf64_Ehdr *h, struct err *err)
{
    for (unsigned i = 0; i < h->e_phnum; i++) {
        Elf64_Phdr p;
        int rc = 0;

        if (h->e_phoff > INT64_MAX ||
            file_read(e->file, h->e_phoff + i * sizeof p, &p, sizeof p) < 0)
            return err_set(err, -ENOEXEC, "ELF program headers beyond the end of the file");
        if (p.p_type == PT_LOAD)
            rc = add_segment(e, &p, err);
        else if (p.p_type == PT_NOTE && e->note_count < ELF_NOTES_MAX)
            e->notes[e->note_count++] = (struct note){p.p_offset, p.p_filesz, p.p_align};
        else if (p.p_type == PT_INTERP)
            e->interp = true;
        else if (p.p_type == PT_DYNAMIC) {
            e->dynamic_offset = p.p_offset;
            e->dynamic_bytes = p.p_filesz;
        }
        if (rc < 0)
            return rc;
    }
    if (e->segment_count == 0)
        return err_set(err, -ENOEXEC, "an ELF file without a segment to load");
    return 0;
}

/*
 * Section headers are a convenience: without them, or when they lie, the file is still what its
 * segments say, so nothing here is an error. Above 0xff00 sections the count stands in section 0's
 * sh_size and the index of the names in its sh_link (gABI, "ELF Header").
 */
static void read_sections(struct elf *e, const Elf64_Ehdr *h)
{
    Elf64_Shdr zero, names;
    uint64_t count = h->e_shnum, names_at = h->e_shstrndx;

    if (h->e_shoff == 0 || h->e_shoff > INT64_MAX || h->e_shentsize != sizeof zero ||
        file_read(e->file, h->e_shoff, &zero, sizeof zero) < 0)
        return;
    if (count == 0)
        count = zero.sh_size;
    if (names_at == SHN_XINDEX)
        names_at = zero.sh_link;
    if (names_at < count &&
        file_read(e->file, h->e_shoff + names_at * sizeof names, &names, sizeof names) == 0) {
        e->names = names.sh_offset;
        e->names_end = end_of(names.sh_offset, names.sh_size);
    }
    if (count > ELF_SECTIONS_MAX)
        count = ELF_SECTIONS_MAX;
    if (count == 0)
        return;
    e->sections = calloc(count, sizeof *e->sections);
    if (e->sections &&
        file_read(e->file, h->e_shoff, e->sections, count * sizeof *e->sections) == 0) {
        e->section_count = count;
        return;
    }
    free(e->sections);
    e->sections = NULL;
}

/*
 * Everything but the symbols is read here, once: a file is either known to be sane, or refused, and
 * no later question can fail because of its headers.
 */
int elf_open(struct file *f, struct elf **ret, struct err *err)
{
    Elf64_Ehdr h;
    struct elf *e;
    int rc;

    if (file_read(f, 0, &h, sizeof h) < 0)
        return err_set(err, -ENOEXEC, "too short for an ELF file");
    rc = check_header(&h, err);
    if (rc < 0)
        return rc;
    e = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, -ENOMEM, "no memory for an ELF file");
    e->file = f;
    e->machine = h.e_machine;
    e->type = h.e_type;
    rc = read_phdrs(e, &h, err);
    if (rc < 0) {
        elf_free(e);
        return rc;
    }
    dynamic_read(f, e->dynamic_offset, e->dynamic_bytes, &e->dynamic);
    read_sections(e, &h);
    *ret = e;
    return 0;
}

void elf_trim(struct elf *e)
{
    if (!e)
        return;
    symtab_free(e->symbols);
    e->symbols = NULL;
    e->symbols_tried = false;
}

void elf_free(struct elf *e)
{
    if (!e)
        return;
    elf_trim(e);
    free(e->sections);
    free(e);
}

struct file *elf_file(const struct elf *e)
{
    return e->file;
}

uint16_t elf_machine(const struct elf *e)
{
    return e->machine;
}

bool elf_is_dyn(const struct elf *e)
{
    return e->type == ET_DYN;
}

bool elf_is_program(const struct elf *e)
{
    return e->type == ET_EXEC || (!e->dynamic.soname && (e->interp || e->dynamic.pie));
}

size_t elf_segments(const struct elf *e, const struct elf_segment **ret)
{
    *ret = e->segments;
    return e->segment_count;
}

static struct elf_section section_of(const Elf64_Shdr *s)
{
    return (struct elf_section){.address = s->sh_addr,
                                .offset = s->sh_offset,
                                .bytes = s->sh_size,
                                .type = s->sh_type,
                                .link = s->sh_link,
                                .entry_bytes = s->sh_entsize,
                                .flags = s->sh_flags};
}

/*
 * By name, since Go's sections have types of no meaning (.gopclntab is PROGBITS). The first of a
 * name counts. Each asking reads the names anew: there are about thirty, and few askings a file.
 */
int elf_section_find(const struct elf *e, const char *name, struct elf_section *ret)
{
    char text[ELF_SECTION_NAME_BYTES];

    for (size_t i = 0; i < e->section_count; i++) {
        int n = file_string(e->file, end_of(e->names, e->sections[i].sh_name), e->names_end, text,
                            sizeof text);

        if (n > 0 && n < (int)sizeof text && strcmp(text, name) == 0) {
            *ret = section_of(&e->sections[i]);
            return 0;
        }
    }
    return -ENOENT;
}

/* Segments may overlap in a hostile file: the first counts, as good as any other. */
int elf_vaddr_to_offset(const struct elf *e, uint64_t vaddr, uint64_t *ret_offset,
                        uint64_t *ret_left)
{
    for (size_t i = 0; i < e->segment_count; i++) {
        const struct elf_segment *s = &e->segments[i];

        if (vaddr >= s->vaddr && vaddr - s->vaddr < s->filesz) {
            *ret_offset = s->offset + (vaddr - s->vaddr);
            *ret_left = s->filesz - (vaddr - s->vaddr);
            return 0;
        }
    }
    return -EFAULT;
}

/* Is a mapping at this file offset where the kernel puts the segment's start? */
static bool starts_at(const struct elf_segment *s, uint64_t offset, uint64_t page)
{
    return (s->offset & ~(page - 1)) == offset;
}

static bool holds(const struct elf_segment *s, uint64_t offset)
{
    return offset >= s->offset && offset - s->offset < s->filesz;
}

/*
 * Two segments may share a page of the file, so the segment that a mapping belongs to is guessed
 * from the best sign down: executable and starting in that page; executable and holding the offset
 * (a mapping that mprotect(2) split); then the same without PF_X (text that became executable
 * later). AArch64 kernels have pages of 4, 16 or 64 KiB.
 */
static const struct elf_segment *segment_at(const struct elf *e, uint64_t offset)
{
    static const uint64_t pages[] = {4096, 16384, 65536};
    size_t page_kinds = e->machine == EM_AARCH64 ? sizeof pages / sizeof pages[0] : 1;

    for (int any = 0; any < 2; any++) {
        for (size_t p = 0; p < page_kinds; p++)
            for (size_t i = 0; i < e->segment_count; i++)
                if ((any || (e->segments[i].flags & PF_X)) &&
                    starts_at(&e->segments[i], offset, pages[p]))
                    return &e->segments[i];
        for (size_t i = 0; i < e->segment_count; i++)
            if ((any || (e->segments[i].flags & PF_X)) && holds(&e->segments[i], offset))
                return &e->segments[i];
    }
    return NULL;
}

int elf_offset_to_vaddr(const struct elf *e, uint64_t offset, uint64_t *ret)
{
    const struct elf_segment *s = segment_at(e, offset);

    if (!s)
        return -EFAULT;
    /* Wraps only in a file whose first page would lie below address 0; harmless as a bias. */
    *ret = s->vaddr + (offset - s->offset);
    return 0;
}

int elf_read(const struct elf *e, uint64_t vaddr, void *out, size_t bytes)
{
    uint64_t offset, left;
    int rc = elf_vaddr_to_offset(e, vaddr, &offset, &left);

    if (rc < 0)
        return rc;
    return bytes > left ? -EFAULT : file_read(e->file, offset, out, bytes);
}

/*
 * By segment first: PT_NOTE stays when section headers are cut off. The section is for files whose
 * linker script has no such segment.
 */
static size_t raw_build_id(const struct elf *e, unsigned char raw[static NOTE_ID_MAX_BYTES])
{
    struct elf_section s;
    size_t n = 0;

    for (size_t i = 0; i < e->note_count && n == 0; i++)
        n = note_build_id(e->file, e->notes[i].offset, e->notes[i].bytes, e->notes[i].align, raw);
    if (n == 0 && elf_section_find(e, ".note.gnu.build-id", &s) == 0 && s.type == SHT_NOTE)
        n = note_build_id(e->file, s.offset, s.bytes, 4, raw);
    return n;
}

size_t elf_build_id(const struct elf *e, char *out, size_t out_bytes)
{
    unsigned char raw[NOTE_ID_MAX_BYTES];
    size_t n = raw_build_id(e, raw);

    if (out_bytes == 0)
        return 0;
    out[0] = '\0';
    if (n * 2 + 1 > out_bytes)
        return 0; /* half an id is another id */
    for (size_t i = 0; i < n; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", raw[i]);
    return n * 2;
}

/* The table in the first section of this type that makes sense. */
static int where_by_section(const struct elf *e, uint32_t type, struct symtab_where *ret)
{
    for (size_t i = 0; i < e->section_count; i++) {
        const Elf64_Shdr *s = &e->sections[i], *strings;

        if (s->sh_type != type || s->sh_entsize != sizeof(Elf64_Sym) ||
            s->sh_link >= e->section_count || s->sh_offset > INT64_MAX)
            continue;
        strings = &e->sections[s->sh_link];
        *ret = (struct symtab_where){.offset = s->sh_offset,
                                     .count = s->sh_size / sizeof(Elf64_Sym),
                                     .strings = strings->sh_offset,
                                     .strings_end = end_of(strings->sh_offset, strings->sh_size)};
        return 0;
    }
    return -ENOENT;
}

static int symbols_by_section(const struct elf *e, uint32_t type, struct symtab **ret)
{
    struct symtab_where where;
    int rc = where_by_section(e, type, &where);

    return rc < 0 ? rc : symtab_load(e->file, &where, ELF_SYMBOLS_MAX, ret);
}

/* The dynamic section does not say how many symbols there are; its hash tables do. */
static uint64_t dynamic_count(const struct elf *e)
{
    uint64_t at, left;

    if (e->dynamic.hash && elf_vaddr_to_offset(e, e->dynamic.hash, &at, &left) == 0)
        return dynamic_count_hash(e->file, at);
    if (e->dynamic.gnu_hash && elf_vaddr_to_offset(e, e->dynamic.gnu_hash, &at, &left) == 0)
        return dynamic_count_gnu(e->file, at, ELF_SYMBOLS_MAX);
    return 0;
}

/* Without section headers: what ld.so itself goes by. */
static int where_by_dynamic(const struct elf *e, struct symtab_where *ret)
{
    struct symtab_where where = {0};
    uint64_t left, strings_left;

    if (!e->dynamic.symtab || !e->dynamic.strtab ||
        elf_vaddr_to_offset(e, e->dynamic.symtab, &where.offset, &left) < 0 ||
        elf_vaddr_to_offset(e, e->dynamic.strtab, &where.strings, &strings_left) < 0)
        return -ENOENT;
    if (strings_left > e->dynamic.strings_bytes)
        strings_left = e->dynamic.strings_bytes;
    where.strings_end = end_of(where.strings, strings_left);
    where.count = dynamic_count(e);
    if (where.count > left / sizeof(Elf64_Sym))
        where.count = left / sizeof(Elf64_Sym);
    *ret = where;
    return 0;
}

static int symbols_by_dynamic(const struct elf *e, struct symtab **ret)
{
    struct symtab_where where;
    int rc = where_by_dynamic(e, &where);

    return rc < 0 ? rc : symtab_load(e->file, &where, ELF_SYMBOLS_MAX, ret);
}

size_t elf_symbols_held(const struct elf *e)
{
    return e->symbols ? symtab_count(e->symbols) : 0;
}

/* What a table claims, as far as the file can hold it. */
static uint64_t claimed(const struct elf *e, const struct symtab_where *where)
{
    uint64_t in_file = file_bytes(e->file) / sizeof(Elf64_Sym);
    uint64_t most = in_file < ELF_SYMBOLS_MAX ? in_file : ELF_SYMBOLS_MAX;

    return where->count < most ? where->count : most;
}

uint64_t elf_symbols_most(const struct elf *e)
{
    struct symtab_where where;
    uint64_t most = 0;

    if (e->symbols_tried)
        return 0;
    if (where_by_section(e, SHT_SYMTAB, &where) == 0)
        most += claimed(e, &where);
    if (where_by_section(e, SHT_DYNSYM, &where) == 0)
        most += claimed(e, &where);
    if (where_by_dynamic(e, &where) == 0)
        most += claimed(e, &where);
    return most;
}

/*
 * .symtab has the static functions, too; .dynsym is a part of it and what strip(1) leaves. A
 * .symtab without a single function counts as none.
 */
static void load_symbols(struct elf *e)
{
    if (e->symbols_tried)
        return;
    e->symbols_tried = true;
    if (symbols_by_section(e, SHT_SYMTAB, &e->symbols) < 0 &&
        symbols_by_section(e, SHT_DYNSYM, &e->symbols) < 0 &&
        symbols_by_dynamic(e, &e->symbols) < 0)
        e->symbols = NULL;
}

static unsigned underscores(const char *name)
{
    return (unsigned)strspn(name, "_");
}

/* Of several names people want the one that they wrote: malloc, not __libc_malloc. */
static int best_name(const struct elf *e, const struct symtab_hit *hit, char *out, size_t out_bytes)
{
    char start[ELF_UNDERSCORES_BYTES];
    unsigned fewest = UINT_MAX;
    uint32_t best = 0;

    for (uint32_t i = 0; i < hit->names; i++) {
        if (file_string(e->file, hit->name[i], hit->names_end, start, sizeof start) <= 0)
            continue;
        if (underscores(start) < fewest) {
            fewest = underscores(start);
            best = i;
        }
    }
    if (fewest == UINT_MAX)
        return -ENOENT;
    return file_string(e->file, hit->name[best], hit->names_end, out, out_bytes);
}

int elf_symbol(struct elf *e, uint64_t vaddr, char *out, size_t out_bytes, uint64_t *ret_offset)
{
    struct symtab_hit hit;
    char *version;
    int rc;

    load_symbols(e);
    if (!e->symbols || out_bytes < 2)
        return -ENOENT;
    rc = symtab_find(e->symbols, vaddr, &hit);
    if (rc == 0)
        rc = best_name(e, &hit, out, out_bytes);
    if (rc < 0)
        return -ENOENT;
    /* Older linkers keep "memcpy@@GLIBC_2.14" in .symtab: the version is no part of the name. */
    version = strchr(out + 1, '@');
    if (version)
        *version = '\0';
    *ret_offset = vaddr - hit.start;
    return 0;
}
