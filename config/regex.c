#include "config/regex.h"

#include <errno.h>
#include <regex.h>

/* Matching a back-reference is exponential in glibc; it knows \1 to \9 in extended ones too. */
static bool has_back_reference(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p != '\\' || p[1] == '\0')
            continue;
        p++;
        if (*p >= '1' && *p <= '9')
            return true;
    }
    return false;
}

/* The larger bound of the interval at ${p} ("{2,5}" or "{7}"), 1 when it is none. */
static unsigned long interval(const char *p)
{
    unsigned long low = 0, high = 0;

    /* stops before it could overflow */
    for (p++; *p >= '0' && *p <= '9' && low <= CONFIG_REGEX_REPEATS_MAX; p++)
        low = low * 10 + (unsigned long)(*p - '0');
    if (*p == ',') {
        for (p++; *p >= '0' && *p <= '9' && high <= CONFIG_REGEX_REPEATS_MAX; p++)
            high = high * 10 + (unsigned long)(*p - '0');
    }
    low = low > high ? low : high;
    return low > 1 ? low : 1;
}

static bool repeats_too_much(const char *text)
{
    unsigned long product = 1;

    /* also within brackets or behind a backslash: too strict there, and never too lax */
    for (const char *p = text; *p; p++) {
        if (*p == '{')
            product *= interval(p);
        if (product > CONFIG_REGEX_REPEATS_MAX)
            return true;
    }
    return false;
}

int config_regex_check(const char *text, size_t max_bytes, struct err *e)
{
    char why[100];
    regex_t re;
    int r;

    if (strlen(text) > max_bytes)
        return err_set(e, -EINVAL, "the pattern has more than %zu bytes", max_bytes);
    if (has_back_reference(text))
        return err_set(e, -EINVAL, "back-references (\\1) are not allowed");
    if (repeats_too_much(text))
        return err_set(e, -EINVAL, "the {n,m} of the pattern multiply to more than %d",
                       CONFIG_REGEX_REPEATS_MAX);
    /* what glibc takes here it takes where it is used: same library, same flags */
    r = regcomp(&re, text, REG_EXTENDED | REG_NOSUB);
    if (r) {
        (void)regerror(r, &re, why, sizeof(why));
        return err_set(e, -EINVAL, "no regular expression: %s", why);
    }
    regfree(&re);
    return 0;
}

bool config_regex_matches_nothing(const char *text)
{
    bool matches = true; /* one that cannot be compiled is not to be used either */
    regex_t re;

    if (regcomp(&re, text, REG_EXTENDED | REG_NOSUB) == 0) {
        matches = regexec(&re, "", 0, NULL, 0) == 0;
        regfree(&re);
    }
    return matches;
}
