#include "wire/ask_guard.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static int target_ok(const struct wire_target *t)
{
    return t->state <= WIRE_TARGET_AMBIGUOUS && t->mode <= WIRE_MODE_RESTRICTED && t->all <= 1 &&
           codec_rates_ok(t->rate) && codec_text_ok(t->name, sizeof(t->name)) &&
           codec_text_ok(t->container, sizeof(t->container)) &&
           codec_text_ok(t->reason, sizeof(t->reason));
}

static int take_news(struct ask_guard *g)
{
    struct wire_target t;

    memcpy(&t, g->packet.body, sizeof(t));
    if (!target_ok(&t)) {
        g->link.why = "news of a target with impossible values";
        return -EPROTO;
    }
    g->target = t;
    return 0;
}

/* The next packet that is no news, of this type and id. */
static int await(struct ask_guard *g, enum wire_type type, uint32_t id)
{
    uint64_t deadline = clock_mono_ns() + ASK_GUARD_TIMEOUT_MS * CLOCK_NS_PER_MS;

    for (;;) {
        int r = link_recv(&g->link, clock_wait_ms(deadline), &g->packet);

        if (r == -EAGAIN)
            return -ETIMEDOUT;
        if (r)
            return r;
        if (g->packet.head.type == WIRE_TELL_TARGET) {
            r = take_news(g);
            if (r)
                return r;
            continue;
        }
        if (g->packet.head.type == type && g->packet.head.id == id)
            return 0;
        packet_drop_fds(&g->packet);
        g->link.why = "an answer to another question";
        return -EPROTO;
    }
}

static int ask(struct ask_guard *g, enum wire_type question, enum wire_type answer,
               const void *body, size_t body_bytes, const void *tail, size_t tail_bytes)
{
    uint32_t id = g->link.next_id++;
    int r = link_send(&g->link, question, id, body, body_bytes, tail, tail_bytes, NULL, 0);

    return r ? r : await(g, answer, id);
}

/* A struct wire_result with a descriptor exactly when it succeeded. */
static int result_fd(struct ask_guard *g, int *ret_fd, uint32_t *ret_value)
{
    struct wire_result res;

    memcpy(&res, g->packet.body, sizeof(res));
    if (res.result > 0 || (res.result == 0) != (g->packet.head.fds == 1)) {
        packet_drop_fds(&g->packet);
        g->link.why = "a result that does not fit its descriptor";
        return -EPROTO;
    }
    if (res.result)
        return res.result;
    *ret_fd = g->packet.fds[0];
    if (ret_value)
        *ret_value = res.value;
    return 0;
}

static int result_only(struct ask_guard *g)
{
    struct wire_result res;

    memcpy(&res, g->packet.body, sizeof(res));
    if (res.result > 0) {
        g->link.why = "a positive result";
        return -EPROTO;
    }
    return res.result;
}

int ask_guard_open(struct ask_guard *g, int fd, int arena_fd)
{
    struct wire_hello hello = {.version = WIRE_MAGIC};
    struct stat st;
    void *p;
    int r;

    memset(g, 0, sizeof(*g));
    link_init(&g->link, fd, WIRE_ROLE_SAMPLER, WIRE_ROLE_GUARD);
    g->link.turn.state = WIRE_STATE_RUN;
    if (fstat(arena_fd, &st) != 0 || st.st_size != WIRE_ARENA_BYTES) {
        (void)close(arena_fd);
        return -EINVAL;
    }
    p = mmap(NULL, WIRE_ARENA_BYTES, PROT_READ, MAP_SHARED, arena_fd, 0);
    (void)close(arena_fd);
    if (p == MAP_FAILED)
        return -errno;
    g->arena = p;
    r = ask(g, WIRE_ASK_HELLO, WIRE_ANS_HELLO, &hello, sizeof(hello), NULL, 0);
    return r ? r : take_news(g);
}

void ask_guard_close(struct ask_guard *g)
{
    if (!g)
        return;
    if (g->arena)
        (void)munmap((void *)(uintptr_t)g->arena, WIRE_ARENA_BYTES);
    g->arena = NULL;
    link_close(&g->link);
}

int ask_guard_news(struct ask_guard *g)
{
    for (;;) {
        int r = link_recv(&g->link, 0, &g->packet);

        if (r == -EAGAIN)
            return 0;
        if (r == 0 && g->packet.head.type != WIRE_TELL_TARGET) {
            packet_drop_fds(&g->packet);
            g->link.why = "an answer without a question";
            return -EPROTO;
        }
        if (r == 0)
            r = take_news(g);
        if (r)
            return r;
    }
}

int ask_guard_maps(struct ask_guard *g, uint32_t generation, int *ret_fd, int *ret_truncated)
{
    struct wire_gen q = {.generation = generation};
    uint32_t truncated = 0;
    int r = ask(g, WIRE_ASK_MAPS, WIRE_ANS_MAPS, &q, sizeof(q), NULL, 0);

    if (r == 0)
        r = result_fd(g, ret_fd, &truncated);
    if (r == 0)
        *ret_truncated = truncated != 0;
    return r;
}

int ask_guard_file(struct ask_guard *g, uint32_t generation, uint64_t start, uint64_t inode,
                   int *ret_fd)
{
    struct wire_file q = {.generation = generation, .start = start, .inode = inode};
    int r = ask(g, WIRE_ASK_FILE, WIRE_ANS_FILE, &q, sizeof(q), NULL, 0);

    return r ? r : result_fd(g, ret_fd, NULL);
}

int ask_guard_cmdline(struct ask_guard *g, uint32_t generation, int *ret_fd)
{
    struct wire_gen q = {.generation = generation};
    int r = ask(g, WIRE_ASK_CMDLINE, WIRE_ANS_CMDLINE, &q, sizeof(q), NULL, 0);

    return r ? r : result_fd(g, ret_fd, NULL);
}

size_t ask_guard_offset(const struct wire_range *ranges, size_t i)
{
    size_t at = 0;

    for (size_t k = 0; k < i; k++)
        at += ((size_t)ranges[k].bytes + 7) & ~(size_t)7;
    return at;
}

int ask_guard_read(struct ask_guard *g, uint32_t generation, const struct wire_range *ranges,
                   size_t count, uint32_t *ret_got)
{
    struct wire_read q = {.generation = generation, .count = (uint32_t)count};
    struct wire_result res;
    int r;

    if (count == 0)
        return 0;
    if (count > WIRE_READ_MAX_RANGES || ask_guard_offset(ranges, count) > WIRE_ARENA_BYTES)
        return -EMSGSIZE;
    r = ask(g, WIRE_ASK_READ, WIRE_ANS_READ, &q, sizeof(q), ranges, count * sizeof(*ranges));
    if (r)
        return r;
    memcpy(&res, g->packet.body, sizeof(res));
    if (res.result < 0)
        return res.result;
    if (res.result != 0 || res.value != count ||
        g->packet.head.bytes != sizeof(res) + count * sizeof(uint32_t)) {
        g->link.why = "another number of ranges than asked";
        return -EPROTO;
    }
    memcpy(ret_got, g->packet.body + sizeof(res), count * sizeof(uint32_t));
    for (size_t i = 0; i < count; i++) {
        if (ret_got[i] > ranges[i].bytes) {
            g->link.why = "more bytes than asked";
            return -EPROTO;
        }
    }
    return 0;
}

int ask_guard_copy(struct ask_guard *g, uint32_t generation, uint64_t address, void *out,
                   size_t bytes)
{
    struct wire_range range = {.address = address, .bytes = (uint32_t)bytes};
    uint32_t got = 0;
    int r;

    if (bytes > WIRE_ARENA_BYTES)
        return -EMSGSIZE;
    r = ask_guard_read(g, generation, &range, 1, &got);
    if (r)
        return r;
    if (got != bytes)
        return -EFAULT;
    memcpy(out, g->arena, bytes);
    return 0;
}

static int opened_ok(const struct wire_perf_opened *o)
{
    if (o->result > 0 || !codec_text_ok(o->text, sizeof(o->text)))
        return 0;
    if (o->result < 0)
        return 1;
    return (o->shape == WIRE_PERF_PER_CPU || o->shape == WIRE_PERF_PER_THREAD) && o->kernel <= 1 &&
           o->rings >= 1 && o->rings <= WIRE_PERF_RINGS_MAX && o->ring_pages >= 1 &&
           o->ring_pages <= 65536 && (o->ring_pages & (o->ring_pages - 1)) == 0 && o->events >= 1 &&
           o->events <= WIRE_PERF_EVENTS_MAX;
}

int ask_guard_perf_open(struct ask_guard *g, const struct wire_perf_open *open,
                        struct wire_perf_opened *ret, int *ret_events_fd)
{
    int r = ask(g, WIRE_ASK_PERF_OPEN, WIRE_ANS_PERF_OPEN, open, sizeof(*open), NULL, 0);

    if (r)
        return r;
    memcpy(ret, g->packet.body, sizeof(*ret));
    if (!opened_ok(ret) || (ret->result == 0) != (g->packet.head.fds == 1)) {
        packet_drop_fds(&g->packet);
        g->link.why = "perf events with impossible values";
        return -EPROTO;
    }
    *ret_events_fd = ret->result == 0 ? g->packet.fds[0] : -1;
    return 0;
}

int ask_guard_perf_rings(struct ask_guard *g, uint32_t slot, struct wire_perf_rings *ret,
                         int fds[static WIRE_FDS_MAX])
{
    int r = await(g, WIRE_ANS_PERF_RINGS, 0);

    if (r)
        return r;
    memcpy(ret, g->packet.body, sizeof(*ret));
    if (ret->slot != slot || ret->count != g->packet.head.fds || ret->count == 0) {
        packet_drop_fds(&g->packet);
        g->link.why = "rings of another session";
        return -EPROTO;
    }
    memcpy(fds, g->packet.fds, ret->count * sizeof(int));
    return 0;
}

int ask_guard_perf_enable(struct ask_guard *g, uint32_t slot, int on)
{
    struct wire_slot q = {slot, on ? 1 : 0};
    int r = ask(g, WIRE_ASK_PERF_ENABLE, WIRE_ANS_PERF_ENABLE, &q, sizeof(q), NULL, 0);

    return r ? r : result_only(g);
}

int ask_guard_perf_tick(struct ask_guard *g, uint32_t slot, const struct wire_period *periods,
                        size_t count, struct wire_perf_ticked *ret)
{
    struct wire_slot q = {slot, (uint32_t)count};
    int r;

    if (count > WIRE_TICK_MAX)
        return -EMSGSIZE;
    r = ask(g, WIRE_ASK_PERF_TICK, WIRE_ANS_PERF_TICK, &q, sizeof(q), periods,
            count * sizeof(*periods));
    if (r)
        return r;
    memcpy(ret, g->packet.body, sizeof(*ret));
    if (ret->result > 0 || ret->rings > WIRE_PERF_RINGS_MAX) {
        g->link.why = "a tick with impossible values";
        return -EPROTO;
    }
    return 0;
}

int ask_guard_perf_close(struct ask_guard *g, uint32_t slot, struct wire_perf_closed *ret)
{
    struct wire_slot q = {slot, 0};
    int r = ask(g, WIRE_ASK_PERF_CLOSE, WIRE_ANS_PERF_CLOSE, &q, sizeof(q), NULL, 0);

    if (r == 0)
        memcpy(ret, g->packet.body, sizeof(*ret));
    return r;
}

int ask_guard_rate(struct ask_guard *g, const struct wire_rate_ask *want)
{
    int r = ask(g, WIRE_ASK_RATE, WIRE_ANS_RATE, want, sizeof(*want), NULL, 0);

    return r ? r : result_only(g);
}

int ask_guard_members(struct ask_guard *g, uint32_t generation, struct wire_members *ret)
{
    struct wire_gen q = {.generation = generation};
    struct wire_members m;
    int r = ask(g, WIRE_ASK_MEMBERS, WIRE_ANS_MEMBERS, &q, sizeof(q), NULL, 0);

    if (r)
        return r;
    memcpy(&m, g->packet.body, sizeof(m));
    if (!codec_members_ok(&m)) {
        g->link.why = "members with impossible values";
        return -EPROTO;
    }
    *ret = m;
    return 0;
}

/* Rows behind a body of ${bytes}, as many as it says. */
static bool rows_fit(const struct ask_guard *g, size_t bytes, uint32_t count, uint32_t max,
                     size_t row_bytes)
{
    return count <= max && g->packet.head.bytes == bytes + count * row_bytes;
}

static int broke(struct ask_guard *g, const char *why)
{
    g->link.why = why;
    return -EPROTO;
}

int ask_guard_stops_open(struct ask_guard *g, struct wire_stops_opened *ret)
{
    struct wire_gen q = {.generation = g->target.generation};
    int r = ask(g, WIRE_ASK_STOPS_OPEN, WIRE_ANS_STOPS_OPEN, &q, sizeof(q), NULL, 0);

    if (r)
        return r;
    memcpy(ret, g->packet.body, sizeof(*ret));
    if (ret->result > 0 || !codec_text_ok(ret->text, sizeof(ret->text)))
        return broke(g, "stops with impossible values");
    return 0;
}

int ask_guard_stops(struct ask_guard *g, const struct wire_stops_ask *want, struct wire_stops *ret,
                    struct wire_stop ret_rows[static WIRE_STOPS_MAX])
{
    int r = ask(g, WIRE_ASK_STOPS, WIRE_ANS_STOPS, want, sizeof(*want), NULL, 0);

    if (r)
        return r;
    memcpy(ret, g->packet.body, sizeof(*ret));
    if (ret->result > 0 || (ret->result && ret->count) || ret->pending > WIRE_STOPS_MAX ||
        !rows_fit(g, sizeof(*ret), ret->count, WIRE_STOPS_MAX, sizeof(*ret_rows)))
        return broke(g, "stops with impossible values");
    memcpy(ret_rows, g->packet.body + sizeof(*ret), ret->count * sizeof(*ret_rows));
    for (uint32_t i = 0; i < ret->count; i++) {
        if (ret_rows[i].stack_bytes > WIRE_STOP_STACK_BYTES ||
            ret_rows[i].flags & ~(uint32_t)WIRE_STOP_KERNEL)
            return broke(g, "a stop with impossible values");
    }
    return 0;
}

int ask_guard_stops_close(struct ask_guard *g)
{
    struct wire_none q = {0};
    int r = ask(g, WIRE_ASK_STOPS_CLOSE, WIRE_ANS_STOPS_CLOSE, &q, sizeof(q), NULL, 0);

    return r ? r : result_only(g);
}

int ask_guard_waits(struct ask_guard *g, const struct wire_waits_ask *want, struct wire_waits *ret,
                    struct wire_wait ret_rows[static WIRE_WAITS_MAX])
{
    int r = ask(g, WIRE_ASK_WAITS, WIRE_ANS_WAITS, want, sizeof(*want), NULL, 0);

    if (r)
        return r;
    memcpy(ret, g->packet.body, sizeof(*ret));
    if (ret->result > 0 || (ret->result && ret->count) ||
        !codec_text_ok(ret->text, sizeof(ret->text)) ||
        !rows_fit(g, sizeof(*ret), ret->count, WIRE_WAITS_MAX, sizeof(*ret_rows)))
        return broke(g, "waits with impossible values");
    memcpy(ret_rows, g->packet.body + sizeof(*ret), ret->count * sizeof(*ret_rows));
    for (uint32_t i = 0; i < ret->count; i++) {
        if (ret_rows[i].stack_bytes > WIRE_WAIT_STACK_BYTES ||
            ret_rows[i].state >= WIRE_WAIT_STATES ||
            !codec_text_ok(ret_rows[i].comm, sizeof(ret_rows[i].comm)))
            return broke(g, "a wait with impossible values");
    }
    return 0;
}

int ask_guard_blame(struct ask_guard *g)
{
    struct wire_result body = {0};

    return link_send(&g->link, WIRE_TELL_BLAME, 0, &body, sizeof(body), NULL, 0, NULL, 0);
}
