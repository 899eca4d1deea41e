/*
 * helper_gotarget.h: a Go program of tests/targets, built by a given toolchain, running, and opened
 * as the sampler would open it.
 */
#ifndef TESTS_UNIT_HELPER_GOTARGET_H
#define TESTS_UNIT_HELPER_GOTARGET_H

#include "sampler/go/image.h"
#include "tests/unit/helper_target.h"

struct helper_gotarget {
    struct helper_target t;
    struct file *file;
    struct elf *elf;
    struct go_image *image;
    uint64_t bias;
    char path[256];
};

/**
 * helper_gotarget_build(toolchain, name, suffix, flags, out, out_bytes): tests/targets/${name} as
 * tests/targets/bin/${name}-${toolchain}${suffix}; ${flags} are words for the shell. 0; 77 when the
 * toolchain is not to be had here; 1 when it cannot be built.
 */
int helper_gotarget_build(const char *toolchain, const char *name, const char *suffix,
                          const char *flags, char *out, size_t out_bytes);

/** helper_gotarget_start(g, argv): run argv[0], wait for its line "ready", open it. 0, -errno. */
int helper_gotarget_start(struct helper_gotarget *g, char *const argv[],
                          void (*line)(void *ctx, const char *text), void *ctx);
void helper_gotarget_release(struct helper_gotarget *g);

/**
 * helper_gotarget_symbol(path, name, ret): address of a variable in a program's .symtab; -ENOENT.
 * Only the tests know symbols: the sampler has to do without.
 */
int helper_gotarget_symbol(const char *path, const char *name, uint64_t *ret);

#endif
