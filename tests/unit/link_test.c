/* wire/link.c: packets and descriptors over a real socket pair; whatever comes, none leaks. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "wire/link.h"

static struct link guard, sampler;
static struct packet p;

static int open_pair(void **state)
{
    int fds[2];

    (void)state;
    if (link_pair(fds) != 0)
        return -1;
    link_init(&guard, fds[0], WIRE_ROLE_GUARD, WIRE_ROLE_SAMPLER);
    link_init(&sampler, fds[1], WIRE_ROLE_SAMPLER, WIRE_ROLE_GUARD);
    guard.turn.state = sampler.turn.state = WIRE_STATE_RUN;
    return 0;
}

static int close_pair(void **state)
{
    (void)state;
    link_close(&guard);
    link_close(&sampler);
    link_close(&sampler);
    link_close(NULL);
    return 0;
}

static size_t open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

static void there_and_back(void **state)
{
    struct wire_gen gen = {.generation = 7};
    struct wire_result result = {.result = -ESTALE, .value = 3};

    (void)state;
    assert_int_equal(link_recv(&guard, 0, &p), -EAGAIN);
    assert_int_equal(link_send(&sampler, WIRE_ASK_MAPS, 42, &gen, sizeof(gen), NULL, 0, NULL, 0),
                     0);
    assert_int_equal(link_recv(&guard, 1000, &p), 0);
    assert_int_equal(p.head.type, WIRE_ASK_MAPS);
    assert_int_equal(p.head.id, 42);
    assert_int_equal(p.head.bytes, sizeof(gen));
    assert_memory_equal(p.body, &gen, sizeof(gen));
    assert_int_equal(
        link_send(&guard, WIRE_ANS_MAPS, 42, &result, sizeof(result), NULL, 0, NULL, 0), 0);
    assert_int_equal(link_recv(&sampler, -1, &p), 0);
    assert_memory_equal(p.body, &result, sizeof(result));
}

static void with_a_tail(void **state)
{
    struct wire_range ranges[WIRE_READ_MAX_RANGES];
    struct wire_read head = {.generation = 1, .count = WIRE_READ_MAX_RANGES};

    (void)state;
    memset(ranges, 0x5a, sizeof(ranges));
    assert_int_equal(
        link_send(&sampler, WIRE_ASK_READ, 1, &head, sizeof(head), ranges, sizeof(ranges), NULL, 0),
        0);
    assert_int_equal(link_recv(&guard, 1000, &p), 0);
    assert_int_equal(p.head.bytes, sizeof(head) + sizeof(ranges));
    assert_memory_equal(p.body + sizeof(head), ranges, sizeof(ranges));
}

static void descriptors(void **state)
{
    struct wire_perf_rings rings = {.count = WIRE_FDS_MAX};
    size_t before = open_descriptors();
    int fds[WIRE_FDS_MAX];
    int null = open("/dev/null", O_RDONLY);

    (void)state;
    for (size_t i = 0; i < WIRE_FDS_MAX; i++)
        fds[i] = null;
    assert_int_equal(link_send(&guard, WIRE_ANS_PERF_RINGS, 1, &rings, sizeof(rings), NULL, 0, fds,
                               WIRE_FDS_MAX),
                     0);
    assert_int_equal(link_recv(&sampler, 1000, &p), 0);
    assert_int_equal(p.head.fds, WIRE_FDS_MAX);
    for (size_t i = 0; i < WIRE_FDS_MAX; i++)
        assert_int_equal(fcntl(p.fds[i], F_GETFD), FD_CLOEXEC);
    packet_drop_fds(&p);
    packet_drop_fds(&p);
    (void)close(null);
    assert_int_equal(open_descriptors(), before);
}

/* Send raw bytes with descriptors, as a peer would that breaks the rules. */
static void send_raw(int fd, const void *data, size_t bytes, int carried, size_t count)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * 250)];
    } control = {0};
    struct iovec iov = {(void *)(uintptr_t)data, bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (count) {
        struct cmsghdr *c;

        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        for (size_t i = 0; i < count; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &carried, sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &msg, 0), bytes);
}

/* Whatever is wrong with a packet: -EPROTO with a reason, and its descriptors are closed. */
static void nothing_leaks(void **state)
{
    static unsigned char big[sizeof(struct wire_head) + WIRE_BODY_MAX_BYTES + 1];
    struct {
        struct wire_head head;
        struct wire_gen gen;
    } good = {{WIRE_MAGIC, WIRE_ASK_MAPS, 0, 1, sizeof(struct wire_gen)}, {1, 0}};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    size_t before = open_descriptors();
    const struct {
        const void *data;
        size_t bytes, fds;
    } rows[] = {
        {"x", 1, 0},
        {"x", 1, 3},
        {&good, sizeof(good), 1}, /* a descriptor that the row does not allow */
        {&good, sizeof(good) - 1, WIRE_FDS_MAX},
        {&good, sizeof(good), WIRE_FDS_MAX + 1}, /* more than the room for them */
        {&good, sizeof(good), 250},
        {big, sizeof(big), 2}, /* longer than any packet */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        send_raw(sampler.fd, rows[i].data, rows[i].bytes, null, rows[i].fds);
        assert_int_equal(link_recv(&guard, 1000, &p), -EPROTO);
        assert_true(strlen(guard.why) > 0);
        assert_int_equal(open_descriptors(), before);
    }
    send_raw(sampler.fd, &good, sizeof(good), null, 0);
    assert_int_equal(link_recv(&guard, 1000, &p), 0);
    (void)close(null);
}

/* An empty packet looks like the peer's end to recvmsg(2), but it may carry descriptors. */
static void empty_packet(void **state)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    size_t before = open_descriptors();
    int r;

    (void)state;
    send_raw(sampler.fd, "", 0, null, 5);
    r = link_recv(&guard, 1000, &p);
    assert_true(r == -EPIPE || r == -EPROTO);
    assert_int_equal(open_descriptors(), before);
    (void)close(null);
}

static void the_end(void **state)
{
    struct wire_gen gen = {0};

    (void)state;
    link_close(&sampler);
    assert_int_equal(link_recv(&guard, 1000, &p), -EPIPE);
    /* no SIGPIPE either */
    assert_int_equal(link_send(&guard, WIRE_ANS_MAPS, 1, &gen, sizeof(gen), NULL, 0, NULL, 0),
                     -EPIPE);
    link_close(&guard);
    assert_int_equal(link_recv(&guard, 0, &p), -EPIPE);
    assert_int_equal(link_send(&guard, WIRE_ANS_MAPS, 1, &gen, sizeof(gen), NULL, 0, NULL, 0),
                     -EPIPE);
}

static void full(void **state)
{
    struct wire_gen gen = {0};
    int sent = 0;
    int r = 0;

    (void)state;
    /* a blocking descriptor: a peer that does not read must not hold us up all the same */
    assert_int_equal(fcntl(sampler.fd, F_GETFL) & O_NONBLOCK, 0);
    while (r == 0 && sent < 1000000) {
        r = link_send(&sampler, WIRE_ASK_MAPS, 1, &gen, sizeof(gen), NULL, 0, NULL, 0);
        sent += r == 0;
    }
    assert_int_equal(r, -EAGAIN);
    for (int i = 0; i < sent; i++)
        assert_int_equal(link_recv(&guard, 0, &p), 0);
    assert_int_equal(link_recv(&guard, 0, &p), -EAGAIN);
}

static void waits(void **state)
{
    uint64_t before = clock_mono_ns();

    (void)state;
    assert_int_equal(link_recv(&guard, 50, &p), -EAGAIN);
    assert_true(clock_mono_ns() - before >= 49 * CLOCK_NS_PER_MS);
}

/* As many descriptors of our user on their way as his limit allows, and one: a pair of sockets. */
static void crowd(int pair[static 2])
{
    enum { LIMIT = 60 };
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * (LIMIT + 1))];
    } control = {0};
    struct iovec iov = {(void *)(uintptr_t) "x", 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof(control.room)};
    int fds[LIMIT + 1];
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){LIMIT, LIMIT}) != 0 || link_pair(pair) != 0)
        _exit(10);
    for (int i = 0; i <= LIMIT; i++)
        fds[i] = STDERR_FILENO;
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(c), fds, sizeof(fds));
    if (sendmsg(pair[0], &msg, 0) != 1)
        _exit(11);
}

/* In a child that is nobody: root is let through. Its status: what went wrong, 0 nothing. */
static int crowded(void)
{
    struct wire_result result = {.value = 1};
    uint64_t before = clock_mono_ns();
    int pair[2], fd = STDERR_FILENO;

    if (geteuid() == 0 && (setresgid(59999, 59999, 59999) || setresuid(59999, 59999, 59999)))
        return 20;
    crowd(pair);
    if (link_send(&guard, WIRE_ANS_MAPS, 1, &result, sizeof(result), NULL, 0, &fd, 1) !=
        -ETOOMANYREFS)
        return 21;
    if (clock_mono_ns() - before < (LINK_CROWDED_MS - 10) * CLOCK_NS_PER_MS)
        return 22; /* it has not waited */
    if (link_send(&guard, WIRE_ANS_MAPS, 2, &result, sizeof(result), NULL, 0, NULL, 0) != 0)
        return 23;
    (void)close(pair[0]);
    (void)close(pair[1]); /* what was on its way is gone */
    return link_send(&guard, WIRE_ANS_MAPS, 3, &result, sizeof(result), NULL, 0, &fd, 1) ? 24 : 0;
}

/* Others of the same user may be in the way of descriptors: that ends nobody. */
static void others_are_in_the_way(void **state)
{
    int status = -1;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(crowded());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_and_back), TEST(with_a_tail),  TEST(descriptors),
        TEST(nothing_leaks),  TEST(empty_packet), TEST(the_end),
        TEST(full),           TEST(waits),        TEST(others_are_in_the_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
