/* Does the locator find the runtime's variables where the symbols say they are? */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampler/go/layout.h"
#include "sampler/go/locate.h"
#include "sampler/go/recipe.h"
#include "tests/unit/helper_gotarget.h"
#include "tests/unit/helper_goversions.h"

/* The thirteen and those that come for free. */
static const char *const variables[] = {"allgs",
                                        "mbuckets",
                                        "bbuckets",
                                        "xbuckets",
                                        "MemProfileRate",
                                        "mProfCycle",
                                        "blockprofilerate",
                                        "mutexprofilerate",
                                        "memstats",
                                        "gcController",
                                        "sched",
                                        "allm",
                                        "allp",
                                        NULL};

static int is_there(void *ctx, uint64_t address)
{
    struct helper_gotarget *g = ctx;
    uint64_t word;

    return g->t.target.ops->read(g->t.target.ctx, address, &word, sizeof(word)) == 0;
}

/*
 * All variables of one build; its twin has the symbols, and the same data: the flags are part of
 * the program (its build information), so they are equally long. -w alone keeps .symtab. Where the
 * data begins may differ by a page, so addresses count from there.
 */
static void check_build(const char *toolchain, const char *suffix, const char *flags,
                        const char *twin_suffix, const char *twin_flags)
{
    struct helper_gotarget g;
    char path[256], twin[256], park[] = "park", name[64];
    char *argv[] = {path, park, NULL};
    uint64_t lo, hi, twin_lo;

    assert_int_equal(
        helper_gotarget_build(toolchain, "golabels", suffix, flags, path, sizeof(path)), 0);
    assert_int_equal(
        helper_gotarget_build(toolchain, "golabels", twin_suffix, twin_flags, twin, sizeof(twin)),
        0);
    assert_true(helper_gotarget_start(&g, argv, NULL, NULL) >= 0);
    go_image_data(g.image, &lo, &hi);
    assert_int_equal(helper_gotarget_symbol(twin, "runtime.noptrdata", &twin_lo), 0);
    for (size_t i = 0; variables[i]; i++) {
        uint64_t symbol, found = 0;
        int r;

        (void)snprintf(name, sizeof(name), "runtime.%s", variables[i]);
        r = go_locate(g.image, &g.t.target, variables[i], is_there, &g, &found);
        if (helper_gotarget_symbol(twin, name, &symbol) != 0) {
            assert_int_equal(r, -ENOENT); /* mProfCycle in Go 1.18 */
            continue;
        }
        if (r != 0 || found - lo != symbol - twin_lo)
            print_error("%s%s: %s: %d, found at %#lx of the data, symbol at %#lx\n", toolchain,
                        suffix, variables[i], r, (unsigned long)(found - lo),
                        (unsigned long)(symbol - twin_lo));
        assert_int_equal(r, 0);
        assert_true(found - lo == symbol - twin_lo);
    }
    helper_gotarget_release(&g);
}

static bool is_available(const char *toolchain)
{
    char path[256];
    int r = helper_gotarget_build(toolchain, "golabels", "", "", path, sizeof(path));

    if (r != 0)
        print_message("go%s is not to be had here: not tested\n", toolchain);
    assert_true(r == 0 || r == 77);
    return r == 0;
}

static void test_stripped(void **state)
{
    (void)state;
    for (const char *const *v = helper_goversions(); *v; v++) {
        if (is_available(*v))
            check_build(*v, "-stripped", "'-ldflags=-s -w'", "-twin", "'-ldflags=-w -w'");
    }
}

static void test_stripped_pie(void **state)
{
    (void)state;
    for (const char *const *v = helper_goversions(); *v; v++) {
        if (is_available(*v))
            check_build(*v, "-pie-stripped", "-buildmode=pie '-ldflags=-s -w'", "-pie-twin",
                        "-buildmode=pie '-ldflags=-w -w'");
    }
}

/* With symbols there the answer is the same: they are not looked at. */
static void test_unstripped(void **state)
{
    (void)state;
    if (is_available("1.22.12"))
        check_build("1.22.12", "", "", "", "");
}

static int refuse(void *ctx, uint64_t address)
{
    unsigned *calls = ctx;

    (void)address;
    (*calls)++;
    return 0;
}

static void test_not_found(void **state)
{
    struct helper_gotarget g;
    char path[256], park[] = "park";
    char *argv[] = {path, park, NULL};
    unsigned calls = 0;
    uint64_t found = 1;

    (void)state;
    if (helper_gotarget_build("1.22.12", "golabels", "-stripped", "'-ldflags=-s -w'", path,
                              sizeof(path)) != 0)
        skip();
    assert_true(helper_gotarget_start(&g, argv, NULL, NULL) >= 0);
    assert_int_equal(go_locate(g.image, &g.t.target, "nosuchvariable", NULL, NULL, &found),
                     -ENOENT);
    assert_int_equal(go_locate(g.image, &g.t.target, "sched", refuse, &calls, &found), -ENOENT);
    assert_in_range(calls, 1, LOCATE_VALID_MAX);
    g.t.fail_read = -ESRCH;
    assert_int_equal(go_locate(g.image, &g.t.target, "sched", NULL, NULL, &found), -ESRCH);
    g.t.fail_read = -EFAULT; /* no function votes */
    assert_int_equal(go_locate(g.image, &g.t.target, "sched", NULL, NULL, &found), -ENOENT);
    assert_int_equal(found, 1);
    helper_gotarget_release(&g);
}

/*
 * A target whose runtime has been written for the test: of the functions that mention
 * blockprofilerate, the ones with an F say ${first}, those with an S ${second}, with a B ${first}
 * at the recipe's byte and ${second} beside it.
 */
struct written {
    struct go_image *image;
    uint64_t first, second;
    const char *says;
    unsigned reads;
};

static const struct go_recipe *recipe_at(struct go_image *image, uint64_t address)
{
    for (size_t i = 0; i < go_recipe_count; i++) {
        const struct go_recipe *r = &go_recipe_table[i];
        uint64_t entry, end;

        if (r->machine == EM_X86_64 && r->minor == 22 &&
            strcmp(r->variable, "blockprofilerate") == 0 &&
            go_image_function(image, r->function, &entry, &end) == 0 && entry == address)
            return r;
    }
    return NULL;
}

/* mov at + disp32(%rip), %rax with its ModRM byte at ${at} */
static void put_operand(uint8_t *code, size_t bytes, uint64_t entry, size_t at, uint64_t to)
{
    int32_t displacement = (int32_t)(int64_t)(to - (entry + at + 5));

    assert_true(at >= 2 && at + 5 <= bytes);
    memcpy(code + at - 2, "\x48\x8B\x05", 3);
    memcpy(code + at + 1, &displacement, sizeof(displacement));
}

static int written_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    struct written *w = ctx;
    const struct go_recipe *r = recipe_at(w->image, address);
    const struct go_recipe_ref *ref;
    char says = w->says[w->reads];

    assert_non_null(r);
    if (!r) /* for the compiler: cmocka does not come back */
        return -EFAULT;
    ref = &go_recipe_refs[r->first];
    for (size_t i = 1; i < r->count && !(ref->kinds & GO_RECIPE_PLAIN); i++)
        ref++;
    assert_true(ref->kinds & GO_RECIPE_PLAIN);
    memset(out, 0x90, bytes);
    if (says == 'F' || says == 'B')
        put_operand(out, bytes, address, ref->at, w->first + ref->inside);
    if (says == 'S')
        put_operand(out, bytes, address, ref->at, w->second + ref->inside);
    if (says == 'B')
        put_operand(out, bytes, address, ref->at + 10u, w->second + ref->inside);
    if (says != '\0')
        w->reads++;
    return 0;
}

static int accept(void *ctx, uint64_t address)
{
    const struct written *w = ctx;

    return address != w->first;
}

static void test_clear_winner(void **state)
{
    static const struct target_ops ops = {.read = written_read};
    struct helper_gotarget g;
    struct written w = {0};
    const struct target target = {.ops = &ops, .ctx = &w};
    char path[256], park[] = "park";
    char *argv[] = {path, park, NULL};
    uint64_t lo, hi, found = 0;

    (void)state;
    if (helper_gotarget_build("1.22.12", "golabels", "-stripped", "'-ldflags=-s -w'", path,
                              sizeof(path)) != 0)
        skip();
    assert_true(helper_gotarget_start(&g, argv, NULL, NULL) >= 0);
    go_image_data(g.image, &lo, &hi);
    w = (struct written){.image = g.image, .first = lo + 1024, .second = lo + 4096, .says = "FFS"};
    assert_int_equal(go_locate(g.image, &target, "blockprofilerate", NULL, NULL, &found), 0);
    assert_int_equal(w.reads, 3);
    assert_true(found == w.first); /* 10 to 5 */
    w.reads = 0;
    w.says = "BFS"; /* 10 to 6: no longer twice as good */
    assert_int_equal(go_locate(g.image, &target, "blockprofilerate", NULL, NULL, &found), -ENOENT);
    w.reads = 0; /* what the caller refuses does not count */
    assert_int_equal(go_locate(g.image, &target, "blockprofilerate", accept, &w, &found), 0);
    assert_true(found == w.second);
    w.reads = 0;
    w.says = "FFSS";
    assert_int_equal(go_locate(g.image, &target, "blockprofilerate", NULL, NULL, &found), -ENOENT);
    w.reads = 0;
    w.says = ""; /* nobody says anything */
    assert_int_equal(go_locate(g.image, &target, "blockprofilerate", NULL, NULL, &found), -ENOENT);
    helper_gotarget_release(&g);
}

static void test_layouts(void **state)
{
    static const char *const unknown[] = {"go1.17.13",
                                          "go1.27.0",
                                          "go1.26rc1",
                                          "go1.25beta2",
                                          "devel",
                                          "go1.",
                                          "go2.1",
                                          "go1.26.8 X:staticlockranking",
                                          "",
                                          "go1.26.999999",
                                          "go1.26.8x",
                                          "devel go1.27-0123456789",
                                          "go1.26.",
                                          "go1.22.1 X:",
                                          "go1.22.1 X:boringcrypto,staticlockranking"};

    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_null(go_layout_find(unknown[i]));
    assert_null(go_layout_find(NULL));
    assert_int_equal(go_layout_find("go1.18")->g_goid, 152);
    assert_int_equal(go_layout_find("go1.26.8")->g_labels, 352);
    assert_int_equal(go_layout_find("go1.22.1 X:boringcrypto")->minor, 22);
    assert_int_equal(go_layout_find("go1.22.1 X:boringcrypto,loopvar")->minor, 22);
    assert_int_equal(go_layout_find("go1.21.9 (Red Hat 1.21.9-1.el9_4)")->minor, 21);
    assert_int_equal(go_layout_find("go1.20.5-google")->g_parent_goid, GO_LAYOUT_NONE);
    /* struct m grew inside these minors */
    assert_int_equal(go_layout_find("go1.23")->m_alllink, 328);
    assert_int_equal(go_layout_find("go1.23.11")->m_alllink, 328);
    assert_int_equal(go_layout_find("go1.23.12")->m_alllink, 352);
    assert_int_equal(go_layout_find("go1.24.5")->m_alllink, 328);
    assert_int_equal(go_layout_find("go1.24.6")->m_alllink, 352);
}

/* The generated tables hold together. */
static void test_tables(void **state)
{
    size_t refs = 0;

    (void)state;
    for (size_t i = 0; i < go_recipe_count; i++) {
        const struct go_recipe *r = &go_recipe_table[i];

        assert_int_equal(r->first, refs);
        assert_true(r->count > 0 && r->minor >= 18 && r->minor <= 26);
        assert_true(r->machine == EM_X86_64 || r->machine == EM_AARCH64);
        refs += r->count;
    }
    assert_int_equal(refs, go_recipe_ref_count);
    for (size_t i = 0; i < go_recipe_ref_count; i++)
        assert_in_range(go_recipe_refs[i].kinds, GO_RECIPE_PLAIN, GO_RECIPE_PLAIN | GO_RECIPE_PIE);
    for (size_t i = 1; i < go_layout_count; i++) {
        const struct go_layout *a = &go_layout_table[i - 1], *b = &go_layout_table[i];

        assert_true(a->minor < b->minor ||
                    (a->minor == b->minor && a->first_patch < b->first_patch));
    }
    for (size_t i = 0; i < go_layout_count; i++) {
        assert_int_equal(go_layout_table[i].p_goidcacheend, go_layout_table[i].p_goidcache + 8);
        assert_true((go_layout_table[i].labels_list < 0) == (go_layout_table[i].minor < 24));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),      cmocka_unit_test(test_tables),
        cmocka_unit_test(test_stripped),     cmocka_unit_test(test_stripped_pie),
        cmocka_unit_test(test_unstripped),   cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_clear_winner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
