/*
 * helper_fakemem.h: struct target over an array: memory that says what a test wants, also between
 * two reads.
 */
#ifndef TESTS_UNIT_HELPER_FAKEMEM_H
#define TESTS_UNIT_HELPER_FAKEMEM_H

#include <stdbool.h>

#include "sampler/symbols/target.h"

struct helper_fakemem {
    struct target target;
    uint64_t base; /* address of bytes[0] */
    unsigned char *bytes;
    size_t count;
    uint64_t hole; /* this page is not mapped; 0: none */
    unsigned reads;
    int fail;                                            /* instead of any read */
    void (*before)(struct helper_fakemem *m, void *ctx); /* each read; may be NULL */
    void *ctx;
};

/** helper_fakemem_init(m, base, count): all zero. ${base} is page aligned. */
void helper_fakemem_init(struct helper_fakemem *m, uint64_t base, size_t count);
void helper_fakemem_release(struct helper_fakemem *m);
void helper_fakemem_put(struct helper_fakemem *m, uint64_t address, uint64_t word);
uint64_t helper_fakemem_get(const struct helper_fakemem *m, uint64_t address);

#endif
