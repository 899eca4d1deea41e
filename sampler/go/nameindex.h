/*
 * nameindex.h: the runtime's functions by name. The pc table is ordered by address only; finding
 * some fifty names at start-up is worth one pass over it. Only names that begin with "runtime."
 * are kept (some thousands); others are found by a pass of their own.
 */
#ifndef SAMPLER_GO_NAMEINDEX_H
#define SAMPLER_GO_NAMEINDEX_H

#include "sampler/go/pclntab.h"

enum {
    NAMEINDEX_NAMES_MAX = 64 * 1024, /* a real runtime has about 8,000 */
    NAMEINDEX_NAME_MAX_BYTES = 256,  /* longer names are not found */
    /* The whole table of names; large programs have 10 MB. A hole in a file can be terabytes. */
    NAMEINDEX_TABLE_MAX_BYTES = 128 * 1024 * 1024,
};

struct nameindex; /* opaque */

/** nameindex_new(ret): empty; nothing is read before the first question. */
int nameindex_new(struct nameindex **ret);
void nameindex_free(struct nameindex *n);

/**
 * nameindex_find(n, t, wrapper_id, name, ret): the function of that name; of several the first that
 * is no compiler-made wrapper (FuncID ${wrapper_id}). 0, -ENOENT, -EBADMSG, -ENOMEM.
 */
int nameindex_find(struct nameindex *n, struct pclntab *t, uint8_t wrapper_id, const char *name,
                   struct pclntab_func *ret);

#endif
