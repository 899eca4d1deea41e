/*
 * Both readings are copied sample by sample into one profile that sums equal ones, the first with
 * its sign turned; what is not zero then is copied once more, so that neither samples nor locations
 * nor names are left of what did not change (google/pprof's Merge does the same).
 */
#include "sidecar/delta.h"

#include <errno.h>

enum delta_sign { SIGN_NONE, SIGN_PLUS, SIGN_MINUS };

/* How values get from one profile into another. */
struct copy {
    struct profile *to;
    const struct profile *from;
    uint32_t *locations; /* id in from to id in to; 0: not copied yet */
    enum delta_sign sign[PROFILE_TYPES_MAX];
    bool drop_negative[PROFILE_TYPES_MAX];
};

/* ---- Shape */

/* A sampler that changed its mind about the shape in between has no difference to give. */
static int same_types(const struct profile *a, const struct profile *b, struct err *e)
{
    if (profile_types(a) != profile_types(b))
        return err_set(e, -EINVAL, "two readings with %zu and %zu sample types", profile_types(a),
                       profile_types(b));
    for (size_t i = 0; i < profile_types(a); i++) {
        if (strcmp(profile_type_name(a, i), profile_type_name(b, i)) != 0 ||
            strcmp(profile_type_unit(a, i), profile_type_unit(b, i)) != 0)
            return err_set(e, -EINVAL, "two readings that differ in sample type %zu", i + 1);
    }
    return 0;
}

/* All but the samples and the time: what a reader decides by what it looks at. */
static int take_head(struct profile *to, const struct profile *from)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < profile_types(from); i++)
        r = profile_add_type(to, profile_type_name(from, i), profile_type_unit(from, i));
    if (r == 0)
        r = profile_set_period(to, profile_period_type(from), profile_period_unit(from),
                               profile_period(from));
    if (r == 0 && profile_default_type(from)[0])
        r = profile_set_default_type(to, profile_default_type(from));
    for (size_t i = 0; r == 0 && i < profile_comments(from); i++)
        r = profile_add_comment(to, profile_comment(from, i));
    /* mapping 1 is the main program for every reader: all of them first, in their order */
    for (uint64_t id = 1; r == 0 && id <= profile_mappings(from); id++) {
        struct profile_mapping m;

        if (profile_get_mapping(from, id, &m) && profile_mapping(to, &m) == 0)
            r = -E2BIG;
    }
    profile_set_time(to, profile_time_ns(from), profile_duration_ns(from));
    return r;
}

/* ---- Samples */

/*
 * Mapping, function and location are interned by their content, so that copying one from each of
 * the two readings gives one: that is what makes their samples meet.
 */
static int copy_location(struct copy *c, uint32_t id)
{
    struct profile_line lines[PROFILE_LINES_MAX];
    struct profile_location_view at;
    struct profile_mapping m;
    uint64_t mapping = 0, made;

    if (!profile_get_location(c->from, id, &at) || at.lines > PROFILE_LINES_MAX)
        return -EINVAL;
    if (at.mapping && profile_get_mapping(c->from, at.mapping, &m))
        mapping = profile_mapping(c->to, &m);
    for (size_t j = 0; j < at.lines; j++) {
        struct profile_line_view line;

        if (!profile_get_line(c->from, id, j, &line))
            return -EINVAL;
        lines[j].line = line.line;
        lines[j].function =
            profile_function(c->to, line.name, line.system_name, line.filename, line.start_line);
    }
    made = profile_location(c->to, mapping, at.address, lines, at.lines);
    if (made == 0 || made > UINT32_MAX)
        return -E2BIG;
    c->locations[id] = (uint32_t)made;
    return 0;
}

/* The values as they go in; false when all of them are 0. */
static bool copy_values(const struct copy *c, const int64_t *from, int64_t *to)
{
    bool any = false;

    for (size_t i = 0; i < profile_types(c->from); i++) {
        to[i] = 0;
        if (c->sign[i] == SIGN_PLUS)
            to[i] = from[i];
        else if (c->sign[i] == SIGN_MINUS)
            to[i] =
                from[i] == INT64_MIN ? INT64_MAX : -from[i]; /* clamped: nothing counts so far */
        if (c->drop_negative[i] && to[i] < 0)
            to[i] = 0;
        any |= to[i] != 0;
    }
    return any;
}

/* Locations are translated when the first sample needs them: those of unchanged ones never are. */
static int copy_sample(struct copy *c, size_t i)
{
    struct profile_label labels[PROFILE_LABELS_MAX];
    uint64_t stack[PROFILE_DEPTH_MAX];
    int64_t values[PROFILE_TYPES_MAX];
    struct profile_sample_view s;
    size_t n = 0;

    if (!profile_get_sample(c->from, i, &s) || s.depth > PROFILE_DEPTH_MAX)
        return -EINVAL;
    if (!copy_values(c, s.values, values))
        return 0;
    for (size_t k = 0; k < s.depth; k++) {
        uint32_t id = s.locations[k];
        int r = c->locations[id] ? 0 : copy_location(c, id);

        if (r)
            return r;
        stack[k] = c->locations[id];
    }
    while (n < PROFILE_LABELS_MAX && profile_get_label(c->from, i, n, &labels[n]))
        n++;
    return profile_sample(c->to, stack, s.depth, values, labels, n);
}

static int copy_all(struct copy *c)
{
    int r = 0;

    c->locations = calloc(profile_locations(c->from) + 1, sizeof(*c->locations));
    if (!c->locations)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < profile_samples(c->from); i++)
        r = copy_sample(c, i);
    free(c->locations);
    c->locations = NULL;
    return r;
}

/* ---- The difference */

/* inuse_objects, inuse_space: what there is, not what came (runtime/pprof, protomem.go). */
static bool is_level(const struct profile *p, size_t type)
{
    return strncmp(profile_type_name(p, type), "inuse_", 6) == 0;
}

/* Both into one: equal samples meet there. */
static int add_both(struct profile *sum, const struct profile *first, const struct profile *second,
                    enum delta_rule rule)
{
    struct copy minus = {.to = sum, .from = first};
    struct copy plus = {.to = sum, .from = second};
    int r;

    for (size_t i = 0; i < profile_types(second); i++) {
        minus.sign[i] = rule == DELTA_GROWTH && is_level(second, i) ? SIGN_NONE : SIGN_MINUS;
        plus.sign[i] = SIGN_PLUS;
    }
    r = copy_all(&plus);
    return r ? r : copy_all(&minus);
}

/*
 * Growth is clamped here, after both were added, and not before: one sample of a profile may be
 * spread over several buckets, and only their sum is what has grown.
 */
static int keep_changes(struct profile *to, const struct profile *sum, enum delta_rule rule)
{
    struct copy changes = {.to = to, .from = sum};

    for (size_t i = 0; i < profile_types(sum); i++) {
        changes.sign[i] = SIGN_PLUS;
        changes.drop_negative[i] = rule == DELTA_GROWTH;
    }
    return copy_all(&changes);
}

static const char *reason(int r)
{
    switch (r) {
    case -E2BIG:
        return "the difference of two readings is larger than a profile may be";
    case -EOVERFLOW:
        return "the difference of two readings has more than 63 bits";
    case -EINVAL:
        return "two readings that do not fit together";
    default:
        return "no memory for the difference of two readings";
    }
}

/* Two stamps that anybody may have written; a clock that was set back makes no negative time. */
static int64_t between(const struct profile *first, const struct profile *second)
{
    int64_t ns;

    if (__builtin_sub_overflow(profile_time_ns(second), profile_time_ns(first), &ns) || ns < 0)
        return 0;
    return ns;
}

int delta_profile(const struct profile *first, const struct profile *second, enum delta_rule rule,
                  struct profile **ret, struct err *e)
{
    struct profile *sum = NULL, *out = NULL;
    int r = same_types(first, second, e);

    if (r)
        return r;
    sum = profile_new();
    out = profile_new();
    r = sum && out ? take_head(sum, second) : -ENOMEM;
    if (r == 0)
        r = add_both(sum, first, second, rule);
    if (r == 0)
        r = take_head(out, second);
    if (r == 0)
        r = keep_changes(out, sum, rule);
    if (r == 0) {
        profile_set_time(out, profile_time_ns(second), between(first, second));
        *ret = out;
        out = NULL;
    } else {
        (void)err_set(e, r, "%s", reason(r));
    }
    profile_free(sum);
    profile_free(out);
    return r;
}

int delta_encoded(const struct bulk *first, const struct bulk *second, enum delta_rule rule,
                  struct buf *out, int64_t *ret_between_ns, struct err *e)
{
    struct profile *a = NULL, *b = NULL, *d = NULL;
    int r = profile_decode(first->data, first->bytes, &a, e);

    if (r == 0)
        r = profile_decode(second->data, second->bytes, &b, e);
    if (r == 0)
        r = delta_profile(a, b, rule, &d, e);
    profile_free(a); /* before the encoding needs its own memory */
    profile_free(b);
    if (r == 0) {
        *ret_between_ns = profile_duration_ns(d);
        r = profile_encode(d, out);
        if (r)
            (void)err_set(e, r, "%s", reason(r));
    }
    profile_free(d);
    return r;
}

/*
 * ---- What is remembered
 *
 * A base that is lost costs one answer that is whole; a base that is wrong would be growth that
 * never was. So everything doubtful is forgotten: another target, one that is too large, the rows
 * that were not asked for longest.
 */

static void forget(struct delta_row *row)
{
    buf_release(&row->packed);
    *row = (struct delta_row){.used = false};
}

void delta_store_release(struct delta_store *s)
{
    for (size_t i = 0; s && i < DELTA_STORED_MAX; i++)
        forget(&s->rows[i]);
}

static bool is_of(const struct delta_row *row, const char *identity, uint32_t kind)
{
    return row->used && row->kind == kind && strcmp(row->identity, identity) == 0;
}

const struct buf *delta_store_get(const struct delta_store *s, const char *identity, uint32_t kind,
                                  uint64_t program)
{
    for (size_t i = 0; i < DELTA_STORED_MAX; i++) {
        const struct delta_row *row = &s->rows[i];

        if (is_of(row, identity, kind) && row->program == program)
            return &row->packed;
    }
    return NULL;
}

/* A free row with room for ${bytes}; whoever asked longest ago pays for it. */
static struct delta_row *make_room(struct delta_store *s, size_t bytes)
{
    for (;;) {
        struct delta_row *empty = NULL, *oldest = NULL;
        size_t all = bytes;

        for (size_t i = 0; i < DELTA_STORED_MAX; i++) {
            struct delta_row *row = &s->rows[i];

            if (!row->used) {
                empty = row;
                continue;
            }
            all += row->packed.len;
            if (!oldest || row->order < oldest->order)
                oldest = row;
        }
        if (empty && all <= DELTA_ALL_MAX_BYTES)
            return empty;
        if (!oldest)
            return NULL; /* cannot be: one alone always fits */
        forget(oldest);
    }
}

/* The old row goes first in any case: with the new one lost, it would be a base of too long ago. */
int delta_store_put(struct delta_store *s, const char *identity, uint32_t kind, uint64_t program,
                    struct buf *packed)
{
    struct delta_row *row;

    for (size_t i = 0; i < DELTA_STORED_MAX; i++) {
        if (is_of(&s->rows[i], identity, kind))
            forget(&s->rows[i]);
    }
    row = packed->failed || packed->len > DELTA_ONE_MAX_BYTES ? NULL : make_room(s, packed->len);
    if (!row) {
        buf_release(packed);
        return -EFBIG;
    }
    row->used = true;
    row->kind = kind;
    row->program = program;
    row->order = s->next_order++;
    (void)snprintf(row->identity, sizeof(row->identity), "%s", identity);
    row->packed = *packed;
    buf_init(packed, packed->max_bytes);
    return 0;
}
