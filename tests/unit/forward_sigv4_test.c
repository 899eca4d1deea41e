/* The examples of Amazon's own reference: S3 API, "Examples: Signature Calculations in AWS
 * Signature Version 4" (key AKIAIOSFODNN7EXAMPLE, 24 May 2013, bucket examplebucket). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "sidecar/forward/sigv4.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CREDENTIAL                                                                         \
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," \
    "SignedHeaders="

static struct sigv4_want example(const char *method, const char *path)
{
    struct sigv4_want w = {
        .method = method,
        .path = path,
        .query = "",
        .hash = EMPTY,
        .access_key = "AKIAIOSFODNN7EXAMPLE",
        .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        .region = "us-east-1",
        .service = "s3",
        .stamp = "20130524T000000Z",
    };

    return w;
}

static void add(struct sigv4_want *w, const char *name, const char *value)
{
    w->headers[w->headers_count].name = name;
    w->headers[w->headers_count++].value = value;
}

static void test_get(void **state)
{
    struct sigv4_want w = example("GET", "/test.txt");
    char out[512];

    (void)state;
    add(&w, "host", "examplebucket.s3.amazonaws.com");
    add(&w, "range", "bytes=0-9");
    add(&w, "x-amz-content-sha256", EMPTY);
    add(&w, "x-amz-date", w.stamp);
    assert_int_equal(sigv4_sign(&w, out, sizeof(out)), 0);
    assert_string_equal(out, CREDENTIAL
                        "host;range;x-amz-content-sha256;x-amz-date,Signature="
                        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void test_put(void **state)
{
    static const char body[] = "Welcome to Amazon S3.";
    struct sigv4_want w;
    char out[512], hash[SIGV4_HASH_BYTES], path[64];

    (void)state;
    sigv4_hash(body, strlen(body), hash);
    assert_string_equal(hash, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
    assert_int_equal(sigv4_encode("/test$file.text", path, sizeof(path)), 0);
    assert_string_equal(path, "/test%24file.text");
    w = example("PUT", path);
    w.hash = hash;
    add(&w, "date", "Fri, 24 May 2013 00:00:00 GMT");
    add(&w, "host", "examplebucket.s3.amazonaws.com");
    add(&w, "x-amz-content-sha256", hash);
    add(&w, "x-amz-date", w.stamp);
    add(&w, "x-amz-storage-class", "REDUCED_REDUNDANCY");
    assert_int_equal(sigv4_sign(&w, out, sizeof(out)), 0);
    assert_string_equal(out, CREDENTIAL
                        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature="
                        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void test_query(void **state)
{
    struct sigv4_want w = example("GET", "/");
    char out[512];

    (void)state;
    w.query = "max-keys=2&prefix=J";
    add(&w, "host", "examplebucket.s3.amazonaws.com");
    add(&w, "x-amz-content-sha256", EMPTY);
    add(&w, "x-amz-date", w.stamp);
    assert_int_equal(sigv4_sign(&w, out, sizeof(out)), 0);
    assert_non_null(
        strstr(out, "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

static void test_small(void **state)
{
    struct sigv4_want w = example("GET", "/");
    char out[512], stamp[SIGV4_STAMP_BYTES];
    size_t need;

    (void)state;
    sigv4_stamp(UINT64_C(1369353600) * 1000000000, stamp);
    assert_string_equal(stamp, "20130524T000000Z");
    add(&w, "host", "h");
    assert_int_equal(sigv4_sign(&w, out, sizeof(out)), 0);
    need = strlen(out) + 1;
    assert_int_equal(sigv4_sign(&w, out, need), 0);
    assert_int_equal(sigv4_sign(&w, out, need - 1), -ENOSPC);
    assert_int_equal(sigv4_encode("a b", out, 5), -ENOSPC);
    assert_int_equal(sigv4_encode("a b", out, 6), 0);
    assert_string_equal(out, "a%20b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
