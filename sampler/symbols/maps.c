#include "sampler/symbols/maps.h"

#include <errno.h>

enum {
    MAPS_FIRST_ROWS = 64,
    MAPS_FIRST_PATHS_BYTES = 4096,
};

/*
 * fs/proc/task_mmu.c, show_map_vma(), writes the lines: numbers in hexadecimal without 0x, the
 * inode in decimal, the path padded to column 73, with newlines as \012 and nothing else escaped.
 * fs/d_path.c adds this to the path of a file without a name; a file can also be called so.
 */
static const char deleted_suffix[] = " (deleted)";

/* The rest of one line. */
struct cursor {
    const char *at, *end;
};

struct table {
    struct maps m;
    size_t rows_cap, paths_cap;
    uint32_t last_path; /* a file's rows follow each other: its path is kept once */
    size_t last_bytes;
};

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/*
 * Nothing of libc's: strtoull takes spaces, signs and 0x, and needs a NUL somewhere.
 * Digits up to the character `stop`, which is taken too.
 */
static bool number(struct cursor *c, unsigned base, char stop, uint64_t *ret)
{
    uint64_t v = 0;
    const char *first = c->at;

    for (; c->at < c->end && *c->at != stop; c->at++) {
        int d = digit(*c->at);

        if (d >= (int)base || v > (UINT64_MAX - (uint64_t)d) / base)
            return false;
        v = v * base + (uint64_t)d;
    }
    if (c->at == first || c->at == c->end)
        return false;
    c->at++;
    *ret = v;
    return true;
}

/* "rwxp ": the fourth, p or s, is of no interest here. */
static bool permissions(struct cursor *c, struct maps_row *row)
{
    if (c->end - c->at < 5 || c->at[4] != ' ')
        return false;
    row->write = c->at[1] == 'w';
    row->exec = c->at[2] == 'x';
    c->at += 5;
    return true;
}

/* "7f12…-7f13… r-xp 00001000 fe:01 1234   /path"; proc(5). A space follows the inode always. */
static bool parse_row(struct cursor *c, struct maps_row *row)
{
    uint64_t major, minor;

    if (!number(c, 16, '-', &row->start) || !number(c, 16, ' ', &row->end) ||
        row->start >= row->end || !permissions(c, row) || !number(c, 16, ' ', &row->offset) ||
        !number(c, 16, ':', &major) || !number(c, 16, ' ', &minor) || major > UINT32_MAX ||
        minor > UINT32_MAX || !number(c, 10, ' ', &row->inode))
        return false;
    row->dev_major = (uint32_t)major;
    row->dev_minor = (uint32_t)minor;
    while (c->at < c->end && *c->at == ' ')
        c->at++;
    return true;
}

/* Doubling from a usual process's size; MAPS_MAX rows are 4 MiB. */
static bool grow_rows(struct table *t)
{
    size_t cap = t->rows_cap ? t->rows_cap * 2 : MAPS_FIRST_ROWS;
    struct maps_row *rows;

    if (t->m.count < t->rows_cap)
        return true;
    rows = realloc(t->m.rows, cap * sizeof *rows);
    if (!rows)
        return false;
    t->m.rows = rows;
    t->rows_cap = cap;
    return true;
}

static bool grow_paths(struct table *t, size_t bytes)
{
    size_t cap = t->paths_cap ? t->paths_cap : MAPS_FIRST_PATHS_BYTES;
    char *paths;

    while (cap < t->m.paths_bytes + bytes)
        cap *= 2;
    if (cap == t->paths_cap)
        return true;
    paths = realloc(t->m.paths, cap);
    if (!paths)
        return false;
    t->m.paths = paths;
    t->paths_cap = cap;
    return true;
}

/* Keep a path (cut to MAPS_PATH_BYTES); *ret its index. false: no memory. */
static bool put_path(struct table *t, const char *path, size_t bytes, uint32_t *ret)
{
    *ret = 0;
    if (bytes == 0)
        return true;
    if (bytes > MAPS_PATH_BYTES - 1)
        bytes = MAPS_PATH_BYTES - 1;
    if (t->last_path != 0 && bytes == t->last_bytes &&
        memcmp(t->m.paths + t->last_path, path, bytes) == 0) {
        *ret = t->last_path;
        return true;
    }
    if (t->m.paths_bytes + bytes + 1 > MAPS_PATHS_MAX_BYTES) {
        t->m.truncated = true;
        return true;
    }
    if (!grow_paths(t, bytes + 1))
        return false;
    *ret = t->last_path = (uint32_t)t->m.paths_bytes;
    t->last_bytes = bytes;
    memcpy(t->m.paths + *ret, path, bytes);
    t->m.paths[*ret + bytes] = '\0';
    t->m.paths_bytes += bytes + 1;
    return true;
}

static bool table_init(struct table *t)
{
    *t = (struct table){0};
    if (!grow_paths(t, 1))
        return false;
    t->m.paths[0] = '\0';
    t->m.paths_bytes = 1;
    return true;
}

/*
 * A line that is no mapping spoils the whole: it does not come from this kernel's format, so what
 * the others mean is not certain either.
 */
static int add_line(struct table *t, const char *line, size_t bytes, size_t number_of,
                    struct err *e)
{
    struct cursor c = {line, line + bytes};
    struct maps_row row = {0};
    size_t left, suffix = sizeof deleted_suffix - 1;

    if (memchr(line, '\0', bytes) || !parse_row(&c, &row))
        return err_set(e, -EBADMSG, "line %zu of the maps is no mapping", number_of);
    if (t->m.count == MAPS_MAX) {
        t->m.truncated = true;
        return 0;
    }
    left = (size_t)(c.end - c.at);
    if (left > suffix && memcmp(c.end - suffix, deleted_suffix, suffix) == 0) {
        row.deleted = true;
        left -= suffix;
    }
    if (!put_path(t, c.at, left, &row.path) || !grow_rows(t))
        return err_set(e, -ENOMEM, "no memory for the maps");
    t->m.rows[t->m.count++] = row;
    return 0;
}

static int by_start(const void *left, const void *right)
{
    const struct maps_row *a = left, *b = right;

    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return 0;
}

/* The kernel's order is checked, not believed: look-ups rest on it. */
static void put_in_order(struct maps *m)
{
    bool sorted = true;
    size_t kept = 0;

    for (size_t i = 1; i < m->count; i++)
        sorted = sorted && m->rows[i - 1].end <= m->rows[i].start;
    if (sorted)
        return;
    qsort(m->rows, m->count, sizeof *m->rows, by_start);
    for (size_t i = 0; i < m->count; i++)
        if (kept == 0 || m->rows[kept - 1].end <= m->rows[i].start)
            m->rows[kept++] = m->rows[i];
    m->count = kept;
}

int maps_parse(const char *text, size_t bytes, struct maps *ret, struct err *e)
{
    const char *at = text, *end = text + bytes;
    struct table t;
    int rc = 0;

    if (!table_init(&t))
        return err_set(e, -ENOMEM, "no memory for the maps");
    for (size_t line = 1; at < end && rc == 0; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        if (!stop) {
            t.m.truncated = true;
            break;
        }
        rc = add_line(&t, at, (size_t)(stop - at), line, e);
        at = stop + 1;
    }
    if (rc < 0) {
        maps_release(&t.m);
        return rc;
    }
    put_in_order(&t.m);
    *ret = t.m;
    return 0;
}

void maps_release(struct maps *m)
{
    if (!m)
        return;
    free(m->rows);
    free(m->paths);
    *m = (struct maps){0};
}

/* How many rows start at or below the address. */
static size_t upto(const struct maps *m, uint64_t address)
{
    size_t lo = 0, hi = m->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (m->rows[mid].start <= address)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Called for each address of each sample: rows are sorted and apart, so one search is all. */
const struct maps_row *maps_find(const struct maps *m, uint64_t address)
{
    size_t i = upto(m, address);

    if (i == 0 || address >= m->rows[i - 1].end)
        return NULL;
    return &m->rows[i - 1];
}

const char *maps_path(const struct maps *m, const struct maps_row *row)
{
    return m->paths && row->path < m->paths_bytes ? m->paths + row->path : "";
}

/* One free piece [start, end) of an old row. */
static bool keep_piece(struct table *t, const struct maps *before, const struct maps_row *old,
                       uint64_t start, uint64_t end)
{
    const char *path = maps_path(before, old);
    struct maps_row row = *old;

    row.offset += start - old->start;
    row.start = start;
    row.end = end;
    row.gone = true;
    if (!put_path(t, path, strlen(path), &row.path) || !grow_rows(t))
        return false;
    t->m.rows[t->m.count++] = row;
    return true;
}

/* The pieces of an old row that the first `fresh` rows (the sorted new ones) leave free. */
static bool keep_row(struct table *t, size_t fresh, const struct maps *before,
                     const struct maps_row *old)
{
    struct maps now = {.rows = t->m.rows, .count = fresh};
    uint64_t at = old->start;
    size_t i = upto(&now, at);

    if (i > 0 && t->m.rows[i - 1].end > at)
        at = t->m.rows[i - 1].end;
    for (; at < old->end; i++) {
        uint64_t stop = i < fresh && t->m.rows[i].start < old->end ? t->m.rows[i].start : old->end;

        if (t->m.count - fresh >= MAPS_KEPT_MAX || t->m.count >= MAPS_MAX)
            return true;
        if (stop > at && !keep_piece(t, before, old, at, stop))
            return false;
        if (stop == old->end)
            return true;
        at = t->m.rows[i].end;
    }
    return true;
}

/*
 * The new rows stay in front, sorted, while the old ones' pieces are put behind them; all is sorted
 * at the end. Old rows do not overlap each other, so their pieces do not either.
 */
int maps_keep(struct maps *now, const struct maps *before)
{
    size_t fresh = now->count;
    struct table t = {.m = *now, .rows_cap = now->count, .paths_cap = now->paths_bytes};
    bool ok = true;

    for (size_t i = 0; i < before->count && ok; i++)
        if (before->rows[i].exec)
            ok = keep_row(&t, fresh, before, &before->rows[i]);
    /* Rows and paths may have moved even when it failed half-way: only the new tail is undone. */
    if (!ok)
        t.m.count = fresh;
    else if (t.m.count > fresh)
        qsort(t.m.rows, t.m.count, sizeof *t.m.rows, by_start);
    *now = t.m;
    return ok ? 0 : -ENOMEM;
}
