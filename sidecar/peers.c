/*
 * One poll handle a link. Handles are closed by libuv at the end of a turn of the loop, so each
 * lives on the heap in a struct line that outlives its link; `peers` is cleared when nobody is to
 * hear of it any more.
 *
 * A question lives in one row of the table from its sending to exactly one call of its callback.
 * When its asker leaves, the row stays without one: the answer still comes, and its descriptor has
 * to be taken off the socket and closed. Rows are freed before the callback is called, which may
 * therefore ask the next question at once.
 */
#include "sidecar/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "wire/front.h"

enum {
    PEERS_MAGIC = 0x50454552,
    LINE_MAGIC = 0x4c494e45,
    TICK_MS = 100,       /* how exact time-outs are; only while questions are open */
    PACKETS_A_TURN = 64, /* of one link before the loop looks at the others */
};

/* A link with its poll handle; lives until libuv has closed the handle. */
struct line {
    unsigned magic;
    uv_poll_t poll;
    struct link link;
    struct peers *peers; /* NULL: nobody listens any more */
};

struct pending {
    uint32_t ticket; /* 0: free */
    uint32_t id;     /* on the link */
    enum wire_type wants;
    bool answered_nobody; /* the asker has gone; the row waits for the answer to close its fd */
    uint64_t deadline_ns;
    peers_answered then;
    void *data;
};

struct peers {
    unsigned magic;
    uv_loop_t *loop;
    struct peers_hooks hooks;
    struct line *guard;
    struct line *sampler; /* NULL: none alive */
    uv_timer_t *timer;    /* on the heap: it outlives us until it is closed */
    struct pending pending[PEERS_PENDING_MAX];
    uint32_t next_ticket;
    uint64_t incident;    /* how many samplers have died */
    uint64_t obituary_ns; /* when we stop waiting for the guard's word on it, 0: not waiting */
    const char *fallback; /* what we know ourselves of its death; a constant */
};

static void free_line(uv_handle_t *h)
{
    free(h->data);
}

/* Repeatable; the struct itself goes when libuv has closed the handle. */
static void line_close(struct line **l)
{
    if (!*l)
        return;
    (*l)->peers = NULL;
    (void)uv_poll_stop(&(*l)->poll);
    uv_close((uv_handle_t *)&(*l)->poll, free_line);
    link_close(&(*l)->link); /* after uv_close(): epoll has let go of it */
    *l = NULL;
}

static int line_open(struct peers *p, int fd, void (*opens)(struct link *, int), uv_poll_cb heard,
                     struct line **ret)
{
    struct line *l = calloc(1, sizeof(*l));
    int r;

    if (!l) {
        (void)close(fd);
        return -ENOMEM;
    }
    l->magic = LINE_MAGIC;
    l->peers = p;
    opens(&l->link, fd);
    r = uv_poll_init(p->loop, &l->poll, fd); /* makes it non-blocking */
    if (r) {
        link_close(&l->link);
        free(l);
        return r;
    }
    l->poll.data = l;
    r = uv_poll_start(&l->poll, UV_READABLE, heard);
    if (r) {
        line_close(&l);
        return r;
    }
    *ret = l;
    return 0;
}

/* --- the table of open questions --- */

/* The one place where a question ends. */
static void settle(struct peers *p, struct pending *q, const struct peers_answer *a)
{
    struct pending copy = *q;

    (void)p;
    memset(q, 0, sizeof(*q)); /* first: the callback may ask the next question */
    if (!copy.answered_nobody)
        copy.then(copy.data, a);
}

/* The sampler is dead and the guard has said why, or had time enough to. */
static void bury(struct peers *p, const char *why)
{
    const struct peers_answer a = {.fate = PEERS_DIED, .incident = p->incident, .why = why};

    p->obituary_ns = 0;
    for (size_t i = 0; i < PEERS_PENDING_MAX; i++) {
        if (p->pending[i].ticket)
            settle(p, &p->pending[i], &a);
    }
}

/* What takes its time, and can be cancelled. */
static bool is_profile(const struct pending *q)
{
    return q->wants == WIRE_ANS_CPU || q->wants == WIRE_ANS_RUNTIME;
}

static void overdue(struct peers *p, struct pending *q)
{
    const struct peers_answer a = {.fate = PEERS_OVERDUE,
                                   .why = "the sampler did not answer in time"};
    bool profile = is_profile(q);

    if (q->wants == WIRE_ANS_STATS) {
        settle(p, q, &a);
        return;
    }
    log_warn("the sampler did not answer in time", LOG_BOOL("profile", profile));
    /*
     * A small question may wait behind a long symbolization; a profile that is this late will
     * never come, and its sampler holds perf events or runs in circles: the guard has to end it.
     */
    if (profile && p->guard)
        (void)front_say_blame(&p->guard->link);
    settle(p, q, &a);
}

/* Time-outs and obituaries by one timer that stands still while nothing is open. */
static void on_tick(uv_timer_t *t)
{
    struct peers *p = t->data;
    uint64_t now = clock_mono_ns();
    bool open = false;

    MAGIC_CHECK(p, PEERS_MAGIC);
    if (p->obituary_ns && now >= p->obituary_ns)
        bury(p, p->fallback);
    for (size_t i = 0; i < PEERS_PENDING_MAX; i++) {
        struct pending *q = &p->pending[i];

        if (q->ticket && now >= q->deadline_ns)
            overdue(p, q);
        open |= q->ticket != 0;
    }
    if (!open && !p->obituary_ns)
        (void)uv_timer_stop(t);
}

static void tick_wanted(struct peers *p)
{
    if (!uv_is_active((uv_handle_t *)p->timer))
        (void)uv_timer_start(p->timer, on_tick, TICK_MS, TICK_MS);
}

/* --- the sampler --- */

/* ${why} is a constant: it is kept. */
static void sampler_lost(struct peers *p, const char *why)
{
    line_close(&p->sampler);
    p->incident++;
    p->obituary_ns = clock_mono_ns() + PEERS_OBITUARY_MS * CLOCK_NS_PER_MS;
    p->fallback = why;
    tick_wanted(p);
    p->hooks.sampler(p->hooks.ctx, false);
}

/*
 * The id alone would do for an honest sampler; with the type, a confused one cannot hand a symbol
 * list to somebody who waits for a profile.
 */
static struct pending *pending_for(struct peers *p, const struct ask_sampler_answer *answer)
{
    for (size_t i = 0; i < PEERS_PENDING_MAX; i++) {
        struct pending *q = &p->pending[i];

        if (q->ticket && q->id == answer->id && q->wants == answer->type)
            return q;
    }
    return NULL;
}

/* 0 to go on, or the reason why not. */
static int sampler_one(struct peers *p)
{
    struct ask_sampler_answer answer;
    struct peers_answer a = {.fate = PEERS_ANSWERED, .answer = &answer, .why = ""};
    struct pending *q;
    int r = ask_sampler_next(&p->sampler->link, 0, &answer);

    if (r)
        return r;
    q = pending_for(p, &answer);
    if (q)
        settle(p, q, &a); /* else: it came after its time-out */
    if (answer.fd >= 0)
        (void)close(answer.fd);
    return 0;
}

/* Bounded work a turn: a sampler that floods us must not keep the network waiting. */
static void on_sampler(uv_poll_t *h, int status, int events)
{
    struct line *l = h->data;
    struct peers *p;
    int r = status;

    (void)events;
    MAGIC_CHECK(l, LINE_MAGIC);
    p = l->peers;
    MAGIC_CHECK(p, PEERS_MAGIC);
    for (int i = 0; r == 0 && i < PACKETS_A_TURN; i++) {
        r = sampler_one(p);
        if (p->sampler != l)
            return; /* a callback has changed the links under us */
    }
    if (r == 0 || r == -EAGAIN)
        return;
    if (r == -EPROTO) {
        log_error("the sampler broke the rules", LOG_STR("why", l->link.why));
        if (p->guard)
            (void)front_say_blame(&p->guard->link);
        sampler_lost(p, "the sampler broke the rules and was ended; it is being restarted");
        return;
    }
    sampler_lost(p, "the sampler died; it is being restarted");
}

/* A new link means that the old sampler is dead, whether its end was seen yet or not. */
static void sampler_new(struct peers *p, int fd)
{
    int r;

    if (p->sampler)
        sampler_lost(p, "the sampler was replaced");
    if (p->obituary_ns)
        bury(p, p->fallback);
    r = line_open(p, fd, ask_sampler_open, on_sampler, &p->sampler);
    if (r) {
        log_error("cannot use the link to the sampler", LOG_STR("error", uv_strerror(r)));
        return;
    }
    p->hooks.sampler(p->hooks.ctx, true);
}

/* --- the guard --- */

/* The guard's note says how the sampler ended ("the sampler died (SIGSEGV) and is being …"). */
static void tell_death(struct peers *p, const struct wire_status *s)
{
    bury(p, s->note[0] ? s->note : p->fallback);
}

static void on_guard(uv_poll_t *h, int status, int events)
{
    struct line *l = h->data;
    struct peers *p;
    int r = status;

    (void)events;
    MAGIC_CHECK(l, LINE_MAGIC);
    p = l->peers;
    MAGIC_CHECK(p, PEERS_MAGIC);
    for (int i = 0; r == 0 && i < PACKETS_A_TURN; i++) {
        struct front_news news;

        r = front_hear(&l->link, 0, &news);
        if (r)
            break;
        if (news.is_facts) {
            if (p->hooks.facts)
                p->hooks.facts(p->hooks.ctx, &news.facts);
            continue;
        }
        if (p->obituary_ns && (!news.status.sampler_up || news.sampler_fd >= 0))
            tell_death(p, &news.status);
        p->hooks.status(p->hooks.ctx, &news.status);
        if (news.sampler_fd >= 0)
            sampler_new(p, news.sampler_fd);
    }
    if (r == 0 || r == -EAGAIN)
        return;
    (void)uv_poll_stop(&l->poll);
    p->hooks.guard_gone(p->hooks.ctx, r == -EPROTO ? l->link.why : "");
}

/* --- questions --- */

/* Look for room before sending: a question whose answer nobody could note must not be put. */
static int pending_free(struct peers *p, struct pending **ret)
{
    if (!p->sampler)
        return -EPIPE;
    for (size_t i = 0; i < PEERS_PENDING_MAX; i++) {
        if (!p->pending[i].ticket) {
            *ret = &p->pending[i];
            return 0;
        }
    }
    return -EBUSY;
}

/* The question with ${id} is on its way: note who waits for what. */
static uint32_t pending_take(struct peers *p, struct pending *q, struct pending what,
                             uint64_t timeout_ms)
{
    if (++p->next_ticket == 0)
        p->next_ticket = 1;
    *q = what;
    q->ticket = p->next_ticket;
    q->deadline_ns = clock_mono_ns() + timeout_ms * CLOCK_NS_PER_MS;
    tick_wanted(p);
    return q->ticket;
}

int peers_about(struct peers *p, peers_answered then, void *data, uint32_t *ret_ticket)
{
    struct pending what = {.wants = WIRE_ANS_ABOUT, .then = then, .data = data};
    struct pending *q;
    int r = pending_free(p, &q);

    if (r == 0)
        r = ask_sampler_about(&p->sampler->link, &what.id);
    if (r == 0)
        *ret_ticket = pending_take(p, q, what, PEERS_SMALL_TIMEOUT_MS);
    return r;
}

int peers_argv(struct peers *p, peers_answered then, void *data, uint32_t *ret_ticket)
{
    struct pending what = {.wants = WIRE_ANS_ARGV, .then = then, .data = data};
    struct pending *q;
    int r = pending_free(p, &q);

    if (r == 0)
        r = ask_sampler_argv(&p->sampler->link, &what.id);
    if (r == 0)
        *ret_ticket = pending_take(p, q, what, PEERS_SMALL_TIMEOUT_MS);
    return r;
}

int peers_symbol(struct peers *p, const uint64_t *addresses, size_t count, peers_answered then,
                 void *data, uint32_t *ret_ticket)
{
    struct pending what = {.wants = WIRE_ANS_SYMBOL, .then = then, .data = data};
    struct pending *q;
    int r = pending_free(p, &q);

    if (r == 0)
        r = ask_sampler_symbol(&p->sampler->link, addresses, count, &what.id);
    if (r == 0)
        *ret_ticket = pending_take(p, q, what, PEERS_SMALL_TIMEOUT_MS);
    return r;
}

int peers_cpu(struct peers *p, const struct wire_cpu *cpu, peers_answered then, void *data,
              uint32_t *ret_ticket)
{
    struct pending what = {.wants = WIRE_ANS_CPU, .then = then, .data = data};
    struct pending *q;
    int r = pending_free(p, &q);

    if (r == 0)
        r = ask_sampler_cpu(&p->sampler->link, cpu, &what.id);
    if (r == 0)
        *ret_ticket = pending_take(p, q, what, (uint64_t)cpu->duration_ms + PEERS_CPU_GRACE_MS);
    return r;
}

int peers_runtime(struct peers *p, const struct wire_runtime *want, peers_answered then, void *data,
                  uint32_t *ret_ticket)
{
    struct pending what = {.wants = WIRE_ANS_RUNTIME, .then = then, .data = data};
    struct pending *q;
    int r = pending_free(p, &q);

    if (r == 0)
        r = ask_sampler_runtime(&p->sampler->link, want, &what.id);
    if (r == 0)
        *ret_ticket = pending_take(p, q, what, PEERS_RUNTIME_TIMEOUT_MS);
    return r;
}

int peers_stats(struct peers *p, peers_answered then, void *data, uint32_t *ret_ticket)
{
    struct pending what = {.wants = WIRE_ANS_STATS, .then = then, .data = data};
    struct pending *q;
    int r = pending_free(p, &q);

    if (r == 0)
        r = ask_sampler_stats(&p->sampler->link, &what.id);
    if (r == 0)
        *ret_ticket = pending_take(p, q, what, PEERS_STATS_TIMEOUT_MS);
    return r;
}

void peers_cancel(struct peers *p, uint32_t ticket)
{
    for (size_t i = 0; ticket && i < PEERS_PENDING_MAX; i++) {
        const struct pending *q = &p->pending[i];

        if (q->ticket == ticket && is_profile(q) && p->sampler)
            (void)ask_sampler_cancel(&p->sampler->link, q->id);
    }
}

void peers_forget(struct peers *p, uint32_t ticket)
{
    peers_cancel(p, ticket);
    for (size_t i = 0; ticket && i < PEERS_PENDING_MAX; i++) {
        if (p->pending[i].ticket == ticket)
            p->pending[i].answered_nobody = true;
    }
}

/* The rows stay: each answer comes by itself, earlier than it would have. */
void peers_finish(struct peers *p)
{
    for (size_t i = 0; i < PEERS_PENDING_MAX; i++) {
        const struct pending *q = &p->pending[i];

        if (q->ticket && q->wants == WIRE_ANS_CPU && p->sampler)
            (void)ask_sampler_finish(&p->sampler->link, q->id);
    }
}

int peers_say_ready(struct peers *p)
{
    return p->guard ? front_say_ready(&p->guard->link) : -EPIPE;
}

/* --- life --- */

static void free_handle(uv_handle_t *h)
{
    free(h);
}

int peers_new(uv_loop_t *loop, int guard_fd, const struct peers_hooks *hooks, struct peers **ret)
{
    struct peers *p = calloc(1, sizeof(*p));
    int r = -ENOMEM;

    if (!p || !(p->timer = calloc(1, sizeof(*p->timer)))) {
        free(p);
        (void)close(guard_fd);
        return -ENOMEM;
    }
    p->magic = PEERS_MAGIC;
    p->loop = loop;
    p->hooks = *hooks;
    (void)uv_timer_init(loop, p->timer); /* cannot fail (libuv: "always returns 0") */
    p->timer->data = p;
    r = line_open(p, guard_fd, front_open, on_guard, &p->guard);
    if (r) {
        peers_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

void peers_free(struct peers *p)
{
    if (!p)
        return;
    line_close(&p->sampler);
    line_close(&p->guard);
    (void)uv_timer_stop(p->timer);
    uv_close((uv_handle_t *)p->timer, free_handle);
    p->magic = 0;
    free(p);
}
