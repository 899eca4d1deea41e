/*
 * Binary search over handles, which only grow; gaps keep theirs. The two hints (first, slot_from)
 * make "the oldest" a step and not a walk: each walks every entry at most once in its life.
 */
#include "sidecar/store/index.h"

#include <string.h>

enum {
    FIRST_CAP = 256,
    SMALLEST_TO_CLOSE = 1024,
};

void index_release(struct index *ix)
{
    if (!ix)
        return;
    free(ix->entry);
    memset(ix, 0, sizeof(*ix));
}

static bool is_gap(const struct index_entry *e)
{
    return e->mask == 0 && !e->keep;
}

/* The first entry whose handle is not below this one. */
static size_t position(const struct index *ix, uint64_t handle)
{
    size_t low = 0, high = ix->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (ix->entry[mid].handle < handle)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* A quarter at a time: an index at its bound is not to be half air. */
static bool grow(struct index *ix)
{
    size_t cap = ix->cap ? ix->cap + ix->cap / 4 : FIRST_CAP;
    struct index_entry *p = reallocarray(ix->entry, cap, sizeof(*p));

    if (!p)
        return false;
    ix->entry = p;
    ix->cap = cap;
    return true;
}

uint64_t index_add(struct index *ix, const struct index_entry *e)
{
    struct index_entry *to;

    if (ix->count == ix->cap && !grow(ix))
        return 0;
    to = &ix->entry[ix->count++];
    *to = *e;
    to->handle = ++ix->last_handle;
    ix->bytes += e->bytes;
    ix->profiles++;
    for (unsigned s = 0; s < INDEX_SLOTS_MAX; s++) {
        if (e->mask & 1u << s) {
            ix->slot_count[s]++;
            ix->slot_bytes[s] += e->bytes;
        }
    }
    return to->handle;
}

struct index_entry *index_find(const struct index *ix, uint64_t handle)
{
    size_t i = position(ix, handle);

    if (i == ix->count || ix->entry[i].handle != handle || is_gap(&ix->entry[i]))
        return NULL;
    return &ix->entry[i];
}

struct index_entry *index_first(struct index *ix)
{
    while (ix->first < ix->count && is_gap(&ix->entry[ix->first]))
        ix->first++;
    return ix->first < ix->count ? &ix->entry[ix->first] : NULL;
}

struct index_entry *index_next(const struct index *ix, uint64_t handle)
{
    for (size_t i = position(ix, handle + 1); i < ix->count; i++) {
        if (!is_gap(&ix->entry[i]))
            return &ix->entry[i];
    }
    return NULL;
}

struct index_entry *index_oldest(struct index *ix, unsigned slot, uint64_t after)
{
    bool from_hint = after < ix->slot_from[slot];
    uint64_t start = from_hint ? ix->slot_from[slot] : after + 1;

    if (ix->slot_count[slot] == 0)
        return NULL;
    for (size_t i = position(ix, start); i < ix->count; i++) {
        struct index_entry *e = &ix->entry[i];

        if (e->mask & 1u << slot) {
            if (from_hint)
                ix->slot_from[slot] = e->handle;
            return e;
        }
    }
    return NULL;
}

static void close_gaps(struct index *ix)
{
    size_t to = 0;

    for (size_t i = 0; i < ix->count; i++) {
        if (!is_gap(&ix->entry[i]))
            ix->entry[to++] = ix->entry[i];
    }
    ix->count = to;
    ix->gaps = 0;
    ix->first = 0;
    if (ix->cap > SMALLEST_TO_CLOSE && ix->cap / 4 > to) {
        size_t cap = to + to / 4 + FIRST_CAP;
        struct index_entry *p = reallocarray(ix->entry, cap, sizeof(*p));

        if (p) { /* a block that cannot shrink stays as it is */
            ix->entry = p;
            ix->cap = cap;
        }
    }
}

void index_clear(struct index *ix, struct index_entry *e, uint32_t mask)
{
    mask &= e->mask;
    for (unsigned s = 0; s < INDEX_SLOTS_MAX; s++) {
        if (mask & 1u << s) {
            ix->slot_count[s]--;
            ix->slot_bytes[s] -= e->bytes;
        }
    }
    e->mask &= ~mask;
    if (!is_gap(e))
        return;
    ix->bytes -= e->bytes;
    ix->profiles--;
    ix->gaps++;
    if (ix->count >= SMALLEST_TO_CLOSE && ix->gaps > ix->count / 2)
        close_gaps(ix);
}
