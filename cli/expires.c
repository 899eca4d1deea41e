#include "cli/expires.h"

#include <errno.h>
#include <mbedtls/x509_crt.h>

#include "base/buf.h"
#include "config/slurp.h"

/* Days since 1970 of a date of the Gregorian calendar (Hinnant, "chrono-compatible dates"). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* X.509 times are UTC (RFC 5280, 4.1.2.5); mbedTLS has checked the fields. */
static int64_t seconds_of(const mbedtls_x509_time *t)
{
    return days_of(t->year, t->mon, t->day) * 86400 + t->hour * INT64_C(3600) +
           t->min * INT64_C(60) + t->sec;
}

/* One regular file and a NUL behind it, which mbedTLS wants of PEM. */
static int slurp(const char *path, struct buf *out)
{
    int r = slurp_file(path, out, NULL);

    buf_putc(out, '\0');
    return r ? r : out->failed ? -EFBIG : 0;
}

static int judge(const mbedtls_x509_crt *chain, int64_t now, char *out, size_t bytes)
{
    for (const mbedtls_x509_crt *c = chain; c && c->raw.p; c = c->next) {
        const mbedtls_x509_time *to = &c->valid_to;
        const char *what = NULL;

        if (seconds_of(to) < now)
            what = "has expired on";
        else if (seconds_of(to) - now <= EXPIRES_SOON_SECONDS)
            what = "expires soon, on";
        if (what) {
            (void)snprintf(out, bytes, "the certificate %s %04d-%02d-%02d", what, to->year, to->mon,
                           to->day);
            return 1;
        }
        if (seconds_of(&c->valid_from) > now) {
            (void)snprintf(out, bytes, "the certificate is not valid yet");
            return 1;
        }
    }
    return 0;
}

int expires_check(const char *path, int64_t now, char *out, size_t bytes)
{
    mbedtls_x509_crt chain;
    struct buf pem;
    int r;

    mbedtls_x509_crt_init(&chain);
    buf_init(&pem, EXPIRES_FILE_MAX_BYTES + 65536);
    r = slurp(path, &pem);
    if (r)
        goto out;
    if (mbedtls_x509_crt_parse(&chain, pem.data, pem.len) < 0 || !chain.raw.p) {
        (void)snprintf(out, bytes, "holds no certificate in PEM");
        r = 1;
        goto out;
    }
    r = judge(&chain, now, out, bytes);
out:
    mbedtls_x509_crt_free(&chain);
    buf_release(&pem);
    return r;
}
