/*
 * The locator over programs for arm64, which do not run here: built by each toolchain, loaded as
 * the kernel would load them. Are the runtime's variables where the symbols say they are?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sampler/go/goroutines.h"
#include "sampler/go/layout.h"
#include "sampler/go/locate.h"
#include "sampler/go/operands.h"
#include "sampler/go/recipe.h"
#include "tests/unit/helper_elfmem.h"
#include "tests/unit/helper_gotarget.h"
#include "tests/unit/helper_goversions.h"

#define PIE_BIAS UINT64_C(0xaaaac0de0000)

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
                                        "waitReasonStrings",
                                        NULL};

/* One file, opened as the sampler would. */
struct loaded {
    struct helper_elfmem memory;
    struct file *file;
    struct elf *elf;
    struct go_image *image;
    char path[256];
};

/* False: this toolchain is not here. */
static bool load(struct loaded *l, const char *toolchain, const char *suffix, const char *flags,
                 uint64_t bias)
{
    const struct helper_goway way = {suffix, flags, "GOARCH=arm64"};
    struct err e = {0};
    int r;

    r = helper_goway_build(toolchain, "golabels", &way, l->path, sizeof(l->path));
    if (r == 77) {
        print_message("go%s is not to be had here: not tested\n", toolchain);
        return false;
    }
    assert_int_equal(r, 0);
    assert_int_equal(helper_elfmem_load(&l->memory, l->path, bias), 0);
    assert_int_equal(file_open(open(l->path, O_RDONLY | O_CLOEXEC), &l->file), 0);
    assert_int_equal(elf_open(l->file, &l->elf, &e), 0);
    if (go_image_open(l->elf, &l->memory.target, bias, &l->image, &e) != 0)
        fail_msg("%s: %s", l->path, e.text);
    assert_int_equal(go_image_machine(l->image), EM_AARCH64);
    assert_ptr_equal(go_image_layout(l->image), go_layout_find(go_image_version(l->image)));
    return true;
}

static void unload(struct loaded *l)
{
    go_image_free(l->image);
    elf_free(l->elf);
    file_free(l->file);
    helper_elfmem_release(&l->memory);
}

static int is_there(void *ctx, uint64_t address)
{
    const struct loaded *l = ctx;
    uint64_t word;

    return l->memory.target.ops->read(l->memory.target.ctx, address, &word, sizeof(word)) == 0;
}

/* Where it is found less ${base} is where its symbol in ${twin} is, less ${twin_base}. */
static void check_variables(struct loaded *l, uint64_t base, const char *twin, uint64_t twin_base)
{
    unsigned found_all = 0;
    char name[64];

    for (size_t i = 0; variables[i]; i++) {
        uint64_t symbol, found = 0;
        int r = go_locate(l->image, &l->memory.target, variables[i], is_there, l, &found);

        (void)snprintf(name, sizeof(name), "runtime.%s", variables[i]);
        if (helper_gotarget_symbol(twin, name, &symbol) != 0) {
            assert_int_equal(r, -ENOENT); /* mProfCycle in Go 1.18 */
            continue;
        }
        if (r != 0 || found - base != symbol - twin_base)
            print_error("%s: %s: %d, found at %#lx, symbol at %#lx\n", l->path, variables[i], r,
                        (unsigned long)(found - base), (unsigned long)(symbol - twin_base));
        assert_int_equal(r, 0);
        assert_true(found - base == symbol - twin_base);
        found_all++;
    }
    assert_in_range(found_all, 13, 14);
}

/* Functions are found by their names where their symbols are. */
static void check_functions(struct loaded *l)
{
    unsigned checked = 0;

    for (size_t i = 0; i < go_recipe_count; i++) {
        const struct go_recipe *r = &go_recipe_table[i];
        uint64_t symbol, entry, end;

        if (r->machine != EM_AARCH64 || r->minor != go_image_minor(l->image) ||
            helper_gotarget_symbol(l->path, r->function, &symbol) != 0 ||
            go_image_function(l->image, r->function, &entry, &end) != 0)
            continue;
        assert_true(entry == symbol + l->memory.bias && end > entry);
        checked++;
    }
    assert_in_range(checked, 50, go_recipe_count);
}

/* With symbols: they are not looked at, but the answers must be their addresses. */
static void check_plain(const char *toolchain, const char *suffix, const char *flags, uint64_t bias)
{
    struct loaded l = {0};

    if (!load(&l, toolchain, suffix, flags, bias))
        return;
    check_variables(&l, bias, l.path, 0);
    check_functions(&l);
    unload(&l);
}

/*
 * Without symbols: a twin has them, and the same data. The flags are part of the program (its build
 * information), so they are equally long; -w alone keeps .symtab.
 */
static void check_stripped(const char *toolchain, const char *suffix, const char *flags,
                           const char *twin_suffix, const char *twin_flags, uint64_t bias)
{
    struct loaded l = {0}, twin = {0};
    uint64_t lo, hi, twin_lo, twin_hi, none;

    if (!load(&l, toolchain, suffix, flags, bias))
        return;
    assert_true(load(&twin, toolchain, twin_suffix, twin_flags, bias));
    assert_int_equal(helper_gotarget_symbol(l.path, "runtime.allgs", &none), -ENOENT);
    go_image_data(l.image, &lo, &hi);
    go_image_data(twin.image, &twin_lo, &twin_hi);
    assert_true(hi - lo == twin_hi - twin_lo);
    check_variables(&l, lo, twin.path, twin_lo - bias);
    unload(&twin);
    unload(&l);
}

static void test_plain(void **state)
{
    (void)state;
    for (const char *const *v = helper_goversions_newest(); *v; v++)
        check_plain(*v, "-arm64", "", 0);
}

static void test_pie(void **state)
{
    (void)state;
    for (const char *const *v = helper_goversions_newest(); *v; v++)
        check_plain(*v, "-arm64-pie", "-buildmode=pie", PIE_BIAS);
}

static void test_stripped(void **state)
{
    (void)state;
    for (const char *const *v = helper_goversions_newest(); *v; v++)
        check_stripped(*v, "-arm64-stripped", "'-ldflags=-s -w'", "-arm64-twin", "'-ldflags=-w -w'",
                       0);
}

static void test_stripped_pie(void **state)
{
    (void)state;
    for (const char *const *v = helper_goversions_newest(); *v; v++)
        check_stripped(*v, "-arm64-pie-stripped", "-buildmode=pie '-ldflags=-s -w'",
                       "-arm64-pie-twin", "-buildmode=pie '-ldflags=-w -w'", PIE_BIAS);
}

/* Nobody has walked a stack there yet: said, not guessed. */
static void test_goroutines(void **state)
{
    struct loaded l = {0};
    struct go_runtime rt = {0};
    struct go_budget budget = {0};
    struct goroutines_counts counts;
    struct err e = {0};

    (void)state;
    if (!load(&l, HELPER_GOVERSIONS_NEWEST, "-arm64", "", 0))
        skip();
    rt.image = l.image;
    assert_int_equal(goroutines_read(&rt, &budget, NULL, NULL, &counts, &e), -ENOTSUP);
    assert_non_null(strstr(e.text, "amd64 only"));
    unload(&l);
}

/* ---- Instructions */

struct heard {
    unsigned count;
    size_t at;
    uint64_t address;
};

static void hear(void *ctx, size_t at, uint64_t address)
{
    struct heard *h = ctx;

    *h = (struct heard){h->count + 1, at, address};
}

/* Two instructions at ${entry} + 4, behind a NOP. */
static struct heard look(uint64_t entry, uint32_t first, uint32_t second, size_t bytes)
{
    const uint32_t code[] = {0, 0xd503201f, first, second}; /* the lead, NOP */
    struct heard h = {0};

    operands_find(EM_AARCH64, (const uint8_t *)(code + 1), bytes, entry, hear, &h);
    return h;
}

static uint32_t adrp(unsigned reg, int32_t pages)
{
    return 0x90000000 | ((uint32_t)pages & 3) << 29 | ((uint32_t)pages >> 2 & 0x7ffff) << 5 | reg;
}

static void expect(uint32_t second, int32_t pages, uint64_t address)
{
    struct heard h = look(0x410ff8, adrp(27, pages), second, 12);

    assert_int_equal(h.count, 1);
    assert_int_equal(h.at, 4);
    assert_int_equal(h.address, address);
}

static void test_instructions(void **state)
{
    (void)state;
    /* as llvm-mc 14 --triple=aarch64 encodes them; the pair begins at 0x410ffc */
    expect(0x9104837b, 1, 0x411120);           /* add x27, x27, #0x120 */
    expect(0x913ffc00 | 27 << 5, 0, 0x410fff); /* add x0, x27, #0xfff */
    expect(0xf9409360, 1, 0x411120);           /* ldr x0, [x27, #0x120] */
    expect(0xf9009360, 1, 0x411120);           /* str x0, [x27, #0x120] */
    expect(0xb9412360, 1, 0x411120);           /* ldr w0, [x27, #0x120] */
    expect(0xb9812360, 1, 0x411120);           /* ldrsw x0, [x27, #0x120] */
    expect(0x39448360, 1, 0x411120);           /* ldrb w0, [x27, #0x120] */
    expect(0x79424360, 1, 0x411120);           /* ldrh w0, [x27, #0x120] */
    expect(0xfd409360, 1, 0x411120);           /* ldr d0, [x27, #0x120] */
    expect(0x3dc04b60, 1, 0x411120);           /* ldr q0, [x27, #0x120] */
    expect(0x3d804b60, 1, 0x411120);           /* str q0, [x27, #0x120] */
    expect(0xf9409360, -1, 0x40f120);
    expect(0xf9409360, 0xfffff, 0x410000 + UINT64_C(0xfffff000) + 0x120);
    expect(0xf9409360, -0x100000, 0x410120 - (UINT64_C(1) << 32));
    /* none: another register, ADD shifted by 12, ADD of 32 bits, LDR post-indexed, a branch */
    assert_int_equal(look(0x410ff8, adrp(26, 1), 0xf9409360, 12).count, 0);
    assert_int_equal(look(0x410ff8, adrp(27, 1), 0x9144837b, 12).count, 0);
    assert_int_equal(look(0x410ff8, adrp(27, 1), 0x1104837b, 12).count, 0);
    assert_int_equal(look(0x410ff8, adrp(27, 1), 0xf8408760, 12).count, 0);
    assert_int_equal(look(0x410ff8, adrp(27, 1), 0x14000000, 12).count, 0);
    /* ADR is no ADRP */
    assert_int_equal(look(0x410ff8, adrp(27, 1) & 0x7fffffff, 0xf9409360, 12).count, 0);
    /* the pair does not lie whole in the code */
    assert_int_equal(look(0x410ff8, adrp(27, 1), 0xf9409360, 11).count, 0);
    assert_int_equal(look(0x410ff8, adrp(27, 1), 0xf9409360, 0).count, 0);
}

static void test_other_machine(void **state)
{
    const uint32_t code[] = {0, 0x90000000, 0xf9400000};
    struct heard h = {0};

    (void)state;
    operands_find(EM_RISCV, (const uint8_t *)(code + 1), 8, 0x10000, hear, &h);
    assert_int_equal(h.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instructions), cmocka_unit_test(test_other_machine),
        cmocka_unit_test(test_plain),        cmocka_unit_test(test_pie),
        cmocka_unit_test(test_stripped),     cmocka_unit_test(test_stripped_pie),
        cmocka_unit_test(test_goroutines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
