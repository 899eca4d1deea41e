/*
 * helper_elf.h: small x86-64 ELF files made of bytes, for the readers of sampler/symbols.
 *
 * Page 0 of the file: headers, build id, dynamic section, hash table, dynamic symbols. Text of
 * HELPER_ELF_TEXT_BYTES at file offset and address HELPER_ELF_TEXT (plus the base). Behind it
 * .symtab, .strtab and the section headers. The places are recorded for damage.
 */
#ifndef TESTS_UNIT_HELPER_ELF_H
#define TESTS_UNIT_HELPER_ELF_H

#include <stdbool.h>

#include "base/buf.h"

enum {
    HELPER_ELF_TEXT = 0x1000,
    HELPER_ELF_TEXT_BYTES = 0x2000,
    HELPER_ELF_MAX_BYTES = 1024 * 1024,
    HELPER_ELF_SYMTAB_INDEX = 2, /* of its section header */
};

struct helper_elf_symbol {
    const char *name;
    uint64_t value, bytes;
    unsigned char info; /* 0: global function */
};

struct helper_elf_spec {
    uint16_t type;    /* 0: ET_DYN */
    uint16_t machine; /* 0: EM_X86_64 */
    uint64_t base;    /* address of file offset 0 */
    const char *soname;
    bool interp, pie;
    bool no_sections; /* e_shoff 0 */
    bool no_symtab;   /* .dynsym only */
    bool gnu_hash;    /* DT_GNU_HASH instead of DT_HASH */
    const struct helper_elf_symbol *symbols;
    size_t symbol_count;
    const unsigned char *build_id;
    size_t build_id_bytes;
};

struct helper_elf {
    struct buf file;
    size_t phdrs, note, dynamic, hash, dynsym, dynstr, symtab, strtab, sections;
};

void helper_elf_make(struct helper_elf *h, const struct helper_elf_spec *spec);
void helper_elf_release(struct helper_elf *h);

/** helper_elf_memfd(h): an open file with its content, or -errno. */
int helper_elf_memfd(const struct helper_elf *h);

#endif
