/*
 * Everything is compared in one form: names in lower case without the root's dot, addresses as
 * binary IPv6 (IPv4 as ::ffff:a.b.c.d), so that [::1] and [0:0::1], 127.0.0.1 and the mapped form
 * that a dual-stack listener reports, are each the same host.
 */
#include "sidecar/http/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/num.h"

/* RFC 3986 would let far more into a reg-name; a name that resolves has no more than these. The
 * underscore is in no host name, but Kubernetes and Compose give such names to services. */
static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static void map_ipv4(const struct in_addr *v4, struct in6_addr *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
    memcpy(ret->s6_addr + 12, v4, sizeof(*v4));
}

/* The part before the port, already without brackets; `colons`: it must be an IPv6 address. */
static int parse_name(const char *s, size_t bytes, bool colons, struct host *h)
{
    struct in_addr v4;

    if (bytes == 0 || bytes >= sizeof(h->name))
        return -EINVAL;
    for (size_t i = 0; i < bytes; i++)
        h->name[i] = (s[i] >= 'A' && s[i] <= 'Z') ? (char)(s[i] + 'a' - 'A') : s[i];
    h->name[bytes] = '\0';
    if (colons) {
        h->is_ip = inet_pton(AF_INET6, h->name, &h->ip) == 1;
        h->name[0] = '\0';
        return h->is_ip ? 0 : -EINVAL;
    }
    /* inet_pton(3) takes four decimal numbers only: "0x7f.1" and "2130706433" stay names, which
     * are on no list, whatever a browser would make of them */
    if (inet_pton(AF_INET, h->name, &v4) == 1) {
        h->is_ip = true;
        h->name[0] = '\0';
        map_ipv4(&v4, &h->ip);
        return 0;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (!is_name_byte(h->name[i]) || (h->name[i] == '.' && (i == 0 || h->name[i - 1] == '.')))
            return -EINVAL;
    }
    /* "localhost." is the same name, fully qualified */
    if (h->name[bytes - 1] == '.')
        h->name[bytes - 1] = '\0';
    return 0;
}

/* RFC 9110 lets the port be empty; nobody sends that, and two spellings are one too many. */
static int parse_port(const char *s, struct host *h)
{
    uint64_t port;

    if (*s == '\0')
        return 0;
    if (*s != ':' || num_u64(s + 1, strlen(s + 1), 10, 65535, &port) || port == 0)
        return -EINVAL;
    h->port = (int)port;
    return 0;
}

int host_parse(const char *text, struct host *ret)
{
    struct host h = {.port = HOST_PORT_NONE};
    /* two colons and no bracket: a bare IPv6 address, as people write it into a configuration; in a
     * Host header it is ambiguous in theory and never sent */
    const char *first = strchr(text, ':');
    bool bare_v6 = text[0] != '[' && first && strchr(first + 1, ':');
    const char *end;
    int r;

    if (text[0] == '[') {
        end = strchr(text, ']');
        if (!end)
            return -EINVAL;
        r = parse_name(text + 1, (size_t)(end - text) - 1, true, &h);
        end++;
    } else {
        end = bare_v6 || !first ? text + strlen(text) : first;
        r = parse_name(text, (size_t)(end - text), bare_v6, &h);
    }
    if (r == 0)
        r = parse_port(end, &h);
    if (r == 0)
        *ret = h;
    return r;
}

int host_from_socket(const struct sockaddr_storage *addr, struct host *ret)
{
    struct host h = {.is_ip = true};

    if (addr->ss_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, addr, sizeof(in));
        map_ipv4(&in.sin_addr, &h.ip);
        h.port = ntohs(in.sin_port);
    } else if (addr->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, addr, sizeof(in6));
        h.ip = in6.sin6_addr;
        h.port = ntohs(in6.sin6_port);
    } else {
        return -EAFNOSUPPORT;
    }
    *ret = h;
    return 0;
}

void host_print(const struct host *h, char *out, size_t bytes)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(&h->ip);
    char text[INET6_ADDRSTRLEN] = "?";

    (void)inet_ntop(v4 ? AF_INET : AF_INET6, h->ip.s6_addr + (v4 ? 12 : 0), text, sizeof(text));
    (void)snprintf(out, bytes, v4 ? "%s:%d" : "[%s]:%d", text, h->port);
}

bool host_is_any(const struct host *h)
{
    /* a dual-stack socket says ::ffff:0.0.0.0 in one place and :: in another */
    struct in6_addr v4_any;

    map_ipv4(&(struct in_addr){INADDR_ANY}, &v4_any);
    return h->is_ip && (memcmp(&h->ip, &in6addr_any, sizeof(h->ip)) == 0 ||
                        memcmp(&h->ip, &v4_any, sizeof(h->ip)) == 0);
}

/* localhost, 127.0.0.0/8, ::1 */
static bool is_loopback(const struct host *h)
{
    if (!h->is_ip)
        return strcmp(h->name, "localhost") == 0;
    return memcmp(&h->ip, &in6addr_loopback, sizeof(h->ip)) == 0 ||
           (IN6_IS_ADDR_V4MAPPED(&h->ip) && h->ip.s6_addr[12] == 127);
}

bool host_matches(const struct host *allowed, const struct host *given, int listener_port)
{
    if (allowed->is_ip != given->is_ip)
        return false;
    if (given->is_ip ? memcmp(&allowed->ip, &given->ip, sizeof(given->ip)) != 0
                     : strcmp(allowed->name, given->name) != 0)
        return false;
    /* a forwarded port may have any number on the caller's side, and no rebound name is loopback's
     */
    if (is_loopback(given))
        return true;
    return given->port == HOST_PORT_NONE || listener_port == HOST_PORT_ANY ||
           given->port == listener_port || given->port == allowed->port;
}
