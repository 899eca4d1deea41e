/*
 * Parca and Polar Signals Cloud: WriteRaw as grpc-web over HTTP/1.1 (or grpc-gateway's JSON). The
 * status proves nothing: any unknown path is answered 200 with the web page, so only the trailer
 * "grpc-status: 0" in a grpc-web answer is a success (facts: parca-dev/parca 3b5647cd9; grpc-web's
 * framing: grpc/grpc doc/PROTOCOL-WEB.md).
 *
 * A profile with a duration is a difference there (":delta"), one without is a snapshot. A heap
 * profile is both, so it goes as two.
 */
#include <errno.h>

#include "base/json.h"
#include "profile/correlate.h"
#include "profile/frame.h"
#include "profile/reshape.h"
#include "sidecar/forward/grpcweb.h"
#include "sidecar/forward/pieces.h"
#include "sidecar/forward/series.h"

enum {
    PARCA_RAW_MAX_BYTES = 32 * 1024 * 1024, /* 40 MB were taken, packed or not */
    PARCA_BODY_MAX_BYTES = 48 * 1024 * 1024,
    PARCA_FILES_MAX = 16, /* in one request */
};

/* ---- Requests */

struct request {
    const struct backend_plan *plan;
    const struct backend_input *in;
    struct series series;
    char name[ITEM_TYPE_BYTES + 1];
    struct buf files[PARCA_FILES_MAX]; /* packed pprof */
    size_t count;
};

static int add_file(void *ctx, const void *gzip, size_t bytes, struct err *e)
{
    struct request *r = ctx;
    struct buf *file = &r->files[r->count];

    if (r->count == PARCA_FILES_MAX)
        return err_set(e, -EFBIG, "the profile is more than %d files", PARCA_FILES_MAX);
    buf_init(file, PARCA_BODY_MAX_BYTES);
    buf_put(file, gzip, bytes);
    r->count++;
    return file->failed ? err_set(e, -EFBIG, "the profile is too large, packed") : 0;
}

static void put_proto(struct request *r, struct buf *out)
{
    Push__ParcaRequest request = PUSH__PARCA_REQUEST__INIT;
    Push__ParcaSeries series = PUSH__PARCA_SERIES__INIT, *series_at = &series;
    Push__LabelSet labels = PUSH__LABEL_SET__INIT;
    Push__ParcaSample samples[PARCA_FILES_MAX], *samples_at[PARCA_FILES_MAX];

    labels.n_labels = r->series.count;
    labels.labels = r->series.pointers;
    series.labels = &labels;
    for (size_t i = 0; i < r->count; i++) {
        push__parca_sample__init(&samples[i]);
        samples[i].raw_profile = (ProtobufCBinaryData){r->files[i].len, r->files[i].data};
        samples_at[i] = &samples[i];
    }
    series.n_samples = r->count;
    series.samples = samples_at;
    request.n_series = 1;
    request.series = &series_at;
    frame_fields(out, &request.base);
}

static int put_json_files(const struct request *r, struct json *j)
{
    int rc = 0;

    json_array_begin(j, "samples");
    for (size_t i = 0; rc == 0 && i < r->count; i++) {
        struct buf text;

        buf_init(&text, PARCA_BODY_MAX_BYTES);
        rc = backend_base64(&text, r->files[i].data, r->files[i].len);
        json_object_begin(j, NULL);
        json_bytes(j, "rawProfile", text.data, text.len);
        json_object_end(j);
        buf_release(&text);
    }
    json_array_end(j);
    return rc;
}

static int put_json(const struct request *r, struct buf *out)
{
    struct json j;
    int rc;

    json_begin(&j, out);
    json_object_begin(&j, NULL);
    json_array_begin(&j, "series");
    json_object_begin(&j, NULL);
    json_object_begin(&j, "labels");
    json_array_begin(&j, "labels");
    for (size_t i = 0; i < r->series.count; i++) {
        json_object_begin(&j, NULL);
        json_str(&j, "name", r->series.labels[i].name);
        json_str(&j, "value", r->series.labels[i].value);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
    rc = put_json_files(r, &j);
    json_object_end(&j);
    json_array_end(&j);
    json_bool(&j, "normalized", false);
    json_object_end(&j);
    return rc;
}

/*
 * normalized stays false: addresses are the process's own, and its mappings tell where they belong.
 */
static int make_request(struct request *r, struct backend_shaped *ret, struct err *e)
{
    bool json = r->plan->config.format == CONFIG_FORMAT_JSON;
    struct backend_part *part;
    int rc = backend_part_add(ret, r->plan,
                              json ? "/api/profiles/writeraw"
                                   : "/parca.profilestore.v1alpha1.ProfileStoreService/WriteRaw",
                              json ? "application/json" : "application/grpc-web+proto",
                              PARCA_BODY_MAX_BYTES, &part, e);

    if (rc != 0)
        return rc;
    if (json) {
        rc = put_json(r, &part->body);
    } else {
        grpcweb_begin(&part->body);
        put_proto(r, &part->body);
        grpcweb_end_frame(&part->body);
    }
    if (rc == 0 && part->body.failed)
        rc = -EFBIG;
    return rc ? err_set(e, rc, "the request cannot be made: %s", strerror(-rc)) : 0;
}

/* ---- Shape */

/* The ids of spans are of no use there and make a sample of each; the trace's is what Polar
 * Signals' own labels have. */
struct labels {
    struct correlate ids;
    size_t sample;
    char trace[CORRELATE_TRACE_HEX];
};

static void begin_sample(struct labels *l, size_t sample)
{
    if (l->sample != sample)
        l->ids = (struct correlate){0};
    l->sample = sample;
}

static bool take_label(void *ctx, size_t sample, struct profile_label *label)
{
    struct labels *l = ctx;

    begin_sample(l, sample);
    return !correlate_take(&l->ids, label);
}

static bool add_trace(void *ctx, size_t sample, size_t i, struct profile_label *ret)
{
    struct labels *l = ctx;

    begin_sample(l, sample);
    if (i > 0 || !l->ids.has_trace)
        return false;
    correlate_trace_hex(&l->ids, l->trace);
    *ret = (struct profile_label){.key = "otel.traceid", .str = l->trace};
    return true;
}

/* Which kind of value is this? What is in use now is no growth, whatever stands beside it. */
static bool is_snapshot(const char *type)
{
    return strncmp(type, "inuse_", 6) == 0;
}

static bool is_snapshot_type(const char *item_type)
{
    return strcmp(item_type, "goroutine") == 0 || strcmp(item_type, "threadcreate") == 0;
}

/* Types that are snapshots, or those that are not. */
static size_t choose_types(const struct profile *p, bool snapshots, struct reshape_type *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < profile_types(p); i++) {
        if (is_snapshot(profile_type_name(p, i)) == snapshots)
            ret[n++] = (struct reshape_type){.from = i};
    }
    return n;
}

static int add_changed(struct request *r, const struct profile *p, const struct reshape_type *types,
                       size_t n, const struct pieces_time *time, struct err *e)
{
    struct labels labels = {.sample = SIZE_MAX};
    const struct reshape_want want = {.types = types,
                                      .types_count = n,
                                      .drop_negative = true,
                                      .drop_zero = types != NULL,
                                      .label = take_label,
                                      .more = add_trace,
                                      .ctx = &labels};
    struct profile *changed = NULL;
    int rc = reshape(p, &want, &changed, e);

    if (rc == 0) {
        profile_set_time(changed, time->time_ns, time->duration_ns);
        rc = pieces_of(changed, PROFILE_SAMPLES_MAX, PARCA_RAW_MAX_BYTES, add_file, r, e);
    }
    profile_free(changed);
    return rc;
}

/* Growth and snapshot apart when there is both and a duration to tell them by. */
static int add_decoded(struct request *r, const struct pieces_time *time, struct err *e)
{
    struct reshape_type types[PROFILE_TYPES_MAX];
    struct pieces_time now = {time->time_ns, 0};
    struct profile *p = NULL;
    int rc = profile_decode(r->in->raw, r->in->bytes, &p, e);
    size_t snapshots = rc ? 0 : choose_types(p, true, types);

    if (rc == 0 && (snapshots == 0 || time->duration_ns == 0)) {
        rc = add_changed(r, p, NULL, 0, time, e);
    } else if (rc == 0) {
        rc = add_changed(r, p, types, snapshots, &now, e);
        if (rc == 0 && snapshots < profile_types(p))
            rc = add_changed(r, p, types, choose_types(p, false, types), time, e);
    }
    profile_free(p);
    return rc;
}

static struct pieces_time times_of(const struct item *item, const struct glance *g)
{
    struct pieces_time t = {g->time_ns ? g->time_ns : item->time_ns, 0};

    if (!is_snapshot_type(item->type) && item->duration_ns > 0)
        t.duration_ns = g->duration_ns > 0 ? g->duration_ns : item->duration_ns;
    return t;
}

static int add_files(struct request *r, struct err *e)
{
    const struct item *item = r->in->item;
    struct pieces_time time;
    struct glance g;
    int rc = glance(r->in->raw, r->in->bytes, &g);
    bool both = strcmp(item->type, "heap") == 0 || strcmp(item->type, "allocs") == 0;

    if (rc != 0)
        return err_set(e, rc, "the profile is damaged");
    time = times_of(item, &g);
    if (g.traces || g.negative || (both && time.duration_ns > 0) ||
        r->in->bytes > PARCA_RAW_MAX_BYTES)
        return add_decoded(r, &time, e);
    return pieces_as_it_is(r->in, &g, &time, add_file, r, e);
}

/* job and instance as a Prometheus scraper would have them, unless the user has. */
static void make_series(struct request *r)
{
    const char *instance = backend_label(r->plan, "pod");

    series_init(&r->series);
    series_fit(r->name, sizeof(r->name), series_name_of(r->in->item->type));
    series_add(&r->series, "__name__", r->name);
    series_add_plan(&r->series, r->plan);
    series_add(&r->series, "job", backend_service(r->plan, r->in->item));
    series_add(&r->series, "instance", instance && *instance ? instance : r->plan->hostname);
}

static int shape(const struct backend_plan *plan, const struct backend_input *in,
                 struct backend_shaped *ret, struct err *e)
{
    struct request *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return err_set(e, -ENOMEM, "no memory for the request");
    ret->count = 0;
    r->plan = plan;
    r->in = in;
    make_series(r);
    rc = add_files(r, e);
    if (rc == 0)
        rc = make_request(r, ret, e);
    if (rc != 0)
        backend_shaped_release(ret);
    for (size_t i = 0; i < r->count; i++)
        buf_release(&r->files[i]);
    free(r);
    return rc;
}

/* ---- Answers */

/* The numbers of google.rpc.Code. */
static enum backend_verdict judge_code(const struct grpcweb_end *t)
{
    enum {
        OK = 0,
        CANCELLED = 1,
        UNKNOWN = 2,
        DEADLINE = 4,
        DENIED = 7,
        EXHAUSTED = 8,
        ABORTED = 10,
        UNIMPLEMENTED = 12,
        INTERNAL = 13,
        UNAVAILABLE = 14,
        UNAUTHENTICATED = 16
    };

    switch (t->status) {
    case OK:
        return BACKEND_TAKEN;
    case EXHAUSTED: /* grpc-go says the same of a message above its bound */
        return strstr(t->message, "larger than max") ? BACKEND_SPLIT : BACKEND_RETRY;
    case CANCELLED:
    case DEADLINE:
    case ABORTED:
    case UNAVAILABLE:
        return BACKEND_RETRY;
    case UNKNOWN:
    case INTERNAL:
        return BACKEND_RETRY_FEW;
    case DENIED:
    case UNIMPLEMENTED: /* another service listens there */
    case UNAUTHENTICATED:
        return BACKEND_BLOCKED;
    default:
        return BACKEND_NEVER;
    }
}

static enum backend_verdict judge_grpc(const struct client_answer *a, char *why, size_t why_bytes)
{
    struct grpcweb_end t = {0};
    char text[GRPCWEB_MESSAGE_BYTES + 40];
    int n;

    grpcweb_read(a, &t);
    if (!t.found)
        grpcweb_read_head(a, &t);
    if (!t.found) {
        static const char cut[] = "the answer ends before its grpc-status";

        backend_why_text(a->status, cut, sizeof(cut) - 1, why, why_bytes);
        return BACKEND_RETRY;
    }
    n = snprintf(text, sizeof(text), "grpc-status %u %s", (unsigned)t.status, t.message);
    backend_why_text(a->status, text, n > 0 ? strlen(text) : 0, why, why_bytes);
    return judge_code(&t);
}

/* grpc-gateway's answer to WriteRaw is an empty object. */
static bool is_empty_object(const struct client_answer *a)
{
    char seen[3] = {0};
    size_t n = 0;

    for (size_t i = 0; i < a->bytes; i++) {
        if (strchr(" \t\r\n", a->body[i]) && a->body[i])
            continue;
        if (n == 2)
            return false;
        seen[n++] = a->body[i];
    }
    return strcmp(seen, "{}") == 0;
}

static enum backend_verdict judge(const struct backend_plan *plan, const struct client_answer *a,
                                  char *why, size_t why_bytes)
{
    enum backend_verdict usual;

    if (backend_is_page(a, why, why_bytes))
        return BACKEND_BLOCKED;
    if (a->status == 200 && strncmp(a->content_type, "application/grpc-web", 20) == 0)
        return judge_grpc(a, why, why_bytes);
    usual = backend_judge_usual(a, why, why_bytes);
    if (a->status == 500) /* an invalid name, or its own trouble */
        return BACKEND_RETRY_FEW;
    if (a->status == 505) /* grpc on HTTP/1.1: ours */
        return BACKEND_NEVER;
    if (usual != BACKEND_TAKEN)
        return usual;
    if (plan->config.format == CONFIG_FORMAT_JSON && a->status == 200 && is_empty_object(a))
        return BACKEND_TAKEN;
    (void)snprintf(why, why_bytes, "HTTP %u without the answer of Parca: is the URL right?",
                   a->status);
    return BACKEND_BLOCKED;
}

const struct backend_ops backend_parca = {
    .name = "parca",
    .shape = shape,
    .head = backend_head,
    .judge = judge,
};
