/*
 * Two passes: the numbers of the strings that matter (sample types, label keys) stand in messages
 * that come before the string table, or behind it.
 */
#include "profile/glance.h"

#include <errno.h>

#include "profile/correlate.h"
#include "profile/field.h"
#include "profile/profile.h"

enum {
    GLANCE_KEYS_MAX = 64,  /* different label keys that are remembered */
    GLANCE_KEY_BYTES = 32, /* longer than any key of correlate.h */
    /* fields of pprof.proto */
    GLANCE_TYPE = 1,
    GLANCE_SAMPLE = 2,
    GLANCE_STRING = 6,
    GLANCE_TIME = 9,
    GLANCE_DURATION = 10,
    GLANCE_SAMPLE_LOCATION = 1,
    GLANCE_SAMPLE_VALUE = 2,
    GLANCE_SAMPLE_LABEL = 3,
    GLANCE_LABEL_KEY = 1,
    GLANCE_LABEL_STR = 2,
    GLANCE_TYPE_TYPE = 1,
};

struct look {
    struct glance *g;
    uint64_t keys[GLANCE_KEYS_MAX], types[PROFILE_TYPES_MAX];
    size_t keys_count, types_count;
};

static void remember_key(struct look *l, uint64_t key)
{
    for (size_t i = 0; i < l->keys_count; i++) {
        if (l->keys[i] == key)
            return;
    }
    if (l->keys_count == GLANCE_KEYS_MAX)
        l->g->traces = true; /* nobody knows */
    else
        l->keys[l->keys_count++] = key;
}

static int look_at_label(struct look *l, struct field_cursor at)
{
    struct field f;

    while (at.at < at.end) {
        if (field_next(&at, &f) != 0)
            return -EBADMSG;
        if (f.number == GLANCE_LABEL_KEY && f.wire == FIELD_VARINT)
            remember_key(l, f.value);
        if (f.number == GLANCE_LABEL_STR && f.wire == FIELD_VARINT && f.value != 0)
            l->g->texts = true;
    }
    return 0;
}

/* Numbers in one length (packed) or one by one: both are allowed. Returns how many, or -EBADMSG. */
static long look_at_numbers(const struct field *f, bool *negative)
{
    struct field_cursor at = f->body;
    uint64_t value = f->value;
    long n = 1;

    if (f->wire == FIELD_VARINT) {
        *negative |= (int64_t)value < 0;
        return n;
    }
    if (f->wire != FIELD_LENGTH)
        return -EBADMSG;
    for (n = 0; at.at < at.end; n++) {
        if (field_varint(&at, &value) != 0)
            return -EBADMSG;
        *negative |= (int64_t)value < 0;
    }
    return n;
}

static int look_at_sample(struct look *l, struct field_cursor at)
{
    bool ids_are_unsigned = false;
    size_t depth = 0;
    struct field f;
    long n;

    while (at.at < at.end) {
        if (field_next(&at, &f) != 0)
            return -EBADMSG;
        if (f.number == GLANCE_SAMPLE_LOCATION) {
            n = look_at_numbers(&f, &ids_are_unsigned);
            depth += n > 0 ? (size_t)n : 0;
        } else if (f.number == GLANCE_SAMPLE_VALUE) {
            n = look_at_numbers(&f, &l->g->negative);
        } else if (f.number == GLANCE_SAMPLE_LABEL && f.wire == FIELD_LENGTH) {
            n = look_at_label(l, f.body);
        } else {
            n = 0;
        }
        if (n < 0)
            return -EBADMSG;
    }
    l->g->samples++;
    l->g->depth = depth > l->g->depth ? depth : l->g->depth;
    return 0;
}

static int look_at_type(struct look *l, struct field_cursor at)
{
    struct field f;

    while (at.at < at.end) {
        if (field_next(&at, &f) != 0)
            return -EBADMSG;
        if (f.number == GLANCE_TYPE_TYPE && f.wire == FIELD_VARINT &&
            l->types_count < PROFILE_TYPES_MAX)
            l->types[l->types_count++] = f.value;
    }
    return 0;
}

static int look_at_field(struct look *l, const struct field *f)
{
    if (f->number == GLANCE_TYPE && f->wire == FIELD_LENGTH)
        return look_at_type(l, f->body);
    if (f->number == GLANCE_SAMPLE && f->wire == FIELD_LENGTH)
        return look_at_sample(l, f->body);
    if (f->number == GLANCE_TIME && f->wire == FIELD_VARINT)
        l->g->time_ns = (int64_t)f->value;
    if (f->number == GLANCE_DURATION && f->wire == FIELD_VARINT)
        l->g->duration_ns = (int64_t)f->value;
    return 0;
}

static bool is_one_of(const uint64_t *numbers, size_t n, uint64_t number)
{
    for (size_t i = 0; i < n; i++) {
        if (numbers[i] == number)
            return true;
    }
    return false;
}

static void look_at_string(struct look *l, uint64_t number, struct field_cursor text)
{
    size_t bytes = (size_t)(text.end - text.at);
    char key[GLANCE_KEY_BYTES];

    if (is_one_of(l->types, l->types_count, number) && bytes > 0 && memchr(text.at, '-', bytes))
        l->g->dashed = true;
    if (bytes == 0 || bytes >= sizeof(key) || !is_one_of(l->keys, l->keys_count, number))
        return;
    memcpy(key, text.at, bytes);
    key[bytes] = '\0';
    l->g->traces |= correlate_key(key);
}

int glance(const void *raw, size_t bytes, struct glance *ret)
{
    const struct field_cursor all = {raw, (const unsigned char *)raw + bytes};
    struct glance g = {0};
    struct look l = {.g = &g};
    struct field_cursor at = all;
    uint64_t strings = 0;
    struct field f;

    while (at.at < at.end) {
        if (field_next(&at, &f) != 0 || look_at_field(&l, &f) != 0)
            return -EBADMSG;
    }
    for (at = all; at.at < at.end && field_next(&at, &f) == 0;) {
        if (f.number == GLANCE_STRING && f.wire == FIELD_LENGTH)
            look_at_string(&l, strings++, f.body);
    }
    *ret = g;
    return 0;
}
