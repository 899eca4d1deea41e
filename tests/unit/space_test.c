/*
 * space.c, image.c: which file is where, which is the program, what is remembered. Files are made
 * of bytes and handed out by a fake target; the last tests look at real processes.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/symbols/space.h"
#include "tests/unit/helper_elf.h"
#include "tests/unit/helper_target.h"
#include "tests/unit/stub_go_image.h"

enum {
    FILES_MAX = 16,
};

/* A target that hands out made files by inode number (1 …). */
struct fake {
    struct target target;
    struct helper_elf files[FILES_MAX];
    unsigned opens, reads;
    int open_code; /* 0: as it should be */
    unsigned open_ms;
    off_t grow_bytes; /* each file is as long as that, with a hole behind it */
    const struct helper_elf *vdso;
    uint64_t vdso_start;
};

static int fake_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    struct fake *f = ctx;

    f->reads++;
    if (!f->vdso || address != f->vdso_start || bytes > f->vdso->file.len)
        return -EFAULT;
    memcpy(out, f->vdso->file.data, bytes);
    return 0;
}

static int fake_readv(void *ctx, struct target_range *ranges, size_t count)
{
    (void)ctx;
    (void)ranges;
    (void)count;
    return -EPERM;
}

static int fake_open(void *ctx, uint64_t start, uint64_t inode)
{
    struct fake *f = ctx;
    int fd;

    (void)start;
    f->opens++;
    if (f->open_code < 0)
        return f->open_code;
    (void)usleep(f->open_ms * 1000);
    if (inode == 0 || inode >= FILES_MAX || f->files[inode].file.len == 0)
        return -ENOENT;
    fd = helper_elf_memfd(&f->files[inode]);
    if (f->grow_bytes)
        assert_int_equal(ftruncate(fd, f->grow_bytes), 0);
    return fd;
}

static const struct target_ops fake_ops = {
    .read = fake_read, .readv = fake_readv, .open = fake_open};

static void fake_init(struct fake *f)
{
    *f = (struct fake){0};
    f->target = (struct target){.ops = &fake_ops, .ctx = f};
    stub_go = (struct stub_go){.open_code = -ENOENT};
}

static void fake_release(struct fake *f)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        helper_elf_release(&f->files[i]);
}

static struct space *new_space(const struct target *t)
{
    struct space *s;

    assert_int_equal(space_new(t, &s), 0);
    return s;
}

static void refresh(struct space *s, const char *text)
{
    struct err e = {0};

    assert_int_equal(space_refresh(s, text, strlen(text), &e), 0);
}

static struct frames *frames_at(struct space *s, uint64_t address)
{
    static struct frames frames;

    assert_int_equal(space_frames(s, address, &frames), 0);
    return &frames;
}

static const char *name_at(struct space *s, uint64_t address)
{
    struct frames *f = frames_at(s, address);

    return f->count ? f->frame[0].name : "";
}

static const struct helper_elf_symbol symbols[] = {{"alpha", 0x1100, 0x10, 0},
                                                   {"beta", 0x1200, 0x10, 0}};
static const unsigned char some_id[] = {1, 2, 3, 4};

static void make(struct fake *f, unsigned inode, struct helper_elf_spec spec)
{
    spec.symbols = symbols;
    spec.symbol_count = 2;
    if (!spec.build_id) {
        spec.build_id = some_id;
        spec.build_id_bytes = sizeof some_id;
    }
    helper_elf_make(&f->files[inode], &spec);
}

/* A library at 0x7f0000000000: text one page up. */
#define LIBRARY_MAPS                                                     \
    "7f0000000000-7f0000001000 r--p 00000000 fe:01 2     /lib/libx.so\n" \
    "7f0000001000-7f0000003000 r-xp 00001000 fe:01 2     /lib/libx.so\n"

static void test_empty(void **state)
{
    struct space_mapping mapping;
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    s = new_space(&f.target);
    assert_null(space_go(s));
    assert_string_equal(space_note(s), "");
    assert_string_equal(space_build_id(s), "");
    assert_false(space_is_code(s, 0x1000));
    assert_int_equal(space_mapping(s, 0x1000, &mapping), -ENOENT);
    assert_string_equal(name_at(s, 0x1000), "");
    assert_int_equal(space_traits(s, 0x1000), 0);
    refresh(s, "");
    assert_null(space_go(s));
    space_trim(s);
    space_free(s);
    space_free(NULL);
}

static void test_library(void **state)
{
    struct space_mapping mapping;
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    make(&f, 2, (struct helper_elf_spec){.soname = "libx.so"});
    s = new_space(&f.target);
    refresh(s, LIBRARY_MAPS);
    assert_string_equal(name_at(s, 0x7f0000001100), "alpha");
    assert_string_equal(name_at(s, 0x7f000000120f), "beta");
    assert_string_equal(name_at(s, 0x7f0000001210), "");
    assert_int_equal(frames_at(s, 0x7f0000001100)->frame[0].line, 0);
    assert_string_equal(frames_at(s, 0x7f0000001100)->frame[0].file, "");
    assert_true(space_is_code(s, 0x7f0000002fff));
    assert_false(space_is_code(s, 0x7f0000000000));
    assert_int_equal(space_mapping(s, 0x7f0000001100, &mapping), 0);
    assert_int_equal(mapping.start, 0x7f0000001000);
    assert_int_equal(mapping.end, 0x7f0000003000);
    assert_int_equal(mapping.offset, 0x1000);
    assert_string_equal(mapping.path, "/lib/libx.so");
    assert_string_equal(mapping.build_id, "01020304");
    assert_int_equal(f.opens, 1);
    space_trim(s);
    assert_string_equal(name_at(s, 0x7f0000001100), "alpha");
    assert_int_equal(f.opens, 1);
    space_free(s);
    fake_release(&f);
}

/* ---- Which file is the program */

struct exe_row {
    const char *what, *maps;
    uint64_t bias;
    struct helper_elf_spec exe; /* inode 1; inode 2 is a library, 3 ld.so, 4 a plugin */
};

static const struct exe_row exe_rows[] = {
    {"no PIE",
     "00401000-00403000 r-xp 00001000 fe:01 1 /srv\n" LIBRARY_MAPS,
     0,
     {.type = ET_EXEC, .base = 0x400000}},
    {"PIE",
     "560000001000-560000003000 r-xp 00001000 fe:01 1 /srv\n" LIBRARY_MAPS,
     0x560000000000,
     {.interp = true}},
    {"static PIE in the mmap area",
     "7f1000001000-7f1000003000 r-xp 00001000 fe:01 1 /srv\n",
     0x7f1000000000,
     {.pie = true}},
    {"old static PIE, without a sign",
     "7f1000001000-7f1000003000 r-xp 00001000 fe:01 1 /srv\n",
     0x7f1000000000,
     {.type = 0}},
    {"PIE started by ld.so, a library and a plugin below it",
     "7e0000001000-7e0000003000 r-xp 00001000 fe:01 4 /lib/plugin.so\n" LIBRARY_MAPS
     "7f1000001000-7f1000003000 r-xp 00001000 fe:01 1 /srv\n"
     "7f2000001000-7f2000003000 r-xp 00001000 fe:01 3 /lib64/ld.so\n",
     0x7f1000000000,
     {.interp = true}},
    {"no PIE started by ld.so",
     "00401000-00403000 r-xp 00001000 fe:01 1 /srv\n"
     "560000001000-560000003000 r-xp 00001000 fe:01 3 /lib64/ld.so\n" LIBRARY_MAPS,
     0,
     {.type = ET_EXEC, .base = 0x400000}},
    {"a data file mapped low, code without a file",
     "00010000-00020000 r-xp 00000000 00:00 0 \n"
     "00020000-00030000 r-xp 00000000 fe:01 9 /data\n"
     "560000001000-560000003000 r-xp 00001000 fe:01 1 /srv\n" LIBRARY_MAPS,
     0x560000000000,
     {.interp = true}},
    {"text split by mprotect",
     "560000001000-560000002000 rwxp 00001000 fe:01 1 /srv\n"
     "560000002000-560000003000 r-xp 00002000 fe:01 1 /srv\n" LIBRARY_MAPS,
     0x560000000000,
     {.interp = true}},
};

static void test_program(void **state)
{
    static const unsigned char exe_id[] = {0xee};

    (void)state;
    for (size_t i = 0; i < sizeof exe_rows / sizeof exe_rows[0]; i++) {
        struct helper_elf_spec exe = exe_rows[i].exe;
        struct fake f;
        struct space *s;

        print_message("%s\n", exe_rows[i].what);
        fake_init(&f);
        stub_go.open_code = 0;
        exe.build_id = exe_id;
        exe.build_id_bytes = 1;
        make(&f, 1, exe);
        make(&f, 2, (struct helper_elf_spec){.soname = "libx.so"});
        make(&f, 3, (struct helper_elf_spec){.soname = "ld.so", .pie = true});
        make(&f, 4, (struct helper_elf_spec){.type = 0});
        s = new_space(&f.target);
        refresh(s, exe_rows[i].maps);
        assert_string_equal(space_build_id(s), "ee");
        assert_non_null(space_go(s));
        assert_int_equal(stub_go.bias, exe_rows[i].bias);
        assert_int_equal(elf_is_dyn(stub_go.elf), exe.type != ET_EXEC);
        assert_non_null(space_go(s));
        refresh(s, exe_rows[i].maps);
        assert_non_null(space_go(s));
        assert_int_equal(stub_go.opens, 1);
        space_free(s);
        assert_int_equal(stub_go.frees, 1);
        fake_release(&f);
    }
}

#define PROGRAM_MAPS "00401000-00403000 r-xp 00001000 fe:01 1 /srv\n"

/* Only the loader is mapped yet when we look first; the program appears later. */
static void test_program_appears(void **state)
{
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    stub_go.open_code = -ENOENT;
    make(&f, 1, (struct helper_elf_spec){.type = ET_EXEC, .base = 0x400000});
    make(&f, 2, (struct helper_elf_spec){.soname = "libx.so"});
    s = new_space(&f.target);
    refresh(s, LIBRARY_MAPS);
    assert_null(space_go(s));
    assert_int_equal(stub_go.opens, 1); /* the lowest, for want of a better one */
    stub_go.open_code = 0;
    refresh(s, PROGRAM_MAPS LIBRARY_MAPS);
    assert_non_null(space_go(s));
    assert_int_equal(stub_go.opens, 2);
    space_free(s);
    fake_release(&f);
}

static void test_go_refused(void **state)
{
    static const struct {
        int code;
        unsigned tries; /* after many refreshes */
        const char *note;
    } rows[] = {
        {-ENOENT, 1, ""},
        {-ENOTSUP, 1, "the stub says no"},
        {-EPERM, SPACE_GO_TRIES_MAX, "the stub says no"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fake f;
        struct space *s;

        fake_init(&f);
        stub_go.open_code = rows[i].code;
        make(&f, 1, (struct helper_elf_spec){.type = ET_EXEC, .base = 0x400000});
        s = new_space(&f.target);
        for (int k = 0; k < 3 * SPACE_GO_TRIES_MAX; k++) {
            refresh(s, PROGRAM_MAPS);
            assert_null(space_go(s));
            assert_null(space_go(s));
            assert_string_equal(name_at(s, 0x401100), ""); /* symbols are at 0x1100 */
        }
        assert_int_equal(stub_go.opens, rows[i].tries);
        assert_string_equal(space_note(s), rows[i].note);
        space_free(s);
        assert_int_equal(stub_go.frees, 0);
        fake_release(&f);
    }
}

/* Go's names first, then the ELF symbols, then nothing. */
static void test_order_of_names(void **state)
{
    static const struct stub_row rows[] = {
        {0x7f0000001100, 0x7f0000001108, 0, 0, "main.alpha"},
        {0x7f0000001108, 0x7f0000001120, 8, 0, "runtime.asyncPreempt"},
        {0x7f0000001120, 0x7f0000001130, 8, 0, "runtime.mcall"},
    };
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    stub_go =
        (struct stub_go){.text = 0x7f0000001000, .etext = 0x7f0000001180, .rows = rows, .count = 3};
    make(&f, 2, (struct helper_elf_spec){.pie = true});
    s = new_space(&f.target);
    refresh(s, LIBRARY_MAPS);
    assert_string_equal(name_at(s, 0x7f0000001100), "main.alpha");
    assert_int_equal(frames_at(s, 0x7f0000001100)->frame[0].line, 7);
    assert_string_equal(name_at(s, 0x7f0000001200), "beta");
    assert_string_equal(name_at(s, 0x7f0000001250), "");
    assert_int_equal(space_traits(s, 0x7f0000001107), 0);
    assert_int_equal(space_traits(s, 0x7f0000001108), SPACE_EXACT_CALLER);
    assert_int_equal(space_traits(s, 0x7f000000111f), SPACE_EXACT_CALLER);
    assert_int_equal(space_traits(s, 0x7f0000001120), SPACE_SWITCHES);
    assert_int_equal(space_traits(s, 0x7f0000001130), 0);
    space_free(s);
    fake_release(&f);
}

static void test_ends(void **state)
{
    static const struct helper_elf_symbol ends[] = {
        {"_start", 0x1100, 0x20, 0}, {"_starter", 0x1120, 0x20, 0}, {"clone3", 0x1140, 0x20, 0}};
    struct helper_elf_spec spec = {.symbols = ends, .symbol_count = 3, .soname = "x"};
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    helper_elf_make(&f.files[2], &spec);
    s = new_space(&f.target);
    refresh(s, LIBRARY_MAPS);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(space_traits(s, 0x7f0000001110), SPACE_ENDS);
        assert_int_equal(space_traits(s, 0x7f0000001130), 0);
        assert_int_equal(space_traits(s, 0x7f0000001150), SPACE_ENDS);
        assert_int_equal(space_traits(s, 0x7f0000001170), 0);
    }
    space_free(s);
    fake_release(&f);
}

/* ---- What goes wrong */

static void test_failed_open(void **state)
{
    struct frames frames;
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    make(&f, 2, (struct helper_elf_spec){.soname = "libx.so"});
    f.open_code = -EACCES;
    s = new_space(&f.target);
    for (int i = 0; i < 5; i++) {
        refresh(s, LIBRARY_MAPS);
        assert_string_equal(name_at(s, 0x7f0000001100), "");
    }
    assert_int_equal(f.opens, 1); /* remembered */
    assert_string_equal(space_note(s), "/lib/libx.so: cannot be opened: Permission denied");
    /* gone and back: another chance */
    refresh(s, "");
    f.open_code = 0;
    refresh(s, LIBRARY_MAPS);
    assert_string_equal(name_at(s, 0x7f0000001100), "alpha");
    space_free(s);
    /* a target that went before its files were opened */
    f.open_code = -ESRCH;
    s = new_space(&f.target);
    refresh(s, LIBRARY_MAPS);
    assert_int_equal(space_frames(s, 0x7f0000001100, &frames), -ESRCH);
    assert_int_equal(space_frames(s, 0x7f0000009100, &frames), 0);
    space_free(s);
    fake_release(&f);
}

static void test_bad_files(void **state)
{
    struct space_mapping mapping;
    struct fake f;
    struct space *s;
    struct err e = {0};

    (void)state;
    fake_init(&f);
    buf_init(&f.files[2].file, 4096);
    buf_puts(&f.files[2].file,
             "#!/bin/sh\necho this is long enough for an ELF header, I believe\n");
    s = new_space(&f.target);
    refresh(s, LIBRARY_MAPS);
    assert_string_equal(name_at(s, 0x7f0000001100), "");
    assert_string_equal(space_note(s), "/lib/libx.so: not an ELF file");
    assert_int_equal(space_mapping(s, 0x7f0000001100, &mapping), 0);
    assert_string_equal(mapping.build_id, "");
    /* text that is no map leaves all as it was */
    assert_int_equal(space_refresh(s, "nonsense\n", 9, &e), -EBADMSG);
    assert_true(space_is_code(s, 0x7f0000001100));
    space_free(s);
    fake_release(&f);
}

static void test_many_files(void **state)
{
    struct buf text;
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    buf_init(&text, 1024 * 1024);
    for (unsigned i = 0; i < SPACE_IMAGES_MAX + 1; i++)
        buf_printf(&text, "%x000-%x000 r-xp 0 fe:01 %u /lib/%u\n", i + 16, i + 17, i + 100, i);
    s = new_space(&f.target);
    refresh(s, buf_text(&text));
    assert_int_equal(f.opens, SPACE_EAGER_MAX);
    for (unsigned i = 0; i < SPACE_IMAGES_MAX + 1; i++)
        (void)name_at(s, (i + 16) * UINT64_C(0x1000));
    assert_int_equal(f.opens, SPACE_IMAGES_MAX);
    for (unsigned i = 0; i < SPACE_IMAGES_MAX; i++)
        (void)name_at(s, (i + 16) * UINT64_C(0x1000));
    assert_int_equal(f.opens, SPACE_IMAGES_MAX);
    space_free(s);
    buf_release(&text);
}

/* More libraries than symbol tables may be held: the names stay right. */
static void test_loaded_limit(void **state)
{
    struct buf text;
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    buf_init(&text, 65536);
    for (unsigned i = 1; i < FILES_MAX; i++) {
        make(&f, i, (struct helper_elf_spec){.soname = "x"});
        buf_printf(&text, "7f0%x00001000-7f0%x00003000 r-xp 1000 fe:01 %u /%u\n", i, i, i, i);
    }
    s = new_space(&f.target);
    refresh(s, buf_text(&text));
    for (int turn = 0; turn < 3; turn++)
        for (unsigned i = 1; i < FILES_MAX; i++)
            assert_string_equal(name_at(s, UINT64_C(0x7f0000001100) + i * UINT64_C(0x100000000)),
                                "alpha");
    assert_int_equal(f.opens, FILES_MAX - 1);
    space_free(s);
    buf_release(&text);
    fake_release(&f);
}

/* Tables that claim as much as one may hold: a profile loads two, less a few, of them. */
static void test_symbols_limit(void **state)
{
    const uint64_t claim = UINT64_C(24) * ELF_SYMBOLS_MAX;
    struct buf text;
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    f.grow_bytes = (off_t)claim + 65536;
    buf_init(&text, 65536);
    for (unsigned i = 1; i <= 2; i++) {
        struct helper_elf *h = &f.files[i];

        make(&f, i, (struct helper_elf_spec){.soname = "x"});
        memcpy(h->file.data + h->sections + 64 * HELPER_ELF_SYMTAB_INDEX + 32, &claim, 8);
        buf_printf(&text, "7f0%x00001000-7f0%x00003000 r-xp 1000 fe:01 %u /%u\n", i, i, i, i);
    }
    s = new_space(&f.target);
    refresh(s, buf_text(&text));
    for (int turn = 0; turn < 2; turn++) {
        assert_string_equal(name_at(s, 0x7f0100001100), "alpha");
        assert_string_equal(name_at(s, 0x7f0200001100), "");
        assert_non_null(strstr(space_note(s), "too many"));
    }
    space_trim(s);
    assert_string_equal(name_at(s, 0x7f0200001100), "alpha");
    assert_string_equal(name_at(s, 0x7f0100001100), "");
    space_free(s);
    buf_release(&text);
    fake_release(&f);
}

/* Files that take long to open: the rest is left alone until the next profile. */
static void test_open_limit(void **state)
{
    struct buf text;
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    f.open_ms = SPACE_OPEN_MAX_MS / 2 + 50;
    buf_init(&text, 65536);
    for (unsigned i = 1; i <= 3; i++) {
        make(&f, i, (struct helper_elf_spec){.soname = "x"});
        buf_printf(&text, "7f0%x00001000-7f0%x00003000 r-xp 1000 fe:01 %u /%u\n", i, i, i, i);
    }
    s = new_space(&f.target);
    refresh(s, buf_text(&text));
    assert_int_equal(f.opens, 2);
    assert_string_equal(name_at(s, 0x7f0200001100), "alpha");
    assert_string_equal(name_at(s, 0x7f0300001100), "");
    assert_non_null(strstr(space_note(s), "/3: not opened"));
    space_trim(s);
    refresh(s, buf_text(&text));
    assert_int_equal(f.opens, 3);
    assert_string_equal(name_at(s, 0x7f0300001100), "alpha");
    space_free(s);
    buf_release(&text);
    fake_release(&f);
}

/* ---- Several processes */

static struct space *new_beside(const struct target *t, const struct space *other)
{
    struct space *s;

    assert_int_equal(space_new_beside(t, other, &s), 0);
    return s;
}

/* The same library at another address: opened once, and still there when the first one has gone. */
static void test_beside(void **state)
{
    static const char elsewhere[] =
        "7e0000001000-7e0000003000 r-xp 00001000 fe:01 2 /lib/libx.so\n";
    struct fake f, g;
    struct space *s, *t;

    (void)state;
    fake_init(&f);
    fake_init(&g);
    make(&f, 2, (struct helper_elf_spec){.soname = "libx.so"});
    make(&g, 3, (struct helper_elf_spec){.soname = "liby.so"});
    s = new_space(&f.target);
    refresh(s, LIBRARY_MAPS);
    t = new_beside(&g.target, s);
    refresh(t, elsewhere);
    assert_int_equal(f.opens, 1);
    assert_int_equal(g.opens, 0);
    assert_string_equal(name_at(t, 0x7e0000001100), "alpha");
    assert_string_equal(name_at(s, 0x7f0000001200), "beta");
    /* it is unmapped in one of them: that is no matter of the other's */
    space_trim(s);
    refresh(s, "");
    refresh(t, elsewhere);
    assert_string_equal(name_at(t, 0x7e0000001100), "alpha");
    space_free(s);
    space_trim(t);
    refresh(t, elsewhere);
    assert_string_equal(name_at(t, 0x7e0000001200), "beta");
    assert_int_equal(g.opens, 0);
    /* the same inode number on another device is another file */
    refresh(t, "7e0000001000-7e0000003000 r-xp 00001000 fe:02 3 /lib/liby.so\n");
    assert_int_equal(g.opens, 1);
    s = new_beside(&f.target, t);
    refresh(s, LIBRARY_MAPS);
    assert_int_equal(f.opens, 1);
    space_free(t);
    space_free(s);
    fake_release(&f);
    fake_release(&g);
}

/* What could not be opened for one may be opened for another. */
static void test_beside_failed(void **state)
{
    struct fake f, g;
    struct space *s, *t;

    (void)state;
    fake_init(&f);
    fake_init(&g);
    f.open_code = -EACCES;
    make(&g, 2, (struct helper_elf_spec){.soname = "libx.so"});
    s = new_space(&f.target);
    refresh(s, LIBRARY_MAPS);
    t = new_beside(&g.target, s);
    refresh(t, LIBRARY_MAPS);
    assert_int_equal(g.opens, 1);
    assert_string_equal(name_at(t, 0x7f0000001100), "alpha");
    assert_string_equal(name_at(s, 0x7f0000001100), "");
    space_free(t);
    space_free(s);
    fake_release(&g);
}

/* As many files as may be open in all, and one more: a file that one of them has is still had. */
static void test_beside_limit(void **state)
{
    enum { SPACES = SPACE_POOL_MAX / SPACE_IMAGES_MAX };
    struct space *s[SPACES], *last;
    struct buf text;
    struct fake f;

    (void)state;
    fake_init(&f);
    for (unsigned k = 0; k < SPACES; k++) {
        buf_init(&text, 1024 * 1024);
        for (unsigned i = 0; i < SPACE_IMAGES_MAX; i++)
            buf_printf(&text, "%x000-%x000 r-xp 0 fe:01 %u /lib/%u\n", i + 16, i + 17,
                       100 + k * SPACE_IMAGES_MAX + i, i);
        s[k] = new_beside(&f.target, k ? s[0] : NULL);
        refresh(s[k], buf_text(&text));
        for (unsigned i = 0; i < SPACE_IMAGES_MAX; i++)
            (void)name_at(s[k], (i + 16) * UINT64_C(0x1000));
        buf_release(&text);
    }
    assert_int_equal(f.opens, SPACE_POOL_MAX);
    last = new_beside(&f.target, s[0]);
    refresh(last, LIBRARY_MAPS);
    assert_int_equal(f.opens, SPACE_POOL_MAX);
    assert_non_null(strstr(space_note(last), "by all processes"));
    space_free(s[0]);
    refresh(last, "");
    refresh(last, LIBRARY_MAPS);
    assert_int_equal(f.opens, SPACE_POOL_MAX + 1);
    for (unsigned k = 1; k < SPACES; k++)
        space_free(s[k]);
    space_free(last);
}

/* ---- Change */

static void test_vanished(void **state)
{
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    make(&f, 1, (struct helper_elf_spec){.type = ET_EXEC, .base = 0x400000});
    make(&f, 2, (struct helper_elf_spec){.soname = "libx.so"});
    s = new_space(&f.target);
    refresh(s, PROGRAM_MAPS LIBRARY_MAPS);
    refresh(s, PROGRAM_MAPS);
    assert_true(space_is_code(s, 0x7f0000001100));
    assert_string_equal(name_at(s, 0x7f0000001100), "alpha");
    refresh(s, PROGRAM_MAPS "7f0000001000-7f0000002000 rw-p 0 00:00 0 \n");
    assert_false(space_is_code(s, 0x7f0000001100));
    assert_string_equal(name_at(s, 0x7f0000001100), "");
    assert_true(space_is_code(s, 0x7f0000002100));
    space_trim(s);
    assert_true(space_is_code(s, 0x7f0000002100));
    refresh(s, PROGRAM_MAPS); /* another profile: forgotten */
    assert_false(space_is_code(s, 0x7f0000002100));
    assert_string_equal(space_build_id(s), "01020304");
    refresh(s, PROGRAM_MAPS LIBRARY_MAPS);
    assert_string_equal(name_at(s, 0x7f0000001100), "alpha");
    assert_int_equal(f.opens, 3);
    space_free(s);
    fake_release(&f);
}

static void test_vdso(void **state)
{
    struct helper_elf vdso;
    struct helper_elf_spec spec = {
        .symbols = symbols, .symbol_count = 2, .soname = "linux-vdso.so.1"};
    const char *maps = "7ffe00000000-7ffe00004000 r-xp 00000000 00:00 0 [vdso]\n"
                       "7fff00000000-7fff00004000 r-xp 00000000 00:00 0 [other]\n";
    struct fake f;
    struct space *s;

    (void)state;
    fake_init(&f);
    helper_elf_make(&vdso, &spec);
    while (vdso.file.len < 0x4000)
        buf_putc(&vdso.file, 0);
    s = new_space(&f.target);
    refresh(s, maps);
    assert_string_equal(name_at(s, 0x7ffe00001100), "");
    assert_string_equal(space_note(s), "[vdso]: cannot be read from memory: Bad address");
    assert_int_equal(f.reads, 1);
    (void)name_at(s, 0x7ffe00001100);
    refresh(s, maps);
    assert_int_equal(f.reads, 1);
    space_free(s);
    f.vdso = &vdso;
    f.vdso_start = 0x7ffe00000000;
    s = new_space(&f.target);
    refresh(s, maps);
    assert_string_equal(name_at(s, 0x7ffe00001100), "alpha");
    assert_string_equal(space_note(s), "");
    assert_string_equal(space_build_id(s), ""); /* it is no program */
    assert_int_equal(f.opens, 0);
    space_free(s);
    helper_elf_release(&vdso);
}

/* ---- Real processes */

static void test_real_process(void **state)
{
    struct helper_target t;
    struct space_mapping mapping;
    uint64_t getpid_at = (uint64_t)(uintptr_t)&getpid;
    uint64_t vdso = 0;
    struct space *s;
    char *text, *line;
    size_t bytes;
    struct err e = {0};

    (void)state;
    stub_go = (struct stub_go){.open_code = -ENOENT};
    assert_int_equal(helper_target_fork(&t), 0);
    text = helper_target_maps(&t, &bytes);
    assert_non_null(text);
    s = new_space(&t.target);
    assert_int_equal(space_refresh(s, text, bytes, &e), 0);
    line = strstr(text, "[vdso]");
    while (line && line > text && line[-1] != '\n')
        line--;
    if (line)
        vdso = strtoull(line, NULL, 16);
    free(text);
    assert_string_equal(name_at(s, (uint64_t)(uintptr_t)&test_real_process), "test_real_process");
    assert_string_equal(name_at(s, getpid_at), "getpid");
    assert_int_equal(space_mapping(s, getpid_at, &mapping), 0);
    assert_non_null(strstr(mapping.path, "libc"));
    assert_true(strlen(mapping.build_id) >= 16);
    assert_int_not_equal(strcmp(space_build_id(s), mapping.build_id), 0);
    assert_string_equal(space_note(s), "");
    /* the vDSO exports clock_gettime: its name is somewhere in its text */
    for (uint64_t at = vdso; vdso && at < vdso + 0x4000; at += 16)
        if (strstr(name_at(s, at), "clock_gettime")) {
            vdso = 0;
            break;
        }
    assert_int_equal(vdso, 0);
    helper_target_release(&t);
    /* what was opened is known beyond the target's end */
    assert_string_equal(name_at(s, getpid_at), "getpid");
    space_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),         cmocka_unit_test(test_library),
        cmocka_unit_test(test_program),       cmocka_unit_test(test_program_appears),
        cmocka_unit_test(test_go_refused),    cmocka_unit_test(test_order_of_names),
        cmocka_unit_test(test_ends),          cmocka_unit_test(test_failed_open),
        cmocka_unit_test(test_bad_files),     cmocka_unit_test(test_many_files),
        cmocka_unit_test(test_loaded_limit),  cmocka_unit_test(test_vanished),
        cmocka_unit_test(test_symbols_limit), cmocka_unit_test(test_open_limit),
        cmocka_unit_test(test_vdso),          cmocka_unit_test(test_real_process),
        cmocka_unit_test(test_beside),        cmocka_unit_test(test_beside_failed),
        cmocka_unit_test(test_beside_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
