/* auth/: who is known by which credential, and how token files are read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/auth.h"
#include "auth/base64.h"

#define TOKEN_A "plln_aaaaaaaaaaaaaaaaaaaa"
#define TOKEN_B "plln_bbbbbbbbbbbbbbbbbbbb"

static struct config config;
static char file[64];

static void write_file(const char *text, size_t bytes)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
    (void)state;
    config_defaults(&config);
    (void)snprintf(file, sizeof(file), "/tmp/pillion-auth-test.%d", (int)getpid());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(file);
    return 0;
}

static struct config_token *add(const char *name, uint32_t scopes)
{
    struct config_token *t = &config.auth.tokens[config.auth.tokens_count++];

    (void)snprintf(t->name, sizeof(t->name), "%s", name);
    t->scopes = scopes;
    return t;
}

static void add_hash(const char *name, const char *token, uint32_t scopes)
{
    struct config_token *t = add(name, scopes);
    char hex[65];

    auth_sha256_hex(token, strlen(token), hex);
    t->has_hash = true;
    for (size_t i = 0; i < sizeof(t->sha256); i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        t->sha256[i] = (uint8_t)byte;
    }
}

static void add_file(const char *name, uint32_t scopes)
{
    (void)snprintf(add(name, scopes)->file, CONFIG_PATH_BYTES, "%s", file);
}

static struct auth *must(const char *generated)
{
    struct auth *a = NULL;
    struct err e = {0};

    if (auth_new(&config, generated, &a, &e) != 0)
        fail_msg("%s", e.text);
    return a;
}

/* NULL stands for a header that did not come. */
static struct auth_verdict judge(struct auth *a, const char *authorization, const char *token)
{
    struct auth_request r = {.authorization = authorization,
                             .authorization_bytes = authorization ? strlen(authorization) : 0,
                             .token = token,
                             .token_bytes = token ? strlen(token) : 0};
    struct auth_verdict v;

    memset(&v, 0xff, sizeof(v));
    auth_judge(a, &r, &v, NULL);
    assert_int_equal(v.known, v.why == NULL);
    if (!v.known) {
        assert_int_equal(v.scopes, 0);
        assert_string_equal(v.name, "");
    }
    return v;
}

static void three_ways(void **state)
{
    struct auth_verdict v;
    struct auth *a;

    (void)state;
    add_hash("alice", TOKEN_A, CONFIG_SCOPE_VIEW);
    add_hash("bob", TOKEN_B, CONFIG_SCOPE_CPU);
    a = must(NULL);
    v = judge(a, "Bearer " TOKEN_A, NULL);
    assert_true(v.known);
    assert_string_equal(v.name, "alice");
    assert_int_equal(v.method, AUTH_BEARER);
    assert_int_equal(v.scopes, CONFIG_SCOPE_VIEW);
    v = judge(a, "bEARER   " TOKEN_B, NULL);
    assert_string_equal(v.name, "bob");
    assert_int_equal(v.scopes, CONFIG_SCOPE_CPU);
    v = judge(a, "Basic YW55OnBsbG5fYWFhYWFhYWFhYWFhYWFhYWFhYWE=", NULL); /* any:TOKEN_A */
    assert_string_equal(v.name, "alice");
    assert_int_equal(v.method, AUTH_BASIC);
    v = judge(a, "BASIC OnBsbG5fYWFhYWFhYWFhYWFhYWFhYWFhYWE=", NULL); /* :TOKEN_A */
    assert_string_equal(v.name, "alice");
    v = judge(a, NULL, TOKEN_B);
    assert_string_equal(v.name, "bob");
    assert_int_equal(v.method, AUTH_HEADER);
    auth_free(a);
}

static void not_known(void **state)
{
    static const char *const bad[] = {
        "",
        "Bearer",
        "Bearer ",
        "Bearer    ",
        "Bearer wrong",
        "Bearer" TOKEN_A,
        "Bearer\t" TOKEN_A,
        TOKEN_A,
        "Bearer " TOKEN_A " ",
        "Bearer " TOKEN_A ",x",
        "Digest " TOKEN_A,
        "Bearer plln_aaaaaaaaaaaaaaaaaaa",
        "Bearer " TOKEN_A "a",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YW55",                                     /* any, without a colon */
        "Basic YW55Og==",                                 /* any: with nothing behind */
        "Basic cGxsbl9hYWFhYWFhYWFhYWFhYWFhYWFhYTo=",     /* the token as the user */
        "Basic YW55OnBsbG5fYWFhYWFhYWFhYWFhYWFhYWFhYWE",  /* no padding */
        "Basic YW55OnBsbG5fYWFhYWFhYWFhYWFhYWFhYWFhYWF=", /* unused bits set */
        "Basic YW55OnBsbG5fYWFhYWFhYWFhYWFhYWFhYWFhYWE= ",
    };
    struct auth *a;

    (void)state;
    add_hash("alice", TOKEN_A, CONFIG_SCOPE_ALL);
    a = must(NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(judge(a, bad[i], NULL).known);
    assert_false(judge(a, NULL, "").known);
    assert_false(judge(a, NULL, "Bearer " TOKEN_A).known);
    assert_false(judge(a, NULL, NULL).known);
    assert_non_null(strstr(judge(a, NULL, NULL).why, "credentials are needed"));
    auth_free(a);
}

static void one_credential_only(void **state)
{
    struct auth_verdict v;
    struct auth *a;

    (void)state;
    add_hash("alice", TOKEN_A, CONFIG_SCOPE_ALL);
    a = must(NULL);
    v = judge(a, "Bearer " TOKEN_A, TOKEN_A);
    assert_false(v.known);
    assert_non_null(strstr(v.why, "more than one"));
    assert_false(judge(a, "", TOKEN_A).known);
    assert_false(judge(a, "Bearer " TOKEN_A, "").known);
    auth_free(a);
}

/* Lengths count, not NULs; the longest token that is looked at, and one byte more. */
static void raw_bytes(void **state)
{
    static char big[AUTH_TOKEN_MAX_BYTES + 1];
    struct auth_request r = {.token = TOKEN_A "\0x", .token_bytes = sizeof(TOKEN_A "\0x") - 1};
    struct auth_verdict v;
    struct auth *a;

    (void)state;
    memset(big, 'k', sizeof(big));
    big[AUTH_TOKEN_MAX_BYTES] = '\0';
    add_hash("alice", TOKEN_A, CONFIG_SCOPE_ALL);
    add_hash("big", big, CONFIG_SCOPE_ALL);
    big[AUTH_TOKEN_MAX_BYTES] = 'k';
    a = must(NULL);
    auth_judge(a, &r, &v, NULL);
    assert_false(v.known);
    r = (struct auth_request){.token = big, .token_bytes = AUTH_TOKEN_MAX_BYTES};
    auth_judge(a, &r, &v, NULL);
    assert_true(v.known);
    r.token_bytes++;
    auth_judge(a, &r, &v, NULL);
    assert_false(v.known);
    auth_free(a);
}

static void anonymous(void **state)
{
    struct auth_verdict v;
    struct auth *a;

    (void)state;
    add_hash("alice", TOKEN_A, CONFIG_SCOPE_ALL);
    config.auth.anonymous = CONFIG_SCOPE_METRICS;
    a = must(NULL);
    v = judge(a, NULL, NULL);
    assert_true(v.known);
    assert_string_equal(v.name, "anonymous");
    assert_int_equal(v.method, AUTH_NONE);
    assert_int_equal(v.scopes, CONFIG_SCOPE_METRICS);
    /* who shows something wrong is told so, and is not let in as somebody else */
    assert_false(judge(a, "Bearer wrong", NULL).known);
    assert_int_equal(judge(a, "Bearer " TOKEN_A, NULL).scopes, CONFIG_SCOPE_ALL);
    auth_free(a);
}

static void generated(void **state)
{
    struct auth_verdict v;
    char token[AUTH_TOKEN_TEXT_BYTES];
    struct auth *a;

    (void)state;
    assert_int_equal(auth_token_make(token, sizeof(token)), 0);
    a = must(token);
    v = judge(a, NULL, token);
    assert_string_equal(v.name, "start");
    assert_int_equal(v.scopes, CONFIG_SCOPE_ALL);
    auth_free(a);
    a = must(NULL); /* nobody at all: default deny */
    assert_false(judge(a, NULL, token).known);
    auth_free(a);
    auth_free(NULL);
}

static void tokens_are_made(void **state)
{
    char one[AUTH_TOKEN_TEXT_BYTES], two[AUTH_TOKEN_TEXT_BYTES + 1];
    char hex[65];

    (void)state;
    assert_int_equal(auth_token_make(one, sizeof(one) - 1), -ENOSPC);
    assert_int_equal(auth_token_make(one, sizeof(one)), 0);
    assert_int_equal(auth_token_make(two, sizeof(two)), 0);
    assert_int_equal(strlen(one), AUTH_TOKEN_TEXT_BYTES - 1);
    assert_memory_equal(one, "plln_", 5);
    assert_int_equal(
        strspn(one, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
        strlen(one));
    assert_string_not_equal(one, two);
    auth_sha256_hex("abc", 3, hex); /* FIPS 180-2, B.1 */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    auth_sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void files(void **state)
{
    static const char text[] = "# two of them\r\n\r\n" TOKEN_A "\r\n\n#" TOKEN_B "x\n" TOKEN_B;
    struct auth *a;

    (void)state;
    write_file(text, sizeof(text) - 1);
    add_file("both", CONFIG_SCOPE_SCRAPE);
    a = must(NULL);
    assert_string_equal(judge(a, NULL, TOKEN_A).name, "both");
    assert_string_equal(judge(a, NULL, TOKEN_B).name, "both");
    assert_int_equal(judge(a, NULL, TOKEN_B).scopes, CONFIG_SCOPE_SCRAPE);
    assert_false(judge(a, NULL, TOKEN_B "x").known);
    assert_false(judge(a, NULL, "").known);
    auth_free(a);
}

/* The reason with its line, and never a byte of what stands there. */
static void refuse_file(const char *text, size_t bytes, const char *reason)
{
    struct auth *a = NULL;
    struct err e = {0};

    write_file(text, bytes);
    assert_int_equal(auth_new(&config, NULL, &a, &e), -EINVAL);
    assert_null(a);
    if (!strstr(e.text, reason))
        fail_msg("\"%s\" lacks \"%s\"", e.text, reason);
    assert_null(strstr(e.text, "sekret"));
}

static void bad_files(void **state)
{
    static char big[AUTH_FILE_MAX_BYTES + 1];
    char line[AUTH_TOKEN_MAX_BYTES + 2];
    struct auth *a = NULL;
    struct err e = {0};

    (void)state;
    add_file("f", CONFIG_SCOPE_ALL);
    assert_int_equal(auth_new(&config, NULL, &a, &e), -ENOENT);
    refuse_file("", 0, ": no token in it");
    refuse_file("# only\n\n", 8, ": no token in it");
    refuse_file("sekret_56789012", 15, ":1: a token needs at least 16");
    refuse_file("#\nsekret sekret sekret\n", 23, ":2: a token is printable");
    refuse_file("\n\n\nsekret_5678901\0_x\n", 22, ":4: a token is printable");
    memset(line, 'a', sizeof(line));
    refuse_file(line, AUTH_TOKEN_MAX_BYTES + 1, ":1: a token may have at most");
    write_file(line, AUTH_TOKEN_MAX_BYTES);
    auth_free(must(NULL));
    write_file("sekret_567890123", 16);
    auth_free(must(NULL));
    memset(big, '#', sizeof(big));
    memcpy(big + 100, "\n" TOKEN_A "\n", sizeof(TOKEN_A) + 1);
    write_file(big, sizeof(big) - 1);
    auth_free(must(NULL));
    refuse_file(big, sizeof(big), "larger than");
    (void)unlink(file);
    assert_int_equal(mkfifo(file, 0600), 0);
    assert_int_equal(auth_new(&config, NULL, &a, &e), -EINVAL); /* and does not hang */
}

static void many_tokens_in_a_file(void **state)
{
    char text[(AUTH_FILE_TOKENS_MAX + 1) * 20];
    size_t used = 0;

    (void)state;
    add_file("f", CONFIG_SCOPE_ALL);
    for (int i = 0; i <= AUTH_FILE_TOKENS_MAX; i++) {
        if (i == AUTH_FILE_TOKENS_MAX) {
            write_file(text, used);
            auth_free(must(NULL));
        }
        used += (size_t)snprintf(text + used, sizeof(text) - used, "token-%012d\n", i);
    }
    refuse_file(text, used, ":65: more than 64");
}

static void the_same_token_twice(void **state)
{
    struct auth *a = NULL;
    struct err e = {0};

    (void)state;
    write_file(TOKEN_A "\n" TOKEN_A "\n", 2 * sizeof(TOKEN_A));
    add_file("one", CONFIG_SCOPE_CPU);
    auth_free(must(NULL)); /* in one file it is only a repetition */
    add_hash("two", TOKEN_A, CONFIG_SCOPE_ALL);
    assert_int_equal(auth_new(&config, NULL, &a, &e), -EINVAL);
    assert_non_null(strstr(e.text, "\"one\" and \"two\""));
    assert_null(strstr(e.text, TOKEN_A));
}

static void base64(void **state)
{
    static const struct {
        const char *in, *out;
        int result;
    } rows[] = {
        {"Zm9v", "foo", 0},        {"Zm8=", "fo", 0},           {"Zg==", "f", 0},
        {"Zm9vYmFy", "foobar", 0}, {"+/+/", "\xfb\xff\xbf", 0}, {"", NULL, -EINVAL},
        {"Z", NULL, -EINVAL},      {"Zm9", NULL, -EINVAL},      {"Zm9=", NULL, -EINVAL},
        {"Zh==", NULL, -EINVAL},   {"Z===", NULL, -EINVAL},     {"====", NULL, -EINVAL},
        {"Zm=v", NULL, -EINVAL},   {"Zm9v\n", NULL, -EINVAL},   {"Zm9-", NULL, -EINVAL},
        {"Zm9_", NULL, -EINVAL},   {" Zm9v", NULL, -EINVAL},    {"Zg==Zg==", NULL, -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned char out[16];
        size_t bytes = 99;

        assert_int_equal(
            auth_base64_decode(rows[i].in, strlen(rows[i].in), out, sizeof(out), &bytes),
            rows[i].result);
        if (rows[i].result)
            continue;
        assert_int_equal(bytes, strlen(rows[i].out));
        assert_memory_equal(out, rows[i].out, bytes);
        assert_int_equal(auth_base64_decode(rows[i].in, strlen(rows[i].in), out, bytes, &bytes), 0);
        assert_int_equal(auth_base64_decode(rows[i].in, strlen(rows[i].in), out, bytes - 1, &bytes),
                         -ENOSPC);
    }
}

static void method_names(void **state)
{
    (void)state;
    assert_string_equal(auth_method_name(AUTH_NONE), "none");
    assert_string_equal(auth_method_name(AUTH_BEARER), "token");
    assert_string_equal(auth_method_name(AUTH_BASIC), "basic");
    assert_string_equal(auth_method_name(AUTH_HEADER), "header");
    assert_string_equal(auth_method_name(AUTH_CERTIFICATE), "mtls");
    assert_string_equal(auth_method_name((enum auth_method)99), "?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(three_ways),
        TEST(not_known),
        TEST(one_credential_only),
        TEST(raw_bytes),
        TEST(anonymous),
        TEST(generated),
        TEST(tokens_are_made),
        TEST(files),
        TEST(bad_files),
        TEST(many_tokens_in_a_file),
        TEST(the_same_token_twice),
        TEST(base64),
        TEST(method_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
