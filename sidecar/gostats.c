/*
 * The table is wire/stats_names.h: what the sampler reads is named here by its place in it, so
 * nothing has to be kept in step by hand.
 */
#include "sidecar/gostats.h"

#include <inttypes.h>

#include "wire/stats_names.h"

enum gostats_kind { GAUGE, COUNTER, SUMMARY };

struct gostats_row {
    const char *field, *name;
    enum gostats_kind kind;
    const char *help;
};

static const struct gostats_row rows[] = {
#define X(field, name, kind, help) {#field, name, kind, help},
    WIRE_STATS(X)
#undef X
};

enum {
    ROWS = sizeof(rows) / sizeof(rows[0]),
};

_Static_assert((int)ROWS <= (int)WIRE_STATS_MAX, "the answer has room for all of them");

/* By the field's name: Prometheus' base unit of time is the second. */
static bool is_nanoseconds(const struct gostats_row *row)
{
    size_t n = strlen(row->field);

    return n > 3 && strcmp(row->field + n - 3, "_ns") == 0;
}

/* Exact: a double has not enough digits for a time of day in nanoseconds. */
static void print_seconds(uint64_t ns, struct buf *out)
{
    buf_printf(out, "%" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000u, ns % 1000000000u);
}

/* A summary's samples stand behind one head, which comes with the first of them. */
static void print_head(const struct gostats_row *row, struct buf *out)
{
    static const char *const types[] = {
        [GAUGE] = "gauge", [COUNTER] = "counter", [SUMMARY] = "summary"};
    int family = (int)strcspn(row->name, "{");

    if (row->help[0] == '\0')
        return;
    buf_printf(out, "# HELP pillion_target_%.*s %s\n# TYPE pillion_target_%.*s %s\n", family,
               row->name, row->help, family, row->name, types[row->kind]);
}

void gostats_print(const struct wire_stats *stats, struct buf *out)
{
    if (!stats || stats->result)
        return;
    for (size_t i = 0; i < ROWS && i < stats->count; i++) {
        const struct gostats_row *row = &rows[i];

        if (!(stats->has >> i & 1))
            continue;
        print_head(row, out);
        buf_printf(out, "pillion_target_%s ", row->name);
        if (is_nanoseconds(row))
            print_seconds(stats->value[i], out);
        else
            buf_printf(out, "%" PRIu64 "\n", stats->value[i]);
    }
}
