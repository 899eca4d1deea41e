/*
 * What was accepted is there after a kill -9 at any instruction: a process puts profiles as fast as
 * it can and tells which were accepted; it is killed at a random moment, and the next one looks.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper_store.h"

enum {
    ROUNDS = 200,
    BACKENDS = 2,
    IN_FLIGHT = 8,
    LIFE_MAX_US = 100000,
    PROFILES_MAX = 200000,
};

static struct helper_store h;

struct writer {
    unsigned first, next;
    int told; /* the pipe */
};

struct one {
    struct writer *w;
    unsigned n;
};

static void put_next(struct writer *w);

static void accepted(void *data, int result, const char *why)
{
    struct one *o = data;

    /* a pipe takes 4 bytes whole; what is written into it outlives us */
    if (result || why || write(o->w->told, &o->n, sizeof(o->n)) != (ssize_t)sizeof(o->n))
        _exit(3);
    put_next(o->w);
    free(o);
}

static void put_next(struct writer *w)
{
    struct one *o = malloc(sizeof(*o));
    unsigned char raw[700];
    struct item item;

    if (!o)
        _exit(4);
    *o = (struct one){w, w->first + w->next++};
    helper_store_item(o->n, "cpu", &item);
    helper_store_raw(o->n, sizeof(raw), raw);
    if (store_put(h.store, &item, raw, sizeof(raw), 3, false, accepted, o))
        _exit(5);
}

/* Never returns; the oldest of the first backend is done from time to time, as in life. */
static void write_for_ever(unsigned first, int told)
{
    struct writer w = {.first = first, .told = told};

    if (helper_store_open(&h, NULL))
        _exit(6);
    for (unsigned i = 0; i < IN_FLIGHT; i++)
        put_next(&w);
    for (;;)
        (void)uv_run(&h.loop, UV_RUN_ONCE);
}

/* Each one that was told is there for both, and can be read. Its exit code: 0, or what is wrong. */
static int look(const bool *told, unsigned from, unsigned to)
{
    bool *seen = calloc(PROFILES_MAX, 1);
    struct store_entry e = {0};
    struct item item;
    struct store_counts c;

    if (!seen || helper_store_open(&h, NULL))
        return 10;
    for (uint32_t backend = 0; backend < BACKENDS; backend++) {
        uint64_t after = 0;

        memset(seen, 0, PROFILES_MAX);
        while (store_oldest(h.store, backend, after, &e)) {
            unsigned n = (unsigned)strtoul(e.id + 24, NULL, 16);

            after = e.handle;
            if (n >= from && n < to && helper_store_fetch(&h, backend, e.handle, &item))
                return 11;
            seen[n] = true;
        }
        for (unsigned n = from; n < to; n++) {
            if (told[n] && !seen[n])
                return 12;
        }
    }
    store_counts(h.store, &c);
    if (c.dropped[STORE_DROP_BAD] || helper_store_files(&h, "tmp") != 0)
        return 13;
    /* the next round begins with an empty spool, by the way that backends empty it */
    while (store_oldest(h.store, 0, 0, &e))
        store_done(h.store, 0, e.handle);
    while (store_oldest(h.store, 1, 0, &e))
        store_done(h.store, 1, e.handle);
    helper_store_close(&h);
    return helper_store_files(&h, "a") == 0 && helper_store_files(&h, "b") == 0 ? 0 : 14;
}

static unsigned read_told(int fd, bool *told, unsigned last, unsigned first)
{
    unsigned n;

    while (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n)) {
        assert_in_range(n, first, PROFILES_MAX - 1);
        told[n] = true;
        last = n + 1 > last ? n + 1 : last;
    }
    return last;
}

static int in_child(const bool *told, unsigned from, unsigned to)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(look(told, from, to));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void killed(void **state)
{
    bool *told = calloc(PROFILES_MAX, 1);
    unsigned first = 1, all = 0;

    (void)state;
    assert_non_null(told);
    helper_store_begin(&h, BACKENDS);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned last, seen = first;
        int fds[2];
        int status;
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = fork();
        if (pid == 0) {
            (void)close(fds[0]);
            write_for_ever(first, fds[1]);
        }
        (void)close(fds[1]);
        /* half of the lives end at any moment, the others have had something accepted */
        if (round % 2 && read(fds[0], &seen, sizeof(seen)) == (ssize_t)sizeof(seen))
            told[seen] = true;
        (void)usleep((useconds_t)(random() % LIFE_MAX_US));
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* it did not end by itself */
        last = read_told(fds[0], told, seen + (round % 2), first);
        (void)close(fds[0]);
        all += last - first;
        assert_int_equal(in_child(told, first, last), 0);
        first = last + 1000 < PROFILES_MAX - 10000 ? last + 1000 : 1;
        if (first == 1)
            memset(told, 0, PROFILES_MAX);
    }
    print_message("%u profiles were accepted in %u lives\n", all, (unsigned)ROUNDS);
    free(told);
    assert_true(all >= ROUNDS / 2); /* more on a disk that syncs quickly */
    helper_store_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
