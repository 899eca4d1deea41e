/*
 * helper_elfmem.h: struct target over an ELF file of any machine, as its memory would be right
 * after it was loaded: segments at a bias, zeros behind them, relative relocations applied. For
 * programs that cannot run here.
 */
#ifndef TESTS_UNIT_HELPER_ELFMEM_H
#define TESTS_UNIT_HELPER_ELFMEM_H

#include "sampler/symbols/target.h"

struct helper_elfmem {
    struct target target; /* give &m.target away; it has no readv and no open */
    uint64_t low, bytes, bias;
    unsigned char *memory; /* of [low, low + bytes) + bias */
};

/** helper_elfmem_load(m, path, bias): 0, -ENOEXEC. */
int helper_elfmem_load(struct helper_elfmem *m, const char *path, uint64_t bias);
void helper_elfmem_release(struct helper_elfmem *m);

#endif
