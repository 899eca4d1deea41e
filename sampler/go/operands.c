#include "sampler/go/operands.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

enum {
    MODRM_BYTES = 5, /* ModRM and a 32-bit displacement */
    INSTRUCTION_BYTES = 4,
    PAIR_BYTES = 2 * INSTRUCTION_BYTES,
    REGISTER_MASK = 31,
    VECTOR_SCALE = 4, /* of a 128-bit register: 16 bytes */
};

/* ---- x86-64 */

/* A set of byte values. */
static bool any_of(uint8_t byte, const uint8_t *set, size_t bytes)
{
    return memchr(set, byte, bytes) != NULL;
}

/*
 * Bytes of immediate behind the displacement of the instruction whose ModRM byte is at p, or -1
 * when the bytes before are no opcode known to take one (Intel SDM volume 2, appendix A). The
 * generator's rule (tools/golayout/xref.go) is the same.
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

static void find_x86(const uint8_t *code, size_t bytes, uint64_t entry, operands_found found,
                     void *ctx)
{
    for (size_t at = 1; at + MODRM_BYTES <= bytes; at++) {
        const uint8_t *p = code + at;
        int32_t displacement;
        int immediate;

        if ((*p & 0xC7) != 0x05) /* mod 00, rm 101: relative to the next instruction */
            continue;
        immediate = immediate_bytes(p);
        if (immediate < 0)
            continue;
        memcpy(&displacement, p + 1, sizeof(displacement));
        found(ctx, at,
              entry + at + MODRM_BYTES + (uint64_t)immediate + (uint64_t)(int64_t)displacement);
    }
}

/* ---- arm64: Arm ARM, C6.2 (ADRP, ADD immediate, LDR and STR immediate), C7.2 for vectors */

static uint32_t instruction(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v)); /* instructions are little-endian on every arm64 */
    return v;
}

/* The pages that ADRP adds: 21 bits with a sign, of which the lowest two stand apart. */
static uint64_t adrp_bytes(uint32_t adrp)
{
    uint32_t pages = (adrp >> 5 & 0x7FFFF) << 2 | (adrp >> 29 & 3);
    uint64_t bytes = (uint64_t)pages << 12;

    return pages & 0x100000 ? bytes - (UINT64_C(1) << 33) : bytes;
}

/* What the second instruction adds to the page; false: it is none that goes with an ADRP. */
static bool low_bytes(uint32_t insn, uint64_t *ret)
{
    uint64_t offset = insn >> 10 & 0xFFF;
    unsigned scale = insn >> 30;

    if ((insn & 0xFFC00000) == 0x91000000) { /* ADD Xd, Xn, #imm12 */
        *ret = offset;
        return true;
    }
    if ((insn & 0x3B000000) != 0x39000000) /* LDR, STR with an unsigned offset, of any size */
        return false;
    if ((insn & 0x04800000) == 0x04800000)
        scale = VECTOR_SCALE;
    *ret = offset << scale;
    return true;
}

/*
 * The compiler emits the two as one (cmd/internal/obj/arm64/asm7.go), so nothing ever stands
 * between them. The register that the second takes as its base must be the one with the page.
 */
static void find_arm64(const uint8_t *code, size_t bytes, uint64_t entry, operands_found found,
                       void *ctx)
{
    for (size_t at = 0; at + PAIR_BYTES <= bytes; at += INSTRUCTION_BYTES) {
        uint32_t adrp = instruction(code + at);
        uint32_t second = instruction(code + at + INSTRUCTION_BYTES);
        uint64_t page = (entry + at) & ~UINT64_C(0xFFF), low;

        if ((adrp & 0x9F000000) != 0x90000000 ||
            (adrp & REGISTER_MASK) != (second >> 5 & REGISTER_MASK) || !low_bytes(second, &low))
            continue;
        found(ctx, at, page + adrp_bytes(adrp) + low);
    }
}

void operands_find(uint16_t machine, const uint8_t *code, size_t bytes, uint64_t entry,
                   operands_found found, void *ctx)
{
    if (machine == EM_X86_64)
        find_x86(code, bytes, entry, found, ctx);
    else if (machine == EM_AARCH64)
        find_arm64(code, bytes, entry, found, ctx);
}
