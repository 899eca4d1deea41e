/*
 * callsite.h: does the instruction before a return address call this function?
 *
 * Most calls in Go's code are direct (amd64: E8 and a displacement), so most pairs of caller and
 * callee on a stack can be proven or refuted by five bytes of code. A stack that was put together
 * from two moments, or made up, fails that. Indirect calls, and targets that go on by a jump
 * (assembly, compiler-made wrappers), prove nothing and pass.
 */
#ifndef SAMPLER_GO_CALLSITE_H
#define SAMPLER_GO_CALLSITE_H

#include "sampler/go/image.h"
#include "sampler/symbols/target.h"

enum {
    CALLSITE_SLOTS = 8192, /* remembered, a power of two */
};

struct callsites; /* opaque: what is known of each address */

/** callsites_new(image, target, ret): 0 or -ENOMEM. Both must outlive it. */
int callsites_new(struct go_image *image, const struct target *target, struct callsites **ret);
void callsites_free(struct callsites *c);

/** callsites_entry(c, pc): entry of the function at pc, 0 when there is none. */
uint64_t callsites_entry(struct callsites *c, uint64_t pc);

/**
 * callsites_fit(c, caller, callee): can the call before the return address ${caller} have led to
 * the function at ${callee} (any pc of it)? false only when it cannot.
 */
bool callsites_fit(struct callsites *c, uint64_t caller, uint64_t callee);

#endif
