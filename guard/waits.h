/*
 * waits.h: where the target's threads wait, without perf and without stopping any of them.
 *
 * /proc/PID/task/TID/syscall (proc(5), fs/proc/base.c) says of a thread that does not run: the
 * number of its system call, its stack pointer and its program counter; of any other: "running".
 * A thread that waits does not move, so its stack can be read meanwhile; afterwards the file is
 * read again, and where it says anything else the thread has run on, and its stack is of two
 * moments: WIRE_WAIT_MOVED. The kernel allows it to whom it allows ptrace(2).
 */
#ifndef GUARD_WAITS_H
#define GUARD_WAITS_H

#include "guard/target.h"

enum {
    WAITS_THREADS_MAX = 4096,   /* with the largest numbers are left out, and counted as missed */
    WAITS_TEXT_BYTES = 256,     /* of the file: eight numbers of 64 bits and one of 32 */
    WAITS_BUDGET_NS = 50000000, /* of one answer: what is left comes with the next question */
};

/**
 * guard_waits_read(t, ask, ret, ret_rows): fills ${ret}; rows in ${ret_rows}, their stacks in the
 * target's arena. At most WIRE_WAITS_MAX threads; ret->after says where to go on.
 */
void guard_waits_read(struct target *t, const struct wire_waits_ask *ask, struct wire_waits *ret,
                      struct wire_wait ret_rows[static WIRE_WAITS_MAX]);

/**
 * guard_waits_parse(text, ret_sp, ret_pc): one content of the file: 1: waits, at these; 0: runs;
 * -EBADMSG.
 */
int guard_waits_parse(const char *text, uint64_t *ret_sp, uint64_t *ret_pc);

#endif
