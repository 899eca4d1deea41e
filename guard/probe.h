/*
 * probe.h: what is allowed with the target, found by trying each call on it once, and what tells
 * why the others are refused: who both sides are, and how this machine is set.
 *
 * Nothing is stopped, written to or signalled, and nothing of the target's content is read but one
 * byte of its memory and the beginnings of a few /proc files. ptrace(2) is tried on a process that
 * cannot be: the kernel answers ESRCH where a seccomp filter would answer EPERM, and whether
 * attaching would be allowed is told by calls that ask the same question (ptrace(2), "Ptrace
 * access mode checking").
 *
 * Order: probe_self() once, before the guard gives anything up; then for each target (or for none)
 * probe_begin(), probe_waiting(), probe_rest().
 */
#ifndef GUARD_PROBE_H
#define GUARD_PROBE_H

#include <sys/types.h>

#include "wire/wire.h"

enum {
    PROBE_STATUS_BYTES = 64 * 1024, /* of /proc/PID/status; the capabilities stand behind Groups */
    PROBE_MAP_BYTES = 8 * 1024,     /* of uid_map: 340 lines of 3 numbers (user_namespaces(7)) */
};

/** probe_self(f): who we are: f->ours as we were started, and the machine; the calls untried. */
void probe_self(struct wire_facts *f);

/** probe_begin(f, generation): forget the last target; what we hold by now. */
void probe_begin(struct wire_facts *f, uint32_t generation);

/**
 * probe_waiting(f, pid): the calls that the target may let wait without end (relief.h): its maps
 * and its memory.
 */
void probe_waiting(struct wire_facts *f, pid_t pid);

/** probe_rest(f, pid): all others, and who the target is. */
void probe_rest(struct wire_facts *f, pid_t pid);

/** probe_host(f): there is no target: what can be tried without one, on ourselves. */
void probe_host(struct wire_facts *f);

#endif
