/* Not constant time: what is decoded came over the wire in this request, it is no secret of ours.
 */
#include "auth/base64.h"

#include <errno.h>

#include <mbedtls/base64.h>

/* The alphabets of RFC 4648, table 1 and table 2; they differ in the last two digits. */
static int digit(char c, const char last[static 2])
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

/* Digits alone, without padding; the caller has seen that their number can be and that they fit. */
static int decode(const char *in, size_t bytes, const char last[static 2], unsigned char *out,
                  size_t *ret_bytes)
{
    unsigned bits = 0, have = 0;
    size_t used = 0;

    for (size_t i = 0; i < bytes; i++) {
        int d = digit(in[i], last);

        if (d < 0)
            return -EINVAL;
        /* at most 6 bits wait for the next digit, so 16 are plenty */
        bits = (bits << 6 | (unsigned)d) & 0xffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[used++] = (unsigned char)(bits >> have & 0xff);
        }
    }
    /* two texts for the same bytes would be two spellings of one credential */
    if (bits & ((1u << have) - 1))
        return -EINVAL;
    *ret_bytes = used;
    return 0;
}

int auth_base64_decode(const char *in, size_t bytes, unsigned char *out, size_t out_bytes,
                       size_t *ret_bytes)
{
    size_t padding = 0;

    if (bytes == 0 || bytes % 4 != 0)
        return -EINVAL;
    while (padding < 2 && in[bytes - 1 - padding] == '=')
        padding++;
    /* before the first byte is written: nothing is cut */
    if (bytes / 4 * 3 - padding > out_bytes)
        return -ENOSPC;
    return decode(in, bytes - padding, "+/", out, ret_bytes);
}

int auth_base64url_decode(const char *in, size_t bytes, unsigned char *out, size_t out_bytes,
                          size_t *ret_bytes)
{
    /* one digit over carries six bits of a byte: it can stand for none */
    if (bytes == 0 || bytes % 4 == 1)
        return -EINVAL;
    if (bytes / 4 * 3 + (bytes % 4 ? bytes % 4 - 1 : 0) > out_bytes)
        return -ENOSPC;
    return decode(in, bytes, "-_", out, ret_bytes);
}

int auth_base64_encode(const void *in, size_t bytes, char *out, size_t out_bytes)
{
    size_t n;

    return mbedtls_base64_encode((unsigned char *)out, out_bytes, &n, in, bytes) ? -ENOSPC : 0;
}
