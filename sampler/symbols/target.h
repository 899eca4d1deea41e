/*
 * target.h: how the sampler's readers see the target: its memory and its files, as bytes that
 * somebody else fetches. The product implements it with ask_guard (sampler/source.c); tests
 * implement it with process_vm_readv on a child or with a byte array.
 */
#ifndef SAMPLER_SYMBOLS_TARGET_H
#define SAMPLER_SYMBOLS_TARGET_H

#include <stddef.h>
#include <stdint.h>

struct target_range {
    uint64_t address;
    void *out;
    uint32_t bytes;
    uint32_t got; /* set: bytes really read */
};

struct target_ops {
    /* One range, all of it: 0, or -EFAULT (unmapped), -ESRCH (target gone), -EPERM (no right). */
    int (*read)(void *ctx, uint64_t address, void *out, size_t bytes);
    /* Many ranges in one go; 0 when the attempt was made (look at each got), or -errno. */
    int (*readv)(void *ctx, struct target_range *ranges, size_t count);
    /* The file behind a mapping, O_RDONLY, regular; -errno. The caller closes it. */
    int (*open)(void *ctx, uint64_t start, uint64_t inode);
};

struct target {
    const struct target_ops *ops;
    void *ctx;
};

#endif
