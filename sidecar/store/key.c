/*
 * Ids are held as 16 bytes, since an index of 65,536 files is to be small; the text is made again
 * when a file is opened. The zeros in front of the time make names sort as times do.
 */
#include "sidecar/store/key.h"

#include <errno.h>
#include <inttypes.h>
#include <zlib.h>

#include "base/num.h"

#define SUFFIX ".plsp"

enum {
    TIME_DIGITS = 19,
    ID_DIGITS = ITEM_ID_BYTES - 1,
    MARK_DIGITS = 8,
    SUFFIX_BYTES = sizeof(SUFFIX) - 1,
};

uint32_t key_mark(const char *version)
{
    uint32_t crc = (uint32_t)crc32(0, (const unsigned char *)version, (unsigned)strlen(version));

    if (!version[0])
        return 0;
    return crc ? crc : 1;
}

static int add_type(struct key_types *t, const char *name, size_t bytes, uint16_t *ret)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

    if (bytes == 0 || bytes >= ITEM_TYPE_BYTES)
        return -EINVAL;
    for (size_t i = 0; i < bytes; i++) {
        if (!name[i] || !strchr(letters, name[i]))
            return -EINVAL;
    }
    for (uint16_t i = 0; i < t->count; i++) {
        if (strncmp(t->name[i], name, bytes) == 0 && !t->name[i][bytes]) {
            *ret = i;
            return 0;
        }
    }
    if (t->count == KEY_TYPES_MAX)
        return -E2BIG;
    memcpy(t->name[t->count], name, bytes);
    t->name[t->count][bytes] = '\0';
    *ret = t->count++;
    return 0;
}

int key_type(struct key_types *types, const char *name, uint16_t *ret)
{
    return add_type(types, name, strlen(name), ret);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_id(const char *text, struct key *k)
{
    for (size_t i = 0; i < sizeof(k->id); i++) {
        int high = digit(text[2 * i]);
        int low = high < 0 ? -1 : digit(text[2 * i + 1]);

        if (low < 0)
            return -EINVAL;
        k->id[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

int key_of(struct key_types *types, const struct item *item, struct key *ret)
{
    struct key k;

    memset(&k, 0, sizeof(k));
    if (item->time_ns < 0 || strlen(item->id) != ID_DIGITS || parse_id(item->id, &k))
        return -EINVAL;
    k.time_ns = item->time_ns;
    k.mark = key_mark(item->version);
    *ret = k;
    return add_type(types, item->type, strlen(item->type), &ret->type);
}

/* "cpu-<id>[-<mark>]": what stands between the time and the suffix. */
static int parse_middle(struct key_types *types, const char *p, size_t bytes, struct key *k)
{
    const char *dash = memchr(p, '-', bytes);
    size_t type_bytes = dash ? (size_t)(dash - p) : bytes;
    size_t rest = dash ? bytes - type_bytes - 1 : 0;
    uint64_t mark = 0;

    if (rest != ID_DIGITS && rest != ID_DIGITS + 1 + MARK_DIGITS)
        return -EINVAL;
    if (parse_id(dash + 1, k))
        return -EINVAL;
    if (rest > ID_DIGITS && (dash[1 + ID_DIGITS] != '-' ||
                             num_u64(dash + 2 + ID_DIGITS, MARK_DIGITS, 16, UINT32_MAX, &mark)))
        return -EINVAL;
    k->mark = (uint32_t)mark;
    return add_type(types, p, type_bytes, &k->type);
}

int key_parse(struct key_types *types, const char *name, bool marked, struct key *ret)
{
    char again[KEY_NAME_BYTES];
    size_t bytes = strnlen(name, KEY_NAME_BYTES);
    uint64_t time_ns;
    struct key k;
    int r;

    memset(&k, 0, sizeof(k));
    if (bytes == KEY_NAME_BYTES || bytes < TIME_DIGITS + 1 + SUFFIX_BYTES ||
        memcmp(name + bytes - SUFFIX_BYTES, SUFFIX, SUFFIX_BYTES) != 0)
        return -EINVAL;
    if (num_u64(name, TIME_DIGITS, 10, INT64_MAX, &time_ns) || name[TIME_DIGITS] != '-')
        return -EINVAL;
    k.time_ns = (int64_t)time_ns;
    r = parse_middle(types, name + TIME_DIGITS + 1, bytes - TIME_DIGITS - 1 - SUFFIX_BYTES, &k);
    if (r)
        return r;
    key_print(types, &k, marked, again);
    if (strcmp(name, again) != 0)
        return -EINVAL;
    *ret = k;
    return 0;
}

void key_id(const struct key *k, char out[static ITEM_ID_BYTES])
{
    for (size_t i = 0; i < sizeof(k->id); i++)
        (void)snprintf(out + 2 * i, 3, "%02x", k->id[i]);
}

void key_print(const struct key_types *types, const struct key *k, bool marked,
               char out[static KEY_NAME_BYTES])
{
    char id[ITEM_ID_BYTES], mark[2 + MARK_DIGITS] = "";

    key_id(k, id);
    if (marked)
        (void)snprintf(mark, sizeof(mark), "-%08" PRIx32, k->mark);
    (void)snprintf(out, KEY_NAME_BYTES, "%0*" PRId64 "-%s-%s%s" SUFFIX, TIME_DIGITS, k->time_ns,
                   types->name[k->type], id, mark);
}

bool key_is_of(const struct key_types *types, const struct key *k, const struct item *item)
{
    char id[ITEM_ID_BYTES];

    key_id(k, id);
    return k->time_ns == item->time_ns && strcmp(id, item->id) == 0 &&
           strcmp(types->name[k->type], item->type) == 0;
}

int key_compare(const void *a, const void *b)
{
    const struct key *x = a, *y = b;

    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return memcmp(x->id, y->id, sizeof(x->id));
}
