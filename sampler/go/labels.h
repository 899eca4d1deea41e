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
    LABELS_MAX = 64,            /* of one set; a larger one is refused (unread), never cut short */
    LABELS_KEY_MAX_BYTES = 256, /* longer ones are cut */
    LABELS_VALUE_MAX_BYTES = 1024,
};

/*
 * What g.labels is now is what it was at the sample, unless it was changed in between: the share of
 * wrong labels is about delay / time between changes, half of that when two values alternate
 * (measured: 60 us give 3.6 % at 1 ms and 0.4 % at 10 ms). The limit keeps the mean of those that
 * are taken well below the 100 us that 1 % at 10 ms allows, as long as most samples are read at
 * once (45 to 100 us after they were taken). On a machine without a free CPU reads come
 * milliseconds late: then most samples lose their labels, and the count of late ones says so.
 */
#define LABELS_DELAY_MAX_NS UINT64_C(200000)

/* What became of the samples: exactly one of the first seven is counted for each labels_read(). */
struct labels_counts {
    uint64_t labelled; /* a set was given */
    uint64_t none;     /* the goroutine has no labels */
    uint64_t late;     /* read more than LABELS_DELAY_MAX_NS after the sample, or before it */
    uint64_t young;    /* it has labels, but may have been born after the sample */
    uint64_t not_g;    /* R14 was no g, or not the g of this stack (C code, g0) */
    uint64_t unread;   /* memory that could not be read or holds no labels; ${sets} was full */
    uint64_t changed;  /* another goroutine or other labels when looked at again */
    uint64_t delay_sum_ns, delay_max_ns; /* sample to read, of the labelled ones */
};

struct labels; /* opaque: caches and history for one target */

/**
 * labels_new(image, target, ret, e): -ENOTSUP when this version or machine cannot have them, or
 * runtime.sched and runtime.allp were not found (a target that has just been started: later they
 * may be). Both arguments must outlive it. One object a process: after an exec make a new one.
 */
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

/** labels_lived(l, g, goid, moment_ns): is it certain that goroutine ${goid}, which is in ${g} now,
 * was so at that moment already? */
bool labels_lived(const struct labels *l, uint64_t g, uint64_t goid, uint64_t moment_ns);

/**
 * labels_begin(l): a new profile begins: counts to zero, history kept (goroutine ids are not used
 * twice, so it stays true). Reads once, so that goroutines that are there now have their labels
 * from the first sample on.
 */
void labels_begin(struct labels *l);
void labels_counts(const struct labels *l, struct labels_counts *ret);

/** labels_clock(l, now): for tests: another clock than clock_mono_ns(). */
void labels_clock(struct labels *l, uint64_t (*now)(void));

#endif
