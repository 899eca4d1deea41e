/*
 * What is in a profile, for those who print it. Everything here is declared in profile.h and
 * profile_priv.h.
 *
 * The public functions check what they are asked for and say no; the private ones trust their
 * numbers, which come out of the profile's own tables. intern.h keeps items 8-byte aligned, so a
 * record may be read where it lies; the next addition may move it.
 */
#include <limits.h>

#include "profile/profile_priv.h"

/* ---- Records: ids count from 1, table numbers from 0 */

const struct profile_mapping_rec *profile_mapping_rec(const struct profile *p, uint64_t id)
{
    size_t bytes;

    return intern_get(&p->mappings, (uint32_t)(id - 1), &bytes);
}

const struct profile_function_rec *profile_function_rec(const struct profile *p, uint64_t id)
{
    size_t bytes;

    return intern_get(&p->functions, (uint32_t)(id - 1), &bytes);
}

/* A location's lines follow its head; how many there are is in the item's length. */
const struct profile_location_rec *profile_location_rec(const struct profile *p, uint64_t id,
                                                        const struct profile_line_rec **ret_lines,
                                                        size_t *ret_n)
{
    size_t bytes;
    const struct profile_location_rec *rec = intern_get(&p->locations, (uint32_t)(id - 1), &bytes);

    *ret_lines = (const struct profile_line_rec *)(rec + 1);
    *ret_n = (bytes - sizeof(*rec)) / sizeof(**ret_lines);
    return rec;
}

static const struct profile_sample_rec *sample_rec(const struct profile *p, size_t sample)
{
    size_t bytes;

    return intern_get(&p->samples, (uint32_t)sample, &bytes);
}

const struct profile_label_rec *profile_sample_labels(const struct profile *p, size_t sample,
                                                      size_t *ret_n)
{
    size_t bytes;
    const struct profile_label_rec *rec =
        intern_get(&p->labelsets, sample_rec(p, sample)->labels, &bytes);

    *ret_n = bytes / sizeof(*rec);
    return rec;
}

/* ---- Shape: texts are valid until the next string comes in */

size_t profile_types(const struct profile *p)
{
    return p->ntypes;
}

const char *profile_type_name(const struct profile *p, size_t i)
{
    return i < p->ntypes ? profile_text(p, p->types[i].type) : NULL;
}

const char *profile_type_unit(const struct profile *p, size_t i)
{
    return i < p->ntypes ? profile_text(p, p->types[i].unit) : NULL;
}

int64_t profile_time_ns(const struct profile *p)
{
    return p->time_ns;
}

int64_t profile_duration_ns(const struct profile *p)
{
    return p->duration_ns;
}

int64_t profile_period(const struct profile *p)
{
    return p->period;
}

const char *profile_period_type(const struct profile *p)
{
    return profile_text(p, p->period_type.type);
}

const char *profile_period_unit(const struct profile *p)
{
    return profile_text(p, p->period_type.unit);
}

const char *profile_default_type(const struct profile *p)
{
    return profile_text(p, p->default_type);
}

size_t profile_comments(const struct profile *p)
{
    return p->ncomments;
}

const char *profile_comment(const struct profile *p, size_t i)
{
    return i < p->ncomments ? profile_text(p, p->comments[i]) : NULL;
}

/* ---- Samples and their parts */

size_t profile_samples(const struct profile *p)
{
    return p->samples.count;
}

size_t profile_locations(const struct profile *p)
{
    return p->locations.count;
}

size_t profile_functions(const struct profile *p)
{
    return p->functions.count;
}

size_t profile_mappings(const struct profile *p)
{
    return p->mappings.count;
}

/* Over every sample anew: asked once or twice a profile, and nothing to keep in step. */
int64_t profile_total(const struct profile *p, size_t type)
{
    int64_t total = 0;

    if (type >= p->ntypes)
        return 0;
    for (size_t i = 0; i < p->samples.count; i++) {
        int64_t value = p->values[i * p->ntypes + type];

        if (__builtin_add_overflow(total, value, &total))
            return value > 0 ? INT64_MAX : INT64_MIN;
    }
    return total;
}

/* The stack is shown where it lies, as ids: names are looked up only by those who print. */
bool profile_get_sample(const struct profile *p, size_t i, struct profile_sample_view *ret)
{
    size_t bytes;

    if (i >= p->samples.count)
        return false;
    ret->locations = intern_get(&p->stacks, sample_rec(p, i)->stack, &bytes);
    ret->depth = bytes / sizeof(ret->locations[0]);
    ret->values = p->values + i * p->ntypes;
    (void)profile_sample_labels(p, i, &ret->labels);
    return true;
}

/* str 0 means a number; a number's unit is often missing (pprof then guesses from the key). */
bool profile_get_label(const struct profile *p, size_t i, size_t j, struct profile_label *ret)
{
    const struct profile_label_rec *rec;
    size_t n;

    if (i >= p->samples.count)
        return false;
    rec = profile_sample_labels(p, i, &n);
    if (j >= n)
        return false;
    rec += j;
    *ret = (struct profile_label){
        .key = profile_text(p, rec->key),
        .str = rec->str ? profile_text(p, rec->str) : NULL,
        .num = rec->num,
        .unit = rec->unit ? profile_text(p, rec->unit) : NULL,
    };
    return true;
}

bool profile_get_location(const struct profile *p, uint64_t id, struct profile_location_view *ret)
{
    const struct profile_location_rec *rec;
    const struct profile_line_rec *lines;

    if (id == 0 || id > p->locations.count)
        return false;
    rec = profile_location_rec(p, id, &lines, &ret->lines);
    ret->mapping = rec->mapping;
    ret->address = rec->address;
    ret->folded = rec->folded != 0;
    return true;
}

/* The function is looked up here, so that a caller needs no second call for the usual case. */
bool profile_get_line(const struct profile *p, uint64_t id, size_t j, struct profile_line_view *ret)
{
    const struct profile_function_rec *f;
    const struct profile_line_rec *lines;
    size_t n;

    if (id == 0 || id > p->locations.count)
        return false;
    (void)profile_location_rec(p, id, &lines, &n);
    if (j >= n)
        return false;
    f = profile_function_rec(p, lines[j].function);
    *ret = (struct profile_line_view){
        .function = lines[j].function,
        .name = profile_text(p, f->name),
        .system_name = profile_text(p, f->system_name),
        .filename = profile_text(p, f->filename),
        .start_line = f->start_line,
        .line = lines[j].line,
        .column = lines[j].column,
    };
    return true;
}

/* Filename and build id are "" when unknown, never NULL. */
bool profile_get_mapping(const struct profile *p, uint64_t id, struct profile_mapping *ret)
{
    const struct profile_mapping_rec *rec;
    const struct profile_mark *mark;

    if (id == 0 || id > p->mappings.count)
        return false;
    rec = profile_mapping_rec(p, id);
    mark = &p->marks[id - 1];
    *ret = (struct profile_mapping){
        .start = rec->start,
        .limit = rec->limit,
        .offset = rec->offset,
        .filename = profile_text(p, rec->filename),
        .build_id = profile_text(p, rec->build_id),
        .has_functions = mark->has_functions,
        .has_filenames = mark->has_filenames,
        .has_line_numbers = mark->has_line_numbers,
        .has_inline_frames = mark->has_inline_frames,
    };
    return true;
}
