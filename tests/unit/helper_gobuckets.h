/*
 * helper_gobuckets.h: the program tests/targets/gobuckets, built by a given toolchain, running, and
 * its runtime opened as the sampler would open it.
 */
#ifndef TESTS_UNIT_HELPER_GOBUCKETS_H
#define TESTS_UNIT_HELPER_GOBUCKETS_H

#include "base/buf.h"
#include "sampler/bucket_profile.h"
#include "tests/unit/helper_goversions.h"
#include "tests/unit/helper_target.h"

struct helper_gobuckets {
    struct helper_target t;
    struct space *space;
    struct go_runtime rt;
    int commands;   /* one byte a command */
    char dir[64];   /* where it writes */
    char line[512]; /* the line before the last answer's "done" */
};

/** helper_gobuckets_start(g, toolchain, way): 0; 77: the toolchain is not to be had; else 1. */
int helper_gobuckets_start(struct helper_gobuckets *g, const char *toolchain,
                           const struct helper_goway *way);
void helper_gobuckets_release(struct helper_gobuckets *g);

/** helper_gobuckets_do(g, commands): a byte each; waits for each. 0 or -errno. */
int helper_gobuckets_do(struct helper_gobuckets *g, const char *commands);

/** helper_gobuckets_file(g, name, ret_bytes): a file it wrote, to be freed. NULL: none. */
char *helper_gobuckets_file(const struct helper_gobuckets *g, const char *name, size_t *ret_bytes);

#endif
