/* sidecar/credentials: who waits, for how many at once, and what becomes of those who leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sidecar/credentials.h"

static uv_loop_t loop;
static struct config config;
static struct auth *table;
static struct credentials *all;
static char file[64];
static unsigned came, known, refused[600];
/* base64 of me:secret, me:wrong */
static const char right[] = "Basic bWU6c2VjcmV0", wrong[] = "Basic bWU6d3Jvbmc=";

static void on_came(void *data, const struct auth_verdict *v)
{
    (void)data;
    came++;
    known += v->known;
    assert_in_range(v->refused, 0, 599);
    refused[v->refused]++;
}

static int setup(void **state)
{
    FILE *f, *p;
    char hash[192] = "";

    (void)state;
    p = popen("perl -e 'print crypt(\"secret\", q($5$rounds=20000$s$))'", "r");
    assert_non_null(p);
    (void)!fgets(hash, sizeof(hash), p);
    (void)pclose(p);
    (void)snprintf(file, sizeof(file), "/tmp/pillion-credentials-test.%d", (int)getpid());
    f = fopen(file, "w");
    assert_non_null(f);
    (void)fprintf(f, "me:%s\n", hash);
    assert_int_equal(fclose(f), 0);
    config_defaults(&config);
    (void)snprintf(config.auth.basic.htpasswd, sizeof(config.auth.basic.htpasswd), "%s", file);
    config.auth.basic.scopes = 1;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(auth_new(&config, NULL, &table, NULL), 0);
    assert_int_equal(credentials_new(&loop, &config, table, &all, NULL), 0);
    came = known = 0;
    memset(refused, 0, sizeof(refused));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    credentials_free(all);
    auth_free(table);
    (void)uv_run(&loop, UV_RUN_DEFAULT); /* a hash under way comes to its end */
    assert_int_equal(uv_loop_close(&loop), 0);
    (void)unlink(file);
    return 0;
}

static uint32_t ask(const char *authorization, const char *address, struct auth_verdict *ret)
{
    const struct auth_request request = {
        .authorization = authorization,
        .authorization_bytes = strlen(authorization),
        .address = address,
    };

    return credentials_judge(all, &request, ret, on_came, NULL);
}

static void turn_until(unsigned wanted)
{
    uint64_t end = clock_mono_ns() + 60 * CLOCK_NS_PER_SEC;

    while (came < wanted && clock_mono_ns() < end)
        (void)uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(came, wanted);
}

/* At one moment: as many as there is room for wait, one more is told so; all get their answer. */
static void test_many_right(void **state)
{
    struct auth_verdict v;

    (void)state;
    for (unsigned i = 0; i < CREDENTIALS_PER_ADDRESS_MAX; i++)
        assert_int_not_equal(ask(right, "a", &v), 0);
    assert_int_equal(ask(right, "a", &v), 0);
    assert_int_equal(v.refused, 503);
    assert_false(v.known);
    assert_true(v.retry_ms > 0);
    for (unsigned i = 0; i < CREDENTIALS_WAITING_MAX - CREDENTIALS_PER_ADDRESS_MAX; i++)
        assert_int_not_equal(ask(right, "b", &v), 0);
    assert_int_equal(ask(right, "c", &v), 0);
    assert_int_equal(v.refused, 503);
    assert_int_equal(came, 0); /* never from inside */
    turn_until(CREDENTIALS_WAITING_MAX);
    assert_int_equal(known, CREDENTIALS_WAITING_MAX);
    assert_int_equal(credentials_waiting(all), 0);
    assert_int_equal(ask(right, "c", &v), 0); /* remembered: at once */
    assert_true(v.known);
}

/* Guesses side by side: one is tried, the others meet its wait. */
static void test_many_wrong(void **state)
{
    struct auth_verdict v;

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        assert_int_not_equal(ask(wrong, "a", &v), 0);
    turn_until(10);
    assert_int_equal(known, 0);
    assert_int_equal(refused[401], 1);
    assert_int_equal(refused[429], 9);
}

static void test_left(void **state)
{
    struct auth_verdict v;
    uint32_t first = ask(wrong, "a", &v), second = ask(right, "b", &v);

    (void)state;
    assert_true(first && second && first != second);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    credentials_forget(all, first);
    credentials_forget(all, first);
    credentials_forget(all, 0);
    turn_until(1);
    assert_int_equal(known, 1);
    /* who left after a wrong one has still shown it: once its hash is there */
    for (uint64_t end = clock_mono_ns() + 20 * CLOCK_NS_PER_SEC; clock_mono_ns() < end;) {
        uint32_t ticket = ask(wrong, "a", &v);

        if (!ticket)
            break;
        credentials_forget(all, ticket);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(v.refused, 429);
}

/* A reload while hashes are under way: the new tables decide. */
static void test_reload(void **state)
{
    struct credentials_next *next = NULL;
    struct auth *other = NULL;
    struct auth_verdict v;

    (void)state;
    assert_int_not_equal(ask(right, "a", &v), 0);
    assert_int_not_equal(ask(right, "b", &v), 0);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(auth_new(&config, NULL, &other, NULL), 0);
    assert_int_equal(credentials_prepare(all, &config, other, &next, NULL), 0);
    credentials_drop(next);
    assert_int_equal(credentials_prepare(all, &config, other, &next, NULL), 0);
    auth_inherit(other, table);
    credentials_take(all, next);
    auth_free(table);
    table = other;
    turn_until(2);
    assert_int_equal(known, 2);
}

/* Freed while a thread is at work and others wait: nobody is called any more. */
static void test_freed(void **state)
{
    struct auth_verdict v;

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        (void)ask(i % 2 ? right : wrong, i % 3 ? "a" : "b", &v);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_right, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_freed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
