/*
 * Two ways to a token, one shape: a request, an answer with access_token and expires_in. With a
 * service account's key the request carries a JSON Web Token that we sign; without, the metadata
 * server of the machine knows who we are. It is asked for the project first, when none is known.
 */
#include "sidecar/forward/google_token.h"

#include <errno.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>

#include "auth/json_in.h"
#include "base/clock.h"
#include "base/magic.h"
#include "config/slurp.h"
#include "sidecar/client/client.h"
#include "sidecar/forward/backend.h"

enum {
    TOKEN_MAGIC = 0x47544f4b,
    TOKEN_BYTES = 8192,
    TOKEN_ANSWER_BYTES = 16384, /* of a request or an answer with one in it */
    TOKEN_TIMEOUT_MS = 10000,
    TOKEN_LIFE_MAX_S = 24 * 3600, /* what a server may make us believe */
    JWT_LIFE_S = 3600,            /* Google's most */
    JWT_BYTES = 8192,
    SHA256_BYTES = 32,
    SIGNATURE_BYTES = 1024, /* RSA up to 8192 bit */
    EMAIL_BYTES = 256,
};

static const char scope[] = "https://www.googleapis.com/auth/monitoring.write";
static const char usual_token_uri[] = "https://oauth2.googleapis.com/token";
static const char project_path[] = "/computeMetadata/v1/project/project-id";
static const char token_path[] = "/computeMetadata/v1/instance/service-accounts/default/token";

struct google_token {
    unsigned magic;
    struct client *client;
    bool has_key; /* else: the metadata server */
    mbedtls_pk_context key;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    char email[EMAIL_BYTES], key_id[EMAIL_BYTES], token_uri[CONFIG_TEXT_BYTES];
    char project[CONFIG_TEXT_BYTES];

    char token[TOKEN_BYTES];
    uint64_t renew_ns; /* monotonic; from then on another one is asked for */
    uint32_t ticket;   /* of the question that is open */
    google_token_came then;
    void *data;
};

/* --- the key file --- */

static int take_text(const json_t *from, const char *key, char *ret, size_t bytes)
{
    const char *text = json_in_text(from, key);

    if (!text || strlen(text) >= bytes)
        return -EINVAL;
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

static int take_key(struct google_token *t, const json_t *from)
{
    const char *pem = json_in_text(from, "private_key");

    if (!pem || mbedtls_pk_parse_key(&t->key, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0,
                                     mbedtls_ctr_drbg_random, &t->random) != 0)
        return -EINVAL;
    return mbedtls_pk_can_do(&t->key, MBEDTLS_PK_RSA) ? 0 : -EINVAL;
}

static int parse_key_file(struct google_token *t, const struct buf *text, struct err *e)
{
    json_t *file = NULL;
    int r = json_in_parse(text->data, text->len, &file, e);

    if (r)
        return r;
    if (take_text(file, "client_email", t->email, sizeof(t->email)) ||
        take_text(file, "project_id", t->project, sizeof(t->project)))
        r = err_set(e, -EINVAL, "no service account's key: client_email or project_id is missing");
    else if (take_key(t, file))
        r = err_set(e, -EINVAL, "its private_key is no RSA key in PEM");
    (void)take_text(file, "private_key_id", t->key_id, sizeof(t->key_id));
    if (take_text(file, "token_uri", t->token_uri, sizeof(t->token_uri)))
        (void)snprintf(t->token_uri, sizeof(t->token_uri), "%s", usual_token_uri);
    json_decref(file);
    return r;
}

static int read_key_file(struct google_token *t, const char *path, struct err *e)
{
    struct buf text;
    int r;

    buf_init(&text, GOOGLE_KEY_MAX_BYTES);
    r = slurp_file(path, &text, e);
    if (r == 0) {
        r = parse_key_file(t, &text, e);
        if (r)
            err_prefix(e, "%s: ", path);
    }
    if (text.data)
        explicit_bzero(text.data, text.cap);
    buf_release(&text);
    t->has_key = r == 0;
    return r;
}

/* --- the JSON Web Token (RFC 7523, 3; RFC 7515, appendix A.2) --- */

/* base64url without padding (RFC 7515, 2). */
static int put_base64url(struct buf *out, const void *data, size_t bytes)
{
    size_t from = out->len;
    int r = backend_base64(out, data, bytes);

    if (r)
        return r;
    while (out->len > from && out->data[out->len - 1] == '=')
        out->len--;
    for (size_t i = from; i < out->len; i++) {
        if (out->data[i] == '+')
            out->data[i] = '-';
        else if (out->data[i] == '/')
            out->data[i] = '_';
    }
    return 0;
}

static int put_json(struct buf *out, json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    int r = text ? put_base64url(out, text, strlen(text)) : -ENOMEM;

    free(text);
    json_decref(value);
    return r;
}

static int sign(struct google_token *t, const struct buf *text, struct buf *out)
{
    unsigned char hash[SHA256_BYTES], signature[SIGNATURE_BYTES];
    size_t n;

    if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), text->data, text->len, hash) !=
            0 ||
        mbedtls_pk_sign(&t->key, MBEDTLS_MD_SHA256, hash, sizeof(hash), signature,
                        sizeof(signature), &n, mbedtls_ctr_drbg_random, &t->random) != 0)
        return -EIO;
    return put_base64url(out, signature, n);
}

static int make_jwt(struct google_token *t, struct buf *out)
{
    json_int_t now = (json_int_t)(clock_real_ns() / CLOCK_NS_PER_SEC);
    int r =
        put_json(out, json_pack("{s:s,s:s,s:s}", "typ", "JWT", "alg", "RS256", "kid", t->key_id));

    buf_putc(out, '.');
    if (r == 0)
        r = put_json(out, json_pack("{s:s,s:s,s:s,s:I,s:I}", "iss", t->email, "aud", t->token_uri,
                                    "scope", scope, "iat", now, "exp", now + JWT_LIFE_S));
    if (r == 0) {
        struct buf signature;

        buf_init(&signature, JWT_BYTES);
        r = sign(t, out, &signature);
        buf_putc(out, '.');
        buf_put(out, signature.data, signature.len);
        buf_release(&signature);
    }
    return r ? r : out->failed ? -ENOMEM : 0;
}

/* --- asking --- */

static void answered(void *data, const struct client_answer *a);

static int ask_metadata(struct google_token *t)
{
    struct client_request request = {
        .method = "GET",
        .path = t->project[0] ? token_path : project_path,
        .headers = {{"Metadata-Flavor", "Google"}},
        .headers_count = 1,
        .total_ms = TOKEN_TIMEOUT_MS,
        .body_max_bytes = TOKEN_ANSWER_BYTES,
    };

    return client_ask(t->client, &request, NULL, answered, t, &t->ticket);
}

static int ask_with_key(struct google_token *t)
{
    struct client_request request = {
        .method = "POST",
        .path = "", /* the token_uri's */
        .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
        .headers_count = 1,
        .total_ms = TOKEN_TIMEOUT_MS,
        .body_max_bytes = TOKEN_ANSWER_BYTES,
    };
    struct buf body, jwt;
    int r;

    buf_init(&body, TOKEN_ANSWER_BYTES);
    buf_init(&jwt, JWT_BYTES);
    r = make_jwt(t, &jwt);
    buf_puts(&body, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
    buf_put(&body, jwt.data, jwt.len);
    request.body = body.data;
    request.bytes = body.len;
    if (r == 0)
        r = body.failed ? -ENOMEM : client_ask(t->client, &request, NULL, answered, t, &t->ticket);
    buf_release(&body);
    buf_release(&jwt);
    return r;
}

static int ask(struct google_token *t)
{
    return t->has_key ? ask_with_key(t) : ask_metadata(t);
}

/* --- answers --- */

static void finish(struct google_token *t, int result, const char *why)
{
    google_token_came then = t->then;
    void *data = t->data;

    t->then = NULL;
    if (then)
        then(data, result, why);
}

/* The metadata server says its name in each answer; anything else in its place is refused. */
static bool is_metadata(const struct client_answer *a)
{
    const char *flavor = client_header_of(a, "Metadata-Flavor");

    return flavor && strcmp(flavor, "Google") == 0;
}

static int take_project(struct google_token *t, const struct client_answer *a)
{
    if (a->bytes == 0 || a->bytes >= sizeof(t->project))
        return -EBADMSG;
    for (size_t i = 0; i < a->bytes; i++) {
        unsigned char c = (unsigned char)a->body[i];

        if (c < 0x21 || c > 0x7e || c == '/')
            return -EBADMSG;
    }
    memcpy(t->project, a->body, a->bytes);
    t->project[a->bytes] = '\0';
    return 0;
}

static int take_token(struct google_token *t, const struct client_answer *a)
{
    json_t *reply = NULL;
    json_int_t life;
    int r = json_in_parse(a->body, a->bytes, &reply, NULL);

    if (r)
        return r;
    life = json_integer_value(json_object_get(reply, "expires_in"));
    r = take_text(reply, "access_token", t->token, sizeof(t->token));
    for (const char *p = t->token; r == 0 && *p; p++) {
        if ((unsigned char)*p < 0x21 || (unsigned char)*p > 0x7e)
            r = -EBADMSG; /* it becomes a header's value */
    }
    if (life < 1 || life > TOKEN_LIFE_MAX_S)
        life = life < 1 ? 1 : TOKEN_LIFE_MAX_S;
    if (r == 0) {
        uint64_t early = (uint64_t)GOOGLE_TOKEN_EARLY_MS * CLOCK_NS_PER_MS;
        uint64_t half = (uint64_t)life * CLOCK_NS_PER_SEC / 2;

        t->renew_ns = clock_mono_ns() + 2 * half - (early < half ? early : half);
    }
    json_decref(reply);
    return r;
}

static void answered(void *data, const struct client_answer *a)
{
    struct google_token *t = data;
    char why[CLIENT_WHY_BYTES];

    MAGIC_CHECK(t, TOKEN_MAGIC);
    t->ticket = 0;
    if (a->fate != CLIENT_ANSWERED || a->status != 200) {
        /* the body may quote what we sent: not shown */
        if (a->fate == CLIENT_ANSWERED)
            (void)snprintf(why, sizeof(why), "no access token: HTTP %u", a->status);
        else
            (void)snprintf(why, sizeof(why), "no access token: %.200s", a->why);
        finish(t, -EIO, why);
        return;
    }
    if (!t->has_key && !is_metadata(a)) {
        finish(t, -EPROTO, "no access token: what answered is no metadata server");
        return;
    }
    if (!t->has_key && !t->project[0]) {
        int r = take_project(t, a);

        if (r == 0)
            r = ask(t);
        if (r)
            finish(t, r, "the metadata server's project id is none");
        return;
    }
    if (take_token(t, a))
        finish(t, -EBADMSG, "no access token: the answer has none");
    else
        finish(t, 0, "");
}

/* --- life --- */

static int open_client(struct google_token *t, uv_loop_t *loop, const struct config_backend *c,
                       struct err *e)
{
    const char *host = getenv("GCE_METADATA_HOST");
    struct client_want want = {.tls = &c->tls};
    char url[CONFIG_TEXT_BYTES + 16];
    int r;

    if (t->has_key)
        (void)snprintf(url, sizeof(url), "%s", t->token_uri);
    else
        (void)snprintf(url, sizeof(url), "http://%.500s",
                       host && host[0] ? host : "metadata.google.internal");
    r = client_url_parse(url, &want.url, e);
    return r ? r : client_new(loop, &want, &t->client, e);
}

int google_token_new(uv_loop_t *loop, const struct config_backend *c, struct google_token **ret,
                     struct err *e)
{
    struct google_token *t = calloc(1, sizeof(*t));
    int r = 0;

    if (!t)
        return err_set(e, -ENOMEM, "out of memory");
    t->magic = TOKEN_MAGIC;
    mbedtls_pk_init(&t->key);
    mbedtls_entropy_init(&t->entropy);
    mbedtls_ctr_drbg_init(&t->random);
    if (mbedtls_ctr_drbg_seed(&t->random, mbedtls_entropy_func, &t->entropy, NULL, 0) != 0)
        r = err_set(e, -EIO, "no random numbers");
    if (r == 0 && c->credentials_file[0])
        r = read_key_file(t, c->credentials_file, e);
    if (r == 0 && c->project[0])
        (void)snprintf(t->project, sizeof(t->project), "%s", c->project);
    if (r == 0)
        r = open_client(t, loop, c, e);
    if (r) {
        google_token_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

void google_token_free(struct google_token *t)
{
    if (!t)
        return;
    MAGIC_CHECK(t, TOKEN_MAGIC);
    client_free(t->client);
    mbedtls_pk_free(&t->key);
    mbedtls_ctr_drbg_free(&t->random);
    mbedtls_entropy_free(&t->entropy);
    explicit_bzero(t, sizeof(*t));
    free(t);
}

int google_token_get(struct google_token *t, char *out, size_t bytes, google_token_came then,
                     void *data)
{
    uint64_t now = clock_mono_ns();
    int r = 0;

    if (now < t->renew_ns) {
        if (strlen(t->token) >= bytes)
            return -ENOSPC;
        memcpy(out, t->token, strlen(t->token) + 1);
        return 0;
    }
    if (!t->ticket)
        r = ask(t);
    if (r)
        return r;
    t->then = then;
    t->data = data;
    return -EAGAIN;
}

void google_token_drop(struct google_token *t)
{
    t->renew_ns = 0;
}

const char *google_token_project(const struct google_token *t)
{
    return t->project;
}
