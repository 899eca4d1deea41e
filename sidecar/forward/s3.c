/*
 * Object storage with Amazon's S3 API, also the others' who speak it: one PUT an item, under a name
 * that has its time and id, so that a repeated one overwrites itself. Signed at the moment of
 * sending (SigV4 has a clock). Meant for jobs that end before anybody scrapes them.
 */
#include <errno.h>

#include "sidecar/forward/backend.h"
#include "sidecar/forward/file_name.h"
#include "sidecar/forward/sigv4.h"

enum {
    S3_KEY_BYTES = CONFIG_PATH_BYTES + FILE_NAME_BYTES,
    HTTPS_PORT = 443,
    HTTP_PORT = 80,
};

/* The bucket stands in the path, unless the host's name already begins with it. */
static bool host_has_bucket(const struct backend_plan *plan)
{
    size_t bytes = strlen(plan->config.bucket);

    return strncmp(plan->url.host, plan->config.bucket, bytes) == 0 && plan->url.host[bytes] == '.';
}

static int shape(const struct backend_plan *plan, const struct backend_input *in,
                 struct backend_shaped *ret, struct err *e)
{
    struct backend_part *part = &ret->parts[0];
    const char *prefix = plan->config.path;
    char name[FILE_NAME_BYTES], key[S3_KEY_BYTES];
    int n;

    file_name_deep(in->item, backend_service(plan, in->item), name);
    while (*prefix == '/')
        prefix++;
    n = snprintf(key, sizeof(key), "%s/%s%s%s%s%s", plan->url.path,
                 host_has_bucket(plan) ? "" : plan->config.bucket, host_has_bucket(plan) ? "" : "/",
                 prefix, prefix[0] && prefix[strlen(prefix) - 1] != '/' ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof(key) || sigv4_encode(key, part->path, sizeof(part->path)))
        return err_set(e, -EINVAL, "the object's name is too long");
    part->method = "PUT";
    part->headers[0] = (struct client_header){"Content-Type", "application/octet-stream"};
    part->headers_count = 1;
    buf_init(&part->body, in->gzip_bytes);
    buf_put(&part->body, in->gzip, in->gzip_bytes);
    if (part->body.failed)
        return err_set(e, -ENOMEM, "out of memory");
    ret->count = 1;
    return 0;
}

/* As client.c writes the Host header: what is signed has to be what is sent. */
static void host_of(const struct client_url *url, char *ret, size_t bytes)
{
    bool v6 = strchr(url->host, ':') != NULL;
    bool usual = url->port == (url->tls ? HTTPS_PORT : HTTP_PORT);

    if (usual)
        (void)snprintf(ret, bytes, "%s%s%s", v6 ? "[" : "", url->host, v6 ? "]" : "");
    else
        (void)snprintf(ret, bytes, "%s%s%s:%u", v6 ? "[" : "", url->host, v6 ? "]" : "", url->port);
}

/* Room for one value in ${texts}; moves both on. */
static char *take(char **texts, size_t *left, size_t bytes)
{
    char *text = *texts;

    if (bytes > *left)
        return NULL;
    *texts += bytes;
    *left -= bytes;
    return text;
}

static void add(struct client_request *request, const char *name, const char *value)
{
    request->headers[request->headers_count++] = (struct client_header){name, value};
}

static int head(const struct backend_plan *plan, const struct backend_secrets *secrets,
                const struct backend_part *part, uint64_t now_real_ns,
                struct client_request *request, char *texts, size_t texts_bytes, struct err *e)
{
    enum { AUTHORIZATION_BYTES = 2048 };
    char host[CONFIG_TEXT_BYTES + 16];
    char *stamp = take(&texts, &texts_bytes, SIGV4_STAMP_BYTES);
    char *hash = take(&texts, &texts_bytes, SIGV4_HASH_BYTES);
    char *authorization = take(&texts, &texts_bytes, AUTHORIZATION_BYTES);
    struct sigv4_want want = {
        .method = part->method,
        .path = part->path,
        .query = "",
        .access_key = plan->config.access_key_id,
        .secret_key = secrets->secret_key,
        .region = plan->config.region[0] ? plan->config.region : "us-east-1",
        .service = "s3",
    };

    if (!authorization)
        return err_set(e, -ENOSPC, "no room for the signature");
    sigv4_stamp(now_real_ns, stamp);
    sigv4_hash(part->body.data, part->body.len, hash);
    host_of(&plan->url, host, sizeof(host));
    want.stamp = stamp;
    want.hash = hash;
    want.headers[want.headers_count].name = "host";
    want.headers[want.headers_count++].value = host;
    want.headers[want.headers_count].name = "x-amz-content-sha256";
    want.headers[want.headers_count++].value = hash;
    want.headers[want.headers_count].name = "x-amz-date";
    want.headers[want.headers_count++].value = stamp;
    if (secrets->session_token[0]) {
        want.headers[want.headers_count].name = "x-amz-security-token";
        want.headers[want.headers_count++].value = secrets->session_token;
        add(request, "x-amz-security-token", secrets->session_token);
    }
    if (sigv4_sign(&want, authorization, AUTHORIZATION_BYTES))
        return err_set(e, -ENOSPC, "the signature does not fit");
    add(request, "x-amz-content-sha256", hash);
    add(request, "x-amz-date", stamp);
    add(request, "Authorization", authorization);
    return 0;
}

/* What stands in <name>…</name>, of XML that may be anything: a text to show, nothing more. */
static const char *element(const struct client_answer *a, const char *name, size_t *ret_bytes)
{
    char open[32];
    int n = snprintf(open, sizeof(open), "<%s>", name);
    const char *from = a->bytes ? memmem(a->body, a->bytes, open, (size_t)n) : NULL;
    const char *end;

    if (!from)
        return NULL;
    from += n;
    end = memchr(from, '<', a->bytes - (size_t)(from - a->body));
    *ret_bytes = end ? (size_t)(end - from) : 0;
    return end ? from : NULL;
}

/* "HTTP 403: SignatureDoesNotMatch: The request…": of the first line only the XML's head is seen.
 */
static void tell(const struct client_answer *a, char *why, size_t why_bytes)
{
    size_t code_bytes = 0, text_bytes = 0, used;
    const char *code = element(a, "Code", &code_bytes);
    const char *text = element(a, "Message", &text_bytes);
    char both[CLIENT_WHY_BYTES];

    if (!code)
        return;
    used = (size_t)snprintf(both, sizeof(both), "%.*s%s%.*s",
                            (int)(code_bytes < 64 ? code_bytes : 64), code, text ? ": " : "",
                            (int)(text_bytes < 160 ? text_bytes : 160), text ? text : "");
    backend_why_text(a->status, both, used < sizeof(both) ? used : sizeof(both) - 1, why,
                     why_bytes);
}

/* Wrong bucket, region or key: nothing about this one profile, so all of them wait (403, 404 and
 * redirects as usual). */
static enum backend_verdict judge(const struct backend_plan *plan, const struct client_answer *a,
                                  char *why, size_t why_bytes)
{
    enum backend_verdict v = backend_judge_usual(a, why, why_bytes);

    (void)plan;
    if (a->status >= 400)
        tell(a, why, why_bytes);
    return v;
}

const struct backend_ops backend_s3 = {
    .name = "s3",
    .shape = shape,
    .head = head,
    .judge = judge,
    .idempotent = true,
};
