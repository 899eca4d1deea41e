/*
 * Building a profile: strings, parts and samples into their tables.
 *
 * The order of all numbers is the order of the calls; the tables' random hash keys change where an
 * item lies, never its number, so equal calls give equal bytes. Every addition goes through
 * put_record(), the one place where the bounds are kept. What cannot be added sets `failed` and
 * leaves the tables as they were: a part may be there without its user, never a user without it.
 */
#include "profile/profile.h"

#include <errno.h>

#include "base/utf8.h"
#include "profile/profile_priv.h"

enum {
    /* What a table keeps beside an item's bytes: its item and, at half load, two slots. */
    PROFILE_ITEM_BYTES = 24,
    PROFILE_FIRST_VALUES = 256, /* samples the first array of values has room for */
    PROFILE_FIRST_MARKS = 16,
};

/* U+FFFD REPLACEMENT CHARACTER */
static const char REPLACEMENT[3] = "\xef\xbf\xbd";

/* ---- Life */

struct profile *profile_new(void)
{
    struct profile *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    intern_init(&p->strings, PROFILE_STRINGS_MAX, PROFILE_MAX_BYTES);
    intern_init(&p->mappings, PROFILE_MAPPINGS_MAX, PROFILE_MAX_BYTES);
    intern_init(&p->functions, PROFILE_FUNCTIONS_MAX, PROFILE_MAX_BYTES);
    intern_init(&p->locations, PROFILE_LOCATIONS_MAX, PROFILE_MAX_BYTES);
    intern_init(&p->stacks, PROFILE_SAMPLES_MAX, PROFILE_MAX_BYTES);
    intern_init(&p->labelsets, PROFILE_SAMPLES_MAX, PROFILE_MAX_BYTES);
    intern_init(&p->samples, PROFILE_SAMPLES_MAX, PROFILE_MAX_BYTES);
    buf_init(&p->scratch, PROFILE_STRING_MAX_BYTES + 1);
    if (intern_put(&p->strings, "", 1, NULL) != 0) { /* string_table[0] must be "" */
        profile_free(p);
        return NULL;
    }
    return p;
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    intern_release(&p->strings);
    intern_release(&p->mappings);
    intern_release(&p->functions);
    intern_release(&p->locations);
    intern_release(&p->stacks);
    intern_release(&p->labelsets);
    intern_release(&p->samples);
    buf_release(&p->scratch);
    free(p->marks);
    free(p->values);
    free(p);
}

bool profile_failed(const struct profile *p)
{
    return p->failed;
}

/* ---- The budget */

/* What one table has in use. */
static size_t table_bytes(const struct intern *t)
{
    return t->bytes.len + (size_t)t->count * PROFILE_ITEM_BYTES;
}

/* Bytes in use. What the tables hold in reserve for growing is not counted: at most as much again.
 */
static size_t held_bytes(const struct profile *p)
{
    return table_bytes(&p->strings) + table_bytes(&p->mappings) + table_bytes(&p->functions) +
           table_bytes(&p->locations) + table_bytes(&p->stacks) + table_bytes(&p->labelsets) +
           table_bytes(&p->samples) + (size_t)p->samples.count * p->ntypes * sizeof(p->values[0]);
}

/* Remember that the profile is not whole: callers that ignore a result are found out at the end. */
static int fail(struct profile *p, int code)
{
    p->failed = true;
    return code;
}

/*
 * Intern one record within the budget: 0 and its number, -E2BIG, -ENOMEM. A known record is found
 * even when the budget is used up, so that a full profile still counts what it has.
 */
static int put_record(struct profile *p, struct intern *t, const void *rec, size_t bytes,
                      uint32_t *ret)
{
    uint32_t number;

    if (t->count >= t->max_items ||
        held_bytes(p) + bytes + PROFILE_ITEM_BYTES > PROFILE_MAX_BYTES) {
        number = intern_find(t, rec, bytes);
        if (number == INTERN_NONE)
            return fail(p, -E2BIG);
    } else {
        number = intern_put(t, rec, bytes, NULL);
        if (number == INTERN_NONE)
            return fail(p, -ENOMEM);
    }
    *ret = number;
    return 0;
}

/* ---- Strings */

const char *profile_text(const struct profile *p, uint32_t number)
{
    size_t bytes;

    return intern_get(&p->strings, number, &bytes);
}

/*
 * Character by character through the scratch buffer: a NUL inside would end the string for C, so it
 * is replaced like a bad byte; the cut falls between characters. The buffer has room for the
 * longest string and its NUL, so it fails only without memory.
 */
int profile_put_string(struct profile *p, const void *s, size_t bytes, uint32_t *ret)
{
    const unsigned char *in = s;
    size_t i = 0;

    buf_clear(&p->scratch);
    while (i < bytes) {
        size_t n = in[i] == '\0' ? 0 : utf8_step(in + i, bytes - i);
        const void *from = n ? (const void *)(in + i) : REPLACEMENT;
        size_t put = n ? n : sizeof(REPLACEMENT);

        if (p->scratch.len + put > PROFILE_STRING_MAX_BYTES)
            break;
        buf_put(&p->scratch, from, put);
        i += n ? n : 1;
    }
    buf_putc(&p->scratch, '\0');
    if (p->scratch.failed)
        return fail(p, -ENOMEM);
    return put_record(p, &p->strings, p->scratch.data, p->scratch.len, ret);
}

/* A C string that may be missing; "" is number 0 and needs no look-up. */
static int put_text(struct profile *p, const char *s, uint32_t *ret)
{
    size_t bytes;

    if (!s || !*s) {
        *ret = 0;
        return 0;
    }
    /* One that stands there needs no cleaning to be found: what is in the table is clean. */
    bytes = strlen(s);
    *ret = intern_find(&p->strings, s, bytes + 1);
    return *ret != INTERN_NONE ? 0 : profile_put_string(p, s, bytes, ret);
}

/* ---- Shape */

static int put_type(struct profile *p, const char *type, const char *unit, struct profile_type *ret)
{
    struct profile_type t;
    int rc = put_text(p, type, &t.type);

    if (rc == 0)
        rc = put_text(p, unit, &t.unit);
    if (rc == 0)
        *ret = t;
    return rc;
}

/* Values lie in one array with a fixed stride, so the number of types cannot change once it is
 * used. */
int profile_add_type(struct profile *p, const char *type, const char *unit)
{
    int rc;

    if (!type || !*type || p->samples.count > 0)
        return -EINVAL;
    if (p->ntypes == PROFILE_TYPES_MAX)
        return -E2BIG;
    rc = put_type(p, type, unit, &p->types[p->ntypes]);
    if (rc == 0)
        p->ntypes++;
    return rc;
}

int profile_set_period(struct profile *p, const char *type, const char *unit, int64_t period)
{
    int rc = put_type(p, type, unit, &p->period_type);

    if (rc == 0)
        p->period = period;
    return rc;
}

int profile_set_default_type(struct profile *p, const char *type)
{
    return put_text(p, type, &p->default_type);
}

void profile_set_time(struct profile *p, int64_t time_ns, int64_t duration_ns)
{
    p->time_ns = time_ns;
    p->duration_ns = duration_ns;
}

/* Few and rarely added: a search from the front is enough. */
int profile_put_comment(struct profile *p, uint32_t text)
{
    for (size_t i = 0; i < p->ncomments; i++) {
        if (p->comments[i] == text)
            return 0;
    }
    if (p->ncomments == PROFILE_COMMENTS_MAX)
        return -E2BIG;
    p->comments[p->ncomments++] = text;
    return 0;
}

int profile_add_comment(struct profile *p, const char *text)
{
    uint32_t number;
    int rc;

    if (!text || !*text)
        return -EINVAL;
    rc = put_text(p, text, &number);
    return rc ? rc : profile_put_comment(p, number);
}

/* ---- Parts */

/* Marks stand beside the table of mappings: room for one more before the mapping gets its number.
 */
static int grow_marks(struct profile *p)
{
    size_t cap = p->marks_cap ? p->marks_cap * 2 : PROFILE_FIRST_MARKS;
    struct profile_mark *marks;

    if (p->mappings.count < p->marks_cap)
        return 0;
    marks = realloc(p->marks, cap * sizeof(*marks));
    if (!marks)
        return fail(p, -ENOMEM);
    p->marks = marks;
    p->marks_cap = cap;
    return 0;
}

uint32_t profile_put_mapping(struct profile *p, const struct profile_mapping_rec *rec,
                             const struct profile_mark *mark)
{
    uint32_t before = p->mappings.count;
    uint32_t number;

    if (grow_marks(p) != 0 || put_record(p, &p->mappings, rec, sizeof(*rec), &number) != 0)
        return 0;
    if (number == before) /* new: a later mark for the same mapping is not asked */
        p->marks[number] = *mark;
    return number + 1;
}

uint64_t profile_mapping(struct profile *p, const struct profile_mapping *m)
{
    struct profile_mapping_rec rec = {.start = m->start, .limit = m->limit, .offset = m->offset};
    struct profile_mark mark = {
        m->has_functions, m->has_filenames, m->has_line_numbers, m->has_inline_frames, false, 0};

    if (put_text(p, m->filename, &rec.filename) != 0 ||
        put_text(p, m->build_id, &rec.build_id) != 0)
        return 0;
    return profile_put_mapping(p, &rec, &mark);
}

uint32_t profile_put_function(struct profile *p, const struct profile_function_rec *rec)
{
    uint32_t number;

    return put_record(p, &p->functions, rec, sizeof(*rec), &number) ? 0 : number + 1;
}

uint64_t profile_function(struct profile *p, const char *name, const char *system_name,
                          const char *filename, int64_t start_line)
{
    struct profile_function_rec rec = {.start_line = start_line};

    if (put_text(p, name, &rec.name) != 0 ||
        put_text(p, system_name ? system_name : name, &rec.system_name) != 0 ||
        put_text(p, filename, &rec.filename) != 0)
        return 0;
    return profile_put_function(p, &rec);
}

/*
 * Head and lines must be one run of bytes for the table. Only the part that is used is written and
 * read; on the stack, as 6 KiB are cheaper there than a malloc a location.
 */
uint32_t profile_put_location(struct profile *p, const struct profile_location_rec *rec,
                              const struct profile_line_rec *lines, size_t n)
{
    struct {
        struct profile_location_rec head;
        struct profile_line_rec lines[PROFILE_LINES_MAX];
    } whole;
    uint32_t number;

    whole.head = *rec;
    for (size_t i = 0; i < n; i++)
        whole.lines[i] = lines[i];
    return put_record(p, &p->locations, &whole, sizeof(*rec) + n * sizeof(*lines), &number)
               ? 0
               : number + 1;
}

uint64_t profile_location(struct profile *p, uint64_t mapping, uint64_t address,
                          const struct profile_line *lines, size_t n)
{
    struct profile_location_rec rec = {.address = address, .mapping = (uint32_t)mapping};
    struct profile_line_rec recs[PROFILE_LINES_MAX];

    /* an id that is not ours would be an index outside a table later */
    if (mapping > p->mappings.count || n > PROFILE_LINES_MAX) {
        p->failed = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (lines[i].function == 0 || lines[i].function > p->functions.count) {
            p->failed = true;
            return 0;
        }
        recs[i] = (struct profile_line_rec){.line = lines[i].line,
                                            .function = (uint32_t)lines[i].function};
    }
    return profile_put_location(p, &rec, recs, n);
}

/* ---- Samples */

/* Texts in byte order, whatever their numbers: the order must not hang on what was seen before. */
static int compare_text(const struct profile *p, uint32_t a, uint32_t b)
{
    return a == b ? 0 : strcmp(profile_text(p, a), profile_text(p, b));
}

static int compare_label(const struct profile *p, const struct profile_label_rec *a,
                         const struct profile_label_rec *b)
{
    int order = compare_text(p, a->key, b->key);

    if (order == 0)
        order = compare_text(p, a->str, b->str);
    if (order == 0)
        order = (a->num > b->num) - (a->num < b->num);
    if (order == 0)
        order = compare_text(p, a->unit, b->unit);
    return order;
}

/* By insertion: a sample has few labels, at most PROFILE_LABELS_MAX. */
static void sort_labels(const struct profile *p, struct profile_label_rec *labels, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct profile_label_rec rec = labels[i];
        size_t j = i;

        for (; j > 0 && compare_label(p, &rec, &labels[j - 1]) < 0; j--)
            labels[j] = labels[j - 1];
        labels[j] = rec;
    }
}

/* Room for one more sample's values, before the sample gets its number. */
static int grow_values(struct profile *p)
{
    size_t cap = p->values_cap ? p->values_cap * 2 : PROFILE_FIRST_VALUES;
    int64_t *values;

    if (p->samples.count < p->values_cap)
        return 0;
    values = realloc(p->values, cap * p->ntypes * sizeof(*values));
    if (!values)
        return fail(p, -ENOMEM);
    p->values = values;
    p->values_cap = cap;
    return 0;
}

/* All sums or none: a sample half added would shift the ratio of its values. */
static int add_values(struct profile *p, uint32_t sample, const int64_t *values)
{
    int64_t *to = p->values + (size_t)sample * p->ntypes;
    int64_t sums[PROFILE_TYPES_MAX];

    for (size_t i = 0; i < p->ntypes; i++) {
        if (__builtin_add_overflow(to[i], values[i], &sums[i]))
            return fail(p, -EOVERFLOW);
    }
    for (size_t i = 0; i < p->ntypes; i++)
        to[i] = sums[i];
    return 0;
}

/*
 * Room for the values comes first: a sample that has its number must have its values too. Stack and
 * label set are found again when they are known, so a sample that comes often costs three look-ups.
 */
int profile_put_sample(struct profile *p, const uint32_t *stack, size_t depth,
                       const int64_t *values, struct profile_label_rec *labels, size_t nlabels)
{
    struct profile_sample_rec rec;
    uint32_t before = p->samples.count;
    uint32_t sample;
    int rc = grow_values(p);

    sort_labels(p, labels, nlabels);
    if (rc == 0)
        rc = put_record(p, &p->stacks, stack, depth * sizeof(*stack), &rec.stack);
    if (rc == 0)
        rc = put_record(p, &p->labelsets, labels, nlabels * sizeof(*labels), &rec.labels);
    if (rc == 0)
        rc = put_record(p, &p->samples, &rec, sizeof(rec), &sample);
    if (rc != 0)
        return rc;
    if (sample == before) {
        for (size_t i = 0; i < p->ntypes; i++)
            p->values[(size_t)sample * p->ntypes + i] = values[i];
        return 0;
    }
    return add_values(p, sample, values);
}

/* The format has one place for a text and one for a number; a text leaves the number's empty. */
static int put_label(struct profile *p, const struct profile_label *l,
                     struct profile_label_rec *ret)
{
    struct profile_label_rec rec = {0};
    int rc;

    if (!l->key || !*l->key)
        return -EINVAL;
    rc = put_text(p, l->key, &rec.key);
    if (rc == 0 && l->str)
        rc = put_text(p, l->str, &rec.str);
    if (rc == 0 && !l->str) {
        rec.num = l->num;
        rc = put_text(p, l->unit, &rec.unit);
    }
    if (rc == 0)
        *ret = rec;
    return rc;
}

int profile_take_labels(struct profile *p, const struct profile_label *labels, size_t n,
                        struct profile_label_rec *ret)
{
    /* records are compared as bytes, spare fields too */
    memset(ret, 0, n * sizeof(ret[0]));
    for (size_t i = 0; i < n; i++) {
        int rc = put_label(p, &labels[i], &ret[i]);

        if (rc != 0)
            return rc;
    }
    sort_labels(p, ret, n);
    return 0;
}

int profile_sample(struct profile *p, const uint64_t *locations, size_t depth,
                   const int64_t *values, const struct profile_label *labels, size_t nlabels)
{
    struct profile_label_rec recs[PROFILE_LABELS_MAX];
    uint32_t stack[PROFILE_DEPTH_MAX];
    int rc;

    if (p->ntypes == 0)
        return -EINVAL;
    if (depth > PROFILE_DEPTH_MAX || nlabels > PROFILE_LABELS_MAX)
        return fail(p, -E2BIG);
    for (size_t i = 0; i < depth; i++) {
        if (locations[i] == 0 || locations[i] > p->locations.count)
            return -EINVAL;
        stack[i] = (uint32_t)locations[i];
    }
    rc = profile_take_labels(p, labels, nlabels, recs);
    return rc ? rc : profile_put_sample(p, stack, depth, values, recs, nlabels);
}
