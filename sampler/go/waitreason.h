/*
 * waitreason.h: the words for what a goroutine waits for, from the program itself
 * (runtime.waitReasonStrings, runtime/runtime2.go): their numbers change within a minor release
 * (Go 1.23.0 has one less than 1.23.6), so a table of ours would lie.
 */
#ifndef SAMPLER_GO_WAITREASON_H
#define SAMPLER_GO_WAITREASON_H

#include <stdbool.h>

#include "sampler/symbols/target.h"

enum {
    WAITREASON_MAX = 64,   /* reasons; Go 1.26 has 47 */
    WAITREASON_BYTES = 64, /* of one, with its NUL */
};

struct waitreasons {
    uint32_t count;
    char text[WAITREASON_MAX][WAITREASON_BYTES]; /* [0] is "": no reason given */
};

/**
 * waitreason_read(target, address, ret): the array at ${address}, up to where it no longer looks
 * like one. 0, -EBADMSG (it is none), or -errno of the target.
 */
int waitreason_read(const struct target *target, uint64_t address, struct waitreasons *ret);

/** waitreason_is(target, address): does the array begin as it has since Go 1.11? For go_locate. */
bool waitreason_is(const struct target *target, uint64_t address);

#endif
