/*
 * regs.h: where a goroutine's g and the stack pointer are in a sample, by perf register number
 * (asm/perf_regs.h). Go keeps g in a register of its own: R14 in ABIInternal, x28 on arm64
 * (cmd/compile/abi-internal.md).
 */
#ifndef SAMPLER_PERF_REGS_H
#define SAMPLER_PERF_REGS_H

enum {
#if defined(__aarch64__)
    REG_SP = 31,
    REG_G = 28,
#else
    REG_SP = 7,
    REG_G = 22,
#endif
};

#endif
