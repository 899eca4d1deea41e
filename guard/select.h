/*
 * select.h: does this process match the selector of the plan? One rule for each enum plan_select.
 * What is compared (names, command line, environment, sockets) is the process's own to choose; it
 * is compared and nothing else.
 */
#ifndef GUARD_SELECT_H
#define GUARD_SELECT_H

#include <regex.h>

#include "guard/proc.h"
#include "wire/plan.h"

enum {
    SELECT_INODES_MAX = 64,   /* sockets that listen on one port (SO_REUSEPORT) */
    SELECT_FDS_MAX = 1048576, /* descriptors of one process that are looked at */
    SELECT_NET_MAX_BYTES = 16 * 1024 * 1024,
};

struct select {
    const struct plan *plan;
    regex_t regex;
    bool have_regex;
    uint64_t inodes[SELECT_INODES_MAX]; /* PLAN_SELECT_PORT: of the sockets that listen there */
    size_t inodes_count;
    char *big; /* PROC_ENVIRON_MAX_BYTES */
};

/** select_init(s, plan): what is needed once for all processes. 0, -ENOMEM, -EINVAL. */
int select_init(struct select *s, const struct plan *plan);
void select_release(struct select *s); /* also after a failed select_init() */

/** select_match(s, pid, st): may wait for the process without end (relief.h). */
bool select_match(struct select *s, pid_t pid, const struct proc_stat *st);

#endif
