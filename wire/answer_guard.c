#include "wire/answer_guard.h"

#include <errno.h>
#include <unistd.h>

void answer_guard_open(struct link *l, int fd)
{
    link_init(l, fd, WIRE_ROLE_GUARD, WIRE_ROLE_SAMPLER);
}

struct call {
    struct link *link;
    const struct answer_guard_ops *ops;
    void *ctx;
    struct packet *p;
};

static int broken(struct call *c, const char *why)
{
    c->link->why = why;
    return -EPROTO;
}

static int reply(struct call *c, enum wire_type type, const void *body, size_t bytes,
                 const void *tail, size_t tail_bytes, int fd)
{
    return link_send(c->link, type, c->p->head.id, body, bytes, tail, tail_bytes, &fd, fd >= 0);
}

/* Send a result with the descriptor of a success, which is closed here. */
static int reply_fd(struct call *c, enum wire_type type, int result, uint32_t value, int fd)
{
    struct wire_result res = {.result = result, .value = value};
    int r = reply(c, type, &res, sizeof(res), NULL, 0, result == 0 ? fd : -1);

    if (fd >= 0)
        (void)close(fd);
    if (r == -ETOOMANYREFS) /* link.h: not the sampler's doing, so not the end of it */
        return reply(c, type, &(struct wire_result){.result = -ETOOMANYREFS}, sizeof(res), NULL, 0,
                     -1);
    return r;
}

static int on_hello(struct call *c)
{
    struct wire_target target = {0};
    struct wire_hello hello;

    memcpy(&hello, c->p->body, sizeof(hello));
    if (hello.version != WIRE_MAGIC)
        return broken(c, "another version");
    c->link->turn.state = WIRE_STATE_RUN;
    c->ops->target(c->ctx, &target);
    return reply(c, WIRE_ANS_HELLO, &target, sizeof(target), NULL, 0, -1);
}

static int on_maps(struct call *c)
{
    uint32_t truncated = 0;
    struct wire_gen q;
    int fd = -1;
    int r;

    memcpy(&q, c->p->body, sizeof(q));
    r = c->ops->maps(c->ctx, q.generation, &fd, &truncated);
    return reply_fd(c, WIRE_ANS_MAPS, r, truncated, fd);
}

static int on_cmdline(struct call *c)
{
    struct wire_gen q;
    int fd = -1;
    int r;

    memcpy(&q, c->p->body, sizeof(q));
    r = c->ops->cmdline(c->ctx, q.generation, &fd);
    return reply_fd(c, WIRE_ANS_CMDLINE, r, 0, fd);
}

static int on_file(struct call *c)
{
    struct wire_result res = {0};
    struct wire_file q;
    int fd = -1;
    int r;

    memcpy(&q, c->p->body, sizeof(q));
    res.result = c->ops->file(c->ctx, &q, &fd);
    r = reply(c, WIRE_ANS_FILE, &res, sizeof(res), NULL, 0, res.result == 0 ? fd : -1);
    if (fd >= 0)
        c->ops->file_done(c->ctx, fd);
    if (r == -ETOOMANYREFS) {
        res.result = -ETOOMANYREFS;
        r = reply(c, WIRE_ANS_FILE, &res, sizeof(res), NULL, 0, -1);
    }
    return r;
}

static int on_read(struct call *c)
{
    struct wire_range ranges[WIRE_READ_MAX_RANGES];
    uint32_t got[WIRE_READ_MAX_RANGES] = {0};
    struct wire_result res = {0};
    size_t total = 0;
    struct wire_read q;

    memcpy(&q, c->p->body, sizeof(q));
    if (q.count == 0 || q.count > WIRE_READ_MAX_RANGES ||
        c->p->head.bytes != sizeof(q) + q.count * sizeof(ranges[0]))
        return broken(c, "a count that does not fit the length");
    memcpy(ranges, c->p->body + sizeof(q), q.count * sizeof(ranges[0]));
    for (uint32_t i = 0; i < q.count; i++) {
        total += ((size_t)ranges[i].bytes + 7) & ~(size_t)7;
        if (ranges[i].zero || total > WIRE_ARENA_BYTES)
            return broken(c, "ranges larger than the arena");
    }
    res.result = c->ops->read(c->ctx, q.generation, ranges, q.count, got);
    res.value = res.result ? 0 : q.count;
    return reply(c, WIRE_ANS_READ, &res, sizeof(res), got, res.value * sizeof(got[0]), -1);
}

static int send_rings(struct call *c, uint32_t slot, uint32_t from, uint32_t count)
{
    while (count > 0) {
        struct answer_guard_rings rings = {0};
        int r;

        c->ops->perf_rings(c->ctx, slot, from, &rings);
        if (rings.head.count == 0 || rings.head.count > count)
            return broken(c, "(guard) rings were miscounted");
        rings.head.slot = slot;
        r = link_send(c->link, WIRE_ANS_PERF_RINGS, 0, &rings.head, sizeof(rings.head), NULL, 0,
                      rings.fds, rings.head.count);
        if (r)
            return r;
        from += rings.head.count;
        count -= rings.head.count;
    }
    return 0;
}

/* PERF rows are permitted exactly while a session is open. */
static void set_perf_state(struct call *c)
{
    unsigned state = WIRE_STATE_RUN;

    for (uint32_t slot = 0; slot < WIRE_PERF_SLOTS; slot++) {
        if (c->ops->perf_is_open(c->ctx, slot))
            state |= WIRE_STATE_PERF;
    }
    c->link->turn.state = state;
}

static int on_perf_open(struct call *c)
{
    struct wire_perf_opened opened = {0};
    struct wire_perf_open q;
    int fd = -1;
    int r;

    memcpy(&q, c->p->body, sizeof(q));
    if (q.slot >= WIRE_PERF_SLOTS || c->ops->perf_is_open(c->ctx, q.slot) || q.kernel > 1 ||
        q.wakeups > 1 || q.stack_bytes > 65528 || q.stack_bytes % 8 ||
        q.period_ns < 1000000000u / WIRE_HZ_MAX)
        return broken(c, "a perf session with impossible values");
    c->ops->perf_open(c->ctx, &q, &opened, &fd);
    set_perf_state(c);
    r = reply(c, WIRE_ANS_PERF_OPEN, &opened, sizeof(opened), NULL, 0,
              opened.result == 0 ? fd : -1);
    if (fd >= 0)
        (void)close(fd);
    if (r == 0 && opened.result == 0)
        r = send_rings(c, q.slot, 0, opened.rings);
    return r;
}

static int slot_of(struct call *c, struct wire_slot *ret)
{
    memcpy(ret, c->p->body, sizeof(*ret));
    if (ret->slot >= WIRE_PERF_SLOTS || !c->ops->perf_is_open(c->ctx, ret->slot))
        return broken(c, "a perf session that is not open");
    return 0;
}

static int on_perf_enable(struct call *c)
{
    struct wire_result res = {0};
    struct wire_slot q;
    int r = slot_of(c, &q);

    if (r)
        return r;
    if (q.value > 1)
        return broken(c, "neither on nor off");
    res.result = c->ops->perf_enable(c->ctx, q.slot, (int)q.value);
    return reply(c, WIRE_ANS_PERF_ENABLE, &res, sizeof(res), NULL, 0, -1);
}

static int on_perf_tick(struct call *c)
{
    struct wire_period periods[WIRE_TICK_MAX];
    struct wire_perf_ticked ticked = {0};
    uint32_t from = 0;
    struct wire_slot q;
    int r = slot_of(c, &q);

    if (r)
        return r;
    if (q.value > WIRE_TICK_MAX || c->p->head.bytes != sizeof(q) + q.value * sizeof(periods[0]))
        return broken(c, "a count that does not fit the length");
    memcpy(periods, c->p->body + sizeof(q), q.value * sizeof(periods[0]));
    c->ops->perf_tick(c->ctx, q.slot, periods, q.value, &ticked, &from);
    r = reply(c, WIRE_ANS_PERF_TICK, &ticked, sizeof(ticked), NULL, 0, -1);
    return r ? r : send_rings(c, q.slot, from, ticked.rings);
}

static int on_perf_close(struct call *c)
{
    struct wire_perf_closed closed = {0};
    struct wire_slot q;
    int r = slot_of(c, &q);

    if (r)
        return r;
    c->ops->perf_close(c->ctx, q.slot, &closed);
    set_perf_state(c);
    return reply(c, WIRE_ANS_PERF_CLOSE, &closed, sizeof(closed), NULL, 0, -1);
}

static int on_rate(struct call *c)
{
    struct wire_result res = {0};
    struct wire_rate_ask q;

    memcpy(&q, c->p->body, sizeof(q));
    res.result = c->ops->rate(c->ctx, &q);
    if (res.result == -EPROTO)
        return broken(c, "a rate with impossible values");
    return reply(c, WIRE_ANS_RATE, &res, sizeof(res), NULL, 0, -1);
}

static int on_members(struct call *c)
{
    struct wire_members members = {0};
    struct wire_gen q;

    memcpy(&q, c->p->body, sizeof(q));
    c->ops->members(c->ctx, q.generation, &members);
    return reply(c, WIRE_ANS_MEMBERS, &members, sizeof(members), NULL, 0, -1);
}

static int on_stops_open(struct call *c)
{
    struct wire_stops_opened opened = {0};
    struct wire_gen q;

    memcpy(&q, c->p->body, sizeof(q));
    c->ops->stops_open(c->ctx, q.generation, &opened);
    return reply(c, WIRE_ANS_STOPS_OPEN, &opened, sizeof(opened), NULL, 0, -1);
}

static int on_stops(struct call *c)
{
    struct wire_stop rows[WIRE_STOPS_MAX];
    struct wire_stops stops = {0};
    struct wire_stops_ask q;

    memcpy(&q, c->p->body, sizeof(q));
    if (q.tick > 1)
        return broken(c, "neither a tick nor none");
    c->ops->stops(c->ctx, &q, &stops, rows);
    return reply(c, WIRE_ANS_STOPS, &stops, sizeof(stops), rows, stops.count * sizeof(rows[0]), -1);
}

static int on_stops_close(struct call *c)
{
    struct wire_result res = {0};

    c->ops->stops_close(c->ctx);
    return reply(c, WIRE_ANS_STOPS_CLOSE, &res, sizeof(res), NULL, 0, -1);
}

static int on_waits(struct call *c)
{
    struct wire_wait rows[WIRE_WAITS_MAX];
    struct wire_waits waits = {0};
    struct wire_waits_ask q;

    memcpy(&q, c->p->body, sizeof(q));
    c->ops->waits(c->ctx, &q, &waits, rows);
    return reply(c, WIRE_ANS_WAITS, &waits, sizeof(waits), rows, waits.count * sizeof(rows[0]), -1);
}

static int on_blame(struct call *c)
{
    c->ops->blame(c->ctx);
    return 0;
}

int answer_guard_one(struct link *l, const struct answer_guard_ops *ops, void *ctx)
{
    static const struct {
        enum wire_type type;
        int (*handle)(struct call *c);
    } handlers[] = {
        {WIRE_ASK_HELLO, on_hello},
        {WIRE_ASK_MAPS, on_maps},
        {WIRE_ASK_FILE, on_file},
        {WIRE_ASK_READ, on_read},
        {WIRE_ASK_CMDLINE, on_cmdline},
        {WIRE_ASK_PERF_OPEN, on_perf_open},
        {WIRE_ASK_PERF_ENABLE, on_perf_enable},
        {WIRE_ASK_PERF_TICK, on_perf_tick},
        {WIRE_ASK_PERF_CLOSE, on_perf_close},
        {WIRE_ASK_RATE, on_rate},
        {WIRE_ASK_MEMBERS, on_members},
        {WIRE_ASK_STOPS_OPEN, on_stops_open},
        {WIRE_ASK_STOPS, on_stops},
        {WIRE_ASK_STOPS_CLOSE, on_stops_close},
        {WIRE_ASK_WAITS, on_waits},
        {WIRE_TELL_BLAME, on_blame},
    };
    struct packet p;
    struct call c = {.link = l, .ops = ops, .ctx = ctx, .p = &p};
    int r = link_recv(l, 0, &p);

    if (r)
        return r;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].type == p.head.type) {
            r = handlers[i].handle(&c);
            /* a sampler that does not read its answers is as broken as one that asks nonsense */
            return r == -EAGAIN ? broken(&c, "does not read its answers") : r;
        }
    }
    packet_drop_fds(&p);
    return broken(&c, "no question");
}

int answer_guard_tell(struct link *l, const struct wire_target *target)
{
    return link_send(l, WIRE_TELL_TARGET, 0, target, sizeof(*target), NULL, 0, NULL, 0);
}
