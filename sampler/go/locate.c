#include "sampler/go/locate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sampler/go/operands.h"
#include "sampler/go/recipe.h"

enum {
    SLOTS = LOCATE_CANDIDATES_MAX * 2, /* a power of two, never more than half full */
    EXACT_WEIGHT = 4,
    VARIABLE_ALIGN = 4, /* the smallest of ours is a uint32 */
    INT3 = 0xCC,        /* the linker's padding between functions */
};

struct candidate {
    uint64_t base; /* 0: a free slot */
    uint32_t votes, exact;
    uint32_t voter; /* the last function that voted for it: one vote each */
    bool refused;
};

/* One election: the candidates by address, and room for the code of one function after another. */
struct ballot {
    struct candidate *slots;
    uint32_t used;
    uint64_t lo, hi; /* the variables of the program */
    uint8_t kind;    /* of its code: GO_RECIPE_PLAIN or GO_RECIPE_PIE */
    uint8_t *code;
};

static struct candidate *candidate_of(struct ballot *b, uint64_t base)
{
    uint64_t slot = (base * UINT64_C(0x9E3779B97F4A7C15)) >> 32; /* 2^64 / golden ratio */

    for (;; slot++) {
        struct candidate *c = &b->slots[slot % SLOTS];

        if (c->base == base)
            return c;
        if (c->base == 0) {
            if (b->used == LOCATE_CANDIDATES_MAX)
                return NULL; /* no runtime function looks like that: its vote is not heard */
            b->used++;
            c->base = base;
            return c;
        }
    }
}

/* One function that is asked. */
struct poll {
    struct ballot *ballot;
    const struct go_recipe *recipe;
    uint32_t voter;
};

/*
 * What one operand of one function says. It may be any of the references that the recipe has for
 * the function, so it speaks for several addresses; only the right one hears it from many.
 */
static void vote(struct ballot *b, const struct go_recipe *r, uint32_t voter, size_t at,
                 uint64_t operand)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct go_recipe_ref *ref = &go_recipe_refs[r->first + i];
        uint64_t base = operand - ref->inside;
        struct candidate *c;

        if (base > operand || base < b->lo || base >= b->hi || base % VARIABLE_ALIGN != 0 ||
            base == 0)
            continue;
        c = candidate_of(b, base);
        if (!c)
            continue;
        if (c->voter != voter) {
            c->voter = voter;
            c->votes++;
        }
        c->exact += ref->at == at && (ref->kinds & b->kind);
    }
}

/* operands_find() tells one operand of the function that is asked. */
static void hear(void *ctx, size_t at, uint64_t operand)
{
    const struct poll *p = ctx;

    if (operand >= p->ballot->lo && operand < p->ballot->hi)
        vote(p->ballot, p->recipe, p->voter, at, operand);
}

/* 0 also when this function is not there or not readable: the others vote. */
static int poll_function(struct ballot *b, struct go_image *image, const struct target *target,
                         const struct go_recipe *r, uint32_t voter)
{
    struct poll p = {b, r, voter};
    uint64_t entry = 0, end = 0;
    int e;

    if (go_image_function(image, r->function, &entry, &end) != 0)
        return 0;
    if (end <= entry || end - entry > LOCATE_FUNCTION_MAX_BYTES)
        return 0;
    e = target->ops->read(target->ctx, entry, b->code + OPERANDS_LEAD_BYTES, (size_t)(end - entry));
    if (e == -ESRCH || e == -EPERM)
        return e;
    if (e == 0)
        operands_find(r->machine, b->code + OPERANDS_LEAD_BYTES, (size_t)(end - entry), entry, hear,
                      &p);
    return 0;
}

/* A function at its recipe's very bytes is this version's code: worth more than a vote. */
static uint64_t score_of(const struct candidate *c)
{
    return c->votes + (uint64_t)EXACT_WEIGHT * c->exact;
}

/* The best one that the caller's check lets pass; NULL when none is left or too many were shown. */
static struct candidate *best_of(struct ballot *b, const struct candidate *except, uint64_t min,
                                 int (*valid)(void *, uint64_t), void *ctx, unsigned *shown)
{
    for (;;) {
        struct candidate *best = NULL;

        for (size_t i = 0; i < SLOTS; i++) {
            struct candidate *c = &b->slots[i];

            if (c->base == 0 || c->refused || c == except || score_of(c) < min)
                continue;
            if (!best || score_of(c) > score_of(best) ||
                (score_of(c) == score_of(best) && c->base < best->base))
                best = c;
        }
        if (!best || !valid || valid(ctx, best->base))
            return best;
        best->refused = true;
        if (++*shown >= LOCATE_VALID_MAX)
            return NULL;
    }
}

static int elect(struct ballot *b, int (*valid)(void *, uint64_t), void *ctx, uint64_t *ret)
{
    unsigned shown = 0;
    struct candidate *best = best_of(b, NULL, LOCATE_SCORE_MIN, valid, ctx, &shown);
    struct candidate *second;

    if (!best)
        return -ENOENT;
    /* Clear: at least twice the second's score. */
    second = best_of(b, best, score_of(best) / 2 + 1, valid, ctx, &shown);
    if (second || shown >= LOCATE_VALID_MAX)
        return -ENOENT;
    *ret = best->base;
    return 0;
}

int go_locate(struct go_image *image, const struct target *target, const char *var,
              int (*valid)(void *ctx, uint64_t address), void *ctx, uint64_t *ret)
{
    struct ballot b = {0};
    uint16_t machine = go_image_machine(image);
    int minor = go_image_formats(image);
    uint32_t voter = 0;
    int r = 0;

    go_image_data(image, &b.lo, &b.hi);
    b.kind = go_image_is_pie(image) ? GO_RECIPE_PIE : GO_RECIPE_PLAIN;
    b.slots = calloc(SLOTS, sizeof(*b.slots));
    b.code = malloc(OPERANDS_LEAD_BYTES + LOCATE_FUNCTION_MAX_BYTES);
    if (!b.slots || !b.code) {
        r = -ENOMEM;
        goto out;
    }
    memset(b.code, INT3, OPERANDS_LEAD_BYTES);
    for (size_t i = 0; i < go_recipe_count && r == 0; i++) {
        const struct go_recipe *recipe = &go_recipe_table[i];

        if (recipe->machine == machine && recipe->minor == minor &&
            strcmp(recipe->variable, var) == 0)
            r = poll_function(&b, image, target, recipe, ++voter);
    }
    if (r == 0)
        r = elect(&b, valid, ctx, ret);
out:
    free(b.code);
    free(b.slots);
    return r;
}
