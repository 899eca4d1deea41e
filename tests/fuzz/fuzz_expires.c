/*
 * Files of certificates, as `pillion check` reads them: as PEM, and as the DER within. Dates that
 * are taken have to be dates: read back from seconds they are the same (but for a leap second and
 * days that the month has not).
 */
#include <assert.h>
#include <errno.h>

#include "cli/expires.h"
#include "cli/validity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void is_date(const struct clock_date *d)
{
    struct clock_date again = clock_date_of(clock_seconds_of(d));

    assert(d->year >= 0 && d->year <= 9999);
    if (d->day <= 28 && d->second < 60)
        assert(again.year == d->year && again.month == d->month && again.day == d->day &&
               again.hour == d->hour && again.minute == d->minute && again.second == d->second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct validity v;
    char why[64];
    int r = expires_text(data, bytes, INT64_C(1795286956), why, sizeof(why));

    assert(r == 0 || r == 1);
    assert(r == 0 || memchr(why, '\0', sizeof(why)));
    r = validity_read(data, bytes, &v);
    assert(r == 0 || r == -EBADMSG);
    if (r == 0) {
        is_date(&v.from);
        is_date(&v.to);
    }
    return 0;
}
