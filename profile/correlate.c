#include "profile/correlate.h"

#include <inttypes.h>

#include "base/num.h"

enum kind { KIND_NONE, KIND_SPAN_HEX, KIND_SPAN_DECIMAL, KIND_ROOT_DECIMAL, KIND_TRACE_HEX };

static enum kind kind_of(const char *key)
{
    static const struct {
        const char *key;
        enum kind kind;
    } known[] = {
        {"span_id", KIND_SPAN_HEX},     {"profile_id", KIND_SPAN_HEX},
        {"span id", KIND_SPAN_DECIMAL}, {"local root span id", KIND_ROOT_DECIMAL},
        {"trace_id", KIND_TRACE_HEX},   {"otel.traceid", KIND_TRACE_HEX},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(key, known[i].key) == 0)
            return known[i].kind;
    }
    return KIND_NONE;
}

bool correlate_key(const char *key)
{
    return kind_of(key) != KIND_NONE;
}

/* Exactly 16 hex digits and not zero. */
static bool read_hex(const char *s, uint64_t *ret)
{
    return num_u64(s, 16, 16, UINT64_MAX, ret) == 0;
}

static void take_trace(struct correlate *c, const char *text)
{
    uint64_t half[2];

    if (!text || strlen(text) != CORRELATE_TRACE_HEX - 1 || !read_hex(text, &half[0]) ||
        !read_hex(text + 16, &half[1]) || (half[0] == 0 && half[1] == 0))
        return;
    for (size_t i = 0; i < CORRELATE_TRACE_BYTES; i++) /* big endian, as it is written */
        c->trace[i] = (uint8_t)(half[i / 8] >> (56 - 8 * (i % 8)));
    c->has_trace = true;
}

/* libdatadog has the local root as a number label, dd-trace-go as a text. */
static bool read_decimal(const struct profile_label *l, uint64_t *ret)
{
    if (!l->str) {
        *ret = (uint64_t)l->num;
        return true;
    }
    return num_u64(l->str, strlen(l->str), 10, UINT64_MAX, ret) == 0;
}

bool correlate_take(struct correlate *c, const struct profile_label *l)
{
    uint64_t id = 0;

    switch (kind_of(l->key)) {
    case KIND_NONE:
        return false;
    case KIND_TRACE_HEX:
        take_trace(c, l->str);
        break;
    case KIND_SPAN_HEX:
        if (l->str && strlen(l->str) == CORRELATE_SPAN_HEX - 1 && read_hex(l->str, &id) && id) {
            c->span = id;
            c->has_span = true;
        }
        break;
    case KIND_SPAN_DECIMAL:
        if (read_decimal(l, &id) && id) {
            c->span = id;
            c->has_span = true;
        }
        break;
    case KIND_ROOT_DECIMAL:
        if (read_decimal(l, &id) && id) {
            c->root = id;
            c->has_root = true;
        }
        break;
    }
    return true;
}

void correlate_trace_hex(const struct correlate *c, char ret[static CORRELATE_TRACE_HEX])
{
    for (size_t i = 0; i < CORRELATE_TRACE_BYTES; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", c->trace[i]);
}

void correlate_span_hex(uint64_t span, char ret[static CORRELATE_SPAN_HEX])
{
    (void)snprintf(ret, CORRELATE_SPAN_HEX, "%016" PRIx64, span);
}
