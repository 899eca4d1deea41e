/*
 * The difference of two profiles. Both go into one table with opposite signs; then what is not zero
 * is copied into a profile of its own, part by part as it is met: of a heap with ten thousand
 * stacks a delta has some hundred, and should be as small.
 */
#include <errno.h>

#include "profile/profile_priv.h"

struct copy {
    struct profile *dst;
    const struct profile *src;
    uint32_t *strings; /* number in src to number in dst, 0: not met yet (0 itself is "" in both) */
    uint32_t *mappings; /* the others: by number, the id in dst, 0: not met yet */
    uint32_t *functions;
    uint32_t *locations;
};

/* One number for each item of the source, taken before anything is copied. */
static int copy_init(struct copy *c)
{
    const struct profile *src = c->src;

    c->strings = calloc(src->strings.count, sizeof(uint32_t));
    c->mappings = calloc((size_t)src->mappings.count + 1, sizeof(uint32_t));
    c->functions = calloc((size_t)src->functions.count + 1, sizeof(uint32_t));
    c->locations = calloc((size_t)src->locations.count + 1, sizeof(uint32_t));
    return c->strings && c->mappings && c->functions && c->locations ? 0 : -ENOMEM;
}

static void copy_release(struct copy *c)
{
    free(c->strings);
    free(c->mappings);
    free(c->functions);
    free(c->locations);
}

/* ---- Parts. What does not fit leaves 0 behind and profile_failed(). */

/* A text that ends up as "" in the destination has number 0 there, and is asked for again: rare. */
static uint32_t string_of(struct copy *c, uint32_t number)
{
    const char *text = profile_text(c->src, number);

    if (number != 0 && c->strings[number] == 0)
        (void)profile_put_string(c->dst, text, strlen(text), &c->strings[number]);
    return c->strings[number];
}

static uint32_t mapping_of(struct copy *c, uint32_t id)
{
    struct profile_mapping_rec rec;

    if (id == 0 || c->mappings[id - 1] != 0)
        return id ? c->mappings[id - 1] : 0;
    rec = *profile_mapping_rec(c->src, id);
    rec.filename = string_of(c, rec.filename);
    rec.build_id = string_of(c, rec.build_id);
    c->mappings[id - 1] = profile_put_mapping(c->dst, &rec, &c->src->marks[id - 1]);
    return c->mappings[id - 1];
}

/* Ids of functions are never 0 in a line (profile_decode() and profile_location() see to it). */
static uint32_t function_of(struct copy *c, uint32_t id)
{
    struct profile_function_rec rec;

    if (c->functions[id - 1] != 0)
        return c->functions[id - 1];
    rec = *profile_function_rec(c->src, id);
    rec.name = string_of(c, rec.name);
    rec.system_name = string_of(c, rec.system_name);
    rec.filename = string_of(c, rec.filename);
    c->functions[id - 1] = profile_put_function(c->dst, &rec);
    return c->functions[id - 1];
}

/* With its mapping and the functions of its lines. */
static uint32_t location_of(struct copy *c, uint32_t id)
{
    struct profile_line_rec lines[PROFILE_LINES_MAX];
    struct profile_location_rec rec;
    const struct profile_line_rec *from;
    size_t n;

    if (c->locations[id - 1] != 0)
        return c->locations[id - 1];
    rec = *profile_location_rec(c->src, id, &from, &n);
    rec.mapping = mapping_of(c, rec.mapping);
    for (size_t i = 0; i < n; i++) {
        lines[i] = from[i];
        lines[i].function = function_of(c, from[i].function);
    }
    c->locations[id - 1] = profile_put_location(c->dst, &rec, lines, n);
    return c->locations[id - 1];
}

/* ---- Samples */

static bool is_zero(const struct profile *p, const struct profile_sample_view *s)
{
    for (size_t i = 0; i < p->ntypes; i++) {
        if (s->values[i] != 0)
            return false;
    }
    return true;
}

/* The stack first: a part may be there without its user, never a user without it. */
static int copy_sample(struct copy *c, size_t i, const struct profile_sample_view *s)
{
    struct profile_label_rec labels[PROFILE_LABELS_MAX];
    uint32_t stack[PROFILE_DEPTH_MAX];
    const struct profile_label_rec *from;
    size_t n;

    for (size_t k = 0; k < s->depth; k++) {
        stack[k] = location_of(c, s->locations[k]);
        if (stack[k] == 0 || c->dst->failed)
            return -E2BIG;
    }
    from = profile_sample_labels(c->src, i, &n);
    for (size_t k = 0; k < n; k++) {
        labels[k] = from[k];
        labels[k].key = string_of(c, from[k].key);
        labels[k].str = string_of(c, from[k].str);
        labels[k].unit = string_of(c, from[k].unit);
    }
    return profile_put_sample(c->dst, stack, s->depth, s->values, labels, n);
}

static struct profile_type type_of(struct copy *c, const struct profile_type *t)
{
    return (struct profile_type){string_of(c, t->type), string_of(c, t->unit)};
}

/* Readers take the program's name from the first mapping: it stays the first one. */
static void copy_head(struct copy *c)
{
    const struct profile *src = c->src;
    struct profile *dst = c->dst;

    for (size_t i = 0; i < src->ntypes; i++)
        dst->types[i] = type_of(c, &src->types[i]);
    dst->ntypes = src->ntypes;
    dst->period_type = type_of(c, &src->period_type);
    dst->period = src->period;
    dst->default_type = string_of(c, src->default_type);
    dst->drop_frames = string_of(c, src->drop_frames);
    dst->keep_frames = string_of(c, src->keep_frames);
    dst->doc_url = string_of(c, src->doc_url);
    if (src->mappings.count > 0)
        (void)mapping_of(c, 1);
    for (size_t i = 0; i < src->ncomments; i++)
        (void)profile_put_comment(dst, string_of(c, src->comments[i]));
}

/* Samples that are something, and what they use. */
static int copy_nonzero(const struct profile *src, struct profile *dst)
{
    struct copy c = {.dst = dst, .src = src};
    struct profile_sample_view s;
    int rc = copy_init(&c);

    if (rc == 0)
        copy_head(&c);
    for (size_t i = 0; rc == 0 && profile_get_sample(src, i, &s); i++) {
        if (!is_zero(src, &s))
            rc = copy_sample(&c, i, &s);
    }
    copy_release(&c);
    return rc == 0 && dst->failed ? -E2BIG : rc;
}

int profile_diff(const struct profile *before, const struct profile *after, struct profile **ret,
                 struct err *e)
{
    struct profile *both = profile_new(), *out = profile_new();
    int rc = 0;

    if (!both || !out)
        rc = err_set(e, -ENOMEM, "no memory for the difference");
    if (rc == 0 && after->time_ns < before->time_ns)
        rc = err_set(e, -EINVAL, "the second profile is older than the first one");
    if (rc == 0)
        rc = profile_merge_times(both, before, -1, e);
    if (rc == 0)
        rc = profile_merge_times(both, after, 1, e);
    if (rc == 0) {
        rc = copy_nonzero(both, out);
        if (rc != 0)
            (void)err_set(e, rc, "the difference could not be made: %s",
                          rc == -ENOMEM ? "no memory" : "too large");
    }
    if (rc == 0) {
        profile_set_time(out, after->time_ns, after->time_ns - before->time_ns);
        *ret = out;
        out = NULL;
    }
    profile_free(both);
    profile_free(out);
    return rc;
}
