/*
 * A URL of the configuration is typed by its owner, so it is strict rather than kind: what a
 * browser would repair is refused with the reason. Nothing here decodes percent signs: the path
 * goes out as it was written.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <strings.h>
#include <sys/un.h>

#include "base/num.h"
#include "sidecar/client/client.h"

enum {
    URL_HOST_MAX_BYTES = 255, /* RFC 1035, 2.3.4 */
};
_Static_assert((int)URL_HOST_MAX_BYTES < (int)CONFIG_TEXT_BYTES, "a host fits");

/* RFC 1123 2.1, and the underscore that Kubernetes and Compose services have. */
static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static int take_path(const char *s, struct client_url *u, struct err *e)
{
    size_t bytes = strlen(s);

    for (size_t i = 0; i < bytes; i++) {
        if (s[i] == '?' || s[i] == '#')
            return err_set(e, -EINVAL, "a URL here has no query and no fragment");
        if (s[i] <= 0x20 || s[i] >= 0x7f)
            return err_set(e, -EINVAL, "bad byte in the URL's path: write it as %%XX");
    }
    while (bytes > 0 && s[bytes - 1] == '/')
        bytes--;
    if (bytes >= sizeof(u->path))
        return err_set(e, -EINVAL, "the URL's path is too long");
    memcpy(u->path, s, bytes);
    u->path[bytes] = '\0';
    return 0;
}

/* unix:/socket or unix:/socket:/path: the last ":/" parts them. */
static int take_unix(const char *s, struct client_url *u, struct err *e)
{
    const char *colon = strstr(s, ":/");
    size_t bytes = colon ? (size_t)(colon - s) : strlen(s);

    if (s[0] != '/')
        return err_set(e, -EINVAL, "a unix socket's path is absolute: unix:/run/agent.socket");
    if (bytes >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return err_set(e, -EINVAL, "the unix socket's path is longer than a socket's can be");
    u->is_unix = true;
    memcpy(u->host, s, bytes);
    u->host[bytes] = '\0';
    return take_path(colon ? colon + 1 : "", u, e);
}

static int take_host(const char *s, size_t bytes, struct client_url *u, struct err *e)
{
    bool bracketed = bytes >= 2 && s[0] == '[' && s[bytes - 1] == ']';
    struct in6_addr v6;

    if (bracketed) {
        s++;
        bytes -= 2;
    }
    if (bytes == 0)
        return err_set(e, -EINVAL, "the URL has no host");
    if (bytes > URL_HOST_MAX_BYTES)
        return err_set(e, -EINVAL, "the URL's host is too long");
    for (size_t i = 0; i < bytes; i++)
        u->host[i] = (s[i] >= 'A' && s[i] <= 'Z') ? (char)(s[i] + 'a' - 'A') : s[i];
    u->host[bytes] = '\0';
    if (bracketed)
        return inet_pton(AF_INET6, u->host, &v6) == 1
                   ? 0
                   : err_set(e, -EINVAL, "not an IPv6 address between the brackets");
    for (size_t i = 0; i < bytes; i++) {
        if (!is_name_byte(s[i]))
            return err_set(e, -EINVAL, "bad byte in the URL's host");
    }
    return 0;
}

static int take_authority(const char *s, size_t bytes, struct client_url *u, struct err *e)
{
    const char *bracket = memchr(s, ']', bytes);
    const char *from = bracket ? bracket : s;
    const char *colon = memchr(from, ':', bytes - (size_t)(from - s));
    size_t host = colon ? (size_t)(colon - s) : bytes;
    uint64_t port = u->tls ? 443 : 80;

    if (memchr(s, '@', bytes))
        return err_set(e, -EINVAL, "no user and password in a URL: there are keys for them");
    if (colon && (num_u64(colon + 1, bytes - host - 1, 10, 65535, &port) || port == 0))
        return err_set(e, -EINVAL, "the URL's port is not a number from 1 to 65535");
    u->port = (uint16_t)port;
    return take_host(s, host, u, e);
}

int client_url_parse(const char *text, struct client_url *ret, struct err *e)
{
    struct client_url u = {.port = 0};
    const char *s;
    size_t bytes;
    int r;

    if (strncasecmp(text, "unix:", 5) == 0) {
        r = take_unix(text + 5, &u, e);
    } else {
        u.tls = strncasecmp(text, "https://", 8) == 0;
        if (!u.tls && strncasecmp(text, "http://", 7) != 0)
            return err_set(e, -EINVAL, "a URL begins with http://, https:// or unix:/");
        s = text + (u.tls ? 8 : 7);
        bytes = strcspn(s, "/?#");
        r = take_authority(s, bytes, &u, e);
        if (r == 0)
            r = take_path(s + bytes, &u, e);
    }
    if (r == 0)
        *ret = u;
    return r;
}
