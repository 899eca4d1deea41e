/*
 * stopped FILE [SIGNALS]: a target for ptrace stops. FILE (mapped, u64s, each in 64 bytes of its
 * own, so that no thread slows the other down) tells what it has done:
 *   [0] [1]  turns of two threads that work and never wait
 *   [2]      turns of a thread that waits 1 ms each time
 *   [3] [4]  real-time signals sent to the first worker and handled there, SIGNALS a second
 *            (default 200): they are queued, so none may be lost
 *   [5]      read(2)s from a pipe, a byte a millisecond, that ended with anything but that byte
 * Prints "ready". Ends with SIGTERM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WORK_0 = 0, WORK_1 = 8, WAITS = 16, SENT = 24, HANDLED = 32, BAD_READS = 40, WORDS = 512 };

static volatile uint64_t *words;
static int pipes[2];

static void on_signal(int sig)
{
    (void)sig;
    words[HANDLED]++; /* in one thread alone: nobody else writes it */
}

static void *work(void *arg)
{
    volatile uint64_t *turns = arg;
    uint64_t x = 88172645463325252u;

    /* in registers: how fast a store is read back changes from one moment to the next */
    for (;;) {
        for (unsigned i = 0; i < 1000; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        *turns += 1000 + (x == 0);
    }
    return NULL;
}

static void *wait_a_little(void *arg)
{
    struct timespec t = {0, 1000000};

    (void)arg;
    for (;;) {
        (void)nanosleep(&t, NULL);
        words[WAITS]++;
    }
    return NULL;
}

static void *read_bytes(void *arg)
{
    char byte;

    (void)arg;
    for (;;)
        if (read(pipes[0], &byte, 1) != 1)
            words[BAD_READS]++;
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned long a_second = argc > 2 ? strtoul(argv[2], NULL, 10) : 200;
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct timespec ms = {0, 1000000};
    pthread_t t[4];
    int fd = argc > 1 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0644) : -1;

    if (fd < 0 || ftruncate(fd, WORDS * 8) != 0 || pipe(pipes) != 0)
        return 2;
    words = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (words == MAP_FAILED)
        return 2;
    (void)sigaction(SIGRTMIN, &act, NULL);
    if (pthread_create(&t[0], NULL, work, (void *)(uintptr_t)&words[WORK_0]) != 0 ||
        pthread_create(&t[1], NULL, work, (void *)(uintptr_t)&words[WORK_1]) != 0 ||
        pthread_create(&t[2], NULL, wait_a_little, NULL) != 0 ||
        pthread_create(&t[3], NULL, read_bytes, NULL) != 0)
        return 1;
    (void)puts("ready");
    (void)fflush(stdout);
    for (uint64_t i = 0;; i++) {
        (void)nanosleep(&ms, NULL);
        if (write(pipes[1], "x", 1) != 1)
            return 1;
        if (a_second && i % (1000 / a_second ? 1000 / a_second : 1) == 0 &&
            pthread_kill(t[0], SIGRTMIN) == 0)
            words[SENT]++;
    }
}
