/*
 * Google Cloud Profiler, API v2 by REST. Offline (the default): each profile is created with its
 * bytes. Online: the server is asked when it wants one (the call hangs, up to an hour), then the
 * bytes are uploaded under the name it gave: two requests for one profile, the second made from the
 * first one's answer.
 *
 * A heap profile becomes two: HEAP (what is in use) and HEAP_ALLOC (what was allocated meanwhile),
 * as Google's own Go client sends them (profiler/heap.go).
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "auth/json_in.h"
#include "base/clock.h"
#include "profile/gzip.h"
#include "profile/reshape.h"
#include "sidecar/forward/backend.h"

enum {
    TARGET_BYTES = 256,                        /* ^[a-z0-9]([-a-z0-9_.]{0,253}[a-z0-9])?$ */
    RAW_MAX_BYTES = ITEM_RAW_MAX_BYTES + 4096, /* written again, it may be a little longer */
    PACKED_MAX_BYTES = RAW_MAX_BYTES + RAW_MAX_BYTES / 1024 + 1024, /* what gzip cannot shrink */
    REQUEST_MAX_BYTES = PACKED_MAX_BYTES * 2,
    DELAY_MAX_S = 3600,
};

static const char usual_url[] = "https://cloudprofiler.googleapis.com";

/* What one of our profiles is to Google: one or two of theirs, each with some of its values. */
struct kind {
    const char *type;
    struct {
        const char *name;
        size_t first, count; /* of our sample types; count 0: all, as it is */
    } as[2];
};

static const struct kind kinds[] = {
    {"cpu", {{"CPU", 0, 0}}},
    {"wall", {{"WALL", 0, 0}}},
    {"goroutine", {{"THREADS", 0, 0}}},
    {"mutex", {{"CONTENTION", 0, 0}}},
    {"heap", {{"HEAP", 2, 2}, {"HEAP_ALLOC", 0, 2}}},
};

static const struct kind *kind_of(const char *type)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    }
    return NULL;
}

/* --- the deployment: who it is --- */

static void target_of(const char *service, char ret[static TARGET_BYTES])
{
    size_t n = 0;

    for (; *service && n < TARGET_BYTES - 2; service++) {
        char c = (char)tolower((unsigned char)*service);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (n == 0 && !plain)
            continue; /* it begins and ends with a letter or a digit */
        ret[n++] = (char)(plain || c == '.' || c == '_' ? c : '-');
    }
    while (n > 0 && strchr("-._", ret[n - 1]))
        n--;
    ret[n] = '\0';
    if (n == 0)
        (void)snprintf(ret, TARGET_BYTES, "unknown");
}

static json_t *deployment(const struct backend_plan *plan, const struct item *item)
{
    const char *version = backend_label(plan, "version"), *zone = backend_label(plan, "zone");
    json_t *labels = json_object();
    char target[TARGET_BYTES];

    target_of(backend_service(plan, item), target);
    /* a native program is shown under a language that they know: facts are the user's to give */
    (void)json_object_set_new(labels, "language",
                              json_string(plan->config.language[0] ? plan->config.language : "go"));
    if (!version || !version[0])
        version = item->version;
    if (version[0])
        (void)json_object_set_new(labels, "version", json_string(version));
    if (zone && zone[0])
        (void)json_object_set_new(labels, "zone", json_string(zone));
    return json_pack("{s:s,s:s,s:o}", "projectId", plan->project, "target", target, "labels",
                     labels);
}

/* ProtoJSON's Duration: "10.000000000s"; NULL for a snapshot. */
static json_t *duration(const struct item *item)
{
    uint64_t ns = item->duration_ns > 0 ? (uint64_t)item->duration_ns : 0;
    char text[48];

    if (ns == 0)
        return NULL;
    (void)snprintf(text, sizeof(text), "%" PRIu64 ".%09" PRIu64 "s", ns / CLOCK_NS_PER_SEC,
                   ns % CLOCK_NS_PER_SEC);
    return json_string(text);
}

/* --- bytes --- */

/*
 * All sample types (count 0) or some of them, stamped with the end of their window: the profiles of
 * a deployment have to come in ascending order of time (profiler.proto), and ours come as their
 * windows end, so that a CPU profile, which Go stamps with its beginning, would be too late behind
 * whatever was read meanwhile.
 */
static int bytes_of(const struct backend_input *in, size_t first, size_t count, struct buf *out,
                    struct err *e)
{
    struct profile *from = NULL, *to = NULL;
    struct reshape_type types[2];
    struct buf raw;
    int r = profile_decode(in->raw, in->bytes, &from, e);

    buf_init(&raw, RAW_MAX_BYTES);
    for (size_t i = 0; i < count && i < 2; i++)
        types[i] = (struct reshape_type){first + i, NULL, NULL};
    if (r == 0 && count > 0)
        r = reshape_types(from, types, count, &to, e);
    if (r == 0) {
        struct profile *p = to ? to : from;

        profile_set_time(p, in->item->time_ns + in->item->duration_ns, in->item->duration_ns);
        r = profile_encode(p, &raw);
    }
    if (r == 0)
        r = gzip_pack(raw.data, raw.len, out);
    profile_free(from);
    profile_free(to);
    buf_release(&raw);
    return r;
}

static json_t *base64_of(const struct buf *data)
{
    struct buf text;
    json_t *ret = NULL;

    buf_init(&text, REQUEST_MAX_BYTES);
    if (backend_base64(&text, data->data, data->len) == 0)
        ret = json_stringn((const char *)text.data, text.len);
    buf_release(&text);
    return ret;
}

static int put_json(json_t *value, struct buf *out)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

    buf_init(out, REQUEST_MAX_BYTES);
    if (text)
        buf_puts(out, text);
    free(text);
    json_decref(value);
    return text && !out->failed ? 0 : -ENOMEM;
}

/* --- requests --- */

static int usual_headers(struct backend_part *part)
{
    int r = backend_header(part, "Content-Type", "application/json");

    /* with it a 409 carries RetryInfo */
    if (r == 0)
        r = backend_header(part, "x-goog-api-format-version", "2");
    if (r == 0)
        r = backend_header(part, "x-goog-api-client", "gl-c/11 pillion/%s", PILLION_VERSION);
    return r;
}

static struct backend_part *next_part(struct backend_shaped *s, const char *method)
{
    struct backend_part *part = &s->parts[s->count++];

    part->method = method;
    return part;
}

static json_t *with_bytes(const struct backend_plan *plan, const struct buf *packed)
{
    return json_pack("{s:o,s:{s:s}}", "profileBytes", base64_of(packed), "labels", "instance",
                     plan->hostname);
}

static int offline(const struct backend_plan *plan, const struct item *item, const char *name,
                   const struct buf *packed, struct backend_shaped *ret)
{
    struct backend_part *part = next_part(ret, "POST");
    json_t *body = with_bytes(plan, packed), *lasts = duration(item);

    if (!body)
        return -ENOMEM;
    (void)json_object_set_new(body, "profileType", json_string(name));
    (void)json_object_set_new(body, "deployment", deployment(plan, item));
    if (lasts)
        (void)json_object_set_new(body, "duration", lasts);
    (void)snprintf(part->path, sizeof(part->path), "%.900s/v2/projects/%s/profiles:createOffline",
                   plan->url.path, plan->project);
    if (put_json(body, &part->body))
        return -ENOMEM;
    return usual_headers(part);
}

/* First "may I?", then the bytes: the second one's path and head come from the first one's answer
 * (follow()). */
static int online(const struct backend_plan *plan, const struct item *item, const char *name,
                  const struct buf *packed, struct backend_shaped *ret)
{
    struct backend_part *ask = next_part(ret, "POST"), *give = next_part(ret, "PATCH");

    ask->total_ms = BACKEND_HANG_MS;
    (void)snprintf(ask->path, sizeof(ask->path), "%.900s/v2/projects/%s/profiles", plan->url.path,
                   plan->project);
    if (put_json(
            json_pack("{s:o,s:[s]}", "deployment", deployment(plan, item), "profileType", name),
            &ask->body) ||
        put_json(with_bytes(plan, packed), &give->body) || usual_headers(ask))
        return -ENOMEM;
    return usual_headers(give);
}

static int shape(const struct backend_plan *plan, const struct backend_input *in,
                 struct backend_shaped *ret, struct err *e)
{
    const struct kind *kind = kind_of(in->item->type);
    int r = 0;

    if (!kind)
        return err_set(e, -ENOTSUP, "Google Cloud Profiler has no %s profiles", in->item->type);
    for (size_t i = 0; r == 0 && i < 2 && kind->as[i].name; i++) {
        struct buf packed;

        buf_init(&packed, PACKED_MAX_BYTES);
        r = bytes_of(in, kind->as[i].first, kind->as[i].count, &packed, e);
        if (r == 0 && plan->config.format == CONFIG_FORMAT_ONLINE)
            r = online(plan, in->item, kind->as[i].name, &packed, ret);
        else if (r == 0)
            r = offline(plan, in->item, kind->as[i].name, &packed, ret);
        buf_release(&packed);
    }
    return r;
}

/* A name of theirs becomes a path of ours: "projects/p/profiles/AAAA" and nothing else. */
static bool name_ok(const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789-_.:/";

    return name && strncmp(name, "projects/", 9) == 0 && strlen(name) < CONFIG_TEXT_BYTES &&
           strspn(name, good) == strlen(name) && !strstr(name, "..") && !strstr(name, "//");
}

static int follow(const struct backend_plan *plan, const struct client_answer *a,
                  struct backend_part *next, struct err *e)
{
    json_t *reply = NULL, *ours = NULL;
    const char *name;
    int r;

    r = json_in_parse(a->body, a->bytes, &reply, e);
    if (r == 0)
        r = json_in_parse(next->body.data, next->body.len, &ours, e);
    if (r)
        goto out;
    name = json_in_text(reply, "name");
    if (!name_ok(name)) {
        r = err_set(e, -EBADMSG, "the answer names no profile");
        goto out;
    }
    (void)snprintf(next->path, sizeof(next->path), "%.900s/v2/%s", plan->url.path, name);
    (void)json_object_update(reply, ours); /* it wants its own words back, and the bytes */
    buf_release(&next->body);
    r = put_json(json_incref(reply), &next->body);
out:
    json_decref(reply);
    json_decref(ours);
    return r;
}

static int head(const struct backend_plan *plan, const struct backend_secrets *secrets,
                const struct backend_part *part, uint64_t now_real_ns,
                struct client_request *request, char *texts, size_t texts_bytes, struct err *e)
{
    int n = snprintf(texts, texts_bytes, "Bearer %s", secrets->bearer);

    (void)plan;
    (void)part;
    (void)now_real_ns;
    if (n < 0 || (size_t)n >= texts_bytes)
        return err_set(e, -ENOSPC, "the access token is too long");
    request->headers[request->headers_count++] = (struct client_header){"Authorization", texts};
    return 0;
}

/* --- answers --- */

/* google.rpc.RetryInfo in the error's details: {"retryDelay":"1.5s"}. */
static uint64_t delay(const struct client_answer *a)
{
    json_t *reply = NULL;
    const json_t *details, *detail;
    uint64_t ms = 0;
    size_t i;

    if (a->status != 409 || json_in_parse(a->body, a->bytes, &reply, NULL))
        return 0;
    details = json_object_get(json_object_get(reply, "error"), "details");
    json_array_foreach(details, i, detail)
    {
        const char *text = json_in_text(detail, "retryDelay");
        char *end = NULL;
        double seconds = text ? strtod(text, &end) : 0;

        if (text && end && strcmp(end, "s") == 0 && seconds > 0 && seconds <= DELAY_MAX_S)
            ms = (uint64_t)(seconds * 1000) + 1;
    }
    json_decref(reply);
    return ms;
}

/* 409 ABORTED is how it says "not now". */
static enum backend_verdict judge(const struct backend_plan *plan, const struct client_answer *a,
                                  char *why, size_t why_bytes)
{
    enum backend_verdict v = backend_judge_usual(a, why, why_bytes);

    (void)plan;
    return a->status == 409 ? BACKEND_RETRY : v;
}

static int default_url(const struct config_backend *config, char *ret, size_t bytes, struct err *e)
{
    if ((size_t)snprintf(ret, bytes, "%s", usual_url) >= bytes)
        return err_set(e, -EINVAL, "backend %s: no room for the address", config->name);
    return 0;
}

const struct backend_ops backend_google = {
    .name = "google",
    .default_url = default_url,
    .shape = shape,
    .head = head,
    .judge = judge,
    .delay = delay,
    .follow = follow,
};
