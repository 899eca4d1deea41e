/*
 * A real guard whose sampler was taken over: a copy of this program stands beside a copy of the
 * guard under the name pillion-sampler, and does what a sampler of ours never would. The guard must
 * end it, keep its descriptors, answer its front and its signals within STUCK_MS all the time, and
 * end by itself.
 *
 * Needs the programs of the build (PILLION_BUILD); skipped where they are not there.
 * long: 25 s
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "wire/front.h"

enum {
    STUCK_MS = 2000,    /* nothing may hold the guard up for longer */
    GENTLE_MS = 8000,   /* …with a sanitizer and other tests beside it */
    GUARD_FDS_MAX = 24, /* of an idle guard; it has about ten */
    HOARD_MAX = 200,
    SAMPLER_GUARD_FD = 3,
    PAGE = 4096,
};

/* Where a hostile target's memory never comes; the lower one is the first of all its mappings. */
#define NEVER_ADDRESS UINT64_C(0x700000000000)
#define FIRST_ADDRESS UINT64_C(0x100000)

static char folder[64];

/* --- the hostile sampler --- */

static uint64_t seed;

static uint32_t dice(uint32_t sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % sides;
}

static struct link guard_link;
static uint32_t generation;

/* Take what comes; descriptors are kept up to a number, as a hoarder would. */
static void drain(int timeout_ms)
{
    static struct packet p;
    static int hoard;

    while (link_recv(&guard_link, timeout_ms, &p) == 0) {
        struct wire_target t;

        if (p.head.type == WIRE_ANS_HELLO || p.head.type == WIRE_TELL_TARGET) {
            memcpy(&t, p.body, sizeof(t));
            generation = t.generation;
        }
        if (hoard + p.head.fds > HOARD_MAX)
            packet_drop_fds(&p);
        hoard += p.head.fds;
        timeout_ms = 0;
    }
}

static int ask(enum wire_type type, const void *body, size_t bytes, const void *tail,
               size_t tail_bytes)
{
    return link_send(&guard_link, type, dice(1000), body, bytes, tail, tail_bytes, NULL, 0);
}

static void hello(void)
{
    struct wire_hello hello = {.version = WIRE_MAGIC};

    link_init(&guard_link, SAMPLER_GUARD_FD, WIRE_ROLE_SAMPLER, WIRE_ROLE_GUARD);
    guard_link.turn.state = WIRE_STATE_ANY;
    (void)ask(WIRE_ASK_HELLO, &hello, sizeof(hello), NULL, 0);
    drain(1000);
}

/* Addresses worth trying: low, high, at the ends, wrapping around. */
static uint64_t address(void)
{
    static const uint64_t some[] = {0,
                                    1,
                                    0x400000,
                                    0x7fffffffe000,
                                    0x7fffffffffff,
                                    0x800000000000,
                                    0xffff800000000000,
                                    0xfffffffffffff000,
                                    UINT64_MAX};

    return some[dice(sizeof(some) / sizeof(some[0]))] + dice(2) * dice(UINT32_MAX);
}

static void ask_read(uint32_t count, bool valid)
{
    static struct wire_range ranges[WIRE_READ_MAX_RANGES];
    struct wire_read q = {.generation = generation, .count = count};
    size_t room = WIRE_ARENA_BYTES;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t bytes = dice(4) ? dice(64) : dice(valid ? 4096 : UINT32_MAX);

        if (valid && bytes + 8 > room)
            bytes = 0;
        room -= valid ? (bytes + 7) & ~7u : 0;
        ranges[i] = (struct wire_range){address(), bytes, 0};
    }
    (void)ask(WIRE_ASK_READ, &q, sizeof(q), ranges, count * sizeof(ranges[0]));
}

static void ask_perf(void)
{
    static const uint64_t regs[] = {0, 1, 0xff0fff, UINT64_MAX, 0x400040};
    struct wire_perf_open open = {
        .generation = generation - dice(2) * dice(2),
        .slot = dice(WIRE_PERF_SLOTS),
        .period_ns = dice(3) ? 10000000 : 100000 + dice(UINT32_MAX - 100000),
        .stack_bytes = dice(8192) * 8,
        .kernel = dice(2),
        .wakeups = dice(2),
        .regs = regs[dice(5)],
    };
    struct wire_slot slot = {.slot = open.slot, .value = dice(2)};
    struct wire_period period = {.event = dice(3), .period_ns = dice(2) ? 10000000 : dice(1 << 30)};

    /* a slot that is open, or is not, is an error of ours: close first and do not mind the end */
    switch (dice(4)) {
    case 0:
        (void)ask(WIRE_ASK_PERF_OPEN, &open, sizeof(open), NULL, 0);
        break;
    case 1:
        (void)ask(WIRE_ASK_PERF_ENABLE, &slot, sizeof(slot), NULL, 0);
        break;
    case 2:
        slot.value = 1;
        (void)ask(WIRE_ASK_PERF_TICK, &slot, sizeof(slot), &period, sizeof(period));
        break;
    default:
        (void)ask(WIRE_ASK_PERF_CLOSE, &slot, sizeof(slot), NULL, 0);
        break;
    }
}

static void ask_anything(void)
{
    struct wire_gen gen = {generation - (dice(8) == 0), 0};
    struct wire_file file = {generation, 0, address(), dice(1 << 24)};

    switch (dice(64)) {
    case 0:
        (void)ask(WIRE_ASK_MAPS, &gen, sizeof(gen), NULL, 0);
        break;
    case 1:
        (void)ask(WIRE_ASK_CMDLINE, &gen, sizeof(gen), NULL, 0);
        break;
    case 2:
        (void)ask(WIRE_ASK_FILE, &file, sizeof(file), NULL, 0);
        break;
    case 3:
        if (dice(20) == 0)
            ask_perf();
        break;
    default:
        ask_read(1 + dice(dice(8) ? 4 : WIRE_READ_MAX_RANGES), true);
        break;
    }
}

static void send_rubbish(void)
{
    static uint8_t bytes[sizeof(struct wire_head) + WIRE_BODY_MAX_BYTES + 64];
    struct wire_head head = {WIRE_MAGIC, (uint16_t)dice(WIRE_TYPE_END + 2), (uint16_t)dice(2),
                             dice(9), dice(64)};
    size_t n = dice(4) ? sizeof(head) + head.bytes : dice(sizeof(bytes));

    for (size_t i = 0; i < sizeof(bytes); i += 1 + dice(64))
        bytes[i] = (uint8_t)dice(256);
    memcpy(bytes, &head, sizeof(head));
    (void)send(SAMPLER_GUARD_FD, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Right questions by the thousand, answers read, and then one packet of rubbish. */
static void be_random(void)
{
    hello();
    for (uint32_t i = 0; i < 3000; i++) {
        ask_anything();
        drain(i % 16 ? 0 : 20);
    }
    for (;;)
        send_rubbish();
}

/* Questions without end, no answer read. */
static void be_mute(void)
{
    hello();
    for (;;)
        ask_read(WIRE_READ_MAX_RANGES, true);
}

/* Sessions opened and closed without end; rings kept. */
static void be_perf(void)
{
    struct wire_perf_open open = {.generation = generation, .period_ns = 10000000, .regs = 1};

    hello();
    for (uint32_t i = 0;; i++) {
        struct wire_slot slot = {.slot = i % WIRE_PERF_SLOTS};

        open.generation = generation;
        open.slot = slot.slot;
        while (i >= WIRE_PERF_SLOTS &&
               ask(WIRE_ASK_PERF_CLOSE, &slot, sizeof(slot), NULL, 0) == -EAGAIN)
            drain(10);
        while (ask(WIRE_ASK_PERF_OPEN, &open, sizeof(open), NULL, 0) == -EAGAIN)
            drain(10);
        drain(2000);
    }
}

/* Mappings and files without end; their descriptors are kept. */
static void be_hoarder(void)
{
    struct wire_gen gen;

    hello();
    for (;;) {
        gen = (struct wire_gen){generation, 0};
        (void)ask(WIRE_ASK_MAPS, &gen, sizeof(gen), NULL, 0);
        drain(2000);
    }
}

/* Packets with descriptors, which no row of ours allows; an empty one looks like our end. */
static void give(size_t bytes)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * 250)];
    } control = {0};
    struct {
        struct wire_head head;
        struct wire_gen gen;
    } good = {{WIRE_MAGIC, WIRE_ASK_MAPS, 0, 1, sizeof(struct wire_gen)}, {1, 0}};
    struct iovec iov = {&good, bytes};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof(control.room)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    int null = open("/dev/null", O_RDONLY);

    hello();
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * 250);
    for (size_t i = 0; i < 250; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &null, sizeof(int));
    for (;;)
        (void)sendmsg(SAMPLER_GUARD_FD, &msg, MSG_NOSIGNAL);
}

static void be_giver(void)
{
    give(sizeof(struct wire_head) + sizeof(struct wire_gen));
}

static void be_empty_giver(void)
{
    give(0);
}

/* Its end without an end: the link is closed and the program stays. */
static void be_lingerer(void)
{
    hello();
    (void)shutdown(SAMPLER_GUARD_FD, SHUT_RDWR);
    for (;;)
        (void)pause();
}

/* What an honest one asks too, of a target that lets its reader wait. */
static void read_for_ever(void)
{
    struct wire_read q;
    struct wire_range range = {.address = NEVER_ADDRESS, .bytes = 8};

    hello();
    for (;;) {
        q = (struct wire_read){.generation = generation, .count = 1};
        (void)ask(WIRE_ASK_READ, &q, sizeof(q), &range, sizeof(range));
        drain(1000);
    }
}

static void be_silent(void)
{
    for (;;)
        (void)pause();
}

static const struct {
    const char *name;
    void (*be)(void);
} ways[] = {{"random", be_random},     {"mute", be_mute},       {"perf", be_perf},
            {"hoard", be_hoarder},     {"give", be_giver},      {"silent", be_silent},
            {"empty", be_empty_giver}, {"linger", be_lingerer}, {"memory", read_for_ever}};

/* The environment is empty and the arguments are the guard's: a file beside us says what to be. */
static int hostile(void)
{
    char path[PATH_MAX];
    char name[16] = "";
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 8);
    FILE *f;

    if (n < 0)
        return 1;
    path[n] = '\0';
    memcpy(strrchr(path, '/'), "/way", sizeof("/way"));
    f = fopen(path, "re");
    if (!f || fscanf(f, "%15s", name) != 1)
        return 1;
    (void)fclose(f);
    seed = clock_mono_ns() | 1;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(name, ways[i].name) == 0)
            ways[i].be();
    }
    return 1;
}

/* --- the guard and its front --- */

static struct {
    pid_t guard, target;
    struct link front;
    struct wire_status status;
    unsigned samplers; /* links that came */
} run;

static void copy(const char *from, const char *name)
{
    char to[PATH_MAX];
    struct stat st;
    int in = open(from, O_RDONLY);
    int out;

    (void)snprintf(to, sizeof(to), "%s/%s", folder, name);
    out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    assert_true(in >= 0 && out >= 0);
    assert_int_equal(fstat(in, &st), 0);
    for (off_t at = 0; at < st.st_size;)
        assert_true(sendfile(out, in, &at, (size_t)(st.st_size - at)) > 0);
    (void)close(in);
    (void)close(out);
}

static const char *built(const char *name, char *out)
{
    const char *build = getenv("PILLION_BUILD");

    (void)snprintf(out, PATH_MAX, "%s/%s", build ? build : "build/release", name);
    return out;
}

static int make_folder(void **state)
{
    char path[PATH_MAX];

    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/pillion-hostile-XXXXXX");
    if (!mkdtemp(folder) || chmod(folder, 0755) != 0)
        return -1;
    copy("/proc/self/exe", "pillion-sampler");
    copy(built("pillion-guard", path), "pillion-guard");
    copy(built("pillion", path), "pillion");
    return 0;
}

static int drop_folder(void **state)
{
    static const char *const names[] = {"pillion-sampler", "pillion-guard", "pillion", "way"};
    char path[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

/* Let whoever reads these pages wait: they are missing, and nobody brings them. False: no right. */
static bool let_wait(void *pages, size_t bytes)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register where = {.range = {(uint64_t)(uintptr_t)pages, bytes},
                                    .mode = UFFDIO_REGISTER_MODE_MISSING};
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

    return fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0 &&
           madvise(pages, bytes, MADV_DONTNEED) == 0 && ioctl(fd, UFFDIO_REGISTER, &where) == 0;
}

enum target_kind { HARMLESS, HIDES_MEMORY, HIDES_FIRST };

__attribute__((noreturn)) static void be_target(enum target_kind kind, int tell)
{
    bool done = true;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (kind == HIDES_MEMORY || kind == HIDES_FIRST) {
        uint64_t at = kind == HIDES_FIRST ? FIRST_ADDRESS : NEVER_ADDRESS;
        void *p = mmap((void *)(uintptr_t)at, PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

        done = let_wait(p, PAGE);
    }
    if (write(tell, done ? "y" : "n", 1) != 1)
        _exit(1);
    for (;;)
        (void)pause();
}

/* Its pid, or 0 where nobody may do that. */
static pid_t start_target(enum target_kind kind)
{
    char done = 'n';
    int fds[2];
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0)
        be_target(kind, fds[1]);
    (void)close(fds[1]);
    if (read(fds[0], &done, 1) != 1)
        done = 'n';
    (void)close(fds[0]);
    if (done == 'y')
        return pid;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return 0;
}

static void start(const char *way, pid_t target)
{
    char path[PATH_MAX], fd[16], pid[16];
    int pair[2];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/way", folder);
    f = fopen(path, "we");
    assert_non_null(f);
    (void)fprintf(f, "%s\n", way);
    (void)fclose(f);
    memset(&run, 0, sizeof(run));
    run.target = target;
    assert_int_equal(link_pair(pair), 0);
    (void)snprintf(path, sizeof(path), "%s/pillion-guard", folder);
    (void)snprintf(fd, sizeof(fd), "%d", pair[1]);
    (void)snprintf(pid, sizeof(pid), "%d", (int)run.target);
    run.guard = fork();
    if (run.guard == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)fcntl(pair[1], F_SETFD, 0);
        (void)execl(path, "pillion-guard", "--client-fd", fd, "record", "--pid", pid, (char *)NULL);
        _exit(127);
    }
    (void)close(pair[1]);
    front_open(&run.front, pair[0]);
    assert_int_equal(front_say_ready(&run.front), 0);
}

/* Hear the guard for so long, or until its target is in ${until}. Milliseconds it took. */
static uint64_t hear(uint64_t ms, uint32_t until)
{
    uint64_t began = clock_mono_ns();

    for (;;) {
        uint64_t took = (clock_mono_ns() - began) / CLOCK_NS_PER_MS;
        struct front_news news;
        int r;

        if (took >= ms || (until && run.status.target.state == until))
            return took;
        r = front_hear(&run.front, (int)(ms - took), &news);
        if (r == -EAGAIN)
            continue;
        assert_int_equal(r, 0); /* the guard must not end */
        run.status = news.status;
        run.samplers += news.sampler_fd >= 0;
        if (news.sampler_fd >= 0)
            (void)close(news.sampler_fd);
    }
}

static unsigned guard_fds(void)
{
    char path[64];
    unsigned n = 0;
    DIR *d;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)run.guard);
    d = opendir(path);
    while (d && readdir(d))
        n++;
    if (d)
        (void)closedir(d);
    return n; /* 0: not for us to see */
}

/* Whatever went on: it notices its target's end, and SIGTERM, at once, and leaves nobody behind. */
static void finish(void)
{
    uint64_t began;
    int status;

    (void)kill(run.target, SIGKILL);
    (void)waitpid(run.target, &status, 0);
    assert_true(hear(GENTLE_MS, WIRE_TARGET_GONE) < STUCK_MS);
    assert_int_equal(front_say_blame(&run.front), 0); /* end the sampler: what it kept open goes */
    (void)hear(100, 0);
    assert_true(guard_fds() <= GUARD_FDS_MAX);
    began = clock_mono_ns();
    (void)kill(run.guard, SIGTERM);
    while (waitpid(run.guard, &status, WNOHANG) == 0 &&
           clock_mono_ns() - began < GENTLE_MS * CLOCK_NS_PER_MS)
        (void)usleep(1000);
    assert_true(clock_mono_ns() - began < STUCK_MS * CLOCK_NS_PER_MS);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    link_close(&run.front);
}

/* It broke the rules, so it must have been ended, more than once in this time. */
static void ends_it(const char *way)
{
    start(way, start_target(HARMLESS));
    (void)hear(GENTLE_MS, WIRE_TARGET_UP);
    for (int i = 0; i < 100 && run.samplers < 3; i++)
        (void)hear(100, 0);
    if (run.samplers < 3)
        fail_msg("%s: %u samplers", way, run.samplers);
    finish();
}

/* It does what is allowed, only without end: it may stay, and the guard must not mind. */
static void bears_it(const char *way, int ms)
{
    start(way, start_target(HARMLESS));
    (void)hear(GENTLE_MS, WIRE_TARGET_UP);
    (void)hear((uint64_t)ms, 0);
    finish();
}

static void reads_no_answer(void **state)
{
    (void)state;
    ends_it("mute");
}

static void sends_descriptors(void **state)
{
    (void)state;
    ends_it("give");
}

static void sends_descriptors_alone(void **state)
{
    (void)state;
    ends_it("empty");
}

static void closes_its_link_and_stays(void **state)
{
    (void)state;
    ends_it("linger");
}

static void random_packets(void **state)
{
    (void)state;
    ends_it("random");
}

static void sessions_without_end(void **state)
{
    (void)state;
    bears_it("perf", 1500);
}

static void mappings_without_end(void **state)
{
    (void)state;
    bears_it("hoard", 1000);
}

static void silence(void **state)
{
    (void)state;
    bears_it("silent", 300);
}

/* The guard waits in a call that no signal ends; another thread of it goes on without that call. */
static void relieves_itself(const char *way, enum target_kind kind)
{
    pid_t target = start_target(kind);
    unsigned samplers;

    if (!target)
        skip(); /* userfaultfd(2) of kernel faults takes a right */
    start(way, target);
    (void)hear(GENTLE_MS, WIRE_TARGET_UP);
    for (int i = 0; i < 100 && run.samplers < (kind == HIDES_FIRST ? 1 : 2); i++)
        (void)hear(100, 0);
    samplers = run.samplers;
    (void)hear(3000, 0); /* and now? it asks again, and is refused */
    assert_int_equal(samplers, kind == HIDES_FIRST ? 1 : 2);
    assert_int_equal(run.samplers, samplers);
    assert_int_equal(run.status.target.state, WIRE_TARGET_UP);
    assert_false(run.status.target.rights & WIRE_RIGHT_MEMORY);
    assert_true(strlen(run.status.target.reason) > 0);
    finish();
}

static void memory_that_never_comes(void **state)
{
    (void)state;
    relieves_itself("memory", HIDES_MEMORY);
}

static void first_page_that_never_comes(void **state)
{
    (void)state;
    relieves_itself("memory", HIDES_FIRST);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_no_answer),         cmocka_unit_test(sends_descriptors),
        cmocka_unit_test(random_packets),          cmocka_unit_test(sessions_without_end),
        cmocka_unit_test(mappings_without_end),    cmocka_unit_test(silence),
        cmocka_unit_test(sends_descriptors_alone), cmocka_unit_test(closes_its_link_and_stays),
        cmocka_unit_test(memory_that_never_comes), cmocka_unit_test(first_page_that_never_comes),

    };
    char path[PATH_MAX];

    (void)argc;
    if (strcmp(argv[0], "pillion-sampler") == 0)
        return hostile();
    if (access(built("pillion-guard", path), X_OK) != 0) {
        (void)printf("1..0 # SKIP no programs in PILLION_BUILD\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
