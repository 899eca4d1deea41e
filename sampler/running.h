/*
 * running.h: the last CPU sample of each thread, for pairing it with the goroutine that runs there.
 *
 * A table of fixed size, one write a sample; threads that share a row take it from each other,
 * which costs a pairing and nothing else. Whether a row is of the goroutine that was asked for is
 * decided here by g, thread, stack and age; that the g was the same goroutine's at that moment is
 * the caller's to prove (birth.h).
 */
#ifndef SAMPLER_RUNNING_H
#define SAMPLER_RUNNING_H

#include <stdint.h>

#include "sampler/go/gview.h"

enum {
    RUNNING_ROWS = 1024,     /* threads, a power of two: 40 KiB */
    RUNNING_PERIODS_MAX = 2, /* a sample that is older says nothing of now */
};

struct running_row {
    uint64_t g, sp; /* registers of the sample */
    uint64_t time_ns;
    uint32_t tid;   /* 0: free */
    uint32_t stack; /* number in the recording's struct stacks */
};

struct running {
    struct running_row rows[RUNNING_ROWS];
};

/** running_note(r, row): this is the thread's last sample. */
void running_note(struct running *r, const struct running_row *row);

/**
 * running_find(r, tid, v, oldest_ns): the last sample of that thread, if it is not older, had this
 * g in its register, and its stack pointer on this goroutine's stack; else NULL.
 */
const struct running_row *running_find(const struct running *r, uint32_t tid, const struct gview *v,
                                       uint64_t oldest_ns);

#endif
