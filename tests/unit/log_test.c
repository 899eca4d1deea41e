/* base/log.c: one line an event, whatever goes in; read back through a pipe as standard error. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static int saved = -1;
static int fds[2];
static char line[4 * LOG_LINE_BYTES];

static int catch_stderr(void **state)
{
    (void)state;
    saved = dup(STDERR_FILENO);
    return pipe2(fds, O_NONBLOCK) || dup2(fds[1], STDERR_FILENO) < 0;
}

static int give_back(void **state)
{
    (void)state;
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    (void)close(fds[0]);
    (void)close(fds[1]);
    return 0;
}

/* What was logged since the last call; "" for nothing. */
static const char *logged(void)
{
    ssize_t n = read(fds[0], line, sizeof(line) - 1);

    line[n > 0 ? n : 0] = '\0';
    return line;
}

static void levels(void **state)
{
    enum log_level level = LOG_LEVEL_ERROR;

    (void)state;
    assert_int_equal(log_level_from("debug", &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_from("error", &level), 0);
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_int_equal(log_level_from("Info", &level), -EINVAL);
    assert_int_equal(log_level_from("", &level), -EINVAL);
    assert_int_equal(level, LOG_LEVEL_ERROR);
    log_setup("test", LOG_LEVEL_WARN, LOG_FORMAT_JSON);
    log_info("not shown");
    assert_string_equal(logged(), "");
    log_warn("shown");
    assert_non_null(strstr(logged(), "\"msg\":\"shown\""));
}

static void json(void **state)
{
    const char *text;

    (void)state;
    log_setup("test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    assert_false(log_is_text());
    log_info("it happened", LOG_STR("name", "a\"b\n\xff"), LOG_U64("count", UINT64_MAX),
             LOG_I64("delta", -3), LOG_BOOL("ok", true), LOG_STR("none", NULL));
    text = logged();
    assert_memory_equal(text, "{\"time\":\"20", 11);
    assert_non_null(strstr(text,
                           "Z\",\"level\":\"info\",\"msg\":\"it happened\",\"program\":\"test\","
                           "\"name\":\"a\\\"b\\u000a\xef\xbf\xbd\",\"count\":"
                           "18446744073709551615,\"delta\":-3,\"ok\":true,\"none\":null}\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void as_text(void **state)
{
    const char *text;

    (void)state;
    log_setup("test", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    assert_true(log_is_text());
    log_error("it broke", LOG_STR("why", "two\nlines\x1b[31m"), LOG_I64("n", -1));
    text = logged();
    assert_string_equal(text + 8, " error test: it broke why=two?lines?[31m n=-1\n");
    log_setup("test", LOG_LEVEL_INFO, LOG_FORMAT_AUTO); /* a pipe is no terminal */
    assert_false(log_is_text());
}

/* Too long in all: still one line, within the limit, that says that something is missing. */
static void too_long(void **state)
{
    static char big[2 * LOG_VALUE_BYTES];
    const enum log_format formats[] = {LOG_FORMAT_TEXT, LOG_FORMAT_JSON};

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    for (size_t i = 0; i < 2; i++) {
        const char *text;

        log_setup("test", LOG_LEVEL_INFO, formats[i]);
        log_info("first", LOG_STR("a", big), LOG_STR("b", big), LOG_STR("c", big),
                 LOG_STR("d", big), LOG_STR("e", big));
        text = logged();
        assert_true(strlen(text) <= LOG_LINE_BYTES);
        assert_int_equal(text[strlen(text) - 1], '\n');
        assert_non_null(strstr(text, "first"));
        assert_non_null(strstr(text, i == 0 ? " (cut)\n" : "\"cut\":true}\n"));
    }
}

/* One value may be long; it is cut at LOG_VALUE_BYTES and the line stays whole. */
static void long_value(void **state)
{
    static char big[2 * LOG_VALUE_BYTES];
    const char *text;

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    log_setup("test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_info("m", LOG_STR("a", big), LOG_U64("b", 1));
    text = logged();
    assert_non_null(strstr(text, "x\",\"b\":1}\n"));
    assert_true(strlen(text) < LOG_VALUE_BYTES + 200);
}

static void left_out(void **state)
{
    (void)state;
    log_setup("test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_info("m", LOG_STR(NULL, "secret"), LOG_U64("b", 1));
    assert_null(strstr(logged(), "secret"));
}

/* A blocking pipe that nobody reads: lines are dropped, counted, and nothing hangs. */
static void nobody_reads(void **state)
{
    static char page[LOG_LINE_BYTES];
    int full[2];
    ssize_t n;

    (void)state;
    assert_int_equal(pipe(full), 0);
    assert_int_equal(fcntl(full[1], F_SETFL, O_NONBLOCK), 0);
    while (write(full[1], page, sizeof(page)) > 0)
        ;
    assert_int_equal(fcntl(full[1], F_SETFL, 0), 0);
    (void)dup2(full[1], STDERR_FILENO);
    log_setup("test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    (void)alarm(20); /* else it would hang here */
    for (int i = 0; i < 5; i++)
        log_info("nobody hears this");
    (void)alarm(0);
    (void)fcntl(full[0], F_SETFL, O_NONBLOCK);
    while (read(full[0], page, sizeof(page)) > 0)
        ;
    log_info("heard");
    n = read(full[0], line, sizeof(line) - 1);
    line[n > 0 ? n : 0] = '\0';
    (void)dup2(fds[1], STDERR_FILENO);
    (void)close(full[0]);
    (void)close(full[1]);
    assert_non_null(strstr(line, "\"heard\""));
    assert_non_null(strstr(line, "\"lines\":5"));
    assert_null(strstr(line, "nobody hears"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(levels, catch_stderr, give_back),
        cmocka_unit_test_setup_teardown(json, catch_stderr, give_back),
        cmocka_unit_test_setup_teardown(as_text, catch_stderr, give_back),
        cmocka_unit_test_setup_teardown(too_long, catch_stderr, give_back),
        cmocka_unit_test_setup_teardown(long_value, catch_stderr, give_back),
        cmocka_unit_test_setup_teardown(left_out, catch_stderr, give_back),
        cmocka_unit_test_setup_teardown(nobody_reads, catch_stderr, give_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
