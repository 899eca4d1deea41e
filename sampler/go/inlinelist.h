/*
 * inlinelist.h: what a stored list of pcs means, by the rule of runtime.(*Frames).Next
 * (runtime/symtab.go) and of runtime/pprof's appendLocsForStack.
 *
 * Lists come in two kinds that nothing tells apart. A logical one has an entry for each inlined
 * call too (an address that stands for it); a physical one has return addresses alone: block and
 * mutex records since Go 1.23, which may begin with a mark of all ones (logicalStackSentinel). One
 * rule reads both: an entry stands for its innermost function; where that was inlined, its caller
 * follows, and if the next entry is the caller's address, then that entry is used up.
 *
 * Addresses are looked up once each and remembered.
 */
#ifndef SAMPLER_GO_INLINELIST_H
#define SAMPLER_GO_INLINELIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sampler/go/image.h"

enum {
    INLINELIST_PLACES_MAX = 1024 * 1024, /* distinct addresses; a large program's heap has 50,000 */
    INLINELIST_TEXT_MAX_BYTES = 64 * 1024 * 1024,
};

struct inlinelist_level {
    uint64_t pc;        /* runtime.Frame.PC */
    const char *name;   /* as the symbol table has it: generic types written out */
    const char *file;   /* "" when unknown */
    int64_t line;       /* 0: unknown */
    int64_t start_line; /* 0: unknown */
};

/* What one entry of a list means. */
struct inlinelist_place {
    uint64_t pc;     /* the call's address: one below the entry, or it, where a function begins */
    uint64_t entry;  /* of the function that is really there */
    uint64_t plain;  /* levels without wrappers: bit 0 is the innermost; what is usual to show */
    uint32_t levels; /* 0: not Go's code, or a damaged table */
    bool goexit;     /* runtime.goexit: in no profile */
    bool runtime;    /* runtime.FuncForPC(entry of the list) is a function of the runtime */
};

/* A place as it stands in a certain list. */
struct inlinelist_step {
    uint32_t place;
    uint64_t shown; /* its levels, a bit each */
};

struct inlinelist; /* opaque */

/** inlinelist_new(image, ret): nothing looked up yet. ${image} must outlive it. 0 or -ENOMEM. */
int inlinelist_new(struct go_image *image, struct inlinelist **ret);
void inlinelist_free(struct inlinelist *l); /* NULL-safe */

/**
 * inlinelist_find(l, pc, ret): the number of the place of a list's entry. 0, -E2BIG, -ENOMEM. A pc
 * that is not known is no error: a place without levels.
 */
int inlinelist_find(struct inlinelist *l, uint64_t pc, uint32_t *ret);

/** inlinelist_place(l, place): valid until the next inlinelist_find. ${place} must be one of ours.
 */
const struct inlinelist_place *inlinelist_place(const struct inlinelist *l, uint32_t place);

/** inlinelist_level(l, place, level, ret): texts are valid until the next inlinelist_find. */
void inlinelist_level(const struct inlinelist *l, uint32_t place, uint32_t level,
                      struct inlinelist_level *ret);

/**
 * inlinelist_expand(l, pcs, count, whole, steps): the places of a list, leaf first, without marks;
 * ${steps} has room for ${count}. ${whole}: also what the last entry was inlined into, which
 * runtime/pprof adds to its profiles but not to its texts (a list that was cut has no other trace
 * of it). The number of steps, -E2BIG, -ENOMEM.
 */
int inlinelist_expand(struct inlinelist *l, const uint64_t *pcs, size_t count, bool whole,
                      struct inlinelist_step *steps);

/**
 * inlinelist_cut(l, steps, count, max, whole): leave at most ${max} frames, as a buffer of so many
 * would; ${whole}: the last place keeps all its levels. The number of steps left.
 */
int inlinelist_cut(const struct inlinelist *l, struct inlinelist_step *steps, int count, int max,
                   bool whole);

#endif
