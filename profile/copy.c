/*
 * A part comes before its users: it may be there without one, never a user without it.
 */
#include "profile/copy.h"

#include <errno.h>

int copy_init(struct copy *c, struct profile *dst, const struct profile *src, copy_rewrite rewrite,
              void *ctx)
{
    *c = (struct copy){.dst = dst, .src = src, .rewrite = rewrite, .ctx = ctx};
    buf_init(&c->text, PROFILE_STRING_MAX_BYTES);
    for (size_t i = 0; i < (rewrite ? COPY_TEXTS : 1); i++) {
        c->strings[i] = calloc(src->strings.count, sizeof(uint32_t)); /* at least the "" */
        if (!c->strings[i])
            return -ENOMEM;
    }
    c->mappings = calloc((size_t)src->mappings.count + 1, sizeof(uint32_t));
    c->functions = calloc((size_t)src->functions.count + 1, sizeof(uint32_t));
    c->locations = calloc((size_t)src->locations.count + 1, sizeof(uint32_t));
    return c->mappings && c->functions && c->locations ? 0 : -ENOMEM;
}

void copy_release(struct copy *c)
{
    if (!c)
        return;
    buf_release(&c->text);
    for (size_t i = 0; i < COPY_TEXTS; i++)
        free(c->strings[i]);
    free(c->mappings);
    free(c->functions);
    free(c->locations);
}

/* A rewrite that fails is remembered; the copy is then not whole, whatever its caller looks at. */
static void put_text(struct copy *c, enum copy_text kind, const char *text, uint32_t *ret)
{
    int changed = 0;

    if (c->rewrite && c->rc == 0) {
        buf_clear(&c->text);
        changed = c->rewrite(c->ctx, kind, text, &c->text);
    }
    if (changed < 0)
        c->rc = changed;
    else if (changed > 0)
        (void)profile_put_string(c->dst, c->text.data ? (const void *)c->text.data : "",
                                 c->text.len, ret);
    else
        (void)profile_put_string(c->dst, text, strlen(text), ret);
}

/* A text that ends up as "" in the destination has number 0 there, and is asked for again: rare. */
uint32_t copy_string(struct copy *c, enum copy_text kind, uint32_t number)
{
    uint32_t *known = c->strings[c->rewrite ? kind : 0];

    if (number != 0 && known[number] == 0)
        put_text(c, kind, profile_text(c->src, number), &known[number]);
    return known[number];
}

static uint32_t mapping_of(struct copy *c, uint32_t id)
{
    struct profile_mapping_rec rec;

    if (id == 0 || c->mappings[id - 1] != 0)
        return id ? c->mappings[id - 1] : 0;
    rec = *profile_mapping_rec(c->src, id);
    rec.filename = copy_string(c, COPY_FILE, rec.filename);
    rec.build_id = copy_string(c, COPY_OTHER, rec.build_id);
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
    rec.name = copy_string(c, COPY_NAME, rec.name);
    rec.system_name = copy_string(c, COPY_NAME, rec.system_name);
    rec.filename = copy_string(c, COPY_FILE, rec.filename);
    c->functions[id - 1] = profile_put_function(c->dst, &rec);
    return c->functions[id - 1];
}

uint32_t copy_location(struct copy *c, uint32_t id)
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

int copy_stack(struct copy *c, const struct profile_sample_view *s, uint32_t *ret)
{
    for (size_t k = 0; k < s->depth; k++) {
        ret[k] = copy_location(c, s->locations[k]);
        if (ret[k] == 0 || copy_result(c) != 0)
            return c->rc ? c->rc : -E2BIG;
    }
    return 0;
}

void copy_label(struct copy *c, const struct profile_label_rec *from, struct profile_label_rec *ret)
{
    *ret = *from;
    ret->key = copy_string(c, COPY_OTHER, from->key);
    ret->str = copy_string(c, COPY_LABEL, from->str);
    ret->unit = copy_string(c, COPY_OTHER, from->unit);
}

int copy_sample(struct copy *c, size_t i)
{
    struct profile_label_rec labels[PROFILE_LABELS_MAX];
    uint32_t stack[PROFILE_DEPTH_MAX];
    const struct profile_label_rec *from;
    struct profile_sample_view s;
    size_t n;
    int rc;

    if (!profile_get_sample(c->src, i, &s))
        return -EINVAL;
    rc = copy_stack(c, &s, stack);
    from = profile_sample_labels(c->src, i, &n);
    for (size_t k = 0; k < n; k++)
        copy_label(c, &from[k], &labels[k]);
    return rc ? rc : profile_put_sample(c->dst, stack, s.depth, s.values, labels, n);
}

static struct profile_type type_of(struct copy *c, const struct profile_type *t)
{
    return (struct profile_type){copy_string(c, COPY_OTHER, t->type),
                                 copy_string(c, COPY_OTHER, t->unit)};
}

void copy_head(struct copy *c, bool types)
{
    const struct profile *src = c->src;
    struct profile *dst = c->dst;

    for (size_t i = 0; types && i < src->ntypes; i++)
        dst->types[i] = type_of(c, &src->types[i]);
    if (types) {
        dst->ntypes = src->ntypes;
        dst->default_type = copy_string(c, COPY_OTHER, src->default_type);
    }
    dst->period_type = type_of(c, &src->period_type);
    dst->period = src->period;
    dst->time_ns = src->time_ns;
    dst->duration_ns = src->duration_ns;
    dst->drop_frames = copy_string(c, COPY_OTHER, src->drop_frames);
    dst->keep_frames = copy_string(c, COPY_OTHER, src->keep_frames);
    dst->doc_url = copy_string(c, COPY_OTHER, src->doc_url);
    if (src->mappings.count > 0)
        (void)mapping_of(c, 1);
    for (size_t i = 0; i < src->ncomments; i++) {
        uint32_t text = copy_string(c, COPY_COMMENT, src->comments[i]);

        if (text != 0) /* a rewrite may have left nothing of it */
            (void)profile_put_comment(dst, text);
    }
}

int copy_result(const struct copy *c)
{
    if (c->rc != 0)
        return c->rc;
    return c->dst->failed ? -E2BIG : 0;
}
