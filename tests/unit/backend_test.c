/*
 * sidecar/forward/: backend.c's helpers, what Pyroscope, Parca and OTLP are sent at and above their
 * limits, and what each answer means. That the other sides can read it is tests/e2e/66-encoders.sh.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profile/gzip.h"
#include "sidecar/forward/backend.h"
#include "sidecar/forward/push.pb-c.h"

enum {
    /* what the facts say; written again here, so that a changed limit is seen */
    PYROSCOPE_DEPTH = 1000,
    PYROSCOPE_SAMPLES = 16000,
    PYROSCOPE_BYTES = 1900 * 1000,
    PYROSCOPE_LABELS = 30,
};

/* One item and what is made of it. */
struct job {
    struct backend_plan plan;
    struct backend_shaped shaped;
    struct backend_input in;
    struct item item;
    struct buf raw, gzip;
};

static struct job *new_job(const char *type, struct profile *p)
{
    struct job *j = calloc(1, sizeof(*j));

    assert_non_null(j);
    (void)snprintf(j->item.type, sizeof(j->item.type), "%s", type);
    (void)snprintf(j->item.id, sizeof(j->item.id), "0123456789abcdef0123456789abcdef");
    (void)snprintf(j->item.target, sizeof(j->item.target), "server");
    j->item.time_ns = 77;
    j->item.duration_ns = 10;
    buf_init(&j->raw, PROFILE_MAX_BYTES);
    buf_init(&j->gzip, PROFILE_MAX_BYTES);
    assert_int_equal(profile_encode(p, &j->raw), 0);
    assert_int_equal(gzip_pack(j->raw.data, j->raw.len, &j->gzip), 0);
    profile_free(p);
    j->in = (struct backend_input){.item = &j->item,
                                   .raw = j->raw.data,
                                   .bytes = j->raw.len,
                                   .gzip = j->gzip.data,
                                   .gzip_bytes = j->gzip.len};
    return j;
}

static void free_job(struct job *j)
{
    backend_shaped_release(&j->shaped);
    backend_shaped_release(&j->shaped);
    buf_release(&j->raw);
    buf_release(&j->gzip);
    free(j);
}

static void shape(const struct backend_ops *ops, struct job *j)
{
    struct err e = {0};

    backend_shaped_release(&j->shaped);
    assert_int_equal(ops->shape(&j->plan, &j->in, &j->shaped, &e), 0);
}

static int refused(const struct backend_ops *ops, struct job *j, struct err *e)
{
    backend_shaped_release(&j->shaped);
    return ops->shape(&j->plan, &j->in, &j->shaped, e);
}

/* Are the item's own packed bytes in the request? */
static bool as_it_is(const struct job *j)
{
    return j->shaped.count == 1 && memmem(j->shaped.parts[0].body.data, j->shaped.parts[0].body.len,
                                          j->gzip.data, j->gzip.len) != NULL;
}

static struct profile *new_wall(void)
{
    struct profile *p = profile_new();

    assert_non_null(p);
    assert_int_equal(profile_add_type(p, "wall", "nanoseconds"), 0);
    assert_int_equal(profile_set_period(p, "wall", "nanoseconds", 1), 0);
    profile_set_time(p, 1000, 10);
    return p;
}

static uint64_t frame(struct profile *p, const char *name)
{
    const struct profile_line line = {profile_function(p, name, NULL, "", 0), 1};

    return profile_location(p, 0, 0, &line, 1);
}

static void put(struct profile *p, const char *name, size_t depth,
                const struct profile_label *labels, size_t n)
{
    uint64_t stack[PROFILE_DEPTH_MAX];
    const int64_t one = 1;

    for (size_t i = 0; i < depth; i++)
        stack[i] = frame(p, name);
    assert_int_equal(profile_sample(p, stack, depth, &one, labels, n), 0);
}

/* The profile that part ${i} for Pyroscope carries. */
static struct profile *pushed(const struct job *j, size_t i, size_t *ret_raw_bytes)
{
    const struct buf *body = &j->shaped.parts[i].body;
    Push__PyroscopeRequest *m = push__pyroscope_request__unpack(NULL, body->len, body->data);
    struct profile *p = NULL;
    struct err e = {0};
    struct buf raw;

    assert_non_null(m);
    assert_int_equal(m->n_series, 1);
    assert_int_equal(m->series[0]->n_samples, 1);
    buf_init(&raw, PROFILE_MAX_BYTES);
    assert_int_equal(gzip_unpack(m->series[0]->samples[0]->raw_profile.data,
                                 m->series[0]->samples[0]->raw_profile.len, &raw, &e),
                     0);
    assert_int_equal(profile_decode(raw.data, raw.len, &p, &e), 0);
    *ret_raw_bytes = raw.len;
    buf_release(&raw);
    push__pyroscope_request__free_unpacked(m, NULL);
    return p;
}

static void check_parts(const struct job *j, int64_t total)
{
    int64_t sum = 0;

    for (size_t i = 0; i < j->shaped.count; i++) {
        size_t bytes;
        struct profile *p = pushed(j, i, &bytes);

        assert_true(bytes <= PYROSCOPE_BYTES);
        assert_true(profile_samples(p) <= PYROSCOPE_SAMPLES);
        sum += profile_total(p, 0);
        profile_free(p);
    }
    assert_int_equal(sum, total);
}

/* ---- Pyroscope's limits */

static void test_depth(void **state)
{
    struct profile *p = new_wall();
    struct profile_sample_view s;
    struct job *j;
    size_t bytes;

    (void)state;
    put(p, "main.f", PYROSCOPE_DEPTH, NULL, 0);
    j = new_job("wall", p);
    shape(&backend_pyroscope, j);
    assert_true(as_it_is(j));
    free_job(j);
    p = new_wall();
    put(p, "main.f", PYROSCOPE_DEPTH + 1, NULL, 0);
    j = new_job("wall", p);
    shape(&backend_pyroscope, j);
    assert_false(as_it_is(j));
    p = pushed(j, 0, &bytes);
    assert_true(profile_get_sample(p, 0, &s));
    assert_int_equal(s.depth, PYROSCOPE_DEPTH);
    profile_free(p);
    shape(&backend_parca, j); /* knows no such limit */
    assert_true(as_it_is(j));
    free_job(j);
}

static struct job *with_samples(size_t n)
{
    struct profile *p = new_wall();

    for (size_t i = 0; i < n; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "f%zu", i);
        put(p, name, 1, NULL, 0);
    }
    return new_job("wall", p);
}

static void test_samples(void **state)
{
    struct job *j = with_samples(PYROSCOPE_SAMPLES);

    (void)state;
    shape(&backend_pyroscope, j);
    assert_true(as_it_is(j));
    free_job(j);
    j = with_samples(PYROSCOPE_SAMPLES + 1);
    shape(&backend_pyroscope, j);
    assert_int_equal(j->shaped.count, 2);
    check_parts(j, PYROSCOPE_SAMPLES + 1);
    free_job(j);
}

/* A profile that encodes to exactly so many bytes. */
static struct job *with_bytes(size_t want)
{
    size_t pad = 1000;
    struct job *j = NULL;
    char *name = malloc(PROFILE_STRING_MAX_BYTES);

    assert_non_null(name);
    for (int tries = 0; tries < 4; tries++) {
        struct profile *p = new_wall();

        if (j)
            free_job(j);
        for (int i = 0; i < 30; i++) {
            size_t n = i < 29 ? 64000 : pad;

            memset(name, 'a' + i, n);
            name[n] = '\0';
            put(p, name, 1, NULL, 0);
        }
        j = new_job("wall", p);
        if (j->raw.len == want)
            break;
        pad += want - j->raw.len;
    }
    free(name);
    assert_int_equal(j->raw.len, want);
    return j;
}

static void test_bytes(void **state)
{
    struct job *j = with_bytes(PYROSCOPE_BYTES);

    (void)state;
    shape(&backend_pyroscope, j);
    assert_true(as_it_is(j));
    free_job(j);
    j = with_bytes(PYROSCOPE_BYTES + 1);
    shape(&backend_pyroscope, j);
    assert_int_equal(j->shaped.count, 2);
    check_parts(j, 30);
    free_job(j);
}

static void set_labels(struct job *j, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(j->plan.labels[i].key, CONFIG_NAME_BYTES, "label%zu", i);
        (void)snprintf(j->plan.labels[i].value, CONFIG_TEXT_BYTES, "v");
    }
    j->plan.labels_count = n;
}

/* The number of different keys of text labels in what was pushed. */
static size_t text_labels(const struct job *j)
{
    struct profile_label label;
    size_t bytes, n = 0;
    struct profile *p = pushed(j, 0, &bytes);

    while (profile_get_label(p, 0, n, &label))
        n++;
    profile_free(p);
    return n;
}

/* Ours are four: __name__, __delta__, service_name, pyroscope_spy. */
static void test_labels(void **state)
{
    const struct profile_label labels[] = {{.key = "a", .str = "1"}, {.key = "b", .str = "2"}};
    struct profile *p = new_wall();
    struct err e = {0};
    struct job *j;

    (void)state;
    put(p, "main.f", 1, labels, 2);
    j = new_job("wall", p);
    set_labels(j, PYROSCOPE_LABELS - 4);
    shape(&backend_pyroscope, j);
    set_labels(j, PYROSCOPE_LABELS - 4 + 1);
    assert_int_equal(refused(&backend_pyroscope, j, &e), -EINVAL);
    assert_non_null(strstr(e.text, "31 labels"));
    assert_int_equal(j->shaped.count, 0);
    /* labels of samples take what is left */
    (void)snprintf(j->plan.keep[0], CONFIG_NAME_BYTES, "a");
    (void)snprintf(j->plan.keep[1], CONFIG_NAME_BYTES, "b");
    j->plan.keep_count = 2;
    set_labels(j, PYROSCOPE_LABELS - 4 - 2);
    shape(&backend_pyroscope, j);
    assert_int_equal(text_labels(j), 2);
    set_labels(j, PYROSCOPE_LABELS - 4 - 1);
    shape(&backend_pyroscope, j);
    assert_int_equal(text_labels(j), 1);
    j->plan.keep_count = 0;
    shape(&backend_pyroscope, j);
    assert_int_equal(text_labels(j), 0);
    free_job(j);
}

/* A value of 2,048 bytes stays, of one more it loses its last; two names that become the same, and
 * one that the series has, are there once. */
static void test_label_values(void **state)
{
    static char text[2050];
    struct profile_label labels[] = {
        {.key = "a.b", .str = text}, {.key = "a-b", .str = "2"}, {.key = "pod", .str = "x"}};
    struct profile *p = new_wall();
    struct profile_label label;
    struct job *j;
    size_t bytes;

    (void)state;
    memset(text, 'v', sizeof(text) - 1);
    put(p, "main.f", 1, labels, 3);
    j = new_job("wall", p);
    (void)snprintf(j->plan.labels[0].key, CONFIG_NAME_BYTES, "pod");
    j->plan.labels_count = 1;
    for (size_t i = 0; i < 3; i++)
        (void)snprintf(j->plan.keep[i], CONFIG_NAME_BYTES, "%s", labels[i].key);
    j->plan.keep_count = 3;
    shape(&backend_pyroscope, j);
    p = pushed(j, 0, &bytes);
    assert_true(profile_get_label(p, 0, 0, &label));
    assert_string_equal(label.key, "a_b");
    assert_int_equal(strlen(label.str), 2048);
    assert_false(profile_get_label(p, 0, 1, &label));
    profile_free(p);
    free_job(j);
}

/* ---- Times */

static void test_times(void **state)
{
    struct profile *p = new_wall();
    struct job *j;
    size_t bytes;

    (void)state;
    profile_set_time(p, 0, 10); /* no time: the item's */
    put(p, "main.f", 1, NULL, 0);
    j = new_job("wall", p);
    shape(&backend_pyroscope, j);
    assert_false(as_it_is(j));
    p = pushed(j, 0, &bytes);
    assert_int_equal(profile_time_ns(p), 77);
    assert_int_equal(profile_duration_ns(p), 10);
    assert_int_equal(profile_total(p, 0), 1);
    profile_free(p);
    free_job(j);
}

static void test_paths(void **state)
{
    struct profile *p = new_wall();
    struct job *j;

    (void)state;
    put(p, "main.f", 1, NULL, 0);
    j = new_job("wall", p);
    (void)snprintf(j->plan.url.path, sizeof(j->plan.url.path), "/base");
    (void)snprintf(j->plan.config.tenant, sizeof(j->plan.config.tenant), "team-a");
    shape(&backend_pyroscope, j);
    assert_string_equal(j->shaped.parts[0].path, "/base/push.v1.PusherService/Push");
    assert_string_equal(j->shaped.parts[0].method, "POST");
    assert_string_equal(j->shaped.parts[0].headers[0].value, "application/proto");
    assert_string_equal(j->shaped.parts[0].headers[1].name, "X-Scope-OrgID");
    assert_string_equal(j->shaped.parts[0].headers[1].value, "team-a");
    shape(&backend_otlp, j);
    assert_string_equal(j->shaped.parts[0].path, "/base/v1development/profiles");
    assert_string_equal(j->shaped.parts[0].headers[1].value, "gzip");
    (void)snprintf(j->plan.config.path, sizeof(j->plan.config.path), "/api/org/v1/profiles");
    shape(&backend_otlp, j);
    assert_string_equal(j->shaped.parts[0].path, "/api/org/v1/profiles");
    j->plan.config.format = CONFIG_FORMAT_JSON;
    assert_int_equal(refused(&backend_otlp, j, NULL), -EINVAL);
    shape(&backend_parca, j);
    assert_string_equal(j->shaped.parts[0].path, "/base/api/profiles/writeraw");
    free_job(j);
}

static void test_damaged(void **state)
{
    static const struct backend_ops *const all[] = {&backend_pyroscope, &backend_parca,
                                                    &backend_otlp};
    struct job *j = new_job("wall", new_wall());

    (void)state;
    j->in.raw = "\x12\xff";
    j->in.bytes = 2;
    for (size_t i = 0; i < 3; i++) {
        struct err e = {0};

        assert_true(refused(all[i], j, &e) < 0);
        assert_int_equal(j->shaped.count, 0);
        assert_true(e.text[0] != '\0');
    }
    free_job(j);
}

/* ---- Answers */

struct case_ {
    unsigned status;
    const char *type, *body;
    size_t bytes;
    enum backend_verdict want;
};

#define BODY(s) (s), sizeof(s) - 1

static void judge_all(const struct backend_ops *ops, const struct backend_plan *plan,
                      const struct case_ *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct case_ *c = &cases[i];
        struct client_answer a = {
            .fate = CLIENT_ANSWERED, .status = c->status, .body = c->body, .bytes = c->bytes};
        char why[256] = "?";

        (void)snprintf(a.content_type, sizeof(a.content_type), "%s", c->type);
        if (ops->judge(plan, &a, why, sizeof(why)) != c->want)
            fail_msg("%s, answer %zu (%u %s): \"%s\"", ops->name, i, c->status, c->type, why);
        assert_int_equal(strncmp(why, "HTTP ", 5), 0);
    }
}

static void test_judge_pyroscope(void **state)
{
    static const struct backend_plan plan;
    static const struct case_ cases[] = {
        {200, "application/proto", BODY(""), BACKEND_TAKEN},
        {200, "application/json", BODY("{}"), BACKEND_TAKEN},
        {200, "text/html", BODY("<html>"), BACKEND_BLOCKED},
        {302, "text/html", BODY(""), BACKEND_BLOCKED},
        {400, "application/json", BODY("{\"code\":\"invalid_argument\"}"), BACKEND_NEVER},
        {401, "application/json", BODY("{\"code\":\"unauthenticated\"}"), BACKEND_BLOCKED},
        {403, "text/plain", BODY("no"), BACKEND_BLOCKED},
        {404, "text/plain", BODY("no"), BACKEND_BLOCKED},
        {408, "", BODY(""), BACKEND_RETRY},
        {413, "", BODY(""), BACKEND_SPLIT},
        {415, "", BODY(""), BACKEND_NEVER},
        {422, "", BODY(""), BACKEND_NEVER},
        {429, "application/json", BODY("{\"code\":\"resource_exhausted\"}"), BACKEND_RETRY},
        {500, "application/json", BODY("gzip reset: unexpected EOF"), BACKEND_RETRY_FEW},
        {501, "application/json", BODY("unknown compression"), BACKEND_NEVER},
        {502, "text/html", BODY("<html>"), BACKEND_RETRY},
        {503, "", BODY(""), BACKEND_RETRY},
        {504, "", BODY(""), BACKEND_RETRY},
    };

    (void)state;
    judge_all(&backend_pyroscope, &plan, cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_judge_parca(void **state)
{
    static struct backend_plan plan;
    static const struct case_ cases[] = {
        {200, "application/grpc-web+proto", BODY("\0\0\0\0\0\x80\0\0\0\x10grpc-status: 0\r\n"),
         BACKEND_TAKEN},
        {200, "application/grpc-web+proto", BODY("\x80\0\0\0\x0fGrpc-Status:0\r\n"), BACKEND_TAKEN},
        {200, "application/grpc-web", BODY("\x80\0\0\0\x10grpc-status: 3\r\n"), BACKEND_NEVER},
        {200, "application/grpc-web", BODY("\x80\0\0\0\x10grpc-status: 7\r\n"), BACKEND_BLOCKED},
        {200, "application/grpc-web", BODY("\x80\0\0\0\x11grpc-status: 12\r\n"), BACKEND_BLOCKED},
        {200, "application/grpc-web", BODY("\x80\0\0\0\x11grpc-status: 13\r\n"), BACKEND_RETRY_FEW},
        {200, "application/grpc-web", BODY("\x80\0\0\0\x11grpc-status: 14\r\n"), BACKEND_RETRY},
        {200, "application/grpc-web", BODY("\x80\0\0\0\x10grpc-status: 8\r\n"), BACKEND_RETRY},
        {200, "application/grpc-web",
         BODY("\x80\0\0\0\x2cgrpc-status: 8\r\ngrpc-message: is larger than max\r\n"),
         BACKEND_RETRY}, /* the frame's length cuts the message off */
        {200, "application/grpc-web",
         BODY("\x80\0\0\0\x33grpc-status: 8\r\ngrpc-message: is larger%20than max"),
         BACKEND_RETRY}, /* and is longer than what came */
        {200, "application/grpc-web",
         BODY("\x80\0\0\0\x34grpc-status: 8\r\ngrpc-message: is larger%20than max\r\n"),
         BACKEND_SPLIT},
        /* no status at all, or cut */
        {200, "application/grpc-web", BODY("\0\0\0\0\0"), BACKEND_RETRY},
        {200, "application/grpc-web", BODY("\x80\0\0\0\x10grpc-status: 0\r"), BACKEND_RETRY},
        {200, "application/grpc-web", BODY("\x80\xff\xff\xff\xffgrpc-status: 0\r\n"),
         BACKEND_RETRY},
        {200, "application/grpc-web", BODY(""), BACKEND_RETRY},
        {200, "application/grpc-web", BODY("\x80\0\0\0\x10grpc-status: x\r\n"), BACKEND_RETRY},
        /* the page that answers every unknown path; other things that are no answer */
        {200, "text/html", BODY("<!doctype html>"), BACKEND_BLOCKED},
        {200, "application/json", BODY("{}"), BACKEND_BLOCKED}, /* was not asked as JSON */
        {200, "", BODY(""), BACKEND_BLOCKED},
        {400, "", BODY("missing __name__"), BACKEND_NEVER},
        {401, "", BODY(""), BACKEND_BLOCKED},
        {404, "", BODY(""), BACKEND_BLOCKED},
        {429, "", BODY(""), BACKEND_RETRY},
        {500, "", BODY(""), BACKEND_RETRY_FEW},
        {502, "", BODY(""), BACKEND_RETRY},
        {503, "", BODY(""), BACKEND_RETRY},
        {504, "", BODY(""), BACKEND_RETRY},
        {505, "", BODY("gRPC requires HTTP/2"), BACKEND_NEVER},
    };
    static const struct case_ json[] = {
        {200, "application/json", BODY("{}"), BACKEND_TAKEN},
        {200, "application/json", BODY(" { } \n"), BACKEND_TAKEN},
        {200, "application/json", BODY("{"), BACKEND_BLOCKED},
        {200, "application/json", BODY("{}x"), BACKEND_BLOCKED},
        {200, "application/json", BODY("{\"a\":1}"), BACKEND_BLOCKED},
        {200, "text/html", BODY("{}"), BACKEND_BLOCKED},
        {400, "application/json", BODY("{\"code\":3}"), BACKEND_NEVER},
    };

    (void)state;
    judge_all(&backend_parca, &plan, cases, sizeof(cases) / sizeof(cases[0]));
    plan.config.format = CONFIG_FORMAT_JSON;
    judge_all(&backend_parca, &plan, json, sizeof(json) / sizeof(json[0]));
}

static void test_judge_otlp(void **state)
{
    static const struct backend_plan plan;
    static const struct case_ cases[] = {
        {200, "application/x-protobuf", BODY(""), BACKEND_TAKEN},
        {200, "application/x-protobuf", BODY("\x0a\0"), BACKEND_TAKEN},
        {202, "", BODY(""), BACKEND_TAKEN},
        {200, "application/x-protobuf", BODY("\x0a\x02\x08\0"), BACKEND_TAKEN},
        {200, "application/x-protobuf", BODY("\x0a\x05\x12\x03oho"), BACKEND_TAKEN}, /* a warning */
        {200, "application/x-protobuf", BODY("\x0a\x07\x08\x02\x12\x03oho"), BACKEND_NEVER},
        {200, "application/x-protobuf", BODY("\x0a\x02\x08\x01"), BACKEND_NEVER},
        {200, "application/json", BODY("{\"partialSuccess\":{}}"), BACKEND_TAKEN},
        {200, "text/html", BODY("<html>"), BACKEND_BLOCKED},
        {400, "", BODY(""), BACKEND_NEVER},
        {401, "", BODY(""), BACKEND_BLOCKED},
        {404, "", BODY(""), BACKEND_BLOCKED},
        {413, "", BODY(""), BACKEND_SPLIT},
        {415, "", BODY(""), BACKEND_NEVER},
        {429, "", BODY(""), BACKEND_RETRY},
        {500, "", BODY(""), BACKEND_RETRY_FEW},
        {502, "", BODY(""), BACKEND_RETRY},
        {503, "", BODY(""), BACKEND_RETRY},
        {504, "", BODY(""), BACKEND_RETRY},
    };

    (void)state;
    judge_all(&backend_otlp, &plan, cases, sizeof(cases) / sizeof(cases[0]));
}

/* ---- Helpers */

static void test_why(void **state)
{
    struct client_answer a = {
        .status = 429, .body = " \npush \x1b[2Jrate\xff\nsecond", .bytes = 22};
    char why[64], small[12];

    (void)state;
    backend_why(&a, why, sizeof(why));
    assert_string_equal(why, "HTTP 429: push ?[2Jrate?");
    backend_why(&a, small, sizeof(small));
    assert_string_equal(small, "HTTP 429: p");
    a.bytes = 0;
    backend_why(&a, why, sizeof(why));
    assert_string_equal(why, "HTTP 429");
    a.body = "\xc3\xa9\xc2\x9b!"; /* a letter, and what a terminal takes for ESC [ */
    a.bytes = 5;
    backend_why(&a, why, sizeof(why));
    assert_string_equal(why, "HTTP 429: \xc3\xa9?!");
    backend_why(&a, small, 11); /* no half of a letter */
    assert_string_equal(small, "HTTP 429: ");
}

static void test_header(void **state)
{
    struct backend_part *part = calloc(1, sizeof(*part));
    char text[sizeof(part->texts)];

    (void)state;
    assert_non_null(part);
    assert_int_equal(backend_header(part, "A", "%d", 1), 0);
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 2] = '\0'; /* with its NUL one byte too many beside "1" */
    assert_int_equal(backend_header(part, "B", "%s", text), -ENOSPC);
    text[sizeof(text) - 3] = '\0';
    assert_int_equal(backend_header(part, "B", "%s", text), 0);
    assert_string_equal(part->headers[0].value, "1");
    assert_string_equal(part->headers[1].value, text);
    assert_int_equal(backend_header(part, "C", "x"), -ENOSPC);
    *part = (struct backend_part){0};
    for (int i = 0; i < BACKEND_HEADERS_MAX; i++)
        assert_int_equal(backend_header(part, "A", "%d", i), 0);
    assert_int_equal(backend_header(part, "A", "x"), -ENOSPC);
    free(part);
}

static void test_auth(void **state)
{
    struct backend_secrets *s = calloc(1, sizeof(*s));
    struct backend_plan *plan = calloc(1, sizeof(*plan));
    struct client_request r = {0};
    char texts[64];
    struct err e = {0};

    (void)state;
    assert_int_equal(backend_auth_head(plan, s, &r, texts, sizeof(texts), &e), 0);
    assert_int_equal(r.headers_count, 0);
    (void)snprintf(plan->config.auth.bearer_file, CONFIG_PATH_BYTES, "/token");
    assert_int_equal(backend_auth_head(plan, s, &r, texts, sizeof(texts), &e), -EACCES);
    (void)snprintf(s->bearer, sizeof(s->bearer), "secret");
    assert_int_equal(backend_auth_head(plan, s, &r, texts, sizeof(texts), &e), 0);
    assert_string_equal(r.headers[0].name, "Authorization");
    assert_string_equal(r.headers[0].value, "Bearer secret");
    assert_int_equal(backend_auth_head(plan, s, &r, texts, 13, &e), -ENOSPC);
    assert_null(strstr(e.text, "secret"));
    plan->config.auth.bearer_file[0] = '\0';
    r.headers_count = 0;
    /* RFC 7617, 2: the example */
    (void)snprintf(plan->config.auth.basic_user, CONFIG_TEXT_BYTES, "Aladdin");
    (void)snprintf(plan->config.auth.password_file, CONFIG_PATH_BYTES, "/password");
    assert_int_equal(backend_auth_head(plan, s, &r, texts, sizeof(texts), &e), -EACCES);
    (void)snprintf(s->password, sizeof(s->password), "open sesame");
    assert_int_equal(backend_auth_head(plan, s, &r, texts, sizeof(texts), &e), 0);
    assert_string_equal(r.headers[0].value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_int_equal(backend_auth_head(plan, s, &r, texts, 34, &e), -ENOSPC);
    assert_int_equal(backend_auth_head(plan, s, &r, texts, 35, &e), 0);
    r.headers_count = CLIENT_REQUEST_HEADERS_MAX;
    assert_int_equal(backend_auth_head(plan, s, &r, texts, sizeof(texts), &e), -ENOSPC);
    free(s);
    free(plan);
}

static void test_service(void **state)
{
    struct backend_plan *plan = calloc(1, sizeof(*plan));
    struct item item = {.target = ""};

    (void)state;
    assert_string_equal(backend_service(plan, &item), "unknown");
    (void)snprintf(item.target, sizeof(item.target), "server");
    assert_string_equal(backend_service(plan, &item), "server");
    (void)snprintf(plan->service, sizeof(plan->service), "shop");
    assert_string_equal(backend_service(plan, &item), "shop");
    (void)snprintf(plan->labels[0].key, CONFIG_NAME_BYTES, "service_name");
    (void)snprintf(plan->labels[0].value, CONFIG_TEXT_BYTES, "mine");
    plan->labels_count = 1;
    assert_string_equal(backend_service(plan, &item), "mine");
    assert_null(backend_label(plan, "pod"));
    free(plan);
    for (int i = 0; i <= CONFIG_BACKEND_TYPES; i++)
        assert_non_null(backend_ops_of((enum config_backend_type)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth),           cmocka_unit_test(test_samples),
        cmocka_unit_test(test_bytes),           cmocka_unit_test(test_labels),
        cmocka_unit_test(test_label_values),    cmocka_unit_test(test_times),
        cmocka_unit_test(test_paths),           cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_judge_pyroscope), cmocka_unit_test(test_judge_parca),
        cmocka_unit_test(test_judge_otlp),      cmocka_unit_test(test_why),
        cmocka_unit_test(test_header),          cmocka_unit_test(test_auth),
        cmocka_unit_test(test_service),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
