/*
 * pclntab.h: Go's pc-line table, decoded straight from the file: functions by pc, pc-value tables
 * (stack deltas, files, lines, inlining), names. Go 1.18 to 1.26.
 *
 * A pure decoder over `struct file`: it knows neither memory nor load addresses; every code
 * address is an offset from the start of Go's text (moduledata.text). The header's own textStart
 * is never used: it is not relocated in a PIE and no longer stored since Go 1.26. Nothing is loaded
 * as a whole, so that a table of 100 MB costs what a small one does.
 *
 * Everything is hostile: each offset is checked against the table it points into and each walk is
 * bounded. Sources: runtime/symtab.go (pcHeader, _func, pcvalue, step, funcline1),
 * internal/abi/symtab.go, cmd/link/internal/ld/pcln.go of those versions.
 */
#ifndef SAMPLER_GO_PCLNTAB_H
#define SAMPLER_GO_PCLNTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sampler/symbols/file.h"

enum {
    PCLNTAB_HEADER_BYTES = 72,
    PCLNTAB_FUNCS_MAX = 4 * 1024 * 1024,
    PCLNTAB_STEPS_MAX = 1024 * 1024, /* of one pc-value table */
    /*
     * Work credit, in decoded steps (about 5 ns each): a lookup in a real table takes some
     * hundreds, in the largest functions a hundred thousand. A forged table could take a million
     * each time: the credit lets many long walks through, but not a life of them.
     */
    PCLNTAB_CREDIT_MAX = 512 * 1024 * 1024,
    PCLNTAB_CREDIT_PER_LOOKUP = 64 * 1024,
};

enum pclntab_magic {
    PCLNTAB_GO118 = 0, /* 0xfffffff0: Go 1.18, 1.19; no start lines, inline entries of 20 bytes */
    PCLNTAB_GO120 = 1, /* 0xfffffff1: Go 1.20 and newer */
};

/* Indices of PCDATA and FUNCDATA tables (internal/abi/symtab.go), the same in all versions. */
enum {
    PCLNTAB_PCDATA_INLINE_INDEX = 2,
    PCLNTAB_FUNCDATA_INLINE_TREE = 3,
};

struct pclntab {
    struct file *file;
    enum pclntab_magic magic;
    uint32_t nfunc;
    uint32_t quantum; /* unit of a pc step: 1 on amd64, 4 on arm64 */
    /* file offsets: where each table begins; it ends where the next one begins */
    uint64_t header, names, cus, files, pctab, funcs, end;
    uint64_t credit;
};

struct pclntab_func {
    uint32_t entry, end; /* offsets from Go's text: [entry, end) */
    uint64_t at;         /* file offset of its _func record */
    uint32_t name;       /* offset of its name, for pclntab_name() */
    uint32_t pcsp, pcfile, pcln;
    uint32_t cu; /* index of its compilation unit's first file */
    uint32_t npcdata;
    int32_t start_line; /* 0 before Go 1.20 */
    uint8_t id;         /* runtime.FuncID: numbers differ between versions */
    uint8_t flag;       /* 1 TOPFRAME, 2 SPWRITE, 4 ASM in all of them */
    uint8_t nfuncdata;
};

/**
 * pclntab_open(f, offset, limit, ret): is there a table at file offset ${offset} (which may hold
 * other things after it, up to ${limit})? 0, -ENOEXEC (no such magic), -EBADMSG (damaged).
 */
int pclntab_open(struct file *f, uint64_t offset, uint64_t limit, struct pclntab *ret);

/** pclntab_allow(t): one more lookup begins: add its share of work credit. */
void pclntab_allow(struct pclntab *t);

/** pclntab_func_at(t, pc, ret): the function that covers ${pc}. 0, -ENOENT, -EBADMSG. */
int pclntab_func_at(struct pclntab *t, uint32_t pc, struct pclntab_func *ret);

/** pclntab_func(t, index, ret): by index in the function table, below nfunc. */
int pclntab_func(struct pclntab *t, uint32_t index, struct pclntab_func *ret);

/**
 * pclntab_value(t, fn, table, pc, ret): the value of a pc-value table (pcsp, pcfile, pcln, or one
 * that pclntab_pcdata() found) at ${pc}; -1 where the function has no such table or the table ends
 * before ${pc} (padding), as the runtime does. 0 or -EBADMSG.
 */
int pclntab_value(struct pclntab *t, const struct pclntab_func *fn, uint32_t table, uint32_t pc,
                  int32_t *ret);

/** pclntab_pcdata(t, fn, index, pc, ret): the value of a PCDATA table; -1 when there is none. */
int pclntab_pcdata(struct pclntab *t, const struct pclntab_func *fn, uint32_t index, uint32_t pc,
                   int32_t *ret);

/** pclntab_funcdata(t, fn, index, ret): offset from moduledata.gofunc. 0, -ENOENT, -EBADMSG. */
int pclntab_funcdata(struct pclntab *t, const struct pclntab_func *fn, uint32_t index,
                     uint32_t *ret);

/**
 * pclntab_line(t, fn, pc, file, file_bytes, ret_line): file and line of ${pc}; "" and 0 when the
 * tables have none. The file is cut to file_bytes - 1. 0 or -EBADMSG.
 */
int pclntab_line(struct pclntab *t, const struct pclntab_func *fn, uint32_t pc, char *file,
                 size_t file_bytes, int64_t *ret_line);

/** pclntab_name(t, name, out, out_bytes): a name by its offset, cut to out_bytes - 1. */
int pclntab_name(const struct pclntab *t, uint32_t name, char *out, size_t out_bytes);

#endif
