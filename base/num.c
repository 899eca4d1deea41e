#include "base/num.h"

#include <errno.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

int num_u64(const char *s, size_t bytes, unsigned base, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;

    if (bytes == 0)
        return -EINVAL;
    for (size_t i = 0; i < bytes; i++) {
        unsigned d = (unsigned)digit(s[i]);

        if (d >= base)
            return -EINVAL;
        if (v > (UINT64_MAX - d) / base)
            return -ERANGE;
        v = v * base + d;
    }
    if (v > max)
        return -ERANGE;
    *ret = v;
    return 0;
}

int num_any(const char *s, size_t bytes, uint64_t max, uint64_t *ret)
{
    if (bytes > 2 && s[0] == '0') {
        if (s[1] == 'x' || s[1] == 'X')
            return num_u64(s + 2, bytes - 2, 16, max, ret);
        if (s[1] == 'o' || s[1] == 'O')
            return num_u64(s + 2, bytes - 2, 8, max, ret);
        if (s[1] == 'b' || s[1] == 'B')
            return num_u64(s + 2, bytes - 2, 2, max, ret);
    }
    if (bytes > 1 && s[0] == '0')
        return num_u64(s + 1, bytes - 1, 8, max, ret);
    return num_u64(s, bytes, 10, max, ret);
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* A number followed by exactly one of the units; an empty unit name stands for the bare number. */
static int with_unit(const char *s, size_t bytes, const struct unit *units, uint64_t max,
                     uint64_t *ret)
{
    size_t digits = 0;
    uint64_t v;
    int r;

    while (digits < bytes && s[digits] >= '0' && s[digits] <= '9')
        digits++;
    for (const struct unit *u = units; u->name; u++) {
        if (strlen(u->name) != bytes - digits || memcmp(u->name, s + digits, bytes - digits) != 0)
            continue;
        r = num_u64(s, digits, 10, UINT64_MAX, &v);
        if (r)
            return r;
        if (v > max / u->factor)
            return -ERANGE;
        *ret = v * u->factor;
        return 0;
    }
    return -EINVAL;
}

int num_duration_ms(const char *s, size_t bytes, uint64_t max_ms, uint64_t *ret_ms)
{
    static const struct unit units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

    if (bytes == 1 && s[0] == '0') {
        *ret_ms = 0;
        return 0;
    }
    return with_unit(s, bytes, units, max_ms, ret_ms);
}

int num_size_bytes(const char *s, size_t bytes, uint64_t max, uint64_t *ret)
{
    static const struct unit units[] = {
        {"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

    return with_unit(s, bytes, units, max, ret);
}
