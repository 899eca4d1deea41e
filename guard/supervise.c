/* The children over time: started, broken, dead, started again; and the end of it all. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "guard/guard.h"
#include "wire/codec.h"

static void say_note(struct guard *g, const char *text)
{
    codec_text(g->note, sizeof(g->note), text);
    g->status_due = true;
}

static void drop_sampler(struct guard *g)
{
    guard_perf_release(&g->perf);
    guard_stops_close(&g->stops);
    link_close(&g->to_sampler);
    if (g->sampler_for_front >= 0)
        (void)close(g->sampler_for_front);
    g->sampler_for_front = -1;
}

/* A sampler with its two links: ours, and one whose other end goes to the front. */
static int start_sampler(struct guard *g, struct err *e)
{
    static const char *const formats[] = {"auto", "json", "text"};
    const char *const args[] = {
        log_level_name(g->client ? LOG_LEVEL_WARN : (enum log_level)g->plan.log_level),
        formats[g->plan.log_format],
        NULL,
    };
    int ours[2] = {-1, -1};
    int fronts[2] = {-1, -1};
    struct child_want want = {.program = "pillion-sampler",
                              .args = args,
                              .fds_count = 3,
                              .uid = SANDBOX_UID,
                              .empty_environment = true,
                              .no_output = true};
    pid_t pid;
    int r = link_pair(ours);

    if (r == 0)
        r = link_pair(fronts);
    if (r) {
        (void)err_set(e, r, "cannot make a socket pair: %s", strerror(-r));
        goto out;
    }
    want.fds[0] = ours[1];
    want.fds[1] = g->target.arena_fd;
    want.fds[2] = fronts[1];
    r = child_start(&want, &pid, e);
    if (r)
        goto out;
    drop_sampler(g);
    child_started(&g->sampler, pid);
    answer_guard_open(&g->to_sampler, ours[0]);
    g->sampler_for_front = fronts[0];
    ours[0] = fronts[0] = -1;
    say_note(g, "");
out:
    for (int i = 0; i < 2; i++) {
        if (ours[i] >= 0)
            (void)close(ours[i]);
        if (fronts[i] >= 0)
            (void)close(fronts[i]);
    }
    return r;
}

static int start_front(struct guard *g, struct err *e)
{
    const char *args[CHILD_ARGS_MAX + 1] = {"--guard-fd", "3"};
    struct child_want want = {.program = "pillion-sidecar", .args = args, .fds_count = 1};
    int pair[2];
    pid_t pid;
    int r;

    for (int i = 0; g->args[i]; i++) {
        if (i + 3 > CHILD_ARGS_MAX)
            return err_set(e, -E2BIG, "more than %d arguments", CHILD_ARGS_MAX - 2);
        args[i + 2] = g->args[i];
    }
    if (g->plan.front_uid_drop)
        want.uid = SANDBOX_UID;
    r = link_pair(pair);
    if (r)
        return err_set(e, r, "cannot make a socket pair: %s", strerror(-r));
    want.fds[0] = pair[1];
    r = child_start(&want, &pid, e);
    (void)close(pair[1]);
    if (r) {
        (void)close(pair[0]);
        return r;
    }
    child_started(&g->front, pid);
    front_guard_open(&g->to_front, pair[0]);
    g->front_ready = false;
    g->status_due = true;
    return 0;
}

/* A child without its link is of no use, and one that stays all the same means no good. */
static void end_lingering(struct child *c, const char *name)
{
    if (c->ends_by_ns == 0 || clock_wait_ms(c->ends_by_ns) > 0)
        return;
    log_error("child closed its link and does not end", LOG_STR("child", name));
    c->ends_by_ns = 0;
    child_kill(c);
}

void supervise_run(struct guard *g)
{
    struct err e = {0};

    if (g->ending || g->done)
        return;
    end_lingering(&g->sampler, "sampler");
    end_lingering(&g->front, "sidecar");
    if (!g->client && g->front.pid == 0 && clock_wait_ms(g->front.start_at_ns) == 0 &&
        start_front(g, &e) != 0) {
        log_error("the sidecar cannot be started", LOG_STR("reason", e.text));
        g->front.start_at_ns = clock_mono_ns() + CHILD_BACKOFF_MAX_MS * CLOCK_NS_PER_MS;
    }
    if (g->sampler.pid == 0 && clock_wait_ms(g->sampler.start_at_ns) == 0 &&
        start_sampler(g, &e) != 0) {
        log_error("the sampler cannot be started", LOG_STR("reason", e.text));
        say_note(g, e.text);
        g->sampler.start_at_ns = clock_mono_ns() + CHILD_BACKOFF_MAX_MS * CLOCK_NS_PER_MS;
    }
}

static void log_end(const struct guard *g, const struct child *c, const char *name)
{
    if (g->ending || (g->client && c->last_code == 0)) /* the recording is over */
        return;
    log_warn("child ended", LOG_STR("child", name),
             LOG_STR(c->last_signal ? "signal" : NULL, sigabbrev_np(c->last_signal)),
             LOG_I64(c->last_signal ? NULL : "exit", c->last_code),
             LOG_U64("restart_in_ms", c->backoff_ms));
}

static void sampler_ended(struct guard *g, int status)
{
    char text[128];

    child_ended(&g->sampler, status);
    log_end(g, &g->sampler, "sampler");
    drop_sampler(g);
    if (g->sampler.last_signal)
        (void)snprintf(text, sizeof(text), "the sampler died (SIG%s) and is being restarted",
                       sigabbrev_np(g->sampler.last_signal));
    else
        (void)snprintf(text, sizeof(text), "the sampler ended (exit %d) and is being restarted",
                       g->sampler.last_code);
    say_note(g, text);
}

static void front_ended(struct guard *g, int status)
{
    bool steady = clock_mono_ns() - g->front.started_ns > CHILD_STEADY_MS * CLOCK_NS_PER_MS;

    child_ended(&g->front, status);
    link_close(&g->to_front);
    if (g->ending) {
        g->done = true;
        g->exit_code = g->front.last_code > 0 ? g->front.last_code : 0;
        return;
    }
    if (!g->front_ready && g->front.last_code == 2) { /* it cannot run, and has said why */
        g->done = true;
        g->exit_code = 2;
        return;
    }
    log_end(g, &g->front, "sidecar");
    g->front_tries = steady ? 0 : g->front_tries + 1;
    if (g->front_tries >= GUARD_FRONT_TRIES_MAX) {
        log_error("the sidecar does not stay up: giving up", LOG_U64("tries", g->front_tries));
        g->done = true;
        g->exit_code = 1;
    }
    /* the sampler sees the end of its link to the front and ends too: both come back as a pair */
    g->sampler.backoff_ms = 0;
}

void supervise_reap(struct guard *g)
{
    int status;
    pid_t pid;

    g->reap_due = false;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == g->sampler.pid)
            sampler_ended(g, status);
        else if (pid == g->front.pid)
            front_ended(g, status);
        else /* a thread that is held for a sample; as PID 1 of a container also orphans */
            guard_stops_status(&g->stops, &g->target, pid, status);
    }
}

void supervise_broken(struct guard *g, struct child *who, const char *why)
{
    log_error("child broke the rules and is ended",
              LOG_STR("child", who == &g->sampler ? "sampler" : "sidecar"), LOG_STR("why", why));
    if (who == &g->sampler)
        drop_sampler(g);
    else
        link_close(&g->to_front);
    child_kill(who);
}

/* Not its fault, but the one question has taken its answer's place on the link. */
void supervise_blocked(struct guard *g)
{
    if (g->sampler.pid == 0)
        return;
    drop_sampler(g);
    child_kill(&g->sampler);
}

void supervise_front_closed(struct guard *g)
{
    link_close(&g->to_front);
    child_lingers(&g->front);
    if (g->client) { /* the recording is over */
        g->done = true;
        g->exit_code = 0;
    }
}

void supervise_end(struct guard *g)
{
    if (g->ending)
        return;
    g->ending = true;
    g->ends_at_ns = clock_mono_ns() + g->plan.drain_ms * CLOCK_NS_PER_MS;
    if (g->client || g->front.pid == 0) {
        g->done = true;
        return;
    }
    (void)kill(g->front.pid, SIGTERM);
}

void supervise_kill_all(struct guard *g)
{
    child_kill(&g->sampler);
    child_kill(&g->front);
    drop_sampler(g);
    link_close(&g->to_front);
}
