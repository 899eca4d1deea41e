/*
 * Names are compared byte for byte, without folding case and without decoding: the two sides are
 * written by the same people, and each kindness here is a way to be taken for somebody else.
 */
#include "auth/certificate.h"

#include <errno.h>

/* RFC 3986, 3.3: pchar without percent-encoding; what may stand in a segment under a star. */
static bool is_segment_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~!$&'()*+,;=:@", c));
}

static bool is_segment(const char *text, size_t bytes)
{
    bool dots = (bytes == 1 && text[0] == '.') || (bytes == 2 && text[0] == '.' && text[1] == '.');

    if (bytes == 0 || dots)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (!is_segment_byte(text[i]))
            return false;
    }
    return true;
}

/* At least one segment, and nothing but such. */
static bool is_path(const char *text)
{
    for (;;) {
        size_t bytes = strcspn(text, "/");

        if (!is_segment(text, bytes))
            return false;
        if (text[bytes] == '\0')
            return true;
        text += bytes + 1;
    }
}

/* "scheme://host/" and perhaps more: a star must not stand for hosts. */
static bool has_host(const char *pattern, size_t bytes)
{
    const char *host = strstr(pattern, "://");
    const char *slash;

    if (!host || host == pattern)
        return false;
    host += 3;
    slash = strchr(host, '/');
    return slash && slash > host && slash < pattern + bytes;
}

bool auth_certificate_uri_fits(const char *pattern, const char *uri)
{
    size_t bytes = strlen(pattern);

    if (bytes < 2 || strcmp(pattern + bytes - 2, "/*") != 0)
        return strcmp(pattern, uri) == 0;
    bytes--; /* the slash belongs to the prefix: "/ns/" is no beginning of "/nsx" */
    return has_host(pattern, bytes) && strncmp(pattern, uri, bytes) == 0 && is_path(uri + bytes);
}

static bool entry_fits(const struct config_certificate *c, const struct auth_peer *peer)
{
    for (size_t i = 0; i < peer->count; i++) {
        const char *text = peer->text + peer->names[i].at;

        switch ((enum auth_name)peer->names[i].kind) {
        case AUTH_NAME_URI:
            if (c->uri[0] && auth_certificate_uri_fits(c->uri, text))
                return true;
            break;
        case AUTH_NAME_DNS:
            if (c->dns[0] && strcmp(c->dns, text) == 0)
                return true;
            break;
        case AUTH_NAME_EMAIL:
            if (c->email[0] && strcmp(c->email, text) == 0)
                return true;
            break;
        case AUTH_NAME_CN:
            if (c->cn[0] && strcmp(c->cn, text) == 0)
                return true;
            break;
        }
    }
    return false;
}

int auth_certificate_find(const struct config_certificate *list, size_t count,
                          const struct auth_peer *peer)
{
    if (!peer || !peer->verified)
        return -ENOENT;
    for (size_t i = 0; i < count; i++) {
        if (entry_fits(&list[i], peer))
            return (int)i;
    }
    return -ENOENT;
}
