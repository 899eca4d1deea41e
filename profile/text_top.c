/*
 * text_top() of text.h: flat = the function was innermost, cum = it was anywhere in the stack
 * (once, however often it called itself).
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "profile/named.h"
#include "profile/text.h"

enum {
    TOP_VALUE_BYTES = 32,
};

struct top_row {
    uint32_t name; /* in named.texts */
    uint32_t last; /* sample that counted it last, + 1: recursion counts once */
    int64_t flat, cum;
};

/* One run of text_top(). */
struct top {
    const struct profile *p;
    size_t type;
    struct named named;
    struct top_row *rows; /* by name; most are no function's name and stay 0 */
    size_t nrows;
    int64_t total;
    uint64_t work;
};

/* A unit of the table: `factor` of the profile's own units, shown as `suffix`. */
struct top_unit {
    int64_t factor;
    const char *suffix;
};

/* ---- Counting */

/* At the end of the range a sum stays there: better than a sign that turns. */
static int64_t add_clamped(int64_t a, int64_t b)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

/*
 * Functions are told apart by name alone, as pprof does by default: the same name from two files is
 * one row. row->last marks who was counted in this sample, so no set is needed.
 */
static int count_sample(struct top *t, uint32_t sample, const struct profile_sample_view *view)
{
    int64_t value = view->values[t->type];

    for (size_t i = 0; i < view->depth; i++) {
        size_t n;
        const uint32_t *frames = named_of(&t->named, view->locations[i], &n);

        t->work += n;
        if (t->work > TEXT_WORK_MAX_FRAMES)
            return -E2BIG;
        for (size_t k = 0; k < n; k++) {
            struct top_row *row = &t->rows[named_frame(&t->named, frames[k])->name];

            if (i == 0 && k == 0)
                row->flat = add_clamped(row->flat, value);
            if (row->last == sample + 1)
                continue;
            row->last = sample + 1;
            row->cum = add_clamped(row->cum, value);
        }
    }
    return 0;
}

/* A difference of profiles has negative values; they sort and scale by size. */
static uint64_t magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

/* Total order, as names differ: the same table every time. */
static int compare_row(const void *a, const void *b, void *data)
{
    const struct named *named = data;
    const struct top_row *ra = a, *rb = b;

    if (magnitude(ra->flat) != magnitude(rb->flat))
        return magnitude(ra->flat) > magnitude(rb->flat) ? -1 : 1;
    if (magnitude(ra->cum) != magnitude(rb->cum))
        return magnitude(ra->cum) > magnitude(rb->cum) ? -1 : 1;
    return strcmp(named_text(named, ra->name), named_text(named, rb->name));
}

/* One row a text at first; those that no sample touched (files, unused functions) fall out. */
static int count_all(struct top *t)
{
    size_t names = t->named.texts.count;
    struct profile_sample_view view;
    int rc = 0;

    t->rows = calloc(names + 1, sizeof(*t->rows));
    if (!t->rows)
        return -ENOMEM;
    for (uint32_t i = 0; i < names; i++)
        t->rows[i].name = i;
    for (uint32_t i = 0; rc == 0 && profile_get_sample(t->p, i, &view); i++)
        rc = count_sample(t, i, &view);
    for (size_t i = 0; i < names; i++) {
        if (t->rows[i].last != 0)
            t->rows[t->nrows++] = t->rows[i];
    }
    qsort_r(t->rows, t->nrows, sizeof(*t->rows), compare_row, &t->named);
    t->total = profile_total(t->p, t->type);
    return rc;
}

/* ---- Printing */

/*
 * One unit for the whole table, so that the columns compare: the largest in which the smallest
 * value still shows with two decimals.
 */
static struct top_unit choose_unit(const char *unit, uint64_t smallest)
{
    static const struct top_unit times[] = {
        {1, "ns"}, {1000, "us"}, {1000000, "ms"}, {1000000000, "s"}};
    static const struct top_unit sizes[] = {
        {1, "B"}, {1 << 10, "kB"}, {1 << 20, "MB"}, {1 << 30, "GB"}};
    const struct top_unit *units;
    struct top_unit chosen = {1, ""};

    if (strcmp(unit, "nanoseconds") == 0)
        units = times;
    else if (strcmp(unit, "bytes") == 0)
        units = sizes;
    else
        return chosen;
    chosen = units[0];
    for (size_t i = 1; i < 4; i++) {
        if (smallest >= (uint64_t)units[i].factor / 100)
            chosen = units[i];
    }
    return chosen;
}

/* "1.25s", "3s", "0". */
static const char *show(char out[static TOP_VALUE_BYTES], int64_t value, struct top_unit unit)
{
    size_t n;

    if (value == 0)
        return "0";
    (void)snprintf(out, TOP_VALUE_BYTES, "%.2f", (double)value / (double)unit.factor);
    n = strlen(out);
    if (n > 3 && memcmp(out + n - 3, ".00", 3) == 0)
        n -= 3;
    (void)snprintf(out + n, TOP_VALUE_BYTES - n, "%s", unit.suffix);
    return out;
}

/* "12.34%", "  100%", "0.05%": six columns. */
static const char *share(char out[static TOP_VALUE_BYTES], int64_t value, int64_t total)
{
    double percent = total ? fabs((double)value / (double)total) * 100 : 0;

    if (percent >= 99.95 && percent <= 100.05)
        return "  100%";
    (void)snprintf(out, TOP_VALUE_BYTES, percent >= 1 ? "%5.2f%%" : "%5.2g%%", percent);
    return out;
}

/* In a sentence, without the column's spaces. */
static const char *share_word(char out[static TOP_VALUE_BYTES], int64_t value, int64_t total)
{
    const char *text = share(out, value, total);

    while (*text == ' ')
        text++;
    return text;
}

/* When the profile began, in UTC: the reader may sit in another zone than the target. */
static void print_time(const struct top *t, struct buf *out)
{
    int64_t seconds = profile_time_ns(t->p) / (int64_t)CLOCK_NS_PER_SEC;
    struct clock_date d = clock_date_of(seconds);

    if (seconds > 0)
        buf_printf(out, "Time: %04" PRId64 "-%02d-%02d %02d:%02d:%02d UTC\n", d.year, d.month,
                   d.day, d.hour, d.minute, d.second);
}

/*
 * The lines above the table, in pprof's order. The share in brackets compares CPU time with wall
 * time: with several CPUs it may pass 100 %. Other units than time cannot be compared with a
 * duration.
 */
static void print_head(const struct top *t, size_t rows, struct top_unit unit, struct buf *out)
{
    int64_t duration = profile_duration_ns(t->p);
    int64_t shown = 0;
    char a[TOP_VALUE_BYTES], b[TOP_VALUE_BYTES];

    for (size_t i = 0; i < rows; i++)
        shown = add_clamped(shown, t->rows[i].flat);
    buf_printf(out, "Type: %s\n", profile_type_name(t->p, t->type));
    print_time(t, out);
    if (duration > 0) {
        bool cpu_time = strcmp(profile_type_unit(t->p, t->type), "nanoseconds") == 0;

        buf_printf(out, "Duration: %.2fs, Total samples = %s", (double)duration / 1e9,
                   show(a, t->total, unit));
        if (cpu_time)
            buf_printf(out, " (%s)", share_word(b, t->total, duration));
        buf_putc(out, '\n');
    }
    buf_printf(out, "Showing nodes accounting for %s, %s", show(a, shown, unit),
               share_word(b, shown, t->total));
    buf_printf(out, " of %s total\n", show(a, t->total, unit));
    if (rows < t->nrows)
        buf_printf(out, "Showing top %zu nodes out of %zu\n", rows, t->nrows);
}

/* Names come from outside: what would move the terminal's cursor is not shown. */
static void print_name(const char *name, struct buf *out)
{
    for (const char *s = name; *s;) {
        size_t control = utf8_control(s);

        buf_putc(out, control ? '?' : *s);
        s += control ? control : 1;
    }
}

/* The columns have pprof's widths, so that scripts which cut them go on working. */
static void print_rows(const struct top *t, size_t rows, struct top_unit unit, struct buf *out)
{
    int64_t sum = 0;

    buf_printf(out, "%10s %5s%% %5s%% %10s %5s%%\n", "flat", "flat", "sum", "cum", "cum");
    for (size_t i = 0; i < rows && !out->failed; i++) {
        const struct top_row *row = &t->rows[i];
        char flat[TOP_VALUE_BYTES], cum[TOP_VALUE_BYTES], a[TOP_VALUE_BYTES], b[TOP_VALUE_BYTES],
            c[TOP_VALUE_BYTES];

        sum = add_clamped(sum, row->flat);
        buf_printf(out, "%10s %s %s %10s %s  ", show(flat, row->flat, unit),
                   share(a, row->flat, t->total), share(b, sum, t->total),
                   show(cum, row->cum, unit), share(c, row->cum, t->total));
        print_name(named_text(&t->named, row->name), out);
        buf_putc(out, '\n');
    }
}

/* The smallest value that is shown chooses the unit. */
static void print_all(const struct top *t, size_t rows, struct buf *out)
{
    uint64_t smallest = magnitude(t->total);
    struct top_unit unit;

    if (rows == 0 || rows > t->nrows)
        rows = t->nrows;
    for (size_t i = 0; i < rows; i++) {
        uint64_t value = magnitude(t->rows[i].flat ? t->rows[i].flat : t->rows[i].cum);

        if (value > 0 && value < smallest)
            smallest = value;
    }
    unit = choose_unit(profile_type_unit(t->p, t->type), smallest);
    print_head(t, rows, unit, out);
    print_rows(t, rows, unit, out);
}

int text_top(const struct profile *p, size_t type, size_t rows, struct buf *out)
{
    struct top t = {.p = p, .type = type};
    int rc;

    if (type >= profile_types(p))
        return -EINVAL;
    rc = named_init(&t.named, p);
    if (rc == 0)
        rc = count_all(&t);
    if (rc == 0) {
        print_all(&t, rows, out);
        rc = out->failed ? -ENOMEM : 0;
    }
    free(t.rows);
    named_release(&t.named);
    return rc;
}
