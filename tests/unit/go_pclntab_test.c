/* The pc-line table's decoder and the search for it, at their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <errno.h>

#include "sampler/go/elfscan.h"
#include "sampler/go/inline.h"
#include "sampler/go/nameindex.h"
#include "sampler/go/pclnfind.h"
#include "sampler/symbols/frame.h"
#include "tests/unit/helper_goelf.h"

static void test_table_damage(void **state)
{
    struct pclntab t;
    struct helper_goelf h;
    struct file *f;

    (void)state;
    helper_goelf_make(&h, "go1.22.1", NULL, false);
    assert_int_equal(file_from_bytes(h.file.data, h.file.len, &f), 0);
    assert_int_equal(pclntab_open(f, h.pclntab, h.end, &t), 0);
    assert_int_equal(pclntab_open(f, h.pclntab, h.functab + 3 * 8 + 4 - 1, &t), -EBADMSG);
    assert_int_equal(pclntab_open(f, h.pclntab, h.pclntab + 71, &t), -ENOEXEC);
    assert_int_equal(pclntab_open(f, h.pclntab + 8, h.end, &t), -ENOEXEC);
    assert_int_equal(pclntab_open(f, UINT64_MAX, h.end, &t), -ENOEXEC);
    assert_int_equal(pclntab_open(f, UINT64_MAX - 8, UINT64_MAX, &t), -ENOEXEC);

    const struct {
        size_t at;
        uint64_t value;
    } bad[] = {
        {8, 0},
        {8, PCLNTAB_FUNCS_MAX + 1},
        {8, UINT64_MAX},
        {32, 71},
        {40, UINT64_MAX},
        {48, h.names - h.pclntab},
        {64, 80},
        {64, h.end - h.pclntab},
        {0, 0x03010000fffffff1},
        {0, 0x04010000fffffff1},
        {0, 0x08030000fffffff1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t before;

        memcpy(&before, h.file.data + h.pclntab + bad[i].at, 8);
        helper_goelf_put64(&h, h.pclntab + bad[i].at, bad[i].value);
        assert_int_equal(pclntab_open(f, h.pclntab, h.end, &t), -EBADMSG);
        helper_goelf_put64(&h, h.pclntab + bad[i].at, before);
    }
    assert_int_equal(pclntab_open(f, h.pclntab, h.end, &t), 0);
    file_free(f);
    helper_goelf_release(&h);
}

static void test_function_damage(void **state)
{
    struct pclntab_func fn;
    struct pclntab t;
    struct helper_goelf h;
    struct nameindex *n;
    struct file *f;
    char text[16];
    int64_t line;
    uint32_t u;

    (void)state;
    helper_goelf_make(&h, "go1.22.1", NULL, false);
    assert_int_equal(file_from_bytes(h.file.data, h.file.len, &f), 0);
    assert_int_equal(pclntab_open(f, h.pclntab, h.end, &t), 0);
    assert_int_equal(pclntab_func(&t, 2, &fn), 0);
    assert_int_equal(pclntab_func(&t, 3, &fn), -EBADMSG);
    assert_int_equal(pclntab_func_at(&t, HELPER_GOELF_TEXT_BYTES - 1, &fn), 0);
    assert_int_equal(pclntab_func_at(&t, HELPER_GOELF_TEXT_BYTES, &fn), -ENOENT);
    assert_int_equal(pclntab_func_at(&t, 0x48, &fn), 0);
    assert_int_equal(pclntab_funcdata(&t, &fn, 3, &u), 0);
    assert_int_equal(pclntab_funcdata(&t, &fn, 4, &u), -ENOENT);
    assert_int_equal(pclntab_name(&t, (uint32_t)(t.cus - t.names), text, sizeof(text)), -EBADMSG);
    fn.cu = UINT32_MAX; /* a file number beyond the table */
    assert_int_equal(pclntab_line(&t, &fn, 0x48, text, sizeof(text), &line), -EBADMSG);
    fn.npcdata = UINT32_MAX; /* the arrays behind the record would reach outside */
    assert_int_equal(pclntab_funcdata(&t, &fn, 3, &u), -EBADMSG);

    helper_goelf_put32(&h, h.functab + 8, 0x30); /* not what the record itself says */
    assert_int_equal(pclntab_func_at(&t, 0x48, &fn), -EBADMSG);
    helper_goelf_put32(&h, h.functab + 8, 0x40);
    helper_goelf_put32(&h, h.functab + 8 + 4, (uint32_t)(h.wrap_func - h.functab));
    assert_int_equal(pclntab_func_at(&t, 0x48, &fn), -EBADMSG); /* another function's record */
    assert_int_equal(nameindex_new(&n), 0);
    assert_int_equal(nameindex_find(n, &t, 22, "runtime.start", &fn), -EBADMSG);
    assert_int_equal(nameindex_find(n, &t, 22, "main.outer", &fn), -EBADMSG);
    nameindex_free(n);
    nameindex_free(NULL);
    file_free(f);
    helper_goelf_release(&h);
}

/* The first and the last function's records, exchanged: each lookup is right, a pass is refused. */
static void test_function_order(void **state)
{
    unsigned char first[44], last[44];
    struct pclntab_func fn;
    struct helper_goelf h;
    struct nameindex *n;
    struct pclntab t;
    struct file *f;
    size_t first_at;

    (void)state;
    helper_goelf_make(&h, "go1.22.1", NULL, false);
    first_at = h.functab + 3 * 8 + 8;
    memcpy(first, h.file.data + first_at, sizeof(first));
    memcpy(last, h.file.data + h.wrap_func, sizeof(last));
    memcpy(h.file.data + first_at, last, sizeof(last));
    memcpy(h.file.data + h.wrap_func, first, sizeof(first));
    helper_goelf_put32(&h, h.functab + 4, (uint32_t)(h.wrap_func - h.functab));
    helper_goelf_put32(&h, h.functab + 16 + 4, (uint32_t)(first_at - h.functab));
    assert_int_equal(file_from_bytes(h.file.data, h.file.len, &f), 0);
    assert_int_equal(pclntab_open(f, h.pclntab, h.end, &t), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(pclntab_func(&t, i, &fn), 0);
    assert_int_equal(nameindex_new(&n), 0);
    assert_int_equal(nameindex_find(n, &t, 22, "runtime.start", &fn), -EBADMSG);
    nameindex_free(n);
    file_free(f);
    helper_goelf_release(&h);
}

/* As many functions as are allowed, and one more, in a table that has room for them. */
static void test_function_limit(void **state)
{
    enum { RECORD = 72 + (PCLNTAB_FUNCS_MAX + 1) * 8 + 8, BYTES = RECORD + 44 };
    const uint64_t offset = 72;
    unsigned char *b = calloc(1, BYTES);
    struct pclntab t;
    struct file *f;

    (void)state;
    assert_non_null(b);
    memcpy(b, "\xf1\xff\xff\xff\x00\x00\x01\x08", 8);
    for (size_t i = 0; i < 5; i++)
        memcpy(b + 32 + 8 * i, &offset, 8);
    memcpy(b + 72 + 4, &(uint32_t){RECORD - 72}, 4);
    b[72 + 8] = 16; /* the first function's end */
    assert_int_equal(file_from_bytes(b, BYTES, &f), 0);
    memcpy(b + 8, &(uint64_t){PCLNTAB_FUNCS_MAX}, 8);
    assert_int_equal(pclntab_open(f, 0, BYTES, &t), 0);
    memcpy(b + 8, &(uint64_t){PCLNTAB_FUNCS_MAX + 1}, 8);
    assert_int_equal(pclntab_open(f, 0, BYTES, &t), -EBADMSG);
    file_free(f);
    free(b);
}

/* A table of `steps` steps that advance by ${pcs} each, then an end mark, in bare bytes. */
static void value_table(struct buf *b, uint32_t steps, int pcs)
{
    buf_init(b, 4 * 1024 * 1024);
    buf_putc(b, 0);
    for (uint32_t i = 0; i < steps; i++) {
        buf_putc(b, 2);
        buf_putc(b, i + 1 == steps ? 1 : pcs);
    }
    buf_putc(b, 0);
}

static int value_of(const struct buf *b, uint64_t credit, uint32_t pc, int32_t *ret)
{
    struct pclntab_func fn = {.entry = 0, .end = UINT32_MAX};
    struct pclntab t = {.quantum = 1, .funcs = b->len, .credit = credit};
    int r;

    assert_int_equal(file_from_bytes(b->data, b->len, &t.file), 0);
    r = pclntab_value(&t, &fn, 1, pc, ret);
    file_free(t.file);
    return r;
}

static void test_value_limits(void **state)
{
    static const unsigned char five[] = {0, 0x82, 0x80, 0x80, 0x80, 0x00, 1, 0};
    static const unsigned char six[] = {0, 0x82, 0x80, 0x80, 0x80, 0x80, 0x00, 1, 0};
    struct buf b;
    int32_t v = 0;

    (void)state;
    value_table(&b, PCLNTAB_STEPS_MAX, 0);
    assert_int_equal(value_of(&b, PCLNTAB_CREDIT_MAX, 0, &v), 0);
    assert_int_equal(v, PCLNTAB_STEPS_MAX - 1);
    assert_int_equal(value_of(&b, PCLNTAB_STEPS_MAX, 0, &v), 0);
    assert_int_equal(value_of(&b, PCLNTAB_STEPS_MAX - 1, 0, &v), -EBADMSG); /* credit used up */
    assert_int_equal(value_of(&b, PCLNTAB_CREDIT_MAX, 1, &v), -EBADMSG);    /* one step too far */
    buf_release(&b);
    value_table(&b, PCLNTAB_STEPS_MAX + 1, 0);
    assert_int_equal(value_of(&b, PCLNTAB_CREDIT_MAX, 0, &v), -EBADMSG);
    buf_release(&b);

    value_table(&b, 3, 1);
    assert_int_equal(value_of(&b, 3, 2, &v), 0);
    assert_int_equal(v, 2);
    assert_int_equal(value_of(&b, 9, 3, &v), 0); /* behind the end mark: no value */
    assert_int_equal(v, -1);
    b.len--; /* no end mark */
    assert_int_equal(value_of(&b, 9, 3, &v), -EBADMSG);
    buf_release(&b);

    buf_init(&b, 64);
    buf_put(&b, five, sizeof(five));
    assert_int_equal(value_of(&b, 9, 0, &v), 0);
    assert_int_equal(v, 0);
    buf_clear(&b);
    buf_put(&b, six, sizeof(six));
    assert_int_equal(value_of(&b, 9, 0, &v), -EBADMSG);
    buf_release(&b);
}

/* Many names of the runtime, none of which has a function: as many as are kept, and one more. */
static void test_name_limits(void **state)
{
    (void)state;
    for (uint32_t extra = 0; extra < 2; extra++) {
        struct pclntab t = {.quantum = 1};
        struct pclntab_func fn;
        struct nameindex *n;
        struct buf b;

        buf_init(&b, 4 * 1024 * 1024);
        for (uint32_t i = 0; i < NAMEINDEX_NAMES_MAX + extra; i++)
            buf_put(&b, "runtime.x", 10);
        buf_put(&b, "runtime.", 9); /* not counted: only a prefix */
        t.cus = b.len;
        assert_int_equal(file_from_bytes(b.data, b.len, &t.file), 0);
        assert_int_equal(nameindex_new(&n), 0);
        assert_int_equal(nameindex_find(n, &t, 22, "runtime.x", &fn), extra ? -EBADMSG : -ENOENT);
        assert_int_equal(nameindex_find(n, &t, 22, "runtime.x", &fn), extra ? -EBADMSG : -ENOENT);
        nameindex_free(n);
        file_free(t.file);
        buf_release(&b);
    }
}

struct sought {
    uint64_t vaddr, offset;
    unsigned calls;
};

static int sought_match(void *ctx, uint64_t vaddr, uint64_t offset, const unsigned char *record)
{
    struct sought *s = ctx;

    s->calls++;
    if (memcmp(record, "needle-of-32-bytes-in-a-haystack", 32) != 0)
        return 0;
    s->vaddr = vaddr;
    s->offset = offset;
    return 1;
}

/* Records at the ends of the segment and where two pieces meet. */
static void test_scan(void **state)
{
    enum { SEGMENT_BYTES = 2 * ELFSCAN_PIECE_BYTES + 4096, PHDR_FILESZ = 64 + 2 * 56 + 32 };
    static const struct {
        size_t at;
        int result;
    } cases[] = {
        {0, 0},
        {16, 0},
        {8, -ENOENT}, /* not aligned */
        {ELFSCAN_PIECE_BYTES - 32, 0},
        {ELFSCAN_PIECE_BYTES - 16, 0}, /* across */
        {ELFSCAN_PIECE_BYTES, 0},
        {SEGMENT_BYTES - 32, 0},
        {SEGMENT_BYTES - 16, -ENOENT}, /* half of it is beyond the segment */
    };
    static unsigned char zeros[SEGMENT_BYTES];
    struct sought s = {0};
    struct elfscan scan = {.flags_mask = PF_W,
                           .flags = PF_W,
                           .step = 16,
                           .record_bytes = 32,
                           .match = sought_match,
                           .ctx = &s};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct helper_goelf h;
        struct file *f;
        struct elf *e;

        helper_goelf_make(&h, "go1.22.1", NULL, false);
        buf_put(&h.file, zeros, sizeof(zeros));
        buf_put(&h.file, zeros, 64);
        helper_goelf_put64(&h, PHDR_FILESZ, SEGMENT_BYTES);
        helper_goelf_put64(&h, PHDR_FILESZ + 8, SEGMENT_BYTES);
        memcpy(h.file.data + h.buildinfo + cases[i].at, "needle-of-32-bytes-in-a-haystack", 32);
        assert_int_equal(file_from_bytes(h.file.data, h.file.len, &f), 0);
        assert_int_equal(elf_open(f, &e, NULL), 0);
        s.calls = 0;
        assert_int_equal(elfscan_run(e, &scan), cases[i].result);
        if (cases[i].result == 0) {
            assert_int_equal(s.vaddr, HELPER_GOELF_RW + cases[i].at);
            assert_int_equal(s.offset, h.buildinfo + cases[i].at);
            assert_int_equal(s.calls, cases[i].at / 16 + 1); /* each place once */
        } else {
            assert_int_equal(s.calls, (SEGMENT_BYTES - 32) / 16 + 1);
        }
        elf_free(e);
        file_free(f);
        helper_goelf_release(&h);
    }
    scan.record_bytes = ELFSCAN_RECORD_MAX_BYTES + 1;
    assert_int_equal(elfscan_run(NULL, &scan), -EINVAL);
}

/* Places that begin like a table: as many as are tried, and one more. */
static void test_find_limits(void **state)
{
    enum { PHDR_OFFSET = 64 + 8 };

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        size_t fakes = PCLNFIND_CANDIDATES_MAX - 1 + extra;
        struct helper_goelf h;
        struct pclntab t;
        uint64_t vaddr;
        struct file *f;
        struct elf *e;

        helper_goelf_make(&h, "go1.22.1", NULL, false);
        /* a text segment of nothing else, which comes first */
        while (h.file.len % 0x1000 != 0)
            buf_putc(&h.file, 0);
        helper_goelf_put64(&h, PHDR_OFFSET, h.file.len);
        helper_goelf_put64(&h, PHDR_OFFSET + 24, fakes * 8 + PCLNTAB_HEADER_BYTES); /* p_filesz */
        helper_goelf_put64(&h, PHDR_OFFSET + 32, fakes * 8 + PCLNTAB_HEADER_BYTES);
        for (size_t i = 0; i < fakes; i++)
            buf_put(&h.file, "\xf1\xff\xff\xff\x00\x00\x01\x08", 8);
        for (size_t i = 0; i < PCLNTAB_HEADER_BYTES; i++)
            buf_putc(&h.file, 0);
        assert_int_equal(file_from_bytes(h.file.data, h.file.len, &f), 0);
        assert_int_equal(elf_open(f, &e, NULL), 0);
        assert_int_equal(pclnfind_open(e, &t, &vaddr), extra ? -EBADMSG : 0);
        elf_free(e);
        file_free(f);
        helper_goelf_release(&h);
    }
}

/* ${depth} calls inlined into each other: pc k lies in the tree's entry k - 1, whose parent pc is
 * k - 1. Fills ${levels} from the innermost; what inline_walk() said. */
static int walk_deep(uint32_t depth, struct inline_level *levels, size_t max)
{
    enum { PHDR_FILESZ = 64 + 2 * 56 + 32, TREE = 0x1000, TREE_BYTES = 0x1000, RECORD_BYTES = 72 };
    struct pclntab t = {.magic = PCLNTAB_GO120, .quantum = 1, .credit = PCLNTAB_CREDIT_MAX};
    struct pclntab_func fn = {.end = depth + 1, .npcdata = 3, .nfuncdata = 4};
    int32_t values[100];
    uint32_t ends[100];
    struct helper_goelf h;
    struct elf *e;
    int r;

    helper_goelf_make(&h, "go1.22.1", NULL, false);
    while (h.file.len < h.buildinfo + TREE + TREE_BYTES)
        buf_putc(&h.file, 0);
    helper_goelf_put64(&h, PHDR_FILESZ, TREE + TREE_BYTES);
    helper_goelf_put64(&h, PHDR_FILESZ + 8, TREE + TREE_BYTES);
    for (uint32_t k = 0; k <= depth; k++) {
        values[k] = (int32_t)k - 1;
        ends[k] = k + 1;
        helper_goelf_put32(&h, h.buildinfo + TREE + k * 16 + 8, k);
        helper_goelf_put32(&h, h.buildinfo + TREE + k * 16 + 12, 1000 + k);
    }
    t.pctab = h.file.len - 1;
    helper_goelf_steps(&h.file, depth + 1, values, ends);
    t.funcs = fn.at = h.file.len;
    for (int i = 0; i < RECORD_BYTES; i++)
        buf_putc(&h.file, 0);
    helper_goelf_put32(&h, fn.at + 44 + 8, 1); /* PCDATA 2; FUNCDATA 3 is 0 */
    t.end = h.file.len;
    assert_int_equal(file_from_bytes(h.file.data, h.file.len, &t.file), 0);
    assert_int_equal(elf_open(t.file, &e, NULL), 0);
    r = inline_walk(&t, e, HELPER_GOELF_RW + TREE, &fn, depth, levels, max);
    elf_free(e);
    file_free(t.file);
    helper_goelf_release(&h);
    return r;
}

static void test_deep_inlining(void **state)
{
    struct inline_level levels[FRAME_INLINE_MAX];

    (void)state;
    assert_int_equal(walk_deep(5, levels, FRAME_INLINE_MAX), 6);
    assert_int_equal(levels[0].pc, 5);
    assert_int_equal(levels[0].start_line, 1004);
    assert_int_equal(levels[5].pc, 0);
    for (uint32_t depth = FRAME_INLINE_MAX - 1; depth < FRAME_INLINE_MAX + 9; depth++) {
        assert_int_equal(walk_deep(depth, levels, FRAME_INLINE_MAX), FRAME_INLINE_MAX);
        assert_int_equal(levels[0].pc, depth);
        assert_int_equal(levels[FRAME_INLINE_MAX - 2].pc, depth - (FRAME_INLINE_MAX - 2));
        assert_int_equal(levels[FRAME_INLINE_MAX - 1].pc, 0); /* the function itself is the last */
    }
    assert_int_equal(walk_deep(3, levels, 1), 1);
    assert_int_equal(levels[0].pc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_damage),   cmocka_unit_test(test_function_damage),
        cmocka_unit_test(test_value_limits),   cmocka_unit_test(test_name_limits),
        cmocka_unit_test(test_scan),           cmocka_unit_test(test_find_limits),
        cmocka_unit_test(test_deep_inlining),  cmocka_unit_test(test_function_order),
        cmocka_unit_test(test_function_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
