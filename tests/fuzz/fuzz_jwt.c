/* Any bytes as a token of a configured issuer: nothing may crash, and nobody may be known. */
#include "auth/issuers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char set[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\","
    "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}]}"; /* RFC 7517, A.1 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct issuers s;
    const struct auth_request request = {.real_s = 1800000000, .mono_ns = 1, .keys_came = true};
    struct auth_verdict v = {.known = false};
    struct auth_work *w = NULL;
    struct jwt t;

    if (s.count == 0) {
        struct issuer *one = &s.list[0];

        (void)snprintf(one->is.issuer, sizeof(one->is.issuer), "i");
        (void)snprintf(one->is.audience, sizeof(one->is.audience), "a");
        if (jwks_parse(set, sizeof(set) - 1, &one->keys, NULL) != 0)
            abort();
        s.count = 1;
    }
    if (jwt_parse((const char *)data, bytes, &t) == 0) {
        const struct jwt_rules rules = {"i", "a", ""};

        if (bytes > JWT_MAX_BYTES || !jwt_looks_like((const char *)data, bytes))
            abort();
        (void)jwt_header(&t);
        (void)jwt_claims(&t, &rules, request.real_s);
        /* nobody has the private key: to get here is a forgery */
        if (!jwt_signed(&t, jwks_find(s.list[0].keys, "e")))
            abort();
        jwt_release(&t);
    }
    (void)issuers_judge(&s, (const char *)data, bytes, &request, &v, &w);
    if (v.known || w)
        abort();
    return 0;
}
