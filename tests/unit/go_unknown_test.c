/*
 * Programs of a Go version that is not known: real ones that claim another one, by their build
 * information and runtime.buildVersion. What proves itself is read, and is right; what does not is
 * refused; both say so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "sampler/go/goroutines.h"
#include "sampler/go/layout.h"
#include "sampler/go/runtime.h"
#include "sampler/go/stats.h"
#include "tests/unit/helper_elfmem.h"
#include "tests/unit/helper_gotarget.h"
#include "tests/unit/helper_goversions.h"

enum {
    PATH_BYTES = 256,
    LINES_MAX = 256,
    LINE_BYTES = 1024,
    FUNC_BYTES = 44, /* of _func since Go 1.20 */
    FUNC_ID = 40,
    FUNC_FLAG = 41,
    MAXPC = 168, /* of moduledata */
    FTAB_LEN = 136,
};

/* ---- A copy of a program that claims to be of another version. */

struct claim {
    char path[PATH_BYTES];
    char *data;
    size_t bytes;
};

/* Everywhere in the file; the texts are equally long. */
static unsigned replace(struct claim *c, const char *from, const char *to)
{
    size_t n = strlen(from);
    unsigned found = 0;

    assert_int_equal(n, strlen(to));
    for (size_t i = 0; i + n <= c->bytes; i++) {
        if (memcmp(c->data + i, from, n) != 0)
            continue;
        memcpy(c->data + i, to, n);
        found++;
    }
    return found;
}

static void write_claim(struct claim *c)
{
    int fd;

    (void)snprintf(c->path, sizeof(c->path), "/tmp/go_unknown_test.XXXXXX");
    fd = mkstemp(c->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, c->data, c->bytes), (ssize_t)c->bytes);
    assert_int_equal(fchmod(fd, 0700), 0);
    assert_int_equal(close(fd), 0);
}

/* False: the toolchain is not here. Not written yet. */
static bool make_claim(struct claim *c, const char *toolchain, const char *suffix,
                       const char *flags, const char *from, const char *to)
{
    char path[PATH_BYTES];
    int r = helper_gotarget_build(toolchain, "golabels", suffix, flags, path, sizeof(path));

    *c = (struct claim){0};
    if (r == 77) {
        print_message("go%s is not to be had here: not tested\n", toolchain);
        return false;
    }
    assert_int_equal(r, 0);
    c->data = helper_target_slurp(path, &c->bytes);
    assert_non_null(c->data);
    assert_true(replace(c, from, to) >= 2);
    return true;
}

static void drop_claim(struct claim *c)
{
    if (c->path[0])
        (void)unlink(c->path);
    free(c->data);
}

/* ---- Running ones. */

struct running {
    struct helper_gotarget g;
    struct go_runtime rt;
    int opened; /* what go_runtime_open() said */
    struct err e;
};

static void start(struct running *s, char *path)
{
    char park[] = "park";
    char *argv[] = {path, park, NULL};

    memset(s, 0, sizeof(*s));
    assert_true(helper_gotarget_start(&s->g, argv, NULL, NULL) >= 0);
    s->opened = go_runtime_open(s->g.image, &s->g.t.target, &s->rt, &s->e);
}

/* A goroutine in one line: state, functions, creator. */
struct lines {
    struct go_image *image;
    char (*line)[LINE_BYTES];
    size_t count;
    unsigned labelled;
};

static void put_name(struct lines *l, uint64_t pc, char *line)
{
    static struct frames frames;
    size_t used = strlen(line);

    if (pc != 0 && go_image_frames(l->image, pc, &frames) == 0)
        (void)snprintf(line + used, LINE_BYTES - used, " %s:%ld", frames.frame[0].name,
                       (long)frames.frame[0].line);
}

static int add_line(void *ctx, const struct goroutine *g)
{
    struct lines *l = ctx;
    char *line = l->line[l->count];

    if (g->flags & GOROUTINE_SYSTEM)
        return 0;
    assert_true(l->count < LINES_MAX);
    l->count++;
    l->labelled += g->labels != NULL;
    (void)snprintf(line, LINE_BYTES, "%s:", g->state);
    for (uint32_t i = 0; i < g->depth; i++)
        put_name(l, g->pcs[i] - !g->exact[i], line);
    put_name(l, g->created_by, line);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int read_lines(struct running *s, struct lines *l, struct err *e)
{
    struct go_budget budget = {.deadline_ns = clock_mono_ns() + 60 * CLOCK_NS_PER_SEC,
                               .bytes_left = UINT64_C(1) << 34};
    struct goroutines_counts counts;
    int r;

    *l = (struct lines){.image = s->g.image, .line = calloc(LINES_MAX, LINE_BYTES)};
    assert_non_null(l->line);
    r = goroutines_read(&s->rt, &budget, add_line, l, &counts, e);
    qsort(l->line, l->count, LINE_BYTES, by_text);
    return r;
}

/* All of its goroutines as a program with its true version says them, without labels. */
static void check_goroutines(struct running *truth, struct running *s)
{
    struct lines ours, theirs;
    struct err e = {0};

    assert_int_equal(read_lines(truth, &theirs, &e), 0);
    assert_int_equal(read_lines(s, &ours, &e), 0);
    assert_in_range(theirs.count, 5, LINES_MAX);
    assert_int_equal(ours.count, theirs.count);
    for (size_t i = 0; i < ours.count; i++)
        assert_string_equal(ours.line[i], theirs.line[i]);
    assert_true(theirs.labelled > 0);
    assert_int_equal(ours.labelled, 0);
    free(ours.line);
    free(theirs.line);
}

/* Variables as far into the data as where the true version has them; the structs not at all. */
static void check_variables(struct running *truth, struct running *s)
{
    const size_t same[] = {offsetof(struct go_runtime, allgs),
                           offsetof(struct go_runtime, allm),
                           offsetof(struct go_runtime, mbuckets),
                           offsetof(struct go_runtime, bbuckets),
                           offsetof(struct go_runtime, xbuckets),
                           offsetof(struct go_runtime, mem_profile_rate),
                           offsetof(struct go_runtime, mprof_cycle),
                           offsetof(struct go_runtime, block_profile_rate),
                           offsetof(struct go_runtime, mutex_profile_rate),
                           offsetof(struct go_runtime, wait_reasons)};
    uint64_t lo, hi, true_lo;

    go_image_data(truth->g.image, &true_lo, &hi);
    go_image_data(s->g.image, &lo, &hi);
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        uint64_t a, b;

        memcpy(&a, (const char *)&truth->rt + same[i], sizeof(a));
        memcpy(&b, (const char *)&s->rt + same[i], sizeof(b));
        assert_true(a != 0 && a - true_lo == b - lo);
    }
    assert_true(s->rt.memstats == 0 && s->rt.gc_controller == 0 && s->rt.sched == 0 &&
                s->rt.allp == 0 && s->rt.ticks == 0);
}

static void check_newer(const char *suffix, const char *flags, const char *claims)
{
    struct running truth, s;
    struct go_stats stats;
    struct claim c;
    struct err e = {0};
    char path[PATH_BYTES];

    if (!make_claim(&c, "1.26.8", suffix, flags, "go1.26.8", claims))
        skip();
    write_claim(&c);
    assert_int_equal(helper_gotarget_build("1.26.8", "golabels", suffix, flags, path, sizeof(path)),
                     0);
    start(&truth, path);
    start(&s, c.path);
    assert_int_equal(s.opened, 0);
    assert_string_equal(go_image_version(s.g.image), claims);
    assert_null(go_image_layout(s.g.image));
    assert_int_equal(go_image_formats(s.g.image), 26);
    assert_string_equal(go_image_note(truth.g.image), "");
    assert_string_equal(s.rt.note.text, go_image_note(s.g.image));
    assert_non_null(strstr(s.rt.note.text, claims));
    assert_non_null(strstr(s.rt.note.text, "is not known: read with the layout of go1.26.8"));
    assert_false(s.rt.certain);
    check_variables(&truth, &s);
    check_goroutines(&truth, &s);
    assert_int_equal(go_stats_read(&s.rt, &stats, &e), -ENOTSUP);
    assert_non_null(strstr(e.text, claims));
    helper_gotarget_release(&s.g);
    helper_gotarget_release(&truth.g);
    drop_claim(&c);
}

static void test_next(void **state)
{
    (void)state;
    check_newer("-stripped", "'-ldflags=-s -w'", "go1.27.0");
}

static void test_far(void **state)
{
    (void)state;
    check_newer("-stripped", "'-ldflags=-s -w'", "go1.30.1");
}

static void test_pie(void **state)
{
    (void)state;
    check_newer("-pie-stripped", "-buildmode=pie '-ldflags=-s -w'", "go1.27.0");
}

/* Of a version that is known, but of a build that is not (a vendor's, a candidate's). */
static void test_odd_patch(void **state)
{
    (void)state;
    check_newer("-stripped", "'-ldflags=-s -w'", "go1.26x8");
}

/*
 * Older programs that claim to be newer: their tables are like 1.26's, but not all their structures
 * are. Each is refused or right: the goroutines, above all, are never those of another layout.
 */
static void test_other_structures(void **state)
{
    unsigned refused = 0, read = 0;

    (void)state;
    for (const char *const *v = helper_goversions(); *v; v++) {
        struct running truth, s;
        struct claim c;
        struct lines l;
        struct err e = {0};
        char from[16] = "go", path[PATH_BYTES];

        if (strncmp(*v, "1.20", 4) < 0 || strcmp(*v, HELPER_GOVERSIONS_NEWEST) == 0)
            continue; /* the tables of 1.18 and 1.19 are others */
        (void)snprintf(from, sizeof(from), "go%.4s", *v);
        if (!make_claim(&c, *v, "-stripped", "'-ldflags=-s -w'", from, "go1.27"))
            continue;
        write_claim(&c);
        start(&s, c.path);
        if (s.opened == 0 && s.rt.allgs != 0) {
            assert_int_equal(helper_gotarget_build(*v, "golabels", "-stripped", "'-ldflags=-s -w'",
                                                   path, sizeof(path)),
                             0);
            start(&truth, path);
            check_goroutines(&truth, &s);
            helper_gotarget_release(&truth.g);
            read++;
        } else {
            if (s.opened == 0) {
                assert_int_equal(read_lines(&s, &l, &e), -ENOTSUP);
                assert_non_null(strstr(e.text, "is not known"));
                free(l.line);
            }
            refused++;
        }
        print_message("go%s as 1.27: %s\n", *v,
                      s.opened == 0 && s.rt.allgs != 0 ? "read" : "refused");
        helper_gotarget_release(&s.g);
        drop_claim(&c);
    }
    print_message("%u read, %u refused\n", read, refused);
}

/* ---- Tables, of programs that need not run. */

struct table {
    unsigned char *header; /* of the pc-line table */
    uint64_t nfunc;
    unsigned char *funcs;
};

static uint64_t word(const void *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static struct table table_of(struct claim *c)
{
    static const unsigned char magic[] = {0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8};
    struct table t = {0};

    for (size_t i = 0; i + 72 < c->bytes && !t.header; i += 8) {
        uint64_t offset = word(c->data + i + 64);

        if (memcmp(c->data + i, magic, sizeof(magic)) == 0 && offset < c->bytes - i) {
            t.header = (unsigned char *)c->data + i;
            t.nfunc = word(c->data + i + 8);
            t.funcs = t.header + offset;
        }
    }
    assert_non_null(t.header);
    return t;
}

/* The _func of function ${i}. */
static unsigned char *record(const struct table *t, uint64_t i)
{
    uint32_t offset;

    memcpy(&offset, t->funcs + 8 * i + 4, sizeof(offset));
    return t->funcs + offset;
}

/* What go_image_open() says of the file and of its memory, in which ${poke} may have changed
 * something. */
static int open_claim(struct claim *c, void (*poke)(struct helper_elfmem *m, uint64_t nfunc),
                      struct err *e)
{
    struct helper_elfmem m;
    struct file *f;
    struct elf *elf;
    struct go_image *image = NULL;
    int r;

    write_claim(c);
    assert_int_equal(helper_elfmem_load(&m, c->path, 0), 0);
    if (poke)
        poke(&m, table_of(c).nfunc);
    assert_int_equal(file_open(open(c->path, O_RDONLY | O_CLOEXEC), &f), 0);
    assert_int_equal(elf_open(f, &elf, e), 0);
    r = go_image_open(elf, &m.target, 0, &image, e);
    go_image_free(image);
    elf_free(elf);
    file_free(f);
    helper_elfmem_release(&m);
    return r;
}

static void newer(struct claim *c)
{
    if (!make_claim(c, "1.26.8", "-stripped", "'-ldflags=-s -w'", "go1.26.8", "go1.27.0"))
        skip();
}

static void refused(struct claim *c, void (*poke)(struct helper_elfmem *m, uint64_t nfunc),
                    const char *words)
{
    struct err e = {0};

    assert_int_equal(open_claim(c, poke, &e), -ENOTSUP);
    if (!strstr(e.text, words))
        fail_msg("\"%s\" does not say \"%s\"", e.text, words);
    drop_claim(c);
}

static void test_whole_table(void **state)
{
    struct claim c;
    struct err e = {0};

    (void)state;
    newer(&c);
    assert_int_equal(open_claim(&c, NULL, &e), 0);
    drop_claim(&c);
}

/* As if a new version had these two bytes the other way round. */
static void test_fields_swapped(void **state)
{
    struct claim c;
    struct table t;

    (void)state;
    newer(&c);
    t = table_of(&c);
    for (uint64_t i = 0; i < t.nfunc; i++) {
        unsigned char *p = record(&t, i), id = p[FUNC_ID];

        p[FUNC_ID] = p[FUNC_FLAG];
        p[FUNC_FLAG] = id;
    }
    refused(&c, NULL, "go1.27.0");
}

/* As if names counted from elsewhere. */
static void test_names_moved(void **state)
{
    struct claim c;
    struct table t;

    (void)state;
    newer(&c);
    t = table_of(&c);
    for (uint64_t i = 0; i < t.nfunc; i++)
        record(&t, i)[4] ^= 1;
    refused(&c, NULL, "not as in 1.26");
}

/* As if the tables of stack deltas were something else: for one function in ten it shows. */
static void test_deltas_moved(void **state)
{
    struct claim c;
    struct table t;

    (void)state;
    newer(&c);
    t = table_of(&c);
    for (uint64_t i = 0; i < t.nfunc; i += 10) {
        unsigned char *p = record(&t, i);

        memcpy(p + 16, p + 24, 4); /* pcln */
    }
    refused(&c, NULL, "not as in 1.26");
}

/* One word of what must be moduledata. */
static void poke_maxpc(struct helper_elfmem *m, uint64_t nfunc)
{
    unsigned found = 0;

    for (uint64_t i = 0; i + 328 < m->bytes; i += 8) {
        unsigned char *p = m->memory + i;

        if (word(p + FTAB_LEN) == nfunc + 1 && word(p + FTAB_LEN + 8) == nfunc + 1) {
            p[MAXPC]++;
            found++;
        }
    }
    assert_true(found > 0);
}

static void test_module_moved(void **state)
{
    struct claim c;

    (void)state;
    newer(&c);
    refused(&c, poke_maxpc, "module data was not found");
    /* a known version is not asked for proofs: the same change goes unseen there */
    newer(&c);
    (void)replace(&c, "go1.27.0", "go1.26.8");
    assert_int_equal(open_claim(&c, poke_maxpc, &(struct err){0}), 0);
    drop_claim(&c);
}

/* The magic number of Go 1.18 is not 1.27's. */
static void test_other_magic(void **state)
{
    struct claim c;

    (void)state;
    if (!make_claim(&c, "1.18.10", "-stripped", "'-ldflags=-s -w'", "go1.18.10", "go1.27.10"))
        skip();
    refused(&c, NULL, "another version's");
}

static void test_older(void **state)
{
    struct claim c;

    (void)state;
    if (!make_claim(&c, "1.26.8", "-stripped", "'-ldflags=-s -w'", "go1.26.8", "go1.17.8"))
        skip();
    refused(&c, NULL, "1.18 to 1.26 are");
}

/* As garbling leaves a program: its version is a word that says nothing, or not there at all. */
static void test_hidden(void **state)
{
    struct claim c;

    (void)state;
    if (!make_claim(&c, "1.26.8", "-stripped", "'-ldflags=-s -w'", "go1.26.8", "unknown!"))
        skip();
    refused(&c, NULL, "does not say of which version");
    newer(&c);
    assert_true(replace(&c, "\xff Go buildinf:", "\xff No buildinf:") > 0);
    refused(&c, NULL, "does not say of which version");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_far),
        cmocka_unit_test(test_pie),
        cmocka_unit_test(test_odd_patch),
        cmocka_unit_test(test_other_structures),
        cmocka_unit_test(test_whole_table),
        cmocka_unit_test(test_fields_swapped),
        cmocka_unit_test(test_names_moved),
        cmocka_unit_test(test_deltas_moved),
        cmocka_unit_test(test_module_moved),
        cmocka_unit_test(test_other_magic),
        cmocka_unit_test(test_older),
        cmocka_unit_test(test_hidden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
