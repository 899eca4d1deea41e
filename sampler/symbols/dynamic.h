/*
 * dynamic.h: the dynamic section of an ELF file (System V gABI, "Dynamic Section"), for files
 * whose section headers were cut off: where the dynamic symbols are and how many there are. It
 * knows only the file; addresses are turned into offsets by the caller.
 */
#ifndef SAMPLER_SYMBOLS_DYNAMIC_H
#define SAMPLER_SYMBOLS_DYNAMIC_H

#include <stdbool.h>

#include "sampler/symbols/file.h"

enum {
    DYNAMIC_ENTRIES_MAX = 4096,
};

struct dynamic {
    uint64_t symtab, strtab, hash, gnu_hash; /* virtual addresses in the file, 0: none */
    uint64_t strings_bytes;
    bool soname; /* has DT_SONAME: a library */
    bool pie;    /* DF_1_PIE: the linker made it as a program */
};

/** dynamic_read(f, offset, bytes, ret): up to DT_NULL; what cannot be read counts as absent. */
void dynamic_read(struct file *f, uint64_t offset, uint64_t bytes, struct dynamic *ret);

/** dynamic_count_hash(f, offset): symbols by the DT_HASH table at a file offset; 0: unreadable. */
uint64_t dynamic_count_hash(struct file *f, uint64_t offset);

/**
 * dynamic_count_gnu(f, offset, max): symbols by the DT_GNU_HASH table: the highest number any
 * bucket's chain reaches, plus one. At most ${max} buckets and chain links are read; 0: none.
 */
uint64_t dynamic_count_gnu(struct file *f, uint64_t offset, uint64_t max);

#endif
