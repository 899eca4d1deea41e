/*
 * operands.h: which addresses a function's code names. x86-64: operands relative to the instruction
 * pointer. arm64: ADRP, which makes the address of a page, with the ADD, LDR or STR behind it that
 * adds the rest.
 *
 * Code is not taken apart: every place where such an operand may stand is looked at, and what is
 * none mostly names nothing of the program's. The generator of the recipes (tools/golayout/xref.go)
 * has the same rules, so that both see the same operands at the same places.
 */
#ifndef SAMPLER_GO_OPERANDS_H
#define SAMPLER_GO_OPERANDS_H

#include <stddef.h>
#include <stdint.h>

enum {
    OPERANDS_LEAD_BYTES = 4, /* what an x86-64 operand's first opcodes look back at */
};

/* ${at}: where it stands, from the code's first byte: the ModRM byte, or the ADRP. */
typedef void (*operands_found)(void *ctx, size_t at, uint64_t address);

/**
 * operands_find(machine, code, bytes, entry, found, ctx): all operands of the code that lies at
 * ${entry} in the target. The OPERANDS_LEAD_BYTES before ${code} must be readable: what stands
 * between functions. ${machine} is EM_X86_64 or EM_AARCH64 (elf.h); others have no operands.
 */
void operands_find(uint16_t machine, const uint8_t *code, size_t bytes, uint64_t entry,
                   operands_found found, void *ctx);

#endif
