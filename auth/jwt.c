#include "auth/jwt.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <mbedtls/sha256.h>

#include "auth/base64.h"
#include "auth/json_in.h"

static bool is_part(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return bytes > 0;
}

/* Where the two dots are; false when there are not two with something around each. */
static bool divide(const char *text, size_t bytes, size_t *ret_first, size_t *ret_second)
{
    const char *first = memchr(text, '.', bytes);
    const char *second = first ? memchr(first + 1, '.', bytes - (size_t)(first + 1 - text)) : NULL;
    size_t rest;

    if (!second)
        return false;
    rest = bytes - (size_t)(second + 1 - text);
    *ret_first = (size_t)(first - text);
    *ret_second = (size_t)(second - text);
    return is_part(text, *ret_first) && is_part(first + 1, *ret_second - *ret_first - 1) &&
           is_part(second + 1, rest);
}

bool jwt_looks_like(const char *text, size_t bytes)
{
    size_t first, second;

    return divide(text, bytes, &first, &second);
}

static int part(const char *text, size_t bytes, json_t **ret)
{
    uint8_t decoded[JWT_MAX_BYTES];
    size_t used;

    if (auth_base64url_decode(text, bytes, decoded, sizeof(decoded), &used))
        return -EBADMSG;
    return json_in_parse(decoded, used, ret, NULL) ? -EBADMSG : 0;
}

int jwt_parse(const char *text, size_t bytes, struct jwt *ret)
{
    struct jwt t = {.signed_text = text};
    size_t first, second;
    int r;

    if (bytes > JWT_MAX_BYTES)
        return -EFBIG;
    if (!divide(text, bytes, &first, &second))
        return -EBADMSG;
    t.signed_bytes = second;
    r = auth_base64url_decode(text + second + 1, bytes - second - 1, t.signature,
                              sizeof(t.signature), &t.signature_bytes);
    if (r == 0)
        r = part(text, first, &t.header);
    if (r == 0)
        r = part(text + first + 1, second - first - 1, &t.payload);
    if (r) {
        jwt_release(&t);
        return -EBADMSG;
    }
    *ret = t;
    return 0;
}

void jwt_release(struct jwt *t)
{
    if (!t)
        return;
    json_decref(t->header);
    json_decref(t->payload);
    t->header = t->payload = NULL;
}

const char *jwt_issuer(const struct jwt *t)
{
    return json_in_text(t->payload, "iss");
}

const char *jwt_subject(const struct jwt *t)
{
    return json_in_text(t->payload, "sub");
}

const char *jwt_kid(const struct jwt *t)
{
    return json_in_text(t->header, "kid");
}

/*
 * RFC 7515, 4.1: jku, jwk, x5u and x5c bring a key along; crit asks for what we do not know; b64
 * (RFC 7797) changes what is signed; zip belongs to encryption. None of them is ever ignored.
 */
const char *jwt_header(const struct jwt *t)
{
    static const char *const refused[] = {"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip"};
    const json_t *typ = json_object_get(t->header, "typ");
    const json_t *kid = json_object_get(t->header, "kid");

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (json_object_get(t->header, refused[i]))
            return "its header has a field that is refused";
    }
    if (kid && !json_is_string(kid))
        return "its kid is no text";
    /* RFC 8725, 3.11; RFC 9068, 2.1: a token of another kind is no credential */
    if (typ && (!json_is_string(typ) || (strcasecmp(json_string_value(typ), "JWT") != 0 &&
                                         strcasecmp(json_string_value(typ), "at+jwt") != 0)))
        return "its typ is another than JWT or at+jwt";
    return NULL;
}

const char *jwt_signed(const struct jwt *t, struct jwks_key *key)
{
    static const char *const names[] = {[JWKS_RS256] = "RS256", [JWKS_ES256] = "ES256"};
    const char *alg = json_in_text(t->header, "alg");
    uint8_t hash[JWKS_HASH_BYTES];

    /* the header's word is only compared; the key's is what is done */
    if (!alg || strcmp(alg, names[jwks_alg_of(key)]) != 0)
        return "its alg is not the one of the key";
    if (mbedtls_sha256((const unsigned char *)t->signed_text, t->signed_bytes, hash, 0) != 0)
        return "SHA-256 failed";
    return jwks_verify(key, hash, t->signature, t->signature_bytes) ? NULL
                                                                    : "its signature is wrong";
}

/* NumericDate (RFC 7519, 2): a number of seconds, perhaps with a fraction. */
static bool moment(const json_t *v, double *ret)
{
    if (!json_is_number(v))
        return false;
    *ret = json_number_value(v);
    return isfinite(*ret) && *ret >= 0;
}

static const char *check_times(const json_t *payload, int64_t now_s)
{
    const json_t *exp = json_object_get(payload, "exp");
    const json_t *nbf = json_object_get(payload, "nbf");
    const json_t *iat = json_object_get(payload, "iat");
    double now = (double)now_s, t;

    if (!moment(exp, &t))
        return "it has no exp, or one that is no time";
    if (t + JWT_LEEWAY_S <= now) /* RFC 7519, 4.1.4: on or after */
        return "it has expired";
    if (nbf && (!moment(nbf, &t) || t - JWT_LEEWAY_S > now))
        return "it is not valid yet";
    if (iat && (!moment(iat, &t) || t - JWT_LEEWAY_S > now))
        return "it was issued in the future";
    return NULL;
}

/* RFC 7519, 4.1.3: one text or a list of texts. */
static bool is_for(const json_t *aud, const char *audience)
{
    bool found = false;

    if (json_is_string(aud))
        return strcmp(json_string_value(aud), audience) == 0;
    if (!json_is_array(aud) || json_array_size(aud) > JWT_AUDIENCES_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(aud); i++) {
        const char *one = json_string_value(json_array_get(aud, i));

        if (!one)
            return false;
        found = found || strcmp(one, audience) == 0;
    }
    return found;
}

const char *jwt_claims(const struct jwt *t, const struct jwt_rules *rules, int64_t now_s)
{
    const char *iss = jwt_issuer(t), *sub = jwt_subject(t);

    if (!iss || strcmp(iss, rules->issuer) != 0)
        return "its iss is another";
    if (!rules->audience[0] || !is_for(json_object_get(t->payload, "aud"), rules->audience))
        return "its aud is another";
    if (!sub || !sub[0] || strlen(sub) > JWT_SUBJECT_MAX_BYTES)
        return "it has no sub, or one that is too long";
    if (rules->subject[0] && strcmp(sub, rules->subject) != 0)
        return "its sub is another";
    return check_times(t->payload, now_s);
}
