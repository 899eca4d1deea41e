/* cli/expires.c: with certificates made here by openssl(1), at their own ends and beside them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <time.h>
#include <unistd.h>

#include "cli/expires.h"
#include "cli/validity.h"

static char folder[] = "/tmp/pillion-expires-XXXXXX";
static char certificate[64], key[64];
static int64_t made;

static int prepare(void **state)
{
    char command[512];

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(certificate, sizeof(certificate), "%s/c.pem", folder);
    (void)snprintf(key, sizeof(key), "%s/k.pem", folder);
    made = time(NULL);
    (void)snprintf(command, sizeof(command),
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
                   "-subj /CN=x -keyout %s -out %s 2>/dev/null",
                   key, certificate);
    return system(command); /* NOLINT(cert-env33-c): a fixed command */
}

static int clean(void **state)
{
    (void)state;
    (void)unlink(certificate);
    (void)unlink(key);
    return rmdir(folder);
}

static void at_its_ends(void **state)
{
    const int64_t day = 86400;
    char why[128] = "";

    (void)state;
    assert_int_equal(expires_check(certificate, made + 60, why, sizeof(why)), 0);
    assert_int_equal(expires_check(certificate, made + 23 * day - 60, why, sizeof(why)), 0);
    assert_int_equal(expires_check(certificate, made + 23 * day + 60, why, sizeof(why)), 1);
    assert_memory_equal(why, "the certificate expires soon, on 20", 35);
    assert_int_equal(expires_check(certificate, made + 30 * day + 60, why, sizeof(why)), 1);
    assert_memory_equal(why, "the certificate has expired on 20", 33);
    assert_int_equal(expires_check(certificate, made - 60, why, sizeof(why)), 1);
    assert_string_equal(why, "the certificate is not valid yet");
}

static void no_certificates(void **state)
{
    char why[128];

    (void)state;
    assert_int_equal(expires_check(key, made, why, sizeof(why)), 1);
    assert_string_equal(why, "holds no certificate in PEM");
    assert_int_equal(expires_check("/nonexistent/x", made, why, sizeof(why)), -ENOENT);
    assert_int_equal(expires_check(folder, made, why, sizeof(why)), -EINVAL);
    assert_int_equal(expires_check("/dev/zero", made, why, sizeof(why)), -EINVAL);
}

/* --- DER by hand: the dates of a certificate without its key and signature --- */

#define TIME_2026 \
    "\x17\x0d"    \
    "260102030405Z"
#define TIME_2051 \
    "\x18\x0f"    \
    "20510607080910Z"

static int reads(const char *bytes, size_t n, struct validity *ret)
{
    return validity_read(bytes, n, ret);
}
#define READS(text, ret) reads(text, sizeof(text) - 1, ret)

static void der(void **state)
{
    static const char whole[] = "\x30\x81\x30\x30\x2e"
                                "\xa0\x03\x02\x01\x02" /* version 3 */
                                "\x02\x01\x07"         /* serial number */
                                "\x30\x00\x30\x00"     /* algorithm, issuer */
                                "\x30\x20" TIME_2026 TIME_2051;
    struct validity v;

    (void)state;
    assert_int_equal(READS(whole, &v), 0);
    assert_int_equal(v.from.year, 2026);
    assert_int_equal(v.from.day, 2);
    assert_int_equal(v.to.year, 2051);
    assert_int_equal(v.to.hour, 8);
    assert_int_equal(v.to.second, 10);
    /* cut anywhere it is none, and nothing is read behind it */
    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        char *copy = malloc(n ? n : 1);

        memcpy(copy, whole, n);
        assert_int_equal(validity_read(copy, n, &v), -EBADMSG);
        free(copy);
    }
    /* each length one too long; the other bytes in turn */
    for (size_t i = 0; i < sizeof(whole) - 1; i++) {
        char copy[sizeof(whole) - 1];

        memcpy(copy, whole, sizeof(copy));
        copy[i] = (char)(copy[i] + 1);
        (void)validity_read(copy, sizeof(copy), &v);
        copy[i] = (char)0xff;
        (void)validity_read(copy, sizeof(copy), &v);
    }
}

static void der_without_version(void **state)
{
    struct validity v;

    (void)state;
    assert_int_equal(READS("\x30\x29\x30\x27\x02\x01\x07\x30\x00\x30\x00\x30\x1e" TIME_2026
                           "\x17\x0d"
                           "991231235960Z",
                           &v),
                     0);
    assert_int_equal(v.to.year, 1999);
    assert_int_equal(v.to.second, 60);
}

/* What is no time of RFC 5280 is no certificate. */
static void odd_times(void **state)
{
    static const char *const bad[] = {
        "261302030405Z", "260002030405Z", "260132030405Z", "260100030405Z", "260102240405Z",
        "260102036005Z", "260102030461Z", "2601020304051", "26010203040aZ", "-60102030405Z"};
    static const char head[] =
        "\x30\x29\x30\x27\x02\x01\x07\x30\x00\x30\x00\x30\x1e" TIME_2026 "\x17\x0d";
    struct validity v;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[64];
        size_t n = sizeof(head) - 1;

        memcpy(text, head, n);
        memcpy(text + n, bad[i], 13);
        assert_int_equal(validity_read(text, n + 13, &v), -EBADMSG);
    }
}

static void broken_pem(void **state)
{
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    char why[128];

    (void)state;
    assert_int_equal(expires_text(broken, sizeof(broken) - 1, made, why, sizeof(why)), 1);
    assert_string_equal(why, "holds a certificate that cannot be read");
    assert_int_equal(expires_text(broken, 30, made, why, sizeof(why)), 1);
    assert_string_equal(why, "holds no certificate in PEM");
    assert_int_equal(expires_text(NULL, 0, made, why, sizeof(why)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_its_ends), cmocka_unit_test(no_certificates),
        cmocka_unit_test(der),         cmocka_unit_test(der_without_version),
        cmocka_unit_test(odd_times),   cmocka_unit_test(broken_pem),
    };

    return cmocka_run_group_tests(tests, prepare, clean);
}
