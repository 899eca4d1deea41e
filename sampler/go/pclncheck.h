/*
 * pclncheck.h: does a pc-line table say what our decoder reads from it? The magic number of the
 * table changes when its records do, but nobody has promised that, and the fields of a version that
 * came after us are not known. So a table of an unknown version has to prove itself: functions from
 * all over the text decode, their names, files, lines and stack deltas are what such things are,
 * and some functions of the runtime have the flags and numbers that they have had since Go 1.18.
 */
#ifndef SAMPLER_GO_PCLNCHECK_H
#define SAMPLER_GO_PCLNCHECK_H

#include "sampler/go/nameindex.h"
#include "sampler/go/pclntab.h"

enum {
    PCLNCHECK_FUNCTIONS_MAX = 512, /* that are looked at, all over the table */
};

/**
 * pclncheck_run(t, names, ret_wrapper_id): 0 with the FuncID of compiler-made wrappers as this
 * table has it; -EBADMSG: not the formats we know; -ENOMEM.
 */
int pclncheck_run(struct pclntab *t, struct nameindex *names, uint8_t *ret_wrapper_id);

#endif
