/*
 * elf.c, symtab.c, note.c, dynamic.c: real files against nm, and files made to lie.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/symbols/elf.h"
#include "sampler/symbols/symtab.h"
#include "tests/unit/helper_elf.h"

enum {
    RANDOM_ADDRESSES = 1000,
    NM_MAX = 20000,
};

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"

/* Local function, weak function, object. */
#define LOCAL_FUNC ELF64_ST_INFO(STB_LOCAL, STT_FUNC)
#define WEAK_FUNC  ELF64_ST_INFO(STB_WEAK, STT_FUNC)
#define OBJECT     ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT)

/* An ELF file opened from bytes (which stay the maker's). */
struct opened {
    struct file *file;
    struct elf *elf;
};

static int open_bytes(const struct helper_elf *h, struct opened *o, struct err *e)
{
    *o = (struct opened){0};
    assert_false(h->file.failed);
    assert_int_equal(file_from_bytes(h->file.data, h->file.len, &o->file), 0);
    return elf_open(o->file, &o->elf, e);
}

static void release(struct opened *o)
{
    elf_free(o->elf);
    file_free(o->file);
}

static int open_real(const char *path, struct opened *o)
{
    struct err e = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *o = (struct opened){0};
    if (fd < 0)
        return -errno;
    assert_int_equal(file_open(fd, &o->file), 0);
    return elf_open(o->file, &o->elf, &e);
}

/* The name at an address, "" when there is none. */
static const char *name_at(struct elf *e, uint64_t vaddr)
{
    static char out[256];
    uint64_t into;

    return elf_symbol(e, vaddr, out, sizeof out, &into) == 0 ? out : "";
}

static const struct helper_elf_symbol plain[] = {
    {"alpha", 0x1100, 0x10, 0}, {"beta", 0x1120, 0x20, 0},  {"data", 0x1150, 8, OBJECT},
    {"nosize", 0x1200, 0, 0},   {"gamma", 0x1300, 0x40, 0},
};

static const unsigned char id20[20] = {0xab, 0xcd, 1,  2,  3,  4,  5,  6,  7,  8,
                                       9,    10,   11, 12, 13, 14, 15, 16, 17, 0xef};

static struct helper_elf_spec plain_spec(void)
{
    return (struct helper_elf_spec){.symbols = plain,
                                    .symbol_count = sizeof plain / sizeof plain[0],
                                    .build_id = id20,
                                    .build_id_bytes = sizeof id20};
}

static void check_plain_symbols(struct elf *e)
{
    char out[16];
    uint64_t into = 99;

    assert_string_equal(name_at(e, 0x1100), "alpha");
    assert_string_equal(name_at(e, 0x110f), "alpha");
    assert_string_equal(name_at(e, 0x1110), ""); /* never past its size */
    assert_string_equal(name_at(e, 0x10ff), "");
    assert_string_equal(name_at(e, 0x1150), ""); /* no function */
    assert_string_equal(name_at(e, 0x1200), "nosize");
    assert_string_equal(name_at(e, 0x1201), "");
    assert_string_equal(name_at(e, 0), "");
    assert_string_equal(name_at(e, UINT64_MAX), "");
    assert_int_equal(elf_symbol(e, 0x1345 - 0x10, out, sizeof out, &into), 0);
    assert_int_equal(into, 0x35);
    assert_int_equal(elf_symbol(e, 0x1300, out, 3, &into), 0);
    assert_string_equal(out, "ga");
    assert_int_equal(elf_symbol(e, 0x1300, out, 1, &into), -ENOENT);
    assert_int_equal(elf_symbol(e, 0x1300, out, 0, &into), -ENOENT);
}

/* The same symbols by .symtab, .dynsym, DT_HASH and DT_GNU_HASH. */
static void test_symbols(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct helper_elf_spec spec = plain_spec();
        struct helper_elf h;
        struct opened o;

        spec.no_symtab = way >= 1;
        spec.no_sections = way >= 2;
        spec.gnu_hash = way == 3;
        helper_elf_make(&h, &spec);
        assert_int_equal(open_bytes(&h, &o, NULL), 0);
        check_plain_symbols(o.elf);
        elf_trim(o.elf);
        check_plain_symbols(o.elf);
        release(&o);
        helper_elf_release(&h);
    }
}

static void test_overlaps(void **state)
{
    static const struct helper_elf_symbol symbols[] = {
        {"outer", 0x1100, 0x100, 0},
        {"inner", 0x1120, 0x10, LOCAL_FUNC},
        {"__libc_twin", 0x1300, 0x10, 0},
        {"twin", 0x1300, 0x10, WEAK_FUNC},
        {"local", 0x1300, 0x10, LOCAL_FUNC},
        {"wide", 0x1400, 0x40, 0},
        {"narrow", 0x1400, 0x10, 0},
        {"here", 0x1400, 0, 0},
        {"only_here", 0x1500, 0, 0},
        {"old@@GLIBC_2.2", 0x1600, 4, 0},
        {"_start", 0x1700, 4, 0},
        {"endless", 0x1800, UINT64_MAX, 0},
        {"a_weak_one", 0x1780, 8, WEAK_FUNC},
        {"global", 0x1780, 8, 0},
        {"z_weak_one", 0x1780, 8, WEAK_FUNC},
    };
    struct helper_elf_spec spec = {.symbols = symbols,
                                   .symbol_count = sizeof symbols / sizeof symbols[0]};
    struct helper_elf h;
    struct opened o;

    (void)state;
    helper_elf_make(&h, &spec);
    assert_int_equal(open_bytes(&h, &o, NULL), 0);
    assert_string_equal(name_at(o.elf, 0x1110), "outer");
    assert_string_equal(name_at(o.elf, 0x1120), "inner");
    assert_string_equal(name_at(o.elf, 0x1130), "outer"); /* again, behind the inner one */
    assert_string_equal(name_at(o.elf, 0x11ff), "outer");
    assert_string_equal(name_at(o.elf, 0x1200), "");
    assert_string_equal(name_at(o.elf, 0x1305), "twin"); /* what people call it; never the local */
    assert_string_equal(name_at(o.elf, 0x1400), "narrow");
    assert_string_equal(name_at(o.elf, 0x140f), "narrow");
    assert_string_equal(name_at(o.elf, 0x1410), "wide");
    assert_string_equal(name_at(o.elf, 0x1500), "only_here");
    assert_string_equal(name_at(o.elf, 0x1602), "old");
    assert_string_equal(name_at(o.elf, 0x1702), "_start");
    assert_string_equal(name_at(o.elf, 0x1801), "endless");
    assert_string_equal(name_at(o.elf, 0x1784), "global");
    release(&o);
    helper_elf_release(&h);
}

/* A range that reaches over so many small ones that looking back must stop somewhere. */
static void test_nested_limit(void **state)
{
    enum { INNER = SYMTAB_NESTED_MAX };
    static struct helper_elf_symbol symbols[INNER + 1];
    struct helper_elf_spec spec = {.symbols = symbols};

    (void)state;
    symbols[0] = (struct helper_elf_symbol){"all", 0x1000, 0x100000, 0};
    for (int i = 0; i < INNER; i++)
        symbols[i + 1] = (struct helper_elf_symbol){"one", 0x2000 + (uint64_t)i * 16, 8, 0};
    for (int over = 0; over < 2; over++) {
        struct helper_elf h;
        struct opened o;

        /* the last look of SYMTAB_NESTED_MAX finds it; with one symbol more between, it does not */
        spec.symbol_count = (size_t)INNER + (size_t)over;
        helper_elf_make(&h, &spec);
        assert_int_equal(open_bytes(&h, &o, NULL), 0);
        assert_string_equal(name_at(o.elf, 0x80000), over ? "" : "all");
        release(&o);
        helper_elf_release(&h);
    }
}

static void test_build_id(void **state)
{
    unsigned char id[ELF_BUILD_ID_MAX_BYTES + 1];
    char out[2 * ELF_BUILD_ID_MAX_BYTES + 1];

    (void)state;
    memset(id, 0x5a, sizeof id);
    for (size_t n = 0; n <= sizeof id; n++) {
        struct helper_elf_spec spec = {.build_id = id, .build_id_bytes = n};
        size_t want = n <= ELF_BUILD_ID_MAX_BYTES ? 2 * n : 0;
        struct helper_elf h;
        struct opened o;

        helper_elf_make(&h, &spec);
        assert_int_equal(open_bytes(&h, &o, NULL), 0);
        assert_int_equal(elf_build_id(o.elf, out, sizeof out), want);
        assert_int_equal(strlen(out), want);
        if (want > 0) {
            assert_memory_equal(out, "5a", 2);
            assert_int_equal(elf_build_id(o.elf, out, want + 1), want);
            assert_int_equal(elf_build_id(o.elf, out, want), 0); /* no half id */
            assert_string_equal(out, "");
        }
        release(&o);
        helper_elf_release(&h);
    }
}

static void test_addresses(void **state)
{
    struct helper_elf_spec spec = plain_spec();
    const struct elf_segment *segments;
    struct elf_section section;
    uint64_t offset, left;
    unsigned char two[2];
    struct helper_elf h;
    struct opened o;

    (void)state;
    spec.base = 0x400000;
    spec.type = ET_EXEC;
    helper_elf_make(&h, &spec);
    assert_int_equal(open_bytes(&h, &o, NULL), 0);
    assert_false(elf_is_dyn(o.elf));
    assert_true(elf_is_program(o.elf));
    assert_int_equal(elf_machine(o.elf), EM_X86_64);
    assert_int_equal(elf_segments(o.elf, &segments), 2);
    assert_int_equal(segments[1].flags, PF_R | PF_X);
    assert_int_equal(elf_vaddr_to_offset(o.elf, 0x401010, &offset, &left), 0);
    assert_int_equal(offset, 0x1010);
    assert_int_equal(left, HELPER_ELF_TEXT_BYTES - 0x10);
    assert_int_equal(elf_vaddr_to_offset(o.elf, 0x402fff, &offset, &left), 0);
    assert_int_equal(left, 1);
    assert_int_equal(elf_vaddr_to_offset(o.elf, 0x403000, &offset, &left), -EFAULT);
    assert_int_equal(elf_vaddr_to_offset(o.elf, 0x3fffff, &offset, &left), -EFAULT);
    assert_int_equal(elf_offset_to_vaddr(o.elf, 0x1000, &offset), 0);
    assert_int_equal(offset, 0x401000);
    assert_int_equal(elf_offset_to_vaddr(o.elf, 0x2000, &offset), 0);
    assert_int_equal(offset, 0x402000);
    assert_int_equal(elf_offset_to_vaddr(o.elf, 0, &offset), 0);
    assert_int_equal(offset, 0x400000);
    assert_int_equal(elf_offset_to_vaddr(o.elf, 0x3000, &offset), -EFAULT);
    assert_int_equal(elf_read(o.elf, 0x400000, two, 2), 0);
    assert_memory_equal(two,
                        "\x7f"
                        "E",
                        2);
    assert_int_equal(elf_read(o.elf, 0x402ffe, two, 2), 0);
    assert_int_equal(elf_read(o.elf, 0x402fff, two, 2), -EFAULT);
    assert_int_equal(elf_section_find(o.elf, ".text", &section), 0);
    assert_int_equal(section.bytes, HELPER_ELF_TEXT_BYTES);
    assert_int_equal(elf_section_find(o.elf, ".data", &section), -ENOENT);
    release(&o);
    helper_elf_release(&h);
}

/* A text segment that begins in the middle of a page, as `ld -z noseparate-code` leaves it. */
static void test_unaligned_text(void **state)
{
    struct helper_elf_spec spec = plain_spec();
    struct helper_elf h;
    struct opened o;
    Elf64_Phdr p;
    uint64_t vaddr;

    (void)state;
    helper_elf_make(&h, &spec);
    memcpy(&p, h.file.data + h.phdrs + sizeof p, sizeof p);
    p.p_offset = 0x1234;
    p.p_vaddr = 0x5234;
    p.p_filesz = p.p_memsz = 0x1000;
    memcpy(h.file.data + h.phdrs + sizeof p, &p, sizeof p);
    assert_int_equal(open_bytes(&h, &o, NULL), 0);
    assert_int_equal(elf_offset_to_vaddr(o.elf, 0x1000, &vaddr), 0);
    assert_int_equal(vaddr, 0x5000);
    assert_int_equal(elf_offset_to_vaddr(o.elf, 0x2000, &vaddr), 0);
    assert_int_equal(vaddr, 0x6000);
    release(&o);
    helper_elf_release(&h);
}

static void test_program_or_library(void **state)
{
    static const struct {
        struct helper_elf_spec spec;
        bool program;
    } rows[] = {
        {{.type = ET_EXEC}, true},
        {{.interp = true}, true},                         /* PIE */
        {{.pie = true}, true},                            /* static PIE */
        {{.soname = "libx.so.1"}, false},                 /* library */
        {{.soname = "libc.so.6", .interp = true}, false}, /* libc can be run */
        {{.soname = "ld-linux.so", .pie = true}, false},
        {{.type = 0}, false}, /* plugin */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct helper_elf h;
        struct opened o;

        helper_elf_make(&h, &rows[i].spec);
        assert_int_equal(open_bytes(&h, &o, NULL), 0);
        assert_int_equal(elf_is_program(o.elf), rows[i].program);
        release(&o);
        helper_elf_release(&h);
    }
}

/* ---- Lies */

static void check_refused(struct helper_elf *h)
{
    struct err e = {0};
    struct opened o;

    assert_int_equal(open_bytes(h, &o, &e), -ENOEXEC);
    assert_int_equal(e.code, -ENOEXEC);
    assert_true(strlen(e.text) > 10);
    file_free(o.file);
}

static void test_refused(void **state)
{
    static const struct {
        size_t at, bytes;
        uint64_t value;
    } rows[] = {
        {0, 1, 0x7e}, /* magic */
        {EI_CLASS, 1, ELFCLASS32},
        {EI_DATA, 1, ELFDATA2MSB},
        {16, 2, ET_REL},
        {16, 2, ET_CORE},
        {18, 2, EM_386},
        {32, 8, UINT64_MAX},
        {32, 8, INT64_MAX},
        {32, 8, 0x100000},
        {54, 2, 55},
        {56, 2, 0},
        {56, 2, 0xffff},
        {56, 2, 1171},
        {64 + 8, 8, UINT64_MAX},  /* p_offset + p_filesz */
        {64 + 16, 8, UINT64_MAX}, /* p_vaddr + p_memsz */
        {64 + 32, 8, 0x1001},     /* p_filesz > p_memsz */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct helper_elf_spec spec = plain_spec();
        struct helper_elf h;

        helper_elf_make(&h, &spec);
        memcpy(h.file.data + rows[i].at, &rows[i].value, rows[i].bytes);
        check_refused(&h);
        for (size_t cut = 0; i == 0 && cut < 64; cut++) {
            h.file.len = cut;
            check_refused(&h);
        }
        helper_elf_release(&h);
    }
}

static void test_segment_limit(void **state)
{
    enum { PHDRS_AT = 0x8000 };

    (void)state;
    for (uint16_t over = 0; over < 2; over++) {
        struct helper_elf_spec spec = plain_spec();
        uint16_t count = (uint16_t)(ELF_SEGMENTS_MAX + over);
        uint64_t at = PHDRS_AT;
        struct helper_elf h;

        helper_elf_make(&h, &spec);
        while (h.file.len < PHDRS_AT)
            buf_putc(&h.file, 0);
        for (uint16_t i = 0; i < count; i++) {
            Elf64_Phdr p = {.p_type = PT_LOAD};

            buf_put(&h.file, &p, sizeof p);
        }
        memcpy(h.file.data + 32, &at, 8);
        memcpy(h.file.data + 56, &count, 2);
        if (over) {
            check_refused(&h);
        } else {
            struct opened o;

            assert_int_equal(open_bytes(&h, &o, NULL), 0);
            release(&o);
        }
        helper_elf_release(&h);
    }
}

/* Whatever the section headers say, the file opens and look-ups end. */
static void test_lying_sections(void **state)
{
    static const uint64_t lies[] = {0,         1, 7, 0xffff, 0x10000, INT64_MAX, UINT64_MAX - 23,
                                    UINT64_MAX};
    struct helper_elf_spec spec = plain_spec();
    struct helper_elf good;

    (void)state;
    helper_elf_make(&good, &spec);
    for (size_t at = 0; at < 7 * sizeof(Elf64_Shdr); at += 4)
        for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
            struct helper_elf h = good;
            struct elf_section section;
            struct opened o;

            buf_init(&h.file, HELPER_ELF_MAX_BYTES);
            buf_put(&h.file, good.file.data, good.file.len);
            memcpy(h.file.data + good.sections + at, &lies[i], at % 8 == 0 ? 8 : 4);
            assert_int_equal(open_bytes(&h, &o, NULL), 0);
            (void)name_at(o.elf, 0x1100);
            (void)elf_section_find(o.elf, ".nothing", &section);
            release(&o);
            helper_elf_release(&h);
        }
    helper_elf_release(&good);
}

/* e_shnum 0: the count stands in section 0; SHN_XINDEX: the names' index in its sh_link. */
static void test_section_zero(void **state)
{
    struct helper_elf_spec spec = plain_spec();
    struct elf_section section;
    uint16_t zero = 0, xindex = SHN_XINDEX;
    uint64_t count = 7;
    uint32_t names = 6;
    struct helper_elf h;
    struct opened o;

    (void)state;
    helper_elf_make(&h, &spec);
    memcpy(h.file.data + 60, &zero, 2);
    memcpy(h.file.data + 62, &xindex, 2);
    memcpy(h.file.data + h.sections + 32, &count, 8);
    memcpy(h.file.data + h.sections + 40, &names, 4);
    assert_int_equal(open_bytes(&h, &o, NULL), 0);
    assert_int_equal(elf_section_find(o.elf, ".strtab", &section), 0);
    assert_string_equal(name_at(o.elf, 0x1100), "alpha");
    release(&o);
    helper_elf_release(&h);
}

/* A table that claims more than the file has: the whole entries that are there count. */
static void test_cut_symtab(void **state)
{
    struct helper_elf_spec spec = plain_spec();
    uint64_t huge = UINT64_MAX / 24 * 24;
    struct helper_elf h;
    struct opened o;

    (void)state;
    helper_elf_make(&h, &spec);
    memcpy(h.file.data + h.sections + HELPER_ELF_SYMTAB_INDEX * sizeof(Elf64_Shdr) + 32, &huge, 8);
    assert_int_equal(open_bytes(&h, &o, NULL), 0);
    check_plain_symbols(o.elf);
    release(&o);
    helper_elf_release(&h);
}

/* ---- Real files */

struct nm_row {
    uint64_t value, bytes;
    char name[96];
};

/* Does a symbol of nm's with this name cover the address? */
static bool nm_agrees(const struct nm_row *rows, size_t count, uint64_t at, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes = rows[i].bytes ? rows[i].bytes : 1;

        if (at >= rows[i].value && at - rows[i].value < bytes &&
            (name[0] == '\0' || strcmp(rows[i].name, name) == 0))
            return true;
    }
    return false;
}

static size_t run_nm(const char *command, struct nm_row *rows)
{
    FILE *p = popen(command, "r");
    char line[512];
    size_t n = 0;

    assert_non_null(p);
    while (n < NM_MAX && fgets(line, sizeof line, p)) {
        char type, name[256];
        unsigned long value, bytes;

        if (sscanf(line, "%lx %lx %c %255s", &value, &bytes, &type, name) != 4) {
            bytes = 0;
            if (sscanf(line, "%lx %c %255s", &value, &type, name) != 3)
                continue;
        }
        if (!strchr("TtWwi", type))
            continue;
        name[strcspn(name, "@")] = '\0';
        rows[n].value = value;
        rows[n].bytes = bytes;
        (void)snprintf(rows[n].name, sizeof rows[n].name, "%.95s", name);
        n++;
    }
    pclose(p);
    return n;
}

/* 1,000 addresses of libc's text: the name that nm has there, or none where it has none. */
static void test_libc_against_nm(void **state)
{
    struct nm_row *rows = calloc(NM_MAX, sizeof *rows);
    const struct elf_segment *segments, *text = NULL;
    size_t count, named = 0, segment_count;
    uint64_t seed = 12345;
    struct opened o;

    (void)state;
    if (access(LIBC, R_OK) != 0 || system("nm --version >/dev/null 2>&1") != 0) {
        free(rows);
        skip();
    }
    assert_non_null(rows);
    count = run_nm("nm -D -S --defined-only " LIBC, rows);
    assert_int_equal(open_real(LIBC, &o), 0);
    segment_count = elf_segments(o.elf, &segments);
    for (size_t i = 0; i < segment_count; i++)
        if (segments[i].flags & PF_X)
            text = &segments[i];
    assert_non_null(text);
    for (int i = 0; i < RANDOM_ADDRESSES; i++) {
        uint64_t at;
        const char *name;

        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        at = text->vaddr + (seed >> 20) % text->filesz;
        name = name_at(o.elf, at);
        if (name[0])
            named++;
        if ((name[0] != '\0') != nm_agrees(rows, count, at, name))
            fail_msg("%#lx is '%s'", (unsigned long)at, name);
    }
    assert_true(named > RANDOM_ADDRESSES / 4);
    release(&o);
    free(rows);
}

static void test_own_executable(void **state)
{
    const char *name;
    uint64_t here = (uint64_t)(uintptr_t)&test_own_executable;
    bool found = false;
    struct opened o;

    (void)state;
    assert_int_equal(open_real("/proc/self/exe", &o), 0);
    assert_true(elf_is_program(o.elf));
    /* the bias is a whole number of pages: some page of the file has our function at its place */
    for (uint64_t page = 0; page < 4096 && !found; page++) {
        name = name_at(o.elf, (page << 12) + (here & 0xfff));
        found = strcmp(name, "test_own_executable") == 0;
    }
    assert_true(found);
    release(&o);
}

/* Stripped: no .symtab any more, names of exported functions only, the same build id. */
static void test_stripped(void **state)
{
    char path[] = "/tmp/elf_test_XXXXXX", command[128];
    struct opened o;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    (void)snprintf(command, sizeof command, "strip -o %s /proc/%d/exe 2>/dev/null", path,
                   (int)getpid());
    if (system(command) != 0) {
        unlink(path);
        skip();
    }
    assert_int_equal(open_real(path, &o), 0);
    unlink(path);
    assert_true(elf_is_program(o.elf));
    for (uint64_t page = 0; page < 4096; page++)
        assert_string_not_equal(name_at(o.elf, (page << 12) + ((uintptr_t)&test_stripped & 0xfff)),
                                "test_stripped");
    release(&o);
}

/* What a table is believed to hold, before it is read: never more than its file could. */
static void test_symbols_most(void **state)
{
    static const uint64_t claims[] = {48, UINT64_C(1) << 63, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        static const struct helper_elf_symbol one[] = {{"alpha", 0x1100, 0x10, 0}};
        struct helper_elf_spec spec = {.symbols = one, .symbol_count = 1};
        uint64_t most, offset;
        char name[32];
        struct helper_elf h;
        struct file *f;
        struct elf *e;

        helper_elf_make(&h, &spec);
        memcpy(h.file.data + h.sections + 64 * HELPER_ELF_SYMTAB_INDEX + 32, &claims[i], 8);
        assert_int_equal(file_from_bytes(h.file.data, h.file.len, &f), 0);
        assert_int_equal(elf_open(f, &e, NULL), 0);
        most = elf_symbols_most(e);
        assert_true(most >= 2);
        assert_true(most <= 3 * (h.file.len / 24));
        assert_int_equal(elf_symbols_held(e), 0);
        assert_int_equal(elf_symbol(e, 0x1100, name, sizeof name, &offset), 0);
        assert_true(elf_symbols_held(e) >= 1);
        assert_int_equal(elf_symbols_most(e), 0);
        elf_trim(e);
        assert_int_equal(elf_symbols_held(e), 0);
        assert_int_equal(elf_symbols_most(e), most);
        elf_free(e);
        file_free(f);
        helper_elf_release(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbols_most),   cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_overlaps),       cmocka_unit_test(test_nested_limit),
        cmocka_unit_test(test_build_id),       cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_unaligned_text), cmocka_unit_test(test_program_or_library),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_segment_limit),
        cmocka_unit_test(test_lying_sections), cmocka_unit_test(test_section_zero),
        cmocka_unit_test(test_cut_symtab),     cmocka_unit_test(test_libc_against_nm),
        cmocka_unit_test(test_own_executable), cmocka_unit_test(test_stripped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
