#include "tests/unit/helper_goversions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const some[] = {
    "1.19.13", "1.22.12", "1.23.0", "1.23.12", "1.24.10", HELPER_GOVERSIONS_NEWEST, NULL};
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

bool helper_goversions_has(const char *version)
{
    for (const char *const *v = helper_goversions(); *v; v++) {
        if (strcmp(*v, version) == 0)
            return true;
    }
    return false;
}
