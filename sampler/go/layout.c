#include "sampler/go/layout.h"

#include <stdbool.h>
#include <string.h>

enum {
    NUMBER_MAX = 999, /* of a minor or a patch: Go has had 26 and 15 */
};

/* A decimal number of at most NUMBER_MAX; NULL when there is none. Else what follows it. */
static const char *number(const char *s, unsigned *ret)
{
    unsigned value = 0;
    const char *p = s;

    for (; *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (unsigned)(*p - '0');
        if (value > NUMBER_MAX)
            return NULL;
    }
    if (p == s)
        return NULL;
    *ret = value;
    return p;
}

/*
 * Experiments that leave every structure of our list alone: each was built and compared with its
 * plain toolchain (1.20 to 1.26, where it exists). Others do not: staticlockranking makes every
 * mutex larger, nospinbitmutex makes m smaller.
 */
static bool experiment_is_harmless(const char *name, size_t bytes)
{
    static const char *const harmless[] = {
        "aliastypeparams",      "arenas",     "boringcrypto", "cgocheck2",
        "goroutineleakprofile", "greenteagc", "jsonv2",       "loopvar",
        "nocoverageredesign",   "nodwarf5",   "nogreenteagc", "rangefunc",
        "runtimesecret",        "simd",       "synctest",
    };

    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        if (strlen(harmless[i]) == bytes && memcmp(harmless[i], name, bytes) == 0)
            return true;
    }
    return false;
}

/* What stands behind the numbers: runtime.buildVersion appends " X:one,two" for experiments
 * (cmd/dist, internal/buildcfg); vendors append what they like. */
static bool rest_is_harmless(const char *rest)
{
    const char *list;

    if (*rest != '\0' && *rest != ' ' && *rest != '-' && *rest != '+')
        return false; /* rc1, beta2: structures still move before a release */
    list = strstr(rest, "X:");
    if (!list)
        return true;
    for (const char *name = list + 2;; name++) {
        size_t bytes = strcspn(name, ", ");

        if (!experiment_is_harmless(name, bytes))
            return false;
        name += bytes;
        if (*name != ',')
            return true;
    }
}

const struct go_layout *go_layout_find(const char *go_version)
{
    const struct go_layout *found = NULL;
    unsigned minor = 0, patch = 0;
    const char *p;

    if (!go_version || strncmp(go_version, "go1.", 4) != 0)
        return NULL;
    p = number(go_version + 4, &minor);
    if (p && *p == '.')
        p = number(p + 1, &patch);
    if (!p || !rest_is_harmless(p))
        return NULL;
    for (size_t i = 0; i < go_layout_count; i++) {
        const struct go_layout *row = &go_layout_table[i];

        if (row->minor == minor && row->first_patch <= patch)
            found = row; /* ascending: the last one that fits */
    }
    return found;
}

const struct go_layout *go_layout_nearest(int minor)
{
    const struct go_layout *best = NULL;
    int best_distance = 0;

    for (size_t i = 0; i < go_layout_count; i++) {
        const struct go_layout *l = &go_layout_table[i];
        int distance = l->minor > minor ? l->minor - minor : minor - l->minor;

        if (!best || distance <= best_distance) {
            best = l;
            best_distance = distance;
        }
    }
    return best;
}
