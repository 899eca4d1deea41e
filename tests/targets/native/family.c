/*
 * family: a parent with processes below it, each of which works in a function of its own.
 *
 *   family workers [PROGRAM ARG...]  three workers, with PROGRAM as one more child. SIGUSR1: one
 *                                    more is forked, which is "late"; SIGUSR2: one of them execs
 *                                    this program again and works as "after"
 *   family many N                    N children that do nothing but wait
 *   family churn                     children without end, each for some ten milliseconds
 *
 * All of them end with their parent.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STEP = 200000 };

static volatile unsigned long sink;
static volatile sig_atomic_t wanted;

#define WORK(name)                                   \
    __attribute__((noinline)) static void name(void) \
    {                                                \
        for (int i = 0; i < STEP; i++)               \
            sink += (unsigned long)i;                \
    }
WORK(work_busy)
WORK(work_half)
WORK(work_before)
WORK(work_after)
WORK(work_late)
WORK(work_churn)

static void on_signal(int number)
{
    wanted = number;
}

static void pause_ms(long ms)
{
    const struct timespec t = {0, ms * 1000000};

    (void)nanosleep(&t, NULL);
}

/* Work and rest in turns, for ever. */
__attribute__((noreturn, noinline)) static void turns(void (*work)(void), int steps, long rest_ms)
{
    for (;;) {
        for (int i = 0; i < steps; i++)
            work();
        if (rest_ms)
            pause_ms(rest_ms);
        if (work == work_before && wanted == SIGUSR2)
            break;
    }
    (void)execl("/proc/self/exe", "after", "after", (char *)NULL);
    _exit(1);
}

static pid_t child(const char *name, void (*work)(void), int steps, long rest_ms)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NAME, name);
    turns(work, steps, rest_ms);
}

static int workers(char **program)
{
    pid_t before;

    (void)signal(SIGUSR1, on_signal);
    (void)signal(SIGUSR2, on_signal);
    (void)child("worker-busy", work_busy, 10, 2);
    (void)child("worker-half", work_half, 10, 10);
    before = child("worker-before", work_before, 10, 5);
    if (program[0] && fork() == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execv(program[0], program);
        _exit(127);
    }
    (void)puts("ready");
    (void)fflush(stdout);
    for (;;) {
        pause_ms(20);
        if (wanted == SIGUSR1)
            (void)child("worker-late", work_late, 10, 2);
        else if (wanted == SIGUSR2)
            (void)kill(before, SIGUSR2);
        wanted = 0;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

static int many(int n)
{
    for (int i = 0; i < n; i++) {
        if (fork() == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                (void)pause();
        }
    }
    (void)puts("ready");
    (void)fflush(stdout);
    for (;;)
        turns(work_busy, 1, 10);
}

static int churn(void)
{
    (void)puts("ready");
    (void)fflush(stdout);
    for (;;) {
        pid_t pid = fork();

        if (pid == 0) {
            for (int i = 0; i < 150; i++) /* some periods: a shorter one is not sampled at all */
                work_churn();
            _exit(0);
        }
        if (pid < 0)
            pause_ms(10);
        else
            (void)waitpid(pid, NULL, 0);
    }
}

int main(int argc, char **argv)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc > 1 && strcmp(argv[1], "workers") == 0)
        return workers(argv + 2);
    if (argc > 2 && strcmp(argv[1], "many") == 0)
        return many(atoi(argv[2]));
    if (argc > 1 && strcmp(argv[1], "churn") == 0)
        return churn();
    if (argc > 1 && strcmp(argv[1], "after") == 0) {
        (void)prctl(PR_SET_NAME, "after");
        turns(work_after, 10, 2);
    }
    return 2;
}
