/*
 * Both halves of a perf session in one process: sampler/perf/session.c over guard/perf.c, with
 * ask_guard_perf_*() as plain calls in between (defined here, so the archive's are not linked).
 * The targets are tests/targets/{shares,alias,threads}.c, compiled here.
 *
 * Skipped as a whole where perf_event_open(2) is refused.
 * long: 40 s
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "guard/perf.h"
#include "guard/threads.h"
#include "sampler/perf/session.h"

enum {
    LEAVES = 4,
    LINE_BYTES = 512,
    TIDS_MAX = 65536,
    SLOT = 1,
    POLL_MAX = 256,
};

/* --- the border between the halves --- */

static struct {
    struct guard_perf perf;
    uint32_t from;
    int refuse_rings; /* -EPROTO instead of rings */
    int second_fd;
    pid_t second; /* another process of the same session; 0: none */
    bool family;
    uint32_t opened_rings;
    unsigned ticks;
} fake;

/* Who is sampled; good until the next call. */
static const struct guard_perf_who *only(pid_t pid)
{
    static struct guard_perf_who who;

    who = (struct guard_perf_who){.pid = {pid, fake.second},
                                  .pidfd = {-1, fake.second_fd},
                                  .count = fake.second ? 2 : 1,
                                  .family = fake.family};
    return &who;
}

int ask_guard_perf_open(struct ask_guard *g, const struct wire_perf_open *open,
                        struct wire_perf_opened *ret, int *ret_events_fd)
{
    guard_perf_open(&fake.perf, only((pid_t)g->target.pid), 10000, open, ret, ret_events_fd);
    fake.from = 0;
    fake.opened_rings = ret->rings;
    return 0;
}

int ask_guard_perf_rings(struct ask_guard *g, uint32_t slot, struct wire_perf_rings *ret,
                         int fds[static WIRE_FDS_MAX])
{
    struct answer_guard_rings rings;

    (void)g;
    if (fake.refuse_rings)
        return -EPROTO;
    guard_perf_rings(&fake.perf, slot, fake.from, &rings);
    *ret = rings.head;
    for (uint32_t i = 0; i < ret->count; i++)
        fds[i] = fcntl(rings.fds[i], F_DUPFD_CLOEXEC, 0);
    fake.from += ret->count;
    return 0;
}

int ask_guard_perf_enable(struct ask_guard *g, uint32_t slot, int on)
{
    (void)g;
    return guard_perf_enable(&fake.perf, slot, on);
}

int ask_guard_perf_tick(struct ask_guard *g, uint32_t slot, const struct wire_period *periods,
                        size_t count, struct wire_perf_ticked *ret)
{
    (void)g;
    fake.ticks++;
    guard_perf_tick(&fake.perf, slot, periods, (uint32_t)count, ret, &fake.from);
    return 0;
}

int ask_guard_perf_close(struct ask_guard *g, uint32_t slot, struct wire_perf_closed *ret)
{
    (void)g;
    guard_perf_close(&fake.perf, slot, ret);
    return 0;
}

/* --- targets --- */

struct target {
    pid_t pid;
    FILE *out;
    uint64_t start[LEAVES], stop[LEAVES];
};

static const char *targets_dir(void)
{
    static char dir[256];
    const char *build = getenv("PILLION_BUILD");

    (void)snprintf(dir, sizeof(dir), "%s/targets", build ? build : "build/asan");
    return dir;
}

static void target_start(struct target *t, const char *const argv[])
{
    char path[512], line[LINE_BYTES];
    int p[2];

    assert_int_equal(pipe(p), 0);
    (void)snprintf(path, sizeof(path), "%s/%s", targets_dir(), argv[0]);
    t->pid = fork();
    assert_true(t->pid >= 0);
    if (t->pid == 0) {
        (void)dup2(p[1], 1);
        (void)close(p[0]);
        (void)close(p[1]);
        execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    (void)close(p[1]);
    t->out = fdopen(p[0], "r");
    assert_non_null(t->out);
    assert_non_null(fgets(line, sizeof(line), t->out));
    if (line[0] == '{')
        assert_int_equal(sscanf(line,
                                "{\"leaf_1\":\"%lx-%lx\",\"leaf_2\":\"%lx-%lx\","
                                "\"leaf_3\":\"%lx-%lx\",\"leaf_4\":\"%lx-%lx\"}",
                                &t->start[0], &t->stop[0], &t->start[1], &t->stop[1], &t->start[2],
                                &t->stop[2], &t->start[3], &t->stop[3]),
                         8);
}

/* Until it has so many threads; a loaded machine may take a while. */
static void wait_threads(const struct target *t, unsigned threads)
{
    uint64_t deadline = clock_mono_ns() + 30 * CLOCK_NS_PER_SEC;
    struct guard_threads *list = calloc(1, sizeof(*list));

    assert_non_null(list);
    assert_int_equal(guard_threads_open(list, t->pid), 0);
    do {
        (void)usleep(10 * 1000);
        assert_int_equal(guard_threads_list(list), 0);
        assert_true(clock_mono_ns() < deadline);
    } while (list->nlist < threads);
    guard_threads_close(list);
    free(list);
}

static int pidfd_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void target_end(struct target *t)
{
    (void)kill(t->pid, SIGKILL);
    (void)waitpid(t->pid, NULL, 0);
    (void)fclose(t->out);
}

/* CPU time of the whole process so far, threads that ended with it. */
static uint64_t target_cpu_ns(const struct target *t)
{
    struct timespec ts;
    clockid_t clock;

    if (clock_getcpuclockid(t->pid, &clock) != 0 || clock_gettime(clock, &ts) != 0)
        return 0;
    return (uint64_t)ts.tv_sec * CLOCK_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* --- a profile --- */

struct profile {
    struct target *target;
    uint64_t leaf_ns[LEAVES], other_ns;
    uint64_t user, chained, stacked, regs;
    uint64_t tids; /* distinct */
    uint8_t seen[TIDS_MAX];
    uint64_t wrong_pid;
    unsigned events;
    uint64_t cpu_ns; /* the target's, meanwhile */
    struct session_counts counts;
    char remark[ERR_TEXT_BYTES];
};

static int each_sample(void *ctx, const struct session_sample *sample)
{
    struct profile *p = ctx;
    const struct record *r = sample->record;

    assert_true(sample->weight_ns > 0);
    if (r->pid != (uint32_t)p->target->pid)
        p->wrong_pid++;
    if (!p->seen[r->tid % TIDS_MAX])
        p->tids++;
    p->seen[r->tid % TIDS_MAX] = 1;
    p->user += r->user ? 1 : 0;
    p->chained += r->chain_count > 2;
    p->stacked += r->stack_bytes > 0;
    p->regs += r->regs_valid ? 1 : 0;
    for (int i = 0; i < LEAVES; i++)
        if (r->ip >= p->target->start[i] && r->ip < p->target->stop[i]) {
            p->leaf_ns[i] += sample->weight_ns;
            return 0;
        }
    p->other_ns += sample->weight_ns;
    return 0;
}

static int profile_open(struct target *t, const struct session_want *want, struct profile *p,
                        struct session **ret)
{
    struct ask_guard g = {.target = {.generation = 1, .pid = (uint32_t)t->pid}};
    static struct ask_guard kept;
    struct err e;
    int r;

    kept = g;
    memset(p, 0, sizeof(*p));
    p->target = t;
    guard_perf_init(&fake.perf);
    r = session_open(&kept, SLOT, want, ret, &e);
    memcpy(p->remark, e.text, sizeof(p->remark));
    return r;
}

static void profile_loop(struct session *s, double seconds, struct profile *p)
{
    uint64_t end = clock_mono_ns() + (uint64_t)(seconds * 1e9);
    static struct pollfd fds[POLL_MAX];

    while (clock_mono_ns() < end) {
        size_t n = session_poll(s, fds, POLL_MAX);
        unsigned events = 0;

        (void)poll(fds, n, session_wait_ms(s));
        session_polled(s, fds, n);
        assert_int_equal(session_run(s, each_sample, p, &events), 0);
        p->events |= events;
        if (events & SESSION_EVENT_GONE)
            return;
    }
}

static void profile_run(struct target *t, struct session_want want, double seconds,
                        struct profile *p)
{
    struct session *s;
    uint64_t before;
    int r = profile_open(t, &want, p, &s);

    if (r)
        fail_msg("session_open: %d %s", r, p->remark);
    before = target_cpu_ns(t);
    profile_loop(s, seconds, p);
    p->cpu_ns = target_cpu_ns(t) - before;
    assert_int_equal(session_stop(s, each_sample, p), 0);
    session_counts(s, &p->counts);
    session_close(s);
    assert_int_equal(guard_perf_is_open(&fake.perf, SLOT), 0);
    print_message("samples %lu weight %.3f counted %.3f cpu %.3f lost %lu dup %lu settling %lu "
                  "foreign %lu bad %lu throttled %lu threads %u missed %u kernel %d shape %u tids "
                  "%lu ticks %u\n",
                  p->counts.samples, (double)p->counts.weight_ns / 1e9,
                  (double)p->counts.counted_ns / 1e9, (double)p->cpu_ns / 1e9, p->counts.lost,
                  p->counts.duplicates, p->counts.settling, p->counts.foreign, p->counts.bad,
                  p->counts.throttled, p->counts.threads, p->counts.threads_missed,
                  p->counts.kernel, p->counts.shape, p->tids, fake.ticks);
    fake.ticks = 0;
}

static void near(double got, double want, double part)
{
    if (fabs(got - want) > part * want)
        fail_msg("%.4f is not within %.0f %% of %.4f", got, part * 100, want);
}

/*
 * The sum of the weights against the CPU time used. Without kernel samples only the user part can
 * be seen, and the targets read their CPU clock a lot.
 */
static void near_cpu(const struct profile *p, double part)
{
    if (p->counts.kernel)
        near((double)p->counts.weight_ns, (double)p->cpu_ns, part);
    else
        assert_true(p->counts.weight_ns < p->cpu_ns * 11 / 10);
}

/* The leaves' shares against the truth that the target prints at its end. */
static double worst_z(struct target *t, const struct profile *p, uint32_t hz)
{
    char line[LINE_BYTES];
    double truth[LEAVES], all = 0, worst = 0, n;
    unsigned long work;
    double cpu;

    (void)kill(t->pid, SIGTERM);
    assert_non_null(fgets(line, sizeof(line), t->out));
    assert_int_equal(
        sscanf(line,
               "{\"work\":%lu,\"cpu\":%lf,\"leaf_1\":%lf,\"leaf_2\":%lf,\"leaf_3\":%lf,"
               "\"leaf_4\":%lf}",
               &work, &cpu, &truth[0], &truth[1], &truth[2], &truth[3]),
        6);
    for (int i = 0; i < LEAVES; i++)
        all += (double)p->leaf_ns[i];
    n = all / 1e9 * hz;
    for (int i = 0; i < LEAVES; i++) {
        double share = (double)p->leaf_ns[i] / all;
        double z = (share - truth[i]) / sqrt(truth[i] * (1 - truth[i]) / n);

        print_message("leaf %d: %.4f, truth %.4f, z %.2f\n", i + 1, share, truth[i], z);
        worst = fabs(z) > worst ? fabs(z) : worst;
    }
    return worst;
}

/* --- tests --- */

static void test_shares(void **state)
{
    const char *const argv[] = {"shares", "30", "2", NULL};
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    profile_run(&t, (struct session_want){.hz = 250}, 4, &p);
    assert_true(worst_z(&t, &p, 250) <= 4);
    target_end(&t);
    near((double)p.counts.weight_ns, (double)p.cpu_ns, 0.10);
    assert_true(p.chained > p.counts.samples * 9 / 10);
    assert_int_equal(p.stacked, p.counts.samples);
    assert_int_equal(p.regs, p.counts.samples);
    assert_int_equal(p.counts.bad, 0);
    assert_int_equal(p.counts.duplicates, 0);
    assert_int_equal(p.wrong_pid, 0);
}

static void test_alias(void **state)
{
    const char *const argv[] = {"alias", "30", "2", NULL};
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    profile_run(&t, (struct session_want){.hz = 100}, 5, &p);
    assert_true(worst_z(&t, &p, 100) <= 4);
    target_end(&t);
}

/* Descriptors open in this process: a profile must leave none behind. */
static unsigned descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 4096; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/*
 * Threads that start while the events are being opened, and all the time after: each attach in
 * turn must see about the CPU time that was used, so no thread is seen twice or not at all.
 */
static void test_race(void **state)
{
    const char *const argv[] = {"threads", "race", "60", "1000", "20000", NULL};
    uint64_t weight = 0, cpu = 0;
    int kernel = 1;
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    for (int i = 0; i < 6; i++) {
        profile_run(&t, (struct session_want){.hz = 1000, .kernel = 1}, 0.7, &p);
        weight += p.counts.weight_ns;
        cpu += p.cpu_ns;
        kernel &= p.counts.kernel;
        assert_int_equal(p.counts.bad, 0);
    }
    target_end(&t);
    if (kernel)
        near((double)weight, (double)cpu, 0.10);
}

/*
 * 1,000 threads a second of 0.5 ms, at 100 Hz: each ends before its first period. They cannot be
 * sampled, but the time is counted, so that the gap can be told.
 */
static void test_short_threads(void **state)
{
    const char *const argv[] = {"threads", "short", "60", "1000", "500", NULL};
    unsigned before;
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    before = descriptors();
    profile_run(&t, (struct session_want){.hz = 100, .kernel = 1}, 3, &p);
    assert_int_equal(descriptors(), before);
    target_end(&t);
    assert_int_equal(p.counts.bad, 0);
    if (p.counts.kernel)
        near((double)p.counts.counted_ns, (double)p.cpu_ns, 0.15);
    assert_true(p.counts.weight_ns < p.cpu_ns * 11 / 10);
}

/* At 10 kHz the same threads live five periods, and are seen. */
static void test_short_threads_fast(void **state)
{
    const char *const argv[] = {"threads", "short", "60", "1000", "500", NULL};
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    profile_run(&t, (struct session_want){.hz = 10000, .kernel = 1}, 1, &p);
    target_end(&t);
    assert_int_equal(p.counts.bad, 0);
    assert_true(p.tids > 20);
}

static void test_many_threads(void **state)
{
    const char *const argv[] = {"threads", "many", "60", "200", NULL};
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    wait_threads(&t, 201);
    profile_run(&t, (struct session_want){.hz = 250, .kernel = 1}, 3, &p);
    target_end(&t);
    assert_int_equal(p.counts.shape, WIRE_PERF_PER_CPU);
    assert_int_equal(p.counts.threads, 201);
    assert_int_equal(p.counts.threads_missed, 0);
    if (p.counts.kernel)
        near((double)p.counts.weight_ns, (double)p.counts.counted_ns, 0.10);
}

static void test_fork(void **state)
{
    const char *const argv[] = {"threads", "fork", "60", NULL};
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    profile_run(&t, (struct session_want){.hz = 250, .kernel = 1}, 1.5, &p);
    target_end(&t);
    assert_int_equal(p.wrong_pid, 0);
    assert_true(p.counts.samples > 0);
    near_cpu(&p, 0.10);
}

/* The child that is forked during the profile inherits nothing (inherit_thread). */
static void test_fork_during(void **state)
{
    const char *const argv[] = {"threads", "forks", "60", NULL};
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    profile_run(&t, (struct session_want){.hz = 250, .kernel = 1}, 2, &p);
    target_end(&t);
    assert_int_equal(p.wrong_pid, 0);
    if (p.remark[0] == '\0') /* else: a kernel before 5.13 */
        assert_int_equal(p.counts.foreign, 0);
    near_cpu(&p, 0.10);
}

/* …unless the processes of a family are wanted: from their first moment on, and the sum is right.
 */
static void test_family_forks(void **state)
{
    const char *const argv[] = {"threads", "forks", "60", NULL};
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    fake.family = true;
    profile_run(&t, (struct session_want){.hz = 250, .kernel = 1, .family = 1}, 2, &p);
    fake.family = false;
    target_end(&t);
    assert_true(p.wrong_pid > 10);
    assert_int_equal(p.counts.foreign, 0);
    assert_int_equal(p.counts.bad, 0);
    if (p.counts.kernel)
        near((double)p.counts.weight_ns, (double)p.counts.counted_ns, 0.15);
}

/* Two that have nothing to do with each other, in one session and its rings. */
static void test_two_processes(void **state)
{
    const char *const argv[] = {"threads", "busy", "60", NULL};
    struct profile p;
    struct target t, u;

    (void)state;
    target_start(&t, argv);
    target_start(&u, argv);
    fake.family = true;
    fake.second = u.pid;
    fake.second_fd = pidfd_of(u.pid);
    assert_true(fake.second_fd >= 0);
    profile_run(&t, (struct session_want){.hz = 250, .family = 1}, 1, &p);
    fake.family = false;
    fake.second = 0;
    (void)close(fake.second_fd);
    target_end(&t);
    target_end(&u);
    assert_int_equal(p.counts.threads, 2);
    assert_true(p.wrong_pid > 0 && p.wrong_pid < p.counts.samples);
    assert_int_equal(p.counts.foreign, 0);
}

static void test_exec(void **state)
{
    const char *const argv[] = {"threads", "exec", "2", NULL};
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    profile_run(&t, (struct session_want){.hz = 250}, 1.6, &p);
    target_end(&t);
    assert_true(p.events & SESSION_EVENT_EXEC);
    assert_true(p.events & SESSION_EVENT_MMAP);
    assert_true(p.counts.remapped); /* no sample after it was handed out */
    assert_false(p.events & SESSION_EVENT_GONE);
}

static void test_exit(void **state)
{
    const char *const argv[] = {"threads", "exit", "1", NULL};
    unsigned before;
    struct profile p;
    struct target t;
    uint64_t from;

    (void)state;
    target_start(&t, argv);
    before = descriptors();
    from = clock_mono_ns();
    profile_run(&t, (struct session_want){.hz = 250}, 10, &p);
    assert_true(p.events & SESSION_EVENT_GONE);
    assert_true(clock_mono_ns() - from < 6 * CLOCK_NS_PER_SEC);
    assert_true(p.counts.samples > 0);
    assert_int_equal(descriptors(), before);
    /* and now there is nothing to open */
    (void)waitpid(t.pid, NULL, 0);
    {
        struct session *s;
        struct session_want want = {.hz = 100};

        assert_int_equal(profile_open(&t, &want, &p, &s), -ESRCH);
        assert_non_null(strstr(p.remark, "gone"));
    }
    (void)fclose(t.out);
}

/* The first thread ends; the owner of every ring with it. Polling must not spin on POLLHUP. */
static void test_leader_ends(void **state)
{
    const char *const argv[] = {"threads", "leader", "60", "300000", NULL};
    struct profile p;
    struct target t;
    uint64_t cpu_ns;

    (void)state;
    target_start(&t, argv);
    cpu_ns = clock_thread_cpu_ns();
    profile_run(&t, (struct session_want){.hz = 100, .wakeups = 1, .kernel = 1}, 2, &p);
    cpu_ns = clock_thread_cpu_ns() - cpu_ns;
    target_end(&t);
    assert_true(p.tids >= 1);
    near_cpu(&p, 0.15);
    assert_true(cpu_ns < CLOCK_NS_PER_SEC);
}

static void test_stopped(void **state)
{
    const char *const argv[] = {"shares", "60", "2", NULL};
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    assert_int_equal(kill(t.pid, SIGSTOP), 0);
    (void)usleep(50 * 1000);
    profile_run(&t, (struct session_want){.hz = 100}, 1.2, &p);
    target_end(&t);
    assert_int_equal(p.counts.samples, 0);
    assert_int_equal(p.events, 0);
}

/* Nobody drains: what did not fit is counted. */
static void test_overflow(void **state)
{
    const char *const argv[] = {"shares", "60", "2", NULL};
    struct session_want want = {.hz = 10000};
    struct session *s;
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    assert_int_equal(profile_open(&t, &want, &p, &s), 0);
    profile_loop(s, 0.4, &p);
    (void)usleep(1500 * 1000);
    profile_loop(s, 0.3, &p);
    assert_int_equal(session_stop(s, each_sample, &p), 0);
    session_counts(s, &p.counts);
    session_close(s);
    target_end(&t);
    print_message("lost %lu of %lu\n", p.counts.lost, p.counts.samples);
    assert_true(p.counts.lost > 0);
}

/* --- limits; in a forked child, since they cannot be raised again --- */

static void in_child(void (*body)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with status %#x", (unsigned)status);
}

#define CHILD_CHECK(cond)                                              \
    do {                                                               \
        if (!(cond)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
            _exit(1);                                                  \
        }                                                              \
    } while (0)

static void limit_descriptors(rlim_t n)
{
    struct rlimit lim = {n, n};

    CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
}

/* 121 threads x 2 CPUs do not fit into 104 + 100, 121 do. The descriptors are there twice here. */
static void body_fall_back(void)
{
    const char *const argv[] = {"threads", "many", "60", "120", NULL};
    struct profile p;
    struct target t;

    target_start(&t, argv);
    wait_threads(&t, 121);
    limit_descriptors(300);
    profile_run(&t, (struct session_want){.hz = 250, .kernel = 1}, 2.5, &p);
    target_end(&t);
    CHILD_CHECK(p.counts.shape == WIRE_PERF_PER_THREAD);
    CHILD_CHECK(p.counts.threads >= 121 && p.counts.threads_missed == 0);
    CHILD_CHECK(strstr(p.remark, "new threads are found once a second"));
    CHILD_CHECK(p.tids > 20);
    if (p.counts.kernel)
        CHILD_CHECK(fabs((double)p.counts.weight_ns / (double)p.cpu_ns - 1) < 0.25);
}

static void body_missed(void)
{
    const char *const argv[] = {"threads", "many", "60", "200", NULL};
    struct profile p;
    struct target t;

    target_start(&t, argv);
    wait_threads(&t, 201);
    limit_descriptors(160);
    profile_run(&t, (struct session_want){.hz = 250}, 1.5, &p);
    target_end(&t);
    CHILD_CHECK(p.counts.shape == WIRE_PERF_PER_THREAD);
    CHILD_CHECK(p.counts.threads > 40 && p.counts.threads < 65);
    CHILD_CHECK(p.counts.threads_missed + p.counts.threads == 201);
    CHILD_CHECK(strstr(p.remark, "threads are not sampled"));
}

/* In the per-thread shape, threads that come later are found by the tick. */
static void body_found_later(void)
{
    const char *const argv[] = {"threads", "race", "60", "1000", "100000", NULL};
    struct profile p;
    struct target t;

    target_start(&t, argv);
    wait_threads(&t, 5);
    limit_descriptors(96 + 8);
    profile_run(&t, (struct session_want){.hz = 250}, 3.5, &p);
    target_end(&t);
    CHILD_CHECK(p.counts.shape == WIRE_PERF_PER_THREAD);
    CHILD_CHECK(p.counts.threads > 5);
    CHILD_CHECK(p.counts.bad == 0);
}

/* Nothing is inherited there: processes that come are added, and those that ended make room. */
static void body_added_later(void)
{
    const char *const argv[] = {"threads", "many", "60", "10", NULL};
    const char *const other[] = {"threads", "busy", "60", NULL};
    struct session *s;
    struct profile p;
    struct target t, u, v;
    int fd, ended;

    target_start(&t, argv);
    target_start(&u, other);
    wait_threads(&t, 11);
    fd = pidfd_of(u.pid);
    target_start(&v, other);
    ended = pidfd_of(v.pid);
    target_end(&v);
    CHILD_CHECK(fd >= 0 && ended >= 0);
    limit_descriptors(96 + 16); /* 11 threads x 2 CPUs do not fit, 12 threads do */
    fake.family = true;
    CHILD_CHECK(profile_open(&t, &(struct session_want){.hz = 250, .family = 1}, &p, &s) == 0);
    CHILD_CHECK(guard_perf_wants(&fake.perf, SLOT));
    CHILD_CHECK(!guard_perf_add(&fake.perf, SLOT, u.pid, ended)); /* another has its number now */
    CHILD_CHECK(guard_perf_add(&fake.perf, SLOT, u.pid, fd));
    CHILD_CHECK(!guard_perf_add(&fake.perf, SLOT, u.pid, fd));
    profile_loop(s, 2.5, &p);
    CHILD_CHECK(p.wrong_pid > 0);
    session_close(s);
    target_end(&t);
    target_end(&u);
}

static void test_fall_back(void **state)
{
    (void)state;
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        skip();
    in_child(body_fall_back);
    in_child(body_missed);
    in_child(body_found_later);
    in_child(body_added_later);
}

/* --- rights --- */

/* Another user's process: refused, in words; one's own: kernel samples fall back to user ones. */
static void body_rights(void)
{
    const char *const argv[] = {"shares", "60", "1", NULL};
    struct guard_event_rights rights;
    struct wire_perf_opened opened;
    struct wire_perf_open want = {
        .slot = 0, .period_ns = 10000000, .stack_bytes = 256, .regs = 0x1c0};
    struct profile p;
    struct target t;
    int fd;

    CHILD_CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    guard_event_probe(getppid(), &rights);
    CHILD_CHECK(rights.user_errno == EACCES && rights.kernel_errno == EACCES);
    guard_perf_init(&fake.perf);
    guard_perf_open(&fake.perf, only(getppid()), 1000, &want, &opened, &fd);
    CHILD_CHECK(opened.result == -EACCES && fd < 0);
    CHILD_CHECK(strstr(opened.text, "perf_event_open is refused (EACCES)"));
    if (access(targets_dir(), X_OK) != 0)
        _exit(0);
    target_start(&t, argv);
    profile_run(&t, (struct session_want){.hz = 250, .kernel = 1}, 0.5, &p);
    target_end(&t);
    CHILD_CHECK(p.counts.samples > 0);
    CHILD_CHECK(!p.counts.kernel);
}

static void test_rights(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    in_child(body_rights);
}

/* --- what the guard refuses --- */

static int open_with(struct wire_perf_open want, uint32_t hz_max)
{
    struct wire_perf_opened opened;
    int fd = -1;

    guard_perf_open(&fake.perf, only(getpid()), hz_max, &want, &opened, &fd);
    if (opened.result == 0) {
        struct wire_perf_closed closed;

        assert_true(fd >= 0);
        (void)close(fd);
        guard_perf_close(&fake.perf, want.slot, &closed);
        assert_int_equal(closed.result, 0);
    } else {
        assert_true(fd < 0);
        assert_true(opened.text[0] != '\0');
    }
    return opened.result;
}

static void test_open_limits(void **state)
{
    struct wire_perf_open ok = {.slot = 3, .period_ns = 1000000, .stack_bytes = 256, .regs = 0x1c0};
    struct wire_perf_open w;

    (void)state;
    guard_perf_init(&fake.perf);
    assert_int_equal(open_with(ok, 1000), 0);
    assert_int_equal(open_with(ok, 999), -EINVAL);
    assert_int_equal(open_with(ok, 0), -EINVAL);
    w = ok;
    w.slot = WIRE_PERF_SLOTS;
    assert_int_equal(open_with(w, 1000), -EINVAL);
    w = ok;
    w.stack_bytes = 65528;
    assert_int_equal(open_with(w, 1000), 0);
    w.stack_bytes = 65536;
    assert_int_equal(open_with(w, 1000), -EINVAL);
    w.stack_bytes = 255;
    assert_int_equal(open_with(w, 1000), -EINVAL);
    w = ok;
    w.period_ns = 1000000000;
    assert_int_equal(open_with(w, 1000), 0);
    w.period_ns++;
    assert_int_equal(open_with(w, 1000), -EINVAL);
    w.period_ns = GUARD_EVENT_PERIOD_MIN_NS;
    assert_int_equal(open_with(w, 1000000), 0);
    w.period_ns--;
    assert_int_equal(open_with(w, 1000000), -EINVAL);
}

static void test_tick_limits(void **state)
{
    struct wire_perf_open want = {
        .slot = 2, .period_ns = 1000000, .stack_bytes = 256, .regs = 0x1c0};
    struct wire_perf_opened opened;
    struct wire_perf_ticked ticked;
    struct wire_perf_closed closed;
    struct wire_period period = {.event = 0, .period_ns = 750000};
    uint32_t from;
    int fd;

    (void)state;
    guard_perf_init(&fake.perf);
    guard_perf_tick(&fake.perf, 2, &period, 1, &ticked, &from);
    assert_int_equal(ticked.result, -EBADSLT);
    assert_int_equal(guard_perf_enable(&fake.perf, 2, 1), -EBADSLT);
    guard_perf_open(&fake.perf, only(getpid()), 1000, &want, &opened, &fd);
    assert_int_equal(opened.result, 0);
    (void)close(fd);
    assert_int_equal(guard_perf_is_open(&fake.perf, 2), 1);
    guard_perf_open(&fake.perf, only(getpid()), 1000, &want, &opened, &fd);
    assert_int_equal(opened.result, -EBUSY);
    guard_perf_tick(&fake.perf, 2, &period, 1, &ticked, &from);
    assert_int_equal(ticked.result, 0);
    period.period_ns = 749999;
    guard_perf_tick(&fake.perf, 2, &period, 1, &ticked, &from);
    assert_int_equal(ticked.result, -EINVAL);
    period.period_ns = 1250000;
    guard_perf_tick(&fake.perf, 2, &period, 1, &ticked, &from);
    assert_int_equal(ticked.result, 0);
    period.period_ns = 1250001;
    guard_perf_tick(&fake.perf, 2, &period, 1, &ticked, &from);
    assert_int_equal(ticked.result, -EINVAL);
    period = (struct wire_period){.event = UINT32_MAX, .period_ns = 1000000};
    guard_perf_tick(&fake.perf, 2, &period, 1, &ticked, &from);
    assert_int_equal(ticked.result, -EINVAL);
    guard_perf_close(&fake.perf, 2, &closed);
    assert_int_equal(closed.result, 0);
    guard_perf_close(&fake.perf, 2, &closed);
    assert_int_equal(closed.result, -EBADSLT);
    assert_int_equal(guard_perf_is_open(&fake.perf, WIRE_PERF_SLOTS), 0);
}

/* The guard goes away in the middle: an error, and nothing stays open. */
static void test_broken_guard(void **state)
{
    const char *const argv[] = {"shares", "60", "1", NULL};
    struct session_want want = {.hz = 100};
    unsigned before;
    struct session *s;
    struct profile p;
    struct target t;

    (void)state;
    target_start(&t, argv);
    before = descriptors();
    fake.refuse_rings = 1;
    assert_int_equal(profile_open(&t, &want, &p, &s), -EPROTO);
    fake.refuse_rings = 0;
    assert_int_equal(guard_perf_is_open(&fake.perf, SLOT), 0);
    want.hz = 0;
    assert_int_equal(profile_open(&t, &want, &p, &s), -EINVAL);
    want.hz = WIRE_HZ_MAX + 1;
    assert_int_equal(profile_open(&t, &want, &p, &s), -EINVAL);
    assert_int_equal(descriptors(), before);
    session_close(NULL);
    guard_perf_release(NULL);
    target_end(&t);
}

static int build_targets(void **state)
{
    char command[512];
    struct guard_event_rights rights;

    (void)state;
    (void)snprintf(command, sizeof(command), "tests/targets/build_c.sh '%s'", targets_dir());
    if (system(command) != 0)
        return -1;
    guard_event_probe(getpid(), &rights);
    if (rights.user_errno) {
        char text[WIRE_TEXT_BYTES];

        print_message("skipped: %s\n", guard_event_text(-rights.user_errno, text, sizeof(text)));
        exit(77);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_alias),
        cmocka_unit_test(test_race),
        cmocka_unit_test(test_short_threads),
        cmocka_unit_test(test_short_threads_fast),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_fork_during),
        cmocka_unit_test(test_family_forks),
        cmocka_unit_test(test_two_processes),
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_exit),
        cmocka_unit_test(test_leader_ends),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_fall_back),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_open_limits),
        cmocka_unit_test(test_tick_limits),
        cmocka_unit_test(test_broken_guard),
    };

    return cmocka_run_group_tests(tests, build_targets, NULL);
}
