/*
 * realclock.c: LD_PRELOADed: CLOCK_REALTIME plus the seconds (int64_t, native) that stand in the
 * file $REALCLOCK; with $MONOCLOCK set, CLOCK_MONOTONIC as well. No program may set the machine's
 * clock for a test, and a time namespace does not move this one (time_namespaces(7)). The file is
 * mapped before the program confines itself.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shift_s;
static int both;

__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("REALCLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *p = fd >= 0 ? mmap(NULL, sizeof(*shift_s), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (fd >= 0)
        (void)close(fd);
    both = getenv("MONOCLOCK") != NULL;
    if (p != MAP_FAILED)
        shift_s = p;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    int r = (int)syscall(SYS_clock_gettime, id, ts);

    if (r == 0 && shift_s && (id == CLOCK_REALTIME || (both && id == CLOCK_MONOTONIC)))
        ts->tv_sec += *shift_s;
    return r;
}
