/* auth/x509_names.c: names out of certificates that are made here, good ones and crafted ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include "auth/x509_names.h"

enum {
    URI = 6,
    DNS = 2,
    EMAIL = 1,
    IP = 7,
    DER_BYTES = 32768,
    SAN_BYTES = 20000,
    COMMON_BYTES = 8
};

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context rng;
static mbedtls_pk_context key;
static unsigned char san[SAN_BYTES];
static size_t san_bytes;
static const char *common; /* COMMON_BYTES of a common name, whatever they are */

static int setup_all(void **state)
{
    (void)state;
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&rng);
    mbedtls_pk_init(&key);
    return mbedtls_ctr_drbg_seed(&rng, mbedtls_entropy_func, &entropy, NULL, 0) ||
           mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) ||
           mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key),
                               mbedtls_ctr_drbg_random, &rng);
}

static int teardown_all(void **state)
{
    (void)state;
    mbedtls_pk_free(&key);
    mbedtls_ctr_drbg_free(&rng);
    mbedtls_entropy_free(&entropy);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    san_bytes = 0;
    return 0;
}

/* One GeneralName more (RFC 5280 4.2.1.6), in front of the others: the writer works backwards. */
static void general(int tag, const void *text, size_t bytes)
{
    unsigned char *p = san + SAN_BYTES - san_bytes;
    int n = mbedtls_asn1_write_raw_buffer(&p, san, text, bytes);

    n += mbedtls_asn1_write_len(&p, san, bytes);
    n += mbedtls_asn1_write_tag(&p, san, (unsigned char)(0x80 | tag));
    assert_true(n > 0);
    san_bytes += (size_t)n;
}

static void name(int tag, const char *text)
{
    general(tag, text, strlen(text));
}

/* A certificate of that subject and these names; what auth_x509_names() says of it. */
static int names_of(const char *subject, struct auth_peer *ret)
{
    static unsigned char der[DER_BYTES];
    mbedtls_x509write_cert w;
    unsigned char serial[] = {1};
    unsigned char *p;
    int n;

    mbedtls_x509write_crt_init(&w);
    mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&w, &key);
    mbedtls_x509write_crt_set_issuer_key(&w, &key);
    assert_int_equal(mbedtls_x509write_crt_set_serial_raw(&w, serial, sizeof(serial)), 0);
    assert_int_equal(mbedtls_x509write_crt_set_validity(&w, "20240101000000", "20400101000000"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(&w, subject), 0);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&w, "CN=ca"), 0);
    if (san_bytes) {
        size_t all = san_bytes;

        p = san + SAN_BYTES - san_bytes;
        all += (size_t)mbedtls_asn1_write_len(&p, san, san_bytes);
        all += (size_t)mbedtls_asn1_write_tag(&p, san, 0x30);
        assert_int_equal(mbedtls_x509write_crt_set_extension(
                             &w, MBEDTLS_OID_SUBJECT_ALT_NAME,
                             MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, p, all),
                         0);
    }
    n = mbedtls_x509write_crt_der(&w, der, sizeof(der), mbedtls_ctr_drbg_random, &rng);
    assert_true(n > 0);
    mbedtls_x509write_crt_free(&w);
    /* the writer has no attribute twice; a serial number (2.5.4.5) becomes another common name */
    p = memmem(der + sizeof(der) - n, (size_t)n, "\x55\x04\x05", 3);
    if (p)
        p[2] = 3;
    /* nor has it bytes that do not belong into a name */
    p = common ? memmem(der + sizeof(der) - n, (size_t)n, "QQQQQQQQ", COMMON_BYTES) : NULL;
    if (p)
        memcpy(p, common, COMMON_BYTES);
    return auth_x509_names(der + sizeof(der) - n, (size_t)n, ret);
}

static void test_all_kinds(void **state)
{
    struct auth_peer p;

    (void)state;
    name(URI, "spiffe://a/b");
    name(EMAIL, "a@b");
    name(DNS, "x.example");
    name(DNS, "y.example");
    general(IP, "\x7f\0\0\1", 4);
    assert_int_equal(names_of("O=org,CN=who is it", &p), 0);
    assert_false(p.verified);
    assert_int_equal(p.count, 5);
    assert_string_equal(auth_peer_name(&p, AUTH_NAME_URI, 0), "spiffe://a/b");
    assert_string_equal(auth_peer_name(&p, AUTH_NAME_EMAIL, 0), "a@b");
    assert_string_equal(auth_peer_name(&p, AUTH_NAME_DNS, 0), "y.example");
    assert_string_equal(auth_peer_name(&p, AUTH_NAME_DNS, 1), "x.example");
    assert_null(auth_peer_name(&p, AUTH_NAME_DNS, 2));
    assert_string_equal(auth_peer_name(&p, AUTH_NAME_CN, 0), "who is it");
}

static void test_common_names(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } TABLE[] = {
        {"J\xc3\xbcrgen!", true}, {"abcdef\xc2\xa0", true},  {"abcdefg\xff", false},
        {"abc\x1b[1m!", false},   {"abcdef\xc2\x9b", false}, {"abcdefg\x7f", false},
        {"admin\0ef", false},     {"abcdefg\0", false},      {"a\nbcdefg", false},
    };
    struct auth_peer p;

    (void)state;
    assert_int_equal(names_of("O=org", &p), 0);
    assert_int_equal(p.count, 0);
    assert_int_equal(names_of("CN=a,serialNumber=b", &p), 0); /* two CNs: which of them? */
    assert_int_equal(p.count, 0);
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        common = TABLE[i].text;
        assert_int_equal(names_of("CN=QQQQQQQQ", &p), TABLE[i].good ? 0 : -EBADMSG);
        assert_int_equal(p.count, TABLE[i].good);
        if (TABLE[i].good)
            assert_string_equal(auth_peer_name(&p, AUTH_NAME_CN, 0), TABLE[i].text);
    }
    common = NULL;
}

static void test_bad_bytes(void **state)
{
    static const struct {
        int tag;
        const char *text;
        size_t bytes;
    } TABLE[] = {
        {URI, "spiffe://a/b\0c", 14},
        {URI, "spiffe://a/b ", 13},
        {URI, "spiffe://a/\x80", 12},
        {DNS, "good.example\0.evil", 18},
        {DNS, "a\nb", 3},
        {DNS, "", 0},
        {EMAIL, "a@b\0", 4},
        {EMAIL, "a\x7f@b", 4},
        {URI, "", 0},
    };
    struct auth_peer p;

    (void)state;
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        san_bytes = 0;
        name(DNS, "fine.example");
        general(TABLE[i].tag, TABLE[i].text, TABLE[i].bytes);
        if (names_of("CN=x", &p) != -EBADMSG)
            fail_msg("row %zu is taken", i);
        assert_int_equal(p.count, 0);
    }
}

static void test_limits(void **state)
{
    static char text[AUTH_PEER_NAME_BYTES + 1];
    struct auth_peer p;

    (void)state;
    name(URI, "spiffe://a/b");
    name(URI, "spiffe://a/b");
    assert_int_equal(names_of("CN=x", &p), -ENOTUNIQ);
    san_bytes = 0; /* the longest, and one more */
    memset(text, 'a', sizeof(text));
    general(DNS, text, AUTH_PEER_NAME_BYTES - 1);
    assert_int_equal(names_of("O=x", &p), 0);
    san_bytes = 0;
    general(DNS, text, AUTH_PEER_NAME_BYTES);
    assert_int_equal(names_of("O=x", &p), -E2BIG);
    san_bytes = 0; /* the most, and one more */
    for (int i = 0; i < AUTH_PEER_NAMES_MAX; i++)
        name(DNS, "a.example");
    assert_int_equal(names_of("O=x", &p), 0);
    assert_int_equal(p.count, AUTH_PEER_NAMES_MAX);
    name(DNS, "a.example");
    assert_int_equal(names_of("O=x", &p), -E2BIG);
    san_bytes = 0; /* all text together: 16 of 512 bytes with their NULs fill it */
    for (int i = 0; i < AUTH_PEER_TEXT_BYTES / AUTH_PEER_NAME_BYTES; i++)
        general(DNS, text, AUTH_PEER_NAME_BYTES - 1);
    assert_int_equal(names_of("O=x", &p), 0);
    assert_int_equal(p.used, AUTH_PEER_TEXT_BYTES);
    name(DNS, "b");
    assert_int_equal(names_of("O=x", &p), -E2BIG);
    san_bytes = 0; /* items of no interest count, too */
    for (int i = 0; i < AUTH_X509_ITEMS_MAX; i++)
        general(IP, "\x7f\0\0\1", 4);
    assert_int_equal(names_of("O=x", &p), 0);
    general(IP, "\x7f\0\0\1", 4);
    assert_int_equal(names_of("O=x", &p), -E2BIG);
}

static void test_no_certificate(void **state)
{
    static unsigned char big[AUTH_X509_DER_MAX_BYTES + 1];
    struct auth_peer p;

    (void)state;
    assert_int_equal(auth_x509_names("", 0, &p), -EBADMSG);
    assert_int_equal(auth_x509_names("\x30\x03\x02\x01\x01", 5, &p), -EBADMSG);
    assert_int_equal(auth_x509_names(big, sizeof(big), &p), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_kinds, setup),
        cmocka_unit_test_setup(test_common_names, setup),
        cmocka_unit_test_setup(test_bad_bytes, setup),
        cmocka_unit_test_setup(test_limits, setup),
        cmocka_unit_test_setup(test_no_certificate, setup),
    };

    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
