/*
 * helper_goelf.h: a tiny Go "executable" made of bytes: three functions, an inline tree, build
 * information and module data, without section headers. Tests know what it says and may damage it
 * at the recorded places; fuzzing begins with it.
 *
 * Text is at HELPER_GOELF_TEXT. main.outer has main.inner inlined in main.mid inlined in itself:
 *
 *   pc offset   00..3f runtime.start   40..7f main.outer           80..9f main.(*T).Wrap (a
 * wrapper) line        5                      10, 48: inner 31, 50: mid 22, 58: 12     1 stack
 * delta 0                      0, 44: 24, 7f: 0                         8
 */
#ifndef TESTS_UNIT_HELPER_GOELF_H
#define TESTS_UNIT_HELPER_GOELF_H

#include <stdbool.h>

#include "base/buf.h"

enum {
    HELPER_GOELF_TEXT = 0x401000,
    HELPER_GOELF_TEXT_BYTES = 0xa0,
    HELPER_GOELF_RO = 0x402000,
    HELPER_GOELF_RW = 0x10000000,
    HELPER_GOELF_MAX_BYTES = 16 * 1024 * 1024,
    HELPER_GOELF_MODULE_BYTES = 328, /* of moduledata, as far as it is read */
};

struct helper_goelf {
    struct buf file;
    /* file offsets, for damage */
    size_t tree, pclntab, names, files, pctab, functab, outer_func, wrap_func, end;
    size_t inline_table; /* the pc-value table of main.outer's inline indices */
    size_t buildinfo, module;
};

/**
 * helper_goelf_make(h, version, outer_name, dyn): ${version} decides the formats; ${outer_name}
 * NULL: "main.outer". ${dyn}: ET_DYN, and the file's pointers are zero, as before relocation.
 */
void helper_goelf_make(struct helper_goelf *h, const char *version, const char *outer_name,
                       bool dyn);

/** helper_goelf_relocate(h, bias, out): the module data as it is in memory. */
void helper_goelf_relocate(const struct helper_goelf *h, uint64_t bias,
                           unsigned char out[HELPER_GOELF_MODULE_BYTES]);

void helper_goelf_release(struct helper_goelf *h);

/** helper_goelf_put32(h, at, value), _put64: damage. */
void helper_goelf_put32(struct helper_goelf *h, size_t at, uint32_t value);
void helper_goelf_put64(struct helper_goelf *h, size_t at, uint64_t value);

/**
 * helper_goelf_steps(b, count, values, ends): append a pc-value table: values[i] holds until
 * ends[i] (an offset from the function's entry).
 */
void helper_goelf_steps(struct buf *b, size_t count, const int32_t *values, const uint32_t *ends);

#endif
