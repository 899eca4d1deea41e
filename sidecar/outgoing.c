#include "sidecar/outgoing.h"

#include <errno.h>

#include "base/num.h"
#include "sidecar/client/client.h"
#include "sidecar/client/proxy.h"
#include "sidecar/forward/backend.h"

enum {
    PORT_DNS = 53,
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
    PORT_DATADOG = 8126, /* of an agent on this host */
};

static int add_port(struct outgoing *o, uint16_t port)
{
    o->tcp = true;
    for (size_t i = 0; i < o->count; i++) {
        if (o->ports[i] == port)
            return 0;
    }
    if (o->count == SANDBOX_PORTS_MAX)
        return -E2BIG;
    o->ports[o->count++] = port;
    return 0;
}

/* What is no URL names no place; who uses it says so. */
static int add_url(struct outgoing *o, const char *text)
{
    struct client_url url;
    struct proxy proxy;
    int r;

    if (client_url_parse(text, &url, NULL))
        return 0;
    if (url.is_unix) {
        o->is_unix = true;
        return 0;
    }
    r = add_port(o, url.port);
    if (r == 0 && proxy_for(&url, getenv, &proxy, NULL) == 0 && proxy.used)
        r = add_port(o, proxy.port);
    explicit_bzero(&proxy, sizeof(proxy));
    return r;
}

/* A port that comes as a number in the environment. */
static int add_number(struct outgoing *o, const char *text, uint16_t otherwise)
{
    uint64_t port;

    if (!text || num_u64(text, strlen(text), 10, UINT16_MAX, &port) || port == 0)
        port = otherwise;
    return add_port(o, (uint16_t)port);
}

/* Google's services, the token's and the metadata server's; GCE_METADATA_HOST may have a port. */
static int add_google(struct outgoing *o)
{
    const char *host = getenv("GCE_METADATA_HOST");
    const char *colon = host ? strrchr(host, ':') : NULL;
    int r = add_url(o, "https://cloudprofiler.googleapis.com");

    return r ? r : add_number(o, colon ? colon + 1 : NULL, PORT_HTTP);
}

/* The address that forward.c will take. Datadog's agent may be at its socket only later. */
static int add_usual(struct outgoing *o, const struct config_backend *b)
{
    const struct backend_ops *ops = backend_ops_of(b->type);
    char url[CONFIG_TEXT_BYTES];
    int r = 0;

    if (ops->default_url && ops->default_url(b, url, sizeof(url), NULL) == 0)
        r = add_url(o, url);
    if (r == 0 && b->type == CONFIG_BACKEND_DATADOG && !b->api_key_file[0]) {
        o->is_unix = true;
        r = add_port(o, PORT_DATADOG);
    }
    return r;
}

static int add_backend(struct outgoing *o, const struct config_backend *b)
{
    int r = 0;

    if (b->type == CONFIG_BACKEND_DIRECTORY)
        return 0;
    if (b->type == CONFIG_BACKEND_GOOGLE)
        r = add_google(o);
    if (r)
        return r;
    return b->url[0] ? add_url(o, b->url) : add_usual(o, b);
}

static int add_kubernetes(struct outgoing *o, const struct config *c)
{
    if (c->auth.kubernetes.audiences_count == 0)
        return 0;
    if (c->auth.kubernetes.api[0])
        return add_url(o, c->auth.kubernetes.api);
    return add_number(o, getenv("KUBERNETES_SERVICE_PORT"), PORT_HTTPS);
}

int outgoing_of(const struct config *c, struct outgoing *ret)
{
    struct outgoing o = {.tcp = false};
    int r = c->collect.scrape.url[0] ? add_url(&o, c->collect.scrape.url) : 0;

    for (size_t i = 0; i < c->forward_count && r == 0; i++)
        r = add_backend(&o, &c->forward[i]);
    for (size_t i = 0; i < c->auth.issuers_count && r == 0; i++)
        r = add_url(&o, c->auth.issuers[i].jwks); /* a file's path is no URL */
    if (r == 0)
        r = add_kubernetes(&o, c);
    if (r == 0 && o.tcp)
        r = add_port(&o, PORT_DNS);
    if (r == 0)
        *ret = o;
    return r;
}

bool outgoing_within(const struct outgoing *wide, const struct outgoing *narrow)
{
    if ((narrow->tcp && !wide->tcp) || (narrow->is_unix && !wide->is_unix))
        return false;
    for (size_t i = 0; i < narrow->count; i++) {
        bool found = false;

        for (size_t j = 0; j < wide->count; j++)
            found = found || wide->ports[j] == narrow->ports[i];
        if (!found)
            return false;
    }
    return true;
}
