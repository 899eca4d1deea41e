/*
 * One profile's samples into another. Every table of the source is first translated, in its own
 * order, into numbers of the destination; then the samples follow with those numbers. The same two
 * profiles in the same order give the same result.
 */
#include <errno.h>

#include "profile/profile_priv.h"

/* What makes two mappings of different processes the same code: see mapping_for(). */
struct file_rec {
    uint64_t size, offset;
    uint32_t build_id; /* string of the destination */
    uint32_t zero;
};

struct merge {
    struct profile *dst;
    const struct profile *src;
    int64_t factor;    /* of the source's values */
    uint32_t *strings; /* number in src to number in dst; the others: number to id */
    uint32_t *mappings;
    uint32_t *functions;
    uint32_t *locations;
    struct intern files;     /* struct file_rec of the destination's mappings */
    uint32_t *file_mappings; /* its first mapping (id), by number in files */
};

/* One number for each item of the source, all taken before anything changes. */
static int merge_init(struct merge *m)
{
    const struct profile *src = m->src;

    intern_init(&m->files, PROFILE_MAPPINGS_MAX, PROFILE_MAX_BYTES);
    m->strings = calloc(src->strings.count, sizeof(uint32_t)); /* at least the "" */
    m->mappings = calloc((size_t)src->mappings.count + 1, sizeof(uint32_t));
    m->functions = calloc((size_t)src->functions.count + 1, sizeof(uint32_t));
    m->locations = calloc((size_t)src->locations.count + 1, sizeof(uint32_t));
    m->file_mappings = calloc((size_t)m->dst->mappings.count + 1, sizeof(uint32_t));
    return m->strings && m->mappings && m->functions && m->locations && m->file_mappings ? 0
                                                                                         : -ENOMEM;
}

/* Nothing of the destination's is here. */
static void merge_release(struct merge *m)
{
    intern_release(&m->files);
    free(m->strings);
    free(m->mappings);
    free(m->functions);
    free(m->locations);
    free(m->file_mappings);
}

/* ---- Shape */

/* By text: the numbers belong to two tables. */
static bool same_type(const struct profile *a, const struct profile_type *ta,
                      const struct profile *b, const struct profile_type *tb)
{
    return strcmp(profile_text(a, ta->type), profile_text(b, tb->type)) == 0 &&
           strcmp(profile_text(a, ta->unit), profile_text(b, tb->unit)) == 0;
}

/* In the same order too: values have no names of their own. */
static int check_types(const struct profile *dst, const struct profile *src, struct err *e)
{
    if (dst->ntypes != src->ntypes)
        return err_set(e, -EINVAL, "profiles with %zu and %zu sample types cannot be merged",
                       dst->ntypes, src->ntypes);
    for (size_t i = 0; i < dst->ntypes; i++) {
        if (!same_type(dst, &dst->types[i], src, &src->types[i]))
            return err_set(e, -EINVAL, "the profiles differ in sample type %zu", i + 1);
    }
    if (!same_type(dst, &dst->period_type, src, &src->period_type))
        return err_set(e, -EINVAL, "the profiles differ in their period type");
    return 0;
}

static struct profile_type translate_type(const struct merge *m, const struct profile_type *t)
{
    return (struct profile_type){m->strings[t->type], m->strings[t->unit]};
}

/* A destination without types takes the source's shape. */
static void take_shape(const struct merge *m)
{
    struct profile *dst = m->dst;
    const struct profile *src = m->src;

    for (size_t i = 0; i < src->ntypes; i++)
        dst->types[i] = translate_type(m, &src->types[i]);
    dst->ntypes = src->ntypes;
    dst->period_type = translate_type(m, &src->period_type);
    dst->default_type = m->strings[src->default_type];
    dst->drop_frames = m->strings[src->drop_frames];
    dst->keep_frames = m->strings[src->keep_frames];
    dst->doc_url = m->strings[src->doc_url];
}

/* Saturating: a duration that cannot be is no reason to lose the samples. */
static int64_t add_clamped(int64_t a, int64_t b)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return a > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

/* Time is when the earlier one began; a period that differs is the coarser one, as google/pprof has
 * it. */
static void merge_head(const struct merge *m)
{
    struct profile *dst = m->dst;
    const struct profile *src = m->src;

    if (dst->time_ns == 0 || (src->time_ns != 0 && src->time_ns < dst->time_ns))
        dst->time_ns = src->time_ns;
    dst->duration_ns = add_clamped(dst->duration_ns, src->duration_ns);
    if (src->period > dst->period)
        dst->period = src->period;
    for (size_t i = 0; i < src->ncomments; i++)
        (void)profile_put_comment(dst, m->strings[src->comments[i]]); /* as far as they fit */
}

/* ---- Tables */

/* All of them, also those that no sample uses: the order is the source's and needs no second look.
 */
static int merge_strings(struct merge *m)
{
    for (uint32_t i = 0; i < m->src->strings.count; i++) {
        size_t bytes;
        const char *text = intern_get(&m->src->strings, i, &bytes);
        int rc = profile_put_string(m->dst, text, bytes - 1, &m->strings[i]);

        if (rc != 0)
            return rc;
    }
    return 0;
}

static struct file_rec file_of(const struct profile_mapping_rec *rec)
{
    return (struct file_rec){rec->limit - rec->start, rec->offset, rec->build_id, 0};
}

/* The destination's mappings by file; those without a build id stand for themselves alone. */
static int index_files(struct merge *m)
{
    for (uint32_t i = 0; i < m->dst->mappings.count; i++) {
        struct file_rec file = file_of(profile_mapping_rec(m->dst, i + 1));
        uint32_t number;
        int is_new;

        if (file.build_id == 0)
            continue;
        number = intern_put(&m->files, &file, sizeof(file), &is_new);
        if (number == INTERN_NONE)
            return -ENOMEM;
        if (is_new)
            m->file_mappings[number] = i + 1;
    }
    return 0;
}

/*
 * The destination's mapping for one of the source's: the very same, or else the same file at
 * another address (a position-independent program after a restart, or on another machine), or a new
 * one.
 */
static uint32_t mapping_for(struct merge *m, const struct profile_mapping_rec *rec,
                            const struct profile_mark *mark)
{
    struct file_rec file = file_of(rec);
    uint32_t number = intern_find(&m->dst->mappings, rec, sizeof(*rec));

    if (number != INTERN_NONE)
        return number + 1;
    if (file.build_id != 0) {
        number = intern_find(&m->files, &file, sizeof(file));
        if (number != INTERN_NONE)
            return m->file_mappings[number];
    }
    return profile_put_mapping(m->dst, rec, mark);
}

static int merge_mappings(struct merge *m)
{
    for (uint32_t i = 0; i < m->src->mappings.count; i++) {
        struct profile_mapping_rec rec = *profile_mapping_rec(m->src, i + 1);

        rec.filename = m->strings[rec.filename];
        rec.build_id = m->strings[rec.build_id];
        m->mappings[i] = mapping_for(m, &rec, &m->src->marks[i]);
        if (m->mappings[i] == 0)
            return -E2BIG;
    }
    return 0;
}

static int merge_functions(struct merge *m)
{
    for (uint32_t i = 0; i < m->src->functions.count; i++) {
        struct profile_function_rec rec = *profile_function_rec(m->src, i + 1);

        rec.name = m->strings[rec.name];
        rec.system_name = m->strings[rec.system_name];
        rec.filename = m->strings[rec.filename];
        m->functions[i] = profile_put_function(m->dst, &rec);
        if (m->functions[i] == 0)
            return -E2BIG;
    }
    return 0;
}

/* An address moves with its mapping. */
static void move_location(const struct merge *m, struct profile_location_rec *rec)
{
    const struct profile_mapping_rec *from, *to;

    if (rec->mapping == 0)
        return;
    from = profile_mapping_rec(m->src, rec->mapping);
    rec->mapping = m->mappings[rec->mapping - 1];
    to = profile_mapping_rec(m->dst, rec->mapping);
    if (rec->address >= from->start && rec->address < from->limit)
        rec->address = rec->address - from->start + to->start;
}

/* A location is known again only if its lines are the same too: other builds differ there. */
static int merge_locations(struct merge *m)
{
    struct profile_line_rec lines[PROFILE_LINES_MAX];

    for (uint32_t i = 0; i < m->src->locations.count; i++) {
        const struct profile_line_rec *from;
        size_t n;
        struct profile_location_rec rec = *profile_location_rec(m->src, i + 1, &from, &n);

        move_location(m, &rec);
        for (size_t j = 0; j < n; j++) {
            lines[j] = from[j];
            lines[j].function = m->functions[from[j].function - 1];
        }
        m->locations[i] = profile_put_location(m->dst, &rec, lines, n);
        if (m->locations[i] == 0)
            return -E2BIG;
    }
    return 0;
}

/* ---- Samples */

/* Labels are sorted again on the way in: by text, which has not changed. */
static int merge_sample(struct merge *m, size_t i)
{
    struct profile_label_rec labels[PROFILE_LABELS_MAX];
    uint32_t stack[PROFILE_DEPTH_MAX];
    int64_t values[PROFILE_TYPES_MAX];
    const struct profile_label_rec *from;
    struct profile_sample_view view;
    size_t n;

    (void)profile_get_sample(m->src, i, &view);
    for (size_t j = 0; j < m->src->ntypes; j++) {
        if (__builtin_mul_overflow(view.values[j], m->factor, &values[j]))
            return -EOVERFLOW;
    }
    for (size_t j = 0; j < view.depth; j++)
        stack[j] = m->locations[view.locations[j] - 1];
    from = profile_sample_labels(m->src, i, &n);
    for (size_t j = 0; j < n; j++) {
        labels[j] = from[j];
        labels[j].key = m->strings[from[j].key];
        labels[j].str = m->strings[from[j].str];
        labels[j].unit = m->strings[from[j].unit];
    }
    return profile_put_sample(m->dst, stack, view.depth, values, labels, n);
}

static int merge_samples(struct merge *m)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < m->src->samples.count; i++)
        rc = merge_sample(m, i);
    return rc;
}

/* With itself: nothing is new, and a table must not grow while it is read. */
static int merge_double(struct profile *p)
{
    size_t n = (size_t)p->samples.count * p->ntypes;

    for (size_t i = 0; i < n; i++) {
        if (__builtin_add_overflow(p->values[i], p->values[i], &p->values[i])) {
            p->failed = true;
            return -EOVERFLOW;
        }
    }
    p->duration_ns = add_clamped(p->duration_ns, p->duration_ns);
    return 0;
}

/* In the order in which one table refers to another. */
static int merge_all(struct merge *m)
{
    int rc = merge_strings(m);

    if (rc == 0 && m->dst->ntypes == 0)
        take_shape(m);
    if (rc == 0)
        rc = index_files(m);
    if (rc == 0)
        rc = merge_mappings(m);
    if (rc == 0)
        rc = merge_functions(m);
    if (rc == 0)
        rc = merge_locations(m);
    if (rc == 0)
        rc = merge_samples(m);
    if (rc == 0)
        merge_head(m);
    return rc;
}

/* The words for what may go wrong halfway. */
static const char *merge_reason(int rc)
{
    switch (rc) {
    case -E2BIG:
        return "together they are larger than a profile may be";
    case -EOVERFLOW:
        return "the values of equal samples add up to more than 63 bits";
    default:
        return "no memory for the merged profile";
    }
}

/* What can be refused is refused before the destination is touched. */
int profile_merge_times(struct profile *dst, const struct profile *src, int64_t factor,
                        struct err *e)
{
    struct merge m = {.dst = dst, .src = src, .factor = factor};
    int rc;

    if (dst->ntypes > 0 || dst->samples.count > 0) {
        rc = check_types(dst, src, e);
        if (rc != 0)
            return rc;
    }
    if (dst == src) {
        rc = factor == 1 ? merge_double(dst) : -EINVAL;
    } else {
        rc = merge_init(&m);
        if (rc == 0)
            rc = merge_all(&m);
        merge_release(&m);
    }
    if (rc != 0) {
        dst->failed = true;
        return err_set(e, rc, "%s", merge_reason(rc));
    }
    dst->failed |= src->failed;
    return 0;
}

int profile_merge(struct profile *dst, const struct profile *src, struct err *e)
{
    return profile_merge_times(dst, src, 1, e);
}
