/*
 * alias SECONDS [THREADS]: the same shares as `shares`, but the same round again and again, each
 * about 1.8 ms long: a sampler with a fixed period falls into step with it and sees wrong shares.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "work.h"

enum {
    THREADS_MAX = 64,
    ROUND_NS = 1800 * 1000,
};

static volatile sig_atomic_t stop;
static struct work works[THREADS_MAX];
static uint64_t turns;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

static void *run(void *arg)
{
    struct work *w = arg;

    while (!stop)
        work_round(w, turns);
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10;
    int threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2;
    pthread_t t[THREADS_MAX];

    if (threads < 1 || threads > THREADS_MAX || seconds < 1 || seconds > 3600)
        return 2;
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGALRM, on_signal);
    turns = work_calibrate(ROUND_NS);
    work_say_where();
    for (int i = 0; i < threads; i++)
        if (pthread_create(&t[i], NULL, run, &works[i]) != 0)
            return 1;
    (void)alarm(seconds);
    for (int i = 0; i < threads; i++)
        (void)pthread_join(t[i], NULL);
    work_say_truth(works, threads);
    return 0;
}
