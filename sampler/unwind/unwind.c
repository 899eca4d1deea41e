#include "sampler/unwind/unwind.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#if defined(__x86_64__)
#    include <asm/perf_regs.h>
#endif

#include "sampler/go/image.h"

enum {
    /* sysctl kernel.perf_event_max_stack: addresses of one chain, kernel's and user's together
     * (kernel/events/callchain.c); marks are not among them. */
    UNWIND_KERNEL_DEPTH = 127,
    /* Frames that one sample's stack copy may add: each takes 8 bytes of it at least. */
    UNWIND_REPAIR_MAX = 64,
    WORD_BYTES = 8,
    UNWIND_ROOT_FRAMES = 4, /* of a native chain are looked at for where it began */
};

/*
 * How a Go leaf's caller is repaired (amd64).
 *
 * The kernel's chain is: ip, then for bp, *bp, **bp … the word at +8. So its second entry is the
 * caller of whatever function bp belongs to. The pcsp table of the function at ip gives delta: the
 * return address stands at sp + delta. A frame that is built holds the saved bp right below the
 * return address, and bp points at it: bp == sp + delta - 8. That, and nothing else, makes the
 * chain right; comparing addresses would fail for recursion.
 *
 *  where in the function (F = whole frame)      delta  bp         chain[1] is    caller stands at
 *  before anything; frameless function          0      caller's   caller's caller  [0]
 *  Go <= 1.20, cmd/internal/obj/x86/obj6.go:
 *    SUBQ $F, SP        -> behind it            F      caller's   caller's caller  [F]
 *    MOVQ BP, F-8(SP)   -> behind it            F      caller's   caller's caller  [F]
 *    LEAQ F-8(SP), BP   -> behind it, body      F      sp+F-8     the caller       -
 *    MOVQ F-8(SP), BP   -> behind it            F      caller's   caller's caller  [F]
 *    ADDQ $F, SP        -> behind it, at RET    0      caller's   caller's caller  [0]
 *  Go >= 1.21:
 *    PUSHQ BP           -> behind it            8      caller's   caller's caller  [8]
 *    MOVQ SP, BP        -> behind it            8      sp         the caller       -
 *    SUBQ $F-8, SP      -> behind it, body      F      sp+F-8     the caller       -
 *    ADDQ $F-8, SP      -> behind it            8      sp         the caller       -
 *    POPQ BP            -> behind it, at RET    0      caller's   caller's caller  [0]
 *  morestack called from a prologue             0      caller's of the function that wants more
 *                                                      stack: two callers hidden, [0] and [8]
 *  duffzero, duffcopy (the caller makes them a
 *    frame below SP: asm6.go, "maintain BP")    0      sp-8       the caller       -
 *  assembly that uses BP as a scratch register  F      anything   nothing of the sort  [F]
 *  function that writes SP (SPWRITE)            not to be trusted behind its entry
 *
 * The caller found is then looked at in the same way with sp + delta + 8: as long as bp is not its
 * frame pointer it is hidden from the chain's second entry, too, and the next word is taken. In the
 * usual case the first look shows bp == its frame pointer: the chain's second entry is proven to be
 * its caller. When the copy of the stack ends before that, the chain is gone on with only if bp
 * can still belong to a frame further up.
 *
 * Callers up the chain were all interrupted at a call, where a Go function has its frame, except
 * for frameless assembly that calls (systemstack, asmcgocall, morestack: delta 0). The chain skips
 * the caller of such a function, and where that is nobody knows: [missing].
 */

struct walk {
    struct space *space;
    struct go_image *go; /* NULL: no Go program */
    struct unwind_stack *out;
    struct unwind_counts *counts;
    bool in_go;      /* it is Go's */
    bool ended;      /* a function that starts a stack was reached */
    bool exact_next; /* the next caller's address is no return address */
};

struct regs {
    uint64_t ip, sp, bp;
};

/* The user part of a chain. */
struct chain {
    const uint64_t *at;
    uint32_t count;
    uint32_t addresses; /* the kernel's and the user's */
    bool kernel;
};

/* What pcsp says about an address. */
struct delta {
    bool known; /* Go text, and the table can be read */
    uint64_t bytes;
    uint32_t flags;
};

/* One slot is kept for the last word, [truncated]. */
static bool put(struct walk *w, uint64_t address)
{
    if (w->out->depth >= UNWIND_DEPTH_MAX - 1)
        return false;
    w->out->address[w->out->depth++] = address;
    return true;
}

static void put_missing(struct walk *w)
{
    (void)put(w, UNWIND_MISSING);
    w->counts->unrepaired++;
}

static void put_truncated(struct walk *w)
{
    w->out->address[w->out->depth++] = UNWIND_TRUNCATED;
    w->counts->truncated++;
}

static bool is_mark(uint64_t entry)
{
    return entry >= (uint64_t)PERF_CONTEXT_MAX;
}

/*
 * The longest run of user addresses after a PERF_CONTEXT_USER mark. An address before any mark, or
 * after a guest's, belongs to nobody we show.
 */
static struct chain split(const struct record *r)
{
    struct chain c = {0};
    uint64_t mode = 0;

    for (uint32_t i = 0; i < r->chain_count; i++) {
        uint64_t entry = r->chain[i];

        if (is_mark(entry)) {
            mode = entry;
            continue;
        }
        c.addresses++;
        if (mode == (uint64_t)PERF_CONTEXT_KERNEL)
            c.kernel = true;
        if (mode != (uint64_t)PERF_CONTEXT_USER)
            continue;
        if (!c.at)
            c.at = &r->chain[i];
        if (c.at + c.count == &r->chain[i])
            c.count++;
    }
    return c;
}

/* The sample's user registers, when they belong to the chain: its first entry is their ip. */
static bool regs_of(const struct record *r, const struct chain *c, struct regs *ret)
{
#if defined(__x86_64__)
    if (!r->regs_valid)
        return false;
    ret->ip = r->regs[PERF_REG_X86_IP];
    ret->sp = r->regs[PERF_REG_X86_SP];
    ret->bp = r->regs[PERF_REG_X86_BP];
    return c->count == 0 || c->at[0] == ret->ip;
#else
    (void)r;
    (void)c;
    (void)ret;
    return false;
#endif
}

/* pcsp means what the table above says on amd64 alone; AArch64 has its return address in LR. */
static struct delta delta_at(const struct walk *w, uint64_t pc)
{
    struct delta d = {0};
#if defined(__x86_64__)
    int32_t bytes;

    if (w->go && go_image_has(w->go, pc) && go_image_delta(w->go, pc, &bytes, &d.flags) == 0 &&
        bytes >= 0) {
        d.known = true;
        d.bytes = (uint64_t)bytes;
    }
#else
    (void)w;
    (void)pc;
#endif
    return d;
}

/*
 * A frame's address goes out; what it means for those above it is noted. Only Go functions mean
 * something: a name that nobody needs yet could cost the load of a symbol table, now, while the
 * rings fill.
 */
static bool put_frame(struct walk *w, uint64_t address, const struct delta *d)
{
    bool is_go = w->go && go_image_has(w->go, address);
    unsigned traits = is_go ? space_traits(w->space, address) : 0;

    if (!put(w, address))
        return false;
    w->in_go = d->known;
    w->exact_next = (traits & SPACE_EXACT_CALLER) != 0;
    w->ended = (d->known && (d->flags & GO_DELTA_TOP)) || (traits & SPACE_SWITCHES);
    return true;
}

/* The address that stands for a caller: moved back into its call instruction. */
static uint64_t caller_of(const struct walk *w, uint64_t return_address)
{
    return w->exact_next ? return_address : return_address - 1;
}

static bool stack_word(const struct record *r, uint64_t offset, uint64_t *ret)
{
    if (offset > r->stack_bytes || r->stack_bytes - offset < WORD_BYTES)
        return false;
    memcpy(ret, r->stack + offset, sizeof *ret);
    return true;
}

/* Can bp still be the frame pointer of something above this frame's return address? */
static bool bp_is_above(uint64_t bp, uint64_t return_slot)
{
    return bp > return_slot && bp % WORD_BYTES == 0;
}

/* At its first instruction even a function that writes SP has not done so yet. */
static bool at_entry(const struct walk *w, uint64_t pc)
{
    char name[8];
    uint64_t entry;

    return go_image_entry(w->go, pc, name, sizeof name, &entry) == 0 && entry == pc;
}

enum go_on {
    GO_ON_CHAIN, /* chain[1] is the caller of the last frame */
    GO_ON_STOP,  /* the rest of the chain has nothing to do with this stack */
};

/* A caller is hidden and not to be had. */
static enum go_on give_up(struct walk *w, uint64_t bp, uint64_t return_slot)
{
    put_missing(w);
    return bp_is_above(bp, return_slot) ? GO_ON_CHAIN : GO_ON_STOP;
}

/*
 * The leaf is out already, at pc = regs->ip with its delta: put the callers that the chain hides.
 * See the table above.
 */
static enum go_on repair(struct walk *w, const struct record *r, const struct regs *regs,
                         struct delta d)
{
    uint64_t pc = regs->ip, offset = 0; /* of this frame's sp in the stack copy */
    bool inserted = false;

    for (unsigned turn = 0; turn < UNWIND_REPAIR_MAX; turn++) {
        uint64_t slot = offset + d.bytes, word;

        if (!d.known || w->ended)
            return GO_ON_CHAIN;
        if ((d.flags & GO_DELTA_SPWRITE) && (d.bytes > 0 || turn > 0 || !at_entry(w, pc))) {
            /* Without a frame its caller is hidden for certain; with one the chain is all we have.
             */
            return d.bytes > 0 ? GO_ON_CHAIN : give_up(w, regs->bp, regs->sp + offset);
        }
        if (regs->bp == regs->sp + slot - WORD_BYTES)
            return GO_ON_CHAIN;
        if (!stack_word(r, slot, &word))
            return give_up(w, regs->bp, regs->sp + slot);
        pc = caller_of(w, word);
        if (!space_is_code(w->space, pc))
            return give_up(w, regs->bp, regs->sp + slot);
        d = delta_at(w, pc);
        if (!put_frame(w, pc, &d))
            return GO_ON_STOP;
        if (!inserted)
            w->counts->repaired++;
        inserted = true;
        offset = slot + WORD_BYTES;
    }
    return GO_ON_STOP;
}

/* The kernel's chain from its second entry on. */
static void follow(struct walk *w, const struct chain *c)
{
    for (uint32_t i = 1; i < c->count && !w->ended; i++) {
        uint64_t address = caller_of(w, c->at[i]);
        struct delta d;

        if (!space_is_code(w->space, address)) {
            w->counts->cut++;
            return;
        }
        d = delta_at(w, address);
        if (!put_frame(w, address, &d))
            return;
        if (!w->ended && d.known && d.bytes == 0 && i + 1 < c->count)
            put_missing(w);
    }
}

static void put_user(struct walk *w, const struct record *r, const struct chain *c, uint64_t ip)
{
    struct regs regs = {0};
    struct delta d = delta_at(w, ip);
    enum go_on go_on = GO_ON_CHAIN;

    if (!put_frame(w, ip, &d))
        return;
    if (regs_of(r, c, &regs))
        go_on = repair(w, r, &regs, d);
    else if (d.known && d.bytes == 0 && !w->ended)
        put_missing(w); /* no registers, and no frame that the chain could have started from */
    if (go_on == GO_ON_CHAIN)
        follow(w, c);
}

/* Where the sample's user part begins. false: it has none. */
static bool user_ip(const struct record *r, const struct chain *c, uint64_t *ret)
{
    struct regs regs;

    if (c->count > 0)
        *ret = c->at[0];
    else if (regs_of(r, c, &regs))
        *ret = regs.ip;
    else if (r->user)
        *ret = r->ip;
    else
        return false;
    return true;
}

/* Was the frame i, in the C library, called from there into other code? Threads begin so. */
static bool is_thread_root(const struct walk *w, uint32_t i)
{
    const uint64_t *at = w->out->address;

    return i > 0 && space_is_libc(w->space, at[i]) && space_is_code(w->space, at[i - 1]) &&
           !space_is_libc(w->space, at[i - 1]);
}

/*
 * A native chain has come to its end: is that where stacks begin? A leaf that has another use for
 * bp ends its chain at once, and is no whole stack. The C library begins them, in functions that
 * often have no name; in a static program they have one, and bp is not kept above what calls main:
 * what follows there is no frame, and is taken back. Names come last, and for few frames: symbol
 * tables are better not loaded while the rings fill, and forged chains are long.
 */
static bool is_whole(struct walk *w, uint32_t first)
{
    struct unwind_stack *out = w->out;
    uint32_t low =
        out->depth > first + UNWIND_ROOT_FRAMES ? out->depth - UNWIND_ROOT_FRAMES : first;

    for (uint32_t i = low; i < out->depth; i++)
        if (is_thread_root(w, i))
            return true;
    for (uint32_t i = low; i < out->depth && out->depth - first > 1; i++) {
        unsigned traits = space_traits(w->space, out->address[i]);

        if (traits & SPACE_ABOVE_MAIN)
            out->depth = i + 1;
        if (traits & SPACE_ENDS)
            return true;
    }
    return false;
}

void unwind_sample(struct space *space, const struct record *record, struct unwind_stack *ret,
                   struct unwind_counts *counts)
{
    struct walk w = {.space = space, .go = space_go(space), .out = ret, .counts = counts};
    struct chain c = split(record);
    uint32_t kernel;
    uint64_t ip;

    ret->depth = 0;
    if (c.kernel || !record->user)
        (void)put(&w, UNWIND_KERNEL);
    kernel = ret->depth;
    if (!user_ip(record, &c, &ip))
        return;
    put_user(&w, record, &c, ip);
    if (w.ended)
        return;
    if (!w.in_go && c.addresses < UNWIND_KERNEL_DEPTH && is_whole(&w, kernel))
        return;
    /* A Go stack that ends anywhere but in a function made for that has lost its rest. */
    put_truncated(&w);
}

/*
 * Each caller stands at sp + delta. A thread that waits was not interrupted at a pc that has a
 * frame half built: it stands behind a system call instruction, in assembly that has no frame or a
 * whole one. Where a function writes SP, the way on is not known.
 */
void unwind_blocked(struct space *space, const struct record *record, struct unwind_stack *ret,
                    struct unwind_counts *counts)
{
    struct walk w = {.space = space, .go = space_go(space), .out = ret, .counts = counts};
    struct delta d = delta_at(&w, record->ip);
    uint64_t offset = 0, word;

    ret->depth = 0;
    (void)put_frame(&w, record->ip, &d);
    while (d.known && !w.ended && !((d.flags & GO_DELTA_SPWRITE) && d.bytes > 0)) {
        uint64_t pc;

        if (!stack_word(record, offset + d.bytes, &word))
            break;
        pc = caller_of(&w, word);
        if (!space_is_code(space, pc))
            break;
        offset += d.bytes + WORD_BYTES;
        d = delta_at(&w, pc);
        if (!put_frame(&w, pc, &d))
            break;
    }
    if (!w.ended)
        put_truncated(&w);
}
