#include "sampler/go/pclncheck.h"

#include <errno.h>
#include <string.h>

enum {
    TEXT_BYTES = 512,
    LINE_MAX_NUMBER = 1 << 24, /* of a source file; the compiler's own limit is below it */
    DELTA_MAX_BYTES = 1 << 30,
    DELTA_ALIGN = 8,
    NO_WRAPPER = 0xff, /* a FuncID that nothing has: all names count */
    FLAG_TOP = 1,
    FIRST_IDS = 2, /* internal/abi/symtab.go: abort, asmcgocall */
};

/* C code that was linked in has no tables (-1); Go's stack deltas begin at 0 and are words. */
static bool is_delta(int32_t v, bool at_entry)
{
    return v == -1 || (at_entry ? v == 0 : v >= 0 && v <= DELTA_MAX_BYTES && v % DELTA_ALIGN == 0);
}

/* Names of Go are UTF-8, and those of paths: no byte below a space is in either. */
static bool is_text(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    }
    return true;
}

/* One function at its first and its last byte. *ret_placed: it has a file and a line. */
static bool holds(struct pclntab *t, const struct pclntab_func *fn, bool *ret_placed)
{
    const uint32_t at[] = {fn->entry, fn->end - 1};
    char text[TEXT_BYTES];
    int64_t line = 0;

    *ret_placed = false;
    if (pclntab_name(t, fn->name, text, sizeof(text)) != 0 || text[0] == '\0' || !is_text(text) ||
        fn->start_line < 0 || fn->start_line > LINE_MAX_NUMBER)
        return false;
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        int32_t delta;

        if (pclntab_value(t, fn, fn->pcsp, at[i], &delta) != 0 || !is_delta(delta, i == 0) ||
            pclntab_line(t, fn, at[i], text, sizeof(text), &line) != 0 || line > LINE_MAX_NUMBER ||
            !is_text(text))
            return false;
        *ret_placed |= line > 0 && (strchr(text, '/') || text[0] == '<');
    }
    return true;
}

/* Functions with equal steps between them; most are Go's, and those have a place in a file. */
static int check_functions(struct pclntab *t)
{
    uint32_t step = t->nfunc / PCLNCHECK_FUNCTIONS_MAX + 1;
    unsigned looked = 0, placed = 0;

    for (uint32_t i = 0; i < t->nfunc; i += step) {
        struct pclntab_func fn;
        bool has_place;

        pclntab_allow(t);
        if (pclntab_func(t, i, &fn) != 0)
            return -EBADMSG;
        if (fn.entry == fn.end)
            continue;
        if (!holds(t, &fn, &has_place))
            return -EBADMSG;
        looked++;
        placed += has_place;
    }
    return looked > 0 && placed > looked / 2 ? 0 : -EBADMSG;
}

/* A function that every Go program has: without it the names are not what we think. */
static int find(struct pclntab *t, struct nameindex *names, uint8_t wrapper_id, const char *name,
                struct pclntab_func *ret)
{
    int r = nameindex_find(names, t, wrapper_id, name, ret);

    return r == -ENOENT ? -EBADMSG : r;
}

/*
 * FuncIDs are numbered in the order of the names since there are FuncIDs, so the first two have
 * never changed, and the wrapper, which comes last, follows systemstack_switch (seen in 1.19 to
 * 1.26). goexit is where stacks end; main is called by Go code like any other.
 */
static int check_known(struct pclntab *t, struct nameindex *names, uint8_t *ret_wrapper_id)
{
    static const struct known {
        const char *name;
        int id; /* -1: any but 0, which is that of ordinary functions */
        bool top;
    } known[] = {
        {"runtime.abort", 1, false},
        {"runtime.asmcgocall", 2, false},
        {"runtime.goexit", -1, true},
        {"runtime.main", -1, false},
    };
    struct pclntab_func fn;
    int r = find(t, names, NO_WRAPPER, "runtime.systemstack_switch", &fn);
    uint8_t wrapper;

    if (r != 0)
        return r;
    if (fn.id <= FIRST_IDS || fn.id >= NO_WRAPPER - 1)
        return -EBADMSG;
    wrapper = (uint8_t)(fn.id + 1);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && r == 0; i++) {
        r = find(t, names, wrapper, known[i].name, &fn);
        if (r == 0 && (((fn.flag & FLAG_TOP) != 0) != known[i].top || fn.id == 0 ||
                       fn.id >= wrapper || (known[i].id >= 0 && fn.id != known[i].id)))
            r = -EBADMSG;
    }
    if (r == 0)
        *ret_wrapper_id = wrapper;
    return r;
}

int pclncheck_run(struct pclntab *t, struct nameindex *names, uint8_t *ret_wrapper_id)
{
    int r = check_functions(t);

    return r == 0 ? check_known(t, names, ret_wrapper_id) : r;
}
