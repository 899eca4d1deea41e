/*
 * recipe.h: how the Go runtime's variables are found without symbols: which functions of the
 * runtime mention a variable, at which byte, and which word of it. The rows are made by
 * tools/golayout/regen.sh from programs with symbols (linux/amd64, plain and PIE); locate.c lets
 * them vote.
 */
#ifndef SAMPLER_GO_RECIPE_H
#define SAMPLER_GO_RECIPE_H

#include <stddef.h>
#include <stdint.h>

struct go_recipe_ref {
    uint16_t at;     /* offset of the ModRM byte from the function's entry */
    uint32_t inside; /* offset of the word it refers to inside the variable */
};

struct go_recipe {
    uint8_t minor;        /* 26 for go1.26 */
    const char *variable; /* without "runtime." */
    const char *function; /* as pclntab names it */
    uint16_t first;       /* its references: go_recipe_refs[first], … */
    uint16_t count;
};

/* Rows of one (minor, variable) are next to each other. */
extern const struct go_recipe go_recipe_table[];
extern const size_t go_recipe_count;
extern const struct go_recipe_ref go_recipe_refs[];
extern const size_t go_recipe_ref_count;

#endif
