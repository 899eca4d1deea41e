/*
 * shape BACKEND TYPE DURATION_NS DIR [KEEP...] <pprof: the requests that a backend gets for one
 * profile, as DIR/N.body and DIR/N.head (path, then headers); BACKEND may be "pyroscope:json". The
 * profile goes through our decoder and encoder first, as on its way into the store. For the tests
 * that read the bodies with the other side's decoders.
 */
#include <errno.h>
#include <unistd.h>

#include "profile/gzip.h"
#include "sidecar/forward/backend.h"

enum { SHAPE_MAX_BYTES = 64 * 1024 * 1024 };

static void die(const char *what, const struct err *e)
{
    (void)fprintf(stderr, "shape: %s: %s\n", what, e->text);
    exit(1);
}

static void read_all(struct buf *out)
{
    char chunk[65536];
    ssize_t n;

    buf_init(out, SHAPE_MAX_BYTES);
    while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0)
        buf_put(out, chunk, (size_t)n);
}

/* As the store has it: valid, not packed. */
static void read_profile(struct buf *raw)
{
    struct profile *p = NULL;
    struct err e = {0};
    struct buf in, plain;

    read_all(&in);
    buf_init(&plain, SHAPE_MAX_BYTES);
    if (gzip_is(in.data, in.len)) {
        if (gzip_unpack(in.data, in.len, &plain, &e) != 0)
            die("unpack", &e);
    } else {
        buf_put(&plain, in.data, in.len);
    }
    if (profile_decode(plain.data, plain.len, &p, &e) != 0)
        die("decode", &e);
    buf_init(raw, SHAPE_MAX_BYTES);
    profile_settle(p);
    if (profile_validate(p, &e) != 0)
        die("validate", &e);
    if (profile_encode(p, raw) != 0)
        die("encode", &e);
    profile_free(p);
    buf_release(&in);
    buf_release(&plain);
}

static void make_plan(struct backend_plan *plan, const char *backend)
{
    static const char *const names[CONFIG_BACKEND_TYPES] = {
        "pyroscope", "parca", "datadog", "google", "otlp", "directory", "s3"};
    static const struct config_label labels[] = {
        {"service_name", "shop"}, {"pod", "shop-1"}, {"k8s.team", "a-b"}};
    size_t n = strcspn(backend, ":");

    for (size_t i = 0; i < CONFIG_BACKEND_TYPES; i++) {
        if (strlen(names[i]) == n && strncmp(names[i], backend, n) == 0)
            plan->config.type = (enum config_backend_type)i;
    }
    if (strcmp(backend + n, ":json") == 0)
        plan->config.format = CONFIG_FORMAT_JSON;
    if (strcmp(backend + n, ":ingest") == 0)
        plan->config.format = CONFIG_FORMAT_INGEST;
    memcpy(plan->labels, labels, sizeof(labels));
    plan->labels_count = sizeof(labels) / sizeof(labels[0]);
    (void)snprintf(plan->hostname, sizeof(plan->hostname), "host-1");
}

static void write_part(const char *dir, size_t i, const struct backend_part *part)
{
    char path[4096];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%zu.head", dir, i);
    f = fopen(path, "w");
    if (!f)
        exit(1);
    (void)fprintf(f, "%s %s\n", part->method, part->path);
    for (size_t j = 0; j < part->headers_count; j++)
        (void)fprintf(f, "%s: %s\n", part->headers[j].name, part->headers[j].value);
    (void)fclose(f);
    (void)snprintf(path, sizeof(path), "%s/%zu.body", dir, i);
    f = fopen(path, "w");
    if (!f || fwrite(part->body.data, 1, part->body.len, f) != part->body.len)
        exit(1);
    (void)fclose(f);
}

int main(int argc, char **argv)
{
    struct backend_shaped *shaped = calloc(1, sizeof(*shaped));
    struct backend_plan *plan = calloc(1, sizeof(*plan));
    struct item item = {.id = "0123456789abcdef0123456789abcdef",
                        .time_ns = INT64_C(1700000000000000000),
                        .target = "server",
                        .language = "go",
                        .pid = 7};
    struct backend_input in = {.item = &item};
    struct err e = {0};
    struct buf raw, gzip;

    if (argc < 5 || !shaped || !plan) {
        (void)fprintf(stderr, "usage: shape BACKEND TYPE DURATION_NS DIR [KEEP...] <pprof\n");
        return 2;
    }
    make_plan(plan, argv[1]);
    for (int i = 5; i < argc && plan->keep_count < CONFIG_SAMPLE_LABELS_MAX; i++)
        (void)snprintf(plan->keep[plan->keep_count++], CONFIG_NAME_BYTES, "%s", argv[i]);
    (void)snprintf(item.type, sizeof(item.type), "%s", argv[2]);
    item.duration_ns = strtoll(argv[3], NULL, 10);
    read_profile(&raw);
    buf_init(&gzip, SHAPE_MAX_BYTES);
    if (gzip_pack(raw.data, raw.len, &gzip) != 0)
        return 1;
    in.raw = raw.data;
    in.bytes = raw.len;
    in.gzip = gzip.data;
    in.gzip_bytes = gzip.len;
    if (backend_ops_of(plan->config.type)->shape(plan, &in, shaped, &e) != 0)
        die(argv[1], &e);
    for (size_t i = 0; i < shaped->count; i++)
        write_part(argv[4], i, &shaped->parts[i]);
    (void)printf("%zu\n", shaped->count);
    backend_shaped_release(shaped);
    buf_release(&raw);
    buf_release(&gzip);
    free(shaped);
    free(plan);
    return 0;
}
