/*
 * auth/review and auth/kubernetes: what is asked of an API server, what counts as an answer, and
 * what is remembered of it; auth/issuers: keys that are fetched.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/json_in.h"
#include "auth/kubernetes.h"
#include "base/clock.h"

#define USER                                                                                 \
    "{\"username\":\"system:serviceaccount:prof:scraper\",\"uid\":\"1\",\"groups\":[\"g\"]," \
    "\"extra\":{\"k\":[\"v\"]}}"
#define TOKEN_YES                                                       \
    "{\"kind\":\"TokenReview\",\"spec\":{\"token\":\"t\"},\"status\":{" \
    "\"authenticated\":true,\"user\":" USER ",\"audiences\":[\"x\",\"pillion\"]}}"
#define TOKEN_NO \
    "{\"kind\":\"TokenReview\",\"status\":{\"user\":{},\"error\":\"invalid bearer token\"}}"
#define ACCESS_YES "{\"kind\":\"SubjectAccessReview\",\"status\":{\"allowed\":true}}"
#define ACCESS_NO  "{\"kind\":\"SubjectAccessReview\",\"status\":{\"allowed\":false}}"

static const char audiences[2][CONFIG_TEXT_BYTES] = {"pillion", "other"};

static int read_token(const char *reply)
{
    char name[REVIEW_USER_MAX_BYTES];
    char *user = NULL;
    int r = review_read_token(reply, strlen(reply), audiences, 2, &user, name);

    assert_true((r == 0) == (user != NULL));
    free(user);
    return r;
}

#define STATUS(s) "{\"kind\":\"TokenReview\",\"status\":" s "}"

static void test_token_answers(void **state)
{
    static const struct {
        const char *reply;
        int r;
    } list[] = {
        {TOKEN_YES, 0},
        {TOKEN_NO, -EACCES},
        {STATUS("{\"authenticated\":true,\"user\":" USER "}"), -EACCES},
        {STATUS("{\"authenticated\":true,\"user\":" USER ",\"audiences\":[]}"), -EACCES},
        {STATUS("{\"authenticated\":true,\"user\":" USER ",\"audiences\":[\"x\",1]}"), -EACCES},
        {STATUS("{\"authenticated\":true,\"user\":" USER ",\"audiences\":\"pillion\"}"), -EACCES},
        {STATUS("{\"authenticated\":\"true\",\"user\":" USER ",\"audiences\":[\"pillion\"]}"),
         -EACCES},
        {STATUS("{\"authenticated\":1,\"user\":" USER ",\"audiences\":[\"pillion\"]}"), -EACCES},
        {STATUS("{\"authenticated\":false,\"user\":" USER ",\"audiences\":[\"pillion\"]}"),
         -EACCES},
        {STATUS("{\"authenticated\":true,\"error\":\"x\",\"user\":" USER
                ",\"audiences\":[\"pillion\"]}"),
         -EACCES},
        {STATUS("{\"authenticated\":true,\"error\":\"\",\"user\":" USER
                ",\"audiences\":[\"pillion\"]}"),
         0},
        {STATUS("{\"authenticated\":true,\"user\":{\"username\":\"system:anonymous\"},"
                "\"audiences\":[\"pillion\"]}"),
         -EACCES},
        {STATUS("{\"authenticated\":true,\"user\":{},\"audiences\":[\"pillion\"]}"), -EBADMSG},
        {STATUS("{\"authenticated\":true,\"user\":{\"username\":\"\"},"
                "\"audiences\":[\"pillion\"]}"),
         -EBADMSG},
        {STATUS("{\"authenticated\":true,\"user\":7,\"audiences\":[\"pillion\"]}"), -EBADMSG},
        {STATUS("{\"authenticated\":false,\"authenticated\":true,\"user\":" USER
                ",\"audiences\":[\"pillion\"]}"),
         -EBADMSG},
        {STATUS("null"), -EBADMSG},
        {"{\"kind\":\"Status\",\"status\":\"Failure\"}", -EBADMSG},
        {"{\"kind\":\"Status\",\"status\":{\"authenticated\":true}}", -EBADMSG},
        {"{}", -EBADMSG},
        {"", -EBADMSG},
        {"<html>", -EBADMSG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (read_token(list[i].reply) != list[i].r)
            fail_msg("%s", list[i].reply);
    }
}

static int read_access(const char *reply)
{
    return review_read_access(reply, strlen(reply));
}

static void test_access_answers(void **state)
{
    (void)state;
    assert_int_equal(read_access(ACCESS_YES), 0);
    assert_int_equal(read_access(ACCESS_NO), -EACCES);
    assert_int_equal(read_access("{\"kind\":\"SubjectAccessReview\",\"status\":{}}"), -EACCES);
    assert_int_equal(
        read_access("{\"kind\":\"SubjectAccessReview\",\"status\":{\"allowed\":\"true\"}}"),
        -EACCES);
    assert_int_equal(
        read_access(
            "{\"kind\":\"SubjectAccessReview\",\"status\":{\"allowed\":true,\"denied\":true}}"),
        -EACCES);
    assert_int_equal(read_access(TOKEN_YES), -EBADMSG);
    assert_int_equal(read_access("{\"kind\":\"SubjectAccessReview\"}"), -EBADMSG);
}

static void test_questions(void **state)
{
    const struct review_target pod = {.namespace = "prof", .pod = "demo-1"};
    const struct review_target path = {.path = "/debug/pprof/heap"};
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(review_ask_token("a\"b", audiences, 1, &out), 0);
    assert_string_equal(buf_text(&out),
                        "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
                        "\"spec\":{\"token\":\"a\\\"b\",\"audiences\":[\"pillion\"]}}");
    buf_clear(&out);
    assert_int_equal(review_ask_access(USER, &pod, &out), 0);
    assert_string_equal(
        buf_text(&out),
        "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\",\"spec\":{"
        "\"user\":\"system:serviceaccount:prof:scraper\",\"uid\":\"1\",\"groups\":[\"g\"],"
        "\"extra\":{\"k\":[\"v\"]},\"resourceAttributes\":{\"namespace\":\"prof\",\"verb\":\"get\","
        "\"group\":\"\",\"resource\":\"pods\",\"subresource\":\"pprof\",\"name\":\"demo-1\"}}}");
    buf_clear(&out);
    assert_int_equal(review_ask_access(USER, &path, &out), 0);
    assert_non_null(strstr(buf_text(&out), "\"nonResourceAttributes\":{\"path\":"
                                           "\"/debug/pprof/heap\",\"verb\":\"get\"}"));
    assert_null(strstr(buf_text(&out), "pods"));
    buf_release(&out);
}

/* --- what is remembered --- */

static struct config config;
static struct kubernetes k8s;

static int setup(void **state)
{
    (void)state;
    config_defaults(&config);
    config.auth.kubernetes.audiences_count = 1;
    memcpy(config.auth.kubernetes.audiences[0], "pillion", 8);
    config.auth.kubernetes.scopes = 5;
    return 0;
}

static void open_k8s(void)
{
    memset(&k8s, 0, sizeof(k8s));
    (void)snprintf(config.auth.kubernetes.namespace, 8, "prof");
    (void)snprintf(config.auth.kubernetes.pod, 8, "demo-1");
    assert_int_equal(kubernetes_open(&k8s, &config, NULL), 0);
}

#define GOOD "a-token-of-somebody"

/* The verdict; ${answers} are the API server's, NULL: none may be needed. */
static struct auth_verdict ask(const char *token, uint64_t now_ms, const char *const answers[2],
                               unsigned *ret_questions)
{
    const struct auth_request request = {.mono_ns = now_ms * CLOCK_NS_PER_MS, .path = "/p"};
    struct auth_verdict v = {.refused = 401};
    struct auth_work *w = NULL;
    bool more = true;

    *ret_questions = 0;
    kubernetes_judge(&k8s, token, strlen(token), &request, &v, &w);
    if (!w)
        return v;
    for (unsigned i = 0; more && i < 2; i++) {
        const char *path, *reply = answers[w->step == AUTH_WORK_ACCESS];
        struct buf body;

        buf_init(&body, 65536);
        assert_int_equal(kubernetes_question(&k8s, w, &path, &body), 0);
        buf_release(&body);
        ++*ret_questions;
        more = kubernetes_answer(&k8s, w, reply ? 201 : 0, reply, reply ? strlen(reply) : 0);
    }
    assert_false(more);
    v = (struct auth_verdict){.refused = 401};
    kubernetes_finish(&k8s, w, request.mono_ns, &v);
    auth_work_free(w);
    return v;
}

static void test_remembered(void **state)
{
    static const char *const yes[2] = {TOKEN_YES, ACCESS_YES},
                             *const no[2] = {TOKEN_YES, ACCESS_NO},
                             *const nobody[2] = {TOKEN_NO, NULL};
    struct auth_verdict v;
    unsigned asked;

    (void)state;
    open_k8s();
    v = ask(GOOD, 1000, yes, &asked);
    assert_true(v.known && asked == 2 && v.scopes == 5 && v.method == AUTH_KUBERNETES);
    assert_string_equal(v.name, "k8s:system:serviceaccount:prof:scraper");
    v = ask(GOOD, 1000 + KUBERNETES_TOKEN_MS - 1, no, &asked);
    assert_true(v.known && asked == 0);
    /* the token's two minutes are over, the permission's five are not */
    v = ask(GOOD, 1000 + KUBERNETES_TOKEN_MS, no, &asked);
    assert_true(v.known && asked == 1);
    v = ask(GOOD, 1000 + 2 * KUBERNETES_TOKEN_MS, no, &asked);
    assert_true(v.known && asked == 1);
    v = ask(GOOD, 1000 + KUBERNETES_ALLOW_MS - 1, no, &asked);
    assert_true(v.known && asked == 0);
    v = ask(GOOD, 1000 + KUBERNETES_ALLOW_MS, no, &asked); /* nor was it prolonged */
    assert_true(!v.known && asked == 1 && v.refused == 403 && v.scopes == 0);
    v = ask(GOOD, 1000 + KUBERNETES_ALLOW_MS + KUBERNETES_DENY_MS - 1, yes, &asked);
    assert_true(!v.known && asked == 0 && v.refused == 403);
    v = ask(GOOD, 1000 + KUBERNETES_ALLOW_MS + KUBERNETES_DENY_MS, yes, &asked);
    assert_true(v.known && asked == 1);
    v = ask("a-token-of-nobody", 500000, nobody, &asked);
    assert_true(!v.known && asked == 1 && v.refused == 401);
    v = ask("a-token-of-nobody", 500000 + KUBERNETES_UNKNOWN_MS - 1, yes, &asked);
    assert_true(!v.known && asked == 0);
    v = ask("a-token-of-nobody", 500000 + KUBERNETES_UNKNOWN_MS, yes, &asked);
    assert_true(v.known);
    kubernetes_release(&k8s);
}

/* No answer is neither yes nor no, and is not remembered. */
static void test_unavailable(void **state)
{
    static const char *const none[2] = {NULL, NULL}, *const half[2] = {TOKEN_YES, "{}"},
                             *const yes[2] = {TOKEN_YES, ACCESS_YES};
    unsigned asked;

    (void)state;
    open_k8s();
    assert_int_equal(ask(GOOD, 1000, none, &asked).refused, 503);
    assert_int_equal(ask(GOOD, 1000, half, &asked).refused, 503);
    assert_int_equal(asked, 2);
    assert_true(ask(GOOD, 1000, yes, &asked).known);
    assert_int_equal(asked, 2);
    /* too short, too long, or with bytes that are none of a token's: not shown to anybody */
    assert_int_equal(ask("short", 1000, yes, &asked).refused, 401);
    assert_int_equal(ask("a token with spaces", 1000, yes, &asked).refused, 401);
    assert_int_equal(ask("a-token-with-\x01-in-it", 1000, yes, &asked).refused, 401);
    assert_int_equal(asked, 0);
    kubernetes_release(&k8s);
}

/* A stranger's garbage cannot make us flood the API server; who is known gets in meanwhile. */
static void test_flood(void **state)
{
    static const char *const yes[2] = {TOKEN_YES, ACCESS_YES}, *const no[2] = {TOKEN_NO, NULL};
    unsigned asked, sum = 0;
    char token[64];

    (void)state;
    open_k8s();
    assert_true(ask(GOOD, 1000, yes, &asked).known);
    for (unsigned i = 0; i < 1000; i++) {
        struct auth_verdict v;

        (void)snprintf(token, sizeof(token), "garbage-garbage-%u", i);
        v = ask(token, 1001, no, &asked);
        assert_int_equal(v.refused, asked ? 401 : 503);
        sum += asked;
    }
    assert_int_equal(sum, KUBERNETES_BURST - 1);
    assert_true(ask(GOOD, 1002, no, &asked).known || asked == 0);
    assert_int_equal(ask("another-one-of-them", 1001 + KUBERNETES_GAP_MS, no, &asked).refused, 401);
    kubernetes_release(&k8s);
}

static void test_which_pod(void **state)
{
    struct err e = {0};

    (void)state;
    memset(&k8s, 0, sizeof(k8s));
    config.auth.kubernetes.pod[0] = '\0';
    (void)unsetenv("POD_NAME");
    assert_int_equal(kubernetes_open(&k8s, &config, &e), -EINVAL);
    assert_non_null(strstr(e.text, "POD_NAME"));
    (void)setenv("POD_NAME", "from-env", 1);
    memset(&k8s, 0, sizeof(k8s));
    assert_int_equal(kubernetes_open(&k8s, &config, &e), 0);
    assert_string_equal(k8s.pod, "from-env");
    (void)unsetenv("POD_NAME");
    kubernetes_release(&k8s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_answers), cmocka_unit_test(test_access_answers),
        cmocka_unit_test(test_questions),     cmocka_unit_test(test_remembered),
        cmocka_unit_test(test_unavailable),   cmocka_unit_test(test_flood),
        cmocka_unit_test(test_which_pod),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
