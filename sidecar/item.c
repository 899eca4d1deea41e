/*
 * One table for both directions. The reader is given what lies on a disk that others may write to:
 * a member of the wrong kind, too long or negative makes all of it bad. What is missing is "" or 0,
 * and unknown members are passed over: an earlier or a later version may have written it.
 */
#include "sidecar/item.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/random.h>

#include "auth/json_in.h"

enum kind { KIND_TEXT, KIND_NUMBER, KIND_COUNT }; /* int64_t, uint64_t: none below 0 */

/* One member of the object and where it goes. */
static const struct member {
    const char *key;
    enum kind kind;
    size_t offset, bytes;
} members[] = {
#define TEXT(f)                                                                \
    {                                                                          \
#        f, KIND_TEXT, offsetof(struct item, f), sizeof(((struct item *)0)->f) \
    }
    TEXT(id),
    TEXT(type),
    {"time_ns", KIND_NUMBER, offsetof(struct item, time_ns), 0},
    {"duration_ns", KIND_NUMBER, offsetof(struct item, duration_ns), 0},
    {"seq", KIND_COUNT, offsetof(struct item, seq), 0},
    TEXT(target),
    TEXT(runtime_id),
    TEXT(container),
    TEXT(language),
    TEXT(version),
    TEXT(go_version),
    {"pid", KIND_COUNT, offsetof(struct item, pid), 0},
    TEXT(source),
#undef TEXT
};

enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

int item_new_id(char ret[static ITEM_ID_BYTES])
{
    unsigned char raw[(ITEM_ID_BYTES - 1) / 2];
    ssize_t n = getrandom(raw, sizeof(raw), 0);

    if (n < 0)
        return -errno;
    if (n != (ssize_t)sizeof(raw))
        return -EIO;
    for (size_t i = 0; i < sizeof(raw); i++)
        (void)snprintf(ret + i * 2, 3, "%02x", raw[i]);
    return 0;
}

void item_print(const struct item *item, struct buf *out)
{
    struct json j;

    json_begin(&j, out);
    json_object_begin(&j, NULL);
    for (size_t i = 0; i < MEMBERS; i++) {
        const char *at = (const char *)item + members[i].offset;

        if (members[i].kind == KIND_TEXT)
            json_str(&j, members[i].key, at);
        else if (members[i].kind == KIND_NUMBER)
            json_i64(&j, members[i].key, *(const int64_t *)(const void *)at);
        else
            json_u64(&j, members[i].key, *(const uint64_t *)(const void *)at);
    }
    json_object_end(&j);
}

/* --- reading --- */

/* A text goes where it fits with its NUL; jansson has seen to UTF-8, and refuses a NUL in it. */
static bool take(const json_t *value, const struct member *m, struct item *item)
{
    char *at = (char *)item + m->offset;
    json_int_t n;

    if (m->kind == KIND_TEXT) {
        if (!json_is_string(value) || json_string_length(value) >= m->bytes)
            return false;
        memcpy(at, json_string_value(value), json_string_length(value));
        return true;
    }
    n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0)
        return false;
    memcpy(at, &n, sizeof(n));
    return true;
}

/* Both are parts of a file's name: what is not of this form must not get there. */
static bool is_named(const struct item *item)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

    return strlen(item->id) == ITEM_ID_BYTES - 1 && strspn(item->id, hex) == ITEM_ID_BYTES - 1 &&
           item->type[0] && strspn(item->type, letters) == strlen(item->type);
}

int item_parse(const char *text, size_t bytes, struct item *ret, struct err *e)
{
    struct item item;
    json_t *object = NULL;
    int r = 0;

    _Static_assert(sizeof(json_int_t) == sizeof(item.time_ns), "numbers are copied");
    memset(&item, 0, sizeof(item));
    if (bytes > ITEM_META_MAX_BYTES)
        return err_set(e, -EBADMSG, "what is told of the profile is too long");
    if (json_in_parse(text, bytes, &object, e))
        return -EBADMSG;
    for (size_t i = 0; i < MEMBERS && r == 0; i++) {
        const json_t *value = json_object_get(object, members[i].key);

        if (value && !take(value, &members[i], &item))
            r = err_set(e, -EBADMSG, "what is told of the profile is damaged: %s", members[i].key);
    }
    json_decref(object);
    if (r == 0 && !is_named(&item))
        r = err_set(e, -EBADMSG, "the profile has no valid id or type");
    if (r == 0)
        *ret = item;
    return r;
}
