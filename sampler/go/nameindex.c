#include "sampler/go/nameindex.h"

#include <errno.h>

enum {
    PIECE_BYTES = 4096, /* of the name table, at a time */
    ROWS_FIRST = 4096,
};

static const char prefix[] = "runtime.";

/*
 * Two passes, both in the order of the file: over the names, to know the offsets of those that are
 * wanted, then over the functions, to know which of them has which of these offsets. (Names of
 * functions that were only ever inlined have none.)
 */
struct row {
    uint32_t name; /* offset in the name table; rows are ordered by it */
    uint32_t hash;
    uint32_t func; /* index, FUNC_NONE: the name of something that was only inlined */
    bool wrapper;
};

#define FUNC_NONE UINT32_MAX

struct rows {
    struct row *row;
    size_t count, cap;
};

struct nameindex {
    bool built;
    int result; /* of building: a damaged table is not gone through again for each name */
    struct rows runtime;
};

/* What a pass over the names keeps: exactly ${name}, or all that begin with the prefix. */
struct wanted {
    const char *name;
    struct rows *rows;
};

static uint32_t hash_of(const char *s, size_t bytes)
{
    uint32_t h = 2166136261u; /* FNV-1a: only saves comparisons; each hit is compared */

    for (size_t i = 0; i < bytes; i++)
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h;
}

static int keep(struct wanted *w, uint32_t name, const char *text, size_t bytes)
{
    struct rows *rows = w->rows;

    if (w->name ? bytes != strlen(w->name) || memcmp(text, w->name, bytes) != 0
                : bytes < sizeof(prefix) || memcmp(text, prefix, sizeof(prefix) - 1) != 0)
        return 0;
    if (rows->count == NAMEINDEX_NAMES_MAX)
        return -EBADMSG;
    if (rows->count == rows->cap) {
        size_t cap = rows->cap ? rows->cap * 2 : ROWS_FIRST;
        struct row *row = realloc(rows->row, cap * sizeof(*row));

        if (!row)
            return -ENOMEM;
        rows->row = row;
        rows->cap = cap;
    }
    rows->row[rows->count++] = (struct row){name, hash_of(text, bytes), FUNC_NONE, false};
    return 0;
}

/* One pass over the name table: NUL-terminated names one after another. */
static int collect_names(const struct pclntab *t, struct wanted *w)
{
    char piece[PIECE_BYTES], name[NAMEINDEX_NAME_MAX_BYTES];
    uint64_t start = t->names;
    size_t length = 0;
    int r = t->cus - t->names > NAMEINDEX_TABLE_MAX_BYTES ? -EBADMSG : 0;

    for (uint64_t at = t->names; at < t->cus && r == 0; at += sizeof(piece)) {
        size_t bytes = t->cus - at < sizeof(piece) ? (size_t)(t->cus - at) : sizeof(piece);

        if (file_read(t->file, at, piece, bytes) != 0)
            return -EBADMSG;
        for (size_t i = 0; i < bytes && r == 0; i++) {
            if (piece[i] != '\0') {
                if (length < sizeof(name))
                    name[length] = piece[i];
                length++;
                continue;
            }
            if (length > 0 && length < sizeof(name) && start - t->names <= UINT32_MAX)
                r = keep(w, (uint32_t)(start - t->names), name, length);
            start = at + i + 1;
            length = 0;
        }
    }
    return r;
}

/* The names were met in the order of their offsets: the rows are sorted by them. */
static struct row *row_of(const struct rows *rows, uint32_t name)
{
    size_t lo = 0, hi = rows->count;

    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;

        if (rows->row[middle].name == name)
            return &rows->row[middle];
        if (rows->row[middle].name < name)
            lo = middle + 1;
        else
            hi = middle;
    }
    return NULL;
}

/* One pass over the functions: which of the names have one? */
static int collect_functions(struct pclntab *t, uint8_t wrapper_id, const struct rows *rows)
{
    uint64_t last = 0;

    for (uint32_t i = 0; i < t->nfunc && rows->count > 0; i++) {
        struct pclntab_func fn;
        struct row *row;
        int r = pclntab_func(t, i, &fn);

        if (r != 0)
            return r;
        /* The linker writes the records in order, so that this pass reads each block of the file
         * once; out of order, four million of them could each cost a read. */
        if (fn.at <= last)
            return -EBADMSG;
        last = fn.at;
        /* ABI wrappers of assembly functions have the name of what they wrap. */
        row = row_of(rows, fn.name);
        if (row && (row->func == FUNC_NONE || (row->wrapper && fn.id != wrapper_id))) {
            row->func = i;
            row->wrapper = fn.id == wrapper_id;
        }
    }
    return 0;
}

static int build(struct pclntab *t, uint8_t wrapper_id, const char *name, struct rows *ret)
{
    struct wanted w = {.name = name, .rows = ret};
    int r = collect_names(t, &w);

    return r == 0 ? collect_functions(t, wrapper_id, ret) : r;
}

/* Some thousand comparisons of a number for each question; there are some fifty questions. */
static int find_in(const struct rows *rows, struct pclntab *t, const char *name,
                   struct pclntab_func *ret)
{
    char text[NAMEINDEX_NAME_MAX_BYTES];
    uint32_t hash = hash_of(name, strlen(name));

    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->row[i];

        if (row->hash == hash && row->func != FUNC_NONE &&
            pclntab_name(t, row->name, text, sizeof(text)) == 0 && strcmp(text, name) == 0)
            return pclntab_func(t, row->func, ret);
    }
    return -ENOENT;
}

int nameindex_new(struct nameindex **ret)
{
    struct nameindex *n = calloc(1, sizeof(*n));

    if (!n)
        return -ENOMEM;
    *ret = n;
    return 0;
}

void nameindex_free(struct nameindex *n)
{
    if (!n)
        return;
    free(n->runtime.row);
    free(n);
}

int nameindex_find(struct nameindex *n, struct pclntab *t, uint8_t wrapper_id, const char *name,
                   struct pclntab_func *ret)
{
    struct rows own = {0};
    int r = 0;

    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0) {
        r = build(t, wrapper_id, name, &own);
        if (r == 0)
            r = find_in(&own, t, name, ret);
        free(own.row);
        return r;
    }
    if (!n->built) {
        n->result = build(t, wrapper_id, NULL, &n->runtime);
        n->built = true;
    }
    return n->result == 0 ? find_in(&n->runtime, t, name, ret) : n->result;
}
