/*
 * parts.h: target.all: what one recording has seen of the processes beside the first one: a part
 * for each, with its scene and its stacks; after an exec of such a process another part. At the end
 * they are built one by one and merged (build.h).
 *
 * Samples of a process that has no part (it ended before it could be looked at, the guard does not
 * hold it, or there are too many) are counted: their time is shown under a name of its own.
 */
#ifndef SAMPLER_PARTS_H
#define SAMPLER_PARTS_H

#include "sampler/family.h"

enum {
    PARTS_MAX = 2 * WIRE_MEMBERS_MAX, /* workers may be replaced while a profile runs */
    PARTS_SHOWN_MAX = 8,              /* in comments, a line each */
};

struct part {
    struct kin *kin;
    uint32_t pid;
    uint64_t from_ns, until_ns; /* CLOCK_MONOTONIC, for samples that come late; until: UINT64_MAX */
    bool unmapped;              /* code was mapped that the scene does not know yet */
    bool labels;                /* labels_begin() was called: the goroutine's labels are read */
    uint64_t samples, weight_ns;
    struct stacks stacks;
    char name[WIRE_NAME_BYTES];
};

struct parts {
    struct family *family;
    const struct scene *first;
    bool labels;   /* asked for */
    uint32_t late; /* processes that came during the recording and inherit nothing from a member */
    uint64_t late_known_ns; /* started after this is late; CLOCK_REALTIME */
    uint64_t remap_ns, began_ns;
    uint64_t rows, bytes; /* of all stacks together; bounded as those of one process are */
    uint64_t stray_samples, stray_ns;
    uint32_t count;
    struct part *part[PARTS_MAX];
};

/** parts_new(family, first, labels, ret): ${first} is the scene of the first process and outlives
 * it. 0; -ENOMEM; or the guard is gone. */
int parts_new(struct family *family, const struct scene *first, bool labels, struct parts **ret);
void parts_free(struct parts *p); /* NULL-safe */

/**
 * parts_take(p, s, scratch, counts): a sample or another record of a process that is not the first
 * one. 0; -ENOSPC: the tables are full, the recording has to end.
 */
int parts_take(struct parts *p, const struct session_sample *s, struct unwind_stack *scratch,
               struct unwind_counts *counts);

/** parts_end(p): no more samples come: the latest names and mappings, as far as they are there. */
void parts_end(struct parts *p);

#endif
