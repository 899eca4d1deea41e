/*
 * pillion-guard: holds what is privileged, and nothing else.
 *
 *     pillion-guard run ARGS                 the sidecar (`pillion run` execs this)
 *     pillion-guard --client-fd N record ARGS  a front that is already there (`pillion record`);
 *                                              doctor instead of record: it may do without a target
 */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/caps.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/sandbox.h"
#include "guard/guard.h"
#include "guard/plan.h"
#include "guard/relief.h"

/*
 * What the guard keeps of what it has: PERFMON and SYS_PTRACE are its work, IPC_LOCK and
 * SYS_RESOURCE let rings and descriptors pass the limits of ordinary users, DAC_READ_SEARCH finds
 * a port's owner, SETUID and SETGID start the sampler as nobody, KILL ends it then.
 */
#define GUARD_CAPS                                                                       \
    (CAPS_BIT(CAP_PERFMON) | CAPS_BIT(CAP_SYS_PTRACE) | CAPS_BIT(CAP_IPC_LOCK) |         \
     CAPS_BIT(CAP_SYS_RESOURCE) | CAPS_BIT(CAP_DAC_READ_SEARCH) | CAPS_BIT(CAP_SETUID) | \
     CAPS_BIT(CAP_SETGID) | CAPS_BIT(CAP_KILL))

/*
 * What container runtimes give root besides when nobody says anything. Without SYS_PTRACE the
 * kernel lets us read only a process that is permitted nothing that we are not
 * (cap_ptrace_access_check), so where both are such containers, these are what lets the one see the
 * other.
 */
#define RUNTIME_CAPS                                                                 \
    (CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_DAC_OVERRIDE) | CAPS_BIT(CAP_FOWNER) |       \
     CAPS_BIT(CAP_FSETID) | CAPS_BIT(CAP_SETPCAP) | CAPS_BIT(CAP_NET_BIND_SERVICE) | \
     CAPS_BIT(CAP_NET_RAW) | CAPS_BIT(CAP_SYS_CHROOT) | CAPS_BIT(CAP_MKNOD) |        \
     CAPS_BIT(CAP_AUDIT_WRITE) | CAPS_BIT(CAP_SETFCAP))

#if defined(__SANITIZE_ADDRESS__)
/* The leak check at exit needs to trace ourselves, which PR_SET_DUMPABLE 0 forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

enum {
    POLL_SIGNALS,
    POLL_SAMPLER,
    POLL_FRONT,
    POLL_TARGET,
    POLL_COUNT,
};

/* SIGINT too: a terminal sends it to all of us, and the children leave it to the guard. */
static int open_signals(void)
{
    sigset_t set;
    int fd;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -errno;
    (void)signal(SIGPIPE, SIG_IGN);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

/* What was written into the target goes first: the sidecar's part may be refused. */
static void on_hangup(struct guard *g)
{
    watch_reload(g);
    if (g->front.pid > 0)
        (void)kill(g->front.pid, SIGHUP);
}

static void on_signals(struct guard *g)
{
    struct signalfd_siginfo info;

    while (read(g->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            supervise_reap(g);
        else if (info.ssi_signo == SIGHUP)
            on_hangup(g);
        else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            supervise_end(g);
    }
}

static void on_sampler(struct guard *g)
{
    int r = answer_guard_one(&g->to_sampler, serve_ops(), g);

    if (r == -EPIPE) {
        link_close(&g->to_sampler); /* SIGCHLD tells the rest */
        child_lingers(&g->sampler);
    } else if (r && r != -EAGAIN)
        supervise_broken(g, &g->sampler, r == -EPROTO ? g->to_sampler.why : strerror(-r));
}

static void on_front(struct guard *g)
{
    enum front_said said;
    int r = front_listen(&g->to_front, &said);

    if (r == 0 && said == FRONT_SAID_READY)
        g->front_ready = true;
    else if (r == 0)
        supervise_broken(g, &g->sampler, "the front says so");
    else if (r == -EPIPE || (r != -EAGAIN && g->client))
        supervise_front_closed(g);
    else if (r != -EAGAIN)
        supervise_broken(g, &g->front, r == -EPROTO ? g->to_front.why : strerror(-r));
}

/* How long nothing has to be done if nothing happens. */
static int wait_ms(const struct guard *g)
{
    uint64_t at = g->status_at_ns;

    if (g->target.pidfd < 0 && g->target.wire.state != WIRE_TARGET_GONE && g->search_at_ns < at)
        at = g->search_at_ns;
    if (!g->ending && g->sampler.ends_by_ns && g->sampler.ends_by_ns < at)
        at = g->sampler.ends_by_ns;
    if (!g->ending && g->front.ends_by_ns && g->front.ends_by_ns < at)
        at = g->front.ends_by_ns;
    if (!g->ending && g->sampler.pid == 0 && g->sampler.start_at_ns < at)
        at = g->sampler.start_at_ns;
    if (!g->ending && !g->client && g->front.pid == 0 && g->front.start_at_ns < at)
        at = g->front.start_at_ns;
    if (g->ending && g->ends_at_ns < at)
        at = g->ends_at_ns;
    return clock_wait_ms(at);
}

static void loop(struct guard *g)
{
    while (!g->done) {
        struct pollfd p[POLL_COUNT] = {
            [POLL_SIGNALS] = {.fd = g->signals, .events = POLLIN},
            [POLL_SAMPLER] = {.fd = g->to_sampler.fd, .events = POLLIN},
            [POLL_FRONT] = {.fd = g->to_front.fd, .events = POLLIN},
            [POLL_TARGET] = {.fd = g->target.pidfd, .events = POLLIN},
        };

        if (g->to_front.fd < 0 && g->status_at_ns < clock_mono_ns())
            g->status_at_ns = clock_mono_ns() + GUARD_STATUS_MS * CLOCK_NS_PER_MS;
        if (g->to_front.fd >= 0 && (g->status_due || g->sampler_for_front >= 0))
            p[POLL_FRONT].events |= POLLOUT;
        if (poll(p, POLL_COUNT, wait_ms(g)) < 0 && errno != EINTR)
            return;
        if (p[POLL_SAMPLER].revents)
            on_sampler(g);
        if (p[POLL_FRONT].revents & ~POLLOUT)
            on_front(g);
        if (p[POLL_SIGNALS].revents)
            on_signals(g);
        if (g->reap_due)
            supervise_reap(g);
        watch_run(g);
        supervise_run(g);
        watch_tell(g);
        if (g->ending && clock_wait_ms(g->ends_at_ns) == 0)
            g->done = true;
    }
}

/* A number that is not open yet would be that of the next thing we open. */
static bool is_link(int fd)
{
    int domain = 0, type = 0;
    socklen_t n = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && domain == AF_UNIX &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_SEQPACKET;
}

/* What whoever started us left open is neither ours nor our children's. */
static void close_others(int keep)
{
    if (keep < 0) {
        (void)close_range(STDERR_FILENO + 1, ~0U, 0);
        return;
    }
    if (keep > STDERR_FILENO + 1)
        (void)close_range(STDERR_FILENO + 1, (unsigned)keep - 1, 0);
    (void)close_range((unsigned)keep + 1, ~0U, 0);
}

/* `--client-fd N` comes first or not at all; the rest is the user's. */
static int take_args(struct guard *g, int argc, char **argv, struct err *e)
{
    uint64_t fd;
    int i = 1;

    g->to_front.fd = g->to_sampler.fd = g->sampler_for_front = -1;
    if (argc > 2 && strcmp(argv[1], "--client-fd") == 0) {
        if (num_u64(argv[2], strlen(argv[2]), 10, 1023, &fd) || fd <= STDERR_FILENO ||
            !is_link((int)fd))
            return err_set(e, -EINVAL, "--client-fd wants the end of a packet socket pair");
        g->client = true;
        front_guard_open(&g->to_front, (int)fd);
        i = 3;
    }
    if (i < argc && argv[i][0] != '-')
        g->looks = strcmp(argv[i++], "doctor") == 0 && g->client;
    g->args = (const char *const *)(argv + i);
    close_others(g->to_front.fd);
    return 0;
}

static void raise_descriptor_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

static int prepare(struct guard *g, struct err *e)
{
    int r = guard_plan(g->args, &g->plan, &g->exit_code, e);

    if (r)
        return r;
    log_setup("guard", (enum log_level)g->plan.log_level, (enum log_format)g->plan.log_format);
    if (g->client)
        g->plan.hz_max = WIRE_HZ_MAX; /* limits.hz is the endpoint's; who records has none */
    if (g->client) /* nor does a recording write into what it looks at for a moment */
        g->plan.rates = 0;
    guard_rates_init(&g->rates, &g->plan);
    guard_stops_init(&g->stops, g->plan.stops);
    g->exit_code = 2;
    g->signals = open_signals();
    if (g->signals < 0)
        return err_set(e, g->signals, "cannot take signals");
    guard_perf_init(&g->perf);
    r = target_init(&g->target);
    if (r)
        return err_set(e, r, "no memory");
    g->target.wire.all = g->plan.all;
    guard_members_init(&g->members, &g->target);
    return 0;
}

/* The work from the first look on; by whoever has it. */
static int work(struct guard *g)
{
    if (!g->started && watch_first(g) != 0)
        return 2;
    g->exit_code = 0;
    loop(g);
    supervise_kill_all(g);
    guard_rates_restore(&g->rates, &g->target);
    guard_members_release(&g->members);
    target_release(&g->target);
    return g->exit_code;
}

static void take_over(void *ctx)
{
    struct guard *g = ctx;

    exit(watch_relieve(g) == 0 ? work(g) : 1);
}

static uint64_t caps_to_keep(void)
{
    return sandbox_caps() & CAPS_BIT(CAP_SYS_PTRACE) ? GUARD_CAPS : GUARD_CAPS | RUNTIME_CAPS;
}

int main(int argc, char **argv)
{
    struct sandbox_want want = {.role = SANDBOX_GUARD, .keep_caps = caps_to_keep()};
    struct sandbox_state state;
    struct guard g = {.exit_code = 2, .signals = -1};
    struct err e = {0};

    sandbox_undumpable();
    if (sandbox_standard_fds() != 0)
        return 2;
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, it would hide the ends of our children */
    (void)signal(SIGXFSZ, SIG_IGN); /* a log that may not grow is an error of write(2); inherited */
    log_setup("guard", LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
    if (take_args(&g, argc, argv, &e) != 0 || prepare(&g, &e) != 0) {
        if (e.text[0])
            (void)fprintf(stderr, "pillion: %s\n", e.text);
        return g.exit_code;
    }
    raise_descriptor_limit();
    if (sandbox_enter(&want, &state, &e) != 0) {
        (void)fprintf(stderr, "pillion: %s\n", e.text);
        return 2;
    }
    if (g.client)
        log_setup("guard", LOG_LEVEL_WARN, LOG_FORMAT_AUTO); /* a recording is quiet */
    sandbox_log(&state);
    if (relief_arm(take_over, &g) != 0) {
        (void)fprintf(stderr, "pillion: cannot start a thread\n");
        return 2;
    }
    return work(&g);
}
