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
    SYMTAB_NAMES_MAX = 8, /* of one function; libc has up to 5 */
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

/* The function found, and where its names stand: it may have several (write, __write). */
struct symtab_hit {
    uint64_t start;
    uint64_t names_end; /* each name ends before this file offset */
    uint32_t names;
    uint64_t name[SYMTAB_NAMES_MAX]; /* file offsets, best first: global, then weak; or all local */
};

/**
 * symtab_find(t, vaddr, ret): the innermost function that covers ${vaddr}. Local names only where
 * there is no other. A function without a size covers its first address alone, and gives way to
 * one with a size. 0 or -ENOENT.
 */
int symtab_find(const struct symtab *t, uint64_t vaddr, struct symtab_hit *ret);

#endif
