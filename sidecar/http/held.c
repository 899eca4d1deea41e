/*
 * The list of all connections (limits.h) is walked for each answer and each newcomer that finds no
 * place: a few hundred entries at most, and no account of bytes that could disagree with them.
 */
#include "sidecar/http/held.h"

#include "base/clock.h"
#include "sidecar/http/bytes.h"
#include "sidecar/http/conn_priv.h"

uint64_t held_rate(const struct held_pace *p)
{
    if (p->stalled_ms >= HELD_STALLED_MS)
        return 0;
    return (p->sent + HELD_CREDIT_BYTES) * 1000 / (p->age_ms + HELD_CREDIT_MS);
}

bool held_is_slow(const struct held_pace *p)
{
    if (p->stalled_ms >= HELD_STALLED_MS)
        return true;
    return p->age_ms >= HELD_SLOW_MS && p->sent * 1000 / p->age_ms < HELD_SLOW_BYTES_PER_SEC;
}

size_t held_cost(const struct server_bytes *b)
{
    return b ? (b->buf.len + b->bulk.bytes) / b->references : 0;
}

static bool is_writing(const struct conn *c)
{
    return c->state == STATE_WRITE && !c->answer.flow;
}

/* The timer of this state is set anew with each progress. */
static struct held_pace pace_of(const struct conn *c, uint64_t now_ns)
{
    uint64_t left_ms = uv_timer_get_due_in(&c->timer);

    return (struct held_pace){
        .sent = c->answer.sent,
        .age_ms = now_ns > c->answer_ns ? (now_ns - c->answer_ns) / CLOCK_NS_PER_MS : 0,
        .stalled_ms = left_ms < SERVER_NO_PROGRESS_MS ? SERVER_NO_PROGRESS_MS - left_ms : 0,
    };
}

/* The kernel takes as much at once: nobody has to go for it, and its going would not help. */
static bool is_small(const struct conn *c)
{
    return held_cost(c->answer.bytes) <= SERVER_WINDOW_BYTES;
}

/* The slowest but for `but`, the oldest of several; NULL: nobody else has an answer. */
static struct conn *slowest(struct conn_env *env, const struct conn *but, uint64_t now_ns)
{
    struct conn *found = NULL;
    uint64_t least = UINT64_MAX;

    for (struct limits_entry *e = env->limits.first; e; e = e->next) {
        struct conn *c = conn_of_entry(e);
        struct held_pace pace;

        if (c == but || !is_writing(c) || is_small(c))
            continue;
        pace = pace_of(c, now_ns);
        if (held_rate(&pace) < least) {
            least = held_rate(&pace);
            found = c;
        }
    }
    return found;
}

static size_t held(struct conn_env *env)
{
    size_t bytes = 0;

    for (struct limits_entry *e = env->limits.first; e; e = e->next)
        bytes += held_cost(conn_of_entry(e)->answer.bytes);
    return bytes;
}

void held_make_room(struct conn *c)
{
    uint64_t now = clock_mono_ns();
    struct conn *victim;

    if (is_small(c))
        return;
    while (held(c->env) > HELD_MAX_BYTES && (victim = slowest(c->env, c, now))) {
        c->env->counts.evicted++;
        conn_drop(victim);
    }
}

size_t held_yield(struct conn_env *env)
{
    uint64_t now = clock_mono_ns();
    size_t n = 0;

    for (struct limits_entry *e = env->limits.first; e; e = e->next) {
        struct conn *c = conn_of_entry(e);
        struct held_pace pace;

        if (!is_writing(c) || e->rank != LIMITS_BUSY)
            continue;
        pace = pace_of(c, now);
        if (held_is_slow(&pace)) {
            e->rank = LIMITS_IDLE;
            n++;
        }
    }
    return n;
}
