#include "sampler/stops.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>

#include "base/clock.h"
#include "sampler/perf/regs.h"
#include "sampler/ticker.h"

/* The other registers by perf number (asm/perf_regs.h); session.c has the same ones in its mask. */
enum {
#if defined(__x86_64__)
    REG_FP = 6,
    REG_PC = 8,
#else
    REG_FP = 29,
    REG_LR = 30,
#endif
    WORD_BYTES = 8,
};

struct stops {
    struct ask_guard *guard;
    uint32_t generation;
    bool kernel;
    bool closed;
    uint32_t pending;
    struct ticker ticker;
    uint64_t asked_ns;    /* the last question */
    uint64_t remapped_ns; /* when new mappings were looked for last */
    struct session_counts counts;
    uint64_t filtered; /* in the kernel, whose time was not wanted */
    uint64_t chain[RECORD_CHAIN_MAX];
    struct wire_stop rows[WIRE_STOPS_MAX];
    uint8_t stacks[WIRE_STOPS_MAX][WIRE_STOP_STACK_BYTES];
};

static uint64_t word_at(const uint8_t *stack, uint64_t offset)
{
    uint64_t word;

    memcpy(&word, stack + offset, sizeof(word));
    return word;
}

/* As the kernel walks: the frame pointer's word, the return address above it; always upwards. */
static uint32_t follow(const struct wire_stop *row, const uint8_t *stack, uint64_t *chain,
                       uint32_t count)
{
    uint64_t fp = row->fp;

    while (count < RECORD_CHAIN_MAX && fp >= row->sp && fp % WORD_BYTES == 0 &&
           fp - row->sp + 2 * (uint64_t)WORD_BYTES <= row->stack_bytes) {
        uint64_t next = word_at(stack, fp - row->sp);
        uint64_t caller = word_at(stack, fp - row->sp + WORD_BYTES);

        /* marks are no addresses, and none of a program is as high as they are */
        if (caller == 0 || caller >= (uint64_t)PERF_CONTEXT_MAX)
            break;
        chain[count++] = caller;
        if (next <= fp)
            break;
        fp = next;
    }
    return count;
}

void stops_record(const struct wire_stop *row, const uint8_t *stack,
                  uint64_t chain[static RECORD_CHAIN_MAX], struct record *ret)
{
    *ret = (struct record){
        .kind = RECORD_SAMPLE,
        .tid = row->tid,
        .time_ns = row->time_ns,
        .ip = row->pc,
        .user = !(row->flags & WIRE_STOP_KERNEL),
        .chain = chain,
        .regs_valid = 1,
        .stack = stack,
        .stack_bytes = row->stack_bytes,
    };
    ret->regs[REG_SP] = row->sp;
    ret->regs[REG_FP] = row->fp;
    ret->regs[REG_G] = row->g;
#if defined(__x86_64__)
    ret->regs[REG_PC] = row->pc;
#else
    ret->regs[REG_LR] = row->lr;
#endif
    chain[0] = (uint64_t)PERF_CONTEXT_USER;
    chain[1] = row->pc;
    ret->chain_count = follow(row, stack, chain, 2);
}

int stops_open(struct ask_guard *guard, const struct session_want *want, struct stops **ret,
               struct err *e)
{
    struct wire_stops_opened opened;
    struct stops *s;
    int r;

    err_clear(e);
    if (want->hz == 0 || want->hz > WIRE_STOPS_HZ_MAX)
        return err_set(e, -EINVAL, "hz must be 1 to %d", WIRE_STOPS_HZ_MAX);
    s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, -ENOMEM, "no memory for samples by ptrace");
    r = ask_guard_stops_open(guard, &opened);
    if (r)
        (void)err_set(e, r, "the guard does not answer: %s", strerror(-r));
    else if (opened.result)
        r = err_set(e, opened.result, "%.*s", WIRE_TEXT_BYTES, opened.text);
    if (r) {
        free(s);
        return r;
    }
    s->guard = guard;
    s->generation = guard->target.generation;
    s->kernel = want->kernel != 0;
    s->counts.kernel = want->kernel;
    s->counts.source = WIRE_SOURCE_STOPS;
    s->counts.threads = opened.threads;
    s->remapped_ns = clock_mono_ns();
    ticker_start(&s->ticker, want->hz, s->remapped_ns);
    *ret = s;
    return 0;
}

void stops_close(struct stops *s)
{
    if (!s)
        return;
    if (!s->closed)
        (void)ask_guard_stops_close(s->guard);
    free(s);
}

static void take_counts(struct stops *s, const struct wire_stops *told)
{
    s->pending = told->pending;
    if (told->threads) {
        s->counts.threads = told->threads;
        s->counts.threads_missed = told->threads_missed;
    }
    s->counts.lost = told->left_out + told->lost + told->refused;
    s->counts.refused = told->refused;
    s->counts.waiting = told->waiting;
    s->counts.counted_ns = told->counted_ns;
}

/* What has come, copied: whatever each() asks for is answered in the same arena. */
static int ask(struct stops *s, bool tick, struct wire_stops *ret)
{
    const struct wire_stops_ask q = {.generation = s->generation, .tick = tick};
    int r = ask_guard_stops(s->guard, &q, ret, s->rows);

    s->asked_ns = clock_mono_ns();
    if (r)
        return r;
    for (uint32_t i = 0; i < ret->count; i++)
        memcpy(s->stacks[i], s->guard->arena + (size_t)i * WIRE_STOP_STACK_BYTES,
               s->rows[i].stack_bytes);
    take_counts(s, ret);
    return 0;
}

static int hand_out(struct stops *s, uint32_t count,
                    int (*each)(void *ctx, const struct session_sample *sample), void *ctx)
{
    for (uint32_t i = 0; i < count; i++) {
        struct record record;
        struct session_sample sample = {.record = &record, .weight_ns = s->rows[i].weight_ns};

        if (sample.weight_ns == 0 || (!s->kernel && (s->rows[i].flags & WIRE_STOP_KERNEL))) {
            s->filtered += sample.weight_ns;
            continue;
        }
        stops_record(&s->rows[i], s->stacks[i], s->chain, &record);
        record.pid = s->guard->target.pid;
        sample.remapped = s->counts.remapped;
        s->counts.remapped = 0;
        s->counts.samples++;
        s->counts.weight_ns += sample.weight_ns;
        if (each(ctx, &sample))
            return 1;
    }
    return 0;
}

/* Nothing tells of new mappings: they are looked for now and then. */
static void look_for_mappings(struct stops *s)
{
    if (s->asked_ns - s->remapped_ns < SESSION_TICK_MS * CLOCK_NS_PER_MS)
        return;
    s->remapped_ns = s->asked_ns;
    s->counts.remapped = 1;
}

int stops_run(struct stops *s, int (*each)(void *ctx, const struct session_sample *sample),
              void *ctx, unsigned *ret_events)
{
    uint64_t now_ns = clock_mono_ns();
    bool tick = ticker_due(&s->ticker, now_ns);
    struct wire_stops told = {.count = 1, .pending = 1};

    *ret_events = 0;
    if (!tick && (s->pending == 0 || now_ns - s->asked_ns < STOPS_LATE_MS * CLOCK_NS_PER_MS))
        return 0;
    if (tick)
        ticker_next(&s->ticker, now_ns);
    /* one after the other as they come: labels age */
    for (unsigned turn = 0; turn < STOPS_ASKS_MAX && told.count && told.pending; turn++) {
        int r = ask(s, tick && turn == 0, &told);

        if (r)
            return r;
        if (told.result == -ESRCH || s->guard->target.generation != s->generation)
            *ret_events = SESSION_EVENT_GONE;
        else if (told.result == -ESTALE)
            *ret_events = SESSION_EVENT_EXEC;
        else if (told.result)
            return told.result;
        look_for_mappings(s);
        if (hand_out(s, told.count, each, ctx))
            break;
    }
    return 0;
}

int stops_stop(struct stops *s, int (*each)(void *ctx, const struct session_sample *sample),
               void *ctx)
{
    struct wire_stops told;
    int r;

    if (s->closed)
        return 0;
    r = ask(s, false, &told);
    if (r)
        return r;
    (void)hand_out(s, told.count, each, ctx);
    /* user time alone was asked for: what the kernel used is no sample that is missing */
    s->counts.counted_ns -= s->filtered < s->counts.counted_ns ? s->filtered : 0;
    s->closed = true;
    return ask_guard_stops_close(s->guard);
}

int stops_wait_ms(const struct stops *s)
{
    int next = clock_wait_ms(s->ticker.next_ns);
    int late = clock_wait_ms(s->asked_ns + STOPS_LATE_MS * CLOCK_NS_PER_MS);

    return s->pending && late < next ? late : next;
}

void stops_counts(const struct stops *s, struct session_counts *ret)
{
    *ret = s->counts;
}
