#include "tests/unit/helper_goversions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/helper_gotarget.h"

enum {
    NAME_BYTES = 64,
    EXIT_SKIP = 77,
};

/* clang-format off */
static const struct helper_goway some_ways[] = {
    {"-stripped", "'-ldflags=-s -w'", NULL},
    {"-pie-stripped", "-buildmode=pie '-ldflags=-s -w'", NULL},
    {NULL, NULL, NULL},
};
static const struct helper_goway all_ways[] = {
    {"-stripped", "'-ldflags=-s -w'", NULL},
    {"-pie-stripped", "-buildmode=pie '-ldflags=-s -w'", NULL},
    {"", "", NULL},
    {"-pie", "-buildmode=pie", NULL},
    {NULL, NULL, NULL},
};
static const struct helper_goway newest_some_ways[] = {
    {"", "", NULL},
    {"-pie", "-buildmode=pie", NULL},
    {"-s", "-ldflags=-s", NULL},
    {"-cgo", "-tags withcgo '-ldflags=-s -w'", "CGO_ENABLED=1"},
    {"-cgo-static", "-tags withcgo '-ldflags=-s -w -linkmode=external -extldflags=-static'", "CGO_ENABLED=1"},
    {NULL, NULL, NULL},
};
static const struct helper_goway newest_ways[] = {
    {"-stripped", "'-ldflags=-s -w'", NULL},
    {"-pie-stripped", "-buildmode=pie '-ldflags=-s -w'", NULL},
    {"", "", NULL},
    {"-pie", "-buildmode=pie", NULL},
    {"-s", "-ldflags=-s", NULL},
    {"-v3", "'-ldflags=-s -w'", "GOAMD64=v3"},
    {"-race", "-race '-ldflags=-s -w'", "CGO_ENABLED=1"},
    {"-cgo", "-tags withcgo '-ldflags=-s -w'", "CGO_ENABLED=1"},
    {"-cgo-static", "-tags withcgo '-ldflags=-s -w -linkmode=external -extldflags=-static'", "CGO_ENABLED=1"},
    {NULL, NULL, NULL},
};
/* clang-format on */

const struct helper_goway *const helper_goway_stripped = &some_ways[0];
const struct helper_goway *const helper_goways_newest = newest_some_ways;

/* Each costs a fresh machine a download of 100 MB and half a minute of compiling its library. */
static const char *const some[] = {"1.18.10", "1.22.12", HELPER_GOVERSIONS_NEWEST, NULL};
static const char *const newest[] = {HELPER_GOVERSIONS_NEWEST, NULL};
static const char *const every[] = {"1.18.10",
                                    "1.19.13",
                                    "1.20.14",
                                    "1.21.13",
                                    "1.22.12",
                                    "1.23.0",
                                    "1.23.12",
                                    "1.24.0",
                                    "1.24.10",
                                    "1.25.4",
                                    HELPER_GOVERSIONS_NEWEST,
                                    NULL};

bool helper_goversions_chosen(void)
{
    const char *wanted = getenv("GO_VERSIONS");

    return wanted && wanted[0];
}

const char *const *helper_goversions(void)
{
    static char text[512];
    static const char *chosen[HELPER_GOVERSIONS_MAX + 1];
    size_t n = 0;

    if (!helper_goversions_chosen())
        return some;
    if (strcmp(getenv("GO_VERSIONS"), "all") == 0)
        return every;
    (void)snprintf(text, sizeof(text), "%s", getenv("GO_VERSIONS"));
    for (char *p = text + strspn(text, " "); *p && n < HELPER_GOVERSIONS_MAX;) {
        size_t bytes = strcspn(p, " ");

        chosen[n++] = p;
        p += bytes;
        if (*p)
            *p++ = '\0';
        p += strspn(p, " ");
    }
    chosen[n] = NULL;
    return chosen;
}

const char *const *helper_goversions_newest(void)
{
    return helper_goversions_chosen() ? helper_goversions() : newest;
}

bool helper_goversions_has(const char *version)
{
    for (const char *const *v = helper_goversions(); *v; v++) {
        if (strcmp(*v, version) == 0)
            return true;
    }
    return false;
}

const struct helper_goway *helper_goways(const char *version)
{
    if (!helper_goversions_chosen())
        return some_ways;
    return strcmp(version, HELPER_GOVERSIONS_NEWEST) == 0 ? newest_ways : all_ways;
}

int helper_goway_build(const char *version, const char *name, const struct helper_goway *way,
                       char *out, size_t out_bytes)
{
    char variable[NAME_BYTES] = "";
    char *value = NULL;
    int r;

    if (way->env) {
        (void)snprintf(variable, sizeof(variable), "%s", way->env);
        value = strchr(variable, '=');
        if (!value)
            return 1;
        *value++ = '\0';
        if (setenv(variable, value, 1) != 0)
            return 1;
    }
    r = helper_gotarget_build(version, name, way->suffix, way->flags, out, out_bytes);
    if (value)
        (void)unsetenv(variable);
    /* what was asked for by name has to be there */
    return r == EXIT_SKIP && helper_goversions_chosen() ? 1 : r;
}
