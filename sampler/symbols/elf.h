/*
 * elf.h: a 64-bit little-endian ELF file: segments, sections, build id, function symbols.
 * Sources: elf(5), the System V gABI. x86-64 and AArch64.
 */
#ifndef SAMPLER_SYMBOLS_ELF_H
#define SAMPLER_SYMBOLS_ELF_H

#include <stdbool.h>

#include "base/err.h"
#include "sampler/symbols/file.h"

enum {
    ELF_SEGMENTS_MAX = 128,
    ELF_SECTIONS_MAX = 4096,
    ELF_SYMBOLS_MAX = 4 * 1024 * 1024,
    ELF_BUILD_ID_MAX_BYTES = 64,
};

/* A PT_LOAD; offset + filesz and vaddr + memsz do not overflow, filesz <= memsz. */
struct elf_segment {
    uint64_t vaddr, memsz, offset, filesz;
    uint32_t flags; /* PF_R, PF_W, PF_X */
};

/* A section header as it stands in the file: unchecked, read its content by file_read(). */
struct elf_section {
    uint64_t address, offset, bytes;
    uint32_t type, link;
    uint64_t entry_bytes;
    uint64_t flags;
};

struct elf; /* opaque; owns nothing of the file */

/** elf_open(f, ret, e): -ENOEXEC (not an ELF of ours) with the reason. ${f} must outlive it. */
int elf_open(struct file *f, struct elf **ret, struct err *e);
void elf_free(struct elf *e);
/** elf_trim(e): give the symbol table back; the next elf_symbol() loads it again. */
void elf_trim(struct elf *e);
/** elf_symbols_held(e): symbols in memory now, 16 bytes each. */
size_t elf_symbols_held(const struct elf *e);
/**
 * elf_symbols_most(e): entries that the next elf_symbol() looks at to load its table, by what the
 * headers claim and the file's size allows; 0 when it need not. At most 3 * ELF_SYMBOLS_MAX.
 */
uint64_t elf_symbols_most(const struct elf *e);

struct file *elf_file(const struct elf *e);
uint16_t elf_machine(const struct elf *e); /* EM_X86_64, EM_AARCH64 */
bool elf_is_dyn(const struct elf *e);      /* ET_DYN: position independent */
/**
 * elf_is_program(e): is it what execve(2) starts, and no library? ET_EXEC, or position independent
 * with an interpreter or DF_1_PIE and without DT_SONAME (libc.so.6 and ld.so have one).
 */
bool elf_is_program(const struct elf *e);
size_t elf_segments(const struct elf *e, const struct elf_segment **ret); /* PT_LOADs */

/** elf_section_find(e, name, ret): 0 or -ENOENT (also when there are no section headers). */
int elf_section_find(const struct elf *e, const char *name, struct elf_section *ret);

/** elf_vaddr_to_offset(e, vaddr, ret_offset, ret_left): within file content; -EFAULT. */
int elf_vaddr_to_offset(const struct elf *e, uint64_t vaddr, uint64_t *ret_offset,
                        uint64_t *ret_left);
/**
 * elf_offset_to_vaddr(e, offset, ret): for an executable mapping's file offset, which is rounded
 * down to a page (so the result may lie below the segment's first address). -EFAULT.
 */
int elf_offset_to_vaddr(const struct elf *e, uint64_t offset, uint64_t *ret);

/** elf_read(e, vaddr, out, bytes): file content at a virtual address (not relocated). */
int elf_read(const struct elf *e, uint64_t vaddr, void *out, size_t bytes);

/** elf_build_id(e, out, out_bytes): hex GNU build id, "" when none. Returns its length. */
size_t elf_build_id(const struct elf *e, char *out, size_t out_bytes);

/**
 * elf_symbol(e, vaddr, out, out_bytes, ret_offset): name of the function that covers ${vaddr}, from
 * .symtab, else .dynsym; never past the symbol's size. 0, -ENOENT. Loads a sorted table on first
 * use (bounded).
 */
int elf_symbol(struct elf *e, uint64_t vaddr, char *out, size_t out_bytes, uint64_t *ret_offset);

#endif
