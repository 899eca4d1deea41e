/*
 * labelset.h: the pprof labels that a g.labels pointer leads to.
 *
 * Two shapes (runtime/pprof/label.go): since Go 1.24 *labelMap is a struct around a slice of
 * {key, value} strings, sorted by key; before, it points to a map[string]string (runtime/map.go of
 * those versions). Neither changes once it is built, so a set that was read is remembered by its
 * pointer together with every byte that led to it; the next time all of them are read at once and
 * compared. Anything that differs, or does not look like labels, is read anew or refused: there is
 * never a part of a set.
 */
#ifndef SAMPLER_GO_LABELSET_H
#define SAMPLER_GO_LABELSET_H

#include <stddef.h>
#include <stdint.h>

#include "sampler/go/labels.h"
#include "sampler/go/layout.h"
#include "sampler/symbols/target.h"

enum {
    LABELSET_B_MAX = 5,                   /* log2 of a map's buckets; 64 labels need 4 */
    LABELSET_BUCKETS_MAX = 96,            /* of one map: new, old (it may still grow), overflow */
    LABELSET_COPY_MAX_BYTES = 160 * 1024, /* all that is read for one set */
    LABELSET_CACHE_SETS = 256,            /* remembered, a power of two */
    LABELSET_CACHE_MAX_BYTES = 2 * 1024 * 1024,
};

struct labelset; /* opaque: a reader with its memory */

/** labelset_new(target, layout, ret): 0 or -ENOMEM. Both must outlive it. */
int labelset_new(const struct target *target, const struct go_layout *layout,
                 struct labelset **ret);
void labelset_free(struct labelset *s);

/**
 * labelset_read(s, pointer, last, ret_set, ret_bytes): ${pointer} is the value of g.labels, not 0.
 * ${last} (may be NULL) is read as well, in the same readv as the last bytes of the set and after
 * them; look at its got. *ret_set is a sequence of key NUL value NUL, sorted by key, valid until
 * the next call; a NUL inside a key or value has become '?'. 0 bytes: an empty set.
 * 0; -EFAULT (not readable), -EBADMSG (no labels), -E2BIG (over a limit), -ENOMEM, -ESRCH, -EPERM.
 */
int labelset_read(struct labelset *s, uint64_t pointer, struct target_range *last,
                  const void **ret_set, size_t *ret_bytes);

#endif
