/*
 * recipe.h: how the Go runtime's variables are found without symbols: which functions of the
 * runtime mention a variable, at which byte, and which word of it. The rows are made by
 * tools/golayout/regen.sh from programs with symbols (linux, amd64 and arm64, plain and PIE);
 * locate.c lets them vote.
 */
#ifndef SAMPLER_GO_RECIPE_H
#define SAMPLER_GO_RECIPE_H

#include <elf.h> /* EM_X86_64, EM_AARCH64 */
#include <stddef.h>
#include <stdint.h>

/*
 * Code for PIE differs a little: what is one variable's place in the one may be another's in the
 * other. A way to build that has a reference where the recipe says is a bit of kinds.
 */
enum {
    GO_RECIPE_PLAIN = 1,
    GO_RECIPE_PIE = 2, /* -buildmode=pie: ET_DYN */
};

struct go_recipe_ref {
    uint16_t at;     /* offset of the ModRM byte or the ADRP from the function's entry */
    uint8_t kinds;   /* GO_RECIPE_PLAIN, GO_RECIPE_PIE, or both */
    uint32_t inside; /* offset of the word it refers to inside the variable */
};

struct go_recipe {
    uint16_t machine;     /* EM_X86_64, EM_AARCH64 */
    uint8_t minor;        /* 26 for go1.26 */
    const char *variable; /* without "runtime." */
    const char *function; /* as pclntab names it */
    uint16_t first;       /* its references: go_recipe_refs[first], … */
    uint16_t count;
};

/* Rows of one (machine, minor, variable) are next to each other. */
extern const struct go_recipe go_recipe_table[];
extern const size_t go_recipe_count;
extern const struct go_recipe_ref go_recipe_refs[];
extern const size_t go_recipe_ref_count;

#endif
