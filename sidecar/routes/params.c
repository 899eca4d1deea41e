/*
 * net/http/pprof reads a bad `seconds` of its CPU profile as 30, silently, and that of its delta
 * profiles as an error (Go 1.26, net/http/pprof/pprof.go). Here it is always the error, in Go's
 * words: a client that asked for something should not get something else.
 */
#include "sidecar/routes/params.h"

#include <errno.h>

#include "base/num.h"
#include "sidecar/http/query.h"
#include "wire/wire.h"

enum {
    VALUE_BYTES = 64, /* no number or flag is longer */
};

/* A whole number from 1 to INT64_MAX: what strconv.ParseInt gives Go's handlers. 0: absent. */
static int positive(const char *query, const char *key, uint64_t *ret, struct err *e)
{
    char text[VALUE_BYTES];
    uint64_t n = 0;
    int r = query_get(query, key, text, sizeof(text));

    if (r == 0 || (r > 0 && text[0] == '\0')) {
        *ret = 0;
        return 0;
    }
    if (r < 0 || num_u64(text, strlen(text), 10, INT64_MAX, &n) || n == 0)
        return err_set(e, -EINVAL, "invalid value for \"%s\" - must be a positive integer", key);
    *ret = n;
    return 0;
}

static int flag(const char *query, const char *key, bool otherwise, bool *ret, struct err *e)
{
    char text[VALUE_BYTES];
    int r = query_get(query, key, text, sizeof(text));

    *ret = otherwise;
    if (r == 0 || (r > 0 && text[0] == '\0'))
        return 0;
    if (r < 0 || (strcmp(text, "0") != 0 && strcmp(text, "1") != 0))
        return err_set(e, -EINVAL, "invalid value for \"%s\" - must be 0 or 1", key);
    *ret = text[0] == '1';
    return 0;
}

static uint32_t clamp(uint64_t value, uint32_t otherwise, uint32_t max)
{
    if (value == 0)
        value = otherwise;
    return value > max ? max : (uint32_t)value;
}

int params_cpu(const char *query, const struct config *c, uint32_t default_hz,
               struct params_cpu *ret, struct err *e)
{
    struct params_cpu p = {0};
    uint64_t hz = 0;
    int r = positive(query, "seconds", &p.asked_seconds, e);

    if (r == 0)
        r = positive(query, "hz", &hz, e);
    if (r == 0)
        r = flag(query, "labels", c->sample_labels.read, &p.labels, e);
    if (r == 0)
        r = flag(query, "kernel", true, &p.kernel, e);
    if (r)
        return r;
    p.seconds = clamp(p.asked_seconds, c->limits.default_seconds, c->limits.profile_seconds);
    if (p.asked_seconds == 0)
        p.asked_seconds = c->limits.default_seconds;
    p.hz = clamp(hz, default_hz, c->limits.hz);
    *ret = p;
    return 0;
}

/*
 * strconv.Atoi with its error ignored: what is no number is 0, what is too large is the largest;
 * only the sign and "2 or more" count.
 */
static int small_number(const char *query, const char *key)
{
    char text[VALUE_BYTES];
    uint64_t n = 0;
    bool minus;
    const char *digits;
    int r;

    if (query_get(query, key, text, sizeof(text)) != 1)
        return 0;
    minus = text[0] == '-';
    digits = text + (minus || text[0] == '+');
    r = num_u64(digits, strlen(digits), 10, 2, &n);
    if (r == -ERANGE)
        n = 2;
    else if (r)
        return 0;
    return minus ? -(int)n : (int)n;
}

bool params_gc(const char *query)
{
    return small_number(query, "gc") > 0;
}

int params_runtime(const char *query, const struct config *c, uint32_t kind,
                   struct params_runtime *ret, struct err *e)
{
    struct params_runtime p = {.form = WIRE_RUNTIME_PPROF};
    int r = positive(query, "seconds", &p.asked_seconds, e);
    int debug = small_number(query, "debug");

    if (r)
        return r;
    if (p.asked_seconds && debug)
        return err_set(e, -EINVAL, "seconds and debug params are incompatible");
    if (p.asked_seconds)
        p.seconds = clamp(p.asked_seconds, 1, c->limits.profile_seconds);
    /* a negative debug is protobuf in a text's clothes in Go; here it is protobuf */
    p.text = debug > 0;
    if (debug > 1 && kind == WIRE_RUNTIME_GOROUTINE)
        p.form = WIRE_RUNTIME_STACKS;
    else if (p.text)
        p.form = WIRE_RUNTIME_TEXT;
    p.detail = kind == WIRE_RUNTIME_GOROUTINE && params_is(query, "labels", "detail");
    p.gc = kind == WIRE_RUNTIME_HEAP && params_gc(query);
    *ret = p;
    return 0;
}

/* "0.5" → 500: of a fraction the first three digits count; what is more than the limit is it. */
static int millis(const char *query, uint32_t max_seconds, uint64_t *ret_asked, uint64_t *ret_ms)
{
    char text[VALUE_BYTES];
    size_t whole, fraction = 0;
    uint64_t seconds = 0, ms = 0, weight = 100;
    int r = query_get(query, "seconds", text, sizeof(text));

    *ret_asked = *ret_ms = 0;
    if (r == 0 || (r > 0 && text[0] == '\0'))
        return 0;
    whole = r < 0 ? 0 : strspn(text, "0123456789");
    if (whole && text[whole] == '.')
        fraction = strspn(text + whole + 1, "0123456789");
    if (whole == 0 || text[whole + (fraction ? fraction + 1 : 0)] != '\0' ||
        num_u64(text, whole, 10, INT64_MAX, &seconds))
        return -EINVAL;
    for (size_t i = 0; i < fraction && weight; i++, weight /= 10)
        ms += (uint64_t)(text[whole + 1 + i] - '0') * weight;
    if (seconds == 0 && ms == 0)
        return -EINVAL;
    *ret_asked = seconds + (ms > 0);
    *ret_ms = seconds >= max_seconds ? (uint64_t)max_seconds * 1000 : seconds * 1000 + ms;
    return 0;
}

int params_through(const char *query, uint32_t max_seconds, struct params_through *ret,
                   struct err *e)
{
    struct params_through p = {.gc = params_gc(query)};
    int debug = small_number(query, "debug");

    if (millis(query, max_seconds, &p.asked_seconds, &p.ms))
        return err_set(e, -EINVAL, "invalid value for \"seconds\" - must be a positive number");
    p.debug = debug > 0 ? (unsigned)debug : 0;
    *ret = p;
    return 0;
}

bool params_is(const char *query, const char *key, const char *value)
{
    char text[VALUE_BYTES];

    return query_get(query, key, text, sizeof(text)) == 1 && strcmp(text, value) == 0;
}
