/*
 * What a caller needs of these is declared in config/config.h, the rest in config/text.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/un.h>

#include "base/num.h"
#include "base/utf8.h"
#include "config/text.h"

/*
 * The forms are strict on purpose: one address has few spellings, and none of them asks a resolver
 * or depends on the machine. Numbers are not tidied up: what was written is shown again.
 */
/* A port that stands after the last colon. */
static int parse_port(const char *text, uint16_t *ret)
{
    uint64_t port;
    int r = num_u64(text, strlen(text), 10, 65535, &port);

    if (r == 0)
        *ret = (uint16_t)port;
    return r;
}

static int parse_unix(const char *path, struct config_address *ret, struct err *e)
{
    size_t bytes = strlen(path);

    if (path[0] != '/' || bytes < 2)
        return err_set(e, -EINVAL, "unix: needs an absolute path, like unix:/run/pillion.sock");
    if (bytes >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return err_set(e, -EINVAL, "the path of a unix socket may have at most %zu bytes",
                       sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
    /* abstract names (a NUL first) have no permissions, so there is no spelling for them */
    ret->is_unix = true;
    memcpy(ret->host, path, bytes + 1);
    return 0;
}

/* The host part as numbers: names would make what is listened at depend on a resolver. */
static int parse_host(const char *host, size_t bytes, bool bracketed, char *out)
{
    unsigned char binary[sizeof(struct in6_addr)];

    /* ":6060": IPv4 only. "[::]:6060" takes both where the machine has IPv6 */
    if (bytes == 0 && !bracketed) {
        memcpy(out, "0.0.0.0", sizeof("0.0.0.0"));
        return 0;
    }
    if (bytes >= CONFIG_TEXT_BYTES)
        return -EINVAL;
    memcpy(out, host, bytes);
    out[bytes] = '\0';
    /* the one name that means the same everywhere (RFC 6761, 6.3) */
    if (!bracketed && strcmp(out, "localhost") == 0)
        memcpy(out, "127.0.0.1", sizeof("127.0.0.1"));
    return inet_pton(bracketed ? AF_INET6 : AF_INET, out, binary) == 1 ? 0 : -EINVAL;
}

int config_address_parse(const char *text, struct config_address *ret, struct err *e)
{
    const char *host = text;
    const char *colon = strrchr(text, ':');
    struct config_address a;
    bool bracketed = text[0] == '[';
    char clean[80];
    size_t bytes;

    memset(&a, 0, sizeof(a)); /* padding too: structs are compared whole */
    if (strncmp(text, "unix:", 5) == 0) {
        int r = parse_unix(text + 5, &a, e);

        if (r == 0)
            memcpy(ret, &a, sizeof(a));
        return r;
    }
    if (!colon)
        goto bad;
    bytes = (size_t)(colon - host);
    if (bracketed) {
        if (bytes < 2 || host[bytes - 1] != ']')
            goto bad;
        host++;
        bytes -= 2;
    }
    if (parse_host(host, bytes, bracketed, a.host) != 0 || parse_port(colon + 1, &a.port) != 0)
        goto bad;
    memcpy(ret, &a, sizeof(a));
    return 0;
bad:
    (void)err_clean(clean, sizeof(clean), text, strlen(text));
    return err_set(e, -EINVAL,
                   "\"%s\" is no address; right are 127.0.0.1:6060, [::1]:6060, :6060, unix:/path",
                   clean);
}

/* Brackets as in a URL (RFC 3986, 3.2.2), where the colons would be ambiguous. */
void config_address_print(const struct config_address *a, struct buf *out)
{
    if (a->is_unix)
        buf_printf(out, "unix:%s", a->host);
    else if (strchr(a->host, ':'))
        buf_printf(out, "[%s]:%u", a->host, a->port);
    else
        buf_printf(out, "%s:%u", a->host, a->port);
}

bool config_address_is_local(const struct config_address *a)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (a->is_unix)
        return true;
    /* all of 127.0.0.0/8 is loopback (RFC 1122, 3.2.1.3); a mapped IPv6 address is not asked */
    if (inet_pton(AF_INET, a->host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, a->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* A scope is one bit, a group several; a new bit also belongs into CONFIG_SCOPE_ALL. */
static const struct {
    const char *name;
    uint32_t bits;
} scopes_table[] = {
    {"cpu", CONFIG_SCOPE_CPU},
    {"heap", CONFIG_SCOPE_HEAP},
    {"goroutine", CONFIG_SCOPE_GOROUTINE},
    {"contention", CONFIG_SCOPE_CONTENTION},
    {"trace", CONFIG_SCOPE_TRACE},
    {"cmdline", CONFIG_SCOPE_CMDLINE},
    {"symbol", CONFIG_SCOPE_SYMBOL},
    {"metrics", CONFIG_SCOPE_METRICS},
    {"history", CONFIG_SCOPE_HISTORY},
    {"scrape", CONFIG_SCOPE_SCRAPE},
    {"view", CONFIG_SCOPE_VIEW},
    {"all", CONFIG_SCOPE_ALL},
};

enum {
    SCOPES = sizeof(scopes_table) / sizeof(scopes_table[0]),
};

/* Names as in interface.md; groups come last, so that printing finds the single ones first. */
int config_scope_from(const char *name, uint32_t *ret)
{
    for (size_t i = 0; i < SCOPES; i++) {
        if (strcmp(name, scopes_table[i].name) == 0) {
            *ret = scopes_table[i].bits;
            return 0;
        }
    }
    return -EINVAL;
}

void config_scopes_print(uint32_t scopes, struct buf *out)
{
    bool comma = false;

    if (scopes == CONFIG_SCOPE_ALL) {
        buf_puts(out, "all");
        return;
    }
    for (size_t i = 0; i < SCOPES; i++) {
        uint32_t bits = scopes_table[i].bits;

        if ((bits & (bits - 1)) != 0 || !(scopes & bits))
            continue; /* groups are named by what is in them */
        if (comma)
            buf_puts(out, ", ");
        buf_puts(out, scopes_table[i].name);
        comma = true;
    }
}

/* Unicode's own line breaks and controls, and what YAML cannot carry (YAML 1.2, 5.1). */
static bool is_unicode_control(const unsigned char *p, size_t n)
{
    if (n == 2)
        return p[0] == 0xc2 && p[1] < 0xa0;
    if (n != 3)
        return false;
    return (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) || /* U+2028, U+2029 */
           (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) ||                   /* U+FEFF */
           (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe);                     /* U+FFFE, U+FFFF */
}

bool config_text_is_clean(const void *data, size_t bytes)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < bytes;) {
        size_t n = utf8_step(p + i, bytes - i);

        if (n == 0 || (n == 1 && (p[i] < 0x20 || p[i] == 0x7f)) || is_unicode_control(p + i, n))
            return false;
        i += n;
    }
    return true;
}

#define DIGITS_AND_LETTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool config_text_is_name(const char *s)
{
    return *s && s[strspn(s, DIGITS_AND_LETTERS "._-")] == '\0';
}

bool config_text_is_profile(const char *s)
{
    for (;;) {
        size_t bytes = strspn(s, DIGITS_AND_LETTERS "._-");

        if (bytes == 0 || (bytes <= 2 && memcmp(s, "..", bytes) == 0))
            return false;
        s += bytes;
        if (*s != '/')
            return *s == '\0';
        s++;
    }
}

/*
 * No wildcard and no port: the Host header's port is whatever a tunnel or a port-forward made it,
 * and a wildcard would give DNS rebinding its way back in.
 */
bool config_text_is_host(const char *s)
{
    char inner[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    size_t bytes = strlen(s);

    if (s[0] != '[')
        return bytes < CONFIG_TEXT_BYTES && config_text_is_name(s);
    if (bytes < 4 || bytes - 2 >= sizeof(inner) || s[bytes - 1] != ']')
        return false;
    memcpy(inner, s + 1, bytes - 2);
    inner[bytes - 2] = '\0';
    return inet_pton(AF_INET6, inner, &v6) == 1;
}
