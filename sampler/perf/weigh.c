#include "sampler/perf/weigh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum weigh_state { WEIGH_FIRST, WEIGH_SETTLES, WEIGH_STEADY };

struct weigh_event {
    uint64_t id;
    uint32_t tid;
    uint32_t direct; /* its thread's place in directs[] */
    enum weigh_state state;
    uint32_t fires;      /* samples since the last change */
    uint64_t period_ns;  /* set at the last change */
    uint64_t changed_ns; /* when */
    uint64_t last_ns;    /* sample; before the first: when it was switched on */
    uint64_t told_ns;    /* weight of the settling samples after the first */
    /* what the last change took away, until a sample carries it */
    uint64_t lost_ns;      /* known */
    uint64_t lost_from_ns; /* and estimated: since the last sample before the change; 0: nothing */
    uint64_t lost_max_ns;  /* at most the old period */
    double lost_rate;      /* CPU time per wall time before the change */
};

/* A thread with events of its own. */
struct weigh_direct {
    uint32_t tid;
    int forks;        /* it starts others */
    uint64_t exit_ns; /* UINT64_MAX: it runs */
};

struct weigh {
    uint64_t nominal_ns;
    uint64_t random;
    uint32_t max_events, nevents, ndirects;
    uint32_t unsettled; /* events in WEIGH_SETTLES */
    int fork_seen;      /* a thread began to start others since the last weigh_due() */
    uint32_t mask;      /* slots of both hashes - 1 */
    struct weigh_event *events;
    struct weigh_direct *directs;
    uint32_t *by_id;  /* event number + 1; 0 = free; at most half full */
    uint32_t *by_tid; /* place in directs[] + 1 */
    uint32_t ncopies;
    uint64_t copies[2 * WEIGH_COPIES_MAX]; /* streams that fired; a hash, 0 = free */
};

/* --- two small hashes; ids come from the kernel, tids are dense: multiplying is enough --- */

static uint32_t hash_of(const struct weigh *w, uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & w->mask;
}

/* The slot where this id is, or where it would go. The loop ends: half of the slots are free. */
static uint32_t *slot_of_id(const struct weigh *w, uint64_t id)
{
    uint32_t i = hash_of(w, id);

    while (w->by_id[i] != 0 && w->events[w->by_id[i] - 1].id != id)
        i = (i + 1) & w->mask;
    return &w->by_id[i];
}

static uint32_t *slot_of_tid(const struct weigh *w, uint32_t tid)
{
    uint32_t i = hash_of(w, tid);

    while (w->by_tid[i] != 0 && w->directs[w->by_tid[i] - 1].tid != tid)
        i = (i + 1) & w->mask;
    return &w->by_tid[i];
}

int weigh_new(uint64_t nominal_ns, uint32_t max_events, struct weigh **ret)
{
    struct weigh *w;
    uint32_t slots = 16;

    if (nominal_ns == 0 || max_events == 0 || max_events > WIRE_PERF_EVENTS_MAX)
        return -EINVAL;
    while (slots < 2 * max_events)
        slots *= 2;
    w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->nominal_ns = nominal_ns;
    w->max_events = max_events;
    w->mask = slots - 1;
    w->events = calloc(max_events, sizeof(w->events[0]));
    w->directs = calloc(max_events, sizeof(w->directs[0]));
    w->by_id = calloc(slots, sizeof(w->by_id[0]));
    w->by_tid = calloc(slots, sizeof(w->by_tid[0]));
    if (!w->events || !w->directs || !w->by_id || !w->by_tid ||
        getrandom(&w->random, sizeof(w->random), 0) != (ssize_t)sizeof(w->random)) {
        weigh_free(w);
        return -ENOMEM;
    }
    w->random |= 1; /* a xorshift never leaves 0 */
    *ret = w;
    return 0;
}

void weigh_free(struct weigh *w)
{
    if (!w)
        return;
    free(w->events);
    free(w->directs);
    free(w->by_id);
    free(w->by_tid);
    free(w);
}

uint32_t weigh_events(const struct weigh *w)
{
    return w->nevents;
}

int weigh_hurries(const struct weigh *w)
{
    return w->unsettled > 0 || w->fork_seen;
}

int weigh_add(struct weigh *w, const struct wire_event *event, uint64_t now_ns)
{
    uint32_t *by_id, *by_tid;
    struct weigh_event *e;

    if (w->nevents >= w->max_events)
        return -ENOSPC;
    by_id = slot_of_id(w, event->id);
    if (*by_id != 0)
        return -EEXIST;
    by_tid = slot_of_tid(w, event->tid);
    if (*by_tid == 0) {
        w->directs[w->ndirects].tid = event->tid;
        *by_tid = ++w->ndirects;
    }
    w->directs[*by_tid - 1].exit_ns = UINT64_MAX; /* also when the number was given away again */
    e = &w->events[w->nevents];
    e->id = event->id;
    e->tid = event->tid;
    e->direct = *by_tid - 1;
    e->period_ns = event->first_period_ns;
    e->changed_ns = e->last_ns = now_ns;
    *by_id = ++w->nevents;
    return 0;
}

void weigh_start(struct weigh *w, uint64_t now_ns)
{
    for (uint32_t i = 0; i < w->nevents; i++)
        w->events[i].changed_ns = w->events[i].last_ns = now_ns;
}

/* --- samples --- */

/* What the last change of the period took away; only the first sample after it carries it. */
static uint64_t take_loss(struct weigh_event *e)
{
    uint64_t from = e->lost_from_ns;
    uint64_t known = e->lost_ns;
    double lost = 0;

    e->lost_from_ns = 0;
    e->lost_ns = 0;
    if (from != 0 && e->changed_ns > from)
        lost = e->lost_rate * (double)(e->changed_ns - from);
    return known + (lost > (double)e->lost_max_ns ? e->lost_max_ns : (uint64_t)lost);
}

/* The part of this settling sample's period that lies beyond the nominal one. */
static uint64_t settling_weight(const struct weigh *w, const struct weigh_event *e)
{
    uint64_t passed = e->fires * e->period_ns;

    if (passed <= w->nominal_ns)
        return 0;
    return passed - w->nominal_ns < e->period_ns ? passed - w->nominal_ns : e->period_ns;
}

/* A sample of the opened event itself. Its weight; 0: it was told already. */
static uint64_t opened_weight(struct weigh *w, struct weigh_event *e, const struct record *rec)
{
    uint64_t weight;

    if (e->state == WEIGH_STEADY && rec->time_ns <= e->changed_ns) {
        /* fired before the change and read after it: the loss began later than we thought */
        if (e->lost_from_ns != 0)
            e->lost_from_ns = rec->time_ns;
        return e->lost_max_ns;
    }
    e->fires++;
    e->last_ns = rec->time_ns;
    switch (e->state) {
    case WEIGH_FIRST:
        e->state = WEIGH_SETTLES;
        e->period_ns = rec->period_ns; /* the one it was born with */
        w->unsettled++;
        return w->nominal_ns;
    case WEIGH_SETTLES:
        weight = settling_weight(w, e);
        e->told_ns += weight;
        return weight;
    case WEIGH_STEADY:
        return e->period_ns + take_loss(e);
    }
    return 0;
}

/* Does this inherited copy fire for the first time? 0 also when too many are known. */
static int copy_is_new(struct weigh *w, uint64_t stream)
{
    const uint32_t last = 2 * WEIGH_COPIES_MAX - 1;
    uint32_t i = (uint32_t)((stream * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & last;

    while (w->copies[i] != 0) { /* ends: at most half full */
        if (w->copies[i] == stream)
            return 0;
        i = (i + 1) & last;
    }
    if (w->ncopies >= WEIGH_COPIES_MAX || stream == 0)
        return 0;
    w->copies[i] = stream;
    w->ncopies++;
    return 1;
}

enum weigh_verdict weigh_sample(struct weigh *w, const struct record *rec, uint64_t *ret_weight_ns)
{
    uint32_t event = *slot_of_id(w, rec->id);
    uint32_t direct;

    *ret_weight_ns = 0;
    if (event == 0)
        return WEIGH_UNKNOWN;
    if (rec->stream == rec->id)
        *ret_weight_ns = opened_weight(w, &w->events[event - 1], rec);
    else
        *ret_weight_ns = rec->period_ns + (copy_is_new(w, rec->stream) ? rec->period_ns / 2 : 0);
    direct = *slot_of_tid(w, rec->tid);
    /* rings are read one after the other, so an EXIT may be seen before older samples */
    if (direct != 0 && w->events[event - 1].tid != rec->tid &&
        rec->time_ns <= w->directs[direct - 1].exit_ns) {
        *ret_weight_ns = 0;
        return WEIGH_DUPLICATE;
    }
    return *ret_weight_ns > 0 ? WEIGH_COUNTS : WEIGH_SETTLING;
}

void weigh_exit(struct weigh *w, uint32_t tid, uint64_t time_ns)
{
    uint32_t direct = *slot_of_tid(w, tid);

    if (direct != 0 && w->directs[direct - 1].exit_ns == UINT64_MAX)
        w->directs[direct - 1].exit_ns = time_ns;
}

void weigh_fork(struct weigh *w, uint32_t ptid)
{
    uint32_t direct = *slot_of_tid(w, ptid);

    if (direct == 0 || w->directs[direct - 1].forks)
        return;
    w->directs[direct - 1].forks = 1;
    w->fork_seen = 1;
}

/* --- periods --- */

/* Nominal ± WEIGH_JITTER_PERCENT, evenly (xorshift64*, Vigna 2016). */
static uint32_t jittered(struct weigh *w)
{
    uint64_t low = w->nominal_ns - w->nominal_ns * WEIGH_JITTER_PERCENT / 100;
    uint64_t span = 2 * (w->nominal_ns - low) + 1;
    uint64_t x = w->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    w->random = x;
    return (uint32_t)(low + x * UINT64_C(0x2545f4914f6cdd1d) % span);
}

static int is_due(const struct weigh *w, const struct weigh_event *e, int all)
{
    const struct weigh_direct *d = &w->directs[e->direct];

    if (d->exit_ns != UINT64_MAX)
        return 0;
    switch (e->state) {
    case WEIGH_FIRST:
        return d->forks;
    case WEIGH_SETTLES:
        return 1;
    case WEIGH_STEADY:
        return all && e->fires >= WEIGH_FIRES_MIN;
    }
    return 0;
}

size_t weigh_due(struct weigh *w, int all, uint32_t *from, struct wire_period *ret, size_t max)
{
    size_t n = 0;

    w->fork_seen = 0;
    for (; *from < w->nevents && n < max; ++*from) {
        if (is_due(w, &w->events[*from], all))
            ret[n++] = (struct wire_period){.event = *from, .period_ns = jittered(w)};
    }
    return n;
}

/* Between its samples, how much of its time did the thread run here? */
static double rate_of(const struct weigh_event *e)
{
    double wall = (double)(e->last_ns - e->changed_ns);
    double cpu = (double)e->fires * (double)e->period_ns;

    return wall <= 0 || cpu > wall ? 1.0 : cpu / wall;
}

/* What a change to ${period_ns} takes away from the event, for its next sample. */
static void note_loss(struct weigh *w, struct weigh_event *e, uint32_t period_ns)
{
    uint64_t passed;

    e->lost_ns = 0;
    e->lost_from_ns = e->fires > 0 ? e->last_ns : 0;
    e->lost_max_ns = e->period_ns;
    e->lost_rate = rate_of(e);
    if (e->state == WEIGH_FIRST)
        e->lost_ns = period_ns / 2; /* as for a copy: this first period is a whole one */
    if (e->state != WEIGH_SETTLES)
        return;
    passed = (e->fires - 1) * e->period_ns;
    if (passed > e->told_ns)
        e->lost_ns = passed - e->told_ns;
    w->unsettled--;
}

static void change(struct weigh_event *e, uint32_t period_ns, uint64_t now_ns)
{
    e->state = WEIGH_STEADY;
    e->fires = 0;
    e->period_ns = period_ns;
    e->changed_ns = e->last_ns = now_ns;
}

void weigh_changed(struct weigh *w, const struct wire_period *periods, size_t count,
                   uint64_t now_ns)
{
    for (size_t i = 0; i < count; i++) {
        if (periods[i].event >= w->nevents)
            continue;
        note_loss(w, &w->events[periods[i].event], periods[i].period_ns);
        change(&w->events[periods[i].event], periods[i].period_ns, now_ns);
    }
}
