/*
 * guard/{stops,tracee,spent,waits}.c on real processes: what is stopped and what is not, and that
 * nothing stays stopped, traced or without its signals. The targets are children of this process.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "guard/proc.h"
#include "guard/stops.h"
#include "guard/waits.h"

/* What target and test share. */
struct shared {
    volatile uint64_t handled, turns, vforked;
    volatile int go;
};

static struct {
    struct shared *shared;
    struct target target;
    struct guard_stops stops;
    pid_t pid;
    struct wire_stop rows[WIRE_STOPS_MAX];
    struct wire_wait waits[WIRE_WAITS_MAX];
} t;

static void nap(unsigned ms)
{
    (void)usleep(ms * 1000);
}

/* --- targets --- */

static void *spin(void *arg)
{
    (void)arg;
    for (;;)
        t.shared->turns++;
    return NULL;
}

static void spin_two(void)
{
    pthread_t thread;

    (void)pthread_create(&thread, NULL, spin, NULL);
    (void)spin(NULL);
}

static void sleep_always(void)
{
    for (;;)
        (void)pause();
}

static void spin_and_sleep(void)
{
    pthread_t thread;

    (void)pthread_create(&thread, NULL, spin, NULL);
    sleep_always();
}

static void on_signal(int sig)
{
    (void)sig;
    t.shared->handled++;
}

static void spin_with_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal};

    (void)sigaction(SIGRTMIN, &act, NULL);
    t.shared->go = 1;
    (void)spin(NULL);
}

/* Uninterruptible until the child has ended: vfork(2). */
static void vfork_for_a_while(void)
{
    while (!t.shared->go)
        nap(1);
    if (vfork() == 0) {
        t.shared->vforked = 1;
        (void)usleep(700 * 1000);
        _exit(0);
    }
    t.shared->vforked = 2;
    sleep_always();
}

static void spin_then_exec(void)
{
    uint64_t until = clock_mono_ns() + 400 * CLOCK_NS_PER_MS;

    while (clock_mono_ns() < until)
        t.shared->turns++;
    (void)execl("/bin/sleep", "sleep", "60", (char *)NULL);
}

static void spin_then_exit(void)
{
    uint64_t until = clock_mono_ns() + 400 * CLOCK_NS_PER_MS;

    while (clock_mono_ns() < until)
        t.shared->turns++;
    _exit(0);
}

/* --- around them --- */

static void start(void (*run)(void))
{
    struct proc_stat st = {0};

    t.pid = fork();
    assert_true(t.pid >= 0);
    if (t.pid == 0) {
        sigset_t none;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        run();
        _exit(1);
    }
    nap(50);
    assert_int_equal(proc_stat(t.pid, &st), 0);
    assert_int_equal(target_take(&t.target, t.pid, st.start_ticks), 0);
    t.target.wire.rights &= ~(uint32_t)(WIRE_RIGHT_PERF | WIRE_RIGHT_PERF_KERNEL);
    if (!(t.target.wire.rights & WIRE_RIGHT_MEMORY))
        skip(); /* no right to one's own child: a sandbox around the tests */
    guard_stops_init(&t.stops, true);
    assert_true(guard_stops_right(&t.stops, &t.target));
}

static int begin(void **state)
{
    sigset_t set;

    (void)state;
    memset(&t, 0, sizeof(t));
    t.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(t.shared, MAP_FAILED);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    return target_init(&t.target);
}

static int end(void **state)
{
    (void)state;
    guard_stops_close(&t.stops);
    target_release(&t.target);
    if (t.pid > 0)
        (void)kill(t.pid, SIGKILL);
    /* the end of a thread that is held is its tracer's to take in, before that of its process */
    for (int i = 0; i < 500 && t.stops.held.count; i++) {
        tracee_collect(&t.stops.held, NULL, NULL);
        nap(2);
    }
    if (t.pid > 0)
        (void)waitpid(t.pid, NULL, 0);
    (void)munmap(t.shared, 4096);
    return 0;
}

static void open_session(void)
{
    struct wire_stops_opened opened = {0};

    guard_stops_open(&t.stops, &t.target, t.target.wire.generation, &opened);
    assert_int_equal(opened.result, 0);
    assert_true(opened.threads >= 1);
}

static struct wire_stops take(uint32_t tick)
{
    const struct wire_stops_ask ask = {.generation = t.target.wire.generation, .tick = tick};
    struct wire_stops ret = {0};

    guard_stops_take(&t.stops, &t.target, &ask, &ret, t.rows);
    return ret;
}

/* The first thread's own /proc/PID/status, one number of it. */
static long long status_of(const char *word)
{
    char text[PROC_TEXT_MAX_BYTES];
    const char *at;

    assert_true(proc_read(t.pid, "status", text, sizeof(text)) > 0);
    at = strstr(text, word);
    assert_non_null(at);
    return strtoll(at + strlen(word), NULL, 10);
}

static char state_of(pid_t pid)
{
    struct proc_stat st = {0};

    return proc_stat(pid, &st) == 0 ? st.state : '\0';
}

/* Within a second: neither stopped by us nor traced. */
static void assert_free(void)
{
    for (int i = 0; i < 100 && (t.stops.held.count || status_of("\nTracerPid:\t")); i++) {
        tracee_collect(&t.stops.held, NULL, NULL);
        nap(10);
    }
    assert_int_equal(t.stops.held.count, 0);
    assert_int_equal(status_of("\nTracerPid:\t"), 0);
    assert_true(state_of(t.pid) != 't');
}

/* Ticks until ${samples} have come, or ten seconds have passed; their weight. */
static uint64_t sample(uint32_t samples, uint32_t *ret_count)
{
    uint64_t weight = 0;

    *ret_count = 0;
    for (int i = 0; i < 1000 && *ret_count < samples; i++) {
        struct wire_stops s = take(1);

        assert_int_equal(s.result, 0);
        for (uint32_t k = 0; k < s.count; k++)
            weight += t.rows[k].weight_ns;
        *ret_count += s.count;
        nap(10);
    }
    return weight;
}

/* --- tests --- */

static void allowed_by_the_plan_alone(void **state)
{
    struct wire_stops_opened opened = {0};

    (void)state;
    start(sleep_always);
    assert_false(guard_stops_right(&t.stops, &t.target)); /* no news */
    t.stops.wanted = false;
    assert_true(guard_stops_right(&t.stops, &t.target));
    assert_false(t.target.wire.rights & WIRE_RIGHT_STOPS);
    guard_stops_open(&t.stops, &t.target, t.target.wire.generation, &opened);
    assert_int_equal(opened.result, -EPERM);
    t.stops.wanted = true;
    t.target.wire.rights |= WIRE_RIGHT_PERF; /* what perf can do is perf's */
    assert_false(guard_stops_right(&t.stops, &t.target));
    assert_false(t.target.wire.rights & WIRE_RIGHT_STOPS);
}

static void busy_threads(void **state)
{
    uint32_t count;
    uint64_t weight;
    struct wire_stops s;

    (void)state;
    start(spin_two);
    open_session();
    weight = sample(20, &count);
    assert_true(count >= 20);
    s = take(0);
    /* no sample weighs what it has not used */
    assert_true(weight > 0 && weight <= s.counted_ns + s.counted_ns / 10);
    assert_int_equal(s.threads, 2);
    for (uint32_t i = 0; i < s.count; i++)
        assert_true(t.rows[i].pc && t.rows[i].sp && t.rows[i].stack_bytes > 0);
    guard_stops_close(&t.stops);
    assert_free();
    weight = t.shared->turns;
    nap(100);
    assert_true(t.shared->turns != weight);
}

static void the_stack_is_copied(void **state)
{
    uint32_t count = 0;

    (void)state;
    start(spin_two);
    open_session();
    for (int i = 0; i < 500 && count == 0; i++) {
        struct wire_stops s = take(1);

        assert_int_equal(s.result, 0);
        count = s.count;
        for (uint32_t k = 0; k < s.count; k++) {
            uint8_t now[64];
            const uint8_t *copy = t.target.arena + (size_t)k * WIRE_STOP_STACK_BYTES;
            /* far enough from the leaf to be the same still: its callers do not return */
            uint64_t at = t.rows[k].stack_bytes / 2 / 8 * 8;

            assert_true(t.rows[k].stack_bytes >= 2 * sizeof(now));
            assert_int_equal(target_peek(&t.target, t.rows[k].sp + at, now, sizeof(now)),
                             sizeof(now));
            assert_memory_equal(now, copy + at, sizeof(now));
        }
        nap(10);
    }
    assert_true(count > 0);
}

static void not_more_often_than_the_limit(void **state)
{
    uint64_t first, made = 0;

    (void)state;
    start(spin_two);
    open_session();
    nap(20);
    (void)take(1);
    first = t.stops.ticked_ns;
    assert_true(first > 0);
    (void)take(1); /* at once: it only collects */
    assert_true(t.stops.ticked_ns == first || t.stops.ticked_ns - first >= STOPS_TICK_MIN_NS);
    nap(STOPS_TICK_MIN_NS / 1000000 + 1);
    (void)take(1);
    assert_true(t.stops.ticked_ns - first >= STOPS_TICK_MIN_NS);
    /* as fast as it can: not more than the rate, and one that may come early */
    t.stops.due_ns = 0;
    first = clock_mono_ns();
    for (uint64_t now = first, last = t.stops.ticked_ns; now < first + CLOCK_NS_PER_SEC / 2;
         now = clock_mono_ns()) {
        (void)take(1);
        made += t.stops.ticked_ns != last;
        last = t.stops.ticked_ns;
        nap(1);
    }
    assert_true(made <= (clock_mono_ns() - first) / STOPS_PERIOD_NS + 2);
}

static void who_waits_is_left_alone(void **state)
{
    long long switches;

    (void)state;
    start(sleep_always);
    open_session();
    switches = status_of("\nvoluntary_ctxt_switches:\t");
    for (int i = 0; i < 30; i++) {
        struct wire_stops s = take(1);

        assert_int_equal(s.result, 0);
        assert_int_equal(s.count, 0);
        nap(8);
    }
    assert_int_equal(status_of("\nvoluntary_ctxt_switches:\t"), switches);
}

static void no_signal_is_lost(void **state)
{
    uint64_t sent = 0;

    (void)state;
    start(spin_with_signals);
    for (int i = 0; i < 200 && !t.shared->go; i++)
        nap(10);
    open_session();
    for (int i = 0; i < 150; i++) {
        for (int k = 0; k < 5; k++)
            sent += kill(t.pid, SIGRTMIN) == 0;
        assert_int_equal(take(1).result, 0);
        nap(8);
    }
    guard_stops_close(&t.stops);
    assert_free();
    for (int i = 0; i < 500 && t.shared->handled < sent; i++)
        nap(10);
    assert_int_equal(t.shared->handled, sent);
}

/* A stop for a signal, for certain: nothing else stops it. */
static void a_signal_goes_on(void **state)
{
    (void)state;
    start(spin_with_signals);
    for (int i = 0; i < 200 && !t.shared->go; i++)
        nap(10);
    assert_int_equal(ptrace(PTRACE_SEIZE, t.pid, NULL, NULL), 0);
    t.stops.held = (struct tracees){.count = 1, .tid = {t.pid}};
    assert_int_equal(kill(t.pid, SIGRTMIN), 0);
    for (int i = 0; i < 500 && t.stops.held.count; i++) {
        tracee_wait(10 * CLOCK_NS_PER_MS);
        tracee_collect(&t.stops.held, NULL, NULL);
    }
    assert_free();
    for (int i = 0; i < 500 && t.shared->handled == 0; i++)
        nap(10);
    assert_int_equal(t.shared->handled, 1);
}

static void stopped_stays_stopped(void **state)
{
    uint64_t turns;

    (void)state;
    start(spin_two);
    assert_int_equal(kill(t.pid, SIGSTOP), 0);
    for (int i = 0; i < 200 && state_of(t.pid) != 'T'; i++)
        nap(10);
    open_session();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(take(1).count, 0);
        nap(8);
    }
    /* even when it is seized: the stop of job control is not ours to end */
    assert_int_equal(tracee_seize(&t.stops.held, t.pid), 0);
    assert_free();
    for (int i = 0; i < 200 && state_of(t.pid) != 'T'; i++)
        nap(10);
    turns = t.shared->turns;
    nap(50);
    assert_int_equal(state_of(t.pid), 'T');
    assert_true(t.shared->turns == turns);
    assert_int_equal(kill(t.pid, SIGCONT), 0);
    for (int i = 0; i < 200 && t.shared->turns == turns; i++)
        nap(10);
    assert_true(t.shared->turns != turns);
}

static void count_look(void *ctx, pid_t tid)
{
    (void)tid;
    ++*(int *)ctx;
}

/* One that cannot stop is not waited for; it is let go when it does. */
static void late_ones(void **state)
{
    uint64_t began;
    int looks = 0;

    (void)state;
    start(vfork_for_a_while);
    t.shared->go = 1;
    for (int i = 0; i < 500 && t.shared->vforked == 0; i++)
        nap(2);
    assert_int_equal(t.shared->vforked, 1);
    began = clock_mono_ns();
    assert_int_equal(tracee_seize(&t.stops.held, t.pid), 0);
    assert_int_equal(tracee_seize(&t.stops.held, t.pid), -EALREADY);
    tracee_collect(&t.stops.held, count_look, &looks);
    /* not by the clock: the machine may have stood still just now */
    if (t.shared->vforked == 1 && clock_mono_ns() - began < 300 * CLOCK_NS_PER_MS) {
        assert_int_equal(looks, 0);
        assert_true(tracee_held(&t.stops.held, t.pid));
        assert_int_equal(guard_stops_relieve(&t.stops), -EIO);
    }
    for (int i = 0; i < 500 && t.stops.held.count; i++) {
        tracee_wait(10 * CLOCK_NS_PER_MS);
        tracee_collect(&t.stops.held, count_look, &looks);
    }
    assert_int_equal(looks, 1);
    assert_int_equal(guard_stops_relieve(&t.stops), 0);
    assert_free();
    for (int i = 0; i < 200 && t.shared->vforked != 2; i++)
        nap(10);
    assert_int_equal(t.shared->vforked, 2);
}

static void killed_while_held(void **state)
{
    (void)state;
    start(vfork_for_a_while);
    t.shared->go = 1;
    for (int i = 0; i < 500 && t.shared->vforked == 0; i++)
        nap(2);
    assert_int_equal(tracee_seize(&t.stops.held, t.pid), 0);
    assert_int_equal(kill(t.pid, SIGKILL), 0);
    for (int i = 0; i < 500 && t.stops.held.count; i++) {
        tracee_wait(10 * CLOCK_NS_PER_MS);
        tracee_collect(&t.stops.held, NULL, NULL);
    }
    assert_int_equal(t.stops.held.count, 0);
    t.pid = 0; /* our own child: its end was taken in */
}

/* As after an execve(2): who is stopped and not on the list is let go too. */
static void unknown_ones_are_let_go(void **state)
{
    struct tracees none = {0};
    int status = 0;

    (void)state;
    start(spin_two);
    assert_int_equal(tracee_seize(&t.stops.held, t.pid), 0);
    assert_int_equal(waitpid(t.pid, &status, __WALL), t.pid);
    assert_true(WIFSTOPPED(status));
    t.stops.held.count = 0;
    tracee_status(&none, t.pid, status, NULL, NULL);
    assert_free();
}

static void the_list_has_an_end(void **state)
{
    (void)state;
    start(spin_two);
    for (uint32_t i = 0; i < WIRE_STOPS_MAX; i++)
        t.stops.held.tid[i] = getpid(); /* nobody's tracee */
    t.stops.held.count = WIRE_STOPS_MAX;
    assert_int_equal(tracee_seize(&t.stops.held, t.pid), -ENOSPC);
    t.stops.held.count = WIRE_STOPS_MAX - 1;
    assert_int_equal(tracee_seize(&t.stops.held, t.pid), 0);
    assert_int_equal(t.stops.held.count, WIRE_STOPS_MAX);
    for (int i = 0; i < 500 && tracee_held(&t.stops.held, t.pid); i++) {
        tracee_wait(10 * CLOCK_NS_PER_MS);
        tracee_collect(&t.stops.held, NULL, NULL); /* those that are not ours are dropped */
    }
    assert_int_equal(t.stops.held.count, 0);
}

static void an_exec_is_seen(void **state)
{
    int result = 0;

    (void)state;
    start(spin_then_exec);
    open_session();
    for (int i = 0; i < 1000 && result == 0; i++) {
        result = take(1).result;
        nap(8);
    }
    assert_int_equal(result, -ESTALE);
    guard_stops_close(&t.stops);
    assert_free();
}

static void an_exit_is_seen(void **state)
{
    int result = 0;

    (void)state;
    start(spin_then_exit);
    open_session();
    for (int i = 0; i < 1000 && result == 0; i++) {
        result = take(1).result;
        nap(8);
    }
    assert_int_equal(result, -ESRCH);
}

static void another_tracer(void **state)
{
    struct wire_stops_opened opened = {0};
    int ready[2];
    char byte;
    pid_t tracer;

    (void)state;
    start(spin_two);
    assert_int_equal(pipe(ready), 0);
    tracer = fork();
    assert_true(tracer >= 0);
    if (tracer == 0) {
        byte = ptrace(PTRACE_SEIZE, t.pid, NULL, NULL) == 0;
        (void)!write(ready[1], &byte, 1);
        sleep_always();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    if (byte) {
        guard_stops_open(&t.stops, &t.target, t.target.wire.generation, &opened);
        assert_int_equal(opened.result, -EPERM);
        assert_non_null(strstr(opened.text, "traces the target"));
        assert_int_equal(tracee_seize(&t.stops.held, t.pid), -EPERM);
        assert_int_equal(t.stops.held.count, 0);
    }
    (void)kill(tracer, SIGKILL);
    (void)waitpid(tracer, NULL, 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
    assert_true(byte);
}

static void wrong_questions(void **state)
{
    struct wire_stops_opened opened = {0};
    struct wire_stops_ask ask = {.tick = 1};
    struct wire_stops s = {0};

    (void)state;
    start(spin_two);
    ask.generation = t.target.wire.generation;
    guard_stops_take(&t.stops, &t.target, &ask, &s, t.rows);
    assert_int_equal(s.result, -EBADSLT);
    guard_stops_open(&t.stops, &t.target, t.target.wire.generation + 1, &opened);
    assert_int_equal(opened.result, -ESTALE);
    open_session();
    memset(&opened, 0, sizeof(opened));
    guard_stops_open(&t.stops, &t.target, t.target.wire.generation, &opened);
    assert_int_equal(opened.result, -EBUSY);
    ask.generation++;
    guard_stops_take(&t.stops, &t.target, &ask, &s, t.rows);
    assert_int_equal(s.result, -ESTALE);
    assert_int_equal(s.count, 0);
    guard_stops_close(&t.stops);
    guard_stops_close(&t.stops);
}

/* --- where threads wait --- */

static void what_the_file_says(void **state)
{
    static const struct {
        const char *text;
        int result;
        uint64_t sp, pc;
    } rows[] = {
        {"running\n", 0, 0, 0},
        {"-1 0x7ffe10 0x401000\n", 1, 0x7ffe10, 0x401000},
        {"202 0x1 0x80 0x0 0x0 0x0 0x0 0xc000051d18 0x47a923\n", 1, 0xc000051d18, 0x47a923},
        {"", -EBADMSG, 0, 0},
        {"running", -EBADMSG, 0, 0},
        {"running 1\n", -EBADMSG, 0, 0},
        {"202 0x1 0x2\n0x3", 1, 0x1, 0x2},
        {"202 0x1\n", -EBADMSG, 0, 0},
        {"202 0x1 0x2 0x3\n", -EBADMSG, 0, 0},
        {"202 0x1 0x80 0x0 0x0 0x0 0x0 0x1 0x2 0x3\n", -EBADMSG, 0, 0},
        {"202  0x1 0x2\n", -EBADMSG, 0, 0},
        {"-1 7ffe10 0x401000\n", -EBADMSG, 0, 0},
        {"-1 0x 0x401000\n", -EBADMSG, 0, 0},
        {"-1 0x7ffe10 0x1ffffffffffffffff\n", -EBADMSG, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t sp = 0, pc = 0;
        int r = guard_waits_parse(rows[i].text, &sp, &pc);

        assert_int_equal(r, rows[i].result);
        if (r == 1) {
            assert_int_equal(sp, rows[i].sp);
            assert_int_equal(pc, rows[i].pc);
        }
    }
}

static struct wire_waits look(uint32_t after)
{
    const struct wire_waits_ask ask = {.generation = t.target.wire.generation, .after = after};
    struct wire_waits ret = {0};

    guard_waits_read(&t.target, &ask, &ret, t.waits);
    return ret;
}

static void who_waits_and_who_runs(void **state)
{
    struct wire_waits w;
    bool ran = false, waited = false;

    (void)state;
    start(spin_and_sleep);
    for (int i = 0; i < 100 && !(ran && waited); i++) {
        w = look(0);
        if (w.result == -ENOENT)
            skip(); /* a kernel without the file */
        assert_int_equal(w.result, 0);
        assert_int_equal(w.count, 2);
        assert_int_equal(w.after, 0);
        waited = t.waits[0].state == WIRE_WAIT_BLOCKED;
        ran = t.waits[1].state == WIRE_WAIT_RUNNING;
        if (waited)
            assert_true(t.waits[0].sp && t.waits[0].pc && t.waits[0].stack_bytes > 0);
        assert_true(t.waits[0].comm[0] != '\0');
        nap(10);
    }
    assert_true(ran && waited);
    /* from there on */
    w = look(t.waits[0].tid);
    assert_int_equal(w.count, 1);
    w = look(t.waits[0].tid);
    assert_int_equal(w.count, 0);
    assert_int_equal(w.result, 0);
    t.target.wire.generation++;
    {
        const struct wire_waits_ask old = {.generation = t.target.wire.generation - 1};

        guard_waits_read(&t.target, &old, &w, t.waits);
        assert_int_equal(w.result, -ESTALE);
    }
}

#define REAL(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL(allowed_by_the_plan_alone),
        REAL(busy_threads),
        REAL(the_stack_is_copied),
        REAL(not_more_often_than_the_limit),
        REAL(who_waits_is_left_alone),
        REAL(no_signal_is_lost),
        REAL(a_signal_goes_on),
        REAL(stopped_stays_stopped),
        REAL(late_ones),
        REAL(killed_while_held),
        REAL(unknown_ones_are_let_go),
        REAL(the_list_has_an_end),
        REAL(an_exec_is_seen),
        REAL(an_exit_is_seen),
        REAL(another_tracer),
        REAL(wrong_questions),
        cmocka_unit_test(what_the_file_says),
        REAL(who_waits_and_who_runs),
    };

    return cmocka_run_group_tests_name("guard_stops", tests, NULL, NULL);
}
