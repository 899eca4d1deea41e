#include "sidecar/forward/sigv4.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <mbedtls/md.h>

#include "auth/auth.h"
#include "base/buf.h"
#include "base/clock.h"

enum {
    SHA256_BYTES = 32,
    SIGV4_DATE_BYTES = 8, /* the front of the stamp */
    SIGV4_SECRET_BYTES = 4096,
};

static const char algorithm[] = "AWS4-HMAC-SHA256";

static void hex(const unsigned char *data, size_t bytes, char *ret)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes; i++) {
        *ret++ = digits[data[i] >> 4];
        *ret++ = digits[data[i] & 15];
    }
    *ret = '\0';
}

void sigv4_stamp(uint64_t real_ns, char ret[static SIGV4_STAMP_BYTES])
{
    time_t seconds = (time_t)(real_ns / CLOCK_NS_PER_SEC);
    struct tm tm = {0};

    (void)gmtime_r(&seconds, &tm);
    if (strftime(ret, SIGV4_STAMP_BYTES, "%Y%m%dT%H%M%SZ", &tm) == 0)
        ret[0] = '\0';
}

void sigv4_hash(const void *data, size_t bytes, char ret[static SIGV4_HASH_BYTES])
{
    auth_sha256_hex(data ? data : "", bytes, ret);
}

int sigv4_encode(const char *text, char *ret, size_t bytes)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-._~/";
    size_t used = 0;

    for (; *text; text++) {
        bool keep = strchr(plain, *text) != NULL;

        if (used + (keep ? 1 : 3) >= bytes)
            return -ENOSPC;
        if (keep)
            ret[used++] = *text;
        else
            used += (size_t)snprintf(ret + used, bytes - used, "%%%02X", (unsigned char)*text);
    }
    if (bytes == 0)
        return -ENOSPC;
    ret[used] = '\0';
    return 0;
}

static void hmac(const void *key, size_t key_bytes, const char *text,
                 unsigned char ret[SHA256_BYTES])
{
    (void)mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), key, key_bytes,
                          (const unsigned char *)text, strlen(text), ret);
}

/* Date, region, service: a key that is worth nothing elsewhere or tomorrow. */
static int signing_key(const struct sigv4_want *w, unsigned char ret[SHA256_BYTES])
{
    char first[SIGV4_SECRET_BYTES + 8], date[SIGV4_DATE_BYTES + 1];
    unsigned char step[SHA256_BYTES];
    int n = snprintf(first, sizeof(first), "AWS4%s", w->secret_key);

    if (n < 0 || (size_t)n >= sizeof(first))
        return -ENOSPC;
    (void)snprintf(date, sizeof(date), "%.*s", SIGV4_DATE_BYTES, w->stamp);
    hmac(first, (size_t)n, date, ret);
    hmac(ret, SHA256_BYTES, w->region, step);
    hmac(step, SHA256_BYTES, w->service, ret);
    hmac(ret, SHA256_BYTES, "aws4_request", step);
    memcpy(ret, step, SHA256_BYTES);
    explicit_bzero(first, sizeof(first));
    explicit_bzero(step, sizeof(step));
    return 0;
}

static void names(const struct sigv4_want *w, struct buf *out)
{
    for (size_t i = 0; i < w->headers_count; i++)
        buf_printf(out, "%s%s", i ? ";" : "", w->headers[i].name);
}

static int canonical_hash(const struct sigv4_want *w, char ret[static SIGV4_HASH_BYTES])
{
    struct buf text;
    int r = 0;

    buf_init(&text, SIGV4_TEXT_BYTES + SIGV4_SECRET_BYTES * 2);
    buf_printf(&text, "%s\n%s\n%s\n", w->method, w->path, w->query);
    for (size_t i = 0; i < w->headers_count; i++)
        buf_printf(&text, "%s:%s\n", w->headers[i].name, w->headers[i].value);
    buf_putc(&text, '\n');
    names(w, &text);
    buf_printf(&text, "\n%s", w->hash);
    if (text.failed)
        r = -ENOSPC;
    else
        sigv4_hash(text.data, text.len, ret);
    buf_release(&text);
    return r;
}

int sigv4_sign(const struct sigv4_want *w, char *ret, size_t bytes)
{
    char request[SIGV4_HASH_BYTES], scope[256], text[512], signature[SIGV4_HASH_BYTES];
    unsigned char key[SHA256_BYTES], mac[SHA256_BYTES];
    struct buf out;
    int r = canonical_hash(w, request);

    if (r == 0)
        r = signing_key(w, key);
    if (r)
        return r;
    (void)snprintf(scope, sizeof(scope), "%.*s/%s/%s/aws4_request", SIGV4_DATE_BYTES, w->stamp,
                   w->region, w->service);
    (void)snprintf(text, sizeof(text), "%s\n%s\n%s\n%s", algorithm, w->stamp, scope, request);
    hmac(key, sizeof(key), text, mac);
    hex(mac, sizeof(mac), signature);
    explicit_bzero(key, sizeof(key));
    buf_init(&out, bytes > 0 ? bytes - 1 : 0);
    buf_printf(&out, "%s Credential=%s/%s,SignedHeaders=", algorithm, w->access_key, scope);
    names(w, &out);
    buf_printf(&out, ",Signature=%s", signature);
    if (out.failed)
        r = -ENOSPC;
    else
        (void)snprintf(ret, bytes, "%s", buf_text(&out));
    buf_release(&out);
    return r;
}
