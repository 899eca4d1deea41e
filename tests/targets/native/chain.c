/*
 * Native code whose callers are known: outer_a and outer_b call middle, which calls leaf, with
 * shares of 1 to 3. Compiled with and without frame pointers, stripped and not, static and not.
 *
 *   chain            that, for ever        chain lib FILE   the same in spin() of a library
 *   chain clock      clock_gettime(2)      chain delete     that, after it removed its own file
 *   chain syscall    getppid(2), all day
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#ifndef NO_DLOPEN
#    include <dlfcn.h>
#endif

static volatile unsigned long counter;

/* GCC 12 gives no leaf a frame, whatever its options; asked for its address, it has to have one. */
#ifdef FRAMES
#    define FRAME (void)*(void *volatile *)__builtin_frame_address(0)
#else
#    define FRAME (void)0
#endif

__attribute__((noinline, visibility("hidden"))) void chain_leaf(unsigned long turns)
{
    FRAME;
    for (unsigned long i = 0; i < turns; i++)
        counter++;
}

__attribute__((noinline, visibility("hidden"))) void chain_middle(unsigned long turns)
{
    chain_leaf(turns);
    counter++;
}

__attribute__((noinline, visibility("hidden"))) void chain_outer_a(void)
{
    chain_middle(100000);
    counter++;
}

__attribute__((noinline, visibility("hidden"))) void chain_outer_b(void)
{
    chain_middle(300000);
    counter++;
}

__attribute__((noinline)) static void clock_loop(void)
{
    struct timespec t;

    for (int i = 0; i < 100000; i++)
        clock_gettime(CLOCK_MONOTONIC, &t);
    counter++;
}

__attribute__((noinline)) static void syscall_loop(void)
{
    for (int i = 0; i < 100000; i++)
        (void)syscall(SYS_getppid);
    counter++;
}

static int lib_loop(const char *file)
{
#ifdef NO_DLOPEN
    (void)file;
#else
    void *lib = dlopen(file, RTLD_NOW);
    void (*spin)(void);

    if (!lib) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    *(void **)&spin = dlsym(lib, "spin");
    unlink(file);
    for (;;)
        spin();
#endif
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    if (strcmp(mode, "lib") == 0)
        return lib_loop(argv[2]);
    if (strcmp(mode, "delete") == 0)
        unlink(argv[0]);
    for (;;) {
        if (strcmp(mode, "clock") == 0)
            clock_loop();
        else if (strcmp(mode, "syscall") == 0)
            syscall_loop();
        else {
            chain_outer_a();
            chain_outer_b();
        }
    }
}
