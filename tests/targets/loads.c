/*
 * loads.c: a program that takes in code while it runs. It works for a while, then loads a library
 * and works in there, through a caller of its own.
 *
 *   loads LIBRARY MILLISECONDS    prints "loaded" once the library is in
 *
 * Built with -DLOADS_LIBRARY, this same file is the library.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile uint64_t sum;

#ifdef LOADS_LIBRARY

__attribute__((noinline)) static void late_leaf(void)
{
    for (int i = 0; i < 20000; i++)
        sum += (uint64_t)i;
}

void late_work(void)
{
    late_leaf();
    sum++;
}

#else

__attribute__((noinline)) static void early_work(void)
{
    for (int i = 0; i < 20000; i++)
        sum += (uint64_t)i;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    uint64_t until = now_ms() + (argc > 2 ? strtoull(argv[2], NULL, 10) : 0);
    void (*work)(void);
    void *lib;

    while (now_ms() < until)
        early_work();
    lib = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!lib) {
        (void)fprintf(stderr, "usage: loads LIBRARY MILLISECONDS\n");
        return 2;
    }
    *(void **)&work = dlsym(lib, "late_work");
    if (!work)
        return 2;
    (void)puts("loaded");
    (void)fflush(stdout);
    for (;;)
        work();
}

#endif
