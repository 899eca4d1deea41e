#include "sampler/go/labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sampler/go/birth.h"
#include "sampler/go/labelset.h"
#include "sampler/go/layout.h"

enum {
    G_MAX_BYTES = 1024, /* of a g up to its labels; 360 in Go 1.18 to 1.26 */
    WORD_BYTES = 8,
    RANGES_MAX = 1 + BIRTH_RANGES_MAX,
    /* runtime/runtime2.go: g.atomicstatus. The others are idle, dead or of the collector's own. */
    STATUS_RUNNABLE = 1,
    STATUS_RUNNING = 2,
    STATUS_SYSCALL = 3,
    STATUS_WAITING = 4,
    STATUS_COPYSTACK = 8,
    STATUS_PREEMPTED = 9,
    STATUS_SCAN = 0x1000, /* a bit beside them */
};

#define ADDRESS_MIN UINT64_C(4096)
#define ADDRESS_END (UINT64_C(1) << 47)

struct labels {
    const struct target *target;
    const struct go_layout *layout;
    struct birth *birth;
    struct labelset *set;
    uint64_t (*now)(void);
    struct labels_counts counts;
    uint32_t g_bytes; /* of a g: from its start to behind its labels */
    uint8_t g[G_MAX_BYTES], again[G_MAX_BYTES];
    struct target_range ranges[RANGES_MAX];
};

/* What one sample says. */
struct sample {
    uint64_t g, sp, time_ns;
};

static uint64_t word_of(const uint8_t *g, int32_t offset)
{
    uint64_t v;

    memcpy(&v, g + offset, sizeof(v));
    return v;
}

/* All that is read below; every field of g lies before its labels, which end the piece we read. */
static int has_fields(const struct go_layout *o)
{
    const int32_t needed[] = {o->g_stack_lo,     o->g_stack_hi, o->g_m,
                              o->g_atomicstatus, o->g_goid,     o->g_labels};

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (needed[i] < 0 || needed[i] > o->g_labels)
            return 0;
    }
    if (o->labels_list >= 0)
        return o->label_size >= 2 * WORD_BYTES && o->label_key >= 0 && o->label_value >= 0;
    return o->hmap_size >= 0 && o->hmap_b >= 0 && o->hmap_buckets >= 0 && o->hmap_oldbuckets >= 0;
}

int labels_new(struct go_image *image, const struct target *target, struct labels **ret,
               struct err *e)
{
    const struct go_layout *layout = go_image_layout(image);
    struct labels *l;
    int r;

#ifndef __x86_64__
    /* arm64 has g in x28; the registers that samples carry are x86's so far. NEEDSWORK. */
    return err_set(e, -ENOTSUP, "labels of running goroutines are read on x86-64 only");
#endif
    if (!layout || !has_fields(layout) || layout->g_labels + WORD_BYTES > G_MAX_BYTES)
        return err_set(e, -ENOTSUP, "%s: its structures are not known", go_image_version(image));
    l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->target = target;
    l->layout = layout;
    l->now = clock_mono_ns;
    l->g_bytes = (uint32_t)layout->g_labels + WORD_BYTES;
    r = birth_new(image, target, &l->birth, e);
    if (r == 0)
        r = labelset_new(target, layout, &l->set);
    if (r != 0) {
        labels_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

void labels_free(struct labels *l)
{
    if (!l)
        return;
    birth_free(l->birth);
    labelset_free(l->set);
    free(l);
}

void labels_clock(struct labels *l, uint64_t (*now)(void))
{
    l->now = now;
}

static int is_late(uint64_t sample_ns, uint64_t now_ns)
{
    /* A sample from the future has another clock: nothing is known about its delay. */
    return now_ns < sample_ns || now_ns - sample_ns > LABELS_DELAY_MAX_NS;
}

/*
 * The g (when there is one) and, when it is time, a reading of who has been born, in one go.
 * Returns 0 with *ret_over_ns, or -errno; whether the g was read is in ranges[0].got.
 */
static int read_now(struct labels *l, uint64_t g, uint64_t *ret_over_ns)
{
    size_t first = 0, count;
    int r;

    if (g != 0)
        l->ranges[first++] = (struct target_range){.address = g, .out = l->g, .bytes = l->g_bytes};
    count = first;
    if (g == 0 || birth_due(l->birth, l->now()))
        count += birth_ranges(l->birth, l->ranges + first);
    r = l->target->ops->readv(l->target->ctx, l->ranges, count);
    *ret_over_ns = l->now();
    if (r == 0 && count > first)
        birth_take(l->birth, l->ranges + first, count - first, *ret_over_ns);
    return r;
}

/* Is what was read the g whose stack was sampled? It need not run any more, but it must live. */
static int is_the_g(const struct labels *l, const struct sample *s)
{
    const struct go_layout *o = l->layout;
    uint64_t lo = word_of(l->g, o->g_stack_lo), hi = word_of(l->g, o->g_stack_hi);
    uint64_t m = word_of(l->g, o->g_m), goid = word_of(l->g, o->g_goid);
    uint32_t status;

    memcpy(&status, l->g + o->g_atomicstatus, sizeof(status));
    if (s->sp <= lo || s->sp > hi || goid == 0 || goid > INT64_MAX)
        return 0; /* goid 0: g0 and gsignal */
    if (m % WORD_BYTES != 0 || m >= ADDRESS_END)
        return 0;
    switch (status & ~(uint32_t)STATUS_SCAN) {
    case STATUS_RUNNING:
    case STATUS_SYSCALL:
        return m != 0;
    case STATUS_RUNNABLE:
    case STATUS_WAITING:
    case STATUS_COPYSTACK:
    case STATUS_PREEMPTED:
        return 1;
    default:
        return 0;
    }
}

/*
 * The same goroutine with the same labels pointer still in that g? Then its set was not freed while
 * it was read. It also catches a structure that got its new owner's labels before its id
 * (newproc1() sets them in that order).
 */
static int is_the_same(const struct labels *l, const struct target_range *again)
{
    const struct go_layout *o = l->layout;

    return again->got == again->bytes && word_of(l->g, o->g_goid) == word_of(l->again, o->g_goid) &&
           word_of(l->g, o->g_labels) == word_of(l->again, o->g_labels);
}

/* The set behind g.labels. Returns the counter of what became of it. */
static uint64_t *read_set(struct labels *l, const struct sample *s, struct intern *sets,
                          uint32_t *ret_set)
{
    struct target_range again = {.address = s->g, .out = l->again, .bytes = l->g_bytes};
    uint64_t pointer = word_of(l->g, l->layout->g_labels);
    const void *set;
    size_t bytes;
    uint32_t id;
    int r;

    r = labelset_read(l->set, pointer, &again, &set, &bytes);
    /* A set that was replaced while it was read may have been collected: no fault of its own. */
    if (again.got == again.bytes && !is_the_same(l, &again))
        return &l->counts.changed;
    if (r != 0 || again.got != again.bytes)
        return &l->counts.unread;
    if (bytes == 0)
        return &l->counts.none;
    id = intern_put(sets, set, bytes, NULL);
    if (id == INTERN_NONE)
        return &l->counts.unread;
    *ret_set = id;
    return &l->counts.labelled;
}

static uint64_t *read_sample(struct labels *l, const struct sample *s, struct intern *sets,
                             uint32_t *ret_set, uint64_t *ret_over_ns)
{
    uint64_t goid;
    int proven, r;

    /* In a burst of samples the later ones need not cost a trip each. */
    if (is_late(s->time_ns, l->now()))
        return &l->counts.late;
    if (s->g < ADDRESS_MIN || s->g >= ADDRESS_END || s->g % WORD_BYTES != 0)
        return &l->counts.not_g;
    r = read_now(l, s->g, ret_over_ns);
    if (r != 0)
        return &l->counts.unread;
    if (l->ranges[0].got != l->ranges[0].bytes || !is_the_g(l, s))
        return &l->counts.not_g;
    goid = word_of(l->g, l->layout->g_goid);
    /* First asked, then noted: this read was after the sample and proves nothing about it. */
    proven = birth_proven(l->birth, s->g, goid, s->time_ns);
    birth_seen(l->birth, s->g, goid, *ret_over_ns);
    if (is_late(s->time_ns, *ret_over_ns))
        return &l->counts.late;
    /* Without labels there is nothing that could be given to the wrong stack: not young. */
    if (word_of(l->g, l->layout->g_labels) == 0)
        return &l->counts.none;
    if (!proven)
        return &l->counts.young;
    return read_set(l, s, sets, ret_set);
}

void labels_read(struct labels *l, uint64_t g, uint64_t sp, uint64_t sample_ns, struct intern *sets,
                 uint32_t *ret_set)
{
    const struct sample s = {.g = g, .sp = sp, .time_ns = sample_ns};
    uint64_t over_ns = 0;
    uint64_t *count;

    *ret_set = INTERN_NONE;
    count = read_sample(l, &s, sets, ret_set, &over_ns);
    (*count)++;
    if (count == &l->counts.labelled) {
        uint64_t delay_ns = over_ns - sample_ns;

        l->counts.delay_sum_ns += delay_ns;
        if (delay_ns > l->counts.delay_max_ns)
            l->counts.delay_max_ns = delay_ns;
    }
    birth_follow(l->birth);
}

bool labels_lived(const struct labels *l, uint64_t g, uint64_t goid, uint64_t moment_ns)
{
    return birth_proven(l->birth, g, goid, moment_ns);
}

void labels_begin(struct labels *l)
{
    uint64_t over_ns;

    memset(&l->counts, 0, sizeof(l->counts));
    (void)read_now(l, 0, &over_ns); /* without it, the first samples are young */
    birth_follow(l->birth);
}

void labels_counts(const struct labels *l, struct labels_counts *ret)
{
    *ret = l->counts;
}
