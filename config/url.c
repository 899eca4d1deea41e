/*
 * RFC 3986 as far as it is needed, and strict: one spelling, names and numbers only, nothing that
 * a resolver, a proxy and a server could read in three ways.
 */
#include "config/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/un.h>

#include "base/num.h"
#include "config/text.h"

/* What may stand in a path: unreserved, sub-delims, ':', '@', '%' and '/' (RFC 3986, 3.3). */
#define PATH_BYTES                                                   \
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
    "-._~!$&'()*+,;=:@%/"

static const char *after(const char *text, const char *scheme)
{
    size_t bytes = strlen(scheme);

    return strncmp(text, scheme, bytes) == 0 ? text + bytes : NULL;
}

static int check_path(const char *path, struct err *e)
{
    const char *end = path + strspn(path, PATH_BYTES);

    if (*end == '?' || *end == '#')
        return err_set(e, -EINVAL, "the URL must end with its path, without ? and #");
    if (*end)
        return err_set(e, -EINVAL, "the URL holds a byte that must be written as %%XX");
    return 0;
}

/* "host", "host:port", "[::1]:port"; the host's bytes go to ${host}. */
static bool split_authority(const char *text, size_t bytes, char host[CONFIG_TEXT_BYTES])
{
    const char *end = text + bytes;
    const char *colon = text[0] == '[' ? memchr(text, ']', bytes) : text;
    uint64_t port;

    if (!colon || bytes >= CONFIG_TEXT_BYTES)
        return false;
    colon = memchr(colon, ':', (size_t)(end - colon));
    if (colon && num_u64(colon + 1, (size_t)(end - colon - 1), 10, 65535, &port) != 0)
        return false;
    if (colon && port == 0)
        return false;
    bytes = (size_t)((colon ? colon : end) - text);
    memcpy(host, text, bytes);
    host[bytes] = '\0';
    return config_text_is_host(host);
}

static int check_http(const char *rest, struct err *e)
{
    size_t bytes = strcspn(rest, "/?#");
    char host[CONFIG_TEXT_BYTES];

    if (memchr(rest, '@', bytes))
        return err_set(e, -EINVAL,
                       "a URL must not hold a user or a password; name a file with it instead");
    if (!split_authority(rest, bytes, host))
        return err_set(e, -EINVAL, "the URL needs a host, like https://host or https://host:443");
    return check_path(rest + bytes, e);
}

/* A socket's path has no colon here, so that what follows one is the URL's path. */
static int check_unix(const char *rest, uint32_t kinds, struct err *e)
{
    size_t bytes = strcspn(rest, ":");

    if (rest[0] != '/' || bytes < 2)
        return err_set(e, -EINVAL, "unix: needs an absolute path, like unix:/run/app.sock");
    if (bytes >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return err_set(e, -EINVAL, "the path of a unix socket may have at most %zu bytes",
                       sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
    if (!(kinds & CONFIG_URL_UNIX_PATH))
        return rest[bytes] ? err_set(e, -EINVAL, "nothing may follow the socket's path") : 0;
    if (rest[bytes] != ':' || rest[bytes + 1] != '/')
        return err_set(e, -EINVAL,
                       "behind the socket a path is needed, like unix:/run/app.sock:/debug/pprof");
    return check_path(rest + bytes + 1, e);
}

static int wrong_scheme(uint32_t kinds, struct err *e)
{
    return err_set(e, -EINVAL, "right is%s%s%s%s",
                   kinds & CONFIG_URL_HTTP ? " http://host:port," : "",
                   kinds & CONFIG_URL_HTTPS ? " https://host" : "",
                   kinds & CONFIG_URL_UNIX ? " or unix:/path" : "",
                   kinds & CONFIG_URL_UNIX_PATH ? " or unix:/path:/url/path" : "");
}

int config_url_check(const char *text, uint32_t kinds, struct err *e)
{
    const char *rest = after(text, "https://");

    if (rest && (kinds & CONFIG_URL_HTTPS))
        return check_http(rest, e);
    rest = after(text, "http://");
    if (rest && (kinds & CONFIG_URL_HTTP))
        return check_http(rest, e);
    rest = after(text, "unix:");
    if (rest && (kinds & (CONFIG_URL_UNIX | CONFIG_URL_UNIX_PATH)))
        return check_unix(rest, kinds, e);
    return wrong_scheme(kinds, e);
}

bool config_url_is_https(const char *text)
{
    return after(text, "https://") != NULL;
}

bool config_url_is_open(const char *text)
{
    const char *rest = after(text, "http://");
    struct config_address a = {0};
    char host[CONFIG_TEXT_BYTES];

    if (!rest || !split_authority(rest, strcspn(rest, "/?#"), host) ||
        strcmp(host, "localhost") == 0)
        return false;
    /* without the brackets; a name that is no address is somewhere else */
    memcpy(a.host, host[0] == '[' ? host + 1 : host, sizeof(a.host) - 1);
    a.host[strcspn(a.host, "]")] = '\0';
    return !config_address_is_local(&a);
}
