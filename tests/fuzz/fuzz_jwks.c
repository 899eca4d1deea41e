/* Any bytes as an issuer's key set: what is taken has keys that can be found and asked. */
#include "auth/jwks.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t hash[JWKS_HASH_BYTES], signature[JWKS_RSA_MAX_BITS / 8];
    struct jwks *keys = NULL;
    struct jwks_key *key;

    if (jwks_parse(data, bytes, &keys, NULL) != 0)
        return 0;
    if (bytes > JWKS_MAX_BYTES || jwks_count(keys) == 0 || jwks_count(keys) > JWKS_KEYS_MAX)
        abort();
    key = jwks_find(keys, NULL);
    for (size_t n = 64; key && n <= sizeof(signature); n *= 2) {
        if (jwks_verify(key, hash, signature, n))
            abort();
    }
    jwks_free(keys);
    return 0;
}
