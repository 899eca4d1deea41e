#include "sampler/symbols/space.h"

#include <errno.h>

#include "base/clock.h"
#include "sampler/go/image.h"
#include "sampler/symbols/image.h"

enum {
    SPACE_CANDIDATES_MAX = 16, /* files looked at to find the executable */
    SPACE_TRAITS = 1024,       /* remembered addresses; a power of two */
    SPACE_PATH_SHOWN_BYTES = 128,
};

#define IMAGE_NONE UINT32_MAX

/* Functions of the Go runtime that unwinding must know; [entry, end). */
struct go_range {
    uint64_t entry, end;
    unsigned traits;
};

static const struct {
    const char *name;
    unsigned traits;
} go_known[] = {
    /* Both are entered as if called at the pc that a signal interrupted (runtime/preempt.go,
     * wantAsyncPreempt; runtime/signal_amd64.go, preparePanic), so that pc itself is meant. */
    {"runtime.asyncPreempt", SPACE_EXACT_CALLER},
    {"runtime.sigpanic", SPACE_EXACT_CALLER},
    {"runtime.mcall", SPACE_SWITCHES},
};

enum {
    GO_KNOWN = sizeof go_known / sizeof go_known[0],
};

struct trait {
    uint64_t address; /* 0: free */
    unsigned traits;
};

/* The open files of spaces that stand beside each other; each image once, with its users counted.
 */
struct pool {
    uint32_t spaces;
    uint64_t clock;
    size_t count;
    struct image *images[SPACE_POOL_MAX];
};

/*
 * maps says what is where, image_of which image that is, images what is known of each file. A row's
 * number changes with each refresh, an image's only when one is dropped (drop_unmapped); pointers
 * to images are good as long as the space is, except for those that are dropped. Spaces that stand
 * beside each other have a pool in common.
 */
struct space {
    const struct target *target;
    struct maps maps;
    uint32_t *image_of; /* by row of maps: index into images, IMAGE_NONE: not looked up yet */
    struct pool *pool;
    struct image *images[SPACE_IMAGES_MAX];
    bool mapped[SPACE_IMAGES_MAX]; /* by the latest maps */
    size_t image_count;
    uint64_t symbols_left; /* entries that may be loaded until the next trim */
    uint64_t opening_ns;   /* spent on opening files since the last trim */
    bool forget;           /* trimmed: the next refresh drops what has vanished */

    struct image *exe;
    uint64_t exe_bias;
    bool exe_sought; /* looked for in these maps */
    bool exe_sure;   /* made as a program: no more looking */
    struct go_image *go;
    struct image *go_in; /* whose Go half `go` is, or that is known to have none */
    unsigned go_tries;
    bool go_sought;
    struct go_range go_ranges[GO_KNOWN];

    struct err go_note, file_note, vdso_note; /* what stands first counts most */
    struct trait traits[SPACE_TRAITS];
};

int space_new_beside(const struct target *target, const struct space *other, struct space **ret)
{
    struct space *s = calloc(1, sizeof *s);
    struct pool *pool = other ? other->pool : calloc(1, sizeof *pool);

    if (!s || !pool) {
        free(s);
        if (!other)
            free(pool);
        return -ENOMEM;
    }
    s->target = target;
    s->symbols_left = SPACE_SYMBOLS_LOADED_MAX;
    s->pool = pool;
    pool->spaces++;
    *ret = s;
    return 0;
}

int space_new(const struct target *target, struct space **ret)
{
    return space_new_beside(target, NULL, ret);
}

/* This space's hold of an image; the last one closes it. */
static void let_go(struct space *s, struct image *im)
{
    struct pool *pool = s->pool;

    if (--im->users > 0)
        return;
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->images[i] == im) {
            pool->images[i] = pool->images[--pool->count];
            break;
        }
    }
    image_free(im);
}

void space_free(struct space *s)
{
    if (!s)
        return;
    go_image_free(s->go);
    for (size_t i = 0; i < s->image_count; i++)
        let_go(s, s->images[i]);
    if (--s->pool->spaces == 0)
        free(s->pool);
    free(s->image_of);
    maps_release(&s->maps);
    free(s);
}

/* ---- Images */

/* The first of a kind stays: later ones are mostly the same trouble with other files. */
static void take_note(struct space *s, const struct maps_row *row, const struct err *e)
{
    char shown[SPACE_PATH_SHOWN_BYTES];
    const char *path = maps_path(&s->maps, row);
    struct err *note = row->inode ? &s->file_note : &s->vdso_note;

    if (e->code < 0 && note->code == 0)
        (void)err_set(note, e->code, "%s: %s", err_clean(shown, sizeof shown, path, strlen(path)),
                      e->text);
}

/* Few images, and each row asks once: no index. */
static uint32_t image_find(const struct space *s, const struct maps_row *row)
{
    for (size_t i = 0; i < s->image_count; i++)
        if (image_matches(s->images[i], row))
            return (uint32_t)i;
    return IMAGE_NONE;
}

/* Opened by a space beside this one. What failed there may go well here, and the vDSO is memory. */
static struct image *shared(const struct space *s, const struct maps_row *row)
{
    for (size_t i = 0; row->inode != 0 && i < s->pool->count; i++) {
        struct image *im = s->pool->images[i];

        if (im->code == 0 && image_matches(im, row))
            return im;
    }
    return NULL;
}

static uint32_t take(struct space *s, struct image *im)
{
    im->users++;
    s->images[s->image_count] = im;
    s->mapped[s->image_count] = true;
    return (uint32_t)s->image_count++;
}

/* May one more file be opened? */
static int may_open(const struct space *s, struct err *e)
{
    if (s->image_count == SPACE_IMAGES_MAX)
        return err_set(e, -ENFILE, "more than %d files are mapped", (int)SPACE_IMAGES_MAX);
    if (s->pool->count == SPACE_POOL_MAX)
        return err_set(e, -ENFILE, "more than %d files are mapped by all processes",
                       (int)SPACE_POOL_MAX);
    if (s->opening_ns > SPACE_OPEN_MAX_MS * CLOCK_NS_PER_MS)
        return err_set(e, -ETIME, "not opened: others took longer than %d ms",
                       (int)SPACE_OPEN_MAX_MS);
    return 0;
}

/*
 * An image that cannot be opened is added all the same: that is how its failure is remembered, and
 * each of its addresses does not cost a question to the guard. The guard reads the target's maps
 * for each file; with a thousand files among 65,000 mappings that is a minute.
 */
static uint32_t image_add(struct space *s, const struct maps_row *row)
{
    struct image *im = shared(s, row);
    uint64_t began_ns = clock_mono_ns();
    struct err e = {0};
    int rc;

    if (im && s->image_count < SPACE_IMAGES_MAX)
        return take(s, im);
    if (may_open(s, &e) < 0) {
        take_note(s, row, &e);
        return IMAGE_NONE;
    }
    rc = image_new(s->target, row, &im, &e);
    s->opening_ns += clock_mono_ns() - began_ns;
    if (rc < 0)
        return IMAGE_NONE;
    s->pool->images[s->pool->count++] = im;
    take_note(s, row, &e);
    return take(s, im);
}

/* The image in a row of s->maps, opened if it is new; NULL when there is none. */
static struct image *image_at(struct space *s, const struct maps_row *row)
{
    uint32_t *known = &s->image_of[row - s->maps.rows];

    if (*known == IMAGE_NONE && image_is_wanted(&s->maps, row)) {
        *known = image_find(s, row);
        if (*known == IMAGE_NONE && !row->gone)
            *known = image_add(s, row);
    }
    return *known == IMAGE_NONE ? NULL : s->images[*known];
}

/* The warm image that was not wanted for longest, NULL while fewer than SPACE_WARM_MAX are. */
static struct image *coldest(const struct space *s)
{
    struct image *oldest = NULL;
    size_t warm = 0;

    for (size_t i = 0; i < s->pool->count; i++) {
        struct image *im = s->pool->images[i];

        if (!im->warm)
            continue;
        warm++;
        if (!oldest || im->used < oldest->used)
            oldest = im;
    }
    return warm < SPACE_WARM_MAX ? NULL : oldest;
}

/* Give tables back, those that were not wanted for longest first, until `wanted` more fit. */
static void make_room(struct space *s, uint64_t wanted)
{
    for (;;) {
        struct image *oldest = NULL;
        uint64_t held = 0;

        for (size_t i = 0; i < s->pool->count; i++) {
            struct image *im = s->pool->images[i];
            size_t n = im->elf ? elf_symbols_held(im->elf) : 0;

            held += n;
            if (n > 0 && (!oldest || im->used < oldest->used))
                oldest = im;
        }
        if (!oldest || held + wanted <= SPACE_SYMBOLS_MAX)
            return;
        elf_trim(oldest->elf);
    }
}

/* Symbols of this open image are about to be wanted. false: they would be one table too many. */
static bool image_touch(struct space *s, const struct maps_row *row, struct image *wanted)
{
    uint64_t most = elf_symbols_most(wanted->elf);

    if (most > s->symbols_left) {
        struct err e = {0};

        (void)err_set(&e, -E2BIG, "its symbols are left out: the target's files have too many");
        take_note(s, row, &e);
        return false;
    }
    s->symbols_left -= most;
    if (most > 0)
        make_room(s, most);
    if (!wanted->warm) {
        struct image *cold = coldest(s);

        if (cold) {
            file_trim(cold->file);
            cold->warm = false;
        }
    }
    wanted->warm = true;
    wanted->used = ++s->pool->clock;
    return true;
}

/* ---- Refresh */

/* Link each executable row to the image it has already; images that failed and went get another
 * chance when they come back. */
static void mark_mapped(struct space *s)
{
    bool before[SPACE_IMAGES_MAX];

    for (size_t i = 0; i < s->image_count; i++) {
        before[i] = s->mapped[i];
        s->mapped[i] = false;
    }
    for (size_t r = 0; r < s->maps.count; r++) {
        const struct maps_row *row = &s->maps.rows[r];
        struct err e = {0};
        uint32_t i;

        s->image_of[r] = IMAGE_NONE;
        if (!row->exec || !image_is_wanted(&s->maps, row))
            continue;
        i = s->image_of[r] = image_find(s, row);
        if (i == IMAGE_NONE || row->gone)
            continue;
        if (!before[i] && !s->mapped[i] && s->images[i]->code < 0)
            image_retry(s->images[i], s->target, row, &e);
        s->mapped[i] = true;
    }
}

/* Images that no row needs any more, after a trim. */
static void drop_unmapped(struct space *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->image_count; i++) {
        struct image *im = s->images[i];

        if (s->mapped[i] || im == s->exe || im == s->go_in) {
            s->mapped[kept] = s->mapped[i];
            s->images[kept++] = im;
        } else {
            let_go(s, im);
        }
    }
    if (kept == s->image_count)
        return;
    s->image_count = kept;
    for (size_t r = 0; r < s->maps.count; r++)
        s->image_of[r] = IMAGE_NONE; /* the numbers have changed; looked up again when wanted */
}

/*
 * Not only when a name is wanted, at the end of a profile: the target may be gone by then, and its
 * deleted libraries with it.
 */
static void open_early(struct space *s)
{
    for (size_t r = 0; r < s->maps.count && s->image_count < SPACE_EAGER_MAX; r++)
        if (s->maps.rows[r].exec)
            (void)image_at(s, &s->maps.rows[r]);
}

static bool is_mapped(const struct space *s, const struct image *im)
{
    for (size_t i = 0; i < s->image_count; i++) {
        if (s->images[i] == im)
            return s->mapped[i];
    }
    return false;
}

/* Nothing is changed before everything that can fail has been done. */
int space_refresh(struct space *s, const char *maps_text, size_t bytes, struct err *e)
{
    struct maps now = {0};
    uint32_t *image_of = NULL;
    int rc = maps_parse(maps_text, bytes, &now, e);

    if (rc < 0)
        return rc;
    if (!s->forget)
        rc = maps_keep(&now, &s->maps);
    image_of = rc == 0 ? malloc((now.count + 1) * sizeof *image_of) : NULL;
    if (!image_of) {
        maps_release(&now);
        return err_set(e, -ENOMEM, "no memory for the maps");
    }
    maps_release(&s->maps);
    free(s->image_of);
    s->maps = now;
    s->image_of = image_of;
    mark_mapped(s);
    if (s->forget)
        drop_unmapped(s);
    s->forget = false;
    open_early(s);
    s->exe_sought = s->exe_sure && is_mapped(s, s->exe);
    s->go_sought = false;
    memset(s->traits, 0, sizeof s->traits);
    return 0;
}

void space_trim(struct space *s)
{
    for (size_t i = 0; i < s->image_count; i++)
        image_trim(s->images[i]);
    s->symbols_left = SPACE_SYMBOLS_LOADED_MAX;
    s->opening_ns = 0;
    s->forget = true;
}

/* ---- The executable and its Go half */

/*
 * Which of the mapped files is the program? Not simply the lowest: a static PIE, or a program that
 * was started by way of ld.so, lies among the libraries. So: of the executable mappings from the
 * lowest address up, the first file that is made as a program; if none is (an old static PIE has
 * no sign of it), the lowest one. Nothing but the program is ever tried as Go.
 */
static void find_exe(struct space *s)
{
    struct image *tried[SPACE_CANDIDATES_MAX];
    size_t count = 0;

    if (s->exe_sought)
        return;
    s->exe_sought = true;
    if (s->exe_sure)
        return; /* it was unmapped; what it was is still known */
    s->exe = NULL;
    for (size_t r = 0; r < s->maps.count && count < SPACE_CANDIDATES_MAX; r++) {
        const struct maps_row *row = &s->maps.rows[r];
        struct image *im = row->exec && row->inode && !row->gone ? image_at(s, row) : NULL;
        uint64_t bias;
        bool seen = false;

        for (size_t i = 0; i < count; i++)
            seen = seen || tried[i] == im;
        if (!im || seen || image_bias(im, row, &bias) < 0)
            continue;
        tried[count++] = im;
        s->exe_sure = elf_is_program(im->elf);
        if (!s->exe || s->exe_sure) {
            s->exe = im;
            s->exe_bias = bias;
        }
        if (s->exe_sure)
            return;
    }
}

/* By ranges, not by name for each address: unwinding asks for every frame of every sample. */
static void find_go_ranges(struct space *s)
{
    for (size_t i = 0; i < GO_KNOWN; i++)
        if (go_image_function(s->go, go_known[i].name, &s->go_ranges[i].entry,
                              &s->go_ranges[i].end) == 0)
            s->go_ranges[i].traits = go_known[i].traits;
}

/*
 * Tried when first wanted, and once more after a refresh if the reason may have gone, at most
 * SPACE_GO_TRIES_MAX times: a try reads some megabytes, and refreshes come with each mmap(2).
 */
struct go_image *space_go(struct space *s)
{
    struct err e = {0};
    int rc;

    find_exe(s);
    if (s->go || s->go_sought || !s->exe || s->exe == s->go_in || s->go_tries == SPACE_GO_TRIES_MAX)
        return s->go;
    s->go_sought = true;
    rc = go_image_open(s->exe->elf, s->target, s->exe_bias, &s->go, &e);
    s->go_note = (struct err){0};
    if (rc == 0) {
        s->go_in = s->exe;
        if (go_image_note(s->go)[0])
            (void)err_set(&s->go_note, -ENOTSUP, "%s", go_image_note(s->go));
        find_go_ranges(s);
        return s->go;
    }
    /* Those two will not change. Anything else may: ld.so may not have relocated a new PIE yet. */
    if (rc == -ENOENT || rc == -ENOTSUP)
        s->go_in = s->exe;
    else
        s->go_tries++;
    if (rc != -ENOENT)
        s->go_note = e;
    return NULL;
}

const char *space_note(const struct space *s)
{
    if (s->go_note.code != 0)
        return s->go_note.text;
    return s->file_note.code != 0 ? s->file_note.text : s->vdso_note.text;
}

const char *space_build_id(struct space *s)
{
    find_exe(s);
    return s->exe ? s->exe->build_id : "";
}

uint64_t space_main(struct space *s)
{
    find_exe(s);
    for (size_t r = 0; s->exe && r < s->maps.count; r++) {
        const struct maps_row *row = &s->maps.rows[r];

        if (row->exec && row->inode && image_at(s, row) == s->exe)
            return row->start;
    }
    return 0;
}

/* ---- Addresses */

bool space_is_code(const struct space *s, uint64_t address)
{
    const struct maps_row *row = maps_find(&s->maps, address);

    return row && row->exec;
}

int space_mapping(struct space *s, uint64_t address, struct space_mapping *ret)
{
    const struct maps_row *row = maps_find(&s->maps, address);
    const struct image *im;

    if (!row)
        return -ENOENT;
    im = image_at(s, row);
    *ret = (struct space_mapping){.start = row->start,
                                  .end = row->end,
                                  .offset = row->offset,
                                  .path = maps_path(&s->maps, row),
                                  .build_id = im ? im->build_id : ""};
    return 0;
}

/* The name of the function in the row's file. -ENOENT, -ESRCH (the target went before its file
 * could be opened). */
static int elf_name(struct space *s, uint64_t address, char *out, size_t out_bytes)
{
    const struct maps_row *row = maps_find(&s->maps, address);
    struct image *im = row ? image_at(s, row) : NULL;
    uint64_t bias, into;

    if (!im)
        return -ENOENT;
    if (image_bias(im, row, &bias) < 0)
        return im->code == -ESRCH ? -ESRCH : -ENOENT;
    if (!image_touch(s, row, im))
        return -ENOENT;
    return elf_symbol(im->elf, address - bias, out, out_bytes, &into);
}

/*
 * Go's tables before ELF symbols: they have lines and inlined functions, and cgo programs have
 * both. No guess beyond that: an address without a name stays one (file and offset are shown).
 */
int space_frames(struct space *s, uint64_t address, struct frames *ret)
{
    struct go_image *go = space_go(s);
    struct frame *f = &ret->frame[0];
    int rc;

    ret->count = 0;
    if (go && go_image_has(go, address)) {
        rc = go_image_frames(go, address, ret);
        if (rc == 0 && ret->count > 0)
            return 0;
        ret->count = 0; /* a table that is broken there; the symbols may know */
    }
    rc = elf_name(s, address, f->name, sizeof f->name);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    f->file[0] = '\0';
    f->line = 0;
    f->start_line = 0;
    ret->count = 1;
    return 0;
}

/*
 * Where the C library lets threads begin, and what calls main. The latter are static functions, to
 * be seen in a static program; with .symtab stripped their place has no name: see space_is_libc().
 */
static unsigned traits_by_name(const char *name)
{
    static const struct {
        const char *name;
        unsigned traits;
    } known[] = {
        {"_start", SPACE_ENDS},
        {"_dl_start_user", SPACE_ENDS},
        {"start_thread", SPACE_ENDS},
        {"clone", SPACE_ENDS},
        {"clone3", SPACE_ENDS},
        {"__clone", SPACE_ENDS},
        {"__clone3", SPACE_ENDS},
        {"__libc_start_call_main", SPACE_ENDS | SPACE_ABOVE_MAIN}, /* glibc 2.34 on */
        {"__libc_start_main", SPACE_ENDS | SPACE_ABOVE_MAIN},
        {"libc_start_main_stage2", SPACE_ENDS | SPACE_ABOVE_MAIN}, /* musl */
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].traits;
    return 0;
}

/* By the names that glibc and musl give their files; "libcrypto.so.3" is none of them. */
bool space_is_libc(const struct space *s, uint64_t address)
{
    static const char *const begins[] = {"libc.so.", "libc-2.",  "libpthread.so.", "libpthread-2.",
                                         "ld-linux", "ld-musl-", "libc.musl-",     "ld-2."};
    const struct maps_row *row = maps_find(&s->maps, address);
    const char *path = row && row->inode ? maps_path(&s->maps, row) : "";
    const char *slash = strrchr(path, '/');

    for (size_t i = 0; slash && i < sizeof begins / sizeof begins[0]; i++)
        if (strncmp(slash + 1, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

unsigned space_traits(struct space *s, uint64_t address)
{
    /* The low bits alone differ within a function; both halves go in. */
    struct trait *t = &s->traits[(address ^ (address >> 10)) % SPACE_TRAITS];
    char name[32];

    if (s->go && go_image_has(s->go, address)) {
        for (size_t i = 0; i < GO_KNOWN; i++)
            if (address >= s->go_ranges[i].entry && address < s->go_ranges[i].end)
                return s->go_ranges[i].traits;
        return 0;
    }
    if (t->address != address) {
        t->address = address;
        t->traits = elf_name(s, address, name, sizeof name) == 0 ? traits_by_name(name) : 0;
    }
    return t->traits;
}
