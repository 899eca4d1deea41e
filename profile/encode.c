/*
 * A profile as protobuf. Each submessage is built on the stack and packed straight into the output
 * (profile/frame.h), so encoding needs no memory but the output's. Tables are
 * written in the order of their ids, samples in the order in which they first came.
 */
#include <errno.h>

#include "profile/frame.h"
#include "profile/pprof.pb-c.h"
#include "profile/profile_priv.h"

enum {
    ENCODE_WIRE_LENGTH = 2, /* wire type of what has a length (protobuf encoding guide) */
    ENCODE_SAMPLE_TYPE = 1, /* fields of Profile that are written one by one */
    ENCODE_SAMPLE = 2,
    ENCODE_MAPPING = 3,
    ENCODE_LOCATION = 4,
    ENCODE_FUNCTION = 5,
    ENCODE_STRING = 6,
    ENCODE_VARINT_MAX_BYTES = 10,
    /* the ids are 32 bits wide, five bytes; each list and each label has a tag and a length */
    ENCODE_SAMPLE_MAX_BYTES = PROFILE_DEPTH_MAX * 5 + PROFILE_TYPES_MAX * ENCODE_VARINT_MAX_BYTES +
                              PROFILE_LABELS_MAX * (2 + 4 * (1 + ENCODE_VARINT_MAX_BYTES)) + 16,
};

/* ---- Messages */

static void put_types(const struct profile *p, struct buf *out)
{
    for (size_t i = 0; i < p->ntypes; i++) {
        Pprof__ValueType m = PPROF__VALUE_TYPE__INIT;

        m.type = p->types[i].type;
        m.unit = p->types[i].unit;
        frame_message(out, ENCODE_SAMPLE_TYPE, &m.base);
    }
}

/* ---- Samples: there may be a hundred thousand, so they are written without protobuf-c's tree. */

static unsigned char *varint(unsigned char *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (unsigned char)(value | 0x80);
    *to++ = (unsigned char)value;
    return to;
}

static size_t varint_bytes(uint64_t value)
{
    return (70U - (unsigned)__builtin_clzll(value | 1)) / 7;
}

/* A number of a message; 0 is what a reader takes for a missing one (proto3). */
static unsigned char *number(unsigned char *to, unsigned field, uint64_t value)
{
    if (value == 0)
        return to;
    *to++ = (unsigned char)(field << 3);
    return varint(to, value);
}

static unsigned char *label(unsigned char *to, const struct profile_label_rec *rec)
{
    unsigned char body[4 * (1 + ENCODE_VARINT_MAX_BYTES)];
    unsigned char *end = number(body, 1, rec->key);

    end = number(end, 2, rec->str);
    end = number(end, 3, (uint64_t)rec->num);
    end = number(end, 4, rec->unit);
    *to++ = 3 << 3 | ENCODE_WIRE_LENGTH;
    to = varint(to, (uint64_t)(end - body));
    memcpy(to, body, (size_t)(end - body));
    return to + (end - body);
}

/* location_id and value are packed: one length, then the numbers. */
static void put_sample(const struct profile *p, const struct profile_sample_view *s,
                       const struct profile_label_rec *labels, struct buf *out)
{
    unsigned char body[ENCODE_SAMPLE_MAX_BYTES];
    unsigned char *to = body;
    size_t bytes = 0;

    for (size_t i = 0; i < s->depth; i++)
        bytes += varint_bytes(s->locations[i]);
    if (bytes > 0) {
        *to++ = 1 << 3 | ENCODE_WIRE_LENGTH;
        to = varint(to, bytes);
    }
    for (size_t i = 0; i < s->depth; i++)
        to = varint(to, s->locations[i]);
    bytes = 0;
    for (size_t i = 0; i < p->ntypes; i++)
        bytes += varint_bytes((uint64_t)s->values[i]);
    *to++ = 2 << 3 | ENCODE_WIRE_LENGTH;
    to = varint(to, bytes);
    for (size_t i = 0; i < p->ntypes; i++)
        to = varint(to, (uint64_t)s->values[i]);
    for (size_t i = 0; i < s->labels; i++)
        to = label(to, &labels[i]);
    frame_bytes(out, ENCODE_SAMPLE, body, (size_t)(to - body));
}

static void put_samples(const struct profile *p, struct buf *out)
{
    for (size_t i = 0; i < p->samples.count && !out->failed; i++) {
        struct profile_sample_view view;
        size_t n;
        const struct profile_label_rec *labels = profile_sample_labels(p, i, &n);

        (void)profile_get_sample(p, i, &view);
        put_sample(p, &view, labels, out);
    }
}

/* ---- Tables */

/* Only those that profile_settle() has numbered. */
static void put_mapping(const struct profile *p, uint64_t id, struct buf *out)
{
    const struct profile_mapping_rec *rec = profile_mapping_rec(p, id);
    const struct profile_mark *mark = &p->marks[id - 1];
    Pprof__Mapping m = PPROF__MAPPING__INIT;

    if (mark->out_id == 0)
        return;
    m.id = mark->out_id;
    m.memory_start = rec->start;
    m.memory_limit = rec->limit;
    m.file_offset = rec->offset;
    m.filename = rec->filename;
    m.build_id = rec->build_id;
    m.has_functions = mark->has_functions;
    m.has_filenames = mark->has_filenames;
    m.has_line_numbers = mark->has_line_numbers;
    m.has_inline_frames = mark->has_inline_frames;
    frame_message(out, ENCODE_MAPPING, &m.base);
}

/* Inlined lines are few; arrays of the largest number are simpler than counting first. */
static void put_location(const struct profile *p, uint64_t id, struct buf *out)
{
    Pprof__Location m = PPROF__LOCATION__INIT;
    Pprof__Line lines[PROFILE_LINES_MAX];
    Pprof__Line *pointers[PROFILE_LINES_MAX];
    const struct profile_line_rec *recs;
    const struct profile_location_rec *rec = profile_location_rec(p, id, &recs, &m.n_line);

    for (size_t i = 0; i < m.n_line; i++) {
        pprof__line__init(&lines[i]);
        lines[i].function_id = recs[i].function;
        lines[i].line = recs[i].line;
        lines[i].column = recs[i].column;
        pointers[i] = &lines[i];
    }
    m.id = id;
    /* a mapping with a location has been numbered */
    m.mapping_id = rec->mapping ? p->marks[rec->mapping - 1].out_id : 0;
    m.address = rec->address;
    m.line = pointers;
    m.is_folded = rec->folded != 0;
    frame_message(out, ENCODE_LOCATION, &m.base);
}

static void put_function(const struct profile *p, uint64_t id, struct buf *out)
{
    const struct profile_function_rec *rec = profile_function_rec(p, id);
    Pprof__Function m = PPROF__FUNCTION__INIT;

    m.id = id;
    m.name = rec->name;
    m.system_name = rec->system_name;
    m.filename = rec->filename;
    m.start_line = rec->start_line;
    frame_message(out, ENCODE_FUNCTION, &m.base);
}

/* A string is a field of Profile itself, so it needs no message and no copy. */
static void put_string(const struct profile *p, uint32_t number, struct buf *out)
{
    size_t bytes;
    const char *text = intern_get(&p->strings, number, &bytes);

    frame_bytes(out, ENCODE_STRING, text, bytes - 1); /* without its NUL */
}

/* The single fields after the tables. period_type is always there: Parca looks into it unasked. */
static void put_rest(const struct profile *p, struct buf *out)
{
    Pprof__Profile m = PPROF__PROFILE__INIT;
    Pprof__ValueType period_type = PPROF__VALUE_TYPE__INIT;
    int64_t comments[PROFILE_COMMENTS_MAX];

    for (size_t i = 0; i < p->ncomments; i++)
        comments[i] = p->comments[i];
    period_type.type = p->period_type.type;
    period_type.unit = p->period_type.unit;
    m.drop_frames = p->drop_frames;
    m.keep_frames = p->keep_frames;
    m.time_nanos = p->time_ns;
    m.duration_nanos = p->duration_ns;
    m.period_type = &period_type;
    m.period = p->period;
    m.n_comment = p->ncomments;
    m.comment = comments;
    m.default_sample_type = p->default_type;
    m.doc_url = p->doc_url;
    frame_fields(out, &m.base);
}

/* Everything behind the samples. */
static void put_tables(struct profile *p, struct buf *out)
{
    profile_settle(p);
    for (uint64_t id = 1; id <= p->mappings.count; id++)
        put_mapping(p, id, out);
    for (uint64_t id = 1; id <= p->locations.count && !out->failed; id++)
        put_location(p, id, out);
    for (uint64_t id = 1; id <= p->functions.count && !out->failed; id++)
        put_function(p, id, out);
    for (uint32_t i = 0; i < p->strings.count && !out->failed; i++)
        put_string(p, i, out);
    put_rest(p, out);
}

/* The order of profile.proto's fields, as Go writes them; the output's failure is sticky. */
int profile_encode(struct profile *p, struct buf *out)
{
    size_t start = out->len;

    put_types(p, out);
    put_samples(p, out);
    put_tables(p, out);
    if (out->failed)
        return -ENOMEM;
    return out->len - start > PROFILE_MAX_BYTES ? -E2BIG : 0;
}

/* ---- Streaming */

int profile_stream_begin(struct profile *p, struct buf *out)
{
    if (p->ntypes == 0 || p->samples.count > 0)
        return -EINVAL;
    put_types(p, out);
    return out->failed ? -ENOMEM : 0;
}

/* NOLINTNEXTLINE(readability-function-size): profile_sample() and where to */
int profile_stream_sample(struct profile *p, const uint64_t *locations, size_t depth,
                          const int64_t *values, const struct profile_label *labels, size_t nlabels,
                          struct buf *out)
{
    struct profile_label_rec recs[PROFILE_LABELS_MAX];
    uint32_t stack[PROFILE_DEPTH_MAX];
    const struct profile_sample_view view = {stack, depth, values, nlabels};
    int rc;

    if (depth > PROFILE_DEPTH_MAX || nlabels > PROFILE_LABELS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < depth; i++) {
        if (locations[i] == 0 || locations[i] > p->locations.count)
            return -EINVAL;
        stack[i] = (uint32_t)locations[i];
    }
    rc = profile_take_labels(p, labels, nlabels, recs);
    if (rc == 0)
        put_sample(p, &view, recs, out);
    return rc == 0 && out->failed ? -ENOMEM : rc;
}

int profile_stream_end(struct profile *p, struct buf *out)
{
    put_tables(p, out);
    if (out->failed)
        return -ENOMEM;
    return out->len > PROFILE_MAX_BYTES ? -E2BIG : 0;
}
