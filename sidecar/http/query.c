/*
 * Our users' scripts were written against net/http/pprof, so a query means here what it means
 * there: FormValue takes the first value of a key, an empty one too, and drops pairs it cannot
 * decode.
 */
#include "sidecar/http/query.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
    QUERY_KEY_BYTES = 64, /* longest decoded key that can be one of ours, and its NUL */
};

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/*
 * net/url's QueryUnescape (Go 1.26, net/url/url.go): '+' is a space, "%xy" a byte. A NUL is
 * refused, because the result is a C string.
 */
static int decode(const char *s, size_t bytes, char *out, size_t out_bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < bytes; i++) {
        int c = (unsigned char)s[i];

        if (c == '%') {
            int high = i + 1 < bytes ? hex(s[i + 1]) : -1;
            int low = i + 2 < bytes ? hex(s[i + 2]) : -1;

            if (high < 0 || low < 0)
                return -EINVAL;
            c = high * 16 + low;
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c == '\0')
            return -EINVAL;
        if (n + 1 >= out_bytes)
            return -E2BIG;
        out[n++] = (char)c;
    }
    if (out_bytes == 0)
        return -E2BIG;
    out[n] = '\0';
    return 0;
}

/* The next "key=value" of *at; pairs end at any of `ends`. */
static bool next_pair(const char **at, const char *ends, const char **key, size_t *key_bytes,
                      const char **value, size_t *value_bytes)
{
    while (**at) {
        const char *s = *at;
        size_t bytes = strcspn(s, ends);
        const char *equals = memchr(s, '=', bytes);

        *at = s + bytes + (s[bytes] != '\0');
        if (bytes == 0)
            continue;
        *key = s;
        *key_bytes = equals ? (size_t)(equals - s) : bytes;
        *value = equals ? equals + 1 : s + bytes;
        *value_bytes = bytes - (size_t)(*value - s);
        return true;
    }
    return false;
}

int query_get(const char *query, const char *key, char *out, size_t out_bytes)
{
    const char *k, *v;
    size_t k_bytes, v_bytes;

    while (next_pair(&query, "&", &k, &k_bytes, &v, &v_bytes)) {
        char name[QUERY_KEY_BYTES];
        int r;

        /* Go drops a pair with a ';' in it (net/url parseQuery, since 1.17) */
        if (memchr(k, ';', k_bytes) || memchr(v, ';', v_bytes))
            continue;
        if (decode(k, k_bytes, name, sizeof(name)) || strcmp(name, key) != 0)
            continue;
        r = decode(v, v_bytes, out, out_bytes);
        return r ? r : 1;
    }
    return 0;
}

bool query_has_token(const char *query)
{
    /* A URL ends in histories, logs of proxies and process lists. These are refused so that nobody
     * gets used to putting a secret there; a stricter guess (";" too) costs nothing. */
    static const char *const NAMES[] = {
        "token",  "access_token", "auth_token",    "id_token",      "x-pprof-token", "api_key",
        "apikey", "bearer",       "authorization", "x_pprof_token", "password",      "secret",
    };
    const char *k, *v;
    size_t k_bytes, v_bytes;

    while (next_pair(&query, "&;", &k, &k_bytes, &v, &v_bytes)) {
        char name[QUERY_KEY_BYTES];

        if (decode(k, k_bytes, name, sizeof(name)))
            continue;
        for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
            if (strcasecmp(name, NAMES[i]) == 0)
                return true;
        }
    }
    return false;
}
