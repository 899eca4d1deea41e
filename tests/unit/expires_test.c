/* cli/expires.c: with certificates made here by openssl(1), at their own ends and beside them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <time.h>
#include <unistd.h>

#include "cli/expires.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_its_ends),
        cmocka_unit_test(no_certificates),
    };

    return cmocka_run_group_tests(tests, prepare, clean);
}
