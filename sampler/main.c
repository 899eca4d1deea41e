/*
 * pillion-sampler: sees the target. Started by the guard with three descriptors and nothing else:
 * 3 the link to the guard, 4 the arena for memory reads, 5 the link to the front.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "sampler/rates.h"
#include "sampler/sampler.h"

#if defined(__SANITIZE_ADDRESS__)
/* The leak check at exit needs to trace ourselves, which the sandbox forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

enum {
    FD_GUARD = 3,
    FD_ARENA = 4,
    FD_FRONT = 5,
    SAMPLER_NOFILE = 4096, /* rings and mapped files; all come from the guard */
    POLL_GUARD = 0,
    POLL_FRONT = 1,
    POLL_FIRST = 2,
    POLL_MAX = POLL_FIRST + WIRE_PERF_RINGS_MAX,
};

/* Everything there is to wait for; the number of descriptors and the time. */
static nfds_t gather(struct sampler *s, struct pollfd *fds, size_t counts[static WIRE_PERF_SLOTS],
                     int *ret_wait_ms)
{
    nfds_t n = POLL_FIRST;
    int wait = INT_MAX;
    bool any = false;

    fds[POLL_GUARD] = (struct pollfd){.fd = s->guard.link.fd, .events = POLLIN};
    fds[POLL_FRONT] = (struct pollfd){.fd = s->front.fd, .events = POLLIN};
    for (size_t i = 0; i < WIRE_PERF_SLOTS; i++) {
        int ms;

        counts[i] = 0;
        if (!s->recordings[i])
            continue;
        any = true;
        counts[i] = feed_poll(&s->recordings[i]->feed, fds + n, POLL_MAX - n);
        n += counts[i];
        ms = recording_wait_ms(s->recordings[i]);
        wait = ms < wait ? ms : wait;
    }
    if (rates_wait_ms(s) >= 0) {
        any = true;
        wait = rates_wait_ms(s) < wait ? rates_wait_ms(s) : wait;
    }
    *ret_wait_ms = any ? wait : -1;
    return n;
}

/* Not a reason to go on: who sends such packets, or reads none, may be anybody by now. */
static int front_broke(struct sampler *s)
{
    log_error("the front broke the rules", LOG_STR("why", s->front.why));
    (void)ask_guard_blame(&s->guard);
    return -EPROTO;
}

static int step(struct sampler *s)
{
    static struct pollfd fds[POLL_MAX]; /* large, and there is one loop */
    size_t counts[WIRE_PERF_SLOTS];
    int wait;
    nfds_t n = gather(s, fds, counts, &wait);
    nfds_t at = POLL_FIRST;
    int r = 0;

    if (poll(fds, n, s->waiting_count ? 0 : wait) < 0)
        return errno == EINTR ? 0 : -errno;
    for (size_t i = 0; i < WIRE_PERF_SLOTS; i++) {
        if (s->recordings[i])
            feed_polled(&s->recordings[i]->feed, fds + at, counts[i]);
        at += counts[i];
    }
    r = serve_recordings(s); /* first: labels age */
    if (r == 0 && fds[POLL_GUARD].revents)
        r = ask_guard_news(&s->guard);
    if (r == 0)
        r = rates_run(s);
    if (r == 0 && (fds[POLL_FRONT].revents || s->waiting_count)) {
        r = serve_front(s);
        r = r == -EAGAIN ? 0 : r;
    }
    return r == -EPROTO && s->front.why[0] ? front_broke(s) : r;
}

static int prepare(struct sampler *s, struct err *e)
{
    struct sandbox_want want = {.role = SANDBOX_SAMPLER, .nofile = SAMPLER_NOFILE};
    struct sandbox_state state;
    int r = sandbox_enter(&want, &state, e);

    if (r)
        return r;
    sandbox_log(&state);
    answer_sampler_open(&s->front, FD_FRONT);
    r = ask_guard_open(&s->guard, FD_GUARD, FD_ARENA);
    if (r)
        return err_set(e, r, "no guard to talk to: %s", strerror(-r));
    return 0;
}

/* pillion-sampler LEVEL FORMAT, from the guard's plan. */
static void set_log(int argc, char **argv)
{
    enum log_level level = LOG_LEVEL_INFO;
    enum log_format format = LOG_FORMAT_AUTO;

    if (argc > 1)
        (void)log_level_from(argv[1], &level);
    if (argc > 2 && strcmp(argv[2], "json") == 0)
        format = LOG_FORMAT_JSON;
    if (argc > 2 && strcmp(argv[2], "text") == 0)
        format = LOG_FORMAT_TEXT;
    log_setup("sampler", level, format);
}

int main(int argc, char **argv)
{
    static struct sampler s; /* too large for the stack */
    struct err e = {0};
    int r;

    sandbox_undumpable();
    (void)signal(SIGPIPE, SIG_IGN);
    /* a terminal's Ctrl-C and a service manager's SIGTERM to all of a group are the guard's to act
     * on: what runs is finished and kept before we are ended */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    set_log(argc, argv);
    r = prepare(&s, &e);
    if (r) {
        log_error("cannot start", LOG_STR("reason", e.text));
        return 2;
    }
    while (r == 0)
        r = step(&s);
    if (r != -EPIPE && !s.front.why[0])
        log_error("ending", LOG_STR("reason", r == -EPROTO ? s.guard.link.why : strerror(-r)));
    return r == -EPIPE ? 0 : 1;
}
