/*
 * A spool that another one still has: the sidecar before us, for a moment; or for good.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper_store.h"

enum { HELD_MS = 300 };

/* A lock of another open file is another one's, in the same process too (flock(2)). */
static int hold(const struct helper_store *h)
{
    char path[sizeof(h->config->spool.dir) + 8];
    int fd;

    assert_int_equal(mkdir(h->config->spool.dir, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/.lock", h->config->spool.dir);
    fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
}

static void *let_go_later(void *data)
{
    (void)usleep(HELD_MS * 1000);
    (void)close(*(int *)data);
    return NULL;
}

static void state_is(const struct helper_store *h, const char *text)
{
    struct store_counts counts;

    store_counts(h->store, &counts);
    assert_non_null(strstr(counts.state, text));
}

static void one_that_ends(void **state)
{
    struct helper_store h;
    struct err e = {0};
    const char *why = NULL;
    pthread_t thread;
    int fd;

    (void)state;
    helper_store_begin(&h, 1);
    fd = hold(&h);
    assert_int_equal(pthread_create(&thread, NULL, let_go_later, &fd), 0);
    assert_int_equal(helper_store_open(&h, &e), 0);
    state_is(&h, "ok");
    assert_int_equal(helper_store_put(&h, 1, 1000, 1, &why), 0);
    assert_null(why); /* on the disk */
    assert_int_equal(helper_store_files(&h, "a"), 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    helper_store_end(&h);
}

static void one_that_stays(void **state)
{
    struct helper_store h;
    struct err e = {0};
    const char *why = NULL;
    int fd;

    (void)state;
    helper_store_begin(&h, 1);
    fd = hold(&h);
    assert_int_equal(helper_store_open(&h, &e), 0); /* a state, no failure */
    state_is(&h, "in use by another pillion");
    assert_int_equal(helper_store_put(&h, 1, 1000, 1, &why), 0);
    assert_non_null(why); /* in memory only, and said */
    assert_int_equal(close(fd), 0);
    helper_store_turn(&h, 2 * STORE_RETRY_MS);
    state_is(&h, "ok");
    assert_int_equal(helper_store_files(&h, "a"), 1);
    helper_store_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_ends),
        cmocka_unit_test(one_that_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
