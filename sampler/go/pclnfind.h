/*
 * pclnfind.h: where the pc-line table lies in a file: by its section (.gopclntab, in a PIE
 * .data.rel.ro.gopclntab), else by its magic in the loadable segments. Source:
 * cmd/link/internal/ld/pcln.go, data.go.
 */
#ifndef SAMPLER_GO_PCLNFIND_H
#define SAMPLER_GO_PCLNFIND_H

#include "sampler/go/pclntab.h"
#include "sampler/symbols/elf.h"

enum {
    PCLNFIND_CANDIDATES_MAX = 256, /* places with the right first eight bytes */
};

/**
 * pclnfind_open(e, ret, ret_vaddr): the table and its virtual address in the file. 0; -ENOENT:
 * none; -EBADMSG: only damaged ones; -ENOMEM.
 */
int pclnfind_open(const struct elf *e, struct pclntab *ret, uint64_t *ret_vaddr);

#endif
