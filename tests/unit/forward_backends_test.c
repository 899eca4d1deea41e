/* What Datadog, Google, S3 and the usual judgement make of fixed profiles and answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "auth/json_in.h"
#include "profile/gzip.h"
#include "sidecar/forward/backend.h"
#include "sidecar/forward/plan.h"

enum { RAW_BYTES = 65536, SECOND = 1000000000 };

struct room {
    struct backend_plan plan;
    struct item item;
    struct buf raw, gzip;
    struct backend_shaped shaped;
    struct err e;
};

static int setup(void **state)
{
    struct room *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    t->item = (struct item){.id = "0123456789abcdef0123456789abcdef",
                            .runtime_id = "fedcba9876543210fedcba9876543210",
                            .time_ns = INT64_C(1700000000) * SECOND,
                            .duration_ns = 10 * (int64_t)SECOND,
                            .target = "server",
                            .language = "go",
                            .version = "v9",
                            .pid = 7};
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct room *t = *state;

    backend_shaped_release(&t->shaped);
    buf_release(&t->raw);
    buf_release(&t->gzip);
    free(t);
    return 0;
}

/* One sample with values 1, 2, … of the given types. */
static void make(struct room *t, const char *type, const char *const *types, size_t n)
{
    struct profile *p = profile_new();
    const int64_t values[] = {1, 2, 3, 4};
    struct profile_line line;
    uint64_t location;

    for (size_t i = 0; i < n; i++)
        assert_int_equal(profile_add_type(p, types[i], "count"), 0);
    assert_int_equal(profile_set_period(p, "space", "bytes", 1), 0);
    line = (struct profile_line){.function = profile_function(p, "main", NULL, "a.go", 1)};
    location = profile_location(p, 0, 0, &line, 1);
    assert_int_equal(profile_sample(p, &location, 1, values, NULL, 0), 0);
    profile_set_time(p, t->item.time_ns, t->item.duration_ns);
    buf_release(&t->raw);
    buf_release(&t->gzip);
    buf_init(&t->raw, RAW_BYTES);
    buf_init(&t->gzip, RAW_BYTES);
    assert_int_equal(profile_encode(p, &t->raw), 0);
    assert_int_equal(gzip_pack(t->raw.data, t->raw.len, &t->gzip), 0);
    profile_free(p);
    (void)snprintf(t->item.type, sizeof(t->item.type), "%s", type);
}

static void heap(struct room *t)
{
    static const char *const types[] = {"alloc_objects", "alloc_space", "inuse_objects",
                                        "inuse_space"};

    make(t, "heap", types, 4);
}

static void cpu(struct room *t)
{
    static const char *const types[] = {"samples", "cpu"};

    make(t, "cpu", types, 2);
}

static int shape(struct room *t, const struct backend_ops *ops)
{
    struct backend_input in = {&t->item, t->raw.data, t->raw.len, t->gzip.data, t->gzip.len};

    backend_shaped_release(&t->shaped);
    memset(&t->shaped, 0, sizeof(t->shaped));
    return ops->shape(&t->plan, &in, &t->shaped, &t->e);
}

static void label(struct room *t, const char *key, const char *value)
{
    struct config_label *l = &t->plan.labels[t->plan.labels_count++];

    (void)snprintf(l->key, sizeof(l->key), "%s", key);
    (void)snprintf(l->value, sizeof(l->value), "%s", value);
}

static bool body_has(const struct room *t, size_t part, const char *text)
{
    const struct buf *b = &t->shaped.parts[part].body;

    return memmem(b->data, b->len, text, strlen(text)) != NULL;
}

static const char *head_of(const struct backend_part *p, const char *name)
{
    for (size_t i = 0; i < p->headers_count; i++) {
        if (strcmp(p->headers[i].name, name) == 0)
            return p->headers[i].value;
    }
    return NULL;
}

/* --- the usual judgement --- */

static void test_usual(void **state)
{
    static const struct {
        unsigned status;
        enum backend_verdict want;
    } rows[] = {
        {199, BACKEND_NEVER},   {200, BACKEND_TAKEN},   {299, BACKEND_TAKEN},
        {300, BACKEND_BLOCKED}, {307, BACKEND_BLOCKED}, {399, BACKEND_BLOCKED},
        {400, BACKEND_NEVER},   {401, BACKEND_BLOCKED}, {403, BACKEND_BLOCKED},
        {404, BACKEND_BLOCKED}, {405, BACKEND_BLOCKED}, {408, BACKEND_RETRY},
        {413, BACKEND_SPLIT},   {422, BACKEND_NEVER},   {429, BACKEND_RETRY},
        {500, BACKEND_RETRY},   {599, BACKEND_RETRY},   {600, BACKEND_NEVER},
    };
    char why[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct client_answer a = {.status = rows[i].status};

        assert_int_equal(backend_judge_usual(&a, why, sizeof(why)), rows[i].want);
    }
}

static void test_redirect_is_told(void **state)
{
    struct client_answer a = {.status = 302, .location = "https://login.example/\x1b[31m"};
    char why[64], little[20];

    (void)state;
    assert_int_equal(backend_judge_usual(&a, why, sizeof(why)), BACKEND_BLOCKED);
    assert_string_equal(why, "HTTP 302, not followed to https://login.example/?[31m");
    assert_int_equal(backend_judge_usual(&a, little, sizeof(little)), BACKEND_BLOCKED);
    assert_true(strlen(little) < sizeof(little));
}

/* --- Datadog --- */

static void test_datadog(void **state)
{
    struct room *t = *state;

    label(t, "service_name", "a,b");
    label(t, "team", "x\ny");
    heap(t);
    assert_int_equal(shape(t, &backend_datadog), 0);
    assert_int_equal(t->shaped.count, 1);
    assert_string_equal(t->shaped.parts[0].path, "/profiling/v1/input");
    assert_string_equal(head_of(&t->shaped.parts[0], "Content-Type"),
                        "multipart/form-data; boundary=0123456789abcdef0123456789abcdef");
    assert_null(head_of(&t->shaped.parts[0], "Datadog-Container-ID"));
    assert_true(body_has(t, 0, "\"start\":\"2023-11-14T22:13:20.000000000Z\""));
    assert_true(body_has(t, 0, "\"end\":\"2023-11-14T22:13:30.000000000Z\""));
    assert_true(body_has(t, 0, "\"attachments\":[\"delta-heap.pprof\"]"));
    assert_true(body_has(t, 0, "service:a_b,"));
    assert_true(body_has(t, 0, "team:x_y"));
    assert_true(body_has(t, 0, "version:v9"));
    assert_true(body_has(t, 0, "runtime-id:fedcba98-7654-3210-fedc-ba9876543210"));
    assert_true(body_has(t, 0, "\r\n\r\n\x28\xb5\x2f\xfd"));
}

static void test_datadog_container(void **state)
{
    struct room *t = *state;
    const char *id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    (void)snprintf(t->item.container, sizeof(t->item.container), "%s", id);
    (void)snprintf(t->plan.config.api_key_file, sizeof(t->plan.config.api_key_file), "/k");
    cpu(t);
    assert_int_equal(shape(t, &backend_datadog), 0);
    assert_string_equal(t->shaped.parts[0].path, "/api/v2/profile");
    assert_string_equal(head_of(&t->shaped.parts[0], "Datadog-Container-ID"), id);
    assert_memory_equal(head_of(&t->shaped.parts[0], "Datadog-Entity-ID"), "ci-0123", 7);
}

static void test_datadog_families(void **state)
{
    struct room *t = *state;

    cpu(t);
    t->plan.config.family = CONFIG_FAMILY_NATIVE;
    assert_int_equal(shape(t, &backend_datadog), 0);
    assert_true(body_has(t, 0, "\"family\":\"native\""));
    assert_true(body_has(t, 0, "filename=\"profile.pprof\""));
    (void)snprintf(t->item.type, sizeof(t->item.type), "goroutine");
    assert_int_equal(shape(t, &backend_datadog), -ENOTSUP);
    t->plan.config.family = CONFIG_FAMILY_AUTO;
    assert_int_equal(shape(t, &backend_datadog), 0);
    (void)snprintf(t->item.type, sizeof(t->item.type), "threadcreate");
    assert_int_equal(shape(t, &backend_datadog), -ENOTSUP);
}

/* --- Google --- */

static json_t *json_of(const struct room *t, size_t part)
{
    const struct buf *b = &t->shaped.parts[part].body;
    json_t *ret = NULL;

    assert_int_equal(json_in_parse((const char *)b->data, b->len, &ret, NULL), 0);
    return ret;
}

static void target_is(struct room *t, const char *service, const char *want)
{
    json_t *body;

    (void)snprintf(t->plan.service, sizeof(t->plan.service), "%s", service);
    assert_int_equal(shape(t, &backend_google), 0);
    body = json_of(t, 0);
    assert_string_equal(json_in_text(json_object_get(body, "deployment"), "target"), want);
    json_decref(body);
}

static void test_google_offline(void **state)
{
    struct room *t = *state;
    json_t *body;

    (void)snprintf(t->plan.project, sizeof(t->plan.project), "p-1");
    t->item.duration_ns = 10 * (int64_t)SECOND + 1;
    heap(t);
    target_is(t, "Shop (A)", "shop--a");
    target_is(t, "--x.Y_z-", "x.y_z");
    target_is(t, "***", "unknown");
    assert_int_equal(t->shaped.count, 2);
    assert_string_equal(t->shaped.parts[1].path, "/v2/projects/p-1/profiles:createOffline");
    body = json_of(t, 1);
    assert_string_equal(json_in_text(body, "profileType"), "HEAP_ALLOC");
    assert_string_equal(json_in_text(body, "duration"), "10.000000001s");
    assert_memory_equal(json_in_text(body, "profileBytes"), "H4sI", 4);
    json_decref(body);
    (void)snprintf(t->item.type, sizeof(t->item.type), "block");
    assert_int_equal(shape(t, &backend_google), -ENOTSUP);
}

static int follow_with(struct room *t, const char *reply)
{
    struct client_answer a = {.status = 200, .body = reply, .bytes = strlen(reply)};

    cpu(t);
    assert_int_equal(shape(t, &backend_google), 0);
    assert_int_equal(t->shaped.count, 2);
    assert_string_equal(t->shaped.parts[1].path, "");
    return backend_google.follow(&t->plan, &a, &t->shaped.parts[1], &t->e);
}

static void test_google_online(void **state)
{
    struct room *t = *state;

    (void)snprintf(t->plan.project, sizeof(t->plan.project), "p-1");
    t->plan.config.format = CONFIG_FORMAT_ONLINE;
    assert_int_equal(follow_with(t, "{\"name\":\"projects/p-1/profiles/AA\",\"k\":1}"), 0);
    assert_string_equal(t->shaped.parts[1].path, "/v2/projects/p-1/profiles/AA");
    assert_string_equal(t->shaped.parts[1].method, "PATCH");
    assert_true(body_has(t, 1, "\"k\":1"));
    assert_int_equal(t->shaped.parts[0].total_ms, BACKEND_HANG_MS);
    assert_int_not_equal(follow_with(t, "{\"name\":\"projects/../secrets\"}"), 0);
    assert_int_not_equal(follow_with(t, "{\"name\":\"projects/a?b\"}"), 0);
    assert_int_not_equal(follow_with(t, "{\"name\":\"http://elsewhere/\"}"), 0);
    assert_int_not_equal(follow_with(t, "{}"), 0);
    assert_int_not_equal(follow_with(t, "<html>"), 0);
}

static uint64_t delay_of(unsigned status, const char *text)
{
    char body[256];
    int n =
        snprintf(body, sizeof(body), "{\"error\":{\"details\":[{\"retryDelay\":\"%s\"}]}}", text);
    struct client_answer a = {.status = status, .body = body, .bytes = (size_t)n};

    return backend_google.delay(&a);
}

static void test_google_delay(void **state)
{
    (void)state;
    assert_int_equal(delay_of(409, "1.5s"), 1501);
    assert_int_equal(delay_of(409, "3600s"), 3600001);
    assert_int_equal(delay_of(409, "3601s"), 0);
    assert_int_equal(delay_of(409, "-1s"), 0);
    assert_int_equal(delay_of(409, "nans"), 0);
    assert_int_equal(delay_of(409, "1"), 0);
    assert_int_equal(delay_of(429, "1s"), 0);
}

/* --- S3 --- */

static void test_s3_path(void **state)
{
    struct room *t = *state;

    (void)snprintf(t->plan.config.bucket, sizeof(t->plan.config.bucket), "b");
    (void)snprintf(t->plan.config.path, sizeof(t->plan.config.path), "/pre fix");
    (void)snprintf(t->plan.url.host, sizeof(t->plan.url.host), "s3.example");
    cpu(t);
    assert_int_equal(shape(t, &backend_s3), 0);
    assert_string_equal(t->shaped.parts[0].path,
                        "/b/pre%20fix/server/cpu/2023/11/14/20231114T221320.000Z-"
                        "0123456789abcdef0123456789abcdef.pb.gz");
    (void)snprintf(t->plan.url.host, sizeof(t->plan.url.host), "b.s3.example");
    assert_int_equal(shape(t, &backend_s3), 0);
    assert_memory_equal(t->shaped.parts[0].path, "/pre%20fix/", 11);
    assert_int_equal(t->shaped.parts[0].body.len, t->gzip.len);
}

static void s3_says(unsigned status, const char *body, const char *want)
{
    struct client_answer a = {.status = status, .body = body, .bytes = strlen(body)};
    char why[64];

    (void)backend_s3.judge(NULL, &a, why, sizeof(why));
    assert_string_equal(why, want);
}

static void test_s3_words(void **state)
{
    (void)state;
    s3_says(403, "<?xml?>\n<Error><Code>AccessDenied</Code><Message>No.</Message></Error>",
            "HTTP 403: AccessDenied: No.");
    s3_says(404, "<Error><Code>NoSuchBucket</Code></Error>", "HTTP 404: NoSuchBucket");
    s3_says(403, "<Code>cut", "HTTP 403: <Code>cut");
    s3_says(403, "<Code>", "HTTP 403: <Code>");
    s3_says(500, "", "HTTP 500");
}

/* --- the plan --- */

static void test_plan_same(void **state)
{
    struct config *c = calloc(1, sizeof(*c));
    struct backend_plan *a, *b;
    struct err e;

    (void)state;
    assert_non_null(c);
    c->forward_count = 1;
    c->forward[0].type = CONFIG_BACKEND_GOOGLE;
    assert_int_equal(plan_backend_make(c, 0, &a, &e), 0);
    assert_int_equal(plan_backend_make(c, 0, &b, &e), 0);
    assert_true(plan_backend_same(a, b));
    /* what a metadata server has told is no other configuration */
    (void)snprintf(a->project, sizeof(a->project), "found");
    assert_true(plan_backend_same(a, b));
    free(b);
    (void)snprintf(c->forward[0].project, sizeof(c->forward[0].project), "p");
    assert_int_equal(plan_backend_make(c, 0, &b, &e), 0);
    assert_string_equal(b->project, "p");
    assert_false(plan_backend_same(a, b));
    free(a);
    free(b);
    free(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_usual),
        TEST(test_redirect_is_told),
        TEST(test_datadog),
        TEST(test_datadog_container),
        TEST(test_datadog_families),
        TEST(test_google_offline),
        TEST(test_google_online),
        TEST(test_google_delay),
        TEST(test_s3_path),
        TEST(test_s3_words),
        TEST(test_plan_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
