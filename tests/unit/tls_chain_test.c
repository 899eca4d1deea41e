/* sidecar/http/tls_chain.c: which chains are too dear to verify, and the tap that reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/rsa.h>
#include <string.h>

#include "sidecar/http/tls_chain.h"

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;

static int start(void **state)
{
    (void)state;
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    return mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0);
}

static int stop(void **state)
{
    (void)state;
    mbedtls_ctr_drbg_free(&drbg);
    mbedtls_entropy_free(&entropy);
    return 0;
}

/* A number of that many bits is all that a public RSA key needs to be looked at. */
static void rsa(mbedtls_pk_context *pk, size_t bits, size_t exponent_bits)
{
    mbedtls_mpi n, e;

    mbedtls_mpi_init(&n);
    mbedtls_mpi_init(&e);
    assert_int_equal(mbedtls_mpi_fill_random(&n, (bits + 7) / 8, mbedtls_ctr_drbg_random, &drbg),
                     0);
    assert_int_equal(mbedtls_mpi_shift_r(&n, (bits + 7) / 8 * 8 - bits), 0);
    assert_int_equal(mbedtls_mpi_set_bit(&n, bits - 1, 1), 0);
    assert_int_equal(mbedtls_mpi_set_bit(&n, 0, 1), 0);
    assert_int_equal(mbedtls_mpi_set_bit(&e, exponent_bits - 1, 1), 0);
    assert_int_equal(mbedtls_mpi_set_bit(&e, 0, 1), 0);
    mbedtls_pk_init(pk);
    assert_int_equal(mbedtls_pk_setup(pk, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)), 0);
    assert_int_equal(mbedtls_rsa_import(mbedtls_pk_rsa(*pk), &n, NULL, NULL, NULL, &e), 0);
    assert_int_equal(mbedtls_rsa_complete(mbedtls_pk_rsa(*pk)), 0);
    mbedtls_mpi_free(&n);
    mbedtls_mpi_free(&e);
}

static void curve(mbedtls_pk_context *pk, mbedtls_ecp_group_id id)
{
    mbedtls_pk_init(pk);
    assert_int_equal(mbedtls_pk_setup(pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    assert_int_equal(mbedtls_ecp_gen_key(id, mbedtls_pk_ec(*pk), mbedtls_ctr_drbg_random, &drbg),
                     0);
}

static void test_keys(void **state)
{
    static const struct {
        size_t bits, exponent_bits;
        bool dear;
    } RSA[] = {
        {2048, 17, false}, {4096, 17, false}, {4096, 32, false},
        {4097, 17, true},  {2048, 33, true},  {8192, 17, true},
    };
    static const struct {
        mbedtls_ecp_group_id id;
        bool dear;
    } EC[] = {
        {MBEDTLS_ECP_DP_SECP256R1, false}, {MBEDTLS_ECP_DP_SECP384R1, false},
        {MBEDTLS_ECP_DP_SECP521R1, false}, {MBEDTLS_ECP_DP_BP256R1, true},
        {MBEDTLS_ECP_DP_SECP256K1, true},
    };
    mbedtls_x509_crt crt;

    (void)state;
    for (size_t i = 0; i < sizeof(RSA) / sizeof(RSA[0]); i++) {
        mbedtls_x509_crt_init(&crt);
        rsa(&crt.pk, RSA[i].bits, RSA[i].exponent_bits);
        assert_int_equal(tls_chain_is_dear(&crt), RSA[i].dear);
        assert_int_equal(tls_chain_look(&crt), RSA[i].dear ? TLS_PEER_DEAR : TLS_PEER_OK);
        mbedtls_x509_crt_free(&crt);
    }
    for (size_t i = 0; i < sizeof(EC) / sizeof(EC[0]); i++) {
        mbedtls_x509_crt_init(&crt);
        curve(&crt.pk, EC[i].id);
        assert_int_equal(tls_chain_is_dear(&crt), EC[i].dear);
        mbedtls_x509_crt_free(&crt);
    }
    assert_int_equal(tls_chain_look(NULL), TLS_PEER_OK);
}

/* A certificate of that key, signed by anybody's. */
static size_t certificate(mbedtls_pk_context *key, unsigned char *out, size_t bytes)
{
    static unsigned char serial[] = {1};
    mbedtls_x509write_cert w;
    mbedtls_pk_context signer;
    int n;

    curve(&signer, MBEDTLS_ECP_DP_SECP256R1);
    mbedtls_x509write_crt_init(&w);
    mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&w, key);
    mbedtls_x509write_crt_set_issuer_key(&w, &signer);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(&w, "CN=a"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&w, "CN=a"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_serial_raw(&w, serial, sizeof(serial)), 0);
    assert_int_equal(mbedtls_x509write_crt_set_validity(&w, "20250101000000", "20490101000000"), 0);
    n = mbedtls_x509write_crt_der(&w, out, bytes, mbedtls_ctr_drbg_random, &drbg);
    assert_true(n > 0);
    memmove(out, out + bytes - (size_t)n, (size_t)n); /* it writes from the end */
    mbedtls_x509write_crt_free(&w);
    mbedtls_pk_free(&signer);
    return (size_t)n;
}

struct message {
    unsigned char bytes[32768];
    size_t used;
};

static void put(struct message *m, const void *data, size_t bytes)
{
    assert_true(bytes <= sizeof(m->bytes) - m->used);
    memcpy(m->bytes + m->used, data, bytes);
    m->used += bytes;
}

static void put_n(struct message *m, size_t value, size_t bytes)
{
    for (size_t i = bytes; i > 0; i--)
        put(m, &(unsigned char){(unsigned char)(value >> 8 * (i - 1))}, 1);
}

/* The message with ${count} times this certificate, or with none. */
static void message(struct message *m, const unsigned char *crt, size_t bytes, size_t count)
{
    m->used = 0;
    put_n(m, 11, 1);
    put_n(m, 3 + count * (bytes + 3), 3);
    put_n(m, count * (bytes + 3), 3);
    for (size_t i = 0; i < count; i++) {
        put_n(m, bytes, 3);
        put(m, crt, bytes);
    }
}

/* Through the tap, in records of at most ${record} bytes and feeds of at most ${feed}. */
static enum tls_peer through(const struct message *m, size_t record, size_t feed)
{
    static struct message wire;
    struct tls_chain_tap t = {.used = 0};
    enum tls_peer v = TLS_PEER_OK;

    wire.used = 0;
    for (size_t at = 0; at < m->used; at += record) {
        size_t n = m->used - at < record ? m->used - at : record;

        put_n(&wire, 22, 1);
        put_n(&wire, 0x0303, 2);
        put_n(&wire, n, 2);
        put(&wire, m->bytes + at, n);
    }
    for (size_t at = 0; at < wire.used && v == TLS_PEER_OK; at += feed)
        v = tls_chain_tap(&t, wire.bytes + at, wire.used - at < feed ? wire.used - at : feed);
    assert_int_equal(v != TLS_PEER_OK || t.done, true);
    assert_null(t.message);
    tls_chain_tap_release(&t);
    tls_chain_tap_release(&t);
    return v;
}

static void test_tap(void **state)
{
    static unsigned char good[4096], dear[4096];
    static struct message m;
    static const size_t sizes[] = {1, 2, 3, 5, 7, 100, 16384};
    mbedtls_pk_context key;
    size_t good_bytes, dear_bytes;

    (void)state;
    curve(&key, MBEDTLS_ECP_DP_SECP256R1);
    good_bytes = certificate(&key, good, sizeof(good));
    mbedtls_pk_free(&key);
    rsa(&key, 8192, 17);
    dear_bytes = certificate(&key, dear, sizeof(dear));
    mbedtls_pk_free(&key);
    for (size_t r = 0; r < sizeof(sizes) / sizeof(sizes[0]); r++) {
        for (size_t f = 0; f < sizeof(sizes) / sizeof(sizes[0]); f++) {
            message(&m, NULL, 0, 0); /* none was shown */
            assert_int_equal(through(&m, sizes[r], sizes[f]), TLS_PEER_OK);
            message(&m, good, good_bytes, TLS_CHAIN_CERTIFICATES_MAX);
            assert_int_equal(through(&m, sizes[r], sizes[f]), TLS_PEER_OK);
            message(&m, good, good_bytes, TLS_CHAIN_CERTIFICATES_MAX + 1);
            assert_int_equal(through(&m, sizes[r], sizes[f]), TLS_PEER_TOO_DEEP);
            message(&m, dear, dear_bytes, 1);
            assert_int_equal(through(&m, sizes[r], sizes[f]), TLS_PEER_DEAR);
        }
    }
    /* what comes behind it is not looked at */
    message(&m, good, good_bytes, 1);
    put(&m, dear, dear_bytes);
    assert_int_equal(through(&m, 16384, 16384), TLS_PEER_OK);
    /* another message, and another record */
    message(&m, dear, dear_bytes, 1);
    m.bytes[0] = 16;
    assert_int_equal(through(&m, 100, 100), TLS_PEER_OK);
    assert_int_equal(tls_chain_tap(&(struct tls_chain_tap){.used = 0},
                                   (const unsigned char *)"\x15\x03\x03\x00\x02\x01\x00", 7),
                     TLS_PEER_OK);
}

static void test_malformed(void **state)
{
    static unsigned char good[4096];
    static struct message m;
    mbedtls_pk_context key;
    size_t bytes;

    (void)state;
    curve(&key, MBEDTLS_ECP_DP_SECP256R1);
    bytes = certificate(&key, good, sizeof(good));
    mbedtls_pk_free(&key);
    for (size_t at = 4; at < 10; at++) { /* each byte of the two lengths, one more or less */
        for (int step = -1; step <= 1; step += 2) {
            message(&m, good, bytes, 1);
            m.bytes[at] = (unsigned char)(m.bytes[at] + step);
            assert_int_equal(through(&m, 16384, 16384), TLS_PEER_REFUSED);
        }
    }
    /* a certificate that does not parse is mbedTLS's to refuse */
    message(&m, good, bytes, 2);
    m.bytes[10] ^= 0xff;
    assert_int_equal(through(&m, 16384, 16384), TLS_PEER_OK);
    /* as long as may be, and a byte more */
    m.used = 0;
    put_n(&m, 11, 1);
    put_n(&m, TLS_CHAIN_MESSAGE_MAX_BYTES, 3);
    put_n(&m, TLS_CHAIN_MESSAGE_MAX_BYTES - 3, 3);
    put_n(&m, TLS_CHAIN_MESSAGE_MAX_BYTES - 6, 3);
    while (m.used < TLS_CHAIN_MESSAGE_MAX_BYTES + 4)
        put_n(&m, 0, 1);
    assert_int_equal(through(&m, 16384, 1000), TLS_PEER_OK);
    m.bytes[3]++;
    assert_int_equal(through(&m, 16384, 1000), TLS_PEER_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_tap),
        cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
