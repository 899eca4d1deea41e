/*
 * The same three questions are asked by the index, the status, readiness and each profile; asked
 * here, they cannot get different answers. Reasons are the guard's own words, which name the right
 * that is missing and what grants it: only it knows which system call failed and how.
 */
#include "sidecar/state.h"

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

unsigned state_refuses_cpu(const struct state *st, char why[static STATE_WHY_BYTES])
{
    const struct wire_target *t = &st->status.target;
    unsigned status = state_refuses_target(st, why);

    if (status == 0 && !(t->rights & WIRE_RIGHT_PERF))
        return say(why, 501, "CPU profiles need a right that is missing here",
                   t->reason[0] ? t->reason : "perf_event_open(2) is refused");
    return status;
}

bool state_ready(const struct state *st, char why[static STATE_WHY_BYTES])
{
    return state_refuses_target(st, why) == 0;
}
