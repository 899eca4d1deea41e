#include "cli/expires.h"

#include <stdbool.h>

#include <mbedtls/base64.h>

#include "base/buf.h"
#include "cli/validity.h"
#include "config/slurp.h"

struct span {
    const unsigned char *p;
    size_t bytes;
};

/* 1 when there is something to be said. */
static int judge(const struct validity *v, int64_t now, char *out, size_t bytes)
{
    const struct clock_date *to = &v->to;
    const char *what = NULL;

    if (clock_seconds_of(to) < now)
        what = "has expired on";
    else if (clock_seconds_of(to) - now <= EXPIRES_SOON_SECONDS)
        what = "expires soon, on";
    if (what) {
        (void)snprintf(out, bytes, "the certificate %s %04d-%02d-%02d", what, (int)to->year,
                       to->month, to->day);
        return 1;
    }
    if (clock_seconds_of(&v->from) > now) {
        (void)snprintf(out, bytes, "the certificate is not valid yet");
        return 1;
    }
    return 0;
}

/* The next certificate of a PEM text (RFC 7468), in base64; ${text} is moved behind it. */
static bool next_block(struct span *text, struct span *ret)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    static const char end[] = "-----END CERTIFICATE-----";
    const unsigned char *from, *to, *limit;

    if (text->bytes == 0)
        return false;
    from = memmem(text->p, text->bytes, begin, sizeof(begin) - 1);
    if (!from)
        return false;
    limit = text->p + text->bytes;
    from += sizeof(begin) - 1;
    to = memmem(from, (size_t)(limit - from), end, sizeof(end) - 1);
    if (!to)
        return false;
    *ret = (struct span){from, (size_t)(to - from)};
    to += sizeof(end) - 1;
    *text = (struct span){to, (size_t)(limit - to)};
    return true;
}

int expires_text(const void *text, size_t bytes, int64_t now, char *out, size_t out_bytes)
{
    struct span rest = {text, bytes}, block;
    struct validity v;
    size_t seen = 0;
    struct buf der;
    int r = 0;

    buf_init(&der, EXPIRES_FILE_MAX_BYTES);
    while (r == 0 && next_block(&rest, &block)) {
        unsigned char *room;
        size_t n;

        buf_clear(&der);
        room = buf_reserve(&der, block.bytes);
        if (room && mbedtls_base64_decode(room, block.bytes, &n, block.p, block.bytes) == 0 &&
            validity_read(room, n, &v) == 0) {
            seen++;
            r = judge(&v, now, out, out_bytes);
        } else {
            (void)snprintf(out, out_bytes, "holds a certificate that cannot be read");
            r = 1;
        }
    }
    if (r == 0 && seen == 0) {
        (void)snprintf(out, out_bytes, "holds no certificate in PEM");
        r = 1;
    }
    buf_release(&der);
    return r;
}

int expires_check(const char *path, int64_t now, char *out, size_t bytes)
{
    struct buf pem;
    int r;

    buf_init(&pem, EXPIRES_FILE_MAX_BYTES + 65536);
    r = slurp_file(path, &pem, NULL);
    if (r == 0)
        r = expires_text(pem.data, pem.len, now, out, bytes);
    buf_release(&pem);
    return r;
}
