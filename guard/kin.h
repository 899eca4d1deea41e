/*
 * kin.h: which processes belong to one target (target.all): those that match its selector, and what
 * descends from them in the same container. Pure: a table of what /proc said, and who is in.
 *
 * The table was read while processes came and went, so nothing in it need fit together: a parent
 * that is younger than its child is another process with the same number, rings of parents end.
 */
#ifndef GUARD_KIN_H
#define GUARD_KIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guard/proc.h"

enum {
    KIN_PASSES_MAX = 64, /* through the table; each finds at least one generation more */
};

struct kin_row {
    pid_t pid, ppid;
    uint64_t start_ticks; /* since boot; with the pid, who it is */
    bool match;           /* of the selector */
    bool never;           /* ourselves and the like: neither it nor its descendants */
    bool in;              /* set by kin_close() */
    bool apart;           /* set by kin_close(): in, and its parent is not */
    char comm[PROC_COMM_BYTES];
};

/**
 * kin_close(rows, n, akin, ctx): set `in` and `apart`, and sort: those that are in first, the
 * eldest before all others, so that row 0 is the common ancestor, if there is one. ${akin} is asked
 * once for each that descends from one that is in: does it belong to its parent? Returns how many
 * are in.
 */
size_t kin_close(struct kin_row *rows, size_t n, bool (*akin)(void *ctx, pid_t parent, pid_t child),
                 void *ctx);

#endif
