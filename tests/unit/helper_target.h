/*
 * helper_target.h: struct target (sampler/symbols/target.h) over a real process, for tests:
 * memory by process_vm_readv(2), files by /proc/PID/exe and /proc/PID/root, checked against the
 * inode as the guard does. The process is a forked copy of the test, a program of the test's
 * choice, or any other pid.
 */
#ifndef TESTS_UNIT_HELPER_TARGET_H
#define TESTS_UNIT_HELPER_TARGET_H

#include <sys/types.h>

#include "sampler/symbols/target.h"

enum {
    HELPER_MAPS_MAX_BYTES = 16 * 1024 * 1024,
};

struct helper_target {
    struct target target; /* give &t.target away */
    pid_t pid;
    int ours;   /* 1: started here, ended by helper_target_release() */
    int out_fd; /* what a spawned program writes, -1 when there is none */
    /* What was asked for, and faults to order (0: none; else this -errno instead). */
    unsigned reads, opens;
    int fail_read, fail_open;
};

/** helper_target_attach(t, pid): a process that is already there (getpid() too). */
void helper_target_attach(struct helper_target *t, pid_t pid);

/** helper_target_fork(t): a copy of this process that sleeps until it is released. 0, -errno. */
int helper_target_fork(struct helper_target *t);

/**
 * helper_target_spawn(t, argv): run a program with standard output on t->out_fd. It dies with the
 * test. 0 once it has called execve(2), -errno when that failed.
 */
int helper_target_spawn(struct helper_target *t, char *const argv[]);

/** helper_target_line(t, out, out_bytes): one line of its output without the newline; -EPIPE. */
int helper_target_line(struct helper_target *t, char *out, size_t out_bytes);

/** helper_target_release(t): kill and reap what was started here. */
void helper_target_release(struct helper_target *t);

/** helper_target_maps(t, ret_bytes): /proc/PID/maps, NUL-terminated, to be freed; NULL. */
char *helper_target_maps(const struct helper_target *t, size_t *ret_bytes);

/** helper_target_slurp(path, ret_bytes): a whole file, NUL-terminated, to be freed; NULL. */
char *helper_target_slurp(const char *path, size_t *ret_bytes);

#endif
