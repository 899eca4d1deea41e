/*
 * sandbox.h: what a program gives up before it meets anything hostile. Each layer that the kernel
 * has not is said, and the others are used all the same.
 *
 * Order (sandbox_enter): rlimits, dumpable 0, bounding set, capabilities, no_new_privs, Landlock,
 * the program's threads, seccomp; then one log line with what is left. Sources: capabilities(7),
 * prctl(2), landlock(7), seccomp(2), and the tables in base/seccomp.c. Under ASan the runtime needs
 * a few calls more; base/seccomp.c names them.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define SANDBOX_SANITIZED 1 /* its runtime needs calls and room that ours does not */
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define SANDBOX_SANITIZED 1
#    endif
#endif

enum {
    SANDBOX_PATHS_MAX = 256,
    SANDBOX_WRITES_MAX = 24,
    SANDBOX_PORTS_MAX = 64,
    SANDBOX_UID = 65532,     /* "nonroot" of common images: owns nothing */
    SANDBOX_ADDRESS_GIB = 4, /* RLIMIT_AS of sampler and sidecar: rings and profiles are far less */
};

enum sandbox_role {
    SANDBOX_GUARD,   /* keeps the capabilities named; no seccomp, no Landlock: it starts programs */
    SANDBOX_SAMPLER, /* computes: no file, no socket, no exec */
    SANDBOX_SIDECAR, /* serves listeners it has, reads below its paths: no exec, no foreign process
                      */
};

struct sandbox_want {
    enum sandbox_role role;
    /* landlock_allow_paths where paths are named, else NULL: a program that opens nothing does not
     * even link what opens them */
    int (*allow)(const struct sandbox_want *want, int ruleset);
    uint64_t keep_caps; /* bits 1 << CAP_x; what is not permitted is not gained */
    uint32_t nofile;    /* RLIMIT_NOFILE, 0: as it is */
    const char *read_paths[SANDBOX_PATHS_MAX]; /* files and folders that may be read (Landlock) */
    size_t read_paths_count;
    /* folders beneath which files and folders may be made, linked, renamed and removed; without
     * one, nothing can be opened for writing at all (seccomp) */
    const char *write_paths[SANDBOX_WRITES_MAX];
    size_t write_paths_count;
    /* Connections of our own: without, there is no socket(2) and no connect(2) at all (seccomp). */
    bool connects;                     /* TCP to these ports (Landlock), names resolved by libc */
    bool connects_unix;                /* unix sockets too: by path, which Landlock does not know */
    uint16_t ports[SANDBOX_PORTS_MAX]; /* port 53 is one of them for large answers of DNS */
    size_t ports_count;
    /*
     * Starts all threads that the program will ever have; NULL: none. Capabilities, no_new_privs
     * and Landlock belong to a thread, and a new one has those of the thread that makes it: so it
     * is called when they hold, and returns when all have begun: libc's part of a thread's start
     * would not pass the filter. Afterwards no thread can be made any more.
     */
    int (*threads)(void);
};

struct sandbox_state {
    uint32_t uid, gid;
    uint64_t caps; /* effective */
    bool no_new_privs, dumpable;
    int landlock_abi;     /* 0: not there or not used */
    bool starts_programs; /* the guard: neither Landlock nor seccomp */
    int seccomp;          /* number of BPF instructions, 0: none */
};

/**
 * sandbox_enter(want, ret, e): give up all but what is wanted. A layer that the kernel lacks is no
 * error; one that is there and fails is. ${ret} may be NULL.
 */
int sandbox_enter(const struct sandbox_want *want, struct sandbox_state *ret, struct err *e);

/** sandbox_log(state): the one line: "confined" with what is left. */
void sandbox_log(const struct sandbox_state *state);

/** sandbox_undumpable(): PR_SET_DUMPABLE 0 and no core files: the first thing in main(). */
void sandbox_undumpable(void);

/**
 * sandbox_standard_fds(): descriptors 0 to 2 are open, by /dev/null where they were not: the next
 * one that we open must not become what everybody prints to. 0 or -errno.
 */
int sandbox_standard_fds(void);

/** sandbox_caps(): bits of the permitted capabilities. */
uint64_t sandbox_caps(void);

/** sandbox_set_caps(bits): effective = permitted = bits & permitted; nothing inheritable or
 * ambient. */
int sandbox_set_caps(uint64_t bits);

/* --- used by sandbox_enter, one file a mechanism --- */

/** landlock_enter(want): the ABI in use, 0 when the kernel has none, -errno. */
int landlock_enter(const struct sandbox_want *want);
/** landlock_allow_paths(want, ruleset): for sandbox_want.allow. */
int landlock_allow_paths(const struct sandbox_want *want, int ruleset);
/** seccomp_enter(want): for all threads: instructions loaded, 0 when the kernel has none, -errno.
 */
int seccomp_enter(const struct sandbox_want *want);

#endif
