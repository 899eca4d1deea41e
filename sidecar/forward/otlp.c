/*
 * OTLP/HTTP profiles: POST …/v1development/profiles, protobuf, packed by gzip, in the layout of
 * opentelemetry-proto 1.10 and 1.11 (otlp.proto says what that means). One sample type makes one
 * Profile, all of them share one dictionary.
 *
 * Receivers differ in what they read: attributes are texts and integers only, and of a CPU profile
 * only samples/count goes when it says the same as cpu/nanoseconds, since Pyroscope makes its
 * process_cpu of samples times period and something unknown of cpu (facts: backends.md, section 5).
 */
#include <errno.h>

#include "base/num.h"
#include "profile/field.h"
#include "profile/frame.h"
#include "profile/gzip.h"
#include "profile/reshape.h"
#include "sidecar/forward/backend.h"
#include "sidecar/forward/otlp.pb-c.h"
#include "sidecar/forward/otlp_resource.h"
#include "sidecar/forward/otlp_tables.h"

#define OTLP_PATH "/v1development/profiles"

enum {
    OTLP_BODY_MAX_BYTES = 16 * 1024 * 1024, /* before packing; a collector takes 20 MiB */
    OTLP_SPLIT_BYTES = 4 * 1024 * 1024,     /* of pprof: what is larger goes in parts of this */
    OTLP_KEY_BYTES = 512,
    OTLP_ID_BYTES = 16,
    OTLP_COMMENT_BYTES = 4096,
    /* fields that frame.h writes */
    OTLP_REQUEST_RESOURCE_PROFILES = 1,
    OTLP_REQUEST_DICTIONARY = 2,
    OTLP_RESOURCE_PROFILES_SCOPE_PROFILES = 2,
    OTLP_SCOPE_PROFILES_SCOPE = 1,
    OTLP_SCOPE_PROFILES_PROFILES = 2,
    OTLP_PROFILE_SAMPLES = 2,
    /* fields of ExportProfilesServiceResponse */
    OTLP_RESPONSE_PARTIAL = 1,
    OTLP_PARTIAL_REJECTED = 1,
    OTLP_PARTIAL_MESSAGE = 2,
};

/* What is the same in all Profiles of one sample. */
struct sample {
    uint32_t stack, link;
    uint32_t first, count; /* of its attributes */
    bool negative;         /* some value is: receivers drop such samples or refuse them */
};

struct request {
    const struct backend_plan *plan;
    const struct backend_input *in;
    struct backend_shaped *shaped;
    const struct profile *profile;
    struct otlp_tables tables;
    struct sample *samples;
    struct buf attributes; /* int32_t */
};

/* ---- Samples */

static void put_attribute(struct request *r, struct sample *s, uint32_t index)
{
    int32_t number = (int32_t)index;

    buf_put(&r->attributes, &number, sizeof(number));
    s->count++;
}

/* Keys as the OTel eBPF profiler has them for Go's labels. */
static void put_label(struct request *r, struct sample *s, const struct profile_label *label)
{
    char key[OTLP_KEY_BYTES];

    if (!label->str) {
        put_attribute(r, s, otlp_tables_number(&r->tables, label->key, label->num, label->unit));
        return;
    }
    (void)snprintf(key, sizeof(key), "process.context.label.%s", label->key);
    put_attribute(r, s, otlp_tables_text(&r->tables, key, label->str));
}

/* A link needs both ids: with only one they stay attributes. */
static void prepare_sample(struct request *r, size_t i)
{
    struct sample *s = &r->samples[i];
    struct correlate ids = {0};
    struct profile_sample_view view;
    struct profile_label label;
    bool linked;

    (void)profile_get_sample(r->profile, i, &view);
    s->stack = otlp_tables_stack(&r->tables, view.locations, view.depth);
    s->first = (uint32_t)(r->attributes.len / sizeof(int32_t));
    for (size_t j = 0; profile_get_label(r->profile, i, j, &label); j++)
        (void)correlate_take(&ids, &label);
    for (size_t j = 0; j < profile_types(r->profile); j++)
        s->negative |= view.values[j] < 0;
    linked = ids.has_trace && (ids.has_span || ids.has_root);
    if (linked)
        s->link = otlp_tables_link(&r->tables, &ids);
    for (size_t j = 0; profile_get_label(r->profile, i, j, &label); j++) {
        if (!linked || !correlate_key(label.key))
            put_label(r, s, &label);
    }
}

static int prepare_samples(struct request *r)
{
    size_t n = profile_samples(r->profile);

    r->samples = calloc(n + 1, sizeof(*r->samples));
    if (!r->samples)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        prepare_sample(r, i);
    return r->attributes.failed || r->tables.failed ? -ENOMEM : 0;
}

/* ---- Profiles */

static void put_samples(const struct request *r, size_t type, struct buf *out)
{
    struct profile_sample_view view;

    for (size_t i = 0; profile_get_sample(r->profile, i, &view) && !out->failed; i++) {
        const struct sample *s = &r->samples[i];
        Otlp__Sample m = OTLP__SAMPLE__INIT;
        int64_t value = view.values[type];

        if (value == 0 || s->negative)
            continue;
        m.stack_index = (int32_t)s->stack;
        m.link_index = (int32_t)s->link;
        m.n_attribute_indices = s->count;
        m.attribute_indices = s->count ? (int32_t *)(void *)r->attributes.data + s->first : NULL;
        m.n_values = 1;
        m.values = &value;
        frame_message(out, OTLP_PROFILE_SAMPLES, &m.base);
    }
}

/* The item's id; those of one item differ in the last byte. False: it has none. */
static bool id_of(const struct item *item, size_t nth, uint8_t ret[static OTLP_ID_BYTES])
{
    uint64_t byte;

    if (strlen(item->id) != 2 * (size_t)OTLP_ID_BYTES)
        return false;
    for (size_t i = 0; i < OTLP_ID_BYTES; i++) {
        if (num_u64(item->id + 2 * i, 2, 16, 255, &byte) != 0)
            return false;
        ret[i] = (uint8_t)byte;
    }
    ret[OTLP_ID_BYTES - 1] ^= (uint8_t)nth;
    return true;
}

/* What is in use now is no growth: such values have no duration. */
static uint64_t duration_of(const struct request *r, const char *type)
{
    const struct item *item = r->in->item;
    int64_t own = profile_duration_ns(r->profile);

    if (strncmp(type, "inuse_", 6) == 0 || strcmp(item->type, "goroutine") == 0 ||
        strcmp(item->type, "threadcreate") == 0 || item->duration_ns <= 0)
        return 0;
    return (uint64_t)(own > 0 ? own : item->duration_ns);
}

/* What the profile says of itself (what was lost, repaired): one text, as receivers know no lists
 * (semantic conventions, pprof.profile.comment). */
static uint32_t comments_of(struct request *r)
{
    struct buf text;
    uint32_t index = 0;

    buf_init(&text, OTLP_COMMENT_BYTES);
    for (size_t i = 0; i < profile_comments(r->profile); i++) {
        buf_puts(&text, i ? "\n" : "");
        buf_puts(&text, profile_comment(r->profile, i));
        if (text.failed) /* what is longer is left out from here on */
            text.failed = false;
    }
    if (text.len > 0)
        index = otlp_tables_text(&r->tables, "pprof.profile.comment", buf_text(&text));
    buf_release(&text);
    return index;
}

static void put_profile(struct request *r, size_t type, size_t nth, struct buf *out)
{
    const struct profile *p = r->profile;
    struct otlp_tables *t = &r->tables;
    Otlp__ValueType sample_type = OTLP__VALUE_TYPE__INIT, period_type = OTLP__VALUE_TYPE__INIT;
    Otlp__Profile m = OTLP__PROFILE__INIT;
    int64_t time_ns = profile_time_ns(p) ? profile_time_ns(p) : r->in->item->time_ns;
    int32_t comments = (int32_t)comments_of(r);
    uint8_t id[OTLP_ID_BYTES];
    struct buf body;

    sample_type.type_strindex = (int32_t)otlp_tables_string(t, profile_type_name(p, type));
    sample_type.unit_strindex = (int32_t)otlp_tables_string(t, profile_type_unit(p, type));
    period_type.type_strindex = (int32_t)otlp_tables_string(t, profile_period_type(p));
    period_type.unit_strindex = (int32_t)otlp_tables_string(t, profile_period_unit(p));
    m.sample_type = &sample_type;
    m.time_unix_nano = (uint64_t)time_ns;
    m.duration_nano = duration_of(r, profile_type_name(p, type));
    m.period_type = &period_type;
    m.period = profile_period(p);
    if (id_of(r->in->item, nth, id))
        m.profile_id = (ProtobufCBinaryData){sizeof(id), id};
    if (comments != 0) {
        m.n_attribute_indices = 1;
        m.attribute_indices = &comments;
    }
    buf_init(&body, OTLP_BODY_MAX_BYTES);
    frame_fields(&body, &m.base);
    put_samples(r, type, &body);
    out->failed |= body.failed;
    frame_bytes(out, OTLP_SCOPE_PROFILES_PROFILES, body.data, body.len);
    buf_release(&body);
}

/* cpu/nanoseconds says nothing beside samples/count when each sample is one period long. */
static bool is_told_by_samples(const struct profile *p, size_t type)
{
    struct profile_sample_view s;
    int64_t product;

    if (type == 0 || strcmp(profile_type_name(p, type), "cpu") != 0 ||
        strcmp(profile_type_unit(p, type), "nanoseconds") != 0 ||
        strcmp(profile_type_name(p, 0), "samples") != 0 ||
        strcmp(profile_period_type(p), "cpu") != 0 ||
        strcmp(profile_period_unit(p), "nanoseconds") != 0)
        return false;
    for (size_t i = 0; profile_get_sample(p, i, &s); i++) {
        if (__builtin_mul_overflow(s.values[0], profile_period(p), &product) ||
            product != s.values[type])
            return false;
    }
    return true;
}

/* ---- Request */

static char *borrowed(const char *text)
{
    union {
        const char *in;
        char *out; /* protobuf-c only reads it */
    } u = {text};

    return u.out;
}

/* From the inside out: a message's length stands before it. */
static void put_request(struct request *r, struct buf *out)
{
    Otlp__InstrumentationScope scope;
    struct buf inner, outer;

    otlp__instrumentation_scope__init(&scope);
    buf_init(&inner, OTLP_BODY_MAX_BYTES);
    buf_init(&outer, OTLP_BODY_MAX_BYTES);
    scope.name = borrowed("pillion");
    scope.version = borrowed(PILLION_VERSION);
    frame_message(&inner, OTLP_SCOPE_PROFILES_SCOPE, &scope.base);
    for (size_t i = 0, nth = 0; i < profile_types(r->profile); i++) {
        if (!is_told_by_samples(r->profile, i))
            put_profile(r, i, nth++, &inner);
    }
    otlp_resource_put(r->plan, r->in->item, &outer);
    frame_bytes(&outer, OTLP_RESOURCE_PROFILES_SCOPE_PROFILES, inner.data, inner.len);
    out->failed |= inner.failed || outer.failed;
    frame_bytes(out, OTLP_REQUEST_RESOURCE_PROFILES, outer.data, outer.len);
    buf_clear(&inner);
    otlp_tables_put(&r->tables, &inner);
    out->failed |= inner.failed || r->tables.failed;
    frame_bytes(out, OTLP_REQUEST_DICTIONARY, inner.data, inner.len);
    buf_release(&inner);
    buf_release(&outer);
}

static int send_packed(const struct request *r, const struct buf *body, struct err *e)
{
    const struct backend_plan *plan = r->plan;
    const char *path = plan->config.path;
    struct backend_part *part;
    int rc = backend_part_add(r->shaped, plan, OTLP_PATH, "application/x-protobuf",
                              OTLP_BODY_MAX_BYTES, &part, e);

    if (rc != 0)
        return rc;
    if (*path) /* the URL's path, whatever stands in the URL */
        (void)snprintf(part->path, sizeof(part->path), "%s%s", *path == '/' ? "" : "/", path);
    rc = gzip_pack(body->data, body->len, &part->body);
    if (rc == 0)
        rc = backend_header(part, "Content-Encoding", "gzip");
    if (rc == 0 && plan->config.tenant[0]) /* Pyroscope takes OTLP too */
        rc = backend_header(part, "X-Scope-OrgID", "%s", plan->config.tenant);
    return rc ? err_set(e, rc, "the request cannot be made: %s", strerror(-rc)) : 0;
}

/* -EFBIG: it has to go in parts. */
static int shape_one(struct request *r, struct err *e)
{
    struct buf body;
    int rc;

    buf_init(&body, OTLP_BODY_MAX_BYTES);
    buf_init(&r->attributes, PROFILE_MAX_BYTES);
    rc = otlp_tables_init(&r->tables, r->profile);
    if (rc == 0)
        rc = prepare_samples(r);
    if (rc != 0) {
        (void)err_set(e, rc, "no memory for the request");
    } else {
        put_request(r, &body);
        rc = body.failed ? -EFBIG : send_packed(r, &body, e);
    }
    buf_release(&body);
    buf_release(&r->attributes);
    otlp_tables_release(&r->tables);
    free(r->samples);
    r->samples = NULL;
    return rc;
}

struct splitting {
    struct request *request;
    struct err *e;
};

static int shape_part(void *ctx, struct profile *part)
{
    struct splitting *s = ctx;
    int rc;

    s->request->profile = part;
    rc = shape_one(s->request, s->e);
    return rc == -EFBIG ? err_set(s->e, rc, "a part of the profile is too large for a request")
                        : rc;
}

static int shape(const struct backend_plan *plan, const struct backend_input *in,
                 struct backend_shaped *ret, struct err *e)
{
    struct request r = {.plan = plan, .in = in, .shaped = ret};
    struct splitting s = {&r, e};
    struct profile *p = NULL;
    int rc;

    ret->count = 0;
    if (plan->config.format == CONFIG_FORMAT_JSON)
        return err_set(e, -EINVAL, "OTLP profiles are sent as protobuf only");
    rc = profile_decode(in->raw, in->bytes, &p, e);
    if (rc != 0)
        return rc;
    profile_settle(p);
    r.profile = p;
    rc = shape_one(&r, e);
    if (rc == -EFBIG && ret->count == 0)
        rc = reshape_split(p, PROFILE_SAMPLES_MAX, OTLP_SPLIT_BYTES, shape_part, &s, e);
    if (rc != 0)
        backend_shaped_release(ret);
    profile_free(p);
    return rc;
}

/* ---- Answers */

/* partial_success: {rejected_profiles, error_message}. What is no protobuf says nothing. */
static int64_t read_rejected(const struct client_answer *a, struct field_cursor *ret_message)
{
    struct field_cursor at = {(const unsigned char *)a->body,
                              (const unsigned char *)a->body + a->bytes};
    int64_t rejected = 0;
    struct field f;

    while (at.at < at.end && field_next(&at, &f) == 0) {
        struct field_cursor in = f.body;

        if (f.number != OTLP_RESPONSE_PARTIAL || f.wire != FIELD_LENGTH)
            continue;
        while (in.at < in.end && field_next(&in, &f) == 0) {
            if (f.number == OTLP_PARTIAL_REJECTED && f.wire == FIELD_VARINT)
                rejected = (int64_t)f.value;
            if (f.number == OTLP_PARTIAL_MESSAGE && f.wire == FIELD_LENGTH)
                *ret_message = f.body;
        }
    }
    return rejected;
}

/* OTLP specification 1.11, "OTLP/HTTP Response": 429, 502, 503, 504 may be tried again, a partial
 * success may not. 500 is not among them, but Pyroscope's own trouble has it: a few tries. */
static enum backend_verdict judge(const struct backend_plan *plan, const struct client_answer *a,
                                  char *why, size_t why_bytes)
{
    struct field_cursor message = {NULL, NULL};

    (void)plan;
    if (backend_is_page(a, why, why_bytes))
        return BACKEND_BLOCKED;
    if (a->status >= 200 && a->status <= 299 && strcmp(a->content_type, "application/json") != 0 &&
        read_rejected(a, &message) > 0) {
        backend_why_text(a->status, message.at ? (const char *)message.at : "profiles rejected",
                         message.at ? (size_t)(message.end - message.at) : 17, why, why_bytes);
        return BACKEND_NEVER;
    }
    backend_why(a, why, why_bytes);
    if (a->status == 500)
        return BACKEND_RETRY_FEW;
    if (a->status == 501 || a->status == 505)
        return BACKEND_NEVER;
    return backend_judge_usual(a, why, why_bytes);
}

const struct backend_ops backend_otlp = {
    .name = "otlp",
    .shape = shape,
    .head = backend_head,
    .judge = judge,
};
