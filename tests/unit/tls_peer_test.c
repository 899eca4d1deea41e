/* sidecar/http/tls_peer.c: the verdict, finding by finding: only a clean result is "ok". */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "sidecar/http/tls_peer.h"

static struct tls_trust trust = {.client_auth = CONFIG_CLIENT_OPTIONAL};
static mbedtls_x509_crt crt; /* empty: enough to be refused, not enough to be taken */
static struct auth_peer names;

static enum tls_peer verdict(uint32_t in_walk, uint32_t result)
{
    struct tls_look look = {.trust = &trust, .flags = in_walk, .walking = true, .whole = true};

    return tls_peer_judge(&look, result, &crt, &names);
}

static void test_findings(void **state)
{
    static const struct {
        uint32_t flag;
        enum tls_peer want;
        unsigned char alert;
    } TABLE[] = {
        {MBEDTLS_X509_BADCERT_NOT_TRUSTED, TLS_PEER_UNKNOWN_CA, 48},
        {MBEDTLS_X509_BADCERT_REVOKED, TLS_PEER_REVOKED, 44},
        {MBEDTLS_X509_BADCERT_EXPIRED, TLS_PEER_EXPIRED, 45},
        {MBEDTLS_X509_BADCERT_FUTURE, TLS_PEER_NOT_YET, 45},
        {MBEDTLS_X509_BADCERT_KEY_USAGE, TLS_PEER_WRONG_USAGE, 43},
        {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, TLS_PEER_WRONG_USAGE, 43},
        {MBEDTLS_X509_BADCERT_BAD_MD, TLS_PEER_WEAK, 43},
        {MBEDTLS_X509_BADCERT_BAD_KEY, TLS_PEER_WEAK, 43},
        {MBEDTLS_X509_BADCRL_NOT_TRUSTED, TLS_PEER_NO_CRL, 49},
        {MBEDTLS_X509_BADCRL_EXPIRED, TLS_PEER_STALE_CRL, 49},
        {MBEDTLS_X509_BADCRL_FUTURE, TLS_PEER_STALE_CRL, 49},
        {MBEDTLS_X509_BADCERT_OTHER, TLS_PEER_REFUSED, 49},
        {MBEDTLS_X509_BADCERT_SKIP_VERIFY, TLS_PEER_REFUSED, 49},
        {MBEDTLS_X509_BADCERT_CN_MISMATCH, TLS_PEER_REFUSED, 49},
        {0x40000000, TLS_PEER_REFUSED, 49}, /* unknown to this program */
        {0, TLS_PEER_BAD_NAMES, 42},        /* the empty certificate comes to its names */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        assert_int_equal(verdict(TABLE[i].flag, 0), TABLE[i].want);
        assert_int_equal(verdict(0, TABLE[i].flag), TABLE[i].want);
        assert_int_equal(tls_peer_alert(TABLE[i].want), TABLE[i].alert);
        assert_true(tls_peer_refused(TABLE[i].want, &trust));
        assert_false(names.verified);
    }
    assert_int_equal(verdict(UINT32_MAX, 0), TLS_PEER_UNKNOWN_CA); /* mbedTLS's fatal errors */
    for (unsigned v = 0; v < TLS_PEERS; v++) {
        assert_non_null(tls_peer_text((enum tls_peer)v));
        assert_true(v == TLS_PEER_OK || tls_peer_alert((enum tls_peer)v) != 0);
    }
}

/* What mbedTLS does not ask for. */
static void test_own_findings(void **state)
{
    struct tls_look look = {.trust = &trust};

    (void)state;
    /* a walk that never was, or did not reach the client's own */
    assert_int_equal(tls_peer_judge(&look, 0, &crt, &names), TLS_PEER_REFUSED);
    look = (struct tls_look){.trust = &trust, .whole = true, .too_deep = true};
    assert_int_equal(tls_peer_judge(&look, 0, &crt, &names), TLS_PEER_TOO_DEEP);
    look = (struct tls_look){.trust = &trust, .whole = true, .wrong_usage = true};
    assert_int_equal(tls_peer_judge(&look, 0, &crt, &names), TLS_PEER_WRONG_USAGE);
    look = (struct tls_look){.trust = &trust, .whole = true, .no_crl = true};
    assert_int_equal(tls_peer_judge(&look, 0, &crt, &names), TLS_PEER_NO_CRL);
    /* revoked is told before a list's state, a strange CA before everything */
    assert_int_equal(tls_peer_judge(&look, MBEDTLS_X509_BADCERT_REVOKED, &crt, &names),
                     TLS_PEER_REVOKED);
    assert_int_equal(tls_peer_judge(&look,
                                    MBEDTLS_X509_BADCERT_REVOKED | MBEDTLS_X509_BADCERT_NOT_TRUSTED,
                                    &crt, &names),
                     TLS_PEER_UNKNOWN_CA);
}

static void test_none(void **state)
{
    struct tls_look look = {.trust = &trust};
    struct tls_trust required = {.client_auth = CONFIG_CLIENT_REQUIRED};
    struct tls_trust off = {.client_auth = CONFIG_CLIENT_OFF};

    (void)state;
    assert_int_equal(tls_peer_judge(&look, MBEDTLS_X509_BADCERT_MISSING, NULL, &names),
                     TLS_PEER_NONE);
    assert_false(tls_peer_refused(TLS_PEER_NONE, &trust));
    assert_true(tls_peer_refused(TLS_PEER_NONE, &required));
    assert_false(tls_peer_refused(TLS_PEER_NONE, &off));
    assert_false(tls_peer_refused(TLS_PEER_OK, &required));
    assert_int_equal(tls_peer_alert(TLS_PEER_NONE), 116);
    look.trust = &off; /* shown without being asked for: nobody's */
    look.whole = true;
    assert_int_equal(tls_peer_judge(&look, 0, &crt, &names), TLS_PEER_NONE);
}

static int load(const char *ca, const char *crl, struct err *e)
{
    static char crls[1][CONFIG_PATH_BYTES];
    struct tls_settings s = {.client_auth = CONFIG_CLIENT_REQUIRED,
                             .client_ca = ca,
                             .crls = (const char(*)[CONFIG_PATH_BYTES])crls,
                             .crls_count = crl ? 1 : 0};
    struct tls_trust t;
    int r;

    (void)snprintf(crls[0], sizeof(crls[0]), "%s", crl ? crl : "");
    tls_trust_init(&t);
    r = tls_trust_load(&t, &s, e);
    tls_trust_release(&t);
    return r;
}

static void test_load(void **state)
{
    char path[64];
    struct err e = {0};
    FILE *f;

    (void)state;
    assert_int_equal(load("", NULL, &e), -EINVAL);
    assert_non_null(strstr(e.text, "client_ca"));
    assert_int_equal(load("/nonexistent/ca.crt", NULL, &e), -ENOENT);
    assert_non_null(strstr(e.text, "/nonexistent/ca.crt"));
    assert_int_equal(load("/dev/zero", NULL, &e), -EINVAL);
    (void)snprintf(path, sizeof(path), "/tmp/pillion-tls-peer.%d", (int)getpid());
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fputs("no certificate\n", f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(load(path, NULL, &e), -EINVAL);
    assert_non_null(strstr(e.text, path));
    /* the limit is of the file's length: one byte more is not even read */
    assert_int_equal(truncate(path, TLS_FILE_MAX_BYTES + 1), 0);
    assert_int_equal(load(path, NULL, &e), -EINVAL);
    assert_non_null(strstr(e.text, "at most"));
    assert_int_equal(truncate(path, TLS_FILE_MAX_BYTES), 0);
    assert_int_equal(load(path, NULL, &e), -EINVAL);
    assert_null(strstr(e.text, "at most"));
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_findings),
        cmocka_unit_test(test_own_findings),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
