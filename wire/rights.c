#include "wire/rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "base/caps.h"

enum {
    RIGHTS_CALLS_MAX = 5,
    RIGHTS_PARANOID_USER = 2, /* the highest level with user samples, in the kernel's own source */
    RIGHTS_PARANOID_KERNEL = 1, /* … with kernel samples */
};

/* Each ends with WIRE_CALLS. */
static const enum wire_call needs[RIGHTS_WANTS][RIGHTS_CALLS_MAX] = {
    [RIGHTS_CPU] = {WIRE_CALL_PERF_USER, WIRE_CALLS},
    [RIGHTS_KERNEL] = {WIRE_CALL_PERF_KERNEL, WIRE_CALLS},
    [RIGHTS_RUNTIME] = {WIRE_CALL_MEMORY, WIRE_CALL_MAPS, WIRE_CALL_EXE, WIRE_CALLS},
    [RIGHTS_WALL] = {WIRE_CALL_MEMORY, WIRE_CALL_MAPS, WIRE_CALL_EXE, WIRE_CALL_SYSCALL,
                     WIRE_CALLS},
    [RIGHTS_PTRACE] = {WIRE_CALL_PTRACE, WIRE_CALL_MEMORY, WIRE_CALL_MAPS, WIRE_CALL_EXE,
                       WIRE_CALLS},
};

static bool refused(const struct wire_facts *f, enum wire_call call)
{
    return f->call[call] < 0;
}

enum wire_call rights_refused(const struct wire_facts *f, enum rights_want want)
{
    for (size_t i = 0; i < RIGHTS_CALLS_MAX && needs[want][i] != WIRE_CALLS; i++) {
        if (refused(f, needs[want][i]))
            return needs[want][i];
    }
    return WIRE_CALLS;
}

bool rights_can(const struct wire_facts *f, enum rights_want want)
{
    return rights_refused(f, want) == WIRE_CALLS;
}

static bool has(uint64_t caps, int cap)
{
    return caps & CAPS_BIT(cap);
}

/* A runtime that filters calls does not grant SYS_ADMIN; on a bare machine all are in the set. */
static bool granted_by_pod(const struct wire_side *s, int cap)
{
    return has(s->bounding, cap) && !has(s->bounding, CAP_SYS_ADMIN);
}

/* --- the ptrace access check, step by step --- */

static uint32_t identity(const struct wire_facts *f)
{
    const struct wire_side *us = &f->ours;
    const struct wire_side *them = &f->theirs;
    uint32_t causes = 0;

    for (size_t i = 0; i < 3; i++) {
        if (them->uid[i] != us->uid[0])
            causes |= RIGHTS_OTHER_USER;
        if (them->gid[i] != us->gid[0])
            causes |= RIGHTS_OTHER_GROUP;
    }
    if (f->flags & WIRE_FACT_UNDUMPABLE)
        causes |= RIGHTS_UNDUMPABLE;
    if (f->flags & WIRE_FACT_OTHER_USER_NS)
        causes |= RIGHTS_USER_NS; /* its capabilities are of its own world: not compared */
    else if (them->permitted & ~us->permitted)
        causes |= RIGHTS_MORE_CAPS;
    if (!causes && strcmp(us->label, them->label) != 0)
        causes |= RIGHTS_LABEL;
    return causes ? causes : RIGHTS_UNKNOWN;
}

/* Reading a link of the target's is the check and nothing else: no filter, no file mode. */
static bool unrelated(const struct wire_facts *f)
{
    return refused(f, WIRE_CALL_EXE);
}

/* To read is allowed, to attach is not. */
static uint32_t attach_causes(const struct wire_facts *f)
{
    if (f->yama > 0)
        return RIGHTS_YAMA;
    return strcmp(f->ours.label, f->theirs.label) != 0 ? RIGHTS_LABEL : RIGHTS_SECCOMP;
}

static uint32_t memory_causes(const struct wire_facts *f, int32_t err)
{
    if (err == -EIO)
        return RIGHTS_BLOCKED;
    if (err == -ENOSYS)
        return RIGHTS_NO_CALL;
    return unrelated(f) ? identity(f) : attach_causes(f);
}

static uint32_t ptrace_causes(const struct wire_facts *f, int32_t err)
{
    if (f->flags & WIRE_FACT_TRACED)
        return RIGHTS_TRACED;
    if (refused(f, WIRE_CALL_MEMORY))
        return memory_causes(f, f->call[WIRE_CALL_MEMORY]);
    return err == -ENOSYS ? RIGHTS_NO_CALL : RIGHTS_SECCOMP;
}

/* --- perf --- */

static uint32_t perf_causes(const struct wire_facts *f, int32_t err, int32_t paranoid_max)
{
    bool perfmon = has(f->ours.permitted, CAP_PERFMON);
    uint32_t causes = 0;

    if (err == -ENOSYS)
        return RIGHTS_NO_CALL;
    if (err != -EPERM && err != -EACCES)
        return RIGHTS_UNKNOWN;
    if (err == -EPERM)
        causes = RIGHTS_SECCOMP;
    else if (perfmon)
        return RIGHTS_POWERLESS;
    if (err == -EPERM && (perfmon || granted_by_pod(&f->ours, CAP_PERFMON)))
        causes |= RIGHTS_OLD_RULE;
    /* after a filter's EPERM the kernel was not even asked: what it would say is said too */
    if (!perfmon && unrelated(f))
        causes |= identity(f);
    if (!perfmon && (f->paranoid > paranoid_max || !causes))
        causes |= RIGHTS_PARANOID;
    return causes;
}

/* --- together --- */

/* The capabilities that would lift these, given and not taken up. */
static bool not_taken(const struct wire_facts *f, uint32_t causes)
{
    bool ptrace = causes & (RIGHTS_IDENTITY | RIGHTS_YAMA);
    bool perfmon = causes & RIGHTS_PARANOID;
    const struct wire_side *us = &f->ours;

    if (!ptrace && !perfmon)
        return false;
    return (!ptrace || granted_by_pod(us, CAP_SYS_PTRACE)) &&
           (!perfmon || granted_by_pod(us, CAP_PERFMON)) &&
           !((!ptrace || has(us->permitted, CAP_SYS_PTRACE)) &&
             (!perfmon || has(us->permitted, CAP_PERFMON)));
}

static uint32_t causes_of(const struct wire_facts *f, enum wire_call call)
{
    int32_t err = f->call[call];

    switch (call) {
    case WIRE_CALL_PERF_USER:
        return perf_causes(f, err, RIGHTS_PARANOID_USER);
    case WIRE_CALL_PERF_KERNEL:
        return perf_causes(f, err, RIGHTS_PARANOID_KERNEL);
    case WIRE_CALL_MEMORY:
    case WIRE_CALL_MAPS:
    case WIRE_CALL_EXE:
        return memory_causes(f, err);
    case WIRE_CALL_PTRACE:
        return ptrace_causes(f, err);
    case WIRE_CALL_SYSCALL: /* memory may be read: only the file's mode is left */
        return identity(f) & RIGHTS_OTHER_USER ? RIGHTS_FILE_MODE : attach_causes(f);
    case WIRE_CALL_PIDFD:
    case WIRE_CALL_ROOT:
    case WIRE_CALL_ENVIRON:
    case WIRE_CALL_FD:
    case WIRE_CALLS:
        break;
    }
    return RIGHTS_UNKNOWN;
}

uint32_t rights_causes(const struct wire_facts *f, enum rights_want want)
{
    enum wire_call call = rights_refused(f, want);
    uint32_t causes;

    if (call == WIRE_CALLS)
        return 0;
    causes = causes_of(f, call);
    return not_taken(f, causes) ? causes | RIGHTS_ENTRY : causes;
}

uint32_t rights_bits(const struct wire_facts *f)
{
    uint32_t bits = 0;

    if (f->call[WIRE_CALL_PERF_USER] == 0)
        bits |= WIRE_RIGHT_PERF;
    if (f->call[WIRE_CALL_PERF_KERNEL] == 0)
        bits |= WIRE_RIGHT_PERF_KERNEL;
    if (f->call[WIRE_CALL_MEMORY] == 0 && f->call[WIRE_CALL_MAPS] == 0)
        bits |= WIRE_RIGHT_MEMORY;
    if (f->call[WIRE_CALL_EXE] == 0)
        bits |= WIRE_RIGHT_FILES;
    if (has(f->ours.permitted, CAP_SYS_PTRACE))
        bits |= WIRE_RIGHT_PTRACE_CAP;
    if (has(f->ours.permitted, CAP_PERFMON))
        bits |= WIRE_RIGHT_PERFMON_CAP;
    return bits;
}

uint32_t rights_mode(const struct wire_facts *f)
{
    uint32_t bits = rights_bits(f);
    bool memory = bits & WIRE_RIGHT_MEMORY;

    if ((bits & WIRE_RIGHT_PERF) && memory && (bits & WIRE_RIGHT_PERF_KERNEL))
        return WIRE_MODE_FULL;
    if (bits & WIRE_RIGHT_PERF)
        return WIRE_MODE_PERF;
    if (memory)
        return bits & WIRE_RIGHT_PTRACE_CAP ? WIRE_MODE_PTRACE : WIRE_MODE_RESTRICTED;
    return WIRE_MODE_NONE;
}
