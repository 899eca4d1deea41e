/*
 * User info of a proxy's URL is the only secret that this folder makes itself: it is decoded and
 * encoded in place, goes into one header to the proxy, and never into an error's text.
 */
#include "sidecar/client/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mbedtls/base64.h>
#include <strings.h>

#include "base/num.h"

enum {
    PROXY_USER_INFO_BYTES = 512,
    PROXY_LIST_MAX_BYTES = 16 * 1024, /* of no_proxy; what stands after that does not count */
};

static bool ends_with(const char *host, const char *name, size_t bytes)
{
    size_t all = strlen(host);

    return all >= bytes && strncasecmp(host + all - bytes, name, bytes) == 0 &&
           (all == bytes || host[all - bytes - 1] == '.');
}

bool proxy_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return ends_with(host, "localhost", strlen("localhost"));
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned rest = bits % 8;

    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

/* "10.0.0.0/8", "fd00::/8", or an address alone. */
static bool in_range(const char *host, const char *token, size_t bytes)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char a[16], b[16];
    const char *slash = memchr(token, '/', bytes);
    size_t length = slash ? (size_t)(slash - token) : bytes;
    int family = memchr(token, ':', bytes) ? AF_INET6 : AF_INET;
    uint64_t all = family == AF_INET ? 32 : 128;
    uint64_t bits = all;

    if (length > 2 && token[0] == '[' && token[length - 1] == ']') {
        token++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof(text))
        return false;
    memcpy(text, token, length);
    text[length] = '\0';
    if (inet_pton(family, text, a) != 1 || inet_pton(family, host, b) != 1)
        return false;
    if (slash && num_u64(slash + 1, bytes - (size_t)(slash + 1 - token), 10, all, &bits) != 0)
        return false;
    return same_bits(a, b, (unsigned)bits);
}

static bool is_excepted(const char *host, const char *list)
{
    size_t left = strnlen(list, PROXY_LIST_MAX_BYTES);

    while (left > 0) {
        size_t bytes = 0, name;

        while (bytes < left && !strchr(", \t", list[bytes]))
            bytes++;
        if (bytes == 1 && list[0] == '*')
            return true;
        name = bytes > 0 && list[0] == '.' ? 1 : 0;
        if (bytes > name && (ends_with(host, list + name, bytes - name) ||
                             in_range(host, list + name, bytes - name)))
            return true;
        if (bytes == left)
            break;
        list += bytes + 1;
        left -= bytes + 1;
    }
    return false;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* user:password with %XX, as RFC 3986 3.2.1 has it, to "Basic …" (RFC 7617). */
static int take_user_info(const char *s, size_t bytes, struct proxy *p, struct err *e)
{
    unsigned char plain[PROXY_USER_INFO_BYTES];
    size_t n = 0, written = 0;
    int r = 0;

    for (size_t i = 0; i < bytes; i++) {
        int c = (unsigned char)s[i];

        if (c == '%' && i + 2 < bytes && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
            c = hex(s[i + 1]) << 4 | hex(s[i + 2]);
            i += 2;
        }
        if (n == sizeof(plain) - 1) { /* one is left for a colon */
            r = err_set(e, -EINVAL, "the user and password of the proxy's URL are too long");
            goto out;
        }
        plain[n++] = (unsigned char)c;
    }
    if (!memchr(s, ':', bytes))
        plain[n++] = ':';
    (void)snprintf(p->authorization, sizeof(p->authorization), "Basic ");
    if (mbedtls_base64_encode((unsigned char *)p->authorization + 6, sizeof(p->authorization) - 6,
                              &written, plain, n) != 0)
        r = err_set(e, -EINVAL, "the user and password of the proxy's URL are too long");
out:
    explicit_bzero(plain, sizeof(plain));
    return r;
}

/* "[http://][user[:password]@]host[:port][/]" */
static int take_proxy(const char *text, struct proxy *p, struct err *e)
{
    char plain[CONFIG_TEXT_BYTES + sizeof("http://:65535")];
    const char *scheme = strstr(text, "://");
    const char *s = scheme ? scheme + 3 : text;
    size_t bytes = strcspn(s, "/?#");
    const char *at = memrchr(s, '@', bytes);
    struct client_url u;
    const char *after;
    int r = 0;

    if (scheme && strncasecmp(text, "http://", 7) != 0)
        return err_set(e, -EINVAL, "only proxies with http:// can be used");
    if (at) {
        r = take_user_info(s, (size_t)(at - s), p, e);
        bytes -= (size_t)(at + 1 - s);
        s = at + 1;
    }
    if (r)
        return r;
    if (bytes >= CONFIG_TEXT_BYTES)
        return err_set(e, -EINVAL, "the proxy's URL is too long");
    after = memrchr(s, ']', bytes);
    after = after ? after : s;
    (void)snprintf(plain, sizeof(plain), "http://%.*s", (int)bytes, s);
    if (!memchr(after, ':', bytes - (size_t)(after - s)))
        (void)snprintf(plain + strlen(plain), sizeof(plain) - strlen(plain), ":%d", PROXY_PORT);
    r = client_url_parse(plain, &u, e);
    if (r)
        return r;
    (void)snprintf(p->host, sizeof(p->host), "%s", u.host);
    p->port = u.port;
    p->used = true;
    return 0;
}

static const char *first_of(proxy_env env, const char *const *names)
{
    for (; *names; names++) {
        const char *value = env(*names);

        if (value && value[0])
            return value;
    }
    return NULL;
}

int proxy_for(const struct client_url *url, proxy_env env, struct proxy *ret, struct err *e)
{
    static const char *const HTTPS[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                        NULL};
    static const char *const HTTP[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const NONE[] = {"no_proxy", "NO_PROXY", NULL};
    struct proxy p = {.used = false};
    const char *value, *list;
    int r;

    *ret = p;
    if (url->is_unix || proxy_is_loopback(url->host))
        return 0;
    value = first_of(env, url->tls ? HTTPS : HTTP);
    list = first_of(env, NONE);
    if (!value || (list && is_excepted(url->host, list)))
        return 0;
    r = take_proxy(value, &p, e);
    if (r)
        err_prefix(e, "%s", url->tls ? "https_proxy" : "http_proxy");
    else
        *ret = p;
    explicit_bzero(&p, sizeof(p));
    return r;
}
