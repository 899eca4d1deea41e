/*
 * DER (X.690): a tag, a length, and so many bytes. The dates are the fifth or, since the version
 * may be left out, the fourth element of the inner of two sequences (RFC 5280, 4.1).
 */
#include "cli/validity.h"

#include <errno.h>
#include <stdbool.h>

enum {
    TAG_INTEGER = 0x02,
    TAG_UTC_TIME = 0x17,
    TAG_GENERALIZED_TIME = 0x18,
    TAG_SEQUENCE = 0x30,
    TAG_VERSION = 0xa0, /* [0] EXPLICIT */
    LENGTH_IS_LONG = 0x80,
    LENGTH_MOST_BYTES = 4, /* of the length itself: no certificate has 4 GiB */
};

struct span {
    const unsigned char *p;
    size_t bytes;
};

/* The next element of ${in}, which is moved behind it; ${ret} is what is in it. */
static bool take(struct span *in, unsigned tag, struct span *ret)
{
    size_t head = 2, bytes;

    if (in->bytes < head || in->p[0] != tag)
        return false;
    bytes = in->p[1];
    if (bytes & LENGTH_IS_LONG) {
        size_t more = bytes & ~(size_t)LENGTH_IS_LONG;

        if (more == 0 || more > LENGTH_MOST_BYTES || in->bytes - head < more)
            return false;
        bytes = 0;
        for (size_t i = 0; i < more; i++)
            bytes = bytes << 8 | in->p[head + i];
        head += more;
    }
    if (in->bytes - head < bytes)
        return false;
    *ret = (struct span){in->p + head, bytes};
    in->p += head + bytes;
    in->bytes -= head + bytes;
    return true;
}

/* Two digits, within low..high; moves on. */
static bool two(struct span *in, int low, int high, int *ret)
{
    int n;

    if (in->bytes < 2 || in->p[0] < '0' || in->p[0] > '9' || in->p[1] < '0' || in->p[1] > '9')
        return false;
    n = (in->p[0] - '0') * 10 + (in->p[1] - '0');
    in->p += 2;
    in->bytes -= 2;
    *ret = n;
    return n >= low && n <= high;
}

/* RFC 5280, 4.1.2.5: UTC, to the second, with a Z; two digits of a year are 1950 to 2049. */
static bool take_time(struct span *in, struct clock_date *ret)
{
    struct span t;
    int century, year;

    if (take(in, TAG_UTC_TIME, &t)) {
        if (!two(&t, 0, 99, &year))
            return false;
        century = year < 50 ? 20 : 19;
    } else if (!take(in, TAG_GENERALIZED_TIME, &t) || !two(&t, 0, 99, &century) ||
               !two(&t, 0, 99, &year)) {
        return false;
    }
    ret->year = century * 100 + year;
    return two(&t, 1, 12, &ret->month) && two(&t, 1, 31, &ret->day) && two(&t, 0, 23, &ret->hour) &&
           two(&t, 0, 59, &ret->minute) && two(&t, 0, 60, &ret->second) && t.bytes == 1 &&
           t.p[0] == 'Z';
}

int validity_read(const void *der, size_t bytes, struct validity *ret)
{
    struct span all = {der, bytes}, certificate, body, dates, skipped;
    struct validity v;

    if (!take(&all, TAG_SEQUENCE, &certificate) || !take(&certificate, TAG_SEQUENCE, &body))
        return -EBADMSG;
    (void)take(&body, TAG_VERSION, &skipped);
    if (!take(&body, TAG_INTEGER, &skipped) ||  /* serial number */
        !take(&body, TAG_SEQUENCE, &skipped) || /* algorithm of the signature */
        !take(&body, TAG_SEQUENCE, &skipped) || /* issuer */
        !take(&body, TAG_SEQUENCE, &dates) || !take_time(&dates, &v.from) ||
        !take_time(&dates, &v.to))
        return -EBADMSG;
    *ret = v;
    return 0;
}
