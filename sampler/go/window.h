/*
 * window.h: the target's memory in blocks, for lists whose items lie close together. The runtime
 * takes its profile buckets from chunks of 256 KiB one after the other (persistentalloc,
 * runtime/malloc.go), so that a block of 64 KiB holds more than a hundred of them: one read instead
 * of a hundred. What was read stays until window_forget(), so each pass over a list sees one
 * moment of each block.
 *
 * A page that is not mapped does not hide its neighbours. Every block is paid for from the budget.
 */
#ifndef SAMPLER_GO_WINDOW_H
#define SAMPLER_GO_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "sampler/go/budget.h"
#include "sampler/symbols/target.h"

enum {
    WINDOW_PAGE_BYTES = 4096,
    WINDOW_BLOCK_PAGES = 16, /* 64 KiB, aligned */
    WINDOW_BLOCKS = 16,      /* held at a time: 1 MiB */
};

struct window; /* opaque */

/** window_new(target, budget, ret): nothing read yet. Both must outlive it. 0 or -ENOMEM. */
int window_new(const struct target *target, struct go_budget *budget, struct window **ret);
void window_free(struct window *w); /* NULL-safe */

/** window_forget(w): the next reads see the memory as it is then. */
void window_forget(struct window *w);

/**
 * window_read(w, address, out, bytes): 0; -EFAULT (not mapped, or the address wraps round);
 * -ETIMEDOUT or -ECANCELED (the budget); -ESRCH, -EPERM from the target.
 */
int window_read(struct window *w, uint64_t address, void *out, size_t bytes);

#endif
