/*
 * threads MODE SECONDS [RATE] [MICROSECONDS]: a target that does what makes attaching hard.
 *   short: RATE threads a second, each works MICROSECONDS of CPU time (default 1000 x 500)
 *   race:  two threads that each start a thread that works MICROSECONDS, again and again
 *   many:  RATE threads (default 200) that sleep and work a little
 *   fork:  a forked child works as much as the parent does
 *   forks: works, and forks a child that works as much, every 100 ms
 *   exec:  works for half of the time, then executes itself as `busy`
 *   exit:  works, and exits after SECONDS without a word
 *   leader: the first thread ends (pthread_exit) after RATE microseconds; another goes on working
 *   busy:  works
 * Prints "ready" when it begins, and the CPU time it used (cpu, in seconds) at the end.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

static uint64_t end_ns; /* CLOCK_MONOTONIC */
static uint64_t rate, each_us;

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void work_ns(uint64_t ns)
{
    uint64_t until = work_cpu_ns() + ns;
    struct work w = {.x = 1};

    while (work_cpu_ns() < until)
        work_call(&w, 0, 2000);
}

static void work_until(uint64_t ns)
{
    while (now_ns() < ns)
        work_ns(1000 * 1000);
}

static void *run_short(void *arg)
{
    (void)arg;
    work_ns(each_us * 1000);
    return NULL;
}

static void *run_busy(void *arg)
{
    (void)arg;
    work_until(end_ns);
    return NULL;
}

static void *run_sleepy(void *arg)
{
    (void)arg;
    while (now_ns() < end_ns) {
        work_ns(200 * 1000);
        sleep_until(now_ns() + 50 * 1000 * 1000);
    }
    return NULL;
}

static void *run_starter(void *arg)
{
    pthread_t t;

    (void)arg;
    while (now_ns() < end_ns)
        if (pthread_create(&t, NULL, run_short, NULL) == 0)
            (void)pthread_join(t, NULL);
    return NULL;
}

static void start(void *(*run)(void *), pthread_t *ret)
{
    pthread_attr_t attr;

    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, 65536);
    if (!ret)
        (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_t t;
    if (pthread_create(ret ? ret : &t, &attr, run, NULL) != 0)
        abort();
    (void)pthread_attr_destroy(&attr);
}

static void shorts(void)
{
    uint64_t next = now_ns();

    while (now_ns() < end_ns) {
        start(run_short, NULL);
        next += 1000000000u / rate;
        sleep_until(next);
    }
}

static void join_all(void *(*run)(void *), size_t count)
{
    pthread_t *t = calloc(count, sizeof(*t));

    if (!t)
        abort();
    for (size_t i = 0; i < count; i++)
        start(run, &t[i]);
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(t[i], NULL);
    free(t);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "busy";
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 10;
    uint64_t begin = now_ns();
    struct timespec t;

    end_ns = begin + (uint64_t)(seconds * 1e9);
    rate = argc > 3 ? strtoul(argv[3], NULL, 10) : !strcmp(mode, "many") ? 200 : 1000;
    each_us = argc > 4 ? strtoul(argv[4], NULL, 10) : 500;
    if (rate < 1 || rate > 1000000)
        return 2;
    printf("ready\n");
    (void)fflush(stdout);
    if (!strcmp(mode, "short")) {
        shorts();
        sleep_until(now_ns() + 20 * 1000 * 1000);
    } else if (!strcmp(mode, "race")) {
        join_all(run_starter, 2);
    } else if (!strcmp(mode, "many")) {
        join_all(run_sleepy, rate);
    } else if (!strcmp(mode, "fork")) {
        pid_t child = fork();

        work_until(end_ns);
        if (child == 0)
            _exit(0);
    } else if (!strcmp(mode, "forks")) {
        while (now_ns() < end_ns) {
            pid_t child = fork();

            work_ns(100 * 1000 * 1000);
            if (child == 0)
                _exit(0);
            (void)waitpid(child, NULL, 0);
        }
    } else if (!strcmp(mode, "exec")) {
        char *next[] = {argv[0], strdup("busy"), strdup("1"), NULL};

        work_until(begin + (end_ns - begin) / 2);
        (void)execv("/proc/self/exe", next);
        return 1;
    } else if (!strcmp(mode, "exit")) {
        work_until(end_ns);
        _exit(0);
    } else if (!strcmp(mode, "leader")) {
        start(run_busy, NULL);
        sleep_until(now_ns() + rate * 1000);
        pthread_exit(NULL);
    } else {
        work_until(end_ns);
    }
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    printf("{\"cpu\":%.6f}\n", (double)t.tv_sec + (double)t.tv_nsec / 1e9);
    return 0;
}
