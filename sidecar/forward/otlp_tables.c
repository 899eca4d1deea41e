#include "sidecar/forward/otlp_tables.h"

#include <errno.h>

#include "profile/frame.h"
#include "sidecar/forward/otlp.pb-c.h"

enum {
    TABLES_ITEMS_MAX = PROFILE_SAMPLES_MAX,
    TABLES_BYTES_MAX = PROFILE_MAX_BYTES,
    TABLES_TRACE_BYTES = CORRELATE_TRACE_BYTES,
    TABLES_SPAN_BYTES = 8,
    /* fields of ProfilesDictionary */
    TABLES_MAPPING = 1,
    TABLES_LOCATION = 2,
    TABLES_FUNCTION = 3,
    TABLES_LINK = 4,
    TABLES_STRING = 5,
    TABLES_ATTRIBUTE = 6,
    TABLES_STACK = 7,
};

/* Compared as bytes: no padding. */
struct otlp_attribute {
    uint32_t key, unit; /* strings */
    uint32_t text;      /* string, when it is no number */
    uint32_t is_number;
    int64_t number;
};

struct otlp_link {
    uint8_t trace[TABLES_TRACE_BYTES], span[TABLES_SPAN_BYTES];
};

static uint32_t put(struct otlp_tables *t, struct intern *table, const void *rec, size_t bytes)
{
    uint32_t number = intern_put(table, rec, bytes, NULL);

    if (number != INTERN_NONE)
        return number;
    t->failed = true;
    return 0;
}

int otlp_tables_init(struct otlp_tables *t, const struct profile *profile)
{
    const struct otlp_attribute attribute = {0};
    const struct otlp_link link = {{0}, {0}};

    *t = (struct otlp_tables){.profile = profile, .nameless = UINT32_MAX};
    intern_init(&t->strings, TABLES_ITEMS_MAX, TABLES_BYTES_MAX);
    intern_init(&t->stacks, TABLES_ITEMS_MAX, TABLES_BYTES_MAX);
    intern_init(&t->links, TABLES_ITEMS_MAX, TABLES_BYTES_MAX);
    intern_init(&t->attributes, TABLES_ITEMS_MAX, TABLES_BYTES_MAX);
    (void)put(t, &t->strings, "", 1);
    (void)put(t, &t->stacks, "", 0);
    (void)put(t, &t->links, &link, sizeof(link));
    (void)put(t, &t->attributes, &attribute, sizeof(attribute));
    return t->failed ? -ENOMEM : 0;
}

void otlp_tables_release(struct otlp_tables *t)
{
    if (!t)
        return;
    intern_release(&t->strings);
    intern_release(&t->stacks);
    intern_release(&t->links);
    intern_release(&t->attributes);
}

uint32_t otlp_tables_string(struct otlp_tables *t, const char *text)
{
    return text ? put(t, &t->strings, text, strlen(text) + 1) : 0;
}

uint32_t otlp_tables_text(struct otlp_tables *t, const char *key, const char *value)
{
    const struct otlp_attribute rec = {.key = otlp_tables_string(t, key),
                                       .text = otlp_tables_string(t, value)};

    return put(t, &t->attributes, &rec, sizeof(rec));
}

uint32_t otlp_tables_number(struct otlp_tables *t, const char *key, int64_t value, const char *unit)
{
    const struct otlp_attribute rec = {.key = otlp_tables_string(t, key),
                                       .unit = otlp_tables_string(t, unit),
                                       .is_number = 1,
                                       .number = value};

    return put(t, &t->attributes, &rec, sizeof(rec));
}

uint32_t otlp_tables_stack(struct otlp_tables *t, const uint32_t *locations, size_t depth)
{
    return put(t, &t->stacks, locations, depth * sizeof(*locations));
}

uint32_t otlp_tables_link(struct otlp_tables *t, const struct correlate *ids)
{
    uint64_t span = ids->has_span ? ids->span : ids->root;
    struct otlp_link rec = {{0}, {0}};

    memcpy(rec.trace, ids->trace, sizeof(rec.trace));
    for (size_t i = 0; i < sizeof(rec.span); i++)
        rec.span[i] = (uint8_t)(span >> (56 - 8 * i));
    return put(t, &t->links, &rec, sizeof(rec));
}

/* ---- Writing */

/* protobuf-c's fields are not const, though it only reads them. */
static void *borrowed(const void *p)
{
    union {
        const void *in;
        void *out;
    } u = {p};

    return u.out;
}

static void put_zero(struct buf *out, unsigned field)
{
    frame_head(out, field, 0);
}

/* What the mapping is known by elsewhere: GNU build ids are hex, Go's have slashes. */
static void put_mapping(struct otlp_tables *t, const struct profile_mapping *m, struct buf *out)
{
    Otlp__Mapping message = OTLP__MAPPING__INIT;
    int32_t attribute;

    message.memory_start = m->start;
    message.memory_limit = m->limit;
    message.file_offset = m->offset;
    message.filename_strindex = (int32_t)otlp_tables_string(t, m->filename);
    if (m->build_id && *m->build_id) {
        attribute =
            (int32_t)otlp_tables_text(t,
                                      strchr(m->build_id, '/') ? "process.executable.build_id.go"
                                                               : "process.executable.build_id.gnu",
                                      m->build_id);
        message.n_attribute_indices = 1;
        message.attribute_indices = &attribute;
    }
    frame_message(out, TABLES_MAPPING, &message.base);
}

/* Those behind the one that is left out move up. */
static int32_t function_index(const struct otlp_tables *t, uint64_t id)
{
    if (id == t->nameless)
        return 0;
    return (int32_t)(id < t->nameless ? id : id - 1);
}

static void put_location(const struct otlp_tables *t, uint64_t id, struct buf *out)
{
    Otlp__Location message = OTLP__LOCATION__INIT;
    Otlp__Line lines[PROFILE_LINES_MAX], *pointers[PROFILE_LINES_MAX];
    struct profile_location_view at;
    struct profile_line_view line;

    if (!profile_get_location(t->profile, id, &at))
        return;
    for (size_t i = 0; i < at.lines && profile_get_line(t->profile, id, i, &line); i++) {
        otlp__line__init(&lines[i]);
        lines[i].function_index = function_index(t, line.function);
        lines[i].line = line.line;
        lines[i].column = line.column;
        pointers[i] = &lines[i];
    }
    message.mapping_index = (int32_t)at.mapping;
    message.address = at.address;
    message.n_lines = at.lines;
    message.lines = pointers;
    frame_message(out, TABLES_LOCATION, &message.base);
}

static void put_function(struct otlp_tables *t, const struct profile_line_view *f, struct buf *out)
{
    Otlp__Function message = OTLP__FUNCTION__INIT;

    message.name_strindex = (int32_t)otlp_tables_string(t, f->name);
    message.system_name_strindex = (int32_t)otlp_tables_string(t, f->system_name);
    message.filename_strindex = (int32_t)otlp_tables_string(t, f->filename);
    message.start_line = f->start_line;
    frame_message(out, TABLES_FUNCTION, &message.base);
}

static bool is_nameless(const struct profile_line_view *f)
{
    return f->name && !*f->name && !*f->system_name && !*f->filename && f->start_line == 0;
}

/* A line for each function: profile.h shows functions only by lines. */
static void put_functions(struct otlp_tables *t, struct buf *out)
{
    size_t n = profile_functions(t->profile);
    struct profile_line_view *known = calloc(n + 1, sizeof(*known)), line;

    if (!known) {
        t->failed = true;
        return;
    }
    for (uint64_t id = 1; id <= profile_locations(t->profile); id++) {
        for (size_t i = 0; profile_get_line(t->profile, id, i, &line); i++)
            known[line.function] = line;
    }
    put_zero(out, TABLES_FUNCTION);
    for (size_t i = 1; i <= n; i++) {
        if (is_nameless(&known[i]))
            t->nameless = (uint32_t)i;
        else
            put_function(t, &known[i], out);
    }
    free(known);
}

static void put_links(const struct otlp_tables *t, struct buf *out)
{
    put_zero(out, TABLES_LINK);
    for (uint32_t i = 1; i < t->links.count; i++) {
        Otlp__Link message = OTLP__LINK__INIT;
        size_t bytes;
        const struct otlp_link *rec = intern_get(&t->links, i, &bytes);

        message.trace_id = (ProtobufCBinaryData){sizeof(rec->trace), borrowed(rec->trace)};
        message.span_id = (ProtobufCBinaryData){sizeof(rec->span), borrowed(rec->span)};
        frame_message(out, TABLES_LINK, &message.base);
    }
}

/* Location numbers are below 2^22 (PROFILE_LOCATIONS_MAX), so they read the same as int32_t. */
static void put_stacks(const struct otlp_tables *t, struct buf *out)
{
    put_zero(out, TABLES_STACK);
    for (uint32_t i = 1; i < t->stacks.count; i++) {
        Otlp__Stack message = OTLP__STACK__INIT;
        size_t bytes;
        const void *ids = intern_get(&t->stacks, i, &bytes);

        message.n_location_indices = bytes / sizeof(int32_t);
        message.location_indices = borrowed(ids);
        frame_message(out, TABLES_STACK, &message.base);
    }
}

static void put_attributes(const struct otlp_tables *t, struct buf *out)
{
    put_zero(out, TABLES_ATTRIBUTE);
    for (uint32_t i = 1; i < t->attributes.count; i++) {
        Otlp__KeyValueAndUnit message = OTLP__KEY_VALUE_AND_UNIT__INIT;
        Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;
        size_t bytes;
        const struct otlp_attribute *rec = intern_get(&t->attributes, i, &bytes);

        if (rec->is_number) {
            value.value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
            value.int_value = rec->number;
        } else {
            value.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
            value.string_value = borrowed(intern_get(&t->strings, rec->text, &bytes));
        }
        message.key_strindex = (int32_t)rec->key;
        message.unit_strindex = (int32_t)rec->unit;
        message.value = &value;
        frame_message(out, TABLES_ATTRIBUTE, &message.base);
    }
}

/* Strings are the last: the others ask for theirs while they are written. */
void otlp_tables_put(struct otlp_tables *t, struct buf *out)
{
    struct profile_mapping m;

    put_zero(out, TABLES_MAPPING);
    for (uint64_t id = 1; profile_get_mapping(t->profile, id, &m); id++)
        put_mapping(t, &m, out);
    put_functions(t, out); /* before those that refer to them: one may be left out */
    put_zero(out, TABLES_LOCATION);
    for (uint64_t id = 1; id <= profile_locations(t->profile) && !out->failed; id++)
        put_location(t, id, out);
    put_links(t, out);
    put_stacks(t, out);
    put_attributes(t, out);
    for (uint32_t i = 0; i < t->strings.count && !out->failed; i++) {
        size_t bytes;
        const void *text = intern_get(&t->strings, i, &bytes);

        frame_bytes(out, TABLES_STRING, text, bytes - 1);
    }
}
