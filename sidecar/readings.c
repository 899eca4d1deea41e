/*
 * A row lives from readings_ask() to its one callback. The kind is taken until the sampler has
 * answered, also when whoever asked has gone meanwhile: a client that asks and leaves in a loop
 * must not fill the sampler's queue with readings for nobody.
 */
#include "sidecar/readings.h"

#include <errno.h>

#include "base/clock.h"
#include "base/magic.h"
#include "sidecar/state.h"

enum {
    READINGS_MAGIC = 0x52444e47,
};

struct reading {
    uint32_t ticket; /* 0: free */
    uint64_t order;  /* of asking: the lowest is next */
    bool asked;      /* at the sampler: the row its kind is taken by */
    bool for_nobody; /* forgotten; the row waits for the answer */
    uint32_t question;
    uint64_t asked_ns;
    uint32_t generation; /* of the target when it was asked */
    struct wire_runtime want;
    peers_answered then;
    void *data;
    struct readings *owner;
};

struct readings {
    unsigned magic;
    struct state *st;
    uv_timer_t *timer; /* on the heap: it outlives us until it is closed */
    struct reading rows[READINGS_MAX];
    uint64_t rested_ns[WIRE_RUNTIME_KINDS]; /* not read before */
    struct readings_last last[WIRE_RUNTIME_KINDS];
    uint32_t next_ticket;
    uint64_t next_order;
};

static void on_rested(uv_timer_t *t);
static void proceed(struct readings *r);

/* The row is free before its callback runs, which may ask again at once. */
static void settle(struct reading *row, const struct peers_answer *a)
{
    struct reading copy = *row;

    memset(row, 0, sizeof(*row));
    if (!copy.for_nobody)
        copy.then(copy.data, a);
}

/* --- what is learned from an answer --- */

/*
 * As long as it took, within bounds: half of the sampler's time at most goes to one kind, a quick
 * reading is available again at once, and one that hangs behind a profile does not block for long.
 */
static void rest(struct readings *r, const struct reading *row)
{
    uint64_t now = clock_mono_ns();
    uint64_t took_ms = (now - row->asked_ns) / CLOCK_NS_PER_MS;

    if (took_ms < READINGS_REST_MIN_MS)
        took_ms = READINGS_REST_MIN_MS;
    if (took_ms > READINGS_REST_MAX_MS)
        took_ms = READINGS_REST_MAX_MS;
    r->rested_ns[row->want.kind] = now + took_ms * CLOCK_NS_PER_MS;
}

static void count_goroutines(struct metrics *m, const struct wire_runtime_read *read)
{
    m->goroutine_readings++;
    m->goroutines_torn += read->torn;
    m->goroutines_unreadable += read->unreadable;
    m->goroutines_truncated += read->truncated;
    m->goroutines_running += read->running;
}

/* A target that was replaced while it was read says nothing about the one that is there now. */
static void learn(struct readings *r, const struct reading *row, const struct peers_answer *a)
{
    enum session_kind kind = session_runtime_kind(row->want.kind);
    struct readings_last *last = &r->last[row->want.kind];
    struct state *st = r->st;

    if (a->fate == PEERS_DIED)
        session_crashed(&st->session, kind, a->incident, st->status.target.generation);
    if (a->fate != PEERS_ANSWERED)
        return;
    session_survived(&st->session, kind);
    if (a->answer->body.runtime.result == -ECANCELED)
        return;
    if (a->answer->body.runtime.result == 0 && row->want.kind == WIRE_RUNTIME_GOROUTINE)
        count_goroutines(&st->metrics, &a->answer->body.runtime);
    if (row->generation != st->status.target.generation)
        return;
    last->known = true;
    last->result = a->answer->body.runtime.result;
    last->read = a->answer->body.runtime;
    last->generation = row->generation;
    last->when_ns = clock_mono_ns();
}

static void came(void *data, const struct peers_answer *a)
{
    struct reading *row = data;
    struct readings *r = row->owner;

    MAGIC_CHECK(r, READINGS_MAGIC);
    learn(r, row, a);
    rest(r, row);
    settle(row, a);
    proceed(r);
}

/* --- whose turn it is --- */

/* NULL too while one of this kind is at the sampler. */
static struct reading *oldest(struct readings *r, uint32_t kind)
{
    struct reading *found = NULL;

    for (size_t i = 0; i < READINGS_MAX; i++) {
        struct reading *row = &r->rows[i];

        if (!row->ticket || row->want.kind != kind)
            continue;
        if (row->asked)
            return NULL;
        if (!found || row->order < found->order)
            found = row;
    }
    return found;
}

/* What cannot be put is answered like a death, but it is none: nobody's crash is counted. */
static void put(struct readings *r, struct reading *row)
{
    const struct peers_answer gone = {.fate = PEERS_DIED, .why = "the sampler is not running"};
    int e;

    row->asked = true;
    row->asked_ns = clock_mono_ns();
    row->generation = r->st->status.target.generation;
    e = peers_runtime(r->st->peers, &row->want, came, row, &row->question);
    if (e)
        settle(row, &gone);
}

/* Ask what may be asked now, and see again when the next kind has rested. */
static void proceed(struct readings *r)
{
    uint64_t now = clock_mono_ns();
    uint64_t next_ns = UINT64_MAX;

    for (uint32_t kind = 0; kind < WIRE_RUNTIME_KINDS; kind++) {
        struct reading *row = oldest(r, kind);

        if (!row)
            continue;
        if (now >= r->rested_ns[kind])
            put(r, row);
        if (oldest(r, kind) && r->rested_ns[kind] < next_ns) /* a put that failed leaves others */
            next_ns = r->rested_ns[kind];
    }
    if (next_ns != UINT64_MAX)
        (void)uv_timer_start(r->timer, on_rested,
                             next_ns > now ? (next_ns - now) / CLOCK_NS_PER_MS + 1 : 0, 0);
}

static void on_rested(uv_timer_t *t)
{
    struct readings *r = t->data;

    MAGIC_CHECK(r, READINGS_MAGIC);
    proceed(r);
}

/* --- questions --- */

int readings_ask(struct readings *r, const struct wire_runtime *want, peers_answered then,
                 void *data, uint32_t *ret_ticket)
{
    for (size_t i = 0; i < READINGS_MAX; i++) {
        struct reading *row = &r->rows[i];

        if (row->ticket)
            continue;
        if (++r->next_ticket == 0)
            r->next_ticket = 1;
        *row = (struct reading){.ticket = r->next_ticket, .order = r->next_order++};
        row->want = *want;
        row->then = then;
        row->data = data;
        row->owner = r;
        *ret_ticket = row->ticket;
        /* from the loop: the callback is never called before the asker has its ticket */
        (void)uv_timer_start(r->timer, on_rested, 0, 0);
        return 0;
    }
    return -EBUSY;
}

void readings_forget(struct readings *r, uint32_t ticket)
{
    for (size_t i = 0; ticket && i < READINGS_MAX; i++) {
        struct reading *row = &r->rows[i];

        if (row->ticket != ticket)
            continue;
        if (!row->asked) {
            memset(row, 0, sizeof(*row));
            return;
        }
        row->for_nobody = true;
        peers_cancel(r->st->peers, row->question);
    }
}

uint32_t readings_waiting(const struct readings *r, uint32_t kind)
{
    uint32_t n = 0;

    for (size_t i = 0; i < READINGS_MAX; i++)
        n += r->rows[i].ticket && r->rows[i].want.kind == kind;
    return n;
}

const struct readings_last *readings_last(const struct readings *r, uint32_t kind)
{
    static const struct readings_last nothing = {.known = false};
    const struct readings_last *last = &r->last[kind];

    return last->generation == r->st->status.target.generation ? last : &nothing;
}

/* --- life --- */

int readings_new(uv_loop_t *loop, struct state *st, struct readings **ret)
{
    struct readings *r = calloc(1, sizeof(*r));

    if (!r || !(r->timer = calloc(1, sizeof(*r->timer)))) {
        free(r);
        return -ENOMEM;
    }
    r->magic = READINGS_MAGIC;
    r->st = st;
    (void)uv_timer_init(loop, r->timer); /* always 0 */
    r->timer->data = r;
    *ret = r;
    return 0;
}

static void free_handle(uv_handle_t *h)
{
    free(h);
}

void readings_free(struct readings *r)
{
    if (!r)
        return;
    (void)uv_timer_stop(r->timer);
    uv_close((uv_handle_t *)r->timer, free_handle);
    r->magic = 0;
    free(r);
}
