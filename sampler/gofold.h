/*
 * gofold.h: goroutines that say the same, counted together. The memory goes with the number of
 * different ones, not of all.
 */
#ifndef SAMPLER_GOFOLD_H
#define SAMPLER_GOFOLD_H

#include "base/intern.h"
#include "sampler/go/goroutines.h"

enum {
    GOFOLD_GROUPS_MAX = 1024 * 1024,
    GOFOLD_MAX_BYTES = 96 * 1024 * 1024, /* of all groups' keys */
    GOFOLD_TEXTS_MAX_BYTES = 32 * 1024 * 1024,
};

/* What makes two goroutines different. */
enum gofold_by {
    GOFOLD_STATE = 1,  /* state, locked, who created it: for people */
    GOFOLD_SINGLE = 2, /* each goroutine by itself */
};

struct gofold_key {
    uint64_t created_by, goid, parent, wait_ns; /* 0 when it does not count (enum gofold_by) */
    uint32_t labels, state;                     /* for gofold_text(); INTERN_NONE: none */
    uint32_t flags;                             /* enum goroutine_flag, as far as they count */
    uint32_t depth;
    uint64_t addresses[]; /* leaf first, moved back into the call */
};

struct gofold_group {
    const struct gofold_key *key;
    uint64_t count;
    uint64_t wait_ns; /* the longest */
};

struct gofold_total {
    uint64_t count, wait_ns;
};

struct gofold {
    unsigned by;
    struct intern keys, texts; /* texts: label sets and states */
    struct gofold_total *totals;
    uint32_t totals_cap;
    uint32_t *order;        /* made by gofold_sort() */
    struct gofold_key *key; /* the one at hand */
};

/** gofold_init(f, by): 0 or -ENOMEM. */
int gofold_init(struct gofold *f, unsigned by);
void gofold_release(struct gofold *f);

/** gofold_add(f, g): 0, -E2BIG (a bound above), -ENOMEM. */
int gofold_add(struct gofold *f, const struct goroutine *g);

/**
 * gofold_one(f, g, ret): the group that ${g} is alone; nothing of it is kept but its state and
 * labels. Valid until the next call. 0, -E2BIG.
 */
int gofold_one(struct gofold *f, const struct goroutine *g, struct gofold_group *ret);

/** gofold_sort(f): largest first, then as they came; 0 or -ENOMEM. */
int gofold_sort(struct gofold *f);

size_t gofold_count(const struct gofold *f);
/** gofold_get(f, i): the i-th of the order. */
struct gofold_group gofold_get(const struct gofold *f, size_t i);
/** gofold_text(f, id, ret_bytes): a state (with its NUL) or a label set (labelset.h). */
const void *gofold_text(const struct gofold *f, uint32_t id, size_t *ret_bytes);

#endif
