/*
 * The same three questions are asked by the index, the status, readiness and each profile; asked
 * here, they cannot get different answers. What is missing, and the line that grants it, follow
 * from the guard's facts (wire/remedy.h): only it knows which system call failed and how.
 */
#include "sidecar/state.h"

enum {
    STATE_WHAT_BYTES = 64, /* what is refused, before the reason */
};

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
static const char stops_way[] =
    "; or, where ptrace is allowed, `target: {unsafe: {ptrace_sampling: "
    "true}}`, which stops the target's threads for each sample";

const char *state_missing(const struct state *st, enum rights_want want, char *text, size_t bytes)
{
    const struct wire_target *t = &st->status.target;

    if (st->facts.generation == t->generation && !rights_can(&st->facts, want))
        return remedy_text(&st->facts, want, text, bytes);
    return t->reason[0] ? t->reason : "a system call is refused";
}

unsigned state_refuses_cpu(const struct state *st, char why[static STATE_WHY_BYTES])
{
    const struct wire_target *t = &st->status.target;
    unsigned status = state_refuses_target(st, why);
    char text[STATE_WHY_BYTES - sizeof(stops_way) - STATE_WHAT_BYTES]; /* room for the rest */

    if (status || (t->rights & (uint32_t)(WIRE_RIGHT_PERF | WIRE_RIGHT_STOPS)))
        return status;
    status = say(why, 501, "CPU profiles need a right that is missing here",
                 state_missing(st, RIGHTS_CPU, text, sizeof(text)));
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

unsigned state_refuses_wall(const struct state *st, char why[static STATE_WHY_BYTES])
{
    const struct wire_target *t = &st->status.target;
    unsigned status = state_refuses_target(st, why);
    bool known = st->facts.generation == t->generation;
    char text[STATE_WHY_BYTES];

    if (status == 0 &&
        (!(t->rights & WIRE_RIGHT_MEMORY) || (known && !rights_can(&st->facts, RIGHTS_WALL))))
        return say(why, 501, "this profile needs a right that is missing here",
                   state_missing(st, RIGHTS_WALL, text, sizeof(text)));
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
    char text[STATE_WHY_BYTES];

    if (status)
        return status;
    if (!(t->rights & WIRE_RIGHT_MEMORY) || !(t->rights & WIRE_RIGHT_FILES))
        return say(why, 501, "this profile needs a right that is missing here",
                   state_missing(st, RIGHTS_RUNTIME, text, sizeof(text)));
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
