/*
 * locate.h: where a variable of the Go runtime is, in a program without symbols.
 *
 * The functions of the runtime that mention the variable (recipe.h) are found by their names and
 * their code is searched for operands that name an address (operands.h). Each function votes for
 * the addresses that its operands would make the variable's, and an operand at exactly the byte
 * that the recipe names counts four more. A clear winner is the answer; anything else is "not
 * found": a guessed address would turn into wrong profiles. Measured on Go 1.18 to 1.26, amd64 and
 * arm64, plain, PIE, stripped, -race, externally linked: never a wrong address. A version that has
 * no recipes is looked for with those of the nearest one: then a check (${valid}) has to decide.
 *
 * Symbols are not looked at even when they are there: one way, tested by every run.
 */
#ifndef SAMPLER_GO_LOCATE_H
#define SAMPLER_GO_LOCATE_H

#include <stdint.h>

#include "sampler/go/image.h"
#include "sampler/symbols/target.h"

enum {
    LOCATE_FUNCTION_MAX_BYTES =
        64 * 1024,                /* of a function that votes; the largest has about 8 KiB */
    LOCATE_CANDIDATES_MAX = 4096, /* addresses with a vote; about 100 in a real program */
    LOCATE_VALID_MAX = 64,        /* candidates shown to the caller's check */
    LOCATE_SCORE_MIN = 3,
};

/**
 * go_locate(image, target, var, valid, ctx, ret): the address in memory of runtime.${var} ("sched",
 * "allgs", …). ${valid} (may be NULL) says 1 for an address that holds what the variable should
 * hold; candidates it refuses do not count. 0; -ENOENT: no clear winner, or no recipe for this
 * variable and version; -ENOMEM; -ESRCH or -EPERM when the code cannot be read at all.
 */
int go_locate(struct go_image *image, const struct target *target, const char *var,
              int (*valid)(void *ctx, uint64_t address), void *ctx, uint64_t *ret);

#endif
