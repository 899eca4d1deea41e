/*
 * A connection's TLS handshake: its turn, its steps, and what a bad one costs the address it comes
 * from (penalty.h).
 */
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "sidecar/http/conn_priv.h"

enum {
    DEAR_MS = 250, /* of CPU for one handshake; the usual is 3, the worst that tls_chain.h lets
                      through far below */
};

/*
 * A handshake is 3 ms of our CPU for some bytes of theirs. Over budget nobody is refused: all wait,
 * and ask again when a token is due; who comes first is chance, so one flooder cannot have them
 * all.
 */
enum conn_step conn_step_token(struct conn *c)
{
    uint64_t now = clock_mono_ns();
    uint64_t left_ms;
    uint32_t wait_ms;

    if (now >= c->handshake_by_ns) {
        c->env->counts.timeouts++;
        return STEP_DEAD;
    }
    left_ms = (c->handshake_by_ns - now) / CLOCK_NS_PER_MS + 1;
    wait_ms = limits_handshake(&c->env->limits, c->entry.known, now);
    conn_set_timer(c, wait_ms && wait_ms < left_ms ? wait_ms : left_ms);
    if (wait_ms)
        return STEP_PAUSE;
    if (!c->env->tls || stream_start_tls(&c->stream, c->env->tls))
        return STEP_DEAD;
    conn_enter(c, STATE_HANDSHAKE);
    return STEP_AGAIN;
}

void conn_say_refused(struct conn *c, const char *why)
{
    c->env->counts.certificates_refused++;
    refusal_say(&c->env->refusal, c->stream.tls, c->request.peer, why, clock_mono_ns());
}

void conn_handshake_left(struct conn *c)
{
    arrival_failed(&c->arrival, PENALTY_HANDSHAKE, clock_mono_ns());
}

/* Not the clock on the wall: a machine that is busy with other things is not their fault. */
static uint64_t cpu_ns(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* cannot fail */
    return (uint64_t)t.tv_sec * CLOCK_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* A certificate cannot be guessed: where others work with good ones, as behind NAT, a bad one is
 * mostly one that has ended, and must not lock them out. */
static void failed(struct conn *c, int r)
{
    uint64_t now = clock_mono_ns();
    bool blamed = tls_conn_blamed(c->stream.tls) && !arrival_is_known(&c->arrival, now);
    char why[256];

    (void)tls_conn_why(c->stream.tls, why, sizeof(why));
    c->env->counts.handshakes_failed++;
    arrival_failed(&c->arrival, blamed ? PENALTY_CREDENTIALS : PENALTY_HANDSHAKE, now);
    if (r == -EACCES)
        conn_say_refused(c, why);
    log_debug("TLS handshake failed", LOG_STR("peer", c->request.peer), LOG_STR("why", why));
}

enum conn_step conn_step_handshake(struct conn *c)
{
    uint64_t began_ns = cpu_ns();
    int r = stream_handshake(&c->stream);

    c->handshake_cpu_ns += cpu_ns() - began_ns;
    if (r == -EAGAIN)
        return conn_later(c, false);
    if (c->handshake_cpu_ns > DEAR_MS * CLOCK_NS_PER_MS)
        arrival_failed(&c->arrival, PENALTY_CREDENTIALS, clock_mono_ns());
    if (r) {
        failed(c, r);
        conn_enter(c, STATE_FINISH);
        return STEP_AGAIN;
    }
    c->env->counts.handshakes++;
    conn_enter(c, STATE_IDLE);
    return STEP_AGAIN;
}
