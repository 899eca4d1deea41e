/*
 * Names, files, lines, inlining and stack deltas of real programs, built by each toolchain that is
 * to be had, against what the program's own runtime says about itself (tests/targets/goimage) and
 * against `go tool addr2line`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sampler/go/image.h"
#include "sampler/go/layout.h"
#include "tests/unit/helper_goversions.h"
#include "tests/unit/helper_target.h"

enum {
    EXIT_SKIP = 77,
    RANDOM_PCS = 1200,  /* all over the text, stripped */
    PIE_PCS = 600,      /* the same, position independent */
    FUNCTION_PCS = 120, /* at most, of each function below */
    BARE_PCS = 400,     /* without section headers, without memory */
    ADDR2LINE_PCS = 2000,
    STOPS = 60,
    WALK_MAX = 256,
    LINE_BYTES = 8192,
};

/* Inlining, recursion, generics (spelled as each version does), closures, wrappers, the runtime. */
static const char *const functions[] = {
    "main.main",
    "main.work",
    "main.work.func2",
    "main.answer",
    "goimage/deep.Outer",
    "goimage/deep.Fib",
    "goimage/gen.Sum[...]",
    "goimage/gen.Sum[go.shape.int]",
    "goimage/gen.(*Stack[...]).Each",
    "goimage/gen.(*Stack[go.shape.string]).Each",
    "goimage/shape.All",
    "goimage/shape.(*big).Area",
    "goimage/shape.(*Square).Area",
    "encoding/json.Marshal",
    "runtime.mallocgc",
    "runtime.schedule",
    "runtime.gcAssistAlloc1",
    "runtime.newproc1",
    "runtime.chansend",
    "runtime.goexit",
    "runtime.mcall",
    "sort.Slice",
};

struct live {
    struct helper_target target;
    struct file *file;
    struct elf *elf;
    struct go_image *image;
    uint64_t bias;
    char path[512], fifo[64];
    FILE *ask, *answer;
};

static struct frames ours, theirs;
static uint64_t seed;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Build one variant; skips the test when there is no such toolchain. */
static void build(const char *version, const char *variant, const char *flags, char *path,
                  size_t path_bytes)
{
    char command[256];
    FILE *p;
    int rc;

    (void)snprintf(command, sizeof(command),
                   "tests/targets/build_go.sh %s goimage goimage-%s-%s %s", version, version,
                   variant, flags);
    p = popen(command, "r");
    assert_non_null(p);
    if (!fgets(path, (int)path_bytes, p))
        path[0] = '\0';
    path[strcspn(path, "\n")] = '\0';
    rc = pclose(p);
    if (WIFEXITED(rc) && WEXITSTATUS(rc) == EXIT_SKIP) {
        printf("# skipped: Go %s is not to be had here\n", version);
        skip();
    }
    assert_int_equal(rc, 0);
    assert_true(path[0] == '/');
}

static uint64_t bias_of(const struct live *l)
{
    const struct elf_segment *segments;
    char *maps = helper_target_maps(&l->target, NULL), *line;
    uint64_t bias = 0;

    assert_non_null(maps);
    assert_true(elf_segments(l->elf, &segments) > 0);
    line = strstr(maps, l->path);
    assert_non_null(line);
    while (line > maps && line[-1] != '\n')
        line--;
    if (elf_is_dyn(l->elf))
        bias = strtoull(line, NULL, 16) - (segments[0].vaddr & ~UINT64_C(4095));
    free(maps);
    return bias;
}

static void start(struct live *l, const char *path, bool busy)
{
    char *argv[] = {l->path, busy ? (char[]){"-busy"} : l->fifo, NULL};
    char line[64];
    struct err e;

    *l = (struct live){0};
    (void)snprintf(l->path, sizeof(l->path), "%s", path);
    (void)snprintf(l->fifo, sizeof(l->fifo), "/tmp/go_image_test.%d", (int)getpid());
    (void)unlink(l->fifo);
    assert_int_equal(mkfifo(l->fifo, 0600), 0);
    assert_int_equal(helper_target_spawn(&l->target, argv), 0);
    assert_int_equal(helper_target_line(&l->target, line, sizeof(line)), 0);
    assert_int_equal(file_open(open(path, O_RDONLY | O_CLOEXEC), &l->file), 0);
    assert_int_equal(elf_open(l->file, &l->elf, &e), 0);
    l->bias = bias_of(l);
    if (go_image_open(l->elf, &l->target.target, l->bias, &l->image, &e) != 0)
        fail_msg("%s", e.text);
    if (!busy) {
        l->ask = fopen(l->fifo, "we");
        l->answer = fdopen(dup(l->target.out_fd), "r");
        assert_non_null(l->ask);
        assert_non_null(l->answer);
    }
}

static void stop(struct live *l)
{
    if (l->ask)
        (void)fclose(l->ask);
    if (l->answer)
        (void)fclose(l->answer);
    (void)unlink(l->fifo);
    go_image_free(l->image);
    elf_free(l->elf);
    file_free(l->file);
    helper_target_release(&l->target);
}

/* One "name TAB file TAB line TAB start" line. */
static void parse_frame(char *line, struct frame *f)
{
    char *field[4] = {line, NULL, NULL, NULL};

    for (int i = 1; i < 4; i++) {
        field[i] = strchr(field[i - 1], '\t');
        assert_non_null(field[i]);
        *field[i]++ = '\0';
    }
    (void)snprintf(f->name, sizeof(f->name), "%s", field[0]);
    (void)snprintf(f->file, sizeof(f->file), "%s", strcmp(field[1], "?") == 0 ? "" : field[1]);
    f->line = strtol(field[2], NULL, 10);
    f->start_line = strtol(field[3], NULL, 10);
}

static void ask(struct live *l, uint64_t pc)
{
    char line[LINE_BYTES];

    (void)fprintf(l->ask, "%" PRIx64 "\n", pc);
    assert_int_equal(fflush(l->ask), 0);
    assert_non_null(fgets(line, sizeof(line), l->answer));
    theirs.count = (uint32_t)strtoul(line, NULL, 10);
    assert_true(theirs.count <= FRAME_INLINE_MAX);
    for (uint32_t i = 0; i < theirs.count; i++) {
        assert_non_null(fgets(line, sizeof(line), l->answer));
        parse_frame(line, &theirs.frame[i]);
    }
}

/* Is the last of the program's frames a wrapper, by its own name? */
static bool ends_in_wrapper(struct live *l)
{
    const char *name = theirs.frame[theirs.count - 1].name;
    uint64_t pc, end;

    return strcmp(theirs.frame[theirs.count - 1].file, "<autogenerated>") == 0 ||
           (go_image_function(l->image, name, &pc, &end) == 0 && go_image_hidden(l->image, pc));
}

static bool same_frame(const struct frame *a, const struct frame *b)
{
    /* moduledata.funcName takes offset 0 for "no name", but the linker puts a real name there: that
     * one function is nameless in the program's own words. */
    return (strcmp(a->name, b->name) == 0 || b->name[0] == '\0') && strcmp(a->file, b->file) == 0 &&
           a->line == b->line && a->start_line == b->start_line;
}

static void show(const char *whose, const struct frames *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        print_message("%s: %s %s:%" PRId64 " start %" PRId64 "\n", whose, f->frame[i].name,
                      f->frame[i].file, f->frame[i].line, f->frame[i].start_line);
}

static void expect_same(struct live *l, uint64_t pc, unsigned *inlined)
{
    bool same;

    assert_int_equal(go_image_frames(l->image, pc, &ours), 0);
    ask(l, pc);
    /* Before Go 1.21 that expansion kept the outermost function although it is a wrapper, while
     * the profile's own walk (gentraceback) dropped it, as we do. */
    if (go_image_minor(l->image) < 21 && theirs.count == ours.count + 1 && ends_in_wrapper(l))
        theirs.count--;
    same = ours.count == theirs.count;
    for (uint32_t i = 0; same && i < ours.count; i++)
        same = same_frame(&ours.frame[i], &theirs.frame[i]);
    if (!same) {
        show("ours", &ours);
        show("theirs", &theirs);
        fail_msg("%s: pc %" PRIx64 " differs", l->path, pc);
    }
    *inlined += ours.count > 1;
}

/* Can the question be asked? The program is asked for a return address, which is one further. */
static bool askable(struct live *l, uint64_t pc)
{
    char name[8];
    uint64_t entry;

    return go_image_has(l->image, pc) && go_image_has(l->image, pc + 1) &&
           go_image_entry(l->image, pc + 1, name, sizeof(name), &entry) == 0 && entry != pc + 1;
}

static uint64_t random_pc(const struct live *l)
{
    const struct elf_segment *segments;
    size_t count = elf_segments(l->elf, &segments);

    for (;;) {
        const struct elf_segment *s = &segments[rnd() % count];
        uint64_t pc = s->vaddr + rnd() % s->memsz + l->bias;

        if (go_image_has(l->image, pc))
            return pc;
    }
}

static void compare_random(struct live *l, unsigned count)
{
    unsigned inlined = 0;

    for (unsigned i = 0; i < count; i++) {
        uint64_t pc = random_pc(l);

        if (askable(l, pc) && !go_image_hidden(l->image, pc))
            expect_same(l, pc, &inlined);
    }
    assert_in_range(inlined, count / 20, count);
}

static void compare_functions(struct live *l)
{
    unsigned known = 0, inlined = 0;

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        uint64_t pc, end, step;

        if (go_image_function(l->image, functions[i], &pc, &end) != 0)
            continue;
        known++;
        step = 1 + (end - pc) / FUNCTION_PCS;
        for (; pc < end; pc += step) {
            if (askable(l, pc) && !go_image_hidden(l->image, pc))
                expect_same(l, pc, &inlined);
        }
    }
    assert_in_range(known, 16, sizeof(functions) / sizeof(functions[0]));
    assert_in_range(inlined, 50, 1000000);
}

static int no_right(void *ctx, uint64_t address, void *out, size_t bytes)
{
    (void)ctx;
    (void)address;
    (void)out;
    (void)bytes;
    return -EPERM;
}

/* A copy without section headers, with and without the right to read memory: the same answers. */
static void compare_bare(struct live *l, bool with_memory)
{
    static const struct target_ops ops = {.read = no_right};
    struct target blind = {&ops, NULL};
    struct go_image *bare;
    struct file *f;
    struct elf *e;
    size_t bytes;
    char *copy = helper_target_slurp(l->path, &bytes);

    assert_non_null(copy);
    memset(copy + 0x28, 0, 8); /* e_shoff */
    memset(copy + 0x3c, 0, 4); /* e_shnum, e_shstrndx */
    assert_int_equal(file_from_bytes(copy, bytes, &f), 0);
    assert_int_equal(elf_open(f, &e, NULL), 0);
    assert_int_equal(
        go_image_open(e, with_memory ? &l->target.target : &blind, l->bias, &bare, NULL), 0);
    assert_string_equal(go_image_version(bare), go_image_version(l->image));
    for (unsigned i = 0; i < BARE_PCS; i++) {
        uint64_t pc = random_pc(l);
        int32_t a = 0, b = 0;
        uint32_t fa = 0, fb = 0;

        assert_int_equal(go_image_frames(l->image, pc, &ours), 0);
        assert_int_equal(go_image_frames(bare, pc, &theirs), 0);
        assert_int_equal(ours.count, theirs.count);
        for (uint32_t k = 0; k < ours.count; k++)
            assert_true(same_frame(&ours.frame[k], &theirs.frame[k]));
        assert_int_equal(go_image_delta(l->image, pc, &a, &fa), go_image_delta(bare, pc, &b, &fb));
        assert_int_equal(a, b);
        assert_int_equal(fa, fb);
    }
    go_image_free(bare);
    elf_free(e);
    file_free(f);
    free(copy);
}

static void write_pcs(const char *path, const uint64_t *pcs, size_t count)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    for (size_t i = 0; i < count; i++)
        (void)fprintf(f, "0x%" PRIx64 "\n", pcs[i]);
    assert_int_equal(fclose(f), 0);
}

/* The stripped program's pcs in its unstripped twin, by Go's own tool: outer function and line. */
static void compare_addr2line(struct live *l, const char *twin)
{
    static uint64_t pcs[ADDR2LINE_PCS];
    char command[1200], name[FRAME_NAME_BYTES], want[LINE_BYTES], got[LINE_BYTES];
    uint64_t entry;
    FILE *p;

    for (size_t i = 0; i < ADDR2LINE_PCS; i++)
        pcs[i] = random_pc(l);
    write_pcs(l->fifo, pcs, ADDR2LINE_PCS);
    (void)snprintf(command, sizeof(command), "go tool addr2line '%s' <%s", twin, l->fifo);
    p = popen(command, "r");
    assert_non_null(p);
    for (size_t i = 0; i < ADDR2LINE_PCS; i++) {
        assert_non_null(fgets(got, sizeof(got), p));
        got[strcspn(got, "\n")] = '\0';
        assert_int_equal(go_image_entry(l->image, pcs[i], name, sizeof(name), &entry), 0);
        assert_string_equal(got, name);
        assert_non_null(fgets(got, sizeof(got), p));
        assert_int_equal(go_image_frames(l->image, pcs[i], &ours), 0);
        (void)snprintf(want, sizeof(want), "%s:%" PRId64 "\n", ours.frame[0].file,
                       ours.frame[0].line);
        if (ours.frame[0].line != 0 && !go_image_hidden(l->image, pcs[i]))
            assert_string_equal(got, want);
    }
    assert_int_equal(pclose(p), 0);
}

enum walked { WALK_WHOLE, WALK_SWITCHED, WALK_OUTSIDE, WALK_BROKEN, WALKS };

/* From a stopped thread's registers to where the stack ends. */
static enum walked walk(struct live *l, pid_t tid)
{
    struct user_regs_struct regs;
    uint64_t pc, sp, signal_return = 0, end;

    (void)go_image_function(l->image, "runtime.sigreturn", &signal_return, &end);
    assert_int_equal(ptrace(PTRACE_GETREGS, tid, NULL, &regs), 0);
    pc = regs.rip;
    sp = regs.rsp;
    if (!go_image_has(l->image, pc))
        return WALK_OUTSIDE; /* the vDSO */
    for (unsigned i = 0; i < WALK_MAX; i++) {
        uint32_t flags;
        int32_t delta;

        /* a return address may be the first byte of the next function: look one before it */
        if (i > 0 && pc == signal_return)
            return WALK_SWITCHED; /* a signal frame; before Go 1.19 sigtramp is no end of a stack */
        if (go_image_delta(l->image, i ? pc - 1 : pc, &delta, &flags) != 0)
            return WALK_BROKEN;
        if (flags & GO_DELTA_TOP)
            return WALK_WHOLE;
        if (flags & GO_DELTA_SPWRITE)
            return WALK_SWITCHED; /* systemstack, mcall: the rest is on another stack */
        sp += (uint32_t)delta;
        if (l->target.target.ops->read(l->target.target.ctx, sp, &pc, sizeof(pc)) != 0)
            return WALK_BROKEN;
        sp += 8;
    }
    return WALK_BROKEN;
}

/* Stop a thread. False: a signal came first, so that it stands at its handler's first instruction.
 */
static bool stop_thread(pid_t tid)
{
    bool clean = true;
    int status;

    assert_int_equal(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL), 0);
    for (;;) {
        assert_int_equal(waitpid(tid, &status, __WALL), tid);
        assert_true(WIFSTOPPED(status));
        if (status >> 16 == PTRACE_EVENT_STOP)
            return clean;
        clean = false; /* the runtime preempts itself by signals */
        assert_int_equal(ptrace(PTRACE_CONT, tid, NULL, (void *)(intptr_t)WSTOPSIG(status)), 0);
    }
}

/* Stop the busy program now and then and walk its stack with nothing but the deltas. */
static void compare_walks(const char *path)
{
    unsigned count[WALKS] = {0};
    struct live l;

    start(&l, path, true);
    if (ptrace(PTRACE_SEIZE, l.target.pid, NULL, NULL) != 0) {
        printf("# no ptrace here: stacks are not walked\n");
        stop(&l);
        return;
    }
    for (unsigned i = 0, walked = 0; i < 10 * STOPS && walked < STOPS; i++) {
        usleep(2000);
        if (stop_thread(l.target.pid)) {
            count[walk(&l, l.target.pid)]++;
            walked++;
        }
        assert_int_equal(ptrace(PTRACE_CONT, l.target.pid, NULL, NULL), 0);
    }
    print_message("stacks walked: %u whole, %u to a switch of stacks, %u broken of %u\n",
                  count[WALK_WHOLE], count[WALK_SWITCHED], count[WALK_BROKEN], STOPS);
    /* on a busy machine most stops hit the scheduler, which is on another stack */
    assert_true(count[WALK_WHOLE] >= STOPS / 10);
    assert_int_equal(count[WALK_BROKEN], 0);
    stop(&l);
}

static void test_toolchain(void **state)
{
    const char *version = *state;
    char stripped[512], pie[512], twin[512];
    struct live l;

    seed = UINT64_C(0x2545f4914f6cdd1d);
    build(version, "s", "'-ldflags=-s -w'", stripped, sizeof(stripped));
    build(version, "pie", "'-ldflags=-s -w' -buildmode=pie", pie, sizeof(pie));
    build(version, "sym", "", twin, sizeof(twin));

    start(&l, stripped, false);
    assert_ptr_equal(go_image_layout(l.image), go_layout_find(go_image_version(l.image)));
    assert_non_null(go_image_layout(l.image));
    if (strcmp(version, "local") != 0)
        assert_string_equal(go_image_version(l.image) + 2, version);
    compare_random(&l, RANDOM_PCS);
    compare_functions(&l);
    compare_bare(&l, true);
    compare_bare(&l, false);
    stop(&l);

    start(&l, stripped, true);
    (void)unlink(l.fifo);
    compare_addr2line(&l, twin);
    stop(&l);

    start(&l, pie, false);
    assert_true(l.bias != 0);
    compare_random(&l, PIE_PCS);
    compare_functions(&l);
    compare_bare(&l, true);
    stop(&l);
    compare_walks(pie);
}

int main(void)
{
    static char versions[HELPER_GOVERSIONS_MAX][16];
    struct CMUnitTest tests[HELPER_GOVERSIONS_MAX] = {{0}};
    size_t n = 0;

    for (const char *const *v = helper_goversions(); *v && n < HELPER_GOVERSIONS_MAX; v++, n++) {
        (void)snprintf(versions[n], sizeof(versions[n]), "%s", *v);
        tests[n] = (struct CMUnitTest){versions[n], test_toolchain, NULL, NULL, versions[n]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL); /* it leaves out those without a name */
}
