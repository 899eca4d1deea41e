#include "guard/threads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/num.h"

enum {
    THREADS_PATH_BYTES = 32,
    THREADS_BITS = 8 * sizeof(unsigned long),
};

static int open_proc(pid_t pid)
{
    char path[THREADS_PATH_BYTES];

    (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int guard_threads_open(struct guard_threads *t, pid_t pid)
{
    /* fails before Linux 5.3, and that is fine: pid_fd is then negative */
    t->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    t->proc_fd = open_proc(pid);
    if (t->proc_fd < 0) {
        guard_threads_close(t);
        return -ESRCH;
    }
    return 0;
}

/* Those that have ended make room. */
static void forget_ended(struct guard_threads *t)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < t->others; i++) {
        if (faccessat(t->other_fd[i], "task", F_OK, 0) == 0)
            t->other_fd[kept++] = t->other_fd[i];
        else
            (void)close(t->other_fd[i]);
    }
    t->others = kept;
}

int guard_threads_add(struct guard_threads *t, pid_t pid, int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int fd;

    if (t->others >= WIRE_MEMBERS_MAX - 1)
        forget_ended(t);
    if (t->others >= WIRE_MEMBERS_MAX - 1)
        return -E2BIG;
    fd = open_proc(pid);
    if (fd < 0)
        return -ESRCH;
    /* it runs still, so that folder is its own; later the number may be another's */
    if (poll(&p, 1, 0) != 0) {
        (void)close(fd);
        return -ESRCH;
    }
    t->other_fd[t->others++] = fd;
    return 0;
}

void guard_threads_close(struct guard_threads *t)
{
    if (t->proc_fd >= 0)
        (void)close(t->proc_fd);
    if (t->pid_fd >= 0)
        (void)close(t->pid_fd);
    t->proc_fd = t->pid_fd = -1;
    for (uint32_t i = 0; i < t->others; i++)
        (void)close(t->other_fd[i]);
    t->others = 0;
}

static int list_of(struct guard_threads *t, int proc_fd)
{
    int fd = openat(proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct dirent *d;
    uint64_t tid;
    DIR *dir;

    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    dir = fdopendir(fd);
    if (!dir) {
        (void)close(fd);
        return -ENOMEM;
    }
    while (t->nlist < GUARD_THREADS_MAX && (d = readdir(dir)) != NULL)
        if (num_u64(d->d_name, strlen(d->d_name), 10, INT32_MAX, &tid) == 0 && tid > 0)
            t->list[t->nlist++] = (uint32_t)tid;
    (void)closedir(dir);
    return 0;
}

int guard_threads_list(struct guard_threads *t)
{
    int r;

    t->nlist = 0;
    r = list_of(t, t->proc_fd);
    if (r)
        return r;
    if (t->nlist == 0)
        return -ESRCH;
    for (uint32_t i = 0; i < t->others; i++)
        (void)list_of(t, t->other_fd[i]); /* one that has ended has no threads */
    return 0;
}

int guard_threads_exists(const struct guard_threads *t, uint32_t tid)
{
    char path[THREADS_PATH_BYTES];

    (void)snprintf(path, sizeof(path), "task/%u", tid);
    if (faccessat(t->proc_fd, path, F_OK, 0) == 0)
        return 1;
    for (uint32_t i = 0; i < t->others; i++) {
        if (faccessat(t->other_fd[i], path, F_OK, 0) == 0)
            return 1;
    }
    return 0;
}

int guard_threads_gone(const struct guard_threads *t)
{
    struct pollfd p = {.fd = t->pid_fd, .events = POLLIN};

    /* a zombie keeps its /proc folder until its parent looks, but its pidfd is readable at once */
    if (t->pid_fd >= 0)
        return poll(&p, 1, 0) > 0;
    return faccessat(t->proc_fd, "task", F_OK, 0) != 0;
}

int guard_threads_cpus(struct guard_threads *t)
{
    unsigned long all[GUARD_THREADS_CPUS_MAX / THREADS_BITS] = {0};
    unsigned long one[GUARD_THREADS_CPUS_MAX / THREADS_BITS];

    for (uint32_t i = 0; i < t->nlist; i++) {
        /* the system call itself tells how many bytes it filled in; online CPUs only */
        long n = syscall(SYS_sched_getaffinity, t->list[i], sizeof(one), one);

        for (long k = 0; k < n / (long)sizeof(one[0]); k++)
            all[k] |= one[k];
    }
    t->cpus = 0;
    for (uint32_t cpu = 0; cpu < GUARD_THREADS_CPUS_MAX; cpu++)
        if (all[cpu / THREADS_BITS] >> (cpu % THREADS_BITS) & 1)
            t->cpu[t->cpus++] = (uint16_t)cpu;
    return t->cpus ? 0 : -ESRCH;
}

int guard_threads_see(struct guard_threads *t, uint32_t tid)
{
    uint32_t i = (tid * UINT32_C(2654435761)) % GUARD_THREADS_SLOTS;

    /* multiplicative hashing (Knuth 6.4): tids are given out one after the other */
    while (t->seen[i] != 0) { /* ends: at most half of the places are taken */
        if (t->seen[i] == tid)
            return 0;
        i = (i + 1) % GUARD_THREADS_SLOTS;
    }
    if (t->nseen >= GUARD_THREADS_MAX)
        return 0;
    t->seen[i] = tid;
    t->nseen++;
    return 1;
}

void guard_threads_forget(struct guard_threads *t)
{
    if (t->nseen > 0)
        memset(t->seen, 0, sizeof(t->seen));
    t->nseen = 0;
}
