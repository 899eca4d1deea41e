/*
 * inline.h: the functions that were inlined at a pc: the inline tree of its function, walked from
 * the innermost call outwards. Sources: runtime/symtabinl.go, runtime/symtab.go (inlinedCall) of Go
 * 1.18 to 1.26.
 */
#ifndef SAMPLER_GO_INLINE_H
#define SAMPLER_GO_INLINE_H

#include "sampler/go/pclntab.h"
#include "sampler/symbols/elf.h"

struct inline_level {
    uint32_t pc;        /* offset from text whose file and line are this level's */
    uint32_t name;      /* for pclntab_name() */
    int32_t start_line; /* 0: unknown */
    uint8_t id;         /* runtime.FuncID */
};

/**
 * inline_walk(t, elf, gofunc, fn, pc, levels, max): ${gofunc} is moduledata.gofunc as a virtual
 * address of the file, ${pc} an offset from text inside ${fn}. Fills at most ${max} (>= 1) levels,
 * innermost first; the last is ${fn} itself; where there are more, those before the last are left
 * out. Their number, or -EBADMSG: a tree outside the file, or one that does not lead to ${fn}.
 */
int inline_walk(struct pclntab *t, const struct elf *elf, uint64_t gofunc,
                const struct pclntab_func *fn, uint32_t pc, struct inline_level *levels,
                size_t max);

#endif
