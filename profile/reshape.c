/*
 * One pass over the samples with profile/copy.h: what no sample of the result uses does not come
 * along.
 */
#include "profile/reshape.h"

#include <errno.h>

#include "profile/copy.h"

enum {
    RESHAPE_MARK_BYTES = 48, /* "[N frames cut]" */
};

struct work {
    struct copy copy;
    const struct reshape_want *want;
    uint32_t marks[PROFILE_DEPTH_MAX + 1]; /* location of "[N frames cut]" by N, 0: not made yet */
};

/* ---- Shape */

static int put_types(struct work *w, struct err *e)
{
    const struct profile *src = w->copy.src;
    struct profile *dst = w->copy.dst;
    const char *fallback = profile_default_type(src);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < w->want->types_count; i++) {
        const struct reshape_type *t = &w->want->types[i];
        const char *name = profile_type_name(src, t->from), *unit = profile_type_unit(src, t->from);

        if (!name)
            return err_set(e, -EINVAL, "the profile has no sample type %zu", t->from + 1);
        rc = profile_add_type(dst, t->type ? t->type : name, t->unit ? t->unit : unit);
        if (rc == 0 && *fallback && strcmp(fallback, name) == 0)
            rc = profile_set_default_type(dst, t->type ? t->type : name);
    }
    return rc;
}

/* ---- Samples */

/* The values as wanted; false: this sample is not. */
static bool values_of(const struct work *w, const struct profile_sample_view *s, int64_t *ret)
{
    const struct reshape_want *want = w->want;
    bool any = false;
    size_t n = want->types ? want->types_count : w->copy.src->ntypes;

    for (size_t i = 0; i < n; i++) {
        ret[i] = s->values[want->types ? want->types[i].from : i];
        if (ret[i] < 0 && want->drop_negative)
            return false;
        any |= ret[i] != 0;
    }
    return any || !want->drop_zero;
}

/* The frame that stands for ${cut} others: no mapping, no address, so nobody looks it up. */
static uint32_t mark_of(struct work *w, size_t cut)
{
    struct profile *dst = w->copy.dst;
    struct profile_line line = {0};
    char name[RESHAPE_MARK_BYTES];

    if (w->marks[cut] == 0) {
        (void)snprintf(name, sizeof(name), "[%zu frames cut]", cut);
        line.function = profile_function(dst, name, NULL, NULL, 0);
        w->marks[cut] = (uint32_t)profile_location(dst, 0, 0, &line, 1);
    }
    return w->marks[cut];
}

/* The stack in the destination; a leaf's half may be one frame longer than a root's. */
static int stack_of(struct work *w, const struct profile_sample_view *s, uint32_t *ret,
                    size_t *ret_depth)
{
    size_t max = w->want->max_depth;
    size_t leaves = max / 2, roots = max ? max - 1 - leaves : 0;
    struct profile_sample_view part = *s;
    int rc;

    *ret_depth = s->depth;
    if (max == 0 || s->depth <= max)
        return copy_stack(&w->copy, s, ret);
    part.depth = leaves;
    rc = copy_stack(&w->copy, &part, ret);
    ret[leaves] = mark_of(w, s->depth - leaves - roots);
    part.depth = roots;
    part.locations = s->locations + s->depth - roots;
    if (rc == 0)
        rc = copy_stack(&w->copy, &part, ret + leaves + 1);
    *ret_depth = max;
    return rc ? rc : copy_result(&w->copy);
}

/* A label that was changed by words, not by number. A text that is empty would be the number 0. */
static int put_label(struct profile *dst, const struct profile_label *l,
                     struct profile_label_rec *recs, size_t *n)
{
    struct profile_label_rec rec = {0};
    int rc;

    if (!l->key || !*l->key || (l->str && !*l->str))
        return 0;
    if (*n == PROFILE_LABELS_MAX)
        return -E2BIG;
    rc = profile_put_string(dst, l->key, strlen(l->key), &rec.key);
    if (rc == 0 && l->str)
        rc = profile_put_string(dst, l->str, strlen(l->str), &rec.str);
    if (rc == 0 && !l->str) {
        rec.num = l->num;
        if (l->unit)
            rc = profile_put_string(dst, l->unit, strlen(l->unit), &rec.unit);
    }
    if (rc == 0)
        recs[(*n)++] = rec;
    return rc;
}

static int labels_of(struct work *w, size_t i, struct profile_label_rec *recs, size_t *ret_n)
{
    const struct reshape_want *want = w->want;
    struct profile_label label;
    size_t n = 0;
    int rc = 0;

    if (!want->label) {
        const struct profile_label_rec *from = profile_sample_labels(w->copy.src, i, &n);

        for (size_t j = 0; j < n; j++)
            copy_label(&w->copy, &from[j], &recs[j]);
        *ret_n = n;
        return copy_result(&w->copy);
    }
    for (size_t j = 0; rc == 0 && profile_get_label(w->copy.src, i, j, &label); j++) {
        if (want->label(want->ctx, i, &label))
            rc = put_label(w->copy.dst, &label, recs, &n);
    }
    for (size_t j = 0; rc == 0 && want->more && want->more(want->ctx, i, j, &label); j++)
        rc = put_label(w->copy.dst, &label, recs, &n);
    *ret_n = n;
    return rc;
}

static int put_sample(struct work *w, size_t i)
{
    struct profile_label_rec labels[PROFILE_LABELS_MAX];
    uint32_t stack[PROFILE_DEPTH_MAX];
    int64_t values[PROFILE_TYPES_MAX];
    struct profile_sample_view s;
    size_t depth, n;
    int rc;

    if (!profile_get_sample(w->copy.src, i, &s) || !values_of(w, &s, values))
        return 0;
    rc = stack_of(w, &s, stack, &depth);
    if (rc == 0)
        rc = labels_of(w, i, labels, &n);
    return rc ? rc : profile_put_sample(w->copy.dst, stack, depth, values, labels, n);
}

int reshape(const struct profile *src, const struct reshape_want *want, struct profile **ret,
            struct err *e)
{
    struct work *w = calloc(1, sizeof(*w));
    struct profile *dst = profile_new();
    int rc = w && dst ? 0 : -ENOMEM;

    if (want->types_count > PROFILE_TYPES_MAX ||
        (want->max_depth != 0 && want->max_depth < RESHAPE_DEPTH_MIN))
        rc = -EINVAL;
    if (rc == 0) {
        w->want = want;
        rc = copy_init(&w->copy, dst, src, NULL, NULL);
    }
    if (rc == 0)
        copy_head(&w->copy, want->types == NULL);
    if (rc == 0 && want->types)
        rc = put_types(w, e);
    for (size_t i = 0; rc == 0 && i < src->samples.count; i++)
        rc = put_sample(w, i);
    if (rc == 0)
        rc = copy_result(&w->copy);
    if (rc == 0) {
        *ret = dst;
        dst = NULL;
    } else if (!e || e->code != rc) {
        (void)err_set(e, rc, "the profile cannot be brought into another form: %s", strerror(-rc));
    }
    if (w)
        copy_release(&w->copy);
    free(w);
    profile_free(dst);
    return rc;
}

/* ---- The usual ones */

int reshape_types(const struct profile *src, const struct reshape_type *types, size_t n,
                  struct profile **ret, struct err *e)
{
    const struct reshape_want want = {.types = types, .types_count = n, .drop_zero = true};

    return reshape(src, &want, ret, e);
}

int reshape_depth(const struct profile *src, size_t max_depth, struct profile **ret, struct err *e)
{
    const struct reshape_want want = {.max_depth = max_depth};

    if (max_depth < RESHAPE_DEPTH_MIN)
        return err_set(e, -EINVAL, "stacks of %zu frames are too short", max_depth);
    return reshape(src, &want, ret, e);
}

struct strip {
    bool numeric, text;
};

static bool strip_label(void *ctx, size_t sample, struct profile_label *label)
{
    const struct strip *strip = ctx;

    (void)sample;
    return label->str ? !strip->text : !strip->numeric;
}

int reshape_strip_labels(const struct profile *src, bool numeric, bool text, struct profile **ret,
                         struct err *e)
{
    struct strip strip = {numeric, text};
    const struct reshape_want want = {.label = strip_label, .ctx = &strip};

    return reshape(src, &want, ret, e);
}

/* ---- Splitting */

/* Samples from ${first} on, ${n} of them. */
static int copy_range(const struct profile *src, size_t first, size_t n, struct profile **ret)
{
    struct profile *dst = profile_new();
    struct copy c = {0};
    int rc = dst ? copy_init(&c, dst, src, NULL, NULL) : -ENOMEM;

    if (rc == 0)
        copy_head(&c, true);
    for (size_t i = first; rc == 0 && i < first + n; i++)
        rc = copy_sample(&c, i);
    if (rc == 0)
        rc = copy_result(&c);
    copy_release(&c);
    if (rc != 0)
        profile_free(dst);
    else
        *ret = dst;
    return rc;
}

/* The output's bound is the question: it fails as soon as it is passed, and -ENOMEM would repeat
 * with less, until the single sample is told to be too large. */
static bool fits(struct profile *part, size_t max_bytes)
{
    struct buf out;
    bool ok;

    buf_init(&out, max_bytes);
    ok = profile_encode(part, &out) == 0;
    buf_release(&out);
    return ok;
}

/*
 * Greedy: as many samples as fit. What did not fit is tried with half as many, and the next part
 * begins with the number that fitted, so that a part costs few tries.
 */
int reshape_split(const struct profile *src, size_t max_samples, size_t max_bytes,
                  reshape_part part, void *ctx, struct err *e)
{
    size_t total = src->samples.count, first = 0;
    size_t n = total < max_samples ? total : max_samples;

    if (max_samples == 0)
        return err_set(e, -EINVAL, "parts without samples");
    do {
        struct profile *p = NULL;
        int rc;

        n = n < total - first ? n : total - first;
        rc = copy_range(src, first, n, &p);
        if (rc != 0)
            return err_set(e, rc, "no part of the profile could be made: %s", strerror(-rc));
        if (fits(p, max_bytes)) {
            rc = part(ctx, p);
            first += n;
        } else if (n <= 1) {
            rc = err_set(e, -EFBIG, "one sample alone is larger than %zu bytes", max_bytes);
        } else {
            n /= 2;
        }
        profile_free(p);
        if (rc != 0)
            return rc;
    } while (first < total);
    return 0;
}
