/*
 * proc.h: the few facts the guard takes from /proc text, each bounded. proc(5) is the source. The
 * text is partly the target's (comm, cmdline, environ): it is compared and shown, never obeyed.
 */
#ifndef GUARD_PROC_H
#define GUARD_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PROC_TEXT_MAX_BYTES = 4096,      /* stat, status, cgroup, cmdline as far as we look */
    PROC_ENVIRON_MAX_BYTES = 262144, /* environ as far as we look */
    PROC_COMM_BYTES = 64,
    PROC_PATH_BYTES = 4096,
};

struct proc_stat {
    pid_t ppid;
    char state; /* R S D Z T … */
    bool kernel_thread;
    char comm[PROC_COMM_BYTES];
    uint64_t start_ticks; /* field 22: since boot, in clock ticks */
    uint64_t cpu_ns;      /* utime + stime */
    uint64_t rss_bytes;
};

/** proc_read(pid, name, out, bytes): /proc/PID/name (pid 0: /proc/name), cut to bytes - 1, NUL
 * added. Number of bytes or -errno. */
ssize_t proc_read(pid_t pid, const char *name, char *out, size_t bytes);

/** proc_stat(pid, ret): 0 or -errno. */
int proc_stat(pid_t pid, struct proc_stat *ret);
/** proc_thread_stat(pid, tid, ret): of one thread: its own CPU time and state. 0 or -errno. */
int proc_thread_stat(pid_t pid, uint32_t tid, struct proc_stat *ret);

/** proc_exe(pid, out, bytes): where /proc/PID/exe points, " (deleted)" taken off; -errno. */
int proc_exe(pid_t pid, char *out, size_t bytes);

/** proc_uid(pid): the owner (real uid of status), -errno. */
int64_t proc_uid(pid_t pid);

/** proc_gid(pid): its real gid, -errno. */
int64_t proc_gid(pid_t pid);

/** proc_tracer(pid): who traces it, 0: nobody; -errno. */
int64_t proc_tracer(pid_t pid);

/** proc_threads(pid, out, max, ret_count, ret_missed): its tids, ascending. 0, -ESRCH, -errno. */
int proc_threads(pid_t pid, uint32_t *out, uint32_t max, uint32_t *ret_count, uint32_t *ret_missed);

/** proc_start_real_ns(start_ticks): since 1970. */
uint64_t proc_start_real_ns(uint64_t start_ticks);

/** proc_number(s, ret): a /proc entry that is a pid. */
bool proc_number(const char *s, pid_t *ret);

/** proc_base(path): what follows the last '/'. */
const char *proc_base(const char *path);

#endif
