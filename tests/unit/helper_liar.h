/*
 * helper_liar.h: struct target over a real process, in batches, that lies where it is told to:
 * bytes put over others, bytes that change with each reading, memory that goes away, a program that
 * ends or is replaced. What the runtime's readers make of that is tested with it.
 */
#ifndef TESTS_UNIT_HELPER_LIAR_H
#define TESTS_UNIT_HELPER_LIAR_H

#include <stdbool.h>
#include <sys/types.h>

#include "sampler/symbols/target.h"

enum {
    HELPER_LIAR_LIES = 64,
    HELPER_LIAR_BYTES = 8192, /* of one lie */
};

struct helper_lie {
    uint64_t address;
    uint32_t bytes;
    bool changes; /* the first byte is one more with each reading */
    unsigned char data[HELPER_LIAR_BYTES];
};

struct helper_liar {
    struct target target; /* give &l.target away */
    pid_t pid;
    struct helper_lie lies[HELPER_LIAR_LIES];
    size_t lie_count;
    uint64_t reads;     /* ranges read so far */
    uint64_t calls;     /* read and readv */
    uint64_t gone_from; /* from this range on nothing is mapped; 0: never */
    uint64_t end_at;    /* from this call on: end_with */
    int end_with;       /* -ESRCH, -ESTALE, -EPERM */
};

void helper_liar_init(struct helper_liar *l, pid_t pid);

/** helper_liar_put(l, address, data, bytes): from now on this stands there. */
struct helper_lie *helper_liar_put(struct helper_liar *l, uint64_t address, const void *data,
                                   size_t bytes);
void helper_liar_put64(struct helper_liar *l, uint64_t address, uint64_t value);

/** helper_liar_clear(l): the truth, and no faults. */
void helper_liar_clear(struct helper_liar *l);

/** helper_liar_word(l, address): what is there, lies included; 0 when nothing is. */
uint64_t helper_liar_word(struct helper_liar *l, uint64_t address);

#endif
