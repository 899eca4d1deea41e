/*
 * host.h: which Host headers are ours? A name that somebody else's DNS points at us (rebinding) is
 * not, so that a web page cannot use its visitor's browser to reach this server.
 *
 * An allowed entry without a port holds for the listener's own port and for no port in the header;
 * an entry with one ("pillion.example:8443") holds for that port too. Loopback names hold for any
 * port: `kubectl port-forward` may use another one, and no rebound name is one of them.
 */
#ifndef SIDECAR_HTTP_HOST_H
#define SIDECAR_HTTP_HOST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum {
    HOST_NAME_BYTES = 256, /* RFC 1035 2.3.4: 255, and the NUL */
    HOST_PORT_NONE = -1,
    HOST_PORT_ANY = -2, /* of a listener: unix sockets have none, so every port is as good */
};

struct host {
    bool is_ip;
    char name[HOST_NAME_BYTES]; /* lower case, without the root's dot; "" for an address */
    struct in6_addr ip;         /* IPv4 as ::ffff:a.b.c.d */
    int port;
};

/** host_parse(text, ret): a Host header or a configured host: "name", "1.2.3.4:80", "[::1]:80",
 * also "::1". 0, or -EINVAL when it is not one. */
int host_parse(const char *text, struct host *ret);

/** host_from_socket(addr, ret): the address and port of a socket, 0 or -EAFNOSUPPORT (unix). */
int host_from_socket(const struct sockaddr_storage *addr, struct host *ret);

/** host_print(h, out, bytes): an address with its port: "1.2.3.4:80", "[::1]:80". */
void host_print(const struct host *h, char *out, size_t bytes);

/** host_is_any(h): 0.0.0.0 or ::, which no client can have dialled. */
bool host_is_any(const struct host *h);

/** host_matches(allowed, given, listener_port): see above. */
bool host_matches(const struct host *allowed, const struct host *given, int listener_port);

#endif
