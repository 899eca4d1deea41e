/*
 * request.h: a struct client_request as bytes: the request line and the headers.
 */
#ifndef SIDECAR_CLIENT_REQUEST_H
#define SIDECAR_CLIENT_REQUEST_H

#include "sidecar/client/client.h"
#include "sidecar/client/proxy.h"

/**
 * request_head(url, proxy, request, out): 0; -EINVAL: a method, path or header that would break the
 * framing, or that is ours to write (Host, Content-Length, Connection, Transfer-Encoding); -ENOMEM:
 * more than ${out} may hold. Through a proxy, and without TLS, the target is absolute (RFC 9112
 * 3.2.2).
 */
int request_head(const struct client_url *url, const struct proxy *proxy,
                 const struct client_request *request, struct buf *out);

/** request_host(url, always_port, out): "name", "[::1]:8080"; the port unless it is the scheme's
 * own and ${always_port} is false. */
void request_host(const struct client_url *url, bool always_port, struct buf *out);

#endif
