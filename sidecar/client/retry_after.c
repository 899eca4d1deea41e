/* strptime(3) would read the names of months in the user's language. */
#include "sidecar/client/retry_after.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/num.h"

#define PATTERN "aaa, dd aaa dddd dd:dd:dd GMT"

/* "Sun, 06 Nov 1994 08:49:37 GMT": letters, digits and the rest each at their place? */
static bool is_fixdate(const char *s)
{
    static const char pattern[] = PATTERN;

    if (strlen(s) != sizeof(pattern) - 1)
        return false;
    for (size_t i = 0; i < sizeof(pattern) - 1; i++) {
        if (pattern[i] == 'a'   ? !isalpha((unsigned char)s[i])
            : pattern[i] == 'd' ? !isdigit((unsigned char)s[i])
                                : s[i] != pattern[i])
            return false;
    }
    return true;
}

static int number(const char *s, size_t digits)
{
    uint64_t n = 0;

    (void)num_u64(s, digits, 10, 9999, &n);
    return (int)n;
}

static int month(const char *s)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; i < 12; i++) {
        if (memcmp(names + (ptrdiff_t)3 * i, s, 3) == 0)
            return i;
    }
    return -1;
}

uint64_t retry_after_ms(const char *text, int64_t now_s)
{
    uint64_t seconds = 0;
    struct tm tm = {.tm_mday = 0};
    int64_t wait;
    int r = num_u64(text, strlen(text), 10, RETRY_AFTER_MAX_S, &seconds);

    if (r == 0)
        return seconds * 1000;
    if (r == -ERANGE)
        return (uint64_t)RETRY_AFTER_MAX_S * 1000;
    if (!is_fixdate(text))
        return 0;
    tm.tm_mday = number(text + 5, 2);
    tm.tm_mon = month(text + 8);
    tm.tm_year = number(text + 12, 4) - 1900;
    tm.tm_hour = number(text + 17, 2);
    tm.tm_min = number(text + 20, 2);
    tm.tm_sec = number(text + 23, 2);
    if (tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60)
        return 0;
    wait = (int64_t)timegm(&tm) - now_s;
    if (wait <= 0)
        return 0;
    return (uint64_t)(wait < RETRY_AFTER_MAX_S ? wait : RETRY_AFTER_MAX_S) * 1000;
}
