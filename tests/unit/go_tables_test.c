/* Go's tables in a forged executable: what they say, and what damage does to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sampler/go/buildinfo.h"
#include "sampler/go/image.h"
#include "sampler/go/moduledata.h"
#include "sampler/go/nameindex.h"
#include "tests/unit/helper_goelf.h"

enum {
    PIE_BIAS = 0x5000000,
    OUTER = HELPER_GOELF_TEXT + 0x40,
    INNER_PC = OUTER + 8,
    MID_PC = OUTER + 16,
    WRAP_PC = HELPER_GOELF_TEXT + 0x80,
};

/* The memory of a target: its module data, or an error for everything. */
struct memory {
    struct target target;
    uint64_t at;
    unsigned char module[HELPER_GOELF_MODULE_BYTES];
    int fail;
    unsigned reads;
};

static int memory_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    struct memory *m = ctx;

    m->reads++;
    if (m->fail != 0)
        return m->fail;
    if (address < m->at || address - m->at > sizeof(m->module) ||
        bytes > sizeof(m->module) - (address - m->at))
        return -EFAULT;
    memcpy(out, m->module + (address - m->at), bytes);
    return 0;
}

static const struct target_ops memory_ops = {.read = memory_read};

static void memory_of(struct memory *m, const struct helper_goelf *h, uint64_t bias)
{
    *m = (struct memory){.at = HELPER_GOELF_RW + bias + (h->module - h->buildinfo)};
    m->target.ops = &memory_ops;
    m->target.ctx = m;
    helper_goelf_relocate(h, bias, m->module);
}

struct opened {
    struct file *file;
    struct elf *elf;
    struct go_image *image;
    struct err e;
};

static int open_image(struct opened *o, const struct helper_goelf *h, struct memory *m,
                      uint64_t bias)
{
    *o = (struct opened){0};
    assert_int_equal(file_from_bytes(h->file.data, h->file.len, &o->file), 0);
    assert_int_equal(elf_open(o->file, &o->elf, &o->e), 0);
    return go_image_open(o->elf, &m->target, bias, &o->image, &o->e);
}

static void close_image(struct opened *o)
{
    go_image_free(o->image);
    elf_free(o->elf);
    file_free(o->file);
}

/* Make, open, expect: with the damage done by the caller in between. */
static int open_again(struct opened *o, const struct helper_goelf *h)
{
    struct memory m;

    memory_of(&m, h, 0);
    return open_image(o, h, &m, 0);
}

static struct frames frames;

static void expect_frame(uint32_t i, const char *name, const char *file, int64_t line,
                         int64_t start)
{
    assert_true(i < frames.count);
    assert_string_equal(frames.frame[i].name, name);
    assert_string_equal(frames.frame[i].file, file);
    assert_int_equal(frames.frame[i].line, line);
    assert_int_equal(frames.frame[i].start_line, start);
}

static void expect_image(struct go_image *g, uint64_t bias, bool starts)
{
    uint64_t entry, end;
    char name[32];

    assert_int_equal(go_image_frames(g, INNER_PC + bias, &frames), 0);
    assert_int_equal(frames.count, 3);
    expect_frame(0, "main.inner", "/src/b.go", 31, starts ? 30 : 0);
    expect_frame(1, "main.mid", "/src/a.go", 22, starts ? 20 : 0);
    expect_frame(2, "main.outer", "/src/a.go", 12, starts ? 9 : 0);
    assert_int_equal(go_image_frames(g, MID_PC + bias, &frames), 0);
    assert_int_equal(frames.count, 2);
    assert_int_equal(go_image_frames(g, OUTER + bias, &frames), 0);
    assert_int_equal(frames.count, 1);
    expect_frame(0, "main.outer", "/src/a.go", 10, starts ? 9 : 0);
    assert_int_equal(go_image_frames(g, HELPER_GOELF_TEXT - 1 + bias, &frames), -ENOENT);
    assert_int_equal(
        go_image_frames(g, HELPER_GOELF_TEXT + HELPER_GOELF_TEXT_BYTES + bias, &frames), -ENOENT);

    assert_int_equal(go_image_function(g, "runtime.start", &entry, &end), 0);
    assert_int_equal(entry, HELPER_GOELF_TEXT + bias);
    assert_int_equal(end, OUTER + bias);
    assert_int_equal(go_image_function(g, "main.outer", &entry, &end), 0);
    assert_int_equal(entry, OUTER + bias);
    assert_int_equal(go_image_function(g, "main.inner", &entry, &end), -ENOENT); /* inlined only */
    assert_int_equal(go_image_function(g, "runtime.none", &entry, &end), -ENOENT);
    assert_int_equal(go_image_function(g, "", &entry, &end), -ENOENT);
    assert_int_equal(go_image_entry(g, INNER_PC + bias, name, sizeof(name), &entry), 0);
    assert_string_equal(name, "main.outer");
    assert_int_equal(entry, OUTER + bias);
    assert_int_equal(go_image_entry(g, INNER_PC + bias, name, 6, &entry), 0);
    assert_string_equal(name, "main.");
}

static void test_formats(void **state)
{
    static const char *const versions[] = {"go1.18.10", "go1.19",   "go1.20.1", "go1.21.13",
                                           "go1.22.12", "go1.24.1", "go1.25.4", "go1.26.8"};

    (void)state;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        bool old = versions[i][5] == '8' || versions[i][5] == '9';
        struct helper_goelf h;
        struct opened o;

        helper_goelf_make(&h, versions[i], NULL, false);
        assert_int_equal(open_again(&o, &h), 0);
        assert_string_equal(go_image_version(o.image), versions[i]);
        assert_int_equal(go_image_minor(o.image), 18 + (int)(i < 5 ? i : i + 1));
        expect_image(o.image, 0, !old || i > 1);
        assert_false(go_image_hidden(o.image, INNER_PC));
        assert_true(go_image_hidden(o.image, WRAP_PC));
        assert_int_equal(go_image_frames(o.image, WRAP_PC, &frames), 0);
        expect_frame(0, "main.(*T).Wrap", "/src/a.go", 1, i > 1 ? 1 : 0);
        close_image(&o);
        helper_goelf_release(&h);
    }
}

static void test_pie(void **state)
{
    struct helper_goelf h;
    struct memory m;
    struct opened o;
    uint64_t lo, hi;

    (void)state;
    helper_goelf_make(&h, "go1.24.1", NULL, true);
    memory_of(&m, &h, PIE_BIAS);
    assert_int_equal(open_image(&o, &h, &m, PIE_BIAS), 0);
    expect_image(o.image, PIE_BIAS, true);
    go_image_data(o.image, &lo, &hi);
    assert_int_equal(lo, HELPER_GOELF_RW + PIE_BIAS);
    assert_int_equal(hi, HELPER_GOELF_RW + 0x800 + PIE_BIAS);
    close_image(&o);

    m.fail = -EPERM; /* a PIE's file alone does not tell where it is */
    assert_int_equal(open_image(&o, &h, &m, PIE_BIAS), -EPERM);
    assert_non_null(strstr(o.e.text, "not permitted"));
    close_image(&o);
    m.fail = -ESRCH;
    assert_int_equal(open_image(&o, &h, &m, PIE_BIAS), -ESRCH);
    close_image(&o);
    m.fail = 0;
    assert_int_equal(open_image(&o, &h, &m, PIE_BIAS + 0x1000), -ENOTSUP); /* the wrong bias */
    close_image(&o);
    helper_goelf_release(&h);
}

static void test_no_right(void **state)
{
    struct helper_goelf h;
    struct memory m;
    struct opened o;

    (void)state;
    helper_goelf_make(&h, "go1.22.12", NULL, false);
    memory_of(&m, &h, 0);
    m.fail = -EPERM;
    assert_int_equal(open_image(&o, &h, &m, 0), 0);
    expect_image(o.image, 0, true);
    close_image(&o);
    helper_goelf_release(&h);
}

static void test_deltas(void **state)
{
    static const struct {
        uint64_t pc;
        int result;
        int32_t delta;
        uint32_t flags;
    } want[] = {
        {HELPER_GOELF_TEXT, 0, 0, GO_DELTA_TOP},
        {OUTER + 3, 0, 0, 0},
        {OUTER + 4, 0, 24, 0},
        {OUTER + 0x3e, 0, 24, 0},
        {OUTER + 0x3f, 0, 0, 0},
        {WRAP_PC, 0, 8, GO_DELTA_SPWRITE | GO_DELTA_ASM},
        {HELPER_GOELF_TEXT - 1, -ENOENT, 0, 0},
        {HELPER_GOELF_TEXT + HELPER_GOELF_TEXT_BYTES, -ENOENT, 0, 0},
        {0, -ENOENT, 0, 0},
        {UINT64_MAX, -ENOENT, 0, 0},
    };
    struct helper_goelf h;
    struct opened o;
    int32_t delta;
    uint32_t flags;

    (void)state;
    helper_goelf_make(&h, "go1.26.8", NULL, false);
    h.file.data[h.wrap_func + 41] = 0xf6; /* flags: SPWRITE, ASM and some that do not exist */
    assert_int_equal(open_again(&o, &h), 0);
    for (int again = 0; again < 2; again++) { /* the second time from the cache */
        for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
            delta = 0;
            flags = 0;
            assert_int_equal(go_image_delta(o.image, want[i].pc, &delta, &flags), want[i].result);
            assert_int_equal(delta, want[i].delta);
            assert_int_equal(flags, want[i].flags);
        }
    }
    close_image(&o);

    helper_goelf_put32(&h, h.outer_func + 16, 0); /* no table: C code */
    assert_int_equal(open_again(&o, &h), 0);
    assert_int_equal(go_image_delta(o.image, OUTER, &delta, &flags), -ENOENT);
    close_image(&o);
    /* a table of inline indices is not one of deltas: 1 is no multiple of 8 */
    helper_goelf_put32(&h, h.outer_func + 16, (uint32_t)(h.inline_table - h.pctab));
    assert_int_equal(open_again(&o, &h), 0);
    assert_int_equal(go_image_delta(o.image, INNER_PC, &delta, &flags), -EBADMSG);
    close_image(&o);
    helper_goelf_release(&h);
}

static void test_inline_damage(void **state)
{
    /* parent pcs of the inner call: its own pc (a cycle of one), a pc of mid that leads back to
     * inner, the last byte and the first beyond, far outside */
    static const struct {
        uint32_t inner, mid;
        int result;
    } cases[] = {
        {0x08, 0x18, -EBADMSG}, {0x10, 0x08, -EBADMSG},    {0x3f, 0x18, 0},
        {0x40, 0x18, -EBADMSG}, {0xffffffff, 0, -EBADMSG},
    };
    struct helper_goelf h;
    struct opened o;

    (void)state;
    helper_goelf_make(&h, "go1.22.1", NULL, false);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        helper_goelf_put32(&h, h.tree + 16 + 8, cases[i].inner);
        helper_goelf_put32(&h, h.tree + 8, cases[i].mid);
        assert_int_equal(open_again(&o, &h), 0);
        assert_int_equal(go_image_frames(o.image, INNER_PC, &frames), cases[i].result);
        close_image(&o);
    }
    helper_goelf_release(&h);

    helper_goelf_make(&h, "go1.22.1", NULL, false);
    helper_goelf_put32(&h, h.outer_func + 44 + 12 + 12, 0x7fffffff); /* a tree outside the file */
    assert_int_equal(open_again(&o, &h), 0);
    assert_int_equal(go_image_frames(o.image, INNER_PC, &frames), -EBADMSG);
    assert_false(go_image_hidden(o.image, INNER_PC));
    close_image(&o);
    helper_goelf_put32(&h, h.outer_func + 44 + 12 + 12, UINT32_MAX); /* no tree */
    assert_int_equal(open_again(&o, &h), 0);
    assert_int_equal(go_image_frames(o.image, INNER_PC, &frames), 0);
    assert_int_equal(frames.count, 1);
    close_image(&o);
    helper_goelf_release(&h);
}

static void test_wrappers(void **state)
{
    struct helper_goelf h;
    struct opened o;

    (void)state;
    helper_goelf_make(&h, "go1.26.1", NULL, false);
    h.file.data[h.tree] = 23; /* mid is a wrapper now: Go's own profiles leave it out */
    assert_int_equal(open_again(&o, &h), 0);
    assert_int_equal(go_image_frames(o.image, INNER_PC, &frames), 0);
    assert_int_equal(frames.count, 2);
    expect_frame(0, "main.inner", "/src/b.go", 31, 30);
    expect_frame(1, "main.outer", "/src/a.go", 12, 9);
    assert_int_equal(go_image_frames(o.image, MID_PC, &frames), 0);
    assert_int_equal(frames.count, 1);
    expect_frame(0, "main.outer", "/src/a.go", 12, 9);
    close_image(&o);
    h.file.data[h.tree] = 22; /* 22 is runFinalizers' neighbour in 1.26, the wrapper in 1.22 */
    assert_int_equal(open_again(&o, &h), 0);
    assert_int_equal(go_image_frames(o.image, INNER_PC, &frames), 0);
    assert_int_equal(frames.count, 3);
    close_image(&o);
    helper_goelf_release(&h);
}

static void test_long_names(void **state)
{
    static const size_t lengths[] = {FRAME_NAME_BYTES - 1, FRAME_NAME_BYTES,
                                     FILE_STRING_MAX_BYTES + 1, 10 * 1024 * 1024};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char *name = malloc(lengths[i] + 1);
        struct helper_goelf h;
        struct opened o;

        assert_non_null(name);
        memset(name, '\xc3', lengths[i]); /* not UTF-8: profile/ mends that, not we */
        name[lengths[i]] = '\0';
        helper_goelf_make(&h, "go1.23.4", name, false);
        assert_int_equal(open_again(&o, &h), 0);
        assert_int_equal(go_image_frames(o.image, OUTER, &frames), 0);
        assert_int_equal(strlen(frames.frame[0].name), FRAME_NAME_BYTES - 1);
        assert_memory_equal(frames.frame[0].name, name, FRAME_NAME_BYTES - 1);
        uint64_t entry, end;
        assert_int_equal(go_image_function(o.image, name, &entry, &end), -ENOENT);
        close_image(&o);
        helper_goelf_release(&h);
        free(name);
    }
}

static void test_versions(void **state)
{
    static const struct {
        const char *version;
        int minor, result;
    } cases[] = {
        {"go1.18", 18, 0},
        {"go1.26.99", 26, 0},
        {"go1.25.4 X:nogreenteagc", 25, 0},
        {"devel go1.24-0123456789 Mon Jan 1 00:00:00 2024 +0000", 24, 0},
        {"go1.17.13", 17, -ENOTSUP},
        {"go1.27.0", 27, -ENOTSUP},
        {"go1.999", 999, -ENOTSUP},
        {"go1.1000", -1, -ENOTSUP},
        {"go1.", -1, -ENOTSUP},
        {"go2.22", -1, -ENOTSUP},
        {"devel +0123456789", -1, -ENOTSUP},
        {"xgo1.22", -1, -ENOTSUP},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct helper_goelf h;
        struct opened o;

        assert_int_equal(buildinfo_minor(cases[i].version), cases[i].minor);
        helper_goelf_make(&h, cases[i].version, NULL, false);
        if (cases[i].minor == 18 || cases[i].minor == 24)
            assert_int_equal(open_again(&o, &h), 0);
        else
            assert_int_equal(open_again(&o, &h), cases[i].result);
        close_image(&o);
        helper_goelf_release(&h);
    }
}

static void test_buildinfo_damage(void **state)
{
    /* 127 fits in one length byte and in the buffer; 128 does in neither */
    static const size_t lengths[] = {BUILDINFO_VERSION_BYTES - 2, BUILDINFO_VERSION_BYTES - 1,
                                     BUILDINFO_VERSION_BYTES, 299};
    char out[BUILDINFO_VERSION_BYTES], text[300];
    struct helper_goelf h;
    struct opened o;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "go1.22.1 X:", 11);
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t bytes = lengths[i];
        char cut[sizeof(text)];

        memcpy(cut, text, bytes);
        cut[bytes] = '\0';
        helper_goelf_make(&h, cut, NULL, false);
        assert_int_equal(open_again(&o, &h), 0);
        assert_int_equal(buildinfo_version(o.elf, out), 0);
        assert_int_equal(strlen(out), bytes < sizeof(out) ? bytes : sizeof(out) - 1);
        close_image(&o);
        helper_goelf_release(&h);
    }

    helper_goelf_make(&h, "go1.22.1", NULL, false);
    h.file.data[h.buildinfo + 15] = 0; /* pointers to strings: before 1.18 */
    assert_int_equal(open_again(&o, &h), -ENOTSUP);
    assert_non_null(strstr(o.e.text, "before Go 1.18"));
    close_image(&o);
    h.file.data[h.buildinfo + 15] = 2;
    h.file.data[h.buildinfo + 32] = 0; /* an empty version */
    assert_int_equal(open_again(&o, &h), -ENOENT);
    close_image(&o);
    memset(h.file.data + h.buildinfo + 32, 0xff, 2); /* a length without end */
    assert_int_equal(open_again(&o, &h), -ENOENT);
    close_image(&o);
    h.file.data[h.buildinfo] = 0;
    assert_int_equal(open_again(&o, &h), -ENOENT);
    assert_string_equal(o.e.text, "no Go program");
    close_image(&o);
    go_image_free(NULL);
    helper_goelf_release(&h);
}

/* Places with the magic but no version: as many as are looked at, and one more. */
static void test_buildinfo_candidates(void **state)
{
    enum { BEFORE = 0x4000, PHDR_FILESZ = 64 + 2 * 56 + 32 };

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        size_t fakes = BUILDINFO_CANDIDATES_MAX - 1 + extra;
        char out[BUILDINFO_VERSION_BYTES];
        unsigned char blob[64];
        struct helper_goelf h;
        struct file *f;
        struct elf *e;

        helper_goelf_make(&h, "go1.22.1", NULL, false);
        memcpy(blob, h.file.data + h.buildinfo, sizeof(blob));
        h.file.len = h.buildinfo;
        for (size_t i = 0; i < fakes; i++)
            buf_put(&h.file, blob, 16);
        while (h.file.len < h.buildinfo + BEFORE)
            buf_putc(&h.file, 0);
        buf_put(&h.file, blob, sizeof(blob));
        helper_goelf_put64(&h, PHDR_FILESZ, BEFORE + sizeof(blob));
        helper_goelf_put64(&h, PHDR_FILESZ + 8, BEFORE + sizeof(blob));
        assert_int_equal(file_from_bytes(h.file.data, h.file.len, &f), 0);
        assert_int_equal(elf_open(f, &e, NULL), 0);
        assert_int_equal(buildinfo_version(e, out), extra ? -ENOENT : 0);
        elf_free(e);
        file_free(f);
        helper_goelf_release(&h);
    }
}

static void test_module_damage(void **state)
{
    static const struct {
        size_t at;
        uint64_t value;
    } bad[] = {
        {0, 0},          /* another module's */
        {8, 1},          /* names elsewhere */
        {136, 5},        /* not so many functions */
        {176, 0},        /* no text */
        {176, 0x400000}, /* text outside the executable segment */
        {184, HELPER_GOELF_TEXT},
        {184, HELPER_GOELF_TEXT + 0x101}, /* one more than the segment has */
        {192, UINT64_MAX},
        {320, 0},
    };
    struct helper_goelf h;
    struct memory m;
    struct opened o;

    (void)state;
    helper_goelf_make(&h, "go1.22.1", NULL, false);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memory_of(&m, &h, 0);
        memcpy(m.module + bad[i].at, &bad[i].value, 8);
        assert_int_equal(open_image(&o, &h, &m, 0), -ENOTSUP);
        close_image(&o);
    }
    memory_of(&m, &h, 0);
    uint64_t most = HELPER_GOELF_TEXT + 0x100;
    memcpy(m.module + 184, &most, 8); /* all of the segment */
    assert_int_equal(open_image(&o, &h, &m, 0), 0);
    close_image(&o);
    helper_goelf_put32(&h, h.pclntab, 0xfffffff0); /* the magic of 1.18 with the version of 1.22 */
    assert_int_equal(open_again(&o, &h), -ENOTSUP);
    close_image(&o);
    helper_goelf_put32(&h, h.pclntab, 0xfffffffa); /* that of 1.16 */
    assert_int_equal(open_again(&o, &h), -ENOTSUP);
    assert_non_null(strstr(o.e.text, "not found"));
    close_image(&o);
    helper_goelf_release(&h);
}

/* Look-alikes of the module data: as many as are compared with memory, and one more. */
static void test_candidates(void **state)
{
    enum { BEFORE = 0x1000, PHDR_FILESZ = 64 + 2 * 56 + 32 };

    (void)state;
    for (unsigned extra = 0; extra < 2; extra++) {
        unsigned fakes = MODULEDATA_CANDIDATES_MAX - 1 + extra;
        unsigned char zeros[BEFORE] = {0};
        struct helper_goelf h;
        struct memory m;
        struct opened o;

        helper_goelf_make(&h, "go1.22.1", NULL, false);
        buf_put(&h.file, zeros, sizeof(zeros));
        memmove(h.file.data + h.module + BEFORE, h.file.data + h.module, HELPER_GOELF_MODULE_BYTES);
        memset(h.file.data + h.module, 0, HELPER_GOELF_MODULE_BYTES);
        /* each two neighbouring words of 4 could be the length and capacity of the table */
        for (unsigned i = 0; i < fakes + 1; i++)
            helper_goelf_put64(&h, h.module + 136 + (size_t)i * 8, 4);
        h.module += BEFORE;
        helper_goelf_put64(&h, PHDR_FILESZ, h.file.len - h.buildinfo);
        helper_goelf_put64(&h, PHDR_FILESZ + 8, h.file.len - h.buildinfo);
        memory_of(&m, &h, 0);
        assert_int_equal(open_image(&o, &h, &m, 0), extra ? -ENOTSUP : 0);
        assert_int_equal(m.reads, MODULEDATA_CANDIDATES_MAX);
        close_image(&o);
        helper_goelf_release(&h);
    }
}

/* A table of names in a hole of the file: as long as is read, and one byte more. */
static void test_names_limit(void **state)
{
    int fd = memfd_create("names", MFD_CLOEXEC);
    struct nameindex *n;
    struct file *f;

    (void)state;
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
    assert_int_equal(file_open(fd, &f), 0);
    for (unsigned over = 0; over < 2; over++) {
        struct pclntab t = {.file = f, .cus = (uint64_t)NAMEINDEX_TABLE_MAX_BYTES + over};
        struct pclntab_func fn;

        assert_int_equal(nameindex_new(&n), 0);
        assert_int_equal(nameindex_find(n, &t, 21, "runtime.main", &fn), over ? -EBADMSG : -ENOENT);
        nameindex_free(n);
    }
    file_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),          cmocka_unit_test(test_pie),
        cmocka_unit_test(test_no_right),         cmocka_unit_test(test_deltas),
        cmocka_unit_test(test_inline_damage),    cmocka_unit_test(test_wrappers),
        cmocka_unit_test(test_long_names),       cmocka_unit_test(test_versions),
        cmocka_unit_test(test_buildinfo_damage), cmocka_unit_test(test_module_damage),
        cmocka_unit_test(test_candidates),       cmocka_unit_test(test_buildinfo_candidates),
        cmocka_unit_test(test_names_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
