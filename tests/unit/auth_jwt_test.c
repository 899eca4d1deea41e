/*
 * auth/jwks and auth/jwt: what is taken and, mostly, what is not: each kind of forgery that JSON
 * Web Tokens and their signatures have been known for, made here with keys of our own.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/entropy.h>
#include <mbedtls/md.h>
#include <mbedtls/rsa.h>
#include <mbedtls/sha256.h>

#include "auth/base64.h"
#include "auth/jwt.h"
#include "base/buf.h"

enum {
    NOW = 1800000000,
    RSA_BYTES = 256,
    TEXT_BYTES = 16 * 1024,
};

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;
static mbedtls_rsa_context rsa;
static mbedtls_ecp_group group;
static mbedtls_mpi ec_d;
static mbedtls_ecp_point ec_q;
static struct jwks *keys; /* "r" RS256, "e" ES256 */
static char set_text[4096];

static const struct jwt_rules rules = {"https://issuer.example", "pillion", ""};

/* All of it or the test is wrong. */
static int __attribute__((format(printf, 3, 4))) say(char *out, size_t bytes, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(out, bytes, fmt, ap);
    va_end(ap);
    assert_in_range(n, 0, bytes - 1);
    return n;
}

/* base64url by way of base64: what the tests make, the library decodes. */
static const char *url64(const void *data, size_t bytes, char *out)
{
    size_t n;

    assert_int_equal(auth_base64_encode(data, bytes, out, TEXT_BYTES), 0);
    n = strlen(out);
    while (n > 0 && out[n - 1] == '=')
        out[--n] = '\0';
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i]);
    return out;
}

static const char *mpi64(const mbedtls_mpi *x, size_t bytes, char *out)
{
    uint8_t raw[1024];

    assert_int_equal(mbedtls_mpi_write_binary(x, raw, bytes), 0);
    return url64(raw, bytes, out);
}

static int setup(void **state)
{
    static char n[TEXT_BYTES], x[TEXT_BYTES], y[TEXT_BYTES];
    mbedtls_mpi modulus;

    (void)state;
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    mbedtls_rsa_init(&rsa);
    mbedtls_ecp_group_init(&group);
    mbedtls_mpi_init(&ec_d);
    mbedtls_ecp_point_init(&ec_q);
    mbedtls_mpi_init(&modulus);
    assert_int_equal(mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0), 0);
    assert_int_equal(mbedtls_rsa_gen_key(&rsa, mbedtls_ctr_drbg_random, &drbg, 2048, 65537), 0);
    assert_int_equal(mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1), 0);
    assert_int_equal(mbedtls_ecp_gen_keypair(&group, &ec_d, &ec_q, mbedtls_ctr_drbg_random, &drbg),
                     0);
    assert_int_equal(mbedtls_rsa_export(&rsa, &modulus, NULL, NULL, NULL, NULL), 0);
    (void)mpi64(&modulus, RSA_BYTES, n);
    (void)mpi64(&ec_q.MBEDTLS_PRIVATE(X), 32, x);
    (void)mpi64(&ec_q.MBEDTLS_PRIVATE(Y), 32, y);
    say(set_text, sizeof(set_text),
        "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"alg\":\"RS256\",\"use\":\"sig\","
        "\"n\":\"%s\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\","
        "\"x\":\"%s\",\"y\":\"%s\"}]}",
        n, x, y);
    assert_int_equal(jwks_parse(set_text, strlen(set_text), &keys, NULL), 0);
    assert_int_equal(jwks_count(keys), 2);
    mbedtls_mpi_free(&modulus);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    jwks_free(keys);
    mbedtls_rsa_free(&rsa);
    mbedtls_ecp_group_free(&group);
    mbedtls_mpi_free(&ec_d);
    mbedtls_ecp_point_free(&ec_q);
    mbedtls_ctr_drbg_free(&drbg);
    mbedtls_entropy_free(&entropy);
    return 0;
}

/* --- making tokens --- */

static const char claims[] =
    "{\"iss\":\"https://issuer.example\",\"aud\":\"pillion\",\"sub\":\"me\",\"exp\":1800000300}";

static size_t sign_rsa(const char *text, uint8_t *out)
{
    uint8_t hash[32];

    assert_int_equal(mbedtls_sha256((const unsigned char *)text, strlen(text), hash, 0), 0);
    assert_int_equal(mbedtls_rsa_pkcs1_sign(&rsa, mbedtls_ctr_drbg_random, &drbg, MBEDTLS_MD_SHA256,
                                            32, hash, out),
                     0);
    return RSA_BYTES;
}

static size_t sign_ec(const char *text, uint8_t *out)
{
    uint8_t hash[32];
    mbedtls_mpi r, s;

    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    assert_int_equal(mbedtls_sha256((const unsigned char *)text, strlen(text), hash, 0), 0);
    assert_int_equal(
        mbedtls_ecdsa_sign(&group, &r, &s, &ec_d, hash, 32, mbedtls_ctr_drbg_random, &drbg), 0);
    assert_int_equal(mbedtls_mpi_write_binary(&r, out, 32), 0);
    assert_int_equal(mbedtls_mpi_write_binary(&s, out + 32, 32), 0);
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    return 64;
}

/* header.payload as text; then with this signature. */
static void head(const char *header, size_t header_bytes, const char *payload, size_t payload_bytes,
                 char *out)
{
    static char part[TEXT_BYTES];
    int n = say(out, TEXT_BYTES, "%s.", url64(header, header_bytes, part));

    say(out + n, (size_t)(TEXT_BYTES - n), "%s", url64(payload, payload_bytes, part));
}

static void close_with(char *token, const uint8_t *signature, size_t bytes)
{
    static char part[TEXT_BYTES];
    size_t n = strlen(token);

    say(token + n, TEXT_BYTES - n, ".%s", url64(signature, bytes, part));
}

static char *make(const char *header, const char *payload, bool ec)
{
    static char token[TEXT_BYTES];
    uint8_t signature[RSA_BYTES];

    head(header, strlen(header), payload, strlen(payload), token);
    close_with(token, signature, ec ? sign_ec(token, signature) : sign_rsa(token, signature));
    return token;
}

/* All that a judge does: NULL when the token is good. */
static const char *check_with(struct jwks *set, const char *token, const struct jwt_rules *want)
{
    struct jwt t;
    const char *why;
    struct jwks_key *key;

    if (jwt_parse(token, strlen(token), &t))
        return "no token";
    why = jwt_header(&t);
    if (!why)
        why = jwt_claims(&t, want, NOW);
    if (!why) {
        key = jwks_find(set, jwt_kid(&t));
        why = key ? jwt_signed(&t, key) : "no key";
    }
    jwt_release(&t);
    return why;
}

static const char *check(const char *token)
{
    return check_with(keys, token, &rules);
}

#define RS "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"r\"}"
#define ES "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"e\"}"

static void test_good(void **state)
{
    (void)state;
    assert_null(check(make(RS, claims, false)));
    assert_null(check(make(ES, claims, true)));
    assert_null(check(make("{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"at+jwt\"}", claims, true)));
}

/* The header's algorithm never decides: not none, not HMAC with the public key, not the other. */
static void test_algorithms(void **state)
{
    static const char *const names[] = {"none",  "None",  "NONE",   "nOnE",  "HS256", "HS384",
                                        "HS512", "RS384", "RS512",  "PS256", "ES384", "ES512",
                                        "EdDSA", "rs256", "RS256 ", "",      "ES256"};
    static char token[TEXT_BYTES];
    uint8_t mac[32];
    char header[128];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        say(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"r\"}", names[i]);
        assert_non_null(check(make(header, claims, false)));
        /* without a signature at all: no token */
        head(header, strlen(header), claims, strlen(claims), token);
        assert_non_null(check(token));
        say(token + strlen(token), sizeof(token) - strlen(token), ".");
        assert_non_null(check(token));
        /* an HMAC whose secret is the public key, as it stands in the set */
        head(header, strlen(header), claims, strlen(claims), token);
        assert_int_equal(mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                                         (const unsigned char *)set_text, strlen(set_text),
                                         (const unsigned char *)token, strlen(token), mac),
                         0);
        close_with(token, mac, sizeof(mac));
        assert_non_null(check(token));
    }
    assert_non_null(check(make("{\"kid\":\"r\"}", claims, false)));
    assert_non_null(check(make("{\"alg\":[\"RS256\"],\"kid\":\"r\"}", claims, false)));
    /* each with the other's key */
    assert_non_null(check(make("{\"alg\":\"RS256\",\"kid\":\"e\"}", claims, false)));
    assert_non_null(check(make("{\"alg\":\"ES256\",\"kid\":\"r\"}", claims, true)));
}

static void test_headers(void **state)
{
    static const char *const extra[] = {
        "\"crit\":[\"exp\"]",
        "\"crit\":[]",
        "\"jku\":\"https://evil.example/jwks\"",
        "\"jwk\":{}",
        "\"x5u\":\"x\"",
        "\"x5c\":[]",
        "\"b64\":false",
        "\"b64\":true",
        "\"zip\":\"DEF\"",
        "\"typ\":\"logout+jwt\"",
        "\"typ\":1",
        "\"alg\":\"RS256\"",
    };
    static const char *const kids[] = {
        "\"../../../dev/null\"",
        "\"/etc/passwd\"",
        "\"r' OR 1=1--\"",
        "\"r\\u0000\"",
        "\"R\"",
        "\"r \"",
        "\"\"",
        "1",
        "null",
        "[\"r\"]",
        "{\"r\":1}",
        "\"rr\"",
    };
    char header[256];

    (void)state;
    for (size_t i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
        say(header, sizeof(header), "{\"alg\":\"RS256\",\"kid\":\"r\",%s}", extra[i]);
        assert_non_null(check(make(header, claims, false)));
    }
    for (size_t i = 0; i < sizeof(kids) / sizeof(kids[0]); i++) {
        say(header, sizeof(header), "{\"alg\":\"RS256\",\"kid\":%s}", kids[i]);
        assert_non_null(check(make(header, claims, false)));
    }
    /* without a kid only where there is one key */
    assert_non_null(check(make("{\"alg\":\"RS256\"}", claims, false)));
}

struct claim {
    const char *payload;
    bool good;
};

#define ISS "\"iss\":\"https://issuer.example\","
#define AUD "\"aud\":\"pillion\","
#define SUB "\"sub\":\"me\","

static void test_claims(void **state)
{
    static const struct claim list[] = {
        {"{" ISS AUD SUB "\"exp\":1800000001}", true},
        {"{" ISS AUD SUB "\"exp\":1799999941}", true},  /* 59 s ago: within the leeway */
        {"{" ISS AUD SUB "\"exp\":1799999940}", false}, /* 60 s ago */
        {"{" ISS AUD SUB "\"exp\":1800000001.5}", true},
        {"{" ISS AUD SUB "\"exp\":0}", false},
        {"{" ISS AUD SUB "\"exp\":-1}", false},
        {"{" ISS AUD SUB "\"exp\":\"1800000001\"}", false},
        {"{" ISS AUD SUB "\"exp\":null}", false},
        {"{" ISS AUD SUB "\"exp\":1e999}", false},
        {"{" ISS AUD SUB "\"exp\":99999999999999999999}", false},
        {"{" ISS AUD "\"sub\":\"me\"}", false},
        {"{" ISS AUD SUB "\"nbf\":1800000060,\"exp\":1800000300}", true},
        {"{" ISS AUD SUB "\"nbf\":1800000061,\"exp\":1800000300}", false},
        {"{" ISS AUD SUB "\"nbf\":\"x\",\"exp\":1800000300}", false},
        {"{" ISS AUD SUB "\"iat\":1800000060,\"exp\":1800000300}", true},
        {"{" ISS AUD SUB "\"iat\":1800000061,\"exp\":1800000300}", false},
        {"{" ISS SUB "\"aud\":[\"x\",\"pillion\"],\"exp\":1800000300}", true},
        {"{" ISS SUB "\"aud\":[],\"exp\":1800000300}", false},
        {"{" ISS SUB "\"aud\":[\"x\"],\"exp\":1800000300}", false},
        {"{" ISS SUB "\"aud\":[\"pillion\",1],\"exp\":1800000300}", false},
        {"{" ISS SUB "\"aud\":{\"pillion\":1},\"exp\":1800000300}", false},
        {"{" ISS SUB "\"aud\":\"pillion2\",\"exp\":1800000300}", false},
        {"{" ISS SUB "\"aud\":\"Pillion\",\"exp\":1800000300}", false},
        {"{" ISS SUB "\"exp\":1800000300}", false},
        {"{" AUD SUB "\"exp\":1800000300}", false},
        {"{" AUD SUB "\"iss\":\"https://issuer.example/\",\"exp\":1800000300}", false},
        {"{" AUD SUB "\"iss\":[\"https://issuer.example\"],\"exp\":1800000300}", false},
        {"{" ISS AUD "\"exp\":1800000300}", false},
        {"{" ISS AUD "\"sub\":\"\",\"exp\":1800000300}", false},
        {"{" ISS AUD "\"sub\":7,\"exp\":1800000300}", false},
        /* no two readers may see two things */
        {"{" ISS AUD SUB "\"sub\":\"root\",\"exp\":1800000300}", false},
        {"{" ISS AUD SUB "\"exp\":1,\"exp\":1800000300}", false},
        {"{" ISS AUD "\"sub\":\"me\\u0000root\",\"exp\":1800000300}", false},
        {"{" ISS AUD "\"sub\":\"\xff\xfe\",\"exp\":1800000300}", false},
        {"{" ISS AUD "\"sub\":\"\xc0\xaf\",\"exp\":1800000300}", false},
        {"{" ISS AUD SUB "\"exp\":1800000300} ", true},
        {"{" ISS AUD SUB "\"exp\":1800000300}{}", false},
        {"[]", false},
        {"\"x\"", false},
        {"{", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        const char *why = check(make(RS, list[i].payload, false));

        if ((why == NULL) != list[i].good)
            fail_msg("%s: %s", list[i].payload, why ? why : "taken");
    }
}

static void test_subject(void **state)
{
    const struct jwt_rules mine = {rules.issuer, rules.audience, "me"};
    const struct jwt_rules other = {rules.issuer, rules.audience, "m"};
    const struct jwt_rules nobody = {rules.issuer, "", ""};

    (void)state;
    assert_null(check_with(keys, make(RS, claims, false), &mine));
    assert_non_null(check_with(keys, make(RS, claims, false), &other));
    assert_non_null(check_with(keys, make(RS, claims, false), &nobody));
}

/* Bytes of the text: nothing but base64url, two dots, zero trailing bits, and not too much. */
static void test_form(void **state)
{
    static char token[TEXT_BYTES], changed[TEXT_BYTES];
    static char payload[TEXT_BYTES];
    size_t n, dot;

    (void)state;
    say(token, sizeof(token), "%s", make(RS, claims, false));
    n = strlen(token);
    dot = (size_t)(strrchr(token, '.') - token);
    assert_null(check(token));
    for (const char *c = "=+/ \n\t.~%"; *c; c++) {
        say(changed, sizeof(changed), "%s%c", token, *c);
        assert_non_null(check(changed));
        say(changed, sizeof(changed), "%c%s", *c, token);
        assert_non_null(check(changed));
        memcpy(changed, token, n + 1);
        changed[dot / 2] = *c;
        assert_non_null(check(changed));
    }
    /* 256 bytes end in a digit with four bits to spare: the next one decodes to the same bytes */
    memcpy(changed, token, n + 1);
    changed[n - 1]++;
    assert_non_null(check(changed));
    for (size_t i = 0; i < 8; i++) { /* cut anywhere */
        memcpy(changed, token, n + 1);
        changed[n * i / 8] = '\0';
        assert_non_null(check(changed));
    }
    /* five parts are an encrypted token */
    say(changed, sizeof(changed), "%s.AAAA.AAAA", token);
    assert_non_null(check(changed));
    /* the largest that is taken, and one byte more */
    for (size_t pad = 0;; pad++) {
        say(payload, sizeof(payload), "{" ISS AUD SUB "\"exp\":1800000300,\"p\":\"%0*d\"}",
            (int)(5600 + pad), 0);
        say(changed, sizeof(changed), "%s", make(RS, payload, false));
        if (strlen(changed) > JWT_MAX_BYTES)
            break;
        assert_null(check(changed));
        pad += JWT_MAX_BYTES - strlen(changed) > 64 ? 32 : 0;
    }
    assert_non_null(check(changed));
    /* nested far too deep */
    memset(payload, '[', 5000);
    payload[5000] = '\0';
    assert_non_null(check(make(RS, payload, false)));
}

static void with_signature(const uint8_t *signature, size_t bytes, bool ec, bool good)
{
    static char token[TEXT_BYTES];
    const char *header = ec ? ES : RS;

    head(header, strlen(header), claims, strlen(claims), token);
    close_with(token, signature, bytes);
    assert_int_equal(check(token) == NULL, good);
}

static void test_ecdsa(void **state)
{
    static char token[TEXT_BYTES];
    uint8_t good[64], bad[80], order[32], one[32] = {[31] = 1};
    uint8_t der[80] = {0x30, 0x44, 2, 32};

    (void)state;
    head(ES, strlen(ES), claims, strlen(claims), token);
    (void)sign_ec(token, good);
    with_signature(good, 64, true, true);
    with_signature(good, 63, true, false);
    memcpy(bad, good, 64);
    bad[64] = 0;
    with_signature(bad, 65, true, false);
    for (size_t i = 0; i < 64; i++) {
        memcpy(bad, good, 64);
        bad[i] ^= 1;
        with_signature(bad, 64, true, false);
    }
    /* r and s of 0, of n, one of them, and (1, 1): "psychic signatures" and their kin */
    assert_int_equal(mbedtls_mpi_write_binary(&group.N, order, 32), 0);
    for (unsigned i = 0; i < 16; i++) {
        static const uint8_t zero[32];
        const uint8_t *const parts[] = {zero, order, one, good};

        if (i == 15)
            continue; /* r of r: that one has no meaning */
        memcpy(bad, parts[i / 4], 32);
        memcpy(bad + 32, parts[i % 4], 32);
        with_signature(bad, 64, true, false);
    }
    memcpy(bad, good + 32, 32);
    memcpy(bad + 32, good, 32);
    with_signature(bad, 64, true, false);
    /* DER, as X.509 has it, is another form of the same numbers */
    memcpy(der + 4, good, 32);
    der[36] = 2;
    der[37] = 32;
    memcpy(der + 38, good + 32, 32);
    with_signature(der, 70, true, false);
    with_signature(good, 32, true, false);
}

/* Whatever padding, made with the private key as an attacker with a small exponent could. */
static void forge(const uint8_t *padded, bool good)
{
    uint8_t signature[RSA_BYTES];

    assert_int_equal(mbedtls_rsa_private(&rsa, mbedtls_ctr_drbg_random, &drbg, padded, signature),
                     0);
    with_signature(signature, RSA_BYTES, false, good);
}

static void test_rsa(void **state)
{
    /* DigestInfo of SHA-256 (RFC 8017, 9.2, note 1) */
    static const uint8_t info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    static const uint8_t without_null[] = {0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
                                           0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20};
    static char token[TEXT_BYTES];
    uint8_t hash[32], p[RSA_BYTES], good[RSA_BYTES + 1] = {0};
    size_t at = RSA_BYTES - 32 - sizeof(info);

    (void)state;
    head(RS, strlen(RS), claims, strlen(claims), token);
    assert_int_equal(mbedtls_sha256((const unsigned char *)token, strlen(token), hash, 0), 0);
    (void)sign_rsa(token, good + 1);
    with_signature(good + 1, RSA_BYTES, false, true);
    with_signature(good, RSA_BYTES + 1, false, false); /* a leading zero */
    with_signature(good + 1, RSA_BYTES - 1, false, false);
    with_signature(good + 2, RSA_BYTES - 1, false, false);

    memset(p, 0xff, sizeof(p));
    p[0] = 0;
    p[1] = 1;
    p[at - 1] = 0;
    memcpy(p + at, info, sizeof(info));
    memcpy(p + RSA_BYTES - 32, hash, 32);
    forge(p, true); /* the right one: so the others fail for their own reason */
    p[1] = 2;
    forge(p, false);
    p[1] = 1;
    p[10] = 0xfe;
    forge(p, false);
    p[10] = 0;
    forge(p, false); /* a shorter padding, and something behind it */
    p[10] = 0xff;
    p[at + 5]++;
    forge(p, false); /* another digest's name */
    p[at + 5]--;
    p[RSA_BYTES - 1] ^= 1;
    forge(p, false);
    p[RSA_BYTES - 1] ^= 1;

    /* the NULL of the parameters missing */
    memset(p + 2, 0xff, RSA_BYTES - 2);
    at = RSA_BYTES - 32 - sizeof(without_null);
    p[at - 1] = 0;
    memcpy(p + at, without_null, sizeof(without_null));
    memcpy(p + RSA_BYTES - 32, hash, 32);
    forge(p, false);

    /* Bleichenbacher 2006: eight bytes of padding, the digest, and garbage behind it */
    memset(p + 2, 0x5a, RSA_BYTES - 2);
    memset(p + 2, 0xff, 8);
    p[10] = 0;
    memcpy(p + 11, info, sizeof(info));
    memcpy(p + 11 + sizeof(info), hash, 32);
    forge(p, false);

    memset(good, 0, sizeof(good));
    with_signature(good, RSA_BYTES, false, false);
    good[RSA_BYTES - 1] = 1;
    with_signature(good, RSA_BYTES, false, false);
}

static int parse(const char *text)
{
    struct jwks *set = NULL;
    struct err e = {0};
    int r = jwks_parse(text, strlen(text), &set, &e);

    assert_true(r == 0 || e.text[0]);
    jwks_free(set);
    return r;
}

/* The set of the tests with one thing replaced; the first key alone. */
static int parse_rsa(const char *n, const char *rest)
{
    static char text[TEXT_BYTES];

    say(text, sizeof(text), "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"%s\",%s}]}", n, rest);
    return parse(text);
}

static void test_rsa_keys(void **state)
{
    static char n[TEXT_BYTES], small[TEXT_BYTES];
    uint8_t modulus[1025] = {0};
    mbedtls_mpi x;

    (void)state;
    mbedtls_mpi_init(&x);
    assert_int_equal(mbedtls_rsa_export(&rsa, &x, NULL, NULL, NULL, NULL), 0);
    (void)mpi64(&x, RSA_BYTES, n);
    mbedtls_mpi_free(&x);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB\""), 0);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB\",\"key_ops\":[\"verify\"]"), 0);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQ\""), -EINVAL);   /* 1 */
    assert_int_equal(parse_rsa(n, "\"e\":\"Aw\""), -EINVAL);   /* 3 */
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAA\""), -EINVAL); /* 65536 */
    assert_int_equal(parse_rsa(n, "\"e\":\"AQABAQABAQ\""), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB=\""), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"e\":65537"), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"f\":1"), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB\",\"use\":\"enc\""), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB\",\"use\":1"), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB\",\"alg\":\"RS512\""), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB\",\"alg\":\"HS256\""), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB\",\"alg\":\"none\""), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB\",\"key_ops\":[\"sign\"]"), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB\",\"key_ops\":\"verify\""), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB\",\"d\":\"AQAB\""), -EINVAL);
    assert_int_equal(parse_rsa(n, "\"e\":\"AQAB\",\"kid\":7"), -EINVAL);
    assert_int_equal(parse_rsa("", "\"e\":\"AQAB\""), -EINVAL);
    /* 2047 bit is one too few, 8192 are the most */
    memset(modulus, 0xff, sizeof(modulus));
    modulus[0] = 0x7f;
    assert_int_equal(parse_rsa(url64(modulus, 256, small), "\"e\":\"AQAB\""), -EINVAL);
    modulus[0] = 0x80;
    assert_int_equal(parse_rsa(url64(modulus, 256, small), "\"e\":\"AQAB\""), 0);
    assert_int_equal(parse_rsa(url64(modulus, 1024, small), "\"e\":\"AQAB\""), 0);
    assert_int_equal(parse_rsa(url64(modulus, 1025, small), "\"e\":\"AQAB\""), -EINVAL);
}

static void test_ec_keys(void **state)
{
    static char text[TEXT_BYTES], x[TEXT_BYTES], y[TEXT_BYTES], other[TEXT_BYTES];
    uint8_t zero[33] = {0};
    static const char *const form =
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}]}";

    (void)state;
    (void)mpi64(&ec_q.MBEDTLS_PRIVATE(X), 32, x);
    (void)mpi64(&ec_q.MBEDTLS_PRIVATE(Y), 32, y);
    say(text, sizeof(text), form, "P-256", x, y);
    assert_int_equal(parse(text), 0);
    for (size_t i = 0; i < 4; i++) {
        static const char *const curves[] = {"P-384", "secp256k1", "Ed25519", "p-256"};

        say(text, sizeof(text), form, curves[i], x, y);
        assert_int_equal(parse(text), -EINVAL);
    }
    say(text, sizeof(text), form, "P-256", y, x); /* on no curve */
    assert_int_equal(parse(text), -EINVAL);
    say(text, sizeof(text), form, "P-256", url64(zero, 32, other), y);
    assert_int_equal(parse(text), -EINVAL);
    say(text, sizeof(text), form, "P-256", url64(zero, 33, other), y);
    assert_int_equal(parse(text), -EINVAL);
    say(text, sizeof(text), form, "P-256", x, "");
    assert_int_equal(parse(text), -EINVAL);
    say(text, sizeof(text), "{\"keys\":[{\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}]}", x, y);
    assert_int_equal(parse(text), -EINVAL);
}

static void test_sets(void **state)
{
    static char text[JWKS_MAX_BYTES + 64];
    size_t n;

    (void)state;
    assert_int_equal(parse(""), -EBADMSG);
    assert_int_equal(parse("[]"), -EBADMSG);
    assert_int_equal(parse("{}"), -EINVAL);
    assert_int_equal(parse("{\"keys\":{}}"), -EINVAL);
    assert_int_equal(parse("{\"keys\":[]}"), -EINVAL);
    assert_int_equal(parse("{\"keys\":[1,null,\"x\",[],{}]}"), -EINVAL);
    assert_int_equal(parse("{\"keys\":[],\"keys\":[]}"), -EBADMSG);
    /* symmetric keys are none, so that no token can be signed with what everybody knows */
    assert_int_equal(parse("{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"AAAA\"}]}"),
                     -EINVAL);
    /* the same kid twice */
    n = strlen(set_text) - 2;
    say(text, sizeof(text), "%.*s,%s", (int)n, set_text, set_text + 9);
    assert_int_equal(parse(text), -EINVAL);
    /* as many entries as may be, and one more; a good one first */
    for (int entries = JWKS_ENTRIES_MAX; entries <= JWKS_ENTRIES_MAX + 1; entries++) {
        size_t at = n;

        memcpy(text, set_text, n);
        for (int i = 2; i < entries; i++) {
            memcpy(text + at, ",{}", 3);
            at += 3;
        }
        memcpy(text + at, "]}", 3);
        assert_int_equal(parse(text), entries == JWKS_ENTRIES_MAX ? 0 : -EINVAL);
    }
    memset(text, ' ', sizeof(text));
    memcpy(text, set_text, strlen(set_text));
    text[JWKS_MAX_BYTES] = '\0';
    assert_int_equal(parse(text), 0);
    text[JWKS_MAX_BYTES] = ' ';
    text[JWKS_MAX_BYTES + 1] = '\0';
    assert_int_equal(parse(text), -EFBIG);
}

static void test_looks(void **state)
{
    (void)state;
    assert_true(jwt_looks_like("a.b.c", 5));
    assert_false(jwt_looks_like("a.b.", 4));
    assert_false(jwt_looks_like(".b.c", 4));
    assert_false(jwt_looks_like("a..c", 4));
    assert_false(jwt_looks_like("a.b", 3));
    assert_false(jwt_looks_like("a.b.c.d", 7));
    assert_false(jwt_looks_like("a.b.c\n", 6));
    assert_false(jwt_looks_like("", 0));
    assert_false(jwt_looks_like("..", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),     cmocka_unit_test(test_algorithms),
        cmocka_unit_test(test_headers),  cmocka_unit_test(test_claims),
        cmocka_unit_test(test_subject),  cmocka_unit_test(test_form),
        cmocka_unit_test(test_ecdsa),    cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_rsa_keys), cmocka_unit_test(test_ec_keys),
        cmocka_unit_test(test_sets),     cmocka_unit_test(test_looks),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
