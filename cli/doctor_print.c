/*
 * Text for people: what is, what is refused and why, which profiles that leaves, and what to paste.
 * All texts that came from elsewhere are printable ASCII (codec_text_ok).
 */
#include "cli/doctor.h"

#include <inttypes.h>

#include "base/caps.h"
#include "base/json.h"
#include "wire/codec.h"
#include "wire/facts_json.h"

enum {
    DOCTOR_CAPS_MANY = 24, /* of 41 */
};

static const char *mode_of(const struct doctor *d)
{
    return codec_mode_name(d->target ? rights_mode(d->facts) : WIRE_MODE_NONE);
}

bool doctor_lacks(const struct doctor *d)
{
    for (size_t i = 0; i < d->rows; i++) {
        if (!rights_can(d->facts, d->row[i].want))
            return true;
    }
    return false;
}

/* --- who is who --- */

static void ids(struct buf *out, const char *what, const uint32_t id[static 3])
{
    buf_printf(out, "%s %" PRIu32, what, id[0]);
    if (id[0] != id[1] || id[0] != id[2]) /* real, effective, saved: the kernel compares each */
        buf_printf(out, "/%" PRIu32 "/%" PRIu32, id[1], id[2]);
}

/* Root's sets by what they lack. */
static void caps(struct buf *out, uint64_t bits)
{
    bool many = __builtin_popcountll(bits & CAPS_ALL) > DOCTOR_CAPS_MANY && bits != CAPS_ALL;
    char text[CAPS_TEXT_BYTES];

    buf_printf(out, "%s%s", many ? "all but " : "",
               caps_text(many ? CAPS_ALL & ~bits : bits, text, sizeof(text)));
}

static void side(struct buf *out, const char *who, const struct wire_side *s)
{
    static const char *const filters[] = {"none", "strict", "a filter"};

    buf_printf(out, "%-9s", who);
    ids(out, "uid", s->uid);
    ids(out, ", gid", s->gid);
    buf_puts(out, ", capabilities ");
    caps(out, s->permitted);
    if (s->bounding != s->permitted) {
        buf_puts(out, " (bounding set: ");
        caps(out, s->bounding);
        buf_putc(out, ')');
    }
    buf_printf(out, ", no_new_privs %s, seccomp %s", s->no_new_privs ? "yes" : "no",
               filters[s->seccomp < 3 ? s->seccomp : 2]);
    if (s->label[0])
        buf_printf(out, ", label %s", s->label);
    if (s->container[0])
        buf_printf(out, ", container %.12s", s->container);
}

static void sides(const struct doctor *d, struct buf *out)
{
    const struct wire_facts *f = d->facts;

    side(out, "Pillion", &f->ours);
    buf_putc(out, '\n');
    if (!d->target)
        return;
    side(out, "target", &f->theirs);
    buf_printf(out, ", %s, user namespace %s\n",
               f->flags & WIRE_FACT_UNDUMPABLE ? "not dumpable" : "dumpable",
               f->flags & WIRE_FACT_OTHER_USER_NS ? "another" : "the same");
}

static void machine(const struct wire_facts *f, struct buf *out)
{
    buf_printf(out, "machine  kernel.perf_event_paranoid %" PRId32, f->paranoid);
    if (f->yama >= 0)
        buf_printf(out, ", kernel.yama.ptrace_scope %" PRId32, f->yama);
    else
        buf_puts(out, ", no Yama");
    if (f->cgroup)
        buf_printf(out, ", cgroup version %" PRIu32, f->cgroup);
    buf_putc(out, '\n');
}

/* --- the calls, the profiles --- */

static void verdicts(const struct wire_facts *f, struct buf *out)
{
    char verdict[32];

    buf_puts(out, "\ncalls\n");
    for (unsigned i = 0; i < WIRE_CALLS; i++) {
        if (f->call[i] != WIRE_CALL_UNTRIED)
            buf_printf(out, "  %-34s %s\n", remedy_call_name((enum wire_call)i),
                       remedy_verdict(f->call[i], verdict, sizeof(verdict)));
    }
}

static void profiles(const struct doctor *d, struct buf *out)
{
    char why[REMEDY_WHY_BYTES], last[REMEDY_WHY_BYTES] = "";

    buf_puts(out, "\nprofiles\n");
    for (size_t i = 0; i < d->rows; i++) {
        const struct doctor_row *r = &d->row[i];

        (void)remedy_why(d->facts, r->want, why, sizeof(why));
        if (!why[0])
            (void)snprintf(why, sizeof(why), "%s", r->reason);
        buf_printf(out, "  %-20s %s%s%s\n", r->name, r->can ? "yes" : "no", why[0] ? "   " : "",
                   why[0] && strcmp(why, last) == 0 ? "the same" : why);
        (void)snprintf(last, sizeof(last), "%s", why);
    }
}

/* --- what would grant the rest --- */

static bool same_grants(const struct wire_facts *f, enum rights_want a, enum rights_want b)
{
    struct remedy_grant one[REMEDY_GRANTS_MAX], two[REMEDY_GRANTS_MAX];
    size_t count = remedy_grants(f, a, one);

    if (remedy_grants(f, b, two) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(one[i].yaml, two[i].yaml) != 0)
            return false;
    }
    return true;
}

/* The rows that the same lines grant, as one; those at ${from} and behind it. */
static void name_rows(const struct doctor *d, size_t from, bool done[static DOCTOR_ROWS],
                      struct buf *out)
{
    enum rights_want want = d->row[from].want;

    for (size_t i = from; i < d->rows; i++) {
        if (done[i] || rights_can(d->facts, d->row[i].want) ||
            !same_grants(d->facts, want, d->row[i].want))
            continue;
        done[i] = true;
        buf_printf(out, "%s%s", i == from ? "  " : "; ", d->row[i].name);
    }
    buf_puts(out, "\n");
}

static void grants(const struct doctor *d, struct buf *out)
{
    bool done[DOCTOR_ROWS] = {false};
    bool any = false;

    for (size_t i = 0; i < d->rows; i++) {
        struct remedy_grant grant[REMEDY_GRANTS_MAX];
        size_t count = remedy_grants(d->facts, d->row[i].want, grant);

        if (done[i] || count == 0)
            continue;
        if (!any)
            buf_puts(out, "\none of these grants it, the smallest right first\n");
        any = true;
        name_rows(d, i, done, out);
        for (size_t k = 0; k < count; k++)
            buf_printf(out, "    %s    # %s%s%s\n", grant[k].yaml,
                       remedy_place_name(grant[k].place), grant[k].note[0] ? "; " : "",
                       grant[k].note);
    }
}

void doctor_text(const struct doctor *d, struct buf *out)
{
    if (d->target)
        buf_printf(out, "%s (pid %" PRIu32 "): mode %s\n\n", d->target->name, d->target->pid,
                   mode_of(d));
    else
        buf_printf(out, "no target (%s): this machine alone, tried on ourselves\n\n", d->without);
    sides(d, out);
    machine(d->facts, out);
    verdicts(d->facts, out);
    profiles(d, out);
    grants(d, out);
}

/* --- JSON --- */

static void json_rows(const struct doctor *d, struct json *j)
{
    json_array_begin(j, "profiles");
    for (size_t i = 0; i < d->rows; i++) {
        const struct doctor_row *r = &d->row[i];

        json_object_begin(j, NULL);
        json_str(j, "name", r->name);
        json_bool(j, "available", r->can);
        if (!r->can && rights_can(d->facts, r->want))
            json_str(j, "not_recorded", r->reason);
        else
            facts_json_want(d->facts, r->want, j);
        json_object_end(j);
    }
    json_array_end(j);
}

void doctor_json(const struct doctor *d, struct buf *out)
{
    struct json j;

    json_begin(&j, out);
    json_object_begin(&j, NULL);
    json_str(&j, "version", PILLION_VERSION);
    json_str(&j, "mode", mode_of(d));
    json_bool(&j, "every_right", !doctor_lacks(d));
    json_object_begin(&j, "target");
    json_bool(&j, "up", d->target != NULL);
    if (d->target) {
        json_u64(&j, "pid", d->target->pid);
        json_str(&j, "name", d->target->name);
    } else {
        json_str(&j, "reason", d->without);
    }
    json_object_end(&j);
    facts_json(d->facts, &j, "facts");
    json_rows(d, &j);
    json_object_end(&j);
    buf_putc(out, '\n');
}
