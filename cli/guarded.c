/*
 * We are a front of the guard, as the sidecar is: the same link, the same rules, a packet that
 * breaks them ends the recording. Everything is waited for in one poll(2); nothing blocks, so that
 * Ctrl-C is always answered. The privileges stay with the guard: this program only asks for "cpu,
 * 10 s" and gets sealed memory back.
 */
#include "cli/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sibling.h"

enum {
    GUARDED_ARGS_MAX = 16,
    GUARDED_STOP_MS = 3000, /* then it is killed */
};

/* Read from a signalfd(2): no handler, no race between looking and waiting. */
static void watched_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGHUP);
    (void)sigaddset(set, SIGPIPE); /* a closed pipe is an error of write(2), not our death */
}

/* Runs in the child up to the exec: system calls only. */
__attribute__((noreturn)) static void become_guard(const char *path, char *const *argv, int fd)
{
    sigset_t set;

    watched_signals(&set);
    /* unblocked again: exec keeps the mask, and the guard has its own idea of signals */
    if (setpgid(0, 0) != 0 || sigprocmask(SIG_UNBLOCK, &set, NULL) != 0 ||
        fcntl(fd, F_SETFD, 0) != 0)
        _exit(127);
    (void)execv(path, argv);
    _exit(127);
}

/* The arguments were checked by us, and are again by the plan that the guard asks for. */
static int fork_guard(struct guarded *g, const char *path, char *verb, char *const *args, int fd,
                      struct err *e)
{
    static char title[] = "pillion-guard", option[] = "--client-fd";
    char *argv[GUARDED_ARGS_MAX + 5] = {title, option, NULL, verb};
    char number[16];
    size_t n = 4;

    (void)snprintf(number, sizeof(number), "%d", fd);
    argv[2] = number;
    for (size_t i = 0; args[i]; i++) {
        if (i == GUARDED_ARGS_MAX)
            return err_set(e, -E2BIG, "too many arguments");
        argv[n++] = args[i];
    }
    g->pid = fork();
    if (g->pid < 0) {
        g->pid = 0;
        return err_set(e, -errno, "cannot start pillion-guard: %m");
    }
    if (g->pid == 0)
        become_guard(path, argv, fd);
    return 0;
}

static int start(struct guarded *g, char *verb, char *const *args, struct err *e)
{
    char path[PATH_MAX];
    int pair[2] = {-1, -1};
    sigset_t set;
    int r;

    memset(g, 0, sizeof(*g));
    g->signals = g->front.fd = g->sampler.fd = -1;
    r = sibling_path("pillion-guard", path, sizeof(path));
    if (r)
        return err_set(e, r,
                       "pillion-guard is neither beside this program nor in ../libexec/pillion");
    watched_signals(&set);
    /* before the fork: a signal in between waits in the signalfd */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set(e, -errno, "cannot take signals: %m");
    (void)sigdelset(&set, SIGPIPE);
    g->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (g->signals < 0)
        return err_set(e, -errno, "cannot take signals: %m");
    r = link_pair(pair);
    if (r)
        return err_set(e, r, "cannot make a socket pair: %s", strerror(-r));
    r = fork_guard(g, path, verb, args, pair[1], e);
    /* only the guard holds its end now, so its death shows as the end of ours */
    (void)close(pair[1]);
    front_open(&g->front, pair[0]); /* guarded_stop() closes it */
    /* a guard that has ended already is heard of, and why, when it is listened to */
    if (r == 0)
        (void)front_say_ready(&g->front);
    return r;
}

int guarded_start(struct guarded *g, char *const *args, struct err *e)
{
    static char verb[] = "record";

    return start(g, verb, args, e);
}

int guarded_look(struct guarded *g, char *const *args, struct err *e)
{
    static char verb[] = "doctor";

    return start(g, verb, args, e);
}

/* Wait for the guard's end, or make it. Its wait status. */
static int reap(struct guarded *g)
{
    uint64_t deadline = clock_mono_ns() + GUARDED_STOP_MS * CLOCK_NS_PER_MS;
    int status = 0;

    while (g->pid > 0 && waitpid(g->pid, &status, WNOHANG) == 0) {
        if (clock_wait_ms(deadline) == 0) {
            (void)kill(g->pid, SIGKILL);
            (void)waitpid(g->pid, &status, 0);
            break;
        }
        (void)poll(NULL, 0, 5);
    }
    g->pid = 0;
    return status;
}

/* The guard's end of the link is closed: it has ended, or is about to. */
static int guard_gone(struct guarded *g, struct err *e)
{
    int status;

    link_close(&g->front);
    status = reap(g);
    /* an exit code other than 0 comes with a line of the guard's own: no second one here */
    if (WIFSIGNALED(status))
        return err_set(e, -ECHILD, "pillion-guard was killed by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == 127)
        return err_set(e, -ECHILD, "pillion-guard cannot be executed");
    return err_set(e, -ECHILD, "%s", WEXITSTATUS(status) ? "" : "pillion-guard ended");
}

static int hear(struct guarded *g, struct err *e)
{
    for (;;) {
        struct front_news news;
        int r = front_hear(&g->front, 0, &news);

        if (r == -EAGAIN)
            return 0;
        if (r == -EPIPE)
            return guard_gone(g, e);
        if (r)
            return err_set(e, r, "pillion-guard broke the rules: %s",
                           r == -EPROTO ? g->front.why : strerror(-r));
        if (news.is_facts) {
            g->facts = news.facts;
            g->heard_facts = true;
            continue;
        }
        g->status = news.status;
        g->heard = true;
        /* a sampler that was restarted: what was asked of the old one is lost */
        if (news.sampler_fd >= 0) {
            link_close(&g->sampler);
            ask_sampler_open(&g->sampler, news.sampler_fd);
        }
    }
}

/* Wait for anything; take signals and news. *ret_answer: the sampler's link has something. */
static int step(struct guarded *g, int timeout_ms, bool *ret_answer, struct err *e)
{
    struct pollfd p[] = {
        {.fd = g->signals, .events = POLLIN},
        {.fd = g->front.fd, .events = POLLIN},
        {.fd = g->sampler.fd, .events = POLLIN},
    };
    struct signalfd_siginfo info;

    if (poll(p, 3, timeout_ms) < 0 && errno != EINTR)
        return err_set(e, -errno, "poll: %m");
    /* the first asks for the end, the second means it */
    if (p[0].revents && read(g->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (g->interrupted)
            return err_set(e, -EINTR, "interrupted: nothing was recorded");
        g->interrupted = true;
    }
    /* the answer first: a guard that ends after it must not take it away from us */
    *ret_answer = p[2].revents != 0;
    return p[1].revents && !*ret_answer ? hear(g, e) : 0;
}

/* Why not yet? NULL when the sampler can be asked. */
/* What is missing, in the words of the guard where it has some. */
static const char *not_ready(const struct guarded *g, bool *ret_final)
{
    const struct wire_target *t = &g->status.target;

    *ret_final = false;
    if (!g->heard)
        return "pillion-guard says nothing";
    if (t->state != WIRE_TARGET_UP) {
        *ret_final = t->state == WIRE_TARGET_AMBIGUOUS || t->state == WIRE_TARGET_GONE;
        return t->reason[0] ? t->reason : "the target is not there";
    }
    if (g->sampler.fd < 0)
        return g->status.note[0] ? g->status.note : "the sampler does not start";
    return NULL;
}

int guarded_ready(struct guarded *g, struct err *e)
{
    uint64_t start = clock_mono_ns();

    for (;;) {
        bool waits_for_target = g->heard && g->status.target.state != WIRE_TARGET_UP;
        /*
         * a target that is not there is usually a mistyped name: two seconds cover one that is just
         * starting. A sampler reads nothing before it is asked, it is there at once or not at all
         */
        uint64_t limit_ms = waits_for_target ? GUARDED_TARGET_WAIT_MS : GUARDED_SAMPLER_WAIT_MS;
        bool final = false, answer = false;
        const char *why = not_ready(g, &final);
        int r;

        if (!why)
            return 0;
        if (final || clock_mono_ns() - start > limit_ms * CLOCK_NS_PER_MS)
            return err_set(e, waits_for_target ? -ESRCH : -ETIMEDOUT, "%s", why);
        r = step(g, GUARDED_TICK_MS, &answer, e);
        if (r)
            return r;
        if (g->interrupted)
            return err_set(e, -EINTR, "interrupted: nothing was recorded");
        if (answer) /* nothing was asked yet, so this can only be its end */
            link_close(&g->sampler);
    }
}

/* What came on the sampler's link: 1 nothing yet, 0 the answer to the question. */
static int take_answer(struct guarded *g, enum wire_type wants, uint32_t id,
                       struct ask_sampler_answer *ret, struct err *e)
{
    int r = ask_sampler_next(&g->sampler, 0, ret);

    if (r == -EAGAIN)
        return 1;
    /* one question was asked on this link, so every other answer breaks the rules */
    if (r == 0 && (ret->type != wants || ret->id != id)) {
        if (ret->fd >= 0)
            (void)close(ret->fd);
        return err_set(e, -EPROTO, "the sampler answered what nobody asked");
    }
    if (r == -EPROTO) {
        /* the guard ends it: a sampler that lies may have been taken over by its target */
        (void)front_say_blame(&g->front);
        return err_set(e, r, "the sampler broke the rules: %s", g->sampler.why);
    }
    if (r)
        return err_set(e, r, "the sampler died during the profile; nothing was recorded");
    return 0;
}

/* The sampler's refusal in its own words. */
static int refusal(int result, const char *text, struct err *e)
{
    return err_set(e, result, "%s", text[0] ? text : strerror(-result));
}

int guarded_cpu(struct guarded *g, const struct wire_cpu *cpu, guarded_tick tick, void *ctx,
                struct ask_sampler_answer *ret, struct err *e)
{
    uint64_t start = clock_mono_ns();
    uint64_t limit_ms = cpu->duration_ms + (uint64_t)GUARDED_ANSWER_WAIT_MS;
    bool finished = false;
    uint32_t id;
    int r = ask_sampler_cpu(&g->sampler, cpu, &id);

    if (r)
        return err_set(e, r, "the sampler cannot be asked: %s", strerror(-r));
    for (;;) {
        uint64_t elapsed_ms = (clock_mono_ns() - start) / CLOCK_NS_PER_MS;
        bool answer = false;

        if (tick)
            tick(ctx, elapsed_ms);
        if (elapsed_ms > limit_ms)
            return err_set(e, -ETIMEDOUT, "the sampler does not answer");
        r = step(g, GUARDED_TICK_MS, &answer, e);
        if (r == 0 && answer)
            r = take_answer(g, WIRE_ANS_CPU, id, ret, e);
        else if (r == 0)
            r = 1;
        if (r == 0 && ret->body.cpu.result)
            return refusal(ret->body.cpu.result, ret->body.cpu.text, e);
        if (r <= 0)
            return r;
        /* the answer still comes, with what was sampled up to now */
        if (g->interrupted && !finished) {
            finished = true;
            limit_ms = elapsed_ms + GUARDED_ANSWER_WAIT_MS;
            (void)ask_sampler_finish(&g->sampler,
                                     id); /* it fails only when the link's end is near */
        }
    }
}

int guarded_runtime(struct guarded *g, const struct wire_runtime *want,
                    struct ask_sampler_answer *ret, struct err *e)
{
    uint64_t start = clock_mono_ns();
    uint32_t id;
    int r = ask_sampler_runtime(&g->sampler, want, &id);

    if (r)
        return err_set(e, r, "the sampler cannot be asked: %s", strerror(-r));
    for (;;) {
        bool answer = false;

        if (clock_mono_ns() - start > GUARDED_ANSWER_WAIT_MS * CLOCK_NS_PER_MS)
            return err_set(e, -ETIMEDOUT, "the sampler does not answer");
        r = step(g, GUARDED_TICK_MS, &answer, e);
        if (r == 0 && g->interrupted) /* half a dump is none: nothing to wait for */
            return err_set(e, -EINTR, "interrupted");
        if (r == 0 && answer)
            r = take_answer(g, WIRE_ANS_RUNTIME, id, ret, e);
        else if (r == 0)
            r = 1;
        if (r == 0 && ret->body.runtime.result)
            return refusal(ret->body.runtime.result, ret->body.runtime.text, e);
        if (r <= 0)
            return r;
    }
}

void guarded_stop(struct guarded *g)
{
    link_close(&g->front);
    (void)reap(g);
    link_close(&g->sampler); /* last: the guard would log a sampler that ends before it */
    if (g->signals >= 0)
        (void)close(g->signals);
    g->signals = -1;
}
