#include "sampler/perf/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "sampler/perf/weigh.h"

/*
 * Registers by perf number (asm/perf_regs.h): what unwinding and the labels need. x86: bp 6, sp 7,
 * ip 8, r14 22 (g in Go). arm64: x28 28 (g in Go), x29 29, lr 30, sp 31, and pc 32 is the sample's
 * ip.
 */
#if defined(__x86_64__)
#    define SESSION_REGS \
        ((UINT64_C(1) << 6) | (UINT64_C(1) << 7) | (UINT64_C(1) << 8) | (UINT64_C(1) << 22))
#elif defined(__aarch64__)
#    define SESSION_REGS \
        ((UINT64_C(1) << 28) | (UINT64_C(1) << 29) | (UINT64_C(1) << 30) | (UINT64_C(1) << 31))
#else
#    error "perf register numbers of this machine are not known"
#endif

enum {
    SESSION_READ_RECORDS = 4096, /* of one ring in one go */
    SESSION_READS_MAX = 16,      /* goes a ring and drain: a target cannot keep us here */
    SESSION_DRAIN_MIN_MS = 5,
    SESSION_SAMPLE_BYTES = 1024, /* a usual sample: 30 frames, registers, stack copy, and some */
    SESSION_RING_PAGES_MAX = 4096,
};

struct session {
    struct ask_guard *guard;
    uint32_t slot;
    uint32_t pid;
    int wakeups;
    int family;
    int closed; /* the guard's half is not open (any more) */
    struct record_shape shape;
    struct weigh *weigh;
    struct ring *rings[WIRE_PERF_RINGS_MAX];
    uint32_t nrings;
    uint32_t ring_pages;
    int any_hup;
    uint64_t nominal_ns;
    uint64_t drain_ns; /* between two drains, once settled */
    uint64_t opened_ns, drained_ns, ticked_ns, jittered_ns;
    struct session_counts counts;
    uint64_t exec_ns;      /* the target executed another program then; 0: it did not */
    uint64_t lost_records; /* sum of RECORD_LOST */
};

/* What one draining hands around. */
struct drain {
    struct session *s;
    int (*each)(void *ctx, const struct session_sample *sample);
    void *ctx;
    unsigned events; /* enum session_event bits */
    int stop;
};

/* --- draining --- */

static int on_sample(struct drain *d, const struct record *rec)
{
    struct session *s = d->s;
    struct session_sample sample = {.record = rec};

    if (rec->pid != s->pid && !s->family) {
        s->counts.foreign++;
        return 0;
    }
    if (rec->pid == s->pid && s->exec_ns != 0 && rec->time_ns >= s->exec_ns)
        return 0;
    switch (weigh_sample(s->weigh, rec, &sample.weight_ns)) {
    case WEIGH_COUNTS:
        s->counts.samples++;
        s->counts.weight_ns += sample.weight_ns;
        if (rec->pid == s->pid) {
            sample.remapped = s->counts.remapped;
            s->counts.remapped = 0;
        }
        d->stop = d->each(d->ctx, &sample);
        return d->stop;
    case WEIGH_SETTLING:
        s->counts.settling++;
        return 0;
    case WEIGH_DUPLICATE:
        s->counts.duplicates++;
        return 0;
    case WEIGH_UNKNOWN:
        s->counts.bad++;
        return 0;
    }
    return 0;
}

/* What changes another process's addresses. */
static int on_other(struct drain *d, const struct record *rec)
{
    struct session_sample sample = {.record = rec};

    if (!d->s->family || (rec->kind == RECORD_COMM && !rec->exec))
        return 0;
    d->stop = d->each(d->ctx, &sample);
    return d->stop;
}

static int on_record(void *ctx, const struct record *rec)
{
    struct drain *d = ctx;
    struct session *s = d->s;

    if ((rec->kind == RECORD_COMM || rec->kind == RECORD_MMAP) && rec->pid != s->pid)
        return on_other(d, rec);
    switch (rec->kind) {
    case RECORD_SAMPLE:
        return on_sample(d, rec);
    case RECORD_LOST:
        s->lost_records += rec->lost;
        return 0;
    case RECORD_EXIT:
        weigh_exit(s->weigh, rec->tid, rec->time_ns);
        return 0;
    case RECORD_COMM:
        if (rec->exec && rec->pid == s->pid) {
            d->events |= SESSION_EVENT_EXEC;
            s->exec_ns = rec->time_ns;
        }
        return 0;
    case RECORD_MMAP:
        if (rec->pid == s->pid) {
            d->events |= SESSION_EVENT_MMAP;
            s->counts.remapped = 1;
        }
        return 0;
    case RECORD_THROTTLE:
        s->counts.throttled++;
        return 0;
    case RECORD_FORK:
        weigh_fork(s->weigh, rec->ptid);
        return 0;
    case RECORD_OTHER:
        return 0;
    }
    return 0;
}

/* Read what is there. Bad records and broken rings are counted, and reading goes on. */
static void drain_rings(struct drain *d)
{
    struct session *s = d->s;

    for (uint32_t i = 0; i < s->nrings && !d->stop; i++) {
        int n = SESSION_READ_RECORDS;

        for (int k = 0; k < SESSION_READS_MAX && n == SESSION_READ_RECORDS && !d->stop; k++)
            n = ring_read(s->rings[i], &s->shape, on_record, d, SESSION_READ_RECORDS,
                          &s->counts.bad);
        if (n < 0)
            s->counts.bad++;
    }
    if (s->counts.lost < s->lost_records)
        s->counts.lost = s->lost_records;
    s->drained_ns = clock_mono_ns();
}

/* --- rings --- */

static int add_ring(struct session *s, int fd)
{
    int r;

    if (s->nrings >= WIRE_PERF_RINGS_MAX) {
        (void)close(fd);
        return -EPROTO;
    }
    r = ring_open(fd, s->ring_pages, &s->rings[s->nrings]);
    if (r == 0)
        s->nrings++;
    return r;
}

/* Take the next ${want} rings over; with ${fresh}, each brings the only event of a new thread. */
static int take_rings(struct session *s, uint32_t want, int fresh)
{
    int fds[WIRE_FDS_MAX];
    struct wire_perf_rings head;
    int bad = 0;

    while (want > 0) {
        int r = ask_guard_perf_rings(s->guard, s->slot, &head, fds);

        if (r)
            return r;
        if (head.count == 0 || head.count > want || head.count > WIRE_FDS_MAX)
            bad = -EPROTO;
        for (uint32_t i = 0; i < head.count && i < WIRE_FDS_MAX; i++) {
            struct wire_event e = {.id = head.event_id[i], .tid = head.tid[i], .cpu = UINT32_MAX};

            if (bad) {
                (void)close(fds[i]);
                continue;
            }
            bad = add_ring(s, fds[i]);
            if (bad == 0 && fresh)
                bad = weigh_add(s->weigh, &e, clock_mono_ns());
        }
        if (bad)
            return bad;
        want -= head.count;
    }
    return 0;
}

/* --- ticks --- */

/* New periods for the events that want one: the settling ones, with ${busy} also busy ones. */
static int set_periods(struct session *s, int busy, int full, struct wire_perf_ticked *ret)
{
    struct wire_period periods[WIRE_TICK_MAX];
    uint32_t from = 0;
    int asked = 0;

    while (from < weigh_events(s->weigh) || !asked) {
        size_t n = weigh_due(s->weigh, busy, &from, periods, WIRE_TICK_MAX);
        int r;

        if (n == 0 && (asked || !full))
            break; /* a full tick asks at least once, to learn of new threads and of the end */
        r = ask_guard_perf_tick(s->guard, s->slot, periods, n, ret);
        if (r)
            return r;
        asked = 1;
        weigh_changed(s->weigh, periods, n, clock_mono_ns());
        s->counts.threads_missed = ret->threads_missed;
        s->counts.threads += ret->rings;
        if (ret->result)
            return 0;
        r = take_rings(s, ret->rings, 1);
        if (r)
            return r;
    }
    return 0;
}

static int tick(struct session *s, struct drain *d)
{
    struct wire_perf_ticked told = {0};
    uint64_t now_ns = clock_mono_ns();
    int full = now_ns - s->ticked_ns >= SESSION_TICK_MS * CLOCK_NS_PER_MS;
    int busy = full;
    int r;

    /* with one event a thread, each tick makes the guard list the target's threads: not so often */
    if (s->counts.shape == WIRE_PERF_PER_CPU && now_ns - s->jittered_ns >= s->drain_ns)
        busy = 1;
    if (!busy && !weigh_hurries(s->weigh))
        return 0;
    if (full)
        s->ticked_ns = now_ns;
    if (busy)
        s->jittered_ns = now_ns;
    r = set_periods(s, busy, full, &told);
    if (r)
        return r;
    if (told.result == -ESRCH)
        d->events |= SESSION_EVENT_GONE;
    else if (told.result)
        return told.result;
    return 0;
}

int session_run(struct session *s, int (*each)(void *ctx, const struct session_sample *sample),
                void *ctx, unsigned *ret_events)
{
    struct drain d = {.s = s, .each = each, .ctx = ctx};
    int r;

    if (s->closed)
        return -EBADF;
    drain_rings(&d);
    r = tick(s, &d);
    if (r)
        return r;
    *ret_events = d.events;
    return 0;
}

/* --- open and close --- */

/* Half a ring, filled at the full rate, must last from drain to drain; periods change at drains. */
static uint64_t drain_interval_ns(const struct session *s, uint32_t hz)
{
    uint64_t half = s->ring_pages * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
    uint64_t ms = half * 1000 / ((uint64_t)hz * SESSION_SAMPLE_BYTES);
    uint64_t jitter_ms = SESSION_JITTER_PERIODS * UINT64_C(1000) / hz;

    if (jitter_ms < SESSION_JITTER_MIN_MS)
        jitter_ms = SESSION_JITTER_MIN_MS;
    if (ms > jitter_ms)
        ms = jitter_ms;
    if (ms > SESSION_DRAIN_MS)
        ms = SESSION_DRAIN_MS;
    return (ms < SESSION_DRAIN_MIN_MS ? SESSION_DRAIN_MIN_MS : ms) * CLOCK_NS_PER_MS;
}

/* The event table that came with ANS_PERF_OPEN. */
static int take_events(struct session *s, const struct wire_perf_opened *opened, int fd)
{
    uint32_t room =
        opened->shape == WIRE_PERF_PER_CPU ? opened->events : (uint32_t)WIRE_PERF_RINGS_MAX;
    const struct wire_event *events;
    uint64_t now_ns = clock_mono_ns();
    struct bulk b;
    int r = bulk_map(fd, sizeof(events[0]) * WIRE_PERF_EVENTS_MAX, &b);

    if (r)
        return r;
    if (opened->events == 0 || b.bytes != opened->events * sizeof(events[0])) {
        bulk_release(&b);
        return -EPROTO;
    }
    events = (const struct wire_event *)(const void *)b.data;
    r = weigh_new(s->nominal_ns, room, &s->weigh);
    for (uint32_t i = 0; r == 0 && i < opened->events; i++)
        r = weigh_add(s->weigh, &events[i], now_ns);
    bulk_release(&b);
    return r;
}

static int opened_ok(const struct wire_perf_opened *o)
{
    return (o->shape == WIRE_PERF_PER_CPU || o->shape == WIRE_PERF_PER_THREAD) && o->rings > 0 &&
           o->rings <= WIRE_PERF_RINGS_MAX && o->ring_pages > 0 &&
           o->ring_pages <= SESSION_RING_PAGES_MAX;
}

void session_close(struct session *s)
{
    struct wire_perf_closed closed;

    if (!s)
        return;
    for (uint32_t i = 0; i < s->nrings; i++)
        ring_free(s->rings[i]);
    if (!s->closed)
        (void)ask_guard_perf_close(s->guard, s->slot, &closed);
    weigh_free(s->weigh);
    free(s);
}

int session_stop(struct session *s, int (*each)(void *ctx, const struct session_sample *sample),
                 void *ctx)
{
    struct drain d = {.s = s, .each = each, .ctx = ctx};
    struct wire_perf_closed closed;
    int r;

    if (s->closed)
        return 0;
    r = ask_guard_perf_enable(s->guard, s->slot, 0);
    drain_rings(&d);
    if (r == 0) {
        r = ask_guard_perf_close(s->guard, s->slot, &closed);
        s->closed = 1;
    }
    if (r)
        return r;
    /* the same losses seen from two sides: LOST records miss those after the last record that
       fitted, the events' own counts are there since Linux 6.0 */
    if (s->counts.lost < closed.lost)
        s->counts.lost = closed.lost;
    s->counts.counted_ns = closed.counted_ns;
    return closed.result;
}

/* Ask the guard; its refusal goes into ${e} in its own words. */
static int open_events(struct session *s, const struct session_want *want,
                       struct wire_perf_opened *ret, int *ret_fd, struct err *e)
{
    struct wire_perf_open open = {
        .generation = s->guard->target.generation,
        .slot = s->slot,
        .period_ns = (uint32_t)s->nominal_ns,
        .stack_bytes = SESSION_STACK_BYTES,
        .kernel = want->kernel != 0,
        .wakeups = want->wakeups != 0,
        .regs = SESSION_REGS,
    };
    int r = ask_guard_perf_open(s->guard, &open, ret, ret_fd);

    if (r)
        return err_set(e, r, "the guard does not answer: %s", strerror(-r));
    if (ret->result)
        return err_set(e, ret->result, "%.*s", WIRE_TEXT_BYTES, ret->text);
    s->closed = 0;
    if (!opened_ok(ret))
        return err_set(e, -EPROTO, "the guard's answer makes no sense");
    return 0;
}

static void note_opened(struct session *s, uint32_t hz, const struct wire_perf_opened *opened)
{
    s->ring_pages = opened->ring_pages;
    s->drain_ns = drain_interval_ns(s, hz);
    s->counts.threads = opened->threads;
    s->counts.threads_missed = opened->threads_missed;
    s->counts.kernel = opened->kernel != 0;
    s->counts.shape = (enum wire_perf_shape)opened->shape;
}

int session_open(struct ask_guard *guard, uint32_t slot, const struct session_want *want,
                 struct session **ret, struct err *e)
{
    struct wire_perf_opened opened;
    struct session *s;
    int fd = -1;
    int r;

    err_clear(e);
    if (want->hz == 0 || want->hz > WIRE_HZ_MAX)
        return err_set(e, -EINVAL, "hz must be 1 to %d", WIRE_HZ_MAX);
    s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, -ENOMEM, "no memory for a perf session");
    s->guard = guard;
    s->slot = slot;
    s->pid = guard->target.pid;
    s->wakeups = want->wakeups;
    s->family = want->family;
    s->closed = 1;
    s->shape.regs = SESSION_REGS;
    s->nominal_ns = CLOCK_NS_PER_SEC / want->hz;
    r = open_events(s, want, &opened, &fd, e);
    if (r)
        goto out;
    note_opened(s, want->hz, &opened);
    r = take_rings(s, opened.rings, 0);
    if (r == 0)
        r = take_events(s, &opened, fd);
    if (r == 0)
        r = ask_guard_perf_enable(guard, slot, 1);
    if (r) {
        (void)err_set(e, r, "taking over the perf events: %s", strerror(-r));
        goto out;
    }
    s->opened_ns = s->drained_ns = s->ticked_ns = s->jittered_ns = clock_mono_ns();
    weigh_start(s->weigh, s->opened_ns);
    if (opened.text[0])
        (void)err_set(e, 0, "%.*s", WIRE_TEXT_BYTES, opened.text);
    *ret = s;
out:
    if (fd >= 0)
        (void)close(fd);
    if (r)
        session_close(s);
    return r;
}

/* --- waiting --- */

size_t session_poll(struct session *s, struct pollfd *fds, size_t max)
{
    size_t n = 0;

    if (!s->wakeups)
        return 0;
    for (uint32_t i = 0; i < s->nrings && n < max; i++)
        if (!ring_is_hup(s->rings[i]))
            fds[n++] = (struct pollfd){.fd = ring_fd(s->rings[i]), .events = POLLIN};
    return n;
}

void session_polled(struct session *s, const struct pollfd *fds, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        if (!(fds[k].revents & (POLLHUP | POLLERR | POLLNVAL)))
            continue;
        for (uint32_t i = 0; i < s->nrings; i++)
            if (ring_fd(s->rings[i]) == fds[k].fd) {
                ring_set_hup(s->rings[i]);
                s->any_hup = 1;
            }
    }
}

int session_wait_ms(const struct session *s)
{
    uint64_t wait_ns = s->drain_ns;
    int fast = s->drained_ns - s->opened_ns < SESSION_SETTLE_MS * CLOCK_NS_PER_MS;

    if ((fast || (s->wakeups && s->any_hup)) && wait_ns > SESSION_DRAIN_FAST_MS * CLOCK_NS_PER_MS)
        wait_ns = SESSION_DRAIN_FAST_MS * CLOCK_NS_PER_MS;
    return clock_wait_ms(s->drained_ns + wait_ns);
}

void session_counts(const struct session *s, struct session_counts *ret)
{
    *ret = s->counts;
}
