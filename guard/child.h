/*
 * child.h: starting our own programs: fork and exec, never fork alone. A child gets exactly the
 * descriptors named, no capability, and dies with the guard (PR_SET_PDEATHSIG).
 */
#ifndef GUARD_CHILD_H
#define GUARD_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum {
    CHILD_FD_FIRST = 3, /* descriptors given to a child stand at 3, 4, 5 … */
    CHILD_FDS_MAX = 4,
    CHILD_ARGS_MAX = 64,
    CHILD_BACKOFF_FIRST_MS = 100,
    CHILD_BACKOFF_MAX_MS = 10000,
    CHILD_STEADY_MS = 30000, /* alive for so long: the back-off starts anew */
    CHILD_LINGER_MS = 1000,  /* from the end of its link to its own end: to say why, not to stay */
};

struct child_want {
    const char *program;     /* name of the sibling: "pillion-sampler" */
    const char *const *args; /* argv[1…], NULL-terminated */
    int fds[CHILD_FDS_MAX];  /* become CHILD_FD_FIRST + i */
    int fds_count;
    uint32_t uid; /* run as this uid and gid where we may change; 0: as we are */
    bool empty_environment;
    bool no_output; /* it says nothing but log lines: standard output is /dev/null for it */
};

struct child {
    const char *name;
    pid_t pid;            /* 0: not running */
    uint64_t started_ns;  /* monotonic */
    uint64_t start_at_ns; /* when it may be started again */
    uint32_t backoff_ms;
    uint32_t restarts;
    int last_signal; /* that ended it, 0: it ended by itself */
    int last_code;
    uint64_t ends_by_ns; /* its link is closed: killed if it has not ended by then, 0: it is open */
};

/** child_start(want, ret_pid, e): 0 or -errno. */
int child_start(const struct child_want *want, pid_t *ret_pid, struct err *e);

/** child_started(c, pid) / child_ended(c, wait_status): keep the record, set the next start time.
 */
void child_started(struct child *c, pid_t pid);
void child_ended(struct child *c, int wait_status);

/** child_lingers(c): its link is at its end, it has CHILD_LINGER_MS left. */
void child_lingers(struct child *c);

/** child_kill(c): SIGKILL; NULL-safe for one that is not running. */
void child_kill(const struct child *c);

#endif
