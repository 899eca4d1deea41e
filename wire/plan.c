/*
 * Who wrote the plan parsed YAML and had no privilege; who reads it has privileges and parses
 * nothing. So every field is held against its range here, in both programs, and what a choice does
 * not use must be zero: there is no room for anything that nobody looked at.
 */
#include "wire/plan.h"

#include <errno.h>
#include <stdbool.h>

#include "base/log.h"
#include "wire/wire.h"

/* What a way to choose carries; the guard trusts nothing that is not listed here. */
struct shape {
    uint64_t number_min, number_max;
    size_t text_min, text_max; /* bytes without the NUL */
    bool (*text_ok)(const char *text);
};

/* As container runtimes write their ids: lower case. */
static bool is_hex(const char *text)
{
    return text[strspn(text, "0123456789abcdef")] == '\0';
}

/* NAME=VALUE with a name. */
static bool is_pair(const char *text)
{
    const char *equals = strchr(text, '=');

    return equals && equals != text;
}

/* Compared with comm and base names, so a slash could never match. */
static bool is_name(const char *text)
{
    return strchr(text, '/') == NULL;
}

static const struct shape shapes[PLAN_SELECT_END] = {
    [PLAN_SELECT_AUTO] = {0, 0, 0, 0, NULL},
    [PLAN_SELECT_PID] = {1, PLAN_PID_MAX, 0, 0, NULL},
    [PLAN_SELECT_PROCESS] = {0, 0, 1, PLAN_TEXT_BYTES - 1, is_name},
    [PLAN_SELECT_PORT] = {1, 65535, 0, 0, NULL},
    [PLAN_SELECT_CMDLINE] = {0, 0, 1, PLAN_CMDLINE_MAX_BYTES, NULL},
    [PLAN_SELECT_CONTAINER] = {0, 0, 1, PLAN_CONTAINER_MAX_BYTES, is_hex},
    [PLAN_SELECT_ENV] = {0, 0, 2, PLAN_TEXT_BYTES - 1, is_pair},
};

/* Length of the text, or PLAN_TEXT_BYTES when it has no end or a rest, or control bytes in it. */
static size_t text_length(const struct plan *p)
{
    size_t length = strnlen(p->text, sizeof(p->text));

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)p->text[i];

        if (c < 0x20 || c == 0x7f)
            return PLAN_TEXT_BYTES;
    }
    for (size_t i = length; i < sizeof(p->text); i++) {
        if (p->text[i] != '\0')
            return PLAN_TEXT_BYTES;
    }
    return length;
}

/* The text before its use: the functions above rely on its end. */
static const char *check_select(const struct plan *p)
{
    size_t length = text_length(p);
    const struct shape *s;

    if (p->select >= PLAN_SELECT_END)
        return "unknown way to choose the target";
    s = &shapes[p->select];
    if (length == PLAN_TEXT_BYTES)
        return "text is not clean";
    if (p->number < s->number_min || p->number > s->number_max)
        return "number is out of range";
    if (length < s->text_min || length > s->text_max)
        return "text has a wrong length";
    if (s->text_ok && !s->text_ok(p->text))
        return "text has a wrong form";
    return NULL;
}

/* Numbers that become array indexes, periods and waits in the guard. */
static const char *check_rest(const struct plan *p)
{
    if (p->log_level > LOG_LEVEL_ERROR)
        return "unknown log level";
    if (p->log_format > LOG_FORMAT_TEXT)
        return "unknown log format";
    if (p->hz_max < 1 || p->hz_max > WIRE_HZ_MAX)
        return "hz is out of range";
    if (p->drain_ms > PLAN_DRAIN_MAX_MS)
        return "drain time is out of range";
    if (p->front_uid_drop > 1 || p->all > 1 || p->stops > 1)
        return "a flag is neither 0 nor 1";
    return NULL;
}

/* What may be written into the target, and nothing else ever is. */
static const char *check_rates(const struct plan *p)
{
    if (p->rates >= 1u << WIRE_RATES || p->zero)
        return "unknown profiling rates";
    for (size_t i = 0; i < WIRE_RATES; i++) {
        if (p->rate[i] > (p->rates & 1u << i ? PLAN_RATE_MAX : 0))
            return "a profiling rate is out of range";
    }
    return NULL;
}

int plan_check(const struct plan *p, size_t bytes, const char **ret_why)
{
    const char *why = NULL;

    /* first: nothing of a shorter one may be read */
    if (bytes != sizeof(*p))
        why = "wrong size";
    else if (p->magic != PLAN_MAGIC || p->bytes != sizeof(*p))
        why = "not a plan of this version";
    else
        why = check_rest(p);
    if (!why)
        why = check_rates(p);
    if (!why)
        why = check_select(p);
    if (!why)
        return 0;
    *ret_why = why;
    return -EPROTO;
}
