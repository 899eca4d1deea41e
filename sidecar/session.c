/*
 * Three tables of fixed size, searched from end to end: a handful of rows that are looked at once a
 * profile are not worth an index. Time only ever comes in as an argument, so every rule can be
 * tested at its edge.
 *
 * min_interval counts from the beginning of the last session: a scraper that profiles 10 s in every
 * 10 s is what the default allows, and it is the sampled time that costs the target, not the pause.
 */
#include "sidecar/session.h"

void session_init(struct session *s, const struct session_rules *rules)
{
    memset(s, 0, sizeof(*s));
    s->rules = *rules;
}

/*
 * What runs goes on under the rules it began with; crashes are forgotten, since a reload is how a
 * person says "try again".
 */
void session_set_rules(struct session *s, const struct session_rules *rules)
{
    s->rules = *rules;
    memset(s->crashes, 0, sizeof(s->crashes));
}

const char *session_kind_name(enum session_kind kind)
{
    static const char *const names[] = {
        [SESSION_CPU] = "cpu",
        [SESSION_GOROUTINE] = "goroutine",
        [SESSION_HEAP] = "heap",
        [SESSION_ALLOCS] = "allocs",
        [SESSION_BLOCK] = "block",
        [SESSION_MUTEX] = "mutex",
        [SESSION_THREADCREATE] = "threadcreate",
        [SESSION_TRACE] = "trace",
        [SESSION_CUSTOM] = "custom",
        [SESSION_WALL] = "wall",
    };

    return kind < SESSION_KINDS ? names[kind] : "other";
}

enum {
    SESSION_ROWS = SESSION_RUNNING_MAX + SESSION_TRACES_MAX,
};

_Static_assert(SESSION_TRACE == SESSION_GOROUTINE + (int)WIRE_RUNTIME_KINDS, "one for each");
_Static_assert(SESSION_THREADCREATE - SESSION_GOROUTINE == (int)WIRE_RUNTIME_THREADCREATE, "order");

enum session_kind session_runtime_kind(uint32_t kind)
{
    return (enum session_kind)(SESSION_GOROUTINE + kind);
}

bool session_samples(enum session_kind kind)
{
    return kind == SESSION_CPU || kind == SESSION_WALL;
}

bool session_broken(const struct session *s, enum session_kind kind, uint32_t generation)
{
    const struct session_crashes *c = &s->crashes[kind];

    return c->generation == generation && c->count >= SESSION_CRASHES_MAX;
}

void session_crashed(struct session *s, enum session_kind kind, uint64_t incident,
                     uint32_t generation)
{
    struct session_crashes *c = &s->crashes[kind];

    if (c->generation != generation)
        *c = (struct session_crashes){.generation = generation, .incident = c->incident};
    if (c->incident != incident)
        c->count++;
    c->incident = incident;
}

void session_survived(struct session *s, enum session_kind kind)
{
    s->crashes[kind].count = 0;
}

uint32_t session_count(const struct session *s)
{
    uint32_t n = 0;

    for (size_t i = 0; i < SESSION_ROWS; i++)
        n += s->running[i].ticket != 0;
    return n;
}

/* Those that contend with one of this kind: traces are made elsewhere than samples. */
static bool contends(const struct session_running *r, enum session_kind kind)
{
    return r->ticket && (r->kind == SESSION_TRACE) == (kind == SESSION_TRACE);
}

static uint32_t contenders(const struct session *s, enum session_kind kind)
{
    uint32_t n = 0;

    for (size_t i = 0; i < SESSION_ROWS; i++)
        n += contends(&s->running[i], kind);
    return n;
}

/* The row that remembers this identity's last session of the kind, NULL when there is none. */
static struct session_seen *seen_find(struct session *s, const char *identity,
                                      enum session_kind kind)
{
    for (size_t i = 0; i < SESSION_IDENTITIES_MAX; i++) {
        struct session_seen *e = &s->seen[i];

        if (e->used && e->kind == kind && strcmp(e->identity, identity) == 0)
            return e;
    }
    return NULL;
}

/*
 * Remember that one begins now. A full table forgets its oldest row: names come from the
 * configuration, so there are only more of them than rows when somebody configured it so.
 */
static void seen_note(struct session *s, const struct session_ask *ask)
{
    struct session_seen *e = seen_find(s, ask->identity, ask->kind);

    for (size_t i = 0; !e && i < SESSION_IDENTITIES_MAX; i++) {
        if (!s->seen[i].used)
            e = &s->seen[i];
    }
    if (!e) {
        e = &s->seen[0];
        for (size_t i = 1; i < SESSION_IDENTITIES_MAX; i++) {
            if (s->seen[i].began_ms < e->began_ms)
                e = &s->seen[i];
        }
    }
    e->used = true;
    e->kind = ask->kind;
    e->began_ms = ask->now_ms;
    (void)snprintf(e->identity, sizeof(e->identity), "%s", ask->identity);
}

/* How many may overlap: what is configured, never more than the sampler has slots. */
static uint32_t room(const struct session_rules *rules, enum session_kind kind)
{
    if (kind == SESSION_TRACE)
        return SESSION_TRACES_MAX;
    if (rules->share || rules->concurrent > SESSION_RUNNING_MAX)
        return SESSION_RUNNING_MAX;
    return rules->concurrent ? rules->concurrent : 1;
}

/* Until the first of the running ones ends; never 0, so that Retry-After makes sense. */
static uint64_t first_end_ms(const struct session *s, enum session_kind kind, uint64_t now_ms)
{
    uint64_t wait = UINT64_MAX;

    for (size_t i = 0; i < SESSION_ROWS; i++) {
        const struct session_running *r = &s->running[i];
        uint64_t left = r->ends_ms > now_ms ? r->ends_ms - now_ms : 1;

        if (contends(r, kind) && left < wait)
            wait = left;
    }
    return wait == UINT64_MAX ? 1 : wait;
}

/* There is a free row: room() is never more than the table has. */
static void start(struct session *s, const struct session_ask *ask, uint32_t *ret_ticket)
{
    for (size_t i = 0; i < SESSION_ROWS; i++) {
        struct session_running *r = &s->running[i];

        if (r->ticket)
            continue;
        if (++s->next_ticket == 0)
            s->next_ticket = 1;
        r->ticket = s->next_ticket;
        r->kind = ask->kind;
        r->ends_ms = ask->now_ms + ask->duration_ms;
        (void)snprintf(r->identity, sizeof(r->identity), "%s", ask->identity);
        *ret_ticket = r->ticket;
        return;
    }
}

/*
 * Broken before busy before soon: the first that holds is also the one that waiting helps least
 * against, and "a profile is already running" is what a second caller has to read, not that it
 * asks too often.
 */
enum session_verdict session_begin(struct session *s, const struct session_ask *ask,
                                   uint32_t *ret_ticket, uint64_t *ret_wait_ms)
{
    const struct session_seen *last = seen_find(s, ask->identity, ask->kind);
    uint32_t running = contenders(s, ask->kind);

    if (session_broken(s, ask->kind, ask->generation))
        return SESSION_BROKEN;
    if (running >= room(&s->rules, ask->kind)) {
        *ret_wait_ms = first_end_ms(s, ask->kind, ask->now_ms);
        return SESSION_BUSY;
    }
    /* With share, one that overlaps is let in at once: its callers were promised company. */
    if (last && !(s->rules.share && running)) {
        uint64_t since = ask->now_ms - last->began_ms;

        if (since < s->rules.min_interval_ms) {
            *ret_wait_ms = s->rules.min_interval_ms - since;
            return SESSION_SOON;
        }
    }
    seen_note(s, ask);
    start(s, ask, ret_ticket);
    return SESSION_GO;
}

/* Nothing was got from it, so the next one need not wait. */
static void give_back(struct session *s, const struct session_running *r)
{
    struct session_seen *e = seen_find(s, r->identity, r->kind);

    if (e)
        e->used = false;
}

void session_end(struct session *s, uint32_t ticket, enum session_end end, uint64_t incident,
                 uint32_t generation)
{
    struct session_running *r = NULL;

    for (size_t i = 0; ticket && i < SESSION_ROWS; i++) {
        if (s->running[i].ticket == ticket)
            r = &s->running[i];
    }
    if (!r)
        return;
    switch (end) {
    case SESSION_DONE:
        session_survived(s, r->kind);
        break;
    case SESSION_LEFT:
        break;
    case SESSION_CRASHED:
        session_crashed(s, r->kind, incident, generation);
        give_back(s, r);
        break;
    case SESSION_FAILED:
        give_back(s, r);
        break;
    }
    memset(r, 0, sizeof(*r));
}
