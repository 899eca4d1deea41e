#include "tests/unit/helper_elf.h"

#include <elf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PHDRS = 5,
    SECTIONS = 7, /* none, text, symtab, strtab, dynsym, dynstr, names */
};

static const char section_names[] = "\0.text\0.symtab\0.strtab\0.dynsym\0.dynstr\0.shstrtab";

static void put64(struct buf *b, uint64_t v)
{
    buf_put(b, &v, sizeof v);
}

static void put32(struct buf *b, uint32_t v)
{
    buf_put(b, &v, sizeof v);
}

static void pad(struct buf *b, size_t to)
{
    while (b->len < to && !b->failed)
        buf_putc(b, 0);
}

static void align(struct buf *b)
{
    pad(b, (b->len + 7) / 8 * 8);
}

static void put_note(struct helper_elf *h, const struct helper_elf_spec *spec)
{
    h->note = h->file.len;
    put32(&h->file, 4);
    put32(&h->file, (uint32_t)spec->build_id_bytes);
    put32(&h->file, NT_GNU_BUILD_ID);
    buf_put(&h->file, "GNU", 4);
    buf_put(&h->file, spec->build_id, spec->build_id_bytes);
    align(&h->file);
}

/* String table and symbol table for the same symbols; name offsets count from 1. */
static void put_strings(struct buf *b, const struct helper_elf_spec *spec)
{
    buf_putc(b, 0);
    for (size_t i = 0; i < spec->symbol_count; i++)
        buf_put(b, spec->symbols[i].name, strlen(spec->symbols[i].name) + 1);
    if (spec->soname)
        buf_put(b, spec->soname, strlen(spec->soname) + 1);
    align(b);
}

static void put_symbols(struct buf *b, const struct helper_elf_spec *spec)
{
    uint32_t name = 1;
    Elf64_Sym zero = {0};

    buf_put(b, &zero, sizeof zero);
    for (size_t i = 0; i < spec->symbol_count; i++) {
        const struct helper_elf_symbol *from = &spec->symbols[i];
        Elf64_Sym s = {.st_name = name,
                       .st_info = from->info ? from->info : ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                       .st_shndx = 1,
                       .st_value = from->value,
                       .st_size = from->bytes};

        buf_put(b, &s, sizeof s);
        name += (uint32_t)strlen(from->name) + 1;
    }
}

static void put_hash(struct helper_elf *h, const struct helper_elf_spec *spec)
{
    uint32_t n = (uint32_t)spec->symbol_count;

    h->hash = h->file.len;
    if (!spec->gnu_hash) {
        put32(&h->file, 1);
        put32(&h->file, n + 1);
        return;
    }
    /* one bucket, symbols from 1, one bloom word, one chain over all of them */
    put32(&h->file, 1);
    put32(&h->file, 1);
    put32(&h->file, 1);
    put32(&h->file, 0);
    put64(&h->file, 0);
    put32(&h->file, n ? 1 : 0);
    for (uint32_t i = 1; i <= n; i++)
        put32(&h->file, i == n ? 1 : 2);
    align(&h->file);
}

static void put_dyn(struct buf *b, int64_t tag, uint64_t value)
{
    put64(b, (uint64_t)tag);
    put64(b, value);
}

static void put_dynamic(struct helper_elf *h, const struct helper_elf_spec *spec, size_t strings)
{
    struct buf *b = &h->file;

    h->dynamic = b->len;
    put_dyn(b, DT_STRTAB, spec->base + h->dynstr);
    put_dyn(b, DT_STRSZ, strings);
    put_dyn(b, DT_SYMTAB, spec->base + h->dynsym);
    put_dyn(b, spec->gnu_hash ? DT_GNU_HASH : DT_HASH, spec->base + h->hash);
    if (spec->soname)
        put_dyn(b, DT_SONAME, strings - strlen(spec->soname) - 1);
    if (spec->pie)
        put_dyn(b, DT_FLAGS_1, DF_1_PIE | DF_1_NOW);
    put_dyn(b, DT_NULL, 0);
}

static void set_phdr(struct helper_elf *h, unsigned i, const Elf64_Phdr *p)
{
    memcpy(h->file.data + h->phdrs + i * sizeof *p, p, sizeof *p);
}

static void set_phdrs(struct helper_elf *h, const struct helper_elf_spec *spec, size_t dynamic_end)
{
    Elf64_Phdr p[PHDRS] = {
        {.p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = spec->base},
        {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = HELPER_ELF_TEXT},
        {.p_type = PT_NOTE, .p_offset = h->note, .p_align = 4},
        {.p_type = PT_DYNAMIC, .p_offset = h->dynamic, .p_filesz = dynamic_end - h->dynamic},
        {.p_type = spec->interp ? PT_INTERP : PT_NULL},
    };

    p[0].p_filesz = p[0].p_memsz = HELPER_ELF_TEXT;
    p[1].p_vaddr = spec->base + HELPER_ELF_TEXT;
    p[1].p_filesz = p[1].p_memsz = HELPER_ELF_TEXT_BYTES;
    p[2].p_filesz = spec->build_id_bytes ? 16 + spec->build_id_bytes : 0;
    for (unsigned i = 0; i < PHDRS; i++)
        set_phdr(h, i, &p[i]);
}

static void put_section(struct buf *b, uint32_t name, uint32_t type, uint64_t offset,
                        uint64_t bytes, uint32_t link)
{
    Elf64_Shdr s = {.sh_name = name,
                    .sh_type = type,
                    .sh_offset = offset,
                    .sh_size = bytes,
                    .sh_link = link,
                    .sh_addralign = 8};

    if (type == SHT_SYMTAB || type == SHT_DYNSYM)
        s.sh_entsize = sizeof(Elf64_Sym);
    buf_put(b, &s, sizeof s);
}

static void put_sections(struct helper_elf *h, const struct helper_elf_spec *spec,
                         size_t strings_bytes)
{
    size_t symbols_bytes = (spec->symbol_count + 1) * sizeof(Elf64_Sym), names;

    names = h->file.len;
    buf_put(&h->file, section_names, sizeof section_names);
    align(&h->file);
    h->sections = h->file.len;
    put_section(&h->file, 0, SHT_NULL, 0, 0, 0);
    put_section(&h->file, 1, SHT_PROGBITS, HELPER_ELF_TEXT, HELPER_ELF_TEXT_BYTES, 0);
    put_section(&h->file, 7, spec->no_symtab ? SHT_NULL : SHT_SYMTAB, h->symtab, symbols_bytes, 3);
    put_section(&h->file, 15, SHT_STRTAB, h->strtab, strings_bytes, 0);
    put_section(&h->file, 23, SHT_DYNSYM, h->dynsym, symbols_bytes, 5);
    put_section(&h->file, 31, SHT_STRTAB, h->dynstr, strings_bytes, 0);
    put_section(&h->file, 39, SHT_STRTAB, names, sizeof section_names, 0);
}

void helper_elf_make(struct helper_elf *h, const struct helper_elf_spec *spec)
{
    Elf64_Ehdr e = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1},
                    .e_type = spec->type ? spec->type : ET_DYN,
                    .e_machine = spec->machine ? spec->machine : EM_X86_64,
                    .e_version = 1,
                    .e_phoff = sizeof e,
                    .e_ehsize = sizeof e,
                    .e_phentsize = sizeof(Elf64_Phdr),
                    .e_phnum = PHDRS,
                    .e_shentsize = sizeof(Elf64_Shdr)};
    size_t strings, dynamic_end, strings_real = 1;

    *h = (struct helper_elf){.phdrs = sizeof e};
    for (size_t i = 0; i < spec->symbol_count; i++)
        strings_real += strlen(spec->symbols[i].name) + 1;
    strings_real += spec->soname ? strlen(spec->soname) + 1 : 0;
    buf_init(&h->file, HELPER_ELF_MAX_BYTES);
    pad(&h->file, sizeof e + PHDRS * sizeof(Elf64_Phdr));
    put_note(h, spec);
    h->dynstr = h->file.len;
    put_strings(&h->file, spec);
    strings = h->file.len - h->dynstr;
    h->dynsym = h->file.len;
    put_symbols(&h->file, spec);
    put_hash(h, spec);
    put_dynamic(h, spec, strings_real);
    dynamic_end = h->file.len;
    pad(&h->file, HELPER_ELF_TEXT + HELPER_ELF_TEXT_BYTES);
    h->symtab = h->file.len;
    put_symbols(&h->file, spec);
    h->strtab = h->file.len;
    put_strings(&h->file, spec);
    put_sections(h, spec, strings);
    if (!spec->no_sections) {
        e.e_shoff = h->sections;
        e.e_shnum = SECTIONS;
        e.e_shstrndx = SECTIONS - 1;
    }
    memcpy(h->file.data, &e, sizeof e);
    set_phdrs(h, spec, dynamic_end);
}

void helper_elf_release(struct helper_elf *h)
{
    buf_release(&h->file);
}

int helper_elf_memfd(const struct helper_elf *h)
{
    int fd = memfd_create("elf", MFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (write(fd, h->file.data, h->file.len) != (ssize_t)h->file.len) {
        close(fd);
        return -EIO;
    }
    return fd;
}
