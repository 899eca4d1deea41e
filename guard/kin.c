#include "guard/kin.h"

#include <stdlib.h>

static int by_pid(const void *a, const void *b)
{
    const struct kin_row *x = a;
    const struct kin_row *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Start times have ticks of 10 ms: of a parent and its child within one, the parent is first. */
static int eldest_first(const void *a, const void *b)
{
    const struct kin_row *x = a;
    const struct kin_row *y = b;

    if (x->in != y->in)
        return x->in ? -1 : 1;
    if (x->start_ticks != y->start_ticks)
        return x->start_ticks < y->start_ticks ? -1 : 1;
    if (x->apart != y->apart)
        return x->apart ? -1 : 1;
    return by_pid(a, b);
}

/* Its parent in the table, NULL: not there, or another process with that number by now. */
static const struct kin_row *parent_of(const struct kin_row *rows, size_t n,
                                       const struct kin_row *row)
{
    struct kin_row key = {.pid = row->ppid};
    const struct kin_row *p = bsearch(&key, rows, n, sizeof(*rows), by_pid);

    return p && p != row && p->start_ticks <= row->start_ticks ? p : NULL;
}

/* One pass: the children of those that are in. Did it find any? */
static bool pass(struct kin_row *rows, size_t n, bool (*akin)(void *ctx, pid_t parent, pid_t child),
                 void *ctx)
{
    bool found = false;

    for (size_t i = 0; i < n; i++) {
        const struct kin_row *p;

        if (rows[i].in || rows[i].never)
            continue;
        p = parent_of(rows, n, &rows[i]);
        if (!p || !p->in)
            continue;
        if (akin && !akin(ctx, p->pid, rows[i].pid)) {
            rows[i].never = true;
            continue;
        }
        rows[i].in = found = true;
    }
    return found;
}

size_t kin_close(struct kin_row *rows, size_t n, bool (*akin)(void *ctx, pid_t parent, pid_t child),
                 void *ctx)
{
    size_t count = 0;

    if (n == 0)
        return 0;
    qsort(rows, n, sizeof(*rows), by_pid);
    for (size_t i = 0; i < n; i++)
        rows[i].in = rows[i].match && !rows[i].never;
    for (int i = 0; i < KIN_PASSES_MAX && pass(rows, n, akin, ctx); i++)
        ;
    for (size_t i = 0; i < n; i++) {
        const struct kin_row *p = parent_of(rows, n, &rows[i]);

        rows[i].apart = rows[i].in && !(p && p->in);
        count += rows[i].in;
    }
    qsort(rows, n, sizeof(*rows), eldest_first);
    return count;
}
