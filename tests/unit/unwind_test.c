/*
 * unwind.c: a small machine runs Go's prologues and epilogues on a stack of words, a copy of the
 * kernel's frame-pointer walk makes the chain, and the unwinder must give the true callers at
 * every instruction.
 */
#include <asm/perf_regs.h>
#include <elf.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "sampler/unwind/unwind.h"
#include "tests/unit/helper_elf.h"
#include "tests/unit/stub_go_image.h"

enum {
    STACK_WORDS = 512,
    COPY_BYTES = 256,
    FRAME = 24, /* F of the table in unwind.c */
    CHAIN_WORDS = RECORD_CHAIN_MAX,
};

#define STACK_LOW  UINT64_C(0xc000100000)
#define STACK_HIGH (STACK_LOW + STACK_WORDS * 8)

/* Functions; all in Go text unless said. Within each: +00 nothing done yet, +10 behind PUSHQ BP,
 * +20 whole frame, +30 epilogue done. */
#define GOEXIT        UINT64_C(0x401100)
#define ROOT          UINT64_C(0x401200)
#define MID           UINT64_C(0x401300)
#define LEAF          UINT64_C(0x401400)
#define FRAMELESS     UINT64_C(0x401500)
#define MORESTACK     UINT64_C(0x401600)
#define SYSTEM        UINT64_C(0x401700) /* systemstack of Go <= 1.20: frameless, writes SP */
#define SYSTEM_FP     UINT64_C(0x401800) /* of Go >= 1.21: has a frame, writes SP */
#define PREEMPT       UINT64_C(0x401900)
#define SIGPANIC      UINT64_C(0x401a00)
#define MCALL         UINT64_C(0x401b00)
#define C_TEXT        UINT64_C(0x402000) /* not Go's */
#define LIBC          UINT64_C(0x600000) /* the C library, without names */
#define OTHER_LIB     UINT64_C(0x601000)
#define C_START       UINT64_C(0x402800) /* _start */
#define C_MAIN_CALLER UINT64_C(0x402900) /* __libc_start_call_main */
#define NO_CODE       UINT64_C(0x700000)

#define FUNCTION(at, name)                                                   \
    {(at), (at) + 0x10, 0, 0, name}, {(at) + 0x10, (at) + 0x20, 8, 0, name}, \
        {(at) + 0x20, (at) + 0x30, FRAME, 0, name},                          \
    {                                                                        \
        (at) + 0x30, (at) + 0x40, 0, 0, name                                 \
    }

static const struct stub_row rows[] = {
    {GOEXIT, GOEXIT + 0x10, 0, GO_DELTA_TOP | GO_DELTA_ASM, "runtime.goexit"},
    FUNCTION(ROOT, "main.root"),
    FUNCTION(MID, "main.mid"),
    FUNCTION(LEAF, "main.leaf"),
    {FRAMELESS, FRAMELESS + 0x40, 0, 0, "main.frameless"},
    {MORESTACK, MORESTACK + 0x40, 0, GO_DELTA_SPWRITE | GO_DELTA_ASM, "runtime.morestack"},
    {SYSTEM, SYSTEM + 0x40, 0, GO_DELTA_SPWRITE | GO_DELTA_ASM, "runtime.systemstack"},
    {SYSTEM_FP, SYSTEM_FP + 0x40, 8, GO_DELTA_SPWRITE | GO_DELTA_ASM, "runtime.systemstack"},
    {PREEMPT, PREEMPT + 0x40, FRAME, GO_DELTA_ASM, "runtime.asyncPreempt"},
    {SIGPANIC, SIGPANIC + 0x40, FRAME, 0, "runtime.sigpanic"},
    {MCALL, MCALL + 0x40, 16, GO_DELTA_SPWRITE | GO_DELTA_ASM, "runtime.mcall"},
};

/* ---- The machine */

struct machine {
    uint64_t words[STACK_WORDS];
    uint64_t ip, sp, bp;
    uint64_t truth[UNWIND_DEPTH_MAX]; /* return addresses as they are, the latest last */
    size_t depth;
};

static uint64_t *word(struct machine *m, uint64_t address)
{
    assert_true(address >= STACK_LOW && address < STACK_HIGH && address % 8 == 0);
    return &m->words[(address - STACK_LOW) / 8];
}

static void push(struct machine *m, uint64_t value)
{
    m->sp -= 8;
    *word(m, m->sp) = value;
}

/* A new goroutine, as newproc leaves it: goexit's second instruction is to be returned to. */
static void machine_init(struct machine *m)
{
    *m = (struct machine){.sp = STACK_HIGH - 64};
    push(m, GOEXIT + 1);
    m->truth[m->depth++] = GOEXIT + 1;
}

static void call(struct machine *m, uint64_t return_address)
{
    push(m, return_address);
    m->truth[m->depth++] = return_address;
}

/* Prologue of Go >= 1.21 as a whole. */
static void frame(struct machine *m)
{
    push(m, m->bp);
    m->bp = m->sp;
    m->sp -= FRAME - 8;
}

/* root -> mid -> (the leaf's first instruction) */
static void run_to_leaf(struct machine *m, uint64_t caller)
{
    machine_init(m);
    frame(m);
    call(m, ROOT + 0x28);
    frame(m);
    call(m, caller + 0x2c);
}

/* Where a leaf can be interrupted; unwind.c has the same table. */
enum stage {
    ENTRY,
    PUSHED,
    BP_SET,
    BODY,
    SHRUNK,
    POPPED,
    OLD_SUBBED,
    OLD_SAVED,
    OLD_BODY,
    OLD_RESTORED,
    OLD_ADDED,
    STAGES,
};

static void leaf_to(struct machine *m, enum stage stage)
{
    static const uint64_t at[STAGES] = {0,    0x10, 0x11, 0x20, 0x12, 0x30,
                                        0x21, 0x22, 0x23, 0x24, 0x31};
    uint64_t callers_bp = m->bp, entry_sp = m->sp;

    if (stage == PUSHED || stage == BP_SET || stage == SHRUNK || stage == BODY)
        push(m, m->bp);
    if (stage == BP_SET || stage == SHRUNK || stage == BODY)
        m->bp = m->sp;
    if (stage == BODY || (stage >= OLD_SUBBED && stage <= OLD_RESTORED))
        m->sp = entry_sp - FRAME;
    if (stage >= OLD_SAVED && stage <= OLD_RESTORED)
        *word(m, m->sp + FRAME - 8) = callers_bp;
    if (stage == OLD_BODY)
        m->bp = m->sp + FRAME - 8;
    m->ip = LEAF + at[stage];
}

static bool is_hidden(enum stage stage)
{
    return stage != BP_SET && stage != BODY && stage != SHRUNK && stage != OLD_BODY;
}

/* ---- A sample of it */

struct sample {
    struct record record;
    uint64_t chain[CHAIN_WORDS];
    uint8_t copy[COPY_BYTES];
};

static void add(struct sample *s, uint64_t entry)
{
    assert_true(s->record.chain_count < CHAIN_WORDS);
    s->chain[s->record.chain_count++] = entry;
}

/* arch/x86/events/core.c, perf_callchain_user() */
static void take(struct machine *m, struct sample *s)
{
    uint64_t fp = m->bp;

    *s = (struct sample){.record = {.kind = RECORD_SAMPLE, .ip = m->ip, .user = 1}};
    add(s, (uint64_t)PERF_CONTEXT_USER);
    add(s, m->ip);
    while (fp >= STACK_LOW && fp + 16 <= STACK_HIGH && fp % 8 == 0 && s->record.chain_count < 128) {
        add(s, *word(m, fp + 8));
        fp = *word(m, fp);
    }
    s->record.regs_valid = 1;
    s->record.regs[PERF_REG_X86_IP] = m->ip;
    s->record.regs[PERF_REG_X86_SP] = m->sp;
    s->record.regs[PERF_REG_X86_BP] = m->bp;
    for (uint32_t i = 0; i < COPY_BYTES && m->sp + i + 8 <= STACK_HIGH; i += 8) {
        memcpy(s->copy + i, word(m, m->sp + i), 8);
        s->record.stack_bytes = i + 8;
    }
}

/* ---- The space: one program file, Go text and C text in it */

struct fixture {
    struct target target;
    struct helper_elf exe;
    struct space *space;
};

static int no_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    (void)ctx;
    (void)address;
    (void)out;
    (void)bytes;
    return -EPERM;
}

static int no_readv(void *ctx, struct target_range *ranges, size_t count)
{
    (void)ctx;
    (void)ranges;
    (void)count;
    return -EPERM;
}

static int open_exe(void *ctx, uint64_t start, uint64_t inode)
{
    (void)start;
    if (inode != 1)
        return -ENOENT;
    return helper_elf_memfd(&((struct fixture *)ctx)->exe);
}

static const struct target_ops fixture_ops = {.read = no_read, .readv = no_readv, .open = open_exe};

static struct fixture fx;

static void space_make(bool go)
{
    static const struct helper_elf_symbol symbols[] = {
        {"c_work", C_TEXT, 0x100, 0},
        {"_start", C_START, 0x100, 0},
        {"__libc_start_call_main", C_MAIN_CALLER, 0x80, 0}};
    struct helper_elf_spec spec = {
        .type = ET_EXEC, .base = 0x400000, .symbols = symbols, .symbol_count = 3};
    const char *maps = "00401000-00403000 r-xp 00001000 fe:01 1 /srv\n"
                       "00600000-00601000 r-xp 00001000 fe:01 2 /lib/x86_64-linux-gnu/libc.so.6\n"
                       "00601000-00602000 r-xp 00001000 fe:01 3 /lib/libcrypto.so.3\n"
                       "00700000-00701000 rw-p 00000000 00:00 0 \n";

    stub_go = (struct stub_go){.open_code = go ? 0 : -ENOENT,
                               .text = 0x401000,
                               .etext = 0x402000,
                               .rows = rows,
                               .count = sizeof rows / sizeof rows[0]};
    fx.target = (struct target){.ops = &fixture_ops, .ctx = &fx};
    helper_elf_make(&fx.exe, &spec);
    assert_int_equal(space_new(&fx.target, &fx.space), 0);
    assert_int_equal(space_refresh(fx.space, maps, strlen(maps), NULL), 0);
}

static int go_setup(void **state)
{
    (void)state;
    space_make(true);
    return 0;
}

static int c_setup(void **state)
{
    (void)state;
    space_make(false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    space_free(fx.space);
    helper_elf_release(&fx.exe);
    return 0;
}

static struct unwind_counts unwind(struct sample *s, struct unwind_stack *out)
{
    struct unwind_counts counts = {0};

    s->record.chain = s->chain;
    s->record.stack = s->copy;
    unwind_sample(fx.space, &s->record, out, &counts);
    assert_true(out->depth >= 1 && out->depth <= UNWIND_DEPTH_MAX);
    return counts;
}

static void check(const struct unwind_stack *got, const uint64_t *want, size_t count)
{
    for (size_t i = 0; i < got->depth && i < count; i++)
        if (got->address[i] != want[i])
            fail_msg("[%zu] is %#lx, not %#lx", i, (unsigned long)got->address[i],
                     (unsigned long)want[i]);
    assert_int_equal(got->depth, count);
}

#define CHECK(got, ...)                           \
    check((got), (const uint64_t[]){__VA_ARGS__}, \
          sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* The machine's own account. */
static void check_truth(const struct unwind_stack *got, const struct machine *m)
{
    uint64_t want[UNWIND_DEPTH_MAX];

    want[0] = m->ip;
    for (size_t i = 0; i < m->depth; i++)
        want[i + 1] = m->truth[m->depth - 1 - i] - 1;
    check(got, want, m->depth + 1);
}

/* ---- Go leaves */

static void test_stages(void **state)
{
    (void)state;
    for (int stage = 0; stage < STAGES; stage++) {
        struct unwind_counts counts;
        struct unwind_stack out;
        struct machine m;
        struct sample s;

        print_message("stage %d\n", stage);
        run_to_leaf(&m, MID);
        leaf_to(&m, (enum stage)stage);
        take(&m, &s);
        counts = unwind(&s, &out);
        check_truth(&out, &m);
        CHECK(&out, m.ip, MID + 0x2b, ROOT + 0x27, GOEXIT);
        assert_int_equal(counts.repaired, is_hidden((enum stage)stage));
        assert_int_equal(counts.unrepaired + counts.cut + counts.truncated, 0);
    }
}

/* Recursion: the hidden word and the chain's entries are all one address; only bp decides. */
static void test_recursion(void **state)
{
    (void)state;
    for (int stage = 0; stage < STAGES; stage++)
        for (int levels = 1; levels < 10; levels++) {
            struct unwind_stack out;
            struct machine m;
            struct sample s;

            run_to_leaf(&m, LEAF);
            for (int i = 0; i < levels; i++) {
                frame(&m);
                call(&m, LEAF + 0x2c);
            }
            leaf_to(&m, (enum stage)stage);
            take(&m, &s);
            (void)unwind(&s, &out);
            check_truth(&out, &m);
        }
}

static void test_kernel_mode(void **state)
{
    struct unwind_stack out;
    struct machine m;
    struct sample s, k;

    (void)state;
    run_to_leaf(&m, MID);
    leaf_to(&m, ENTRY);
    take(&m, &s);
    k = s;
    k.record.chain_count = 0;
    k.record.user = 0;
    k.record.ip = UINT64_C(0xffffffff81000000);
    add(&k, (uint64_t)PERF_CONTEXT_KERNEL);
    add(&k, k.record.ip);
    add(&k, k.record.ip + 0x100);
    for (uint32_t i = 0; i < s.record.chain_count; i++)
        add(&k, s.chain[i]);
    (void)unwind(&k, &out);
    CHECK(&out, UNWIND_KERNEL, LEAF, MID + 0x2b, ROOT + 0x27, GOEXIT);
    /* kernel addresses were not allowed */
    s.record.user = 0;
    (void)unwind(&s, &out);
    CHECK(&out, UNWIND_KERNEL, LEAF, MID + 0x2b, ROOT + 0x27, GOEXIT);
}

/* The copy of the stack ends right behind the return address, and one byte before that. */
static void test_copy_limit(void **state)
{
    static const struct {
        enum stage stage;
        uint32_t delta;
    } at[] = {{ENTRY, 0}, {PUSHED, 8}, {OLD_SUBBED, FRAME}};

    (void)state;
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        struct unwind_counts counts;
        struct unwind_stack out;
        struct machine m;
        struct sample s;

        run_to_leaf(&m, MID);
        leaf_to(&m, at[i].stage);
        take(&m, &s);
        s.record.stack_bytes = at[i].delta + 8;
        counts = unwind(&s, &out);
        check_truth(&out, &m);
        assert_int_equal(counts.repaired, 1);
        s.record.stack_bytes--;
        counts = unwind(&s, &out);
        CHECK(&out, m.ip, UNWIND_MISSING, ROOT + 0x27, GOEXIT);
        assert_int_equal(counts.repaired, 0);
        assert_int_equal(counts.unrepaired, 1);
    }
}

static void test_word_is_no_code(void **state)
{
    struct unwind_counts counts;
    struct unwind_stack out;
    struct machine m;
    struct sample s;

    (void)state;
    run_to_leaf(&m, MID);
    leaf_to(&m, ENTRY);
    *word(&m, m.sp) = NO_CODE;
    take(&m, &s);
    counts = unwind(&s, &out);
    CHECK(&out, LEAF, UNWIND_MISSING, ROOT + 0x27, GOEXIT);
    assert_int_equal(counts.unrepaired, 1);
}

/* Samples without registers: what is certainly hidden is said, the rest is the chain. */
static void test_without_registers(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct unwind_stack out;
        struct machine m;
        struct sample s;

        run_to_leaf(&m, MID);
        leaf_to(&m, ENTRY);
        take(&m, &s);
        if (way == 0)
            s.record.regs_valid = 0;
        else
            s.record.regs[PERF_REG_X86_IP] += 1; /* of another moment */
        (void)unwind(&s, &out);
        CHECK(&out, LEAF, UNWIND_MISSING, ROOT + 0x27, GOEXIT);
        run_to_leaf(&m, MID);
        leaf_to(&m, BODY);
        take(&m, &s);
        s.record.regs_valid = 0;
        (void)unwind(&s, &out);
        check_truth(&out, &m);
    }
}

/* A leaf right under the goroutine's first function, and that function itself. */
static void test_at_the_root(void **state)
{
    struct unwind_counts counts;
    struct unwind_stack out;
    struct machine m;
    struct sample s;

    (void)state;
    machine_init(&m);
    leaf_to(&m, ENTRY);
    take(&m, &s);
    assert_int_equal(s.record.chain_count, 2); /* bp is 0: the chain is the ip alone */
    counts = unwind(&s, &out);
    CHECK(&out, LEAF, GOEXIT);
    assert_int_equal(counts.truncated, 0);
    machine_init(&m);
    frame(&m);
    call(&m, ROOT + 0x28);
    leaf_to(&m, OLD_ADDED);
    take(&m, &s);
    (void)unwind(&s, &out);
    CHECK(&out, LEAF + 0x31, ROOT + 0x27, GOEXIT);
}

/* A frameless function called by a function's prologue (morestack): two callers are hidden. */
static void test_two_hidden(void **state)
{
    struct unwind_counts counts;
    struct unwind_stack out;
    struct machine m;
    struct sample s;

    (void)state;
    run_to_leaf(&m, MID);
    call(&m, LEAF + 0x08); /* in the leaf, before its frame */
    m.ip = MORESTACK;      /* its first instruction */
    take(&m, &s);
    counts = unwind(&s, &out);
    check_truth(&out, &m);
    CHECK(&out, MORESTACK, LEAF + 0x07, MID + 0x2b, ROOT + 0x27, GOEXIT);
    assert_int_equal(counts.repaired, 1);
    /* behind it, SP may be another stack's */
    m.ip = MORESTACK + 8;
    take(&m, &s);
    counts = unwind(&s, &out);
    CHECK(&out, MORESTACK + 8, UNWIND_MISSING, ROOT + 0x27, GOEXIT);
    assert_int_equal(counts.unrepaired, 1);
}

/* MOVQ BP, -16(SP); LEAQ -16(SP), BP; CALL duffzero: frameless, and yet the chain is right. */
static void test_duffzero(void **state)
{
    struct unwind_counts counts;
    struct unwind_stack out;
    struct machine m;
    struct sample s;

    (void)state;
    run_to_leaf(&m, MID);
    frame(&m);
    *word(&m, m.sp - 16) = m.bp;
    m.bp = m.sp - 16;
    call(&m, LEAF + 0x28);
    m.ip = FRAMELESS + 8;
    take(&m, &s);
    counts = unwind(&s, &out);
    check_truth(&out, &m);
    assert_int_equal(counts.repaired, 0);
}

/* Assembly that has a frame and uses BP for something else: its chain is no chain. */
static void test_scratch_bp(void **state)
{
    static const uint64_t scratch[] = {0, 1, 0x1234, STACK_LOW + 8, STACK_LOW + 12};

    (void)state;
    for (size_t i = 0; i < sizeof scratch / sizeof scratch[0]; i++) {
        struct unwind_counts counts;
        struct unwind_stack out;
        struct machine m;
        struct sample s;

        run_to_leaf(&m, MID);
        leaf_to(&m, BODY);
        m.bp = scratch[i];
        *word(&m, STACK_LOW + 16) = MID + 0x2c; /* below SP, but code all the same */
        take(&m, &s);
        /* all frames are in the copy */
        counts = unwind(&s, &out);
        check_truth(&out, &m);
        assert_int_equal(counts.truncated, 0);
        /* only the leaf's caller is */
        s.record.stack_bytes = FRAME + 8;
        counts = unwind(&s, &out);
        CHECK(&out, m.ip, MID + 0x2b, UNWIND_MISSING, UNWIND_TRUNCATED);
        assert_int_equal(counts.truncated, 1);
    }
}

/* Frameless assembly that calls: the chain skips its caller. */
static void test_stack_switch(void **state)
{
    struct unwind_stack out;
    struct machine m;
    struct sample s;

    (void)state;
    /* Go <= 1.20: called from mid; its callee has mid's bp as the saved one */
    run_to_leaf(&m, MID);
    call(&m, SYSTEM + 0x20);
    leaf_to(&m, BODY);
    take(&m, &s);
    (void)unwind(&s, &out);
    CHECK(&out, m.ip, SYSTEM + 0x1f, UNWIND_MISSING, ROOT + 0x27, GOEXIT);
    /* the same with a leaf that has no frame yet */
    run_to_leaf(&m, MID);
    call(&m, SYSTEM + 0x20);
    leaf_to(&m, ENTRY);
    take(&m, &s);
    (void)unwind(&s, &out);
    CHECK(&out, m.ip, SYSTEM + 0x1f, UNWIND_MISSING, ROOT + 0x27, GOEXIT);
    /* Go >= 1.21: it has a frame, and nothing is missing */
    run_to_leaf(&m, MID);
    push(&m, m.bp);
    m.bp = m.sp;
    call(&m, SYSTEM_FP + 0x20);
    leaf_to(&m, BODY);
    take(&m, &s);
    (void)unwind(&s, &out);
    check_truth(&out, &m);
    /* mcall never comes back: the stack ends there by intent */
    run_to_leaf(&m, MID);
    push(&m, m.bp);
    m.bp = 0;
    call(&m, MCALL + 0x20);
    leaf_to(&m, BODY);
    take(&m, &s);
    (void)unwind(&s, &out);
    CHECK(&out, m.ip, MCALL + 0x1f);
}

/* Above asyncPreempt and sigpanic stands the interrupted pc itself. */
static void test_exact_callers(void **state)
{
    static const uint64_t injected[] = {PREEMPT, SIGPANIC};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct unwind_stack out;
        struct machine m;
        struct sample s;

        run_to_leaf(&m, MID);
        frame(&m); /* the interrupted leaf, in its body */
        push(&m, LEAF + 0x2e);
        frame(&m);
        call(&m, injected[i] + 0x20);
        leaf_to(&m, BODY);
        take(&m, &s);
        (void)unwind(&s, &out);
        CHECK(&out, m.ip, injected[i] + 0x1f, LEAF + 0x2e, MID + 0x2b, ROOT + 0x27, GOEXIT);
        /* interrupted before it had a frame: its caller is hidden in the chain */
        run_to_leaf(&m, MID);
        push(&m, FRAMELESS + 4);
        frame(&m);
        call(&m, injected[i] + 0x20);
        leaf_to(&m, BODY);
        take(&m, &s);
        (void)unwind(&s, &out);
        CHECK(&out, m.ip, injected[i] + 0x1f, FRAMELESS + 4, UNWIND_MISSING, ROOT + 0x27, GOEXIT);
    }
}

/* In the leaf itself, when it is asyncPreempt at its body: bp right, pc above exact. */
static void test_exact_leaf(void **state)
{
    struct unwind_stack out;
    struct machine m;
    struct sample s;

    (void)state;
    run_to_leaf(&m, MID);
    frame(&m);
    push(&m, LEAF + 0x20); /* the first byte of its body: one less would be another delta */
    frame(&m);
    m.ip = PREEMPT + 0x10;
    take(&m, &s);
    (void)unwind(&s, &out);
    CHECK(&out, PREEMPT + 0x10, LEAF + 0x20, MID + 0x2b, ROOT + 0x27, GOEXIT);
}

static void test_top_ends(void **state)
{
    struct unwind_counts counts;
    struct unwind_stack out;
    struct machine m;
    struct sample s;

    (void)state;
    run_to_leaf(&m, MID);
    leaf_to(&m, BODY);
    take(&m, &s);
    add(&s, MID + 0x2c); /* whatever stands beyond is no caller */
    add(&s, NO_CODE);
    counts = unwind(&s, &out);
    CHECK(&out, m.ip, MID + 0x2b, ROOT + 0x27, GOEXIT);
    assert_int_equal(counts.cut + counts.truncated, 0);
    /* as the leaf */
    s.chain[1] = s.record.regs[PERF_REG_X86_IP] = GOEXIT + 2;
    (void)unwind(&s, &out);
    CHECK(&out, GOEXIT + 2);
}

/* A Go chain that ends in no TOP function has lost its rest. */
static void test_go_truncated(void **state)
{
    struct unwind_counts counts;
    struct unwind_stack out;
    struct machine m;
    struct sample s;

    (void)state;
    run_to_leaf(&m, MID);
    leaf_to(&m, BODY);
    take(&m, &s);
    s.record.chain_count--;
    counts = unwind(&s, &out);
    CHECK(&out, m.ip, MID + 0x2b, ROOT + 0x27, UNWIND_TRUNCATED);
    assert_int_equal(counts.truncated, 1);
    assert_int_equal(counts.cut, 0);
    s.chain[3] = NO_CODE;
    counts = unwind(&s, &out);
    CHECK(&out, m.ip, MID + 0x2b, UNWIND_TRUNCATED);
    assert_int_equal(counts.cut, 1);
}

/* C calls Go: the chain is all there is above the Go part. */
static void test_c_caller(void **state)
{
    struct unwind_counts counts;
    struct unwind_stack out;
    struct machine m;
    struct sample s;

    (void)state;
    run_to_leaf(&m, MID);
    m.truth[m.depth - 1] = C_TEXT + 0x20;
    *word(&m, m.sp) = C_TEXT + 0x20;
    leaf_to(&m, ENTRY);
    take(&m, &s);
    counts = unwind(&s, &out);
    CHECK(&out, LEAF, C_TEXT + 0x1f, ROOT + 0x27, GOEXIT);
    assert_int_equal(counts.repaired, 1);
}

/* ---- Any program */

static void plain_sample(struct sample *s, const uint64_t *chain, size_t count)
{
    *s = (struct sample){.record = {.kind = RECORD_SAMPLE, .user = 1, .ip = C_TEXT}};
    for (size_t i = 0; i < count; i++)
        add(s, chain[i]);
}

#define PLAIN(s, ...)                                  \
    plain_sample((s), (const uint64_t[]){__VA_ARGS__}, \
                 sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))
#define USER ((uint64_t)PERF_CONTEXT_USER)

static void test_plain(void **state)
{
    struct unwind_counts counts;
    struct unwind_stack out;
    struct sample s;

    (void)state;
    PLAIN(&s, USER, C_TEXT, C_TEXT + 0x10, C_TEXT + 0x20);
    counts = unwind(&s, &out);
    CHECK(&out, C_TEXT, C_TEXT + 0x0f, C_TEXT + 0x1f, UNWIND_TRUNCATED);
    assert_int_equal(counts.repaired + counts.unrepaired + counts.cut, 0);
    assert_int_equal(counts.truncated, 1);
    PLAIN(&s, USER, C_TEXT, C_TEXT + 0x10, NO_CODE, C_TEXT + 0x20);
    counts = unwind(&s, &out);
    CHECK(&out, C_TEXT, C_TEXT + 0x0f, UNWIND_TRUNCATED);
    assert_int_equal(counts.cut, 1);
    PLAIN(&s, USER, C_TEXT, C_START + 0x10, 1);
    counts = unwind(&s, &out);
    CHECK(&out, C_TEXT, C_START + 0x0f);
    assert_int_equal(counts.cut, 1);
    assert_int_equal(counts.truncated, 0);
    /* a leaf outside of any code is still where the program was */
    PLAIN(&s, USER, NO_CODE, C_TEXT + 0x10);
    (void)unwind(&s, &out);
    CHECK(&out, NO_CODE, C_TEXT + 0x0f, UNWIND_TRUNCATED);
    /* a return address right behind the last byte of code */
    PLAIN(&s, USER, C_TEXT, 0x403000);
    (void)unwind(&s, &out);
    CHECK(&out, C_TEXT, 0x402fff, UNWIND_TRUNCATED);
}

/* What a native chain ends in tells whether it is whole. */
static void test_native_roots(void **state)
{
    struct unwind_counts counts;
    struct unwind_stack out;
    struct sample s;

    (void)state;
    /* main's or a thread's caller, in a library without names */
    PLAIN(&s, USER, C_TEXT, C_TEXT + 0x10, LIBC + 0x10);
    counts = unwind(&s, &out);
    CHECK(&out, C_TEXT, C_TEXT + 0x0f, LIBC + 0x0f);
    assert_int_equal(counts.truncated, 0);
    /* a leaf there, or two: who called them is not known */
    PLAIN(&s, USER, LIBC);
    (void)unwind(&s, &out);
    CHECK(&out, LIBC, UNWIND_TRUNCATED);
    PLAIN(&s, USER, LIBC, LIBC + 0x10);
    (void)unwind(&s, &out);
    CHECK(&out, LIBC, LIBC + 0x0f, UNWIND_TRUNCATED);
    /* another library whose name begins in the same way */
    PLAIN(&s, USER, C_TEXT, OTHER_LIB + 0x10);
    (void)unwind(&s, &out);
    CHECK(&out, C_TEXT, OTHER_LIB + 0x0f, UNWIND_TRUNCATED);
    /* a static program: bp is not kept above main, and what it points at is no stack */
    PLAIN(&s, USER, C_TEXT, C_MAIN_CALLER + 0x10, C_TEXT + 0x20, NO_CODE);
    counts = unwind(&s, &out);
    CHECK(&out, C_TEXT, C_MAIN_CALLER + 0x0f);
    assert_int_equal(counts.truncated, 0);
}

static void test_marks(void **state)
{
    const uint64_t kernel = (uint64_t)PERF_CONTEXT_KERNEL,
                   guest = (uint64_t)PERF_CONTEXT_GUEST_USER;
    const uint64_t kip = UINT64_C(0xffffffff81000000);
    struct unwind_stack out;
    struct sample s;

    (void)state;
    PLAIN(&s, kernel, kip, kip);
    s.record.user = 0;
    (void)unwind(&s, &out);
    CHECK(&out, UNWIND_KERNEL);
    PLAIN(&s, USER, C_TEXT, guest, C_TEXT + 1, USER, C_TEXT + 0x10);
    (void)unwind(&s, &out);
    CHECK(&out, C_TEXT, UNWIND_TRUNCATED);
    PLAIN(&s, C_TEXT + 0x50, USER, C_TEXT, C_TEXT + 0x10);
    (void)unwind(&s, &out);
    CHECK(&out, C_TEXT, C_TEXT + 0x0f, UNWIND_TRUNCATED);
    PLAIN(&s, USER, USER);
    (void)unwind(&s, &out); /* no chain: at least where it was */
    CHECK(&out, C_TEXT, UNWIND_TRUNCATED);
    s.record.regs_valid = 1;
    s.record.regs[PERF_REG_X86_IP] = C_TEXT + 4;
    (void)unwind(&s, &out);
    CHECK(&out, C_TEXT + 4, UNWIND_TRUNCATED);
    s.record.chain_count = 0;
    s.record.regs_valid = 0;
    s.record.user = 0;
    (void)unwind(&s, &out);
    CHECK(&out, UNWIND_KERNEL);
}

/* kernel.perf_event_max_stack: 127 addresses, the kernel's among them. */
static void test_kernel_limit(void **state)
{
    (void)state;
    for (uint32_t n = 126; n <= 127; n++)
        for (int kernel = 0; kernel < 2; kernel++) {
            struct unwind_counts counts;
            struct unwind_stack out;
            struct sample s;

            PLAIN(&s, 0);
            s.record.chain_count = 0;
            if (kernel) {
                add(&s, (uint64_t)PERF_CONTEXT_KERNEL);
                add(&s, UINT64_C(0xffffffff81000000));
            }
            add(&s, USER);
            for (uint32_t i = kernel ? 1 : 0; i < n; i++)
                add(&s, i + 1 == n ? LIBC + 8 : C_TEXT + i);
            counts = unwind(&s, &out);
            assert_int_equal(out.depth, n + (n == 127));
            assert_int_equal(counts.truncated, n == 127);
            if (n == 127)
                assert_int_equal(out.address[n], UNWIND_TRUNCATED);
        }
}

/* The longest chain with as many [missing] as it can have: the result is bounded. */
static void test_depth_limit(void **state)
{
    struct unwind_stack out;
    struct sample s;

    (void)state;
    PLAIN(&s, USER);
    while (s.record.chain_count < CHAIN_WORDS)
        add(&s, FRAMELESS + 8);
    (void)unwind(&s, &out);
    assert_int_equal(out.depth, UNWIND_DEPTH_MAX);
    assert_int_equal(out.address[UNWIND_DEPTH_MAX - 1], UNWIND_TRUNCATED);
    assert_int_equal(out.address[0], FRAMELESS + 8);
    assert_int_equal(out.address[1], UNWIND_MISSING);
}

/* A stack copy full of frameless callers: the repair ends. */
static void test_repair_limit(void **state)
{
    static uint8_t copy[65536];
    struct unwind_counts counts = {0};
    struct unwind_stack out;
    struct sample s;
    uint64_t address = FRAMELESS + 8;

    (void)state;
    for (size_t i = 0; i < sizeof copy; i += 8)
        memcpy(copy + i, &address, 8);
    PLAIN(&s, USER, FRAMELESS);
    s.record.regs_valid = 1;
    s.record.regs[PERF_REG_X86_IP] = FRAMELESS;
    s.record.regs[PERF_REG_X86_SP] = UINT64_MAX - 100; /* sums may wrap */
    s.record.regs[PERF_REG_X86_BP] = UINT64_MAX;
    s.record.chain = s.chain;
    s.record.stack = copy;
    s.record.stack_bytes = sizeof copy;
    unwind_sample(fx.space, &s.record, &out, &counts);
    assert_true(out.depth > 2 && out.depth < UNWIND_DEPTH_MAX);
    assert_int_equal(out.address[out.depth - 1], UNWIND_TRUNCATED);
    assert_int_equal(counts.repaired, 1);
}

/* ---- Threads that wait: neither a chain nor a frame pointer */

static void blocked(struct sample *s, struct unwind_stack *out)
{
    struct unwind_counts counts = {0};

    s->record.chain = NULL;
    s->record.chain_count = 0;
    s->record.regs_valid = 0;
    s->record.stack = s->copy;
    unwind_blocked(fx.space, &s->record, out, &counts);
    assert_true(out->depth >= 1 && out->depth <= UNWIND_DEPTH_MAX);
}

/* In assembly without a frame, behind its system call. */
static void test_blocked(void **state)
{
    static struct machine m;
    static struct sample s;
    static struct unwind_stack out;

    (void)state;
    run_to_leaf(&m, MID);
    m.ip = FRAMELESS + 0x20;
    take(&m, &s);
    blocked(&s, &out);
    check_truth(&out, &m);
    /* its stack ends before its callers do */
    s.record.stack_bytes = 8;
    blocked(&s, &out);
    check(&out, (uint64_t[]){FRAMELESS + 0x20, MID + 0x2b, UNWIND_TRUNCATED}, 3);
    s.record.stack_bytes = 0;
    blocked(&s, &out);
    check(&out, (uint64_t[]){FRAMELESS + 0x20, UNWIND_TRUNCATED}, 2);
}

static void test_blocked_elsewhere(void **state)
{
    static struct machine m;
    static struct sample s;
    static struct unwind_stack out;

    (void)state;
    run_to_leaf(&m, MID);
    m.ip = C_TEXT + 8; /* no table says where its caller is */
    take(&m, &s);
    blocked(&s, &out);
    check(&out, (uint64_t[]){C_TEXT + 8, UNWIND_TRUNCATED}, 2);
    m.ip = SYSTEM_FP + 0x20; /* writes SP: neither */
    take(&m, &s);
    blocked(&s, &out);
    check(&out, (uint64_t[]){SYSTEM_FP + 0x20, UNWIND_TRUNCATED}, 2);
    m.ip = FRAMELESS + 0x20;
    *word(&m, m.sp) = NO_CODE; /* what stands there is no caller */
    take(&m, &s);
    blocked(&s, &out);
    check(&out, (uint64_t[]){FRAMELESS + 0x20, UNWIND_TRUNCATED}, 2);
}

/* Frames without end: whoever forges them gets so many and no more. */
static void test_blocked_depth(void **state)
{
    static uint64_t words[UNWIND_DEPTH_MAX + 8];
    static struct unwind_stack out;
    struct unwind_counts counts = {0};
    struct record r = {.kind = RECORD_SAMPLE,
                       .ip = FRAMELESS + 0x20,
                       .user = 1,
                       .stack = (const uint8_t *)words,
                       .stack_bytes = sizeof(words)};

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        words[i] = FRAMELESS + 0x20;
    unwind_blocked(fx.space, &r, &out, &counts);
    assert_int_equal(out.depth, UNWIND_DEPTH_MAX);
    assert_int_equal(out.address[UNWIND_DEPTH_MAX - 1], UNWIND_TRUNCATED);
    assert_int_equal(counts.truncated, 1);
}

#define GO(test) cmocka_unit_test_setup_teardown(test, go_setup, teardown)
#define C(test)  cmocka_unit_test_setup_teardown(test, c_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GO(test_stages),        GO(test_recursion),       GO(test_kernel_mode),
        GO(test_copy_limit),    GO(test_word_is_no_code), GO(test_without_registers),
        GO(test_at_the_root),   GO(test_two_hidden),      GO(test_duffzero),
        GO(test_scratch_bp),    GO(test_stack_switch),    GO(test_exact_callers),
        GO(test_exact_leaf),    GO(test_top_ends),        GO(test_go_truncated),
        GO(test_c_caller),      GO(test_depth_limit),     GO(test_repair_limit),
        C(test_plain),          C(test_native_roots),     C(test_marks),
        C(test_kernel_limit),   GO(test_blocked),         GO(test_blocked_elsewhere),
        GO(test_blocked_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
