/*
 * Making and hashing tokens; declared in auth.h, linked into the command too (`pillion token`).
 */
#include <errno.h>
#include <sys/random.h>

#include <mbedtls/sha256.h>

#include "auth/auth.h"

enum {
    TOKEN_RANDOM_BYTES = 32, /* 256 bit: no dictionary, so one plain SHA-256 is hash enough */
    TOKEN_DIGITS = (TOKEN_RANDOM_BYTES * 8 + 5) / 6,
};

_Static_assert(AUTH_TOKEN_TEXT_BYTES == sizeof(AUTH_TOKEN_PREFIX) + TOKEN_DIGITS,
               "prefix, digits, NUL");

/* base64url (RFC 4648, 5): what needs no quoting in a URL, a header or a shell. */
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int auth_token_make(char *out, size_t out_bytes)
{
    unsigned char random[TOKEN_RANDOM_BYTES];
    unsigned bits = 0, have = 0;
    char *p = out;

    if (out_bytes < AUTH_TOKEN_TEXT_BYTES)
        return -ENOSPC;
    /* up to 256 bytes come whole or not at all (getrandom(2)); it waits for the first entropy */
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return errno ? -errno : -EIO;
    memcpy(p, AUTH_TOKEN_PREFIX, sizeof(AUTH_TOKEN_PREFIX) - 1);
    p += sizeof(AUTH_TOKEN_PREFIX) - 1;
    for (size_t i = 0; i < sizeof(random); i++) {
        bits = bits << 8 | random[i];
        /* six bits a digit; at most 5 are left over for the next byte */
        for (have += 8; have >= 6; have -= 6)
            *p++ = digits[bits >> (have - 6) & 63];
    }
    /* 256 = 42 * 6 + 4: the last digit carries four bits, and two zeros */
    *p++ = digits[bits << (6 - have) & 63];
    *p = '\0';
    explicit_bzero(random, sizeof(random));
    return 0;
}

void auth_sha256_hex(const void *data, size_t bytes, char out[static 65])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char hash[CONFIG_SHA256_BYTES];

    /* fails only with a hardware driver, and then the zeros match nothing */
    if (mbedtls_sha256(data, bytes, hash, 0) != 0)
        memset(hash, 0, sizeof(hash));
    for (size_t i = 0; i < sizeof(hash); i++) {
        out[2 * i] = hex[hash[i] >> 4];
        out[2 * i + 1] = hex[hash[i] & 15];
    }
    out[64] = '\0';
}
