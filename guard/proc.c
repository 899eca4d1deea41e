#include "guard/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/num.h"

enum {
    PF_KTHREAD_FLAG = 0x00200000, /* include/linux/sched.h; the same number since Linux 2.6.27 */
};

ssize_t proc_read(pid_t pid, const char *name, char *out, size_t bytes)
{
    char path[64];
    size_t n = 0;
    int fd;

    if (pid > 0)
        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    else
        (void)snprintf(path, sizeof(path), "/proc/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    while (n + 1 < bytes) {
        ssize_t got = read(fd, out + n, bytes - 1 - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int saved = errno;

            (void)close(fd);
            return -saved;
        }
        if (got == 0)
            break;
        n += (size_t)got;
    }
    (void)close(fd);
    out[n] = '\0';
    return (ssize_t)n;
}

/* Field number `field` (3 = state) of the text behind the closing parenthesis; "" if not there. */
static const char *stat_field(const char *after, int field)
{
    for (int i = 3; i < field && *after; i++) {
        const char *space = strchr(after, ' ');

        if (!space)
            return "";
        after = space + 1;
    }
    return after;
}

static uint64_t stat_u64(const char *after, int field)
{
    const char *p = stat_field(after, field);
    uint64_t v = 0;

    (void)num_u64(p, strspn(p, "0123456789"), 10, UINT64_MAX, &v);
    return v;
}

static int read_stat(pid_t pid, const char *name, struct proc_stat *ret)
{
    char text[PROC_TEXT_MAX_BYTES];
    uint64_t tick_ns = CLOCK_NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
    ssize_t n = proc_read(pid, name, text, sizeof(text));
    char *open_par;
    char *close_par;
    const char *after;

    if (n < 0)
        return (int)n;
    open_par = strchr(text, '(');
    close_par = strrchr(text, ')'); /* comm may hold parentheses and spaces itself */
    if (!open_par || !close_par || close_par < open_par || close_par[1] != ' ')
        return -EBADMSG;
    after = close_par + 2;
    *ret = (struct proc_stat){
        .ppid = (pid_t)stat_u64(after, 4),
        .state = after[0],
        .kernel_thread = stat_u64(after, 9) & PF_KTHREAD_FLAG,
        .start_ticks = stat_u64(after, 22),
        .cpu_ns = (stat_u64(after, 14) + stat_u64(after, 15)) * tick_ns,
        .rss_bytes = stat_u64(after, 24) * (uint64_t)sysconf(_SC_PAGESIZE),
    };
    (void)err_clean(ret->comm, sizeof(ret->comm), open_par + 1, (size_t)(close_par - open_par - 1));
    return 0;
}

int proc_stat(pid_t pid, struct proc_stat *ret)
{
    return read_stat(pid, "stat", ret);
}

int proc_thread_stat(pid_t pid, uint32_t tid, struct proc_stat *ret)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "task/%u/stat", tid);
    return read_stat(pid, name, ret);
}

int proc_exe(pid_t pid, char *out, size_t bytes)
{
    static const char deleted[] = " (deleted)";
    size_t tail = sizeof(deleted) - 1;
    char path[64];
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    n = readlink(path, out, bytes - 1);
    if (n < 0)
        return -errno;
    out[n] = '\0';
    if ((size_t)n > tail && memcmp(out + n - tail, deleted, tail) == 0)
        out[(size_t)n - tail] = '\0';
    return 0;
}

/* The first number behind this word at the start of a line of status. */
static int64_t status_number(pid_t pid, const char *word)
{
    char text[PROC_TEXT_MAX_BYTES];
    ssize_t n = proc_read(pid, "status", text, sizeof(text));
    const char *line;
    uint64_t v;

    if (n < 0)
        return n;
    line = strstr(text, word);
    if (!line)
        return -EBADMSG;
    line += strlen(word);
    if (num_u64(line, strspn(line, "0123456789"), 10, UINT32_MAX, &v))
        return -EBADMSG;
    return (int64_t)v;
}

/* A newline in a name is written as \n in status, so these cannot be forged by one. */
int64_t proc_uid(pid_t pid)
{
    return status_number(pid, "\nUid:\t");
}

int64_t proc_gid(pid_t pid)
{
    return status_number(pid, "\nGid:\t");
}

int64_t proc_tracer(pid_t pid)
{
    return status_number(pid, "\nTracerPid:\t");
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

int proc_threads(pid_t pid, uint32_t *out, uint32_t max, uint32_t *ret_count, uint32_t *ret_missed)
{
    uint32_t n = 0, missed = 0;
    const struct dirent *d;
    char path[64];
    pid_t tid;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? -ESRCH : -errno;
    while ((d = readdir(dir)) != NULL) {
        if (!proc_number(d->d_name, &tid))
            continue;
        if (n < max)
            out[n++] = (uint32_t)tid;
        else
            missed++;
    }
    (void)closedir(dir);
    if (n == 0)
        return -ESRCH;
    qsort(out, n, sizeof(*out), ascending);
    *ret_count = n;
    *ret_missed = missed;
    return 0;
}

uint64_t proc_start_real_ns(uint64_t start_ticks)
{
    uint64_t tick_ns = CLOCK_NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
    struct timespec boot = {0};
    uint64_t since_boot;

    (void)clock_gettime(CLOCK_BOOTTIME, &boot);
    since_boot = (uint64_t)boot.tv_sec * CLOCK_NS_PER_SEC + (uint64_t)boot.tv_nsec;
    return clock_real_ns() - since_boot + start_ticks * tick_ns;
}

bool proc_number(const char *s, pid_t *ret)
{
    uint64_t v;

    if (num_u64(s, strlen(s), 10, INT32_MAX, &v) || v == 0)
        return false;
    *ret = (pid_t)v;
    return true;
}

const char *proc_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}
