/*
 * shares SECONDS [THREADS]: four leaves with 50/25/15/10 % of the CPU time, in slices of changing
 * length, so that no sampling period can fall into step with them. Prints where the leaves are,
 * and at the end the true shares (work.h). SIGTERM ends it early, with the truth.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "work.h"

enum {
    THREADS_MAX = 64,
    ROUND_NS = 1000 * 1000,
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
    uint64_t x = (uint64_t)(w - works) + 88172645463325252u;

    while (!stop) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        work_round(w, turns / 4 + x % turns);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 10;
    int threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2;
    pthread_t t[THREADS_MAX];

    if (threads < 1 || threads > THREADS_MAX || !(seconds > 0 && seconds < 3600))
        return 2;
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGALRM, on_signal);
    turns = work_calibrate(ROUND_NS);
    work_say_where();
    for (int i = 0; i < threads; i++) {
        works[i].x = (uint64_t)i;
        if (pthread_create(&t[i], NULL, run, &works[i]) != 0)
            return 1;
    }
    (void)alarm((unsigned)(seconds + 0.999));
    for (int i = 0; i < threads; i++)
        (void)pthread_join(t[i], NULL);
    work_say_truth(works, threads);
    return 0;
}
