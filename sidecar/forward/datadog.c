/*
 * Datadog: multipart/form-data with an event.json and the profile as an attachment, to the node's
 * agent (TCP or unix socket) or to the intake directly. The container named is the target's: by it
 * the agent finds the tags.
 *
 * Two families: "go" takes pprof as Go makes it, under Go's file names; "native" one profile.pprof
 * with other type names. Attachments are zstd, as dd-trace-go sends them; their compression is
 * detected by magic, so there is no Content-Encoding.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include <zstd.h>

#include "base/clock.h"
#include "base/json.h"
#include "profile/reshape.h"
#include "sidecar/forward/backend.h"

enum {
    ATTACHMENT_MAX_BYTES = 10 * 1024 * 1024, /* a larger one is accepted and then not shown */
    ZSTD_LEVEL = 2,                          /* dd-trace-go's */
    TAGS_BYTES = 8192,
    EVENT_BYTES = 32 * 1024,
    STAMP_BYTES = 40,
    SNAPSHOT_NS = 1000000000, /* a snapshot needs a window too: the second it was taken in */
    UUID_BYTES = 37,
    RAW_MAX_BYTES = ITEM_RAW_MAX_BYTES + 4096, /* with longer names it may be a little longer */
    BODY_MAX_BYTES = RAW_MAX_BYTES + RAW_MAX_BYTES / 128 + EVENT_BYTES, /* ZSTD_COMPRESSBOUND */
};

/* Of our types those that Datadog shows, by what they are called there. */
struct kind {
    const char *type, *go_file; /* NULL: only native */
    struct {
        const char *type, *unit;
    } native[4]; /* in the order of our sample types; type NULL: not known there */
    const char *native_period;
};

static const struct kind kinds[] = {
    {"cpu", "cpu.pprof", {{"cpu-samples", "count"}, {"cpu-time", "nanoseconds"}}, "cpu-time"},
    {"wall", NULL, {{"wall-samples", "count"}, {"wall-time", "nanoseconds"}}, "wall-time"},
    {"heap",
     "delta-heap.pprof",
     {{"alloc-samples", "count"},
      {"alloc-space", "bytes"},
      {"inuse-objects", "count"},
      {"inuse-space", "bytes"}},
     "alloc-space"},
    {"goroutine", "goroutines.pprof", {{NULL, NULL}}, NULL},
    {"block", "delta-block.pprof", {{NULL, NULL}}, NULL},
    {"mutex", "delta-mutex.pprof", {{NULL, NULL}}, NULL},
};

static const struct kind *kind_of(const char *type)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    }
    return NULL;
}

static bool is_go(const struct backend_plan *plan, const struct item *item)
{
    if (plan->config.family == CONFIG_FAMILY_AUTO)
        return strcmp(item->language, "native") != 0;
    return plan->config.family == CONFIG_FAMILY_GO;
}

/* --- event.json --- */

static void stamp(int64_t ns, char ret[static STAMP_BYTES])
{
    time_t seconds = (time_t)((uint64_t)ns / CLOCK_NS_PER_SEC);
    char text[STAMP_BYTES];
    struct tm tm = {0};

    (void)gmtime_r(&seconds, &tm);
    if (strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        text[0] = '\0';
    (void)snprintf(ret, STAMP_BYTES, "%.20s.%09" PRIu64 "Z", text, (uint64_t)ns % CLOCK_NS_PER_SEC);
}

/* Tags are joined by commas, so a value may hold none; control characters neither. */
static void tag(struct buf *out, const char *key, const char *value)
{
    if (!value || !value[0])
        return;
    if (out->len > 0)
        buf_putc(out, ',');
    buf_printf(out, "%s:", key);
    for (; *value; value++)
        buf_putc(out, *value == ',' || (unsigned char)*value < 0x20 ? '_' : *value);
}

static void uuid(const char *id, char ret[static UUID_BYTES])
{
    (void)snprintf(ret, UUID_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16,
                   id + 20);
}

/* Those that have a tag of their own below, or that Datadog would see twice. */
static bool is_spoken_for(const char *key)
{
    static const char *const keys[] = {"service_name", "service", "env", "version", "host"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(key, keys[i]) == 0)
            return true;
    }
    return false;
}

static void tags(const struct backend_plan *plan, const struct item *item, bool go, struct buf *out)
{
    const char *version = backend_label(plan, "version");
    const char *host = backend_label(plan, "host");
    char text[UUID_BYTES];
    struct utsname sys;

    (void)snprintf(text, sizeof(text), "%" PRIu64, item->pid);
    tag(out, "process_id", text);
    tag(out, "profiler_version", PILLION_VERSION);
    if (strlen(item->runtime_id) == ITEM_ID_BYTES - 1) {
        uuid(item->runtime_id, text);
        tag(out, "runtime-id", text);
    }
    (void)snprintf(text, sizeof(text), "%" PRIu64, item->seq);
    tag(out, "profile_seq", text);
    tag(out, "service", backend_service(plan, item));
    tag(out, "env", backend_label(plan, "env"));
    tag(out, "version", version ? version : item->version);
    tag(out, "host", host ? host : plan->hostname);
    tag(out, go ? "runtime" : "language", go ? "go" : "native");
    if (strncmp(item->go_version, "go", 2) == 0)
        tag(out, "runtime_version", item->go_version + 2);
    tag(out, "runtime_os", "linux");
    if (uname(&sys) == 0)
        tag(out, "cpu_arch", strcmp(sys.machine, "x86_64") == 0 ? "amd64" : sys.machine);
    for (size_t i = 0; i < plan->labels_count; i++) {
        if (!is_spoken_for(plan->labels[i].key))
            tag(out, plan->labels[i].key, plan->labels[i].value);
    }
}

static int event(const struct backend_plan *plan, const struct item *item, bool go,
                 const char *file, struct buf *out)
{
    int64_t long_ns = item->duration_ns > 0 ? item->duration_ns : SNAPSHOT_NS;
    int64_t start_ns = item->duration_ns > 0 ? item->time_ns : item->time_ns - SNAPSHOT_NS;
    char from[STAMP_BYTES], to[STAMP_BYTES];
    struct buf joined;
    struct json j;
    int r;

    buf_init(&joined, TAGS_BYTES);
    tags(plan, item, go, &joined);
    stamp(start_ns > 0 ? start_ns : 0, from);
    stamp((start_ns > 0 ? start_ns : 0) + long_ns, to);
    json_begin(&j, out);
    json_object_begin(&j, NULL);
    json_str(&j, "start", from);
    json_str(&j, "end", to);
    json_array_begin(&j, "attachments");
    json_str(&j, NULL, file);
    json_array_end(&j);
    json_str(&j, "tags_profiler", buf_text(&joined));
    json_str(&j, "family", go ? "go" : "native");
    json_str(&j, "version", "4");
    json_object_end(&j);
    r = joined.failed || out->failed ? -ENOMEM : 0;
    buf_release(&joined);
    return r;
}

/* --- the attachment --- */

static int pack(const void *data, size_t bytes, struct buf *out, struct err *e)
{
    size_t most = ZSTD_compressBound(bytes);
    void *to = ZSTD_isError(most) ? NULL : buf_reserve(out, most);
    size_t n;

    if (!to)
        return err_set(e, -ENOMEM, "out of memory");
    n = ZSTD_compress(to, most, data, bytes, ZSTD_LEVEL);
    if (ZSTD_isError(n))
        return err_set(e, -EIO, "zstd: %s", ZSTD_getErrorName(n));
    out->len += n;
    if (n > ATTACHMENT_MAX_BYTES)
        return err_set(e, -EFBIG, "above 10 MiB packed: Datadog would accept and not show it");
    return 0;
}

/* The names of the native family; what it has no name for is left out. */
static int native(const struct kind *kind, const struct backend_input *in, struct buf *out,
                  struct err *e)
{
    struct reshape_type types[4];
    struct profile *from = NULL, *to = NULL;
    struct buf raw;
    size_t n = 0;
    int r = profile_decode(in->raw, in->bytes, &from, e);

    buf_init(&raw, RAW_MAX_BYTES);
    for (size_t i = 0; r == 0 && i < 4 && i < profile_types(from); i++) {
        if (kind->native[i].type)
            types[n++] = (struct reshape_type){i, kind->native[i].type, kind->native[i].unit};
    }
    if (r == 0)
        r = reshape_types(from, types, n, &to, e);
    if (r == 0)
        r = profile_set_period(to, kind->native_period, profile_period_unit(from),
                               profile_period(from));
    if (r == 0)
        r = profile_encode(to, &raw);
    if (r == 0)
        r = pack(raw.data, raw.len, out, e);
    profile_free(from);
    profile_free(to);
    buf_release(&raw);
    return r;
}

static void part_head(struct buf *body, const char *boundary, const char *name, const char *file,
                      const char *type)
{
    buf_printf(body,
               "--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n"
               "Content-Type: %s\r\n\r\n",
               boundary, name, file, type);
}

static int put_body(const struct backend_plan *plan, const struct backend_input *in,
                    const struct kind *kind, struct buf *body, struct err *e)
{
    bool go = is_go(plan, in->item);
    const char *file = go ? kind->go_file : "profile.pprof";
    const char *boundary = in->item->id; /* 128 random bits do not occur in what we send */
    int r;

    part_head(body, boundary, "event", "event.json", "application/json");
    r = event(plan, in->item, go, file, body);
    buf_puts(body, "\r\n");
    part_head(body, boundary, file, file, "application/octet-stream");
    if (r == 0)
        r = go ? pack(in->raw, in->bytes, body, e) : native(kind, in, body, e);
    buf_printf(body, "\r\n--%s--\r\n", boundary);
    if (r == 0 && body->failed)
        r = err_set(e, -ENOMEM, "out of memory");
    return r;
}

/* --- the request --- */

static int shape(const struct backend_plan *plan, const struct backend_input *in,
                 struct backend_shaped *ret, struct err *e)
{
    const struct item *item = in->item;
    const struct kind *kind = kind_of(item->type);
    struct backend_part *part = &ret->parts[0];
    bool agentless = plan->config.api_key_file[0] != '\0';
    int r;

    if (!kind || (is_go(plan, item) ? !kind->go_file : !kind->native[0].type))
        return err_set(e, -ENOTSUP, "Datadog shows no %s profiles of this family", item->type);
    ret->count = 1;
    part->method = "POST";
    r = snprintf(part->path, sizeof(part->path), "%s%s", plan->url.path,
                 agentless ? "/api/v2/profile" : "/profiling/v1/input");
    if (r < 0 || (size_t)r >= sizeof(part->path))
        return err_set(e, -EINVAL, "the url's path is too long");
    buf_init(&part->body, BODY_MAX_BYTES);
    r = put_body(plan, in, kind, &part->body, e);
    if (r == 0)
        r = backend_header(part, "Content-Type", "multipart/form-data; boundary=%s", item->id);
    if (r == 0)
        r = backend_header(part, "DD-EVP-ORIGIN", "pillion");
    if (r == 0)
        r = backend_header(part, "DD-EVP-ORIGIN-VERSION", "%s", PILLION_VERSION);
    if (r == 0 && item->container[0])
        r = backend_header(part, "Datadog-Container-ID", "%s", item->container);
    if (r == 0 && item->container[0])
        r = backend_header(part, "Datadog-Entity-ID", "ci-%s", item->container);
    return r;
}

static int head(const struct backend_plan *plan, const struct backend_secrets *secrets,
                const struct backend_part *part, uint64_t now_real_ns,
                struct client_request *request, char *texts, size_t texts_bytes, struct err *e)
{
    (void)part;
    (void)now_real_ns;
    if (plan->config.api_key_file[0])
        request->headers[request->headers_count++] =
            (struct client_header){"DD-API-KEY", secrets->api_key};
    return backend_auth_head(plan, secrets, request, texts, texts_bytes, e);
}

/* An agent older than 7.20 has no such path: not this profile's fault, so all of them wait. */
static enum backend_verdict judge(const struct backend_plan *plan, const struct client_answer *a,
                                  char *why, size_t why_bytes)
{
    enum backend_verdict v = backend_judge_usual(a, why, why_bytes);

    (void)plan;
    if (a->status != 404)
        return v;
    (void)snprintf(why, why_bytes, "HTTP 404: no profiling intake there (an agent before 7.20?)");
    return BACKEND_BLOCKED;
}

/* The order of dd-trace-go (internal/agent.go). */
static int default_url(const struct config_backend *config, char *ret, size_t bytes, struct err *e)
{
    static const char socket_path[] = "/var/run/datadog/apm.socket";
    const char *url = getenv("DD_TRACE_AGENT_URL"), *host = getenv("DD_AGENT_HOST");
    const char *port = getenv("DD_TRACE_AGENT_PORT"), *site = getenv("DD_SITE");
    struct stat there;
    int n;

    if (config->api_key_file[0])
        n = snprintf(ret, bytes, "https://intake.profile.%s", site ? site : "datadoghq.com");
    else if (url && strncmp(url, "unix://", 7) == 0)
        n = snprintf(ret, bytes, "unix:%s", url + 7);
    else if (url)
        n = snprintf(ret, bytes, "%s", url);
    else if (host || port)
        n = snprintf(ret, bytes, "http://%s:%s", host ? host : "localhost", port ? port : "8126");
    else if (stat(socket_path, &there) == 0 && S_ISSOCK(there.st_mode))
        n = snprintf(ret, bytes, "unix:%s", socket_path);
    else
        n = snprintf(ret, bytes, "http://localhost:8126");
    if (n < 0 || (size_t)n >= bytes)
        return err_set(e, -EINVAL, "backend %s: the agent's address is too long", config->name);
    return 0;
}

const struct backend_ops backend_datadog = {
    .name = "datadog",
    .default_url = default_url,
    .shape = shape,
    .head = head,
    .judge = judge,
};
