/*
 * moduledata.h: runtime.firstmoduledata, found without symbols: where text, data and the inline
 * trees are in memory. Source: runtime/symtab.go (moduledata) of Go 1.18 to 1.26.
 *
 * The file tells candidates (its length words are plain numbers even in a PIE), memory decides
 * (its pointers are only true there).
 */
#ifndef SAMPLER_GO_MODULEDATA_H
#define SAMPLER_GO_MODULEDATA_H

#include "sampler/go/pclntab.h"
#include "sampler/symbols/elf.h"
#include "sampler/symbols/target.h"

enum {
    MODULEDATA_CANDIDATES_MAX = 64, /* look-alikes that are compared with memory */
    MODULEDATA_MINOR_MIN = 18,      /* Go 1.18 */
    MODULEDATA_MINOR_MAX = 26,      /* Go 1.26; newer ones have to prove that theirs is the same */
};

struct moduledata { /* addresses in the target's memory */
    uint64_t address;
    uint64_t text, etext;
    /* The runtime's variables lie in [noptrdata, enoptrbss); where the C linker had the last word
     * (cgo), data comes first. */
    uint64_t noptrdata, data, enoptrbss;
    uint64_t rodata;
    uint64_t gofunc; /* FUNCDATA offsets count from here */
};

/**
 * moduledata_find(elf, target, bias, pclntab_vaddr, t, minor, ret): ${pclntab_vaddr} is its virtual
 * address in the file. With a ${minor} above MODULEDATA_MINOR_MAX, every field that is used is
 * compared with what the file says otherwise. Where memory may not be read (-EPERM) a file that is
 * not position independent is read instead. 0; -ENOENT: none; -EPERM, -ESRCH from the target;
 * -ENOMEM.
 */
int moduledata_find(const struct elf *elf, const struct target *target, uint64_t bias,
                    uint64_t pclntab_vaddr, const struct pclntab *t, int minor,
                    struct moduledata *ret);

#endif
