/*
 * Pyroscope and Grafana Cloud Profiles: push.v1.PusherService/Push over HTTP/1.1 as
 * application/proto, one profile a request, since the server does not deduplicate: of a batch with
 * one bad profile the good ones are stored, and stored again with each retry (facts: grafana/
 * pyroscope 3fe6a457a). A profile above the 2 MB burst would get 429 for ever, so it is split.
 *
 * Text labels of samples become labels of the series there: only what the user chose by name goes
 * along, and the ids of span and trace, which the server takes out of the series again.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/json.h"
#include "profile/correlate.h"
#include "profile/frame.h"
#include "profile/reshape.h"
#include "sidecar/forward/pieces.h"
#include "sidecar/forward/series.h"

enum {
    PYROSCOPE_SAMPLES_MAX = 16000,
    PYROSCOPE_RAW_MAX_BYTES = 1900 * 1000, /* below the default burst of 2 MB, uncompressed */
    PYROSCOPE_DEPTH_MAX = 1000,            /* deeper ones lose their leaf there */
    PYROSCOPE_LABELS_MAX = 30,             /* of a series, those of the samples counted in */
    PYROSCOPE_VALUE_BYTES = 2048,
    PYROSCOPE_BODY_MAX_BYTES = 4 * 1024 * 1024,
    PYROSCOPE_UUID_BYTES = 37,
    PYROSCOPE_TYPE_BYTES = 256,
};

/* ---- Labels of samples */

/* One that the user chose, and its name there. */
struct chosen {
    const char *key;
    char name[CONFIG_NAME_BYTES + 1];
};

struct labels {
    struct chosen chosen[CONFIG_SAMPLE_LABELS_MAX];
    size_t count;
    struct correlate ids; /* of the sample under work */
    size_t sample;        /* which one that is */
    char value[PYROSCOPE_VALUE_BYTES + 1];
    char span[CORRELATE_SPAN_HEX], trace[CORRELATE_TRACE_HEX];
};

/* As many as the series has room for, each name once, none that the series has. */
static void choose_labels(struct labels *l, const struct backend_plan *plan,
                          const struct series *series)
{
    for (size_t i = 0; i < plan->keep_count && series->count + l->count < PYROSCOPE_LABELS_MAX;
         i++) {
        struct chosen *c = &l->chosen[l->count];
        bool taken;

        c->key = plan->keep[i];
        taken = series_has(series, series_fit(c->name, sizeof(c->name), c->key));
        for (size_t j = 0; j < l->count; j++)
            taken |= strcmp(l->chosen[j].name, c->name) == 0;
        if (!taken && !correlate_key(c->key))
            l->count++;
    }
    l->sample = SIZE_MAX;
}

static void begin_sample(struct labels *l, size_t sample)
{
    if (l->sample != sample)
        l->ids = (struct correlate){0};
    l->sample = sample;
}

/* Numbers are dropped by the server too, but only after it has counted the samples. */
static bool take_label(void *ctx, size_t sample, struct profile_label *label)
{
    struct labels *l = ctx;

    begin_sample(l, sample);
    if (correlate_take(&l->ids, label) || !label->str)
        return false;
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->chosen[i].key, label->key) != 0)
            continue;
        (void)snprintf(l->value, sizeof(l->value), "%s",
                       label->str); /* a cut character: repaired */
        label->key = l->chosen[i].name;
        label->str = l->value;
        return true;
    }
    return false;
}

/* Grafana's spans are found by the local root's id, where that is known. */
static bool add_ids(void *ctx, size_t sample, size_t i, struct profile_label *ret)
{
    struct labels *l = ctx;
    bool span;

    begin_sample(l, sample);
    span = l->ids.has_span || l->ids.has_root;
    if (i == 0 && span) {
        correlate_span_hex(l->ids.has_root ? l->ids.root : l->ids.span, l->span);
        *ret = (struct profile_label){.key = "span_id", .str = l->span};
        return true;
    }
    if (i == (span ? 1 : 0) && l->ids.has_trace) {
        correlate_trace_hex(&l->ids, l->trace);
        *ret = (struct profile_label){.key = "trace_id", .str = l->trace};
        return true;
    }
    return false;
}

/* ---- Requests */

struct request {
    const struct backend_plan *plan;
    const struct backend_input *in;
    struct backend_shaped *shaped;
    struct series series;
    struct labels labels;
    char name[ITEM_TYPE_BYTES + 1];
};

/* The item's id as a UUID; the parts of one item differ in the last digits. */
static void uuid_of(const struct item *item, size_t part, char ret[static PYROSCOPE_UUID_BYTES])
{
    char id[ITEM_ID_BYTES];
    char tail[3];

    (void)snprintf(id, sizeof(id), "%-32.32s", item->id);
    if (part > 0) {
        (void)snprintf(tail, sizeof(tail), "%02zx", part & 0xff);
        memcpy(id + 30, tail, 2);
    }
    (void)snprintf(ret, PYROSCOPE_UUID_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12,
                   id + 16, id + 20);
}

static int put_proto(struct request *r, const void *gzip, size_t bytes, char *uuid,
                     struct buf *body)
{
    Push__PyroscopeRequest request = PUSH__PYROSCOPE_REQUEST__INIT;
    Push__PyroscopeSeries series = PUSH__PYROSCOPE_SERIES__INIT, *series_at = &series;
    Push__PyroscopeSample sample, *sample_at = &sample;
    union {
        const void *in;
        uint8_t *out; /* protobuf-c only reads it */
    } raw = {gzip};

    push__pyroscope_sample__init(&sample);
    sample.raw_profile = (ProtobufCBinaryData){bytes, raw.out};
    sample.id = uuid;
    series.n_labels = r->series.count;
    series.labels = r->series.pointers;
    series.n_samples = 1;
    series.samples = &sample_at;
    request.n_series = 1;
    request.series = &series_at;
    frame_fields(body, &request.base);
    return body->failed ? -ENOMEM : 0;
}

/* bytes fields are base64 in protobuf's JSON. */
static int put_json(const struct request *r, const void *gzip, size_t bytes, const char *uuid,
                    struct buf *body)
{
    struct json j;
    struct buf text;
    int rc;

    buf_init(&text, PYROSCOPE_BODY_MAX_BYTES);
    rc = backend_base64(&text, gzip, bytes);
    json_begin(&j, body);
    json_object_begin(&j, NULL);
    json_array_begin(&j, "series");
    json_object_begin(&j, NULL);
    json_array_begin(&j, "labels");
    for (size_t i = 0; i < r->series.count; i++) {
        json_object_begin(&j, NULL);
        json_str(&j, "name", r->series.labels[i].name);
        json_str(&j, "value", r->series.labels[i].value);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_array_begin(&j, "samples");
    json_object_begin(&j, NULL);
    json_bytes(&j, "rawProfile", text.data, text.len);
    json_str(&j, "ID", uuid);
    json_object_end(&j);
    json_array_end(&j);
    json_object_end(&j);
    json_array_end(&j);
    json_object_end(&j);
    buf_release(&text);
    return rc ? rc : body->failed ? -ENOMEM : 0;
}

static int push(void *ctx, const void *gzip, size_t bytes, struct err *e)
{
    struct request *r = ctx;
    bool json = r->plan->config.format == CONFIG_FORMAT_JSON;
    char uuid[PYROSCOPE_UUID_BYTES];
    struct backend_part *part;
    int rc;

    uuid_of(r->in->item, r->shaped->count, uuid);
    rc = backend_part_add(r->shaped, r->plan, "/push.v1.PusherService/Push",
                          json ? "application/json" : "application/proto", PYROSCOPE_BODY_MAX_BYTES,
                          &part, e);
    if (rc != 0)
        return rc;
    rc = json ? put_json(r, gzip, bytes, uuid, &part->body)
              : put_proto(r, gzip, bytes, uuid, &part->body);
    if (rc == 0 && r->plan->config.tenant[0])
        rc = backend_header(part, "X-Scope-OrgID", "%s", r->plan->config.tenant);
    return rc ? err_set(e, rc, "the request cannot be made: %s", strerror(-rc)) : 0;
}

/* ---- /ingest, for servers that are older than push.v1: the name of the profile is guessed there
 * from its sample types, the labels stand in the query. */

/* RFC 3986, 2.3: what needs no escape in a query. */
static void put_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || strchr("-_.~", *text);

        if (plain)
            buf_putc(out, *text);
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
    }
}

/* In name{key=value,…} these four are the grammar, and it has no escapes. */
static void put_value(struct buf *out, const char *text)
{
    char one[2] = {0};

    for (; *text; text++) {
        one[0] = strchr("{},=", *text) ? '_' : *text;
        put_escaped(out, one);
    }
}

static void put_query(const struct request *r, struct buf *out)
{
    const struct item *item = r->in->item;
    int64_t from = item->time_ns / INT64_C(1000000000);
    int64_t until = (item->time_ns + item->duration_ns) / INT64_C(1000000000);
    bool first = true;

    buf_puts(out, "/ingest?name=");
    put_value(out, backend_service(r->plan, item));
    put_escaped(out, "{");
    for (size_t i = 0; i < r->series.count; i++) {
        const Push__Label *label = &r->series.labels[i];

        if (label->name[0] == '_' || strcmp(label->name, "service_name") == 0 ||
            strcmp(label->name, "pyroscope_spy") == 0)
            continue; /* ours: the server makes its own of them here */
        put_escaped(out, first ? "" : ",");
        put_value(out, label->name);
        put_escaped(out, "=");
        put_value(out, label->value);
        first = false;
    }
    put_escaped(out, "}");
    buf_printf(out, "&format=pprof&from=%" PRId64 "&until=%" PRId64 "&spyName=pillion", from,
               until > from ? until : from + 1);
}

static int ingest(void *ctx, const void *gzip, size_t bytes, struct err *e)
{
    struct request *r = ctx;
    struct backend_part *part = NULL;
    struct buf query;
    int rc;

    buf_init(&query, CLIENT_URL_BYTES);
    put_query(r, &query);
    rc = query.failed
             ? err_set(e, -EINVAL, "the labels are too long for a URL")
             : backend_part_add(r->shaped, r->plan, buf_text(&query), "application/octet-stream",
                                PYROSCOPE_BODY_MAX_BYTES, &part, e);
    buf_release(&query);
    if (rc != 0 || !part)
        return rc;
    buf_put(&part->body, gzip, bytes);
    rc = part->body.failed ? -ENOMEM : 0;
    if (rc == 0 && r->plan->config.tenant[0])
        rc = backend_header(part, "X-Scope-OrgID", "%s", r->plan->config.tenant);
    return rc ? err_set(e, rc, "the request cannot be made: %s", strerror(-rc)) : 0;
}

/* ---- Shape */

/* Ours first: they are there whatever the user's are. */
static int make_series(struct request *r, struct err *e)
{
    const struct item *item = r->in->item;

    series_init(&r->series);
    series_fit(r->name, sizeof(r->name), series_name_of(item->type));
    series_add(&r->series, "__name__", r->name);
    /* values are differences already; only the storage of version 1 asks */
    series_add(&r->series, "__delta__", "false");
    series_add(&r->series, "service_name", backend_service(r->plan, item));
    series_add(&r->series, "pyroscope_spy", "pillion");
    series_add_plan(&r->series, r->plan);
    if (r->series.count > PYROSCOPE_LABELS_MAX)
        return err_set(e, -EINVAL,
                       "%zu labels, with __name__, __delta__ and pyroscope_spy: "
                       "Pyroscope takes %d",
                       r->series.count, PYROSCOPE_LABELS_MAX);
    choose_labels(&r->labels, r->plan, &r->series);
    return 0;
}

/* Sample types without '-', which the server refuses; returns how many. */
static size_t fit_types(const struct profile *p, struct reshape_type *ret,
                        char (*names)[PYROSCOPE_TYPE_BYTES])
{
    size_t n = profile_types(p);

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(names[i], PYROSCOPE_TYPE_BYTES, "%s", profile_type_name(p, i));
        for (char *c = names[i]; *c; c++)
            *c = *c == '-' ? '_' : *c;
        ret[i] = (struct reshape_type){.from = i, .type = names[i]};
    }
    return n;
}

/* What the server would refuse, cut or turn into series is changed here. */
static int push_changed(struct request *r, const struct glance *g, const struct pieces_time *time,
                        pieces_emit emit, struct err *e)
{
    struct reshape_type types[PROFILE_TYPES_MAX];
    char names[PROFILE_TYPES_MAX][PYROSCOPE_TYPE_BYTES];
    struct reshape_want want = {.max_depth = PYROSCOPE_DEPTH_MAX,
                                .drop_negative = true,
                                .drop_zero = true,
                                .label = take_label,
                                .more = add_ids,
                                .ctx = &r->labels};
    struct profile *p = NULL, *changed = NULL;
    int rc = profile_decode(r->in->raw, r->in->bytes, &p, e);

    if (rc == 0 && g->dashed) {
        want.types = types;
        want.types_count = fit_types(p, types, names);
    }
    if (rc == 0)
        rc = reshape(p, &want, &changed, e);
    if (rc == 0) {
        profile_set_time(changed, time->time_ns, time->duration_ns);
        rc = pieces_of(changed, PYROSCOPE_SAMPLES_MAX, PYROSCOPE_RAW_MAX_BYTES, emit, r, e);
    }
    profile_free(p);
    profile_free(changed);
    return rc;
}

static int shape(const struct backend_plan *plan, const struct backend_input *in,
                 struct backend_shaped *ret, struct err *e)
{
    pieces_emit emit = plan->config.format == CONFIG_FORMAT_INGEST ? ingest : push;
    struct request *r = calloc(1, sizeof(*r));
    struct pieces_time time;
    struct glance g;
    int rc;

    if (!r)
        return err_set(e, -ENOMEM, "no memory for the request");
    ret->count = 0;
    *r = (struct request){.plan = plan, .in = in, .shaped = ret};
    rc = glance(in->raw, in->bytes, &g);
    if (rc != 0)
        (void)err_set(e, rc, "the profile is damaged");
    else
        rc = make_series(r, e);
    if (rc == 0) {
        time.time_ns = g.time_ns ? g.time_ns : in->item->time_ns;
        time.duration_ns = g.duration_ns;
        if (g.texts || g.traces || g.negative || g.dashed || g.depth > PYROSCOPE_DEPTH_MAX ||
            g.samples > PYROSCOPE_SAMPLES_MAX || in->bytes > PYROSCOPE_RAW_MAX_BYTES)
            rc = push_changed(r, &g, &time, emit, e);
        else
            rc = pieces_as_it_is(in, &g, &time, emit, r, e);
    }
    if (rc != 0)
        backend_shaped_release(ret);
    free(r);
    return rc;
}

/* ---- Answers */

/*
 * Facts: 500 is the server's trouble, or a profile that it stumbles over: a few tries. 429 passes
 * in less than a second. 422 is /ingest's 400.
 */
static enum backend_verdict judge(const struct backend_plan *plan, const struct client_answer *a,
                                  char *why, size_t why_bytes)
{
    (void)plan;
    if (backend_is_page(a, why, why_bytes))
        return BACKEND_BLOCKED;
    backend_why(a, why, why_bytes);
    if (a->status == 500)
        return BACKEND_RETRY_FEW;
    if (a->status == 501)
        return BACKEND_NEVER;
    return backend_judge_usual(a, why, why_bytes);
}

const struct backend_ops backend_pyroscope = {
    .name = "pyroscope",
    .shape = shape,
    .head = backend_head,
    .judge = judge,
};
