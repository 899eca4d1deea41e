/*
 * Looking rows up, and saying what they take. Linear: the table is short, files have few keys, and
 * the alternative would be a second list that could differ from the first.
 */
#include "config/keys.h"

#include <inttypes.h>

enum {
    KEY_NEAR = 2,        /* edits that a slip of the fingers may have */
    KEY_NAME_BYTES = 64, /* longer ones are near to nothing */
};

const char *config_key_in(const struct config_key *k, const char *section)
{
    size_t bytes = strlen(section);
    const char *name = k->path;

    if (bytes > 0) {
        if (strncmp(k->path, section, bytes) != 0 || k->path[bytes] != '.')
            return NULL;
        name += bytes + 1;
    }
    return strchr(name, '.') ? NULL : name;
}

const struct config_key *config_key_find(const char *section, const char *name)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        const char *own = config_key_in(&keys[i], section);

        if (own && strcmp(own, name) == 0)
            return &keys[i];
    }
    return NULL;
}

bool config_key_below(const struct config_key *k, const char *section)
{
    size_t bytes = strlen(section);

    return strncmp(k->path, section, bytes) == 0 && k->path[bytes] == '.';
}

size_t config_key_entries(const struct config_key *k, const void *base)
{
    size_t n;

    /* memcpy: the table knows an offset and not a type */
    memcpy(&n, (const char *)base + k->count, sizeof(n));
    return n;
}

const char *config_key_name(const struct config_key *k)
{
    const char *dot = strrchr(k->path, '.');

    return dot ? dot + 1 : k->path;
}

/* The depth in the file is the number of dots in the path. */
unsigned config_key_depth(const struct config_key *k)
{
    unsigned depth = 0;

    for (const char *p = k->path; *p; p++)
        depth += *p == '.';
    return depth;
}

/* Levenshtein's distance, one row of the table at a time; both shorter than KEY_NAME_BYTES. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[KEY_NAME_BYTES];
    size_t width = strlen(b);

    for (unsigned j = 0; j <= width; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            unsigned shorter = row[j] < row[j - 1] ? row[j] : row[j - 1];

            diagonal = row[j];
            row[j] = change < shorter + 1 ? change : shorter + 1;
        }
    }
    return row[width];
}

const char *config_key_nearest(const char *section, const char *name)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    unsigned best = KEY_NEAR + 1;
    const char *found = NULL;

    if (strlen(name) >= KEY_NAME_BYTES)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *own = config_key_in(&keys[i], section);
        unsigned d = own ? distance(name, own) : best;

        /* a whole word is not near to another that shares nothing with it: "pid" and "key" */
        if (d < best && d < strlen(name)) {
            best = d;
            found = own;
        }
    }
    /* the right word in the wrong section: "listen" at the top is admin.listen */
    for (size_t i = 0; i < count && !found; i++) {
        if (strcmp(config_key_name(&keys[i]), name) == 0)
            found = keys[i].path;
    }
    return found;
}

const char *config_key_list(const char *section, char *out, size_t bytes)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count && used < bytes; i++) {
        const char *own = config_key_in(&keys[i], section);
        int n = own ? snprintf(out + used, bytes - used, "%s%s", used ? " " : "", own) : 0;

        used += n > 0 ? (size_t)n : 0;
    }
    return out;
}

/* One value, and a list of them. Numbers, times, sizes and words tell their own ranges. */
static const struct {
    const char *one, *many;
} takes[CONFIG_KEY_TYPES] = {
    [CONFIG_KEY_SECTION] = {"a map", "a list of maps"},
    [CONFIG_KEY_BOOL] = {"true or false", ""},
    [CONFIG_KEY_NUMBER] = {"", "a list of numbers"},
    [CONFIG_KEY_NAME] = {"letters, digits and . _ -", "a list of names"},
    [CONFIG_KEY_TEXT] = {"a text", "a list of texts"},
    [CONFIG_KEY_PROFILE] = {"the name of a profile", "a list of profiles' names"},
    [CONFIG_KEY_REGEX] = {"a regular expression", ""},
    [CONFIG_KEY_PATH] = {"a path", "a path or a list of them"},
    [CONFIG_KEY_JWKS] = {"a path or an https URL", ""},
    [CONFIG_KEY_URL] = {"a URL", ""},
    [CONFIG_KEY_HASH] = {"64 hex digits", ""},
    [CONFIG_KEY_SCOPES] = {"a list of scopes", ""},
    [CONFIG_KEY_TARGET] = {"auto or one of pid process port cmdline container env", ""},
    [CONFIG_KEY_TLS] = {"off or a map with certificate and key", ""},
    [CONFIG_KEY_ADDRESS] = {"an address", "an address or a list of them"},
    [CONFIG_KEY_HOST] = {"the name of a host", "a list of host names"},
    [CONFIG_KEY_CIDR] = {"a range of addresses", "a list of ranges like 10.0.0.0/8"},
    [CONFIG_KEY_LABELS] = {"a map of texts", ""},
};

/* snprintf(3) tells what it would have written, so used may pass bytes: then the loop ends. */
static void takes_words(const struct config_key *k, const char *before, char *out, size_t bytes)
{
    size_t used = 0;

    for (size_t i = 0; k->words[i] && used < bytes; i++) {
        int n = snprintf(out + used, bytes - used, "%s%s", i ? ", " : before, k->words[i]);

        used += n > 0 ? (size_t)n : 0;
    }
}

/* The largest unit that divides it. */
static void takes_range(const struct config_key *k, const char *what, const uint64_t *factors,
                        const char *const *units, char *out, size_t bytes)
{
    size_t low = 0, high = 0;

    while (k->max % factors[high] != 0)
        high++;
    while (k->min % factors[low] != 0)
        low++;
    if (k->min > 0)
        (void)snprintf(out, bytes, "%s; %" PRIu64 "%s to %" PRIu64 "%s", what,
                       k->min / factors[low], units[low], k->max / factors[high], units[high]);
    else
        (void)snprintf(out, bytes, "%s; at most %" PRIu64 "%s", what, k->max / factors[high],
                       units[high]);
}

static void takes_time(const struct config_key *k, char *out, size_t bytes)
{
    static const uint64_t factors[] = {86400000, 3600000, 60000, 1000, 1};
    static const char *const units[] = {"d", "h", "m", "s", "ms"};

    takes_range(k, "a duration like 500ms, 10s, 5m, 7d", factors, units, out, bytes);
}

static void takes_size(const struct config_key *k, char *out, size_t bytes)
{
    static const uint64_t factors[] = {1 << 30, 1 << 20, 1 << 10, 1};
    static const char *const units[] = {"GiB", "MiB", "KiB", " bytes"};

    takes_range(k, "a size like 64KiB, 256MiB", factors, units, out, bytes);
}

const char *config_key_takes(const struct config_key *k, char *out, size_t bytes)
{
    out[0] = '\0';
    if (k->stride)
        (void)snprintf(out, bytes, "%s", takes[k->type].many);
    else if (k->type == CONFIG_KEY_NUMBER)
        (void)snprintf(out, bytes, "a number from %" PRIu64 " to %" PRIu64, k->min, k->max);
    else if (k->type == CONFIG_KEY_RATE)
        (void)snprintf(out, bytes, "keep or a number from 0 to %" PRIu64, k->max);
    else if (k->type == CONFIG_KEY_TIME)
        takes_time(k, out, bytes);
    else if (k->type == CONFIG_KEY_SIZE)
        takes_size(k, out, bytes);
    else if (k->type == CONFIG_KEY_WORD || k->type == CONFIG_KEY_CHOICE)
        takes_words(k, "one of ", out, bytes);
    else if (k->type == CONFIG_KEY_WORDS)
        takes_words(k, "a list of ", out, bytes);
    else
        (void)snprintf(out, bytes, "%s", takes[k->type].one);
    return out;
}
