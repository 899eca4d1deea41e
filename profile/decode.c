/*
 * Protobuf to a profile. The bytes are hostile.
 *
 * The fields of Profile are framed here, in four passes over the input (strings and counts; what
 * needs only strings; locations; samples), because string_table usually comes after those who use
 * it. Each submessage is then unpacked by protobuf-c, whose memory comes from one arena of fixed
 * size that is emptied after every message: nothing here allocates in proportion to a length or a
 * count that the input merely claims. Ids of the file become ours by tables; the profile's own
 * functions keep the bounds.
 */
#include <errno.h>

#include "profile/field.h"
#include "profile/ids.h"
#include "profile/pprof.pb-c.h"
#include "profile/profile_priv.h"

enum {
    DECODE_ARENA_BYTES = 512 * 1024,  /* what protobuf-c may hold for one message */
    DECODE_MESSAGE_MAX_BYTES = 65536, /* of one submessage; a full Sample has 13 KiB */
    DECODE_ALIGN_BYTES = 16,
    DECODE_FIRST_STRINGS = 64,
};

/* Fields of Profile, profile/pprof.proto. */
enum decode_profile {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING = 6,
    PROFILE_DROP_FRAMES = 7,
    PROFILE_KEEP_FRAMES = 8,
    PROFILE_TIME = 9,
    PROFILE_DURATION = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_COMMENT = 13,
    PROFILE_DEFAULT_TYPE = 14,
    PROFILE_DOC_URL = 15,
};

/* Where protobuf-c puts one message. */
struct arena {
    unsigned char *bytes;
    size_t used;
    bool full;
};

/* One run of profile_decode(): everything here ends with it, but for p when it went well. */
struct decode {
    struct profile *p;
    struct field_cursor all;
    struct arena arena;
    ProtobufCAllocator allocator;
    const void *message; /* the last one unpacked */
    uint32_t *strings;   /* index in the file's string_table to our number */
    size_t nstrings, strings_cap;
    struct ids mappings, functions, locations;
    struct err *e;
};

/* ---- Memory of protobuf-c */

/* From the front; what does not fit is remembered, as protobuf-c only says that it failed. */
static void *arena_alloc(void *data, size_t bytes)
{
    struct arena *a = data;
    size_t round = (bytes + DECODE_ALIGN_BYTES - 1) & ~(size_t)(DECODE_ALIGN_BYTES - 1);
    void *at = a->bytes + a->used;

    if (bytes > DECODE_ARENA_BYTES || round > DECODE_ARENA_BYTES - a->used) {
        a->full = true;
        return NULL;
    }
    a->used += round;
    return at;
}

/* The whole arena is emptied before the next message. */
static void arena_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

/* One submessage into d->message, valid until the next one. */
static int unpack(struct decode *d, const struct field *f,
                  const ProtobufCMessageDescriptor *descriptor, const char *what)
{
    size_t bytes = (size_t)(f->body.end - f->body.at);

    if (bytes > DECODE_MESSAGE_MAX_BYTES)
        return err_set(d->e, -E2BIG, "a %s has %zu bytes, more than %d", what, bytes,
                       DECODE_MESSAGE_MAX_BYTES);
    d->arena.used = 0;
    d->arena.full = false;
    d->message = protobuf_c_message_unpack(descriptor, &d->allocator, bytes, f->body.at);
    if (d->message)
        return 0;
    if (d->arena.full)
        return err_set(d->e, -E2BIG, "a %s needs more than %d bytes of memory", what,
                       DECODE_ARENA_BYTES);
    return err_set(d->e, -EBADMSG, "a %s is malformed", what);
}

/* ---- Strings of the file */

/* Every text of the file is such an index; negative ones are hostile, not unknown. */
static int find_string(struct decode *d, int64_t index, uint32_t *ret)
{
    if (index < 0 || (uint64_t)index >= d->nstrings)
        return err_set(d->e, -EBADMSG, "string %lld is not in the table of %zu", (long long)index,
                       d->nstrings);
    *ret = d->strings[index];
    return 0;
}

/* Why our own tables took no more. */
static int full(struct decode *d, int code)
{
    return err_set(d->e, code, "%s",
                   code == -EOVERFLOW ? "the values of equal samples add up to more than 63 bits"
                   : code == -E2BIG   ? "it is larger than a profile may be"
                                      : "no memory for the profile");
}

/*
 * One entry of string_table. Two entries may become one string of ours (equal, or equal after
 * repair): the file's indices go through d->strings.
 */
static int add_string(struct decode *d, const struct field *f)
{
    size_t bytes = (size_t)(f->body.end - f->body.at);
    int rc;

    if (d->nstrings == 0 && bytes != 0)
        return err_set(d->e, -EBADMSG, "the first string is not empty");
    if (d->nstrings == PROFILE_STRINGS_MAX)
        return err_set(d->e, -E2BIG, "more than %d strings", PROFILE_STRINGS_MAX);
    if (d->nstrings == d->strings_cap) {
        size_t cap = d->strings_cap ? d->strings_cap * 2 : DECODE_FIRST_STRINGS;
        uint32_t *p = realloc(d->strings, cap * sizeof(*p));

        if (!p)
            return full(d, -ENOMEM);
        d->strings = p;
        d->strings_cap = cap;
    }
    rc = profile_put_string(d->p, f->body.at, bytes, &d->strings[d->nstrings]);
    if (rc != 0)
        return full(d, rc);
    d->nstrings++;
    return 0;
}

/* ---- Submessages */

static int read_type(struct decode *d, const struct field *f, struct profile_type *ret)
{
    const Pprof__ValueType *m;
    int rc = unpack(d, f, &pprof__value_type__descriptor, "sample type");

    if (rc != 0)
        return rc;
    m = d->message;
    rc = find_string(d, m->type, &ret->type);
    if (rc == 0)
        rc = find_string(d, m->unit, &ret->unit);
    return rc;
}

/* Straight into the shape: no sample can be there yet, samples are the last pass. */
static int add_type(struct decode *d, const struct field *f)
{
    int rc;

    if (d->p->ntypes == PROFILE_TYPES_MAX)
        return err_set(d->e, -E2BIG, "more than %d sample types", PROFILE_TYPES_MAX);
    rc = read_type(d, f, &d->p->types[d->p->ntypes]);
    if (rc == 0)
        d->p->ntypes++;
    return rc;
}

/* Ids are added last: a mapping whose parts are wrong has none. */
static int add_mapping(struct decode *d, const struct field *f)
{
    struct profile_mapping_rec rec = {0};
    struct profile_mark mark;
    const Pprof__Mapping *m;
    uint32_t ours;
    int rc = unpack(d, f, &pprof__mapping__descriptor, "mapping");

    if (rc != 0)
        return rc;
    m = d->message;
    rc = find_string(d, m->filename, &rec.filename);
    if (rc == 0)
        rc = find_string(d, m->build_id, &rec.build_id);
    if (rc != 0)
        return rc;
    rec.start = m->memory_start;
    rec.limit = m->memory_limit;
    rec.offset = m->file_offset;
    mark = (struct profile_mark){
        m->has_functions, m->has_filenames, m->has_line_numbers, m->has_inline_frames, false, 0};
    ours = profile_put_mapping(d->p, &rec, &mark);
    return ours ? ids_add(&d->mappings, m->id, ours, d->e) : full(d, -E2BIG);
}

static int add_function(struct decode *d, const struct field *f)
{
    struct profile_function_rec rec = {0};
    const Pprof__Function *m;
    uint32_t ours;
    int rc = unpack(d, f, &pprof__function__descriptor, "function");

    if (rc != 0)
        return rc;
    m = d->message;
    rc = find_string(d, m->name, &rec.name);
    if (rc == 0)
        rc = find_string(d, m->system_name, &rec.system_name);
    if (rc == 0)
        rc = find_string(d, m->filename, &rec.filename);
    if (rc != 0)
        return rc;
    rec.start_line = m->start_line;
    ours = profile_put_function(d->p, &rec);
    return ours ? ids_add(&d->functions, m->id, ours, d->e) : full(d, -E2BIG);
}

/* Line.function_id must resolve as well; 0 is no function (google/pprof, CheckValid). */
static int add_location(struct decode *d, const struct field *f)
{
    struct profile_line_rec lines[PROFILE_LINES_MAX];
    struct profile_location_rec rec = {0};
    const Pprof__Location *m;
    uint32_t ours;
    int rc = unpack(d, f, &pprof__location__descriptor, "location");

    if (rc != 0)
        return rc;
    m = d->message;
    if (m->n_line > PROFILE_LINES_MAX)
        return err_set(d->e, -E2BIG, "location %llu has %zu lines, more than %d",
                       (unsigned long long)m->id, m->n_line, PROFILE_LINES_MAX);
    if (m->mapping_id)
        rc = ids_find(&d->mappings, m->mapping_id, &rec.mapping, d->e);
    for (size_t i = 0; rc == 0 && i < m->n_line; i++) {
        lines[i] =
            (struct profile_line_rec){.line = m->line[i]->line, .column = m->line[i]->column};
        rc = ids_find(&d->functions, m->line[i]->function_id, &lines[i].function, d->e);
    }
    if (rc != 0)
        return rc;
    rec.address = m->address;
    rec.folded = m->is_folded != 0;
    ours = profile_put_location(d->p, &rec, lines, m->n_line);
    return ours ? ids_add(&d->locations, m->id, ours, d->e) : full(d, -E2BIG);
}

/* A text wins over a number, as in google/pprof (profile/profile.go, postDecode). */
static int read_label(struct decode *d, const Pprof__Label *m, struct profile_label_rec *ret)
{
    int rc;

    *ret = (struct profile_label_rec){0};
    rc = find_string(d, m->key, &ret->key);
    if (rc == 0)
        rc = find_string(d, m->str, &ret->str);
    if (rc == 0)
        rc = find_string(d, m->num_unit, &ret->unit);
    if (rc == 0 && ret->str)
        ret->unit = 0;
    else
        ret->num = m->num;
    return rc;
}

/* Counts before anything is copied to the stack arrays of these sizes. */
static int check_sample(struct decode *d, const Pprof__Sample *m)
{
    if (m->n_value != d->p->ntypes)
        return err_set(d->e, -EBADMSG, "mismatch: sample has %zu values vs. %zu types", m->n_value,
                       d->p->ntypes);
    if (m->n_location_id > PROFILE_DEPTH_MAX)
        return err_set(d->e, -E2BIG, "a sample has %zu locations, more than %d", m->n_location_id,
                       PROFILE_DEPTH_MAX);
    if (m->n_label > PROFILE_LABELS_MAX)
        return err_set(d->e, -E2BIG, "a sample has %zu labels, more than %d", m->n_label,
                       PROFILE_LABELS_MAX);
    return d->p->ntypes ? 0 : err_set(d->e, -EBADMSG, "there are samples, but no sample types");
}

/* Samples that are equal after all references are resolved are summed, as when building. */
static int add_sample(struct decode *d, const struct field *f)
{
    struct profile_label_rec labels[PROFILE_LABELS_MAX];
    uint32_t stack[PROFILE_DEPTH_MAX];
    const Pprof__Sample *m;
    int rc = unpack(d, f, &pprof__sample__descriptor, "sample");

    if (rc != 0)
        return rc;
    m = d->message;
    rc = check_sample(d, m);
    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < m->n_location_id; i++)
        rc = ids_find(&d->locations, m->location_id[i], &stack[i], d->e);
    for (size_t i = 0; rc == 0 && i < m->n_label; i++)
        rc = read_label(d, m->label[i], &labels[i]);
    if (rc != 0)
        return rc;
    rc = profile_put_sample(d->p, stack, m->n_location_id, m->value, labels, m->n_label);
    return rc ? full(d, rc) : 0;
}

/* ---- Single fields */

static int add_comment(struct decode *d, uint64_t index)
{
    uint32_t text = 0;
    int rc = find_string(d, (int64_t)index, &text);

    if (rc == 0 && profile_put_comment(d->p, text) != 0)
        rc = err_set(d->e, -E2BIG, "more than %d comments", PROFILE_COMMENTS_MAX);
    return rc;
}

/* Packed or not: both are legal (protobuf encoding guide). */
static int add_comments(struct decode *d, const struct field *f)
{
    struct field_cursor c = f->body;
    uint64_t index;
    int rc = 0;

    if (f->wire == FIELD_VARINT)
        return add_comment(d, f->value);
    while (rc == 0 && c.at < c.end) {
        if (field_varint(&c, &index) != 0)
            return err_set(d->e, -EBADMSG, "a comment is malformed");
        rc = add_comment(d, index);
    }
    return rc;
}

/* The last one wins (protobuf encoding guide); indices are checked each time all the same. */
static int set_scalar(struct decode *d, const struct field *f)
{
    struct profile *p = d->p;
    int64_t value = (int64_t)f->value;

    switch (f->number) {
    case PROFILE_DROP_FRAMES:
        return find_string(d, value, &p->drop_frames);
    case PROFILE_KEEP_FRAMES:
        return find_string(d, value, &p->keep_frames);
    case PROFILE_DEFAULT_TYPE:
        return find_string(d, value, &p->default_type);
    case PROFILE_DOC_URL:
        return find_string(d, value, &p->doc_url);
    case PROFILE_TIME:
        p->time_ns = value;
        return 0;
    case PROFILE_DURATION:
        p->duration_ns = value;
        return 0;
    case PROFILE_PERIOD:
        p->period = value;
        return 0;
    default:
        return 0; /* unknown: skipped */
    }
}

/* ---- The passes */

/* Wire types of all fields, once for all passes; and the strings. */
static int first_pass(struct decode *d, const struct field *f)
{
    bool right;

    switch (f->number) {
    case PROFILE_SAMPLE_TYPE:
    case PROFILE_SAMPLE:
    case PROFILE_MAPPING:
    case PROFILE_LOCATION:
    case PROFILE_FUNCTION:
    case PROFILE_STRING:
    case PROFILE_PERIOD_TYPE:
        right = f->wire == FIELD_LENGTH;
        break;
    case PROFILE_COMMENT:
        right = f->wire == FIELD_LENGTH || f->wire == FIELD_VARINT;
        break;
    case PROFILE_DROP_FRAMES:
    case PROFILE_KEEP_FRAMES:
    case PROFILE_TIME:
    case PROFILE_DURATION:
    case PROFILE_PERIOD:
    case PROFILE_DEFAULT_TYPE:
    case PROFILE_DOC_URL:
        right = f->wire == FIELD_VARINT;
        break;
    default:
        right = true;
        break;
    }
    if (!right)
        return err_set(d->e, -EBADMSG, "field %u has the wrong wire type %u", f->number,
                       (unsigned)f->wire);
    return f->number == PROFILE_STRING ? add_string(d, f) : 0;
}

/* What needs only strings. */
static int second_pass(struct decode *d, const struct field *f)
{
    switch (f->number) {
    case PROFILE_SAMPLE_TYPE:
        return add_type(d, f);
    case PROFILE_PERIOD_TYPE:
        return read_type(d, f, &d->p->period_type);
    case PROFILE_MAPPING:
        return add_mapping(d, f);
    case PROFILE_FUNCTION:
        return add_function(d, f);
    case PROFILE_COMMENT:
        return add_comments(d, f);
    default:
        return set_scalar(d, f);
    }
}

/* Locations need mappings and functions. */
static int third_pass(struct decode *d, const struct field *f)
{
    return f->number == PROFILE_LOCATION ? add_location(d, f) : 0;
}

/* Samples need locations and the number of types. */
static int fourth_pass(struct decode *d, const struct field *f)
{
    return f->number == PROFILE_SAMPLE ? add_sample(d, f) : 0;
}

/* One pass over all fields. The framing was right in the first, so it is in the others. */
static int walk(struct decode *d, int (*pass)(struct decode *, const struct field *))
{
    struct field_cursor c = d->all;
    int rc = 0;

    while (rc == 0 && c.at < c.end) {
        size_t at = (size_t)(c.at - d->all.at);
        struct field f;

        if (field_next(&c, &f) != 0)
            return err_set(d->e, -EBADMSG, "no protobuf field at byte %zu", at);
        rc = pass(d, &f);
    }
    return rc;
}

/* Each pass finds what the ones before it have put into the tables. */
static int decode_all(struct decode *d)
{
    int rc = walk(d, first_pass);

    if (rc == 0 && d->nstrings == 0)
        return err_set(d->e, -EBADMSG, "there is no string table");
    if (rc == 0)
        rc = walk(d, second_pass);
    if (rc == 0)
        rc = walk(d, third_pass);
    if (rc == 0)
        rc = walk(d, fourth_pass);
    return rc;
}

int profile_decode(const void *data, size_t bytes, struct profile **ret, struct err *e)
{
    struct decode d = {.e = e};
    int rc;

    if (bytes == 0)
        return err_set(e, -EBADMSG, "an empty profile");
    if (bytes > PROFILE_MAX_BYTES)
        return err_set(e, -E2BIG, "%zu bytes, more than a profile may have (%d)", bytes,
                       PROFILE_MAX_BYTES);
    d.all = (struct field_cursor){data, (const unsigned char *)data + bytes};
    d.allocator = (ProtobufCAllocator){arena_alloc, arena_free, &d.arena};
    ids_init(&d.mappings, "mapping", PROFILE_MAPPINGS_MAX);
    ids_init(&d.functions, "function", PROFILE_FUNCTIONS_MAX);
    ids_init(&d.locations, "location", PROFILE_LOCATIONS_MAX);
    d.arena.bytes = malloc(DECODE_ARENA_BYTES);
    d.p = profile_new();
    rc = d.arena.bytes && d.p ? decode_all(&d) : full(&d, -ENOMEM);
    if (rc == 0) {
        *ret = d.p;
        d.p = NULL;
    }
    profile_free(d.p);
    free(d.arena.bytes);
    free(d.strings);
    ids_release(&d.mappings);
    ids_release(&d.functions);
    ids_release(&d.locations);
    return rc;
}
