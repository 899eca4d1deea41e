/*
 * What the encoders share. Answers are hostile: their texts are cut and cleaned before anybody sees
 * them.
 */
#include "sidecar/forward/backend.h"

#include <errno.h>
#include <mbedtls/base64.h>
#include <mbedtls/platform_util.h>
#include <stdarg.h>

#include "base/utf8.h"

enum {
    BACKEND_STATUS_BYTES = 16, /* "HTTP 429: " */
};

void backend_shaped_release(struct backend_shaped *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count && i < BACKEND_PARTS_MAX; i++)
        buf_release(&s->parts[i].body);
    s->count = 0;
}

/* ---- Answers */

/* The first line; control characters (a terminal's too) become '?', bad bytes as well. */
static void clean_line(char *out, size_t out_bytes, const char *in, size_t bytes)
{
    char line[CLIENT_WHY_BYTES] = {0};
    size_t n = 0, used = 0;

    while (n < bytes && n < sizeof(line) - 1 && in[n] != '\n' && in[n] != '\r' && in[n] != '\0') {
        line[n] = in[n];
        n++;
    }
    for (size_t i = 0; i < n;) {
        size_t step = utf8_step((const unsigned char *)line + i, n - i);
        bool bad = step == 0 || utf8_control(line + i) > 0;

        if (used + (bad ? 1 : step) >= out_bytes)
            break;
        if (bad)
            out[used++] = '?';
        for (size_t j = 0; !bad && j < step; j++)
            out[used++] = line[i + j];
        i += step ? step : 1;
    }
    out[used] = '\0';
}

void backend_why_text(unsigned status, const char *text, size_t text_bytes, char *why,
                      size_t why_bytes)
{
    int n;

    if (why_bytes == 0)
        return;
    n = snprintf(why, why_bytes, text_bytes ? "HTTP %u: " : "HTTP %u", status);
    if (text_bytes && n > 0 && (size_t)n < why_bytes)
        clean_line(why + n, why_bytes - (size_t)n, text, text_bytes);
}

void backend_why(const struct client_answer *a, char *why, size_t why_bytes)
{
    size_t skip = 0;

    while (skip < a->bytes && (a->body[skip] == ' ' || a->body[skip] == '\n' ||
                               a->body[skip] == '\r' || a->body[skip] == '\t'))
        skip++;
    backend_why_text(a->status, a->bytes ? a->body + skip : "", a->bytes - skip, why, why_bytes);
}

/* A redirect, or nothing there that takes a POST: about the URL, and so about all profiles. */
static bool is_misdirected(const struct client_answer *a)
{
    return (a->status >= 300 && a->status <= 399) || a->status == 404 || a->status == 405;
}

static void add_location(const struct client_answer *a, char *why, size_t why_bytes)
{
    size_t used = strlen(why);
    int n = snprintf(why + used, why_bytes - used, ", not followed to ");

    if (n > 0 && used + (size_t)n < why_bytes)
        clean_line(why + used + n, why_bytes - used - (size_t)n, a->location, strlen(a->location));
}

enum backend_verdict backend_judge_usual(const struct client_answer *a, char *why, size_t why_bytes)
{
    backend_why(a, why, why_bytes);
    if (a->status >= 200 && a->status <= 299)
        return BACKEND_TAKEN;
    if (is_misdirected(a)) {
        if (a->location[0] && why_bytes > 0)
            add_location(a, why, why_bytes);
        return BACKEND_BLOCKED;
    }
    if (a->status == 401 || a->status == 403)
        return BACKEND_BLOCKED;
    if (a->status == 413)
        return BACKEND_SPLIT;
    if (a->status == 408 || a->status == 429 || (a->status >= 500 && a->status <= 599))
        return BACKEND_RETRY;
    return BACKEND_NEVER;
}

bool backend_is_page(const struct client_answer *a, char *why, size_t why_bytes)
{
    if (a->status < 200 || a->status > 299 || strcmp(a->content_type, "text/html") != 0)
        return false;
    if (why_bytes > 0)
        (void)snprintf(why, why_bytes, "HTTP %u with a web page: this URL is not the backend's API",
                       a->status);
    return true;
}

/* ---- Requests */

/* What is used of part->texts: the values that lie in it are its content. */
static size_t texts_used(const struct backend_part *part)
{
    size_t used = 0;

    for (size_t i = 0; i < part->headers_count; i++) {
        const char *value = part->headers[i].value;

        if (value >= part->texts && value < part->texts + sizeof(part->texts)) {
            size_t end = (size_t)(value - part->texts) + strlen(value) + 1;

            used = end > used ? end : used;
        }
    }
    return used;
}

int backend_header(struct backend_part *part, const char *name, const char *fmt, ...)
{
    size_t used = texts_used(part), room = sizeof(part->texts) - used;
    char *value = part->texts + used;
    va_list ap;
    int n;

    if (part->headers_count == BACKEND_HEADERS_MAX)
        return -ENOSPC;
    va_start(ap, fmt);
    n = vsnprintf(value, room, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= room)
        return -ENOSPC;
    part->headers[part->headers_count++] = (struct client_header){name, value};
    return 0;
}

int backend_part_add(struct backend_shaped *s, const struct backend_plan *plan, const char *path,
                     const char *content_type, size_t max_bytes, struct backend_part **ret,
                     struct err *e)
{
    struct backend_part *part;
    int n;

    if (s->count == BACKEND_PARTS_MAX)
        return err_set(e, -EFBIG, "the profile needs more than %d requests", BACKEND_PARTS_MAX);
    part = &s->parts[s->count];
    *part = (struct backend_part){.method = "POST"};
    n = snprintf(part->path, sizeof(part->path), "%s%s", plan->url.path, path);
    if (n < 0 || (size_t)n >= sizeof(part->path))
        return err_set(e, -EINVAL, "the URL's path is too long");
    part->headers[part->headers_count++] = (struct client_header){"Content-Type", content_type};
    buf_init(&part->body, max_bytes);
    s->count++;
    *ret = part;
    return 0;
}

int backend_base64(struct buf *out, const void *data, size_t bytes)
{
    size_t need = (bytes + 2) / 3 * 4 + 1, n = 0; /* mbedTLS writes a NUL too */
    unsigned char *to = buf_reserve(out, need);

    if (!to || mbedtls_base64_encode(to, need, &n, data, bytes) != 0)
        return -ENOMEM;
    out->len += n;
    return 0;
}

/* ---- Identity */

const char *backend_label(const struct backend_plan *plan, const char *key)
{
    for (size_t i = 0; i < plan->labels_count; i++) {
        if (strcmp(plan->labels[i].key, key) == 0)
            return plan->labels[i].value;
    }
    return NULL;
}

const char *backend_service(const struct backend_plan *plan, const struct item *item)
{
    const char *name = backend_label(plan, "service_name");

    if (name && *name)
        return name;
    if (plan->service[0])
        return plan->service;
    return item->target[0] ? item->target : "unknown";
}

/* ---- Credentials. Nothing of them may be in an error's text. */

static int add_head(struct client_request *request, const char *name, const char *value,
                    struct err *e)
{
    if (request->headers_count == CLIENT_REQUEST_HEADERS_MAX)
        return err_set(e, -ENOSPC, "too many headers");
    request->headers[request->headers_count++] = (struct client_header){name, value};
    return 0;
}

/* "Basic " and base64 of user:password, RFC 7617. The clear text is wiped. */
static int basic(const char *user, const char *password, char *texts, size_t texts_bytes,
                 struct err *e)
{
    static const char scheme[] = "Basic ";
    char clear[CONFIG_TEXT_BYTES + BACKEND_SECRET_BYTES];
    int n = snprintf(clear, sizeof(clear), "%s:%s", user, password);
    size_t used;
    int rc = -ENOSPC;

    if (n > 0 && (size_t)n < sizeof(clear) && texts_bytes > sizeof(scheme)) {
        memcpy(texts, scheme, sizeof(scheme) - 1);
        if (mbedtls_base64_encode((unsigned char *)texts + sizeof(scheme) - 1,
                                  texts_bytes - sizeof(scheme) + 1, &used,
                                  (const unsigned char *)clear, (size_t)n) == 0)
            rc = 0;
    }
    mbedtls_platform_zeroize(clear, sizeof(clear));
    return rc ? err_set(e, rc, "user and password are too long for a header") : 0;
}

int backend_auth_head(const struct backend_plan *plan, const struct backend_secrets *secrets,
                      struct client_request *request, char *texts, size_t texts_bytes,
                      struct err *e)
{
    const struct config_client_auth_data *auth = &plan->config.auth;
    int n, rc;

    if (auth->bearer_file[0]) {
        if (!secrets->bearer[0])
            return err_set(e, -EACCES, "no token in %s", auth->bearer_file);
        n = snprintf(texts, texts_bytes, "Bearer %s", secrets->bearer);
        if (n < 0 || (size_t)n >= texts_bytes)
            return err_set(e, -ENOSPC, "the token in %s is too long for a header",
                           auth->bearer_file);
        return add_head(request, "Authorization", texts, e);
    }
    if (auth->basic_user[0]) {
        if (auth->password_file[0] && !secrets->password[0])
            return err_set(e, -EACCES, "no password in %s", auth->password_file);
        rc = basic(auth->basic_user, secrets->password, texts, texts_bytes, e);
        return rc ? rc : add_head(request, "Authorization", texts, e);
    }
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): the table's signature */
int backend_head(const struct backend_plan *plan, const struct backend_secrets *secrets,
                 const struct backend_part *part, uint64_t now_real_ns,
                 struct client_request *request, char *texts, size_t texts_bytes, struct err *e)
{
    (void)part;
    (void)now_real_ns;
    return backend_auth_head(plan, secrets, request, texts, texts_bytes, e);
}
