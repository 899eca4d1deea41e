#include "auth/jwks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/bignum.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <mbedtls/rsa.h>

#include "auth/base64.h"
#include "auth/json_in.h"

struct jwks_key {
    char kid[JWKS_KID_BYTES]; /* "": it has none */
    enum jwks_alg alg;
    mbedtls_rsa_context rsa;
    mbedtls_ecp_group group;
    mbedtls_ecp_point point;
};

struct jwks {
    struct jwks_key key[JWKS_KEYS_MAX];
    size_t count;
};

static void key_init(struct jwks_key *k)
{
    memset(k, 0, sizeof(*k));
    mbedtls_rsa_init(&k->rsa);
    mbedtls_ecp_group_init(&k->group);
    mbedtls_ecp_point_init(&k->point);
}

static void key_release(struct jwks_key *k)
{
    mbedtls_rsa_free(&k->rsa);
    mbedtls_ecp_group_free(&k->group);
    mbedtls_ecp_point_free(&k->point);
}

static int member(const json_t *entry, const char *name, uint8_t *out, size_t out_bytes, size_t *n)
{
    const char *text = json_in_text(entry, name);

    return text ? auth_base64url_decode(text, strlen(text), out, out_bytes, n) : -EINVAL;
}

/* mbedtls_rsa_check_pubkey() would take any odd exponent from 3 on. */
static const char *take_rsa(struct jwks_key *k, const json_t *entry)
{
    uint8_t n[JWKS_RSA_MAX_BITS / 8], e[4];
    size_t n_bytes, e_bytes, bits;
    uint64_t exponent = 0;

    if (member(entry, "n", n, sizeof(n), &n_bytes) || member(entry, "e", e, sizeof(e), &e_bytes))
        return "n or e is missing, no base64url, or too long";
    for (size_t i = 0; i < e_bytes; i++)
        exponent = exponent << 8 | e[i];
    if (exponent < JWKS_RSA_E_MIN || exponent % 2 == 0)
        return "an RSA exponent below 65537 or even";
    if (mbedtls_rsa_import_raw(&k->rsa, n, n_bytes, NULL, 0, NULL, 0, NULL, 0, e, e_bytes) != 0 ||
        mbedtls_rsa_complete(&k->rsa) != 0 || mbedtls_rsa_check_pubkey(&k->rsa) != 0)
        return "no RSA key";
    bits = mbedtls_rsa_get_bitlen(&k->rsa);
    if (bits < JWKS_RSA_MIN_BITS)
        return "an RSA key below 2048 bit";
    k->alg = JWKS_RS256;
    return NULL;
}

/* RFC 7518, 6.2.1.2: x and y have the full length of the field, leading zeros too. */
static const char *take_ec(struct jwks_key *k, const json_t *entry)
{
    uint8_t point[1 + 2 * JWKS_P256_BYTES] = {4}; /* uncompressed: SEC 1, 2.3.3 */
    size_t x, y;

    if (member(entry, "x", point + 1, JWKS_P256_BYTES, &x) || x != JWKS_P256_BYTES ||
        member(entry, "y", point + 1 + JWKS_P256_BYTES, JWKS_P256_BYTES, &y) ||
        y != JWKS_P256_BYTES)
        return "x and y of P-256 have 32 bytes each, in base64url";
    if (mbedtls_ecp_group_load(&k->group, MBEDTLS_ECP_DP_SECP256R1) != 0 ||
        mbedtls_ecp_point_read_binary(&k->group, &k->point, point, sizeof(point)) != 0 ||
        mbedtls_ecp_check_pubkey(&k->group, &k->point) != 0)
        return "the point is not on P-256";
    k->alg = JWKS_ES256;
    return NULL;
}

/* Absent or the value; what is there and no text is neither. */
static bool absent_or(const json_t *entry, const char *name, const char *value)
{
    const json_t *v = json_object_get(entry, name);

    return !v || (json_is_string(v) && strcmp(json_string_value(v), value) == 0);
}

/* RFC 7517, 4.3: where it is there, verifying must be among it. */
static bool may_verify(const json_t *entry)
{
    const json_t *ops = json_object_get(entry, "key_ops");

    if (!ops)
        return true;
    for (size_t i = 0; json_is_array(ops) && i < json_array_size(ops); i++) {
        const char *op = json_string_value(json_array_get(ops, i));

        if (op && strcmp(op, "verify") == 0)
            return true;
    }
    return false;
}

static const char *take_key(struct jwks_key *k, const json_t *entry)
{
    const json_t *kid = json_object_get(entry, "kid");
    const char *kty = json_in_text(entry, "kty");

    if (!kty || !absent_or(entry, "use", "sig") || !may_verify(entry))
        return "a key for another purpose than signatures";
    if (json_object_get(entry, "d"))
        return "a private key";
    if (kid && (!json_is_string(kid) || json_string_length(kid) >= JWKS_KID_BYTES))
        return "a kid that is no text or too long";
    if (kid)
        memcpy(k->kid, json_string_value(kid), json_string_length(kid) + 1);
    if (strcmp(kty, "RSA") == 0 && absent_or(entry, "alg", "RS256"))
        return take_rsa(k, entry);
    if (strcmp(kty, "EC") == 0 && absent_or(entry, "alg", "ES256") &&
        json_object_get(entry, "crv") && absent_or(entry, "crv", "P-256"))
        return take_ec(k, entry);
    return "a key for another algorithm than RS256 and ES256 (P-256)";
}

/* A token's kid must mean one key: two with the same name would be a choice. */
static int take_all(struct jwks *k, const json_t *keys, struct err *e)
{
    const char *why = "it has no key";

    if (!json_is_array(keys) || json_array_size(keys) > JWKS_ENTRIES_MAX)
        return err_set(e, -EINVAL, "no key set: \"keys\" must be a list of at most %d",
                       JWKS_ENTRIES_MAX);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        struct jwks_key *key = &k->key[k->count];
        const char *complaint;

        if (k->count == JWKS_KEYS_MAX)
            return err_set(e, -EINVAL, "more than %d keys that could be used", JWKS_KEYS_MAX);
        key_init(key);
        complaint = take_key(key, json_array_get(keys, i));
        if (complaint) {
            why = complaint;
            key_release(key);
            continue;
        }
        for (size_t j = 0; j < k->count; j++) {
            if (strcmp(k->key[j].kid, key->kid) == 0) {
                key_release(key);
                return err_set(e, -EINVAL, "two keys with the same kid");
            }
        }
        k->count++;
    }
    return k->count ? 0 : err_set(e, -EINVAL, "no key that could be used; the last one: %s", why);
}

int jwks_parse(const void *text, size_t bytes, struct jwks **ret, struct err *e)
{
    struct jwks *k;
    json_t *set = NULL;
    int r;

    if (bytes > JWKS_MAX_BYTES)
        return err_set(e, -EFBIG, "a key set of more than %d bytes", JWKS_MAX_BYTES);
    r = json_in_parse(text, bytes, &set, e);
    if (r)
        return r;
    k = calloc(1, sizeof(*k));
    r = k ? take_all(k, json_object_get(set, "keys"), e) : err_set(e, -ENOMEM, "out of memory");
    json_decref(set);
    if (r) {
        jwks_free(k);
        return r;
    }
    *ret = k;
    return 0;
}

void jwks_free(struct jwks *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->count; i++)
        key_release(&k->key[i]);
    free(k);
}

size_t jwks_count(const struct jwks *k)
{
    return k->count;
}

struct jwks_key *jwks_find(struct jwks *k, const char *kid)
{
    if (!kid)
        return k->count == 1 ? &k->key[0] : NULL;
    for (size_t i = 0; i < k->count; i++) {
        if (k->key[i].kid[0] && strcmp(k->key[i].kid, kid) == 0)
            return &k->key[i];
    }
    return NULL;
}

enum jwks_alg jwks_alg_of(const struct jwks_key *key)
{
    return key->alg;
}

/* mbedtls_ecdsa_verify() refuses r and s outside [1, n - 1] (SEC 1, 4.1.4). */
static bool verify_es256(struct jwks_key *key, const uint8_t *hash, const uint8_t *signature)
{
    mbedtls_mpi r, s;
    bool good;

    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    good = mbedtls_mpi_read_binary(&r, signature, JWKS_P256_BYTES) == 0 &&
           mbedtls_mpi_read_binary(&s, signature + JWKS_P256_BYTES, JWKS_P256_BYTES) == 0 &&
           mbedtls_ecdsa_verify(&key->group, hash, JWKS_HASH_BYTES, &key->point, &r, &s) == 0;
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    return good;
}

/*
 * mbedtls_rsa_rsassa_pkcs1_v15_verify() makes the one right padding and compares all of it (rsa.c
 * of 3.6), so that no parser of paddings can be led on (CVE-2006-4339 and its kind).
 */
bool jwks_verify(struct jwks_key *key, const uint8_t hash[static JWKS_HASH_BYTES],
                 const uint8_t *signature, size_t bytes)
{
    if (key->alg == JWKS_ES256)
        return bytes == (size_t)2 * JWKS_P256_BYTES && verify_es256(key, hash, signature);
    return bytes == mbedtls_rsa_get_len(&key->rsa) &&
           mbedtls_rsa_rsassa_pkcs1_v15_verify(&key->rsa, MBEDTLS_MD_SHA256, JWKS_HASH_BYTES, hash,
                                               signature) == 0;
}
