#include "cli/pattern.h"

#include <errno.h>
#include <regex.h>
#include <stdbool.h>
#include <string.h>

#include "wire/plan.h"

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
    for (p++; *p >= '0' && *p <= '9' && low <= PATTERN_REPEATS_MAX; p++)
        low = low * 10 + (unsigned long)(*p - '0');
    if (*p == ',') {
        for (p++; *p >= '0' && *p <= '9' && high <= PATTERN_REPEATS_MAX; p++)
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
        if (product > PATTERN_REPEATS_MAX)
            return true;
    }
    return false;
}

int pattern_check(const char *text, struct err *e)
{
    char why[100];
    regex_t re;
    int r;

    if (strlen(text) > PLAN_CMDLINE_MAX_BYTES)
        return err_set(e, -EINVAL, "cmdline: the pattern has more than %d bytes",
                       PLAN_CMDLINE_MAX_BYTES);
    if (has_back_reference(text))
        return err_set(e, -EINVAL, "cmdline: back-references (\\1) are not allowed");
    if (repeats_too_much(text))
        return err_set(e, -EINVAL, "cmdline: the {n,m} of the pattern multiply to more than %d",
                       PATTERN_REPEATS_MAX);
    /* what glibc takes here it takes in the guard: same library, same flags */
    r = regcomp(&re, text, REG_EXTENDED | REG_NOSUB);
    if (r) {
        (void)regerror(r, &re, why, sizeof(why));
        return err_set(e, -EINVAL, "cmdline: no regular expression: %s", why);
    }
    regfree(&re);
    return 0;
}

int pattern_check_config(const struct config *c, int argc, char *const *argv, struct err *e)
{
    char why[ERR_TEXT_BYTES];
    bool from_file = c->path[0] != '\0';

    if (c->select != PLAN_SELECT_CMDLINE || pattern_check(c->select_text, e) == 0)
        return 0;
    for (int i = 0; i < argc; i++)
        from_file = from_file && strncmp(argv[i], "--cmdline", sizeof("--cmdline") - 1) != 0;
    if (!from_file)
        return -EINVAL;
    memcpy(why, e->text, sizeof(why));
    return err_set(e, -EINVAL, "%s: target: %s", c->path, why);
}
