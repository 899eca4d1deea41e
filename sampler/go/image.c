#include "sampler/go/image.h"

#include <errno.h>

#include "sampler/go/buildinfo.h"
#include "sampler/go/inline.h"
#include "sampler/go/layout.h"
#include "sampler/go/moduledata.h"
#include "sampler/go/nameindex.h"
#include "sampler/go/pclncheck.h"
#include "sampler/go/pclnfind.h"

enum {
    DELTA_CACHE_SLOTS = 4096,             /* a power of two; 96 KiB */
    DELTA_MAX_BYTES = 1024 * 1024 * 1024, /* the largest stack of a goroutine (maxstacksize) */
    DELTA_FLAGS = GO_DELTA_TOP | GO_DELTA_SPWRITE | GO_DELTA_ASM, /* _func.flag has the same bits */
};

/* What go_image_delta() said about a pc, failures too. */
struct delta {
    uint64_t pc; /* 0: empty (no text there) */
    int32_t delta;
    int32_t result;
    uint32_t flags;
};

/*
 * Two address spaces meet here: `elf` and `table` speak of the file (virtual addresses, offsets
 * from text), `module` of memory. bias = memory - file; it is 0 unless the file is a PIE.
 */
struct go_image {
    struct elf *elf;
    uint64_t bias;
    char version[BUILDINFO_VERSION_BYTES];
    int minor, formats;
    uint8_t wrapper_id; /* abi.FuncIDWrapper of this version */
    char note[ERR_TEXT_BYTES];
    const struct go_layout *layout;
    struct pclntab table;
    struct moduledata module;
    struct nameindex *names;
    struct delta deltas[DELTA_CACHE_SLOTS];
};

/* internal/abi/symtab.go (1.18 to 1.20: runtime/symtab.go): the last FuncID. Go 1.22 added
 * corostart before it, 1.25 runCleanups. */
static uint8_t wrapper_id_of(int minor)
{
    if (minor < 22)
        return 21;
    return minor < 25 ? 22 : 23;
}

/* A newer Go is read as the newest we know, if its tables turn out to be like that. */
static bool is_unknown(const struct go_image *g)
{
    return g->minor > MODULEDATA_MINOR_MAX;
}

/* Garbled programs have no version, but the sections and the build id's note that linkers make. */
static bool looks_like_go(const struct elf *elf)
{
    static const char *const sections[] = {".gopclntab", ".data.rel.ro.gopclntab",
                                           ".note.go.buildid"};
    struct elf_section s;

    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        if (elf_section_find(elf, sections[i], &s) == 0)
            return true;
    }
    return false;
}

static int without_version(const struct go_image *g, int r, struct err *e)
{
    if (r == -ENOTSUP)
        return err_set(e, r, "a Go program from before Go 1.18; 1.18 to 1.26 are known");
    if (r != -ENOENT)
        return err_set(e, r, "the Go build information cannot be read");
    if (looks_like_go(g->elf))
        return err_set(e, -ENOTSUP,
                       "a Go program that does not say of which version: its build information was "
                       "removed (garbled?); build it with the go command alone");
    return err_set(e, r, "no Go program");
}

/* Which Go, and do we know its formats? The text for people is made here, once. */
static int open_version(struct go_image *g, struct err *e)
{
    int r = buildinfo_version(g->elf, g->version);

    if (r != 0)
        return without_version(g, r, e);
    g->minor = buildinfo_minor(g->version);
    if (g->minor < MODULEDATA_MINOR_MIN)
        return err_set(e, -ENOTSUP, "Go version \"%s\" is not known; 1.18 to 1.26 are", g->version);
    g->formats = is_unknown(g) ? MODULEDATA_MINOR_MAX : g->minor;
    g->wrapper_id = wrapper_id_of(g->minor);
    g->layout = go_layout_find(g->version);
    if (!g->layout)
        (void)snprintf(g->note, sizeof(g->note),
                       "%s is not known: read with the layout of %s, only what proves itself",
                       g->version, go_layout_nearest(g->minor)->made_with);
    return 0;
}

/*
 * The pc-line table from the file, then the module data from memory. A version and a magic number
 * that do not belong together are a tampered file (some obfuscators change one of them): its
 * records could be 4 bytes longer or shorter than we think.
 */
static int open_tables(struct go_image *g, const struct target *target, struct err *e)
{
    uint64_t vaddr;
    int r = pclnfind_open(g->elf, &g->table, &vaddr);

    if (r == -ENOMEM)
        return r;
    if (r != 0)
        return err_set(e, -ENOTSUP, "%s, but its table of functions (pclntab) %s", g->version,
                       r == -ENOENT ? "was not found" : "is damaged");
    if ((g->table.magic == PCLNTAB_GO118) != (g->minor < 20))
        return err_set(e, -ENOTSUP, "%s, but its table of functions (pclntab) is another version's",
                       g->version);
    r = moduledata_find(g->elf, target, g->bias, vaddr, &g->table, g->minor, &g->module);
    if (r == -ENOENT)
        return err_set(e, -ENOTSUP, "%s, but its module data was not found in memory", g->version);
    if (r == -EPERM)
        return err_set(e, r,
                       "%s, position independent: its memory would have to be read, which is "
                       "not permitted",
                       g->version);
    return r == 0 ? 0 : err_set(e, r, "%s: its memory cannot be read", g->version);
}

/* The tables of a version that is not known prove that they are those of the newest known one. */
static int check_tables(struct go_image *g, struct err *e)
{
    int r = is_unknown(g) ? pclncheck_run(&g->table, g->names, &g->wrapper_id) : 0;

    if (r == 0 || r == -ENOMEM)
        return r;
    return err_set(e, -ENOTSUP,
                   "Go version \"%s\" is not known (1.18 to 1.26 are), and its table of functions "
                   "(pclntab) is not as in 1.26",
                   g->version);
}

int go_image_open(struct elf *elf, const struct target *target, uint64_t bias,
                  struct go_image **ret, struct err *e)
{
    struct go_image *g = calloc(1, sizeof(*g));
    int r;

    if (!g)
        return err_set(e, -ENOMEM, "out of memory");
    g->elf = elf;
    g->bias = bias;
    r = open_version(g, e);
    if (r == 0)
        r = open_tables(g, target, e);
    if (r == 0)
        r = nameindex_new(&g->names);
    if (r == 0)
        r = check_tables(g, e);
    if (r != 0) {
        go_image_free(g);
        return r;
    }
    *ret = g;
    return 0;
}

void go_image_free(struct go_image *g)
{
    if (!g)
        return;
    nameindex_free(g->names);
    free(g);
}

const char *go_image_version(const struct go_image *g)
{
    return g->version;
}

int go_image_minor(const struct go_image *g)
{
    return g->minor;
}

int go_image_formats(const struct go_image *g)
{
    return g->formats;
}

uint16_t go_image_machine(const struct go_image *g)
{
    return elf_machine(g->elf);
}

bool go_image_is_pie(const struct go_image *g)
{
    return elf_is_dyn(g->elf);
}

const char *go_image_note(const struct go_image *g)
{
    return g->note;
}

const struct go_layout *go_image_layout(const struct go_image *g)
{
    return g->layout;
}

bool go_image_has(const struct go_image *g, uint64_t pc)
{
    return pc >= g->module.text && pc < g->module.etext;
}

void go_image_data(const struct go_image *g, uint64_t *ret_lo, uint64_t *ret_hi)
{
    const struct moduledata *m = &g->module;

    *ret_lo = m->data != 0 && m->data < m->noptrdata ? m->data : m->noptrdata;
    *ret_hi = m->enoptrbss;
}

/* The function of an address in memory; *ret_pc is its offset from text. */
static int function_at(struct go_image *g, uint64_t pc, uint32_t *ret_pc, struct pclntab_func *ret)
{
    if (!go_image_has(g, pc))
        return -ENOENT;
    pclntab_allow(&g->table);
    *ret_pc = (uint32_t)(pc - g->module.text);
    return pclntab_func_at(&g->table, *ret_pc, ret);
}

/*
 * Drop the wrappers among ${levels}, unless there is nothing else. runtime.tracebackPCs does so
 * while it walks (wrappers that call a panic stay there, but those call no inlined function, so
 * that no address of theirs has more than one level).
 */
static size_t drop_wrappers(const struct go_image *g, struct inline_level *levels, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (levels[i].id != g->wrapper_id)
            levels[kept++] = levels[i];
    }
    return kept ? kept : count;
}

/* The function at ${pc} and what is inlined there: the number of levels, at least 1, or -errno. */
static int levels_at(struct go_image *g, uint64_t pc, struct pclntab_func *fn,
                     struct inline_level levels[static FRAME_INLINE_MAX])
{
    uint32_t at;
    int r = function_at(g, pc, &at, fn);

    if (r < 0)
        return r;
    return inline_walk(&g->table, g->elf, g->module.gofunc - g->bias, fn, at, levels,
                       FRAME_INLINE_MAX);
}

/*
 * File and line of every level come from the tables of the function that is really there: what was
 * inlined has no tables of its own, only a pc to look up in them.
 */
static int name_levels(struct go_image *g, const struct pclntab_func *fn,
                       const struct inline_level *levels, size_t count, struct frames *ret)
{
    for (size_t i = 0; i < count; i++) {
        struct frame *f = &ret->frame[i];
        int r = pclntab_name(&g->table, levels[i].name, f->name, sizeof(f->name));

        if (r == 0)
            r = pclntab_line(&g->table, fn, levels[i].pc, f->file, sizeof(f->file), &f->line);
        if (r != 0)
            return r;
        f->start_line = levels[i].start_line > 0 ? levels[i].start_line : 0;
    }
    ret->count = (uint32_t)count;
    return 0;
}

int go_image_frames(struct go_image *g, uint64_t pc, struct frames *ret)
{
    struct inline_level levels[FRAME_INLINE_MAX];
    struct pclntab_func fn;
    int r = levels_at(g, pc, &fn, levels);

    return r < 0 ? r : name_levels(g, &fn, levels, drop_wrappers(g, levels, (size_t)r), ret);
}

int go_image_levels(struct go_image *g, uint64_t pc, struct frames *ret,
                    struct go_level levels[FRAME_INLINE_MAX], uint64_t *ret_entry)
{
    struct inline_level found[FRAME_INLINE_MAX];
    struct pclntab_func fn;
    int count = levels_at(g, pc, &fn, found);
    int r = count < 0 ? count : name_levels(g, &fn, found, (size_t)count, ret);

    for (int i = 0; r == 0 && i < count; i++)
        levels[i] = (struct go_level){g->module.text + found[i].pc, found[i].id == g->wrapper_id};
    if (r == 0)
        *ret_entry = g->module.text + fn.entry;
    return r;
}

/*
 * Asked only of addresses whose stack is written out; a wrapper around a panic stays in the
 * runtime's own walk (elideWrapperCalling), which depends on the callee and is not seen here.
 */
bool go_image_hidden(struct go_image *g, uint64_t pc)
{
    struct inline_level levels[FRAME_INLINE_MAX];
    struct pclntab_func fn;
    int count = levels_at(g, pc, &fn, levels);

    for (int i = 0; i < count; i++) {
        if (levels[i].id != g->wrapper_id)
            return false;
    }
    return count > 0;
}

/*
 * The walk itself, without the cache. A failure is an answer too: the file does not change, and a
 * forged table must not cost its full length for each sample that hits the same pc.
 */
static struct delta look_up_delta(struct go_image *g, uint64_t pc)
{
    struct delta d = {.pc = pc};
    struct pclntab_func fn;
    uint32_t at;

    d.result = function_at(g, pc, &at, &fn);
    if (d.result == 0)
        d.result = pclntab_value(&g->table, &fn, fn.pcsp, at, &d.delta);
    if (d.result != 0)
        return d;
    d.flags = fn.flag & DELTA_FLAGS;
    if (d.delta == -1)
        d.result = -ENOENT; /* no table: C code that was linked in between, or padding */
    else if (d.delta < 0 || d.delta > DELTA_MAX_BYTES || d.delta % 8 != 0)
        d.result = -EBADMSG;
    return d;
}

int go_image_delta(struct go_image *g, uint64_t pc, int32_t *ret_delta, uint32_t *ret_flags)
{
    /* Multiplicative hashing (2^64 / golden ratio): neighbouring pcs go to different slots. */
    uint64_t slot = pc * UINT64_C(0x9e3779b97f4a7c15) >> 52;
    struct delta *d = &g->deltas[slot & (DELTA_CACHE_SLOTS - 1)];

    if (!go_image_has(g, pc))
        return -ENOENT;
    if (d->pc != pc)
        *d = look_up_delta(g, pc);
    if (d->result != 0)
        return d->result;
    *ret_delta = d->delta;
    *ret_flags = d->flags;
    return 0;
}

/* A name in the runtime's table need not have code of its own: then it is -ENOENT. */
int go_image_function(struct go_image *g, const char *name, uint64_t *ret_entry, uint64_t *ret_end)
{
    struct pclntab_func fn;
    int r = nameindex_find(g->names, &g->table, g->wrapper_id, name, &fn);

    if (r != 0)
        return r;
    *ret_entry = g->module.text + fn.entry;
    *ret_end = g->module.text + fn.end;
    return 0;
}

int go_image_entry(struct go_image *g, uint64_t pc, char *out, size_t out_bytes,
                   uint64_t *ret_entry)
{
    struct pclntab_func fn;
    uint32_t at;
    int r = function_at(g, pc, &at, &fn);

    if (r == 0)
        r = pclntab_name(&g->table, fn.name, out, out_bytes);
    if (r == 0)
        *ret_entry = g->module.text + fn.entry;
    return r;
}
