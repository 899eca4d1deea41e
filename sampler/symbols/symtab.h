/*
 * symtab.h: the functions of one ELF symbol table, sorted by address, 16 bytes each. Only
 * STT_FUNC and STT_GNU_IFUNC; names stay in the file until one is wanted. Source: System V gABI,
 * "Symbol Table".
 */
#ifndef SAMPLER_SYMBOLS_SYMTAB_H
#define SAMPLER_SYMBOLS_SYMTAB_H

#include "sampler/symbols/file.h"

enum {
    /* Look-back over functions that end before the address wanted; more is a hostile table. */
    SYMTAB_NESTED_MAX = 1024,
};

/* A symbol table in a file. */
struct symtab_where {
    uint64_t offset, count;        /* of Elf64_Sym */
    uint64_t strings, strings_end; /* file offsets of its string table */
};

struct symtab; /* opaque */

/**
 * symtab_load(f, where, max, ret): at most ${max} entries are looked at. What cannot be read ends
 * the table there. 0, -ENOENT (no function in it), -ENOMEM.
 */
int symtab_load(struct file *f, const struct symtab_where *where, uint64_t max,
                struct symtab **ret);
void symtab_free(struct symtab *t);

/** symtab_count(t): functions in it. */
size_t symtab_count(const struct symtab *t);

/**
 * symtab_find(t, vaddr, ret_start, ret_name): the innermost function that covers ${vaddr}; of equal
 * ranges the global before the weak before the local one. A function without a size covers its
 * first address alone, and gives way to one with a size. *ret_name is the offset of the name in
 * the file. 0 or -ENOENT.
 */
int symtab_find(const struct symtab *t, uint64_t vaddr, uint64_t *ret_start, uint64_t *ret_name,
                uint64_t *ret_name_limit);

#endif
