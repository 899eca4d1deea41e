/*
 * The same three questions are asked by the index, the status, readiness and each profile; asked
 * here, they cannot get different answers. Reasons are the guard's own words, which name the right
 * that is missing and what grants it: only it knows which system call failed and how.
 */
#include "sidecar/state.h"

#include <errno.h>

static unsigned say(char *why, unsigned status, const char *what, const char *detail)
{
    (void)snprintf(why, STATE_WHY_BYTES, "%s%s%s", what, detail[0] ? ": " : "", detail);
    return status;
}

unsigned state_refuses_target(const struct state *st, char why[static STATE_WHY_BYTES])
{
    const struct wire_target *t = &st->status.target;

    why[0] = '\0';
    if (st->draining)
        return say(why, 503, "shutting down", "");
    if (!st->heard)
        return say(why, 503, "no target yet", "the guard has not spoken");
    switch ((enum wire_target_state)t->state) {
    case WIRE_TARGET_UP:
        break;
    case WIRE_TARGET_WAITING:
        return say(why, 503, "no target yet", t->reason);
    case WIRE_TARGET_GONE:
        return say(why, 503, "no target any more", t->reason);
    case WIRE_TARGET_AMBIGUOUS:
        return say(why, 503, "no target yet", t->reason);
    }
    if (!st->sampler_up)
        return say(why, 503, "the sampler is not running", st->status.note);
    return 0;
}

/* The other way to CPU profiles. */
static const char stops_way[] = "; or, where ptrace is allowed, `target: {unsafe: {ptrace_sampling: "
                                "true}}`, which stops the target's threads for each sample";

unsigned state_refuses_cpu(const struct state *st, char why[static STATE_WHY_BYTES])
{
    const struct wire_target *t = &st->status.target;
    unsigned status = state_refuses_target(st, why);

    if (status || (t->rights & (uint32_t)(WIRE_RIGHT_PERF | WIRE_RIGHT_STOPS)))
        return status;
    status = say(why, 501, "CPU profiles need a right that is missing here",
                 t->reason[0] ? t->reason : "perf_event_open(2) is refused");
    if (t->rights & WIRE_RIGHT_MEMORY) {
        size_t used = strlen(why);

        (void)snprintf(why + used, STATE_WHY_BYTES - used, "%s", stops_way);
    }
    return status;
}

/* Unknown counts as Go: the sampler says so if not, and its answer is the better one. */
bool state_is_go(const struct state *st)
{
    const struct wire_target *t = &st->status.target;

    if (t->state != WIRE_TARGET_UP)
        return false;
    return st->about.generation != t->generation || !st->about.language[0] ||
           strcmp(st->about.language, "go") == 0;
}

/*
 * What would grant the reading of memory: the target's one reason may be perf's, which asks for
 * more. EPERM is process_vm_readv(2)'s word to another user without CAP_SYS_PTRACE, EACCES that of
 * /proc/PID/maps (proc(5)).
 */
static const char *memory_reason(const struct wire_target *t)
{
    if (t->memory_errno == -EPERM || t->memory_errno == -EACCES)
        return "the target's memory cannot be read: run as its user and group, or `sudo make run`, "
               "or in the container's securityContext `capabilities: {add: [SYS_PTRACE]}`";
    return t->reason[0] ? t->reason : "the target's memory or files cannot be read";
}

unsigned state_refuses_wall(const struct state *st, char why[static STATE_WHY_BYTES])
{
    const struct wire_target *t = &st->status.target;
    unsigned status = state_refuses_target(st, why);

    if (status == 0 && !(t->rights & WIRE_RIGHT_MEMORY))
        return say(why, 501, "this profile needs a right that is missing here", memory_reason(t));
    return status;
}

const char *state_note(const struct state *st)
{
    const struct wire_target *t = &st->status.target;

    if (t->state != WIRE_TARGET_UP || st->about.generation != t->generation ||
        strcmp(st->about.language, "go") != 0)
        return "";
    return st->about.note;
}

unsigned state_refuses_runtime(const struct state *st, uint32_t kind,
                               char why[static STATE_WHY_BYTES])
{
    const struct wire_target *t = &st->status.target;
    unsigned status = state_refuses_target(st, why);

    if (status)
        return status;
    if (!(t->rights & WIRE_RIGHT_MEMORY) || !(t->rights & WIRE_RIGHT_FILES))
        return say(why, 501, "this profile needs a right that is missing here", memory_reason(t));
    if (!state_is_go(st))
        return say(why, 501,
                   "this profile is read from a known Go runtime, and the target has none",
                   st->about.note);
    if (session_broken(&st->session, session_runtime_kind(kind), t->generation))
        return say(why, 503, "the sampler crashed three times in a row on this kind of profile",
                   "it is not tried again until the target restarts or the configuration is "
                   "reloaded (SIGHUP)");
    return 0;
}

bool state_ready(const struct state *st, char why[static STATE_WHY_BYTES])
{
    return state_refuses_target(st, why) == 0;
}
