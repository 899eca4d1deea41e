/*
 * gproof.h: does the nearest version's layout of runtime.g fit a program whose version is not
 * known? The goroutines themselves tell: their fields are of many kinds (an identity, a status,
 * bounds, code addresses), and no wrong offset makes all of them right.
 */
#ifndef SAMPLER_GO_GPROOF_H
#define SAMPLER_GO_GPROOF_H

#include "sampler/go/runtime.h"

enum {
    GPROOF_MAX = 64, /* goroutines that are looked at, from the first on */
};

/**
 * gproof_holds(rt, list, count): ${list} is the address of ${count} (>= 1) pointers to g's: the
 * content of runtime.allgs. The first was made by rt0_go to run runtime.main; of the others three
 * quarters must be sane, since they may change while they are read. Fields behind startpc (labels)
 * are not proven.
 */
bool gproof_holds(const struct go_runtime *rt, uint64_t list, uint64_t count);

#endif
