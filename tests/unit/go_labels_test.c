/*
 * Labels of real goroutines, Go 1.18 to 1.26, read through the same steps as a sample's; and what
 * is refused: late, young, changed, no g. Where the target has to lie, its memory is overlaid.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sampler/go/labels.h"
#include "sampler/go/layout.h"
#include "sampler/go/locate.h"
#include "tests/unit/helper_gotarget.h"
#include "tests/unit/helper_goversions.h"

enum {
    EXPECTED_MAX = 64,
    SET_MAX_BYTES = LABELS_MAX * (LABELS_KEY_MAX_BYTES + LABELS_VALUE_MAX_BYTES + 2),
    GS_MAX = 4096,
    PATCHES_MAX = 8,
    PATCH_MAX_BYTES = 64,
};

/* What the target says about one goroutine. */
struct expected {
    uint64_t goid;
    unsigned labels;
    size_t bytes;
    uint8_t *set; /* as labels.h describes sets */
    bool found;
};

/* Other bytes in place of the target's, from the nth readv after arming on. */
struct patch {
    uint64_t address;
    uint8_t data[PATCH_MAX_BYTES];
    size_t bytes;
    unsigned from;
};

/* A parked target, seen through patches. */
struct scene {
    struct helper_gotarget go;
    struct target target;
    struct patch patches[PATCHES_MAX];
    size_t patch_count;
    unsigned readvs; /* since arming */
    int fail;        /* -errno of every read */
    const struct go_layout *layout;
    struct labels *labels;
    struct intern sets;
    size_t expected_count;
    struct expected expected[EXPECTED_MAX];
    uint64_t gs[GS_MAX];
    size_t g_count;
};

/* The time that labels.c sees: each look is a little later. */
static uint64_t clock_ns = 1000 * CLOCK_NS_PER_SEC, clock_step_ns;

static uint64_t fake_clock(void)
{
    clock_ns += clock_step_ns;
    return clock_ns;
}

static void apply(const struct scene *s, uint64_t address, uint8_t *out, size_t bytes)
{
    for (size_t i = 0; i < s->patch_count; i++) {
        const struct patch *p = &s->patches[i];

        for (size_t k = 0; k < p->bytes && s->readvs >= p->from; k++) {
            if (p->address + k >= address && p->address + k < address + bytes)
                out[p->address + k - address] = p->data[k];
        }
    }
}

static int scene_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    struct scene *s = ctx;
    const struct target *below = &s->go.t.target;
    int r = s->fail ? s->fail : below->ops->read(below->ctx, address, out, bytes);

    if (r == 0)
        apply(s, address, out, bytes);
    return r;
}

static int scene_readv(void *ctx, struct target_range *ranges, size_t count)
{
    struct scene *s = ctx;
    const struct target *below = &s->go.t.target;
    int r = s->fail ? s->fail : below->ops->readv(below->ctx, ranges, count);

    s->readvs++;
    for (size_t i = 0; i < count && r == 0; i++)
        apply(s, ranges[i].address, ranges[i].out, ranges[i].got);
    return r;
}

static const struct target_ops scene_ops = {.read = scene_read, .readv = scene_readv};

/* Put other bytes there, from the ${from}th readv from now on (1: the next). */
static void patch(struct scene *s, unsigned from, uint64_t address, const void *data, size_t bytes)
{
    struct patch *p = &s->patches[s->patch_count++];

    assert_true(s->patch_count <= PATCHES_MAX && bytes <= PATCH_MAX_BYTES);
    s->readvs = 0;
    *p = (struct patch){.address = address, .bytes = bytes, .from = from};
    memcpy(p->data, data, bytes);
}

static void patch_u64(struct scene *s, unsigned from, uint64_t address, uint64_t value)
{
    patch(s, from, address, &value, sizeof(value));
}

static uint64_t peek(struct scene *s, uint64_t address)
{
    uint64_t v = 0;

    assert_int_equal(scene_read(s, address, &v, sizeof(v)), 0);
    return v;
}

/* ---- What the target prints: "goid: hexkey=hexvalue …" */

static size_t unhex(const char *text, size_t digits, size_t max, uint8_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i + 1 < digits && n < max; i += 2) {
        unsigned byte = 0;

        assert_int_equal(sscanf(text + i, "%2x", &byte), 1);
        out[n++] = byte ? (uint8_t)byte : '?';
    }
    /* Cut in the middle of a character: the tests' strings have 3-byte ones there. */
    if (digits / 2 > max && (out[n - 1] & 0xC0) == 0xC0)
        n -= 1;
    else if (digits / 2 > max && (out[n - 1] & 0xC0) == 0x80 && (out[n - 2] & 0xE0) == 0xE0)
        n -= 2;
    out[n++] = '\0';
    return n;
}

static void note_line(void *ctx, const char *text)
{
    struct scene *s = ctx;
    struct expected *x = &s->expected[s->expected_count++];
    char *rest;

    assert_true(s->expected_count <= EXPECTED_MAX);
    x->set = malloc(SET_MAX_BYTES * 2);
    assert_non_null(x->set);
    x->goid = strtoull(text, &rest, 10);
    assert_int_equal(*rest, ':');
    for (rest++; *rest == ' ' && rest[1] != '\0';) {
        const char *key = rest + 1;
        size_t key_digits = strcspn(key, "="), value_digits = strcspn(key + key_digits + 1, " ");

        x->bytes += unhex(key, key_digits, LABELS_KEY_MAX_BYTES, x->set + x->bytes);
        x->bytes +=
            unhex(key + key_digits + 1, value_digits, LABELS_VALUE_MAX_BYTES, x->set + x->bytes);
        x->labels++;
        rest += 1 + key_digits + 1 + value_digits;
    }
}

/* ---- Setting the scene. */

static void list_gs(struct scene *s)
{
    uint64_t allgs = 0, slice[2];

    assert_int_equal(go_locate(s->go.image, &s->target, "allgs", NULL, NULL, &allgs), 0);
    assert_int_equal(scene_read(s, allgs, slice, sizeof(slice)), 0);
    assert_in_range(slice[1], 1, GS_MAX);
    s->g_count = slice[1];
    assert_int_equal(scene_read(s, slice[0], s->gs, s->g_count * sizeof(s->gs[0])), 0);
}

static struct scene *scene_new(const char *toolchain)
{
    struct scene *s = calloc(1, sizeof(*s));
    char path[256], park[] = "park";
    char *argv[] = {path, park, NULL};
    struct err e = {0};
    int r = helper_gotarget_build(toolchain, "golabels", "-stripped", "'-ldflags=-s -w'", path,
                                  sizeof(path));

    assert_non_null(s);
    assert_true(r == 0 || r == 77);
    if (r == 77) {
        print_message("go%s is not to be had here: not tested\n", toolchain);
        free(s);
        return NULL;
    }
    s->target = (struct target){.ops = &scene_ops, .ctx = s};
    assert_true(helper_gotarget_start(&s->go, argv, note_line, s) >= 0);
    s->layout = go_image_layout(s->go.image);
    assert_non_null(s->layout);
    list_gs(s);
    r = labels_new(s->go.image, &s->target, &s->labels, &e);
    if (r != 0)
        print_error("go%s: %d %s\n", toolchain, r, e.text);
    assert_int_equal(r, 0);
    labels_clock(s->labels, fake_clock);
    clock_step_ns = 0;
    intern_init(&s->sets, 1000, 1024 * 1024);
    return s;
}

static void scene_free(struct scene *s)
{
    for (size_t i = 0; i < s->expected_count; i++)
        free(s->expected[i].set);
    labels_free(s->labels);
    intern_release(&s->sets);
    helper_gotarget_release(&s->go);
    free(s);
}

static uint64_t goid_of(struct scene *s, uint64_t g)
{
    return peek(s, g + (uint64_t)s->layout->g_goid);
}

static uint64_t sp_of(struct scene *s, uint64_t g)
{
    return peek(s, g + (uint64_t)s->layout->g_sched + (uint64_t)s->layout->gobuf_sp);
}

static struct expected *expected_of(struct scene *s, uint64_t goid)
{
    for (size_t i = 0; i < s->expected_count; i++) {
        if (s->expected[i].goid == goid)
            return &s->expected[i];
    }
    return NULL;
}

/* The g of the parked goroutine with this many labels. */
static uint64_t g_with(struct scene *s, unsigned labels)
{
    for (size_t i = 0; i < s->g_count; i++) {
        const struct expected *x = expected_of(s, goid_of(s, s->gs[i]));

        if (x && x->labels == labels)
            return s->gs[i];
    }
    fail_msg("no goroutine with %u labels", labels);
    return 0;
}

static struct labels_counts counts_of(const struct scene *s)
{
    struct labels_counts c;

    labels_counts(s->labels, &c);
    return c;
}

/* A sample that was taken now, of a g with its own stack. */
static uint32_t read_now(struct scene *s, uint64_t g)
{
    uint32_t id = 0;

    labels_read(s->labels, g, sp_of(s, g), clock_ns, &s->sets, &id);
    return id;
}

static void forget_patches(struct scene *s)
{
    s->patch_count = 0;
}

/* ---- Real goroutines. */

static void check_g(struct scene *s, uint64_t g)
{
    struct expected *x = expected_of(s, goid_of(s, g));
    struct labels_counts before = counts_of(s), after;
    size_t bytes = 0;
    uint32_t id;

    if (!x)
        return; /* the runtime's own, and main */
    x->found = true;
    id = read_now(s, g);
    after = counts_of(s);
    if (x->labels == 0) {
        assert_int_equal(after.none, before.none + 1);
    } else if (x->labels > LABELS_MAX) {
        assert_int_equal(after.unread, before.unread + 1);
    } else {
        assert_int_equal(after.labelled, before.labelled + 1);
        assert_int_not_equal(id, INTERN_NONE);
        assert_memory_equal(intern_get(&s->sets, id, &bytes), x->set, x->bytes);
        assert_int_equal(bytes, x->bytes);
        return;
    }
    assert_int_equal(id, INTERN_NONE);
}

static void check_version(const char *toolchain)
{
    struct scene *s = scene_new(toolchain);
    unsigned readvs;

    if (!s)
        return;
    print_message("go%s\n", toolchain);
    labels_begin(s->labels);
    for (int round = 0; round < 2; round++) { /* the second one from the verified cache */
        for (size_t i = 0; i < s->g_count; i++)
            check_g(s, s->gs[i]);
    }
    for (size_t i = 0; i < s->expected_count; i++)
        assert_true(s->expected[i].found);
    assert_int_equal(counts_of(s).young, 0);
    /* Two trips a sample, once the set is known. */
    (void)read_now(s, g_with(s, 3));
    readvs = s->readvs;
    (void)read_now(s, g_with(s, 3));
    assert_int_equal(s->readvs, readvs + 2);
    labels_begin(s->labels);
    assert_int_equal(counts_of(s).labelled, 0);
    scene_free(s);
}

static void test_versions(void **state)
{
    (void)state;
    for (const char *const *v = helper_goversions(); *v; v++)
        check_version(*v);
}

/* ---- What is refused. */

static struct scene *scene_or_skip(void)
{
    struct scene *s = scene_new("1.26.8");

    if (!s)
        skip();
    labels_begin(s->labels);
    return s;
}

static void test_late(void **state)
{
    struct scene *s = scene_or_skip();
    uint64_t g = g_with(s, 3), sp = sp_of(s, g);
    uint32_t id;

    (void)state;
    clock_ns += CLOCK_NS_PER_SEC;
    labels_read(s->labels, g, sp, clock_ns - LABELS_DELAY_MAX_NS, &s->sets, &id);
    assert_int_equal(counts_of(s).labelled, 1);
    assert_int_equal(counts_of(s).delay_max_ns, LABELS_DELAY_MAX_NS);
    labels_read(s->labels, g, sp, clock_ns - LABELS_DELAY_MAX_NS - 1, &s->sets, &id);
    assert_int_equal(counts_of(s).late, 1);
    assert_int_equal(id, INTERN_NONE);
    labels_read(s->labels, g, sp, clock_ns + 1, &s->sets, &id);
    assert_int_equal(counts_of(s).late, 2);
    /* In time when it began, late when the read was over. */
    clock_step_ns = LABELS_DELAY_MAX_NS;
    labels_read(s->labels, g, sp, clock_ns, &s->sets, &id);
    assert_int_equal(counts_of(s).late, 3);
    assert_int_equal(counts_of(s).labelled, 1);
    assert_int_equal(counts_of(s).delay_sum_ns, LABELS_DELAY_MAX_NS);
    scene_free(s);
}

static void test_not_g(void **state)
{
    struct scene *s = scene_or_skip();
    uint64_t g = g_with(s, 3), sp = sp_of(s, g);
    uint64_t lo = peek(s, g + (uint64_t)s->layout->g_stack_lo);
    uint64_t hi = peek(s, g + (uint64_t)s->layout->g_stack_hi);
    const uint64_t wrong[] = {0, 1, 4088, g + 4, UINT64_C(1) << 47, UINT64_MAX - 7, 0x10000};
    static const uint32_t dead[] = {0, 5, 6, 7, 10, 11, 0x1006, 0x2004, UINT32_MAX};
    uint64_t count = 0;
    uint32_t id;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        labels_read(s->labels, wrong[i], sp, clock_ns, &s->sets, &id);
        assert_int_equal(counts_of(s).not_g, ++count);
    }
    labels_read(s->labels, g, lo, clock_ns, &s->sets, &id);
    assert_int_equal(counts_of(s).not_g, ++count);
    labels_read(s->labels, g, hi + 1, clock_ns, &s->sets, &id);
    assert_int_equal(counts_of(s).not_g, ++count);
    labels_read(s->labels, g, hi, clock_ns, &s->sets, &id);
    labels_read(s->labels, g, lo + 1, clock_ns, &s->sets, &id);
    assert_int_equal(counts_of(s).labelled, 2);
    for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++) {
        forget_patches(s);
        patch(s, 1, g + (uint64_t)s->layout->g_atomicstatus, &dead[i], sizeof(dead[i]));
        assert_int_equal(read_now(s, g), INTERN_NONE);
        assert_int_equal(counts_of(s).not_g, ++count);
    }
    forget_patches(s);
    patch_u64(s, 1, g + (uint64_t)s->layout->g_goid, 0); /* as in g0 */
    assert_int_equal(read_now(s, g), INTERN_NONE);
    assert_int_equal(counts_of(s).not_g, ++count);
    assert_int_equal(counts_of(s).labelled, 2);
    scene_free(s);
}

static void test_changed(void **state)
{
    struct scene *s = scene_or_skip();
    uint64_t g = g_with(s, 3), other = g_with(s, 4);
    uint64_t labels = g + (uint64_t)s->layout->g_labels;
    struct labels_counts c;

    (void)state;
    /* A set that is not known yet takes three trips: the g; the header; pairs; strings and the g.
     */
    patch_u64(s, 2, g + (uint64_t)s->layout->g_goid, 999999);
    assert_int_equal(read_now(s, g), INTERN_NONE);
    assert_int_equal(counts_of(s).changed, 1);
    forget_patches(s);
    patch_u64(s, 2, labels, peek(s, other + (uint64_t)s->layout->g_labels));
    assert_int_equal(read_now(s, g), INTERN_NONE);
    assert_int_equal(counts_of(s).changed, 2);
    forget_patches(s);
    assert_int_not_equal(read_now(s, g), INTERN_NONE);
    /* Other labels at the same address: what was remembered is not believed. */
    patch(s, 2, peek(s, peek(s, peek(s, labels)) + 16), "V", 1);
    assert_int_not_equal(read_now(s, g), INTERN_NONE);
    c = counts_of(s);
    assert_int_equal(c.labelled, 2);
    assert_int_equal(s->sets.count, 2);
    /* None at all. */
    forget_patches(s);
    patch_u64(s, 1, labels, 0);
    assert_int_equal(read_now(s, g), INTERN_NONE);
    assert_int_equal(counts_of(s).none, 1);
    scene_free(s);
}

/* A goroutine that was there before the sample, by (a) having been seen or (b) its id. */
static void test_young(void **state)
{
    struct scene *s = scene_or_skip();
    uint64_t g = g_with(s, 3), sp = sp_of(s, g), began_ns = clock_ns;
    uint64_t goid = g + (uint64_t)s->layout->g_goid;
    uint32_t id;

    (void)state;
    /* The first reading was over at began_ns: it says nothing about the moment before. */
    clock_ns = began_ns + 1000;
    labels_read(s->labels, g, sp, began_ns - 1, &s->sets, &id);
    assert_int_equal(counts_of(s).young, 1);
    assert_int_equal(id, INTERN_NONE);
    /* (a) It was seen at began_ns + 1000, so a sample of that time has it, but (b) is also true
     * from began_ns on: take an id that no reading has seen yet. */
    patch_u64(s, 1, goid, UINT64_C(1) << 40);
    clock_ns = began_ns + 2000;
    labels_read(s->labels, g, sp, clock_ns, &s->sets, &id); /* not seen before it */
    assert_int_equal(counts_of(s).young, 2);
    labels_read(s->labels, g, sp, began_ns + 1999, &s->sets, &id); /* seen after the sample */
    assert_int_equal(counts_of(s).young, 3);
    labels_read(s->labels, g, sp, began_ns + 2000, &s->sets, &id);
    assert_int_equal(counts_of(s).labelled, 1);
    /* (b) The first reading covers every goroutine that was there. */
    forget_patches(s);
    clock_ns = began_ns + 3000;
    labels_read(s->labels, g, sp, began_ns, &s->sets, &id);
    assert_int_equal(counts_of(s).labelled, 2);
    scene_free(s);
}

/* Ids that a P has still to give out are not born, those before and behind them are. */
static void test_young_batches(void **state)
{
    struct scene *s = scene_or_skip();
    uint64_t g = g_with(s, 3), allp = 0, sched = 0, p0, goidgen, cache[2];
    uint64_t gap_ns = CLOCK_NS_PER_SEC;
    uint32_t id;
    struct {
        uint64_t goid;
        int proven;
    } cases[] = {{0, 1}, {1, 0}, {8, 0}, {9, 1}, {10, 0}};

    (void)state;
    assert_int_equal(go_locate(s->go.image, &s->target, "allp", NULL, NULL, &allp), 0);
    assert_int_equal(go_locate(s->go.image, &s->target, "sched", NULL, NULL, &sched), 0);
    sched += (uint64_t)s->layout->sched_goidgen;
    p0 = peek(s, peek(s, allp));
    goidgen = peek(s, sched) + 1000;
    /* The last id is goidgen + 9; P 0 has still to give out +1 to +8. */
    cache[0] = goidgen + 1;
    cache[1] = goidgen + 9;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct labels_counts before = counts_of(s);

        forget_patches(s);
        patch_u64(s, 1, sched, goidgen + 9);
        patch(s, 1, p0 + (uint64_t)s->layout->p_goidcache, cache, sizeof(cache));
        patch_u64(s, 1, g + (uint64_t)s->layout->g_goid, goidgen + cases[i].goid);
        clock_ns += gap_ns;
        labels_begin(s->labels);
        before = counts_of(s);
        (void)read_now(s, g);
        assert_int_equal(counts_of(s).labelled - before.labelled, cases[i].proven);
        assert_int_equal(counts_of(s).young - before.young, !cases[i].proven);
    }
    /* GOMAXPROCS changed: readings of the old list are not taken, the new list is. */
    forget_patches(s);
    patch_u64(s, 1, g + (uint64_t)s->layout->g_goid, goidgen + 5000);
    patch_u64(s, 1, sched, goidgen + 6000);
    patch_u64(s, 1, allp + 8, 1);
    clock_ns += gap_ns;
    labels_begin(s->labels); /* notices */
    labels_read(s->labels, g, sp_of(s, g), clock_ns - 1, &s->sets, &id);
    assert_int_equal(counts_of(s).young, 1);
    forget_patches(s);
    patch_u64(s, 1, g + (uint64_t)s->layout->g_goid, goidgen + 5001);
    patch_u64(s, 1, sched, goidgen + 6000);
    patch_u64(s, 1, allp + 8, 1);
    clock_ns += gap_ns;
    labels_begin(s->labels); /* with the new list */
    (void)read_now(s, g);
    assert_int_equal(counts_of(s).labelled, 1);
    scene_free(s);
}

static void test_unread(void **state)
{
    struct scene *s = scene_or_skip();
    uint64_t g = g_with(s, 3);

    (void)state;
    s->fail = -ESRCH;
    {
        uint32_t id;

        labels_read(s->labels, g, g, clock_ns, &s->sets, &id);
        assert_int_equal(id, INTERN_NONE);
    }
    s->fail = 0;
    assert_int_equal(counts_of(s).unread, 1);
    patch_u64(s, 1, g + (uint64_t)s->layout->g_labels, 0x10000);
    assert_int_equal(read_now(s, g), INTERN_NONE);
    assert_int_equal(counts_of(s).unread, 2);
    /* A full table of sets. */
    forget_patches(s);
    intern_release(&s->sets);
    intern_init(&s->sets, 1, 1024 * 1024);
    assert_int_equal(read_now(s, g_with(s, 2)), 0);
    assert_int_equal(read_now(s, g), INTERN_NONE);
    assert_int_equal(counts_of(s).unread, 3);
    scene_free(s);
}

static void test_new_refused(void **state)
{
    struct scene *s = scene_or_skip();
    struct labels *l = NULL;
    struct err e = {0};

    (void)state;
    s->fail = -EFAULT;
    assert_int_equal(labels_new(s->go.image, &s->target, &l, &e), -ENOTSUP);
    assert_non_null(strstr(e.text, "runtime.allp"));
    s->fail = -ESRCH;
    assert_int_equal(labels_new(s->go.image, &s->target, &l, &e), -ESRCH);
    assert_null(l);
    labels_free(NULL);
    scene_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions), cmocka_unit_test(test_late),
        cmocka_unit_test(test_not_g),    cmocka_unit_test(test_changed),
        cmocka_unit_test(test_young),    cmocka_unit_test(test_young_batches),
        cmocka_unit_test(test_unread),   cmocka_unit_test(test_new_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
