/*
 * rights.h: what the guard's facts mean: which profiles can be had, what is in the way of the
 * others, and what the whole is called. Pure functions of struct wire_facts; the guard, the sidecar
 * and `pillion doctor` ask the same ones, so that their answers cannot differ. Words and YAML for
 * them: remedy.h.
 *
 * Sources: ptrace(2) "Ptrace access mode checking"; security/commoncap.c cap_ptrace_access_check;
 * kernel/events/core.c perf_event_open (EACCES is its own answer, to kernel.perf_event_paranoid and
 * to the ptrace check alike); seccomp profiles of container runtimes answer EPERM.
 */
#ifndef WIRE_RIGHTS_H
#define WIRE_RIGHTS_H

#include <stdbool.h>

#include "wire/wire.h"

/* What somebody may want. */
enum rights_want {
    RIGHTS_CPU,     /* CPU profiles of user space, by perf */
    RIGHTS_KERNEL,  /* with the kernel's frames */
    RIGHTS_RUNTIME, /* what a Go runtime knows: goroutine, heap, allocs, block, mutex, threads */
    RIGHTS_WALL,    /* where threads wait: /proc/T/syscall and their stacks */
    RIGHTS_PTRACE,  /* CPU profiles by stopping threads for a moment */
    RIGHTS_WANTS,
};

/* What is in the way: bits, since several may be. */
enum rights_cause {
    RIGHTS_SECCOMP = 1 << 0,     /* a filter answers in the kernel's place */
    RIGHTS_OLD_RULE = 1 << 1,    /* … though PERFMON is granted: CRI-O, podman before 2025-10 */
    RIGHTS_PARANOID = 1 << 2,    /* kernel.perf_event_paranoid */
    RIGHTS_OTHER_USER = 1 << 3,  /* one of its three user ids is not ours */
    RIGHTS_OTHER_GROUP = 1 << 4, /* one of its three group ids; supplementary ones do not matter */
    RIGHTS_MORE_CAPS = 1 << 5,   /* it is permitted capabilities that we are not */
    RIGHTS_UNDUMPABLE = 1 << 6,
    RIGHTS_USER_NS = 1 << 7,
    RIGHTS_YAMA = 1 << 8,
    RIGHTS_LABEL = 1 << 9,      /* AppArmor or SELinux, as far as their labels tell */
    RIGHTS_ENTRY = 1 << 10,     /* granted, not taken: in the bounding set, not permitted */
    RIGHTS_POWERLESS = 1 << 11, /* PERFMON is ours and perf refuses: in a user namespace it may */
    RIGHTS_TRACED = 1 << 12,    /* somebody else's debugger has it */
    RIGHTS_FILE_MODE = 1 << 13, /* /proc/T/syscall is its user's alone (mode 0400) */
    RIGHTS_NO_CALL = 1 << 14,   /* ENOSYS */
    RIGHTS_BLOCKED = 1 << 15,   /* the target let us wait without end; it is not asked again */
    RIGHTS_UNKNOWN = 1 << 16,

    /* Those of the ptrace access check. */
    RIGHTS_IDENTITY = RIGHTS_OTHER_USER | RIGHTS_OTHER_GROUP | RIGHTS_MORE_CAPS |
                      RIGHTS_UNDUMPABLE | RIGHTS_USER_NS | RIGHTS_LABEL | RIGHTS_UNKNOWN,
};

/** rights_can(f, want): no call that it needs was refused. */
bool rights_can(const struct wire_facts *f, enum rights_want want);

/** rights_refused(f, want): the first of its calls that was; WIRE_CALLS: none. */
enum wire_call rights_refused(const struct wire_facts *f, enum rights_want want);

/** rights_causes(f, want): enum rights_cause bits; 0 when it can be had. */
uint32_t rights_causes(const struct wire_facts *f, enum rights_want want);

/** rights_mode(f): enum wire_mode, by what worked. */
uint32_t rights_mode(const struct wire_facts *f);

/** rights_bits(f): the same as enum wire_right bits. */
uint32_t rights_bits(const struct wire_facts *f);

#endif
