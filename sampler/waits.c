#include "sampler/waits.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "sampler/ticker.h"

struct waits {
    struct ask_guard *guard;
    uint32_t generation;
    struct ticker ticker;
    uint64_t ticked_ns;   /* the last one: what passed since is what a sample stands for */
    uint64_t remapped_ns; /* when new mappings were looked for last */
    struct session_counts counts;
    struct wire_wait rows[WIRE_WAITS_MAX];
    uint8_t stacks[WIRE_WAITS_MAX][WIRE_WAIT_STACK_BYTES];
};

/* The rows and, copied out of the arena, their stacks. */
static int ask(struct waits *w, uint32_t after, struct wire_waits *ret)
{
    const struct wire_waits_ask q = {.generation = w->generation, .after = after};
    int r = ask_guard_waits(w->guard, &q, ret, w->rows);

    for (uint32_t i = 0; r == 0 && i < ret->count; i++)
        memcpy(w->stacks[i], w->guard->arena + (size_t)i * WIRE_WAIT_STACK_BYTES,
               w->rows[i].stack_bytes);
    return r;
}

int waits_open(struct ask_guard *guard, const struct session_want *want, struct waits **ret,
               struct err *e)
{
    struct wire_waits told;
    struct waits *w;
    int r;

    err_clear(e);
    if (want->hz == 0 || want->hz > WIRE_WAITS_HZ_MAX)
        return err_set(e, -EINVAL, "hz must be 1 to %d", WIRE_WAITS_HZ_MAX);
    w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(e, -ENOMEM, "no memory for a wall-clock profile");
    w->guard = guard;
    w->generation = guard->target.generation;
    r = ask(w, 0, &told);
    if (r)
        (void)err_set(e, r, "the guard does not answer: %s", strerror(-r));
    else if (told.result)
        r = err_set(e, told.result, "%.*s", WIRE_TEXT_BYTES,
                    told.text[0] ? told.text : "the target's threads cannot be read");
    if (r) {
        free(w);
        return r;
    }
    w->counts.source = WIRE_SOURCE_WAITS;
    w->remapped_ns = w->ticked_ns = clock_mono_ns();
    ticker_start(&w->ticker, want->hz, w->ticked_ns);
    *ret = w;
    return 0;
}

void waits_close(struct waits *w)
{
    free(w);
}

static int hand_out(struct waits *w, uint32_t count, uint64_t weight_ns,
                    int (*each)(void *ctx, const struct session_sample *sample), void *ctx)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct wire_wait *row = &w->rows[i];
        struct record record = {.kind = RECORD_SAMPLE,
                                .pid = w->guard->target.pid,
                                .tid = row->tid,
                                .time_ns = w->ticked_ns,
                                .ip = row->pc,
                                .user = 1,
                                .stack = w->stacks[i],
                                .stack_bytes = row->stack_bytes};
        struct session_sample sample = {.record = &record, .weight_ns = weight_ns, .wait = row};

        if (row->state == WIRE_WAIT_MOVED) {
            w->counts.moved++;
            w->counts.lost++;
            continue;
        }
        sample.remapped = w->counts.remapped;
        w->counts.remapped = 0;
        w->counts.samples++;
        w->counts.weight_ns += weight_ns;
        if (each(ctx, &sample))
            return 1;
    }
    return 0;
}

/* All threads, in as many questions as it takes. *ret_events as waits_run() has it. */
static int tick(struct waits *w, uint64_t weight_ns,
                int (*each)(void *ctx, const struct session_sample *sample), void *ctx,
                unsigned *ret_events)
{
    struct wire_waits told = {0};
    uint32_t threads = 0;

    for (unsigned turn = 0; turn < WAITS_ASKS_MAX && (turn == 0 || told.after); turn++) {
        int r = ask(w, told.after, &told);

        if (r)
            return r;
        if (told.result == -ESRCH || told.result == -ESTALE) {
            *ret_events = SESSION_EVENT_GONE;
            return 0;
        }
        if (told.result)
            return told.result;
        threads += told.count;
        if (hand_out(w, told.count, weight_ns, each, ctx))
            break;
    }
    if (threads > w->counts.threads)
        w->counts.threads = threads;
    return 0;
}

int waits_run(struct waits *w, int (*each)(void *ctx, const struct session_sample *sample),
              void *ctx, unsigned *ret_events)
{
    uint64_t now_ns = clock_mono_ns();
    uint64_t weight_ns = now_ns - w->ticked_ns;

    *ret_events = 0;
    if (!ticker_due(&w->ticker, now_ns))
        return 0;
    ticker_next(&w->ticker, now_ns);
    w->ticked_ns = now_ns;
    /* nothing tells of new mappings: they are looked for now and then */
    if (now_ns - w->remapped_ns >= SESSION_TICK_MS * CLOCK_NS_PER_MS) {
        w->remapped_ns = now_ns;
        w->counts.remapped = 1;
    }
    return tick(w, weight_ns, each, ctx, ret_events);
}

int waits_wait_ms(const struct waits *w)
{
    return clock_wait_ms(w->ticker.next_ns);
}

void waits_counts(const struct waits *w, struct session_counts *ret)
{
    *ret = w->counts;
}
