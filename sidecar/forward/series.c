#include "sidecar/forward/series.h"

/* Facts (backends.md, section 9): what Grafana's and Parca's pages know; Alloy and Parca's own
 * scraper use the same. */
const char *series_name_of(const char *type)
{
    static const char *const names[][2] = {
        {"cpu", "process_cpu"}, {"heap", "memory"}, {"allocs", "memory"}, {"offcpu", "off_cpu"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(type, names[i][0]) == 0)
            return names[i][1];
    }
    return type;
}

/* By hand: isalpha(3) asks the locale. */
static bool is_fit(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

const char *series_fit(char *out, size_t bytes, const char *name)
{
    size_t n = 0;

    if (bytes == 0)
        return out;
    if (!*name || (*name >= '0' && *name <= '9')) /* a digit stays, behind a letter */
        n += bytes > 1;
    if (n)
        out[0] = '_';
    for (; *name && n < bytes - 1; name++, n++)
        out[n] = is_fit(*name, n == 0) ? *name : '_';
    out[n] = '\0';
    return out;
}

void series_init(struct series *s)
{
    s->count = 0;
}

bool series_has(const struct series *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->labels[i].name, name) == 0)
            return true;
    }
    return false;
}

/* protobuf-c's texts are not const, though it only reads them. */
static char *borrowed(const char *text)
{
    union {
        const char *in;
        char *out;
    } u = {text};

    return u.out;
}

void series_add(struct series *s, const char *name, const char *value)
{
    Push__Label *label;
    char *fit;

    if (s->count == SERIES_LABELS_MAX)
        return;
    label = &s->labels[s->count];
    fit = s->names[s->count];
    if (series_has(s, series_fit(fit, sizeof(s->names[0]), name)))
        return;
    push__label__init(label);
    label->name = fit;
    label->value = borrowed(value);
    s->pointers[s->count++] = label;
}

void series_add_plan(struct series *s, const struct backend_plan *plan)
{
    for (size_t i = 0; i < plan->labels_count; i++)
        series_add(s, plan->labels[i].key, plan->labels[i].value);
}
