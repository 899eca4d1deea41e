#include "sidecar/collect/scrape.h"

#include <errno.h>
#include <string.h>

#include "auth/base64.h"
#include "base/log.h"
#include "base/magic.h"
#include "config/slurp.h"

enum {
    SCRAPE_MAGIC = 0x53435250,
    SCRAPE_JOBS_MAX = 64,
    SCRAPE_SECRET_BYTES = 8192,
    SCRAPE_AUTH_BYTES = 2 * SCRAPE_SECRET_BYTES,
    SCRAPE_TIMEOUT_MS = 10000,
    MS_PER_SEC = 1000,
};

/* One scrape_get() under way. */
struct scrape_job {
    uint32_t ticket; /* 0: free */
    uint32_t asked;  /* the client's */
    struct scrape *owner;
    char name[SCRAPE_NAME_BYTES];
    uint64_t seconds;
    scrape_came then;
    void *data;
};

struct scrape {
    unsigned magic;
    unsigned owners;
    struct client_url url;
    struct client *client;
    struct client *streams;
    struct config_client_auth_data auth;
    uint64_t timeout_ms;
    char header[SCRAPE_AUTH_BYTES]; /* Authorization's value; "": none */
    struct scrape_job jobs[SCRAPE_JOBS_MAX];
    uint32_t next_ticket;
};

bool scrape_name_ok(const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t bytes = strlen(name);

    return bytes > 0 && bytes < SCRAPE_NAME_BYTES && strspn(name, good) == bytes &&
           !strstr(name, "..") && name[0] != '.';
}

/* --- credentials --- */

static int basic_header(const struct config_client_auth_data *a, char *out, struct err *e)
{
    char pair[SCRAPE_SECRET_BYTES + CONFIG_TEXT_BYTES];
    int n = snprintf(pair, CONFIG_TEXT_BYTES + 1, "%s:", a->basic_user);
    int r = 0;

    if (n < 0 || n > CONFIG_TEXT_BYTES)
        return err_set(e, -EINVAL, "the user's name is too long");
    if (a->password_file[0])
        r = slurp_secret(a->password_file, pair + n, SCRAPE_SECRET_BYTES, e);
    if (r == 0) {
        (void)snprintf(out, SCRAPE_AUTH_BYTES, "Basic ");
        r = auth_base64_encode(pair, strlen(pair), out + 6, SCRAPE_AUTH_BYTES - 6);
    }
    explicit_bzero(pair, sizeof(pair));
    return r;
}

static int read_secrets(const struct config_client_auth_data *a, char *out, struct err *e)
{
    out[0] = '\0';
    if (a->basic_user[0])
        return basic_header(a, out, e);
    if (!a->bearer_file[0])
        return 0;
    (void)snprintf(out, SCRAPE_AUTH_BYTES, "Bearer ");
    return slurp_secret(a->bearer_file, out + 7, SCRAPE_AUTH_BYTES - 7, e);
}

void scrape_secrets(struct scrape *s)
{
    char header[SCRAPE_AUTH_BYTES];
    struct err e = {0};

    if (!s)
        return;
    if (read_secrets(&s->auth, header, &e) == 0)
        memcpy(s->header, header, sizeof(s->header));
    else
        log_warn("the scrape's credentials cannot be read again", LOG_STR("why", e.text));
    explicit_bzero(header, sizeof(header));
    if (client_reload(s->client, &e) || client_reload(s->streams, &e))
        log_warn("the scrape's certificates cannot be read again", LOG_STR("why", e.text));
}

/* --- asking --- */

/* Method, path and credentials; ${path}: CLIENT_URL_BYTES for the path. */
static int make_request(const struct scrape *s, const char *name, const char *query, char *path,
                        struct client_request *ret)
{
    int n = snprintf(path, CLIENT_URL_BYTES, "%s/%s%s%s", s->url.path, name, query[0] ? "?" : "",
                     query);

    if (n < 0 || n >= CLIENT_URL_BYTES)
        return -EINVAL;
    *ret = (struct client_request){.method = "GET", .path = path};
    if (s->header[0])
        ret->headers[ret->headers_count++] = (struct client_header){"Authorization", s->header};
    return 0;
}

static void answered(void *data, const struct client_answer *a);

static int job_ask(struct scrape_job *j)
{
    char query[32] = "", path[CLIENT_URL_BYTES];
    struct client_request request;
    int r;

    if (j->seconds)
        (void)snprintf(query, sizeof(query), "seconds=%llu", (unsigned long long)j->seconds);
    r = make_request(j->owner, j->name, query, path, &request);
    if (r)
        return r;
    request.total_ms = j->owner->timeout_ms + j->seconds * MS_PER_SEC;
    request.body_max_bytes = ITEM_RAW_MAX_BYTES;
    return client_ask(j->owner->client, &request, NULL, answered, j, &j->asked);
}

/* The row is free before its callback runs, which may ask again at once. */
static void finish(struct scrape_job *j, struct scrape_answer *answer)
{
    scrape_came then = j->then;
    void *data = j->data;

    answer->seconds = j->seconds;
    memset(j, 0, sizeof(*j));
    then(data, answer);
}

/* Go <= 1.22 refuses with 400 what its server's WriteTimeout would cut (net/http/pprof, Profile:
 * durationExceedsWriteTimeout). */
static bool too_long(const struct scrape_job *j, const struct client_answer *a)
{
    static const char said[] = "WriteTimeout";

    return a->fate == CLIENT_ANSWERED && a->status == 400 && j->seconds > SCRAPE_SECONDS_MIN &&
           a->bytes && memmem(a->body, a->bytes, said, sizeof(said) - 1);
}

static int result_of(const struct client_answer *a, char *why, size_t bytes)
{
    char line[128];

    if (a->fate != CLIENT_ANSWERED) {
        (void)snprintf(why, bytes, "%s", a->why);
        return a->fate == CLIENT_TOO_LARGE ? -EFBIG : -EIO;
    }
    if (a->status == 200 && a->bytes)
        return 0;
    (void)err_clean(line, sizeof(line), a->bytes ? a->body : "", a->bytes);
    (void)snprintf(why, bytes, "HTTP %u: %s", a->status, a->bytes ? line : "an empty answer");
    if (a->status == 404)
        return -ENOENT;
    return a->status == 500 ? -EBUSY : -EIO; /* Go says 500 when a CPU profile runs already */
}

static void answered(void *data, const struct client_answer *a)
{
    struct scrape_job *j = data;
    char why[SCRAPE_WHY_BYTES] = "";
    struct scrape_answer answer = {.status = a->status, .why = why};

    if (too_long(j, a)) {
        j->seconds /= 2;
        if (job_ask(j) == 0)
            return;
    }
    answer.result = result_of(a, why, sizeof(why));
    answer.body = a->body;
    answer.bytes = a->bytes;
    finish(j, &answer);
}

int scrape_get(struct scrape *s, const char *name, uint64_t seconds, scrape_came then, void *data,
               uint32_t *ret_ticket)
{
    struct scrape_job *j = NULL;
    int r;

    if (!scrape_name_ok(name))
        return -EINVAL;
    for (size_t i = 0; i < SCRAPE_JOBS_MAX && !j; i++) {
        if (!s->jobs[i].ticket)
            j = &s->jobs[i];
    }
    if (!j)
        return -EBUSY;
    *j = (struct scrape_job){.owner = s, .seconds = seconds, .then = then, .data = data};
    (void)snprintf(j->name, sizeof(j->name), "%s", name);
    r = job_ask(j);
    if (r)
        return r;
    if (++s->next_ticket == 0)
        s->next_ticket = 1;
    j->ticket = s->next_ticket;
    *ret_ticket = j->ticket;
    return 0;
}

void scrape_drop(struct scrape *s, uint32_t ticket)
{
    for (size_t i = 0; ticket && i < SCRAPE_JOBS_MAX; i++) {
        struct scrape_job *j = &s->jobs[i];

        if (j->ticket != ticket)
            continue;
        client_forget(s->client, j->asked);
        memset(j, 0, sizeof(*j));
        return;
    }
}

/* --- streams: the client's own tickets --- */

int scrape_stream(struct scrape *s, const struct scrape_want *want,
                  const struct client_stream *stream, client_answered then, void *data,
                  uint32_t *ret_ticket)
{
    char path[CLIENT_URL_BYTES];
    struct client_request request;
    int r = -EINVAL;

    if (scrape_name_ok(want->name))
        r = make_request(s, want->name, want->query, path, &request);
    if (r)
        return r;
    request.total_ms = SCRAPE_STREAM_MAX_MS;
    request.stall_ms = s->timeout_ms + want->quiet_ms;
    request.body_max_bytes = want->max_bytes;
    return client_ask(s->streams, &request, stream, then, data, ret_ticket);
}

void scrape_resume(struct scrape *s, uint32_t ticket)
{
    client_resume(s->streams, ticket);
}

void scrape_stream_drop(struct scrape *s, uint32_t ticket)
{
    if (ticket)
        client_forget(s->streams, ticket);
}

bool scrape_any_name(const struct scrape *s)
{
    return s->url.path[0] != '\0';
}

/* --- life --- */

int scrape_new(uv_loop_t *loop, const struct config *c, struct scrape **ret, struct err *e)
{
    struct client_want want = {.tls = &c->collect.scrape.tls};
    struct scrape *s;
    int r;

    *ret = NULL;
    if (!c->collect.scrape.url[0])
        return 0;
    s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, -ENOMEM, "out of memory");
    s->magic = SCRAPE_MAGIC;
    s->owners = 1;
    s->auth = c->collect.scrape.auth;
    s->timeout_ms = c->collect.scrape.timeout_ms ? c->collect.scrape.timeout_ms : SCRAPE_TIMEOUT_MS;
    r = client_url_parse(c->collect.scrape.url, &s->url, e);
    if (r == 0)
        r = read_secrets(&s->auth, s->header, e);
    want.url = s->url;
    /* a profile of N seconds says nothing for N seconds */
    want.stall_ms = s->timeout_ms + (uint64_t)WIRE_SECONDS_MAX * MS_PER_SEC;
    if (r == 0)
        r = client_new(loop, &want, &s->client, e);
    if (r == 0)
        r = client_new(loop, &want, &s->streams, e);
    if (r) {
        err_prefix(e, "collect.scrape: ");
        scrape_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct scrape *scrape_ref(struct scrape *s)
{
    s->owners++;
    return s;
}

void scrape_free(struct scrape *s)
{
    if (!s)
        return;
    MAGIC_CHECK(s, SCRAPE_MAGIC);
    if (--s->owners)
        return;
    client_free(s->client);
    client_free(s->streams);
    explicit_bzero(s->header, sizeof(s->header));
    s->magic = 0;
    free(s);
}
