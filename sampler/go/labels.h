/*
 * labels.h: pprof labels of the goroutine that a sample caught (R14 = g on amd64).
 *
 * Read at once when the sample is drained. Late reads can be wrong, so: a set is dropped when it
 * was read too late (LABELS_DELAY_MAX_NS after the sample), when R14 does not look like the g whose
 * stack was sampled, or when the goroutine cannot be shown to have been born before the sample
 * (goid against the goidgen and the per-P caches seen at the previous reading). Each reason is
 * counted.
 */
#ifndef SAMPLER_GO_LABELS_H
#define SAMPLER_GO_LABELS_H

#include <stdbool.h>

#include "base/intern.h"
#include "sampler/go/image.h"

enum {
    LABELS_MAX = 64,            /* of one set */
    LABELS_KEY_MAX_BYTES = 256, /* longer ones are cut */
    LABELS_VALUE_MAX_BYTES = 1024,
};

struct labels_counts {
    uint64_t labelled, none, late, young, not_g, unread, changed;
    uint64_t delay_sum_ns, delay_max_ns; /* of those that were read */
};

struct labels; /* opaque: caches and history for one target */

/** labels_new(image, target, ret, e): -ENOTSUP when this version or machine cannot have them. */
int labels_new(struct go_image *image, const struct target *target, struct labels **ret,
               struct err *e);
void labels_free(struct labels *l);

/**
 * labels_read(l, g, sp, sample_ns, sets, ret_set): the label set of a sample. ${sets} interns the
 * sets; a set is a sequence of key NUL value NUL, sorted by key. *ret_set = its id, INTERN_NONE for
 * none. Never fails: what could not be had is counted.
 */
void labels_read(struct labels *l, uint64_t g, uint64_t sp, uint64_t sample_ns, struct intern *sets,
                 uint32_t *ret_set);

/** labels_begin(l): a new profile begins: counts to zero, history kept only as far as it is true. */
void labels_begin(struct labels *l);
void labels_counts(const struct labels *l, struct labels_counts *ret);

#endif
