/*
 * Answers that nobody takes: what they may hold at the bound and one above, whose breaks off, and
 * that those who read, and newcomers, do not suffer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sidecar/http/bytes.h"
#include "sidecar/http/held.h"
#include "tests/unit/helper_http.h"

#define HOST "Host: localhost\r\n"
#define GOOD "X-Pprof-Token: good\r\n"

enum {
    PIECE_BYTES = 2 * 1024 * 1024,
    AT_BOUND = HELD_MAX_BYTES / PIECE_BYTES,
    LONG_MS = 20000,
};

static void test_pace(void **state)
{
    struct held_pace fast = {.sent = 1000000, .age_ms = 1000};
    struct held_pace fresh = {.sent = 0};
    struct held_pace half = {.sent = 60000, .age_ms = 1000, .stalled_ms = HELD_STALLED_MS - 1};
    struct held_pace stalled = {.sent = 1000000, .age_ms = 2000, .stalled_ms = HELD_STALLED_MS};
    struct held_pace drip = {.age_ms = HELD_SLOW_MS, .stalled_ms = 500};

    (void)state;
    assert_true(held_rate(&fast) > held_rate(&half));
    assert_true(held_rate(&fresh) > held_rate(&half)); /* not the newcomer's turn yet */
    assert_int_equal(held_rate(&stalled), 0);
    assert_true(held_is_slow(&stalled));
    assert_false(held_is_slow(&fast));
    assert_false(held_is_slow(&half));
    drip.sent = (uint64_t)HELD_SLOW_BYTES_PER_SEC * HELD_SLOW_MS / 1000;
    assert_false(held_is_slow(&drip));
    drip.sent--;
    assert_true(held_is_slow(&drip));
    drip.age_ms--; /* it may still get faster */
    drip.sent = 0;
    assert_false(held_is_slow(&drip));
}

/* What several answers share counts once. */
static void test_cost(void **state)
{
    struct server_bytes *b;
    struct buf text;

    (void)state;
    assert_int_equal(held_cost(NULL), 0);
    buf_init(&text, 100);
    buf_puts(&text, "0123456789");
    b = server_bytes_take(&text);
    assert_non_null(b);
    assert_int_equal(held_cost(b), 10);
    assert_int_equal(held_cost(server_bytes_ref(b)), 5);
    server_bytes_unref(b);
    assert_int_equal(held_cost(b), 10);
    server_bytes_unref(b);
}

static int ask(const struct helper_http *h, const char *path)
{
    int fd = helper_http_connect(h->plain_port);
    char text[256];
    int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST GOOD "\r\n", path);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){8192}, sizeof(int)), 0);
    assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
    return fd;
}

/* The whole of it, with the right bytes? */
static bool is_served(const struct helper_http *h, const char *path)
{
    static char out[PIECE_BYTES + 4096];
    int fd = ask(h, path);
    int status = helper_http_answer(fd, out, sizeof(out), LONG_MS);

    (void)close(fd);
    return status == 200;
}

/* Clients come as long as they like: as many as fit are held, and one more costs one. */
static void test_bytes(void **state)
{
    static const char PATH[] = "/big?bytes=2097152&own=1";
    struct helper_http h;
    int fd[AT_BOUND + 4];

    (void)state;
    helper_http_start(&h, NULL);
    for (int i = 0; i < AT_BOUND; i++)
        fd[i] = ask(&h, PATH);
    (void)helper_http_event(&h, "nothing", 1000); /* each is answered by now, or will be counted */
    assert_int_equal(helper_http_stat(&h, "connections "), AT_BOUND + 1);
    assert_int_equal(helper_http_stat(&h, "evicted "), 0);
    for (int i = AT_BOUND; i < AT_BOUND + 4; i++)
        fd[i] = ask(&h, PATH);
    for (int k = 0; k < 400 && helper_http_stat(&h, "evicted ") < 4; k++)
        (void)usleep(20000);
    assert_int_equal(helper_http_stat(&h, "evicted "), 4);
    (void)usleep(HELD_STALLED_MS * 1000); /* now it is certain that they do not read */
    assert_true(is_served(&h, PATH));
    assert_true(is_served(&h, "/hello"));
    assert_int_equal(helper_http_stat(&h, "evicted "), 5);
    for (int i = 0; i < AT_BOUND + 4; i++)
        (void)close(fd[i]);
    assert_int_equal(helper_http_stop(&h), 0);
}

/* All places are taken by those who do not read: a newcomer gets one. Who waits for us keeps his.
 */
static void test_places(void **state)
{
    static const struct helper_http_options OPTIONS = {.connections = 4, .per_address = 1000};
    struct helper_http h;
    char out[2048];
    int fd[4];

    (void)state;
    helper_http_start(&h, &OPTIONS);
    fd[0] = ask(&h, "/late?ms=4000");
    (void)usleep(100000);
    for (int i = 1; i < 4; i++) {
        fd[i] = ask(&h, "/big?bytes=8388608");
        (void)usleep(100000);
    }
    (void)usleep((HELD_STALLED_MS + 500) * 1000);
    assert_true(is_served(&h, "/hello"));
    assert_int_equal(helper_http_stat(&h, "evicted "), 1);
    assert_int_equal(helper_http_answer(fd[0], out, sizeof(out), LONG_MS), 200);
    for (int i = 0; i < 4; i++)
        (void)close(fd[i]);
    assert_int_equal(helper_http_stop(&h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
