#include "sidecar/reviewer.h"

#include <errno.h>

#include "auth/review.h"
#include "base/log.h"
#include "config/files.h"
#include "config/slurp.h"
#include "sidecar/credentials.h"

enum {
    OWN_TOKEN_BYTES = 8192,
    PATH_BYTES = CLIENT_URL_BYTES + 128,
};

struct reviewer {
    struct client *client;
    char prefix[CLIENT_URL_BYTES]; /* of the URL: API servers behind a path exist */
    char token_file[CONFIG_PATH_BYTES];
    bool token_missing; /* said once */
};

/* In a Pod the kubelet sets both variables; an IPv6 address comes without brackets. */
static int find_url(const struct config *c, char *out, size_t bytes, struct err *e)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    bool v6 = host && strchr(host, ':');
    int n;

    if (c->auth.kubernetes.api[0]) {
        n = snprintf(out, bytes, "%s", c->auth.kubernetes.api);
    } else {
        if (!host || !host[0])
            return err_set(e, -EINVAL,
                           "auth.kubernetes: no KUBERNETES_SERVICE_HOST here: set api to the API "
                           "server's URL");
        n = snprintf(out, bytes, "https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "",
                     port && port[0] ? port : "443");
    }
    return n > 0 && (size_t)n < bytes ? 0 : err_set(e, -EINVAL, "auth.kubernetes: a URL too long");
}

static int open_client(struct reviewer *r, uv_loop_t *loop, const struct config *c, struct err *e)
{
    struct config_client_tls tls = {.ca = ""};
    struct client_want want = {.tls = &tls};
    char url[CONFIG_TEXT_BYTES + 32];
    int x = find_url(c, url, sizeof(url), e);

    if (x == 0)
        x = client_url_parse(url, &want.url, e);
    if (x)
        return x;
    if (!want.url.tls) /* our own token and those of the callers go there */
        return err_set(e, -EINVAL, "auth.kubernetes: api must be an https URL");
    (void)snprintf(tls.ca, sizeof(tls.ca), "%s",
                   c->auth.kubernetes.ca[0] ? c->auth.kubernetes.ca
                                            : CONFIG_SERVICE_ACCOUNT "/ca.crt");
    memcpy(r->prefix, want.url.path, sizeof(r->prefix));
    return client_new(loop, &want, &r->client, e);
}

int reviewer_new(uv_loop_t *loop, const struct config *config, struct reviewer **ret, struct err *e)
{
    struct reviewer *r;
    int x;

    *ret = NULL;
    if (config->auth.kubernetes.audiences_count == 0)
        return 0;
    r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(e, -ENOMEM, "out of memory");
    (void)snprintf(r->token_file, sizeof(r->token_file), "%s",
                   config->auth.kubernetes.token_file[0] ? config->auth.kubernetes.token_file
                                                         : CONFIG_SERVICE_ACCOUNT "/token");
    x = open_client(r, loop, config, e);
    if (x) {
        reviewer_free(r);
        return x;
    }
    *ret = r;
    return 0;
}

void reviewer_free(struct reviewer *r)
{
    if (!r)
        return;
    client_free(r->client);
    free(r);
}

static int read_token(struct reviewer *r, char *out, size_t bytes)
{
    struct err e = {0};
    int x = slurp_secret(r->token_file, out, bytes, &e);

    if (x && !r->token_missing)
        log_warn("the API server cannot be asked about credentials", LOG_STR("reason", e.text));
    r->token_missing = x != 0;
    return x;
}

int reviewer_ask(struct reviewer *r, const char *path, const struct buf *body,
                 client_answered answered, void *data, uint32_t *ret_ticket)
{
    char header[OWN_TOKEN_BYTES] = "Bearer ", whole[PATH_BYTES];
    struct client_request request = {
        .method = "POST",
        .path = whole,
        .headers = {{"Authorization", header},
                    {"Content-Type", "application/json"},
                    {"Accept", "application/json"}},
        .headers_count = 3,
        .body = body->data,
        .bytes = body->len,
        .total_ms = CREDENTIALS_REVIEW_MS,
        .body_max_bytes = REVIEW_REPLY_MAX_BYTES,
    };
    size_t word = strlen(header);
    int x = read_token(r, header + word, sizeof(header) - word);

    (void)snprintf(whole, sizeof(whole), "%s%s", r->prefix, path);
    if (x == 0)
        x = client_ask(r->client, &request, NULL, answered, data, ret_ticket);
    explicit_bzero(header, sizeof(header));
    return x;
}

void reviewer_forget(struct reviewer *r, uint32_t ticket)
{
    if (r && ticket)
        client_forget(r->client, ticket);
}
