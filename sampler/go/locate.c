#include "sampler/go/locate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sampler/go/recipe.h"

enum {
    SLOTS = LOCATE_CANDIDATES_MAX * 2, /* a power of two, never more than half full */
    LEAD_BYTES = 4,    /* kept before a function: what its first opcodes look back at */
    OPERAND_BYTES = 5, /* ModRM and a 32-bit displacement */
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
    uint8_t *code;
};

/* A set of byte values. */
static bool any_of(uint8_t byte, const uint8_t *set, size_t bytes)
{
    return memchr(set, byte, bytes) != NULL;
}

/*
 * Bytes of immediate behind the displacement of the instruction whose ModRM byte is at p, or -1
 * when the bytes before are no opcode known to take one (Intel SDM volume 2, appendix A). The
 * generator's rule (tools/golayout/xref.go) is the same, so that both see the same operands.
 */
static int two_byte_immediate(uint8_t op)
{
    static const uint8_t imm8[] = {0xA4, 0xAC, 0xBA, 0xC2, 0xC6};
    static const uint8_t none[] = {0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x18, 0x28, 0x29,
                                   0x2A, 0x2E, 0x2F, 0x58, 0x59, 0x5C, 0x5E, 0x6E, 0x6F,
                                   0x7E, 0x7F, 0xA3, 0xAB, 0xAF, 0xB0, 0xB1, 0xB3, 0xB6,
                                   0xB7, 0xBE, 0xBF, 0xC0, 0xC1, 0xD6};

    if (any_of(op, imm8, sizeof(imm8)))
        return 1;
    if ((op & 0xF0) == 0x40 || (op & 0xF0) == 0x90 || any_of(op, none, sizeof(none)))
        return 0; /* cmovcc, setcc, moves */
    return -1;
}

static int one_byte_immediate(const uint8_t *p)
{
    static const uint8_t imm8[] = {0x6B, 0x80, 0x83, 0xC0, 0xC1, 0xC6};
    static const uint8_t imm32[] = {0x69, 0x81, 0xC7};
    static const uint8_t vex[] = {0x10, 0x28, 0x6F, 0x7E, 0x7F, 0xD6};
    static const uint8_t none[] = {0x01, 0x03, 0x09, 0x0B, 0x11, 0x13, 0x19, 0x1B, 0x21, 0x23, 0x29,
                                   0x2B, 0x31, 0x33, 0x38, 0x39, 0x3A, 0x3B, 0x63, 0x84, 0x85, 0x86,
                                   0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8D, 0xD1, 0xD3, 0xFE, 0xFF};
    bool rex = (p[-2] & 0xF0) == 0x40;
    uint8_t op = p[-1];

    if (any_of(op, imm8, sizeof(imm8)))
        return 1;
    if (any_of(op, imm32, sizeof(imm32)))
        return p[-2] == 0x66 || (rex && p[-3] == 0x66) ? 2 : 4;
    if (op == 0xF6 || op == 0xF7) { /* only TEST has an immediate there */
        if (((p[0] >> 3) & 7) >= 2)
            return 0;
        return op == 0xF6 ? 1 : 4;
    }
    if (any_of(op, vex, sizeof(vex)))
        return p[-3] == 0xC5 || p[-4] == 0xC4 ? 0 : -1;
    return any_of(op, none, sizeof(none)) ? 0 : -1;
}

static int immediate_bytes(const uint8_t *p)
{
    int n = p[-2] == 0x0F ? two_byte_immediate(p[-1]) : -1;

    return n >= 0 ? n : one_byte_immediate(p);
}

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
        c->exact += ref->at == at;
    }
}

/*
 * All operands of one function. Every byte may be a ModRM byte: instructions are not taken apart,
 * and what is none mostly points outside the program's data.
 */
static void poll_code(struct ballot *b, const struct go_recipe *r, uint32_t voter, uint64_t entry,
                      size_t bytes)
{
    for (size_t at = 1; at + OPERAND_BYTES <= bytes; at++) {
        const uint8_t *p = b->code + LEAD_BYTES + at;
        int32_t displacement;
        uint64_t operand;
        int immediate;

        if ((*p & 0xC7) != 0x05) /* mod 00, rm 101: relative to the next instruction */
            continue;
        immediate = immediate_bytes(p);
        if (immediate < 0)
            continue;
        memcpy(&displacement, p + 1, sizeof(displacement));
        operand =
            entry + at + OPERAND_BYTES + (uint64_t)immediate + (uint64_t)(int64_t)displacement;
        if (operand >= b->lo && operand < b->hi)
            vote(b, r, voter, at, operand);
    }
}

/* 0 also when this function is not there or not readable: the others vote. */
static int poll_function(struct ballot *b, struct go_image *image, const struct target *target,
                         const struct go_recipe *r, uint32_t voter)
{
    uint64_t entry = 0, end = 0;
    int e;

    if (go_image_function(image, r->function, &entry, &end) != 0)
        return 0;
    if (end <= entry || end - entry > LOCATE_FUNCTION_MAX_BYTES)
        return 0;
    e = target->ops->read(target->ctx, entry, b->code + LEAD_BYTES, (size_t)(end - entry));
    if (e == -ESRCH || e == -EPERM)
        return e;
    if (e == 0)
        poll_code(b, r, voter, entry, (size_t)(end - entry));
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
    int minor = go_image_minor(image);
    uint32_t voter = 0;
    int r = 0;

    go_image_data(image, &b.lo, &b.hi);
    b.slots = calloc(SLOTS, sizeof(*b.slots));
    b.code = malloc(LEAD_BYTES + LOCATE_FUNCTION_MAX_BYTES);
    if (!b.slots || !b.code) {
        r = -ENOMEM;
        goto out;
    }
    memset(b.code, INT3, LEAD_BYTES);
    for (size_t i = 0; i < go_recipe_count && r == 0; i++) {
        const struct go_recipe *recipe = &go_recipe_table[i];

        if (recipe->minor == minor && strcmp(recipe->variable, var) == 0)
            r = poll_function(&b, image, target, recipe, ++voter);
    }
    if (r == 0)
        r = elect(&b, valid, ctx, ret);
out:
    free(b.code);
    free(b.slots);
    return r;
}
