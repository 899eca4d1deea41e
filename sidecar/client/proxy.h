/*
 * proxy.h: does a request go by a proxy? The environment's variables as curl(1) reads them
 * (curl's manual, ENVIRONMENT; lib/url.c detect_proxy(), lib/noproxy.c):
 *
 * - https_proxy, then HTTPS_PROXY, for https; http_proxy for http, in lower case only, because a
 *   CGI program's HTTP_PROXY is a header of a stranger; then all_proxy, ALL_PROXY.
 * - no_proxy, then NO_PROXY: "*", or names and addresses separated by commas or spaces. A name
 *   holds for itself and what is below it; a leading dot changes nothing; "10.0.0.0/8" is a range.
 *
 * Proxies are spoken to in plain HTTP: "http://user:password@proxy:3128". Without a port: 1080.
 */
#ifndef SIDECAR_CLIENT_PROXY_H
#define SIDECAR_CLIENT_PROXY_H

#include "base/err.h"
#include "sidecar/client/client.h"

enum {
    PROXY_AUTHORIZATION_BYTES = 1024, /* "Basic " and user:password in base64 */
    PROXY_PORT = 1080,                /* curl's, when the proxy's URL has none */
};

struct proxy {
    bool used;
    char host[CONFIG_TEXT_BYTES];
    uint16_t port;
    char authorization[PROXY_AUTHORIZATION_BYTES]; /* a secret; "": none */
};

/* getenv(3), or a test's. */
typedef char *(*proxy_env)(const char *name);

/**
 * proxy_for(url, env, ret, e): 0, and ret->used tells; -EINVAL for a proxy's URL that cannot be
 * used (https, socks: the text says so and holds nothing of its user info).
 */
int proxy_for(const struct client_url *url, proxy_env env, struct proxy *ret, struct err *e);

/** proxy_is_loopback(host): localhost and what is below it, 127.0.0.0/8, ::1. */
bool proxy_is_loopback(const char *host);

#endif
