#include "sampler/symbols/symtab.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>

enum {
    SYMBOLS_AT_ONCE = 2048, /* 48 KiB: read past the cache */
    SYMTAB_FIRST = 1024,
    SYMTAB_SIZE_MAX = (1 << 29) - 1, /* bytes; no compiler writes a function of 512 MiB */
};

enum rank { RANK_GLOBAL, RANK_WEAK, RANK_LOCAL };

/* Sorted by address; at one address the range that looks are to find first stands last. */
struct symbol {
    uint64_t vaddr;
    uint32_t size : 29;
    uint32_t rank : 2;   /* enum rank */
    uint32_t nested : 1; /* an earlier symbol reaches over this one's start */
    uint32_t name;       /* offset in the string table */
};

struct symtab {
    uint64_t strings, strings_end;
    size_t count, cap;
    struct symbol *symbols;
};

static uint32_t rank_of(const Elf64_Sym *s)
{
    switch (ELF64_ST_BIND(s->st_info)) {
    case STB_GLOBAL:
    case STB_GNU_UNIQUE:
        return RANK_GLOBAL;
    case STB_WEAK:
        return RANK_WEAK;
    default:
        return RANK_LOCAL;
    }
}

/*
 * STT_NOTYPE is left out although assembly has functions of that type: so are AArch64's mapping
 * symbols ($x, $d) and linker marks (_end), which would give wrong names. Undefined ones are what
 * the file wants from others.
 */
static bool is_function(const Elf64_Sym *s)
{
    unsigned type = ELF64_ST_TYPE(s->st_info);

    return (type == STT_FUNC || type == STT_GNU_IFUNC) && s->st_shndx != SHN_UNDEF &&
           s->st_value != 0 && s->st_name != 0;
}

/*
 * Doubling, not counting first: a second pass over the file would cost more than the copies, and
 * sh_size, which may lie, is not to be allocated by.
 */
static int add(struct symtab *t, const Elf64_Sym *s)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : SYMTAB_FIRST;
        struct symbol *grown = realloc(t->symbols, cap * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        t->symbols = grown;
        t->cap = cap;
    }
    t->symbols[t->count++] = (struct symbol){
        .vaddr = s->st_value,
        .size = (uint32_t)(s->st_size < SYMTAB_SIZE_MAX ? s->st_size : SYMTAB_SIZE_MAX),
        .rank = rank_of(s),
        .name = s->st_name,
    };
    return 0;
}

static int read_all(struct file *f, const struct symtab_where *where, uint64_t max,
                    struct symtab *t)
{
    uint64_t count = where->count < max ? where->count : max;
    Elf64_Sym *some = malloc(SYMBOLS_AT_ONCE * sizeof *some);
    int rc = some ? 0 : -ENOMEM;

    for (uint64_t i = 0; i < count && rc == 0;) {
        uint64_t n = count - i < SYMBOLS_AT_ONCE ? count - i : SYMBOLS_AT_ONCE;

        /* A table that ends early: what was there is still true, to the last whole entry. */
        while (n > 0 && file_read(f, where->offset + i * sizeof *some, some, n * sizeof *some) < 0)
            n /= 2;
        if (n == 0)
            break;
        for (uint64_t k = 0; k < n && rc == 0; k++)
            if (is_function(&some[k]))
                rc = add(t, &some[k]);
        i += n;
    }
    free(some);
    return rc;
}

/* No size sorts as the widest range: at its address anything else is more precise. */
static uint64_t width(const struct symbol *s)
{
    return s->size == 0 ? UINT64_MAX : s->size;
}

static int by_address(const void *left, const void *right)
{
    const struct symbol *a = left, *b = right;

    if (a->vaddr != b->vaddr)
        return a->vaddr < b->vaddr ? -1 : 1;
    if (width(a) != width(b))
        return width(a) > width(b) ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank > b->rank ? -1 : 1;
    if (a->name != b->name) /* only to be the same on each run */
        return a->name > b->name ? -1 : 1;
    return 0;
}

/* Behind its last byte. No size means one byte: its address alone. */
static uint64_t end_of(const struct symbol *s)
{
    uint64_t size = s->size ? s->size : 1;

    return s->vaddr > UINT64_MAX - size ? UINT64_MAX : s->vaddr + size;
}

/*
 * Most tables have few overlaps (aliases, cold parts). The bit lets a look-up stop at the first
 * symbol that nobody reaches over, so that it is a binary search and one comparison there.
 */
static void mark_nested(struct symtab *t)
{
    uint64_t reach = 0;

    for (size_t i = 0; i < t->count; i++) {
        uint64_t end = end_of(&t->symbols[i]);

        t->symbols[i].nested = reach > t->symbols[i].vaddr;
        reach = end > reach ? end : reach;
    }
}

int symtab_load(struct file *f, const struct symtab_where *where, uint64_t max, struct symtab **ret)
{
    struct symtab *t = calloc(1, sizeof *t);
    struct symbol *exact;
    int rc;

    if (!t)
        return -ENOMEM;
    rc = read_all(f, where, max, t);
    if (rc == 0 && t->count == 0)
        rc = -ENOENT;
    if (rc < 0) {
        symtab_free(t);
        return rc;
    }
    /* Give back what doubling took too much; smaller is never a reason to fail. */
    exact = realloc(t->symbols, t->count * sizeof *exact);
    if (exact)
        t->symbols = exact;
    t->cap = t->count;
    qsort(t->symbols, t->count, sizeof *t->symbols, by_address);
    mark_nested(t);
    t->strings = where->strings;
    t->strings_end = where->strings_end;
    *ret = t;
    return 0;
}

void symtab_free(struct symtab *t)
{
    if (!t)
        return;
    free(t->symbols);
    free(t);
}

size_t symtab_count(const struct symtab *t)
{
    return t->count;
}

/* How many symbols start at or below vaddr. */
static size_t upto(const struct symtab *t, uint64_t vaddr)
{
    size_t lo = 0, hi = t->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (t->symbols[mid].vaddr <= vaddr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The names of symbol i, which is the best of its range: those before it are its aliases. */
static void take_names(const struct symtab *t, size_t i, struct symtab_hit *ret)
{
    const struct symbol *best = &t->symbols[i];

    *ret = (struct symtab_hit){.start = best->vaddr, .names_end = t->strings_end};
    for (const struct symbol *s = best; ret->names < SYMTAB_NAMES_MAX; s--) {
        if (s->vaddr != best->vaddr || s->size != best->size ||
            (s->rank == RANK_LOCAL) != (best->rank == RANK_LOCAL))
            return;
        ret->name[ret->names++] = t->strings + s->name;
        if (s == t->symbols)
            return;
    }
}

int symtab_find(const struct symtab *t, uint64_t vaddr, struct symtab_hit *ret)
{
    size_t i = upto(t, vaddr);

    /*
     * Back over the symbols that end before vaddr, as long as one further back can reach over
     * them. Starts only fall on the way, so the first that covers vaddr is the innermost.
     */
    for (unsigned turns = 0; i > 0 && turns < SYMTAB_NESTED_MAX; turns++) {
        const struct symbol *s = &t->symbols[--i];

        if (vaddr < end_of(s)) {
            take_names(t, i, ret);
            return 0;
        }
        if (!s->nested)
            return -ENOENT;
    }
    return -ENOENT;
}
