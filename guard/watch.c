/* The target over time: found, gone, found again; and who has to hear of it. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/guard.h"
#include "guard/plan.h"
#include "wire/codec.h"

static const char *select_text(const struct plan *p, char *out, size_t bytes)
{
    static const char *const names[PLAN_SELECT_END] = {"auto",    "pid",       "process", "port",
                                                       "cmdline", "container", "env"};

    if (p->select == PLAN_SELECT_PID || p->select == PLAN_SELECT_PORT)
        (void)snprintf(out, bytes, "%s %llu", names[p->select], (unsigned long long)p->number);
    else if (p->select == PLAN_SELECT_ENV) /* a value may be a secret */
        (void)snprintf(out, bytes, "env %.*s", (int)strcspn(p->text, "="), p->text);
    else
        (void)snprintf(out, bytes, "%s%s%s", names[p->select], p->text[0] ? " " : "", p->text);
    return out;
}

void watch_news(struct guard *g)
{
    g->status_due = true;
    g->sampler_due = true;
}

static void list(const struct find *f)
{
    uint32_t shown = f->matches < FIND_SHOWN_MAX ? f->matches : FIND_SHOWN_MAX;

    for (uint32_t i = 0; i < shown; i++)
        (void)fprintf(stderr, "  %s\n", f->shown[i]);
    if (f->matches > shown)
        (void)fprintf(stderr, "  … and %u more\n", f->matches - shown);
}

/* Note a state without a target, and say so when it is news. */
static void without(struct guard *g, uint32_t state, const char *reason)
{
    char clean[WIRE_TEXT_BYTES];

    /* compared as it is kept, or a name that is not ASCII would be news at each look */
    codec_text(clean, sizeof(clean), reason);
    if (g->target.wire.state == state && strcmp(g->target.wire.reason, clean) == 0)
        return;
    target_drop(&g->target, state, reason);
    if (g->started) /* at the start it is an answer to the user, not an event */
        log_warn(state == WIRE_TARGET_AMBIGUOUS ? "target ambiguous" : "target not there",
                 LOG_STR("reason", reason));
    watch_news(g);
}

static void found(struct guard *g, const struct find *f)
{
    const struct wire_target *w = &g->target.wire;
    int r = target_take(&g->target, f->pid, f->start_ticks);
    char reason[WIRE_TEXT_BYTES];

    if (r == -ESRCH)
        return; /* it went in the meantime: the next look finds the next one */
    if (r) {
        (void)snprintf(reason, sizeof(reason),
                       "pidfd_open(2) is refused (%s), as an old seccomp profile does: without it "
                       "no process can be held safely",
                       strerrorname_np(-r));
        without(g, WIRE_TARGET_WAITING, reason);
        return;
    }
    g->facts_due = true;
    guard_rates_found(&g->rates, &g->target);
    if (g->plan.all)
        (void)guard_members_take(&g->members, f);
    (void)guard_stops_right(&g->stops, &g->target);
    log_info("target found", LOG_U64("pid", w->pid), LOG_STR("name", w->name),
             LOG_U64("generation", w->generation),
             LOG_STR(w->reason[0] ? "limits" : NULL, w->reason));
    watch_news(g);
}

static void look(struct guard *g)
{
    struct find *f = &g->find;
    pid_t ours[] = {g->sampler.pid, g->front.pid};
    char who[PLAN_TEXT_BYTES + 32];
    char reason[WIRE_TEXT_BYTES];
    int r = find_target(&g->plan, &g->skip, ours, 2, f);

    (void)select_text(&g->plan, who, sizeof(who));
    if (r) {
        (void)snprintf(reason, sizeof(reason), "cannot look through /proc: %s", strerror(-r));
        without(g, WIRE_TARGET_WAITING, reason);
    } else if (f->matches == 1) {
        found(g, f);
    } else if (f->matches > 1) {
        (void)snprintf(reason, sizeof(reason),
                       "%u processes match %.200s; choose one by --pid, or take them --all",
                       f->matches, who);
        without(g, WIRE_TARGET_AMBIGUOUS, reason);
    } else {
        (void)snprintf(reason, sizeof(reason), "no process matches %.200s%s%s", who,
                       f->hint[0] ? ": " : "", f->hint);
        without(g, g->plan.select == PLAN_SELECT_PID ? WIRE_TARGET_GONE : WIRE_TARGET_WAITING,
                reason);
    }
    g->search_at_ns = clock_mono_ns() + GUARD_SEARCH_MS * CLOCK_NS_PER_MS;
}

void watch_members(struct guard *g)
{
    pid_t ours[] = {g->sampler.pid, g->front.pid};
    uint64_t began_ns = clock_mono_ns();

    if (!g->plan.all || !target_alive(&g->target) || !guard_members_due(&g->members))
        return;
    if (find_target(&g->plan, &g->skip, ours, 2, &g->find) != 0)
        return; /* as it was; the next look may go better */
    if (guard_members_take(&g->members, &g->find))
        g->status_due = true;
    guard_members_rest(&g->members, clock_mono_ns() - began_ns);
}

int watch_first(struct guard *g)
{
    if (g->target.pidfd < 0) /* it was found, and then somebody had to take over */
        look(g);
    g->started = true;
    if (g->target.wire.state != WIRE_TARGET_UP) {
        target_host(&g->target);
        g->facts_due = true;
    }
    if (g->looks && g->plan.select == PLAN_SELECT_AUTO)
        return 0; /* nobody was named: what this machine gives is an answer too */
    if (g->target.wire.state == WIRE_TARGET_AMBIGUOUS) {
        (void)fprintf(stderr, "pillion: %s:\n", g->target.wire.reason);
        list(&g->find);
        return -ENOTUNIQ;
    }
    if (g->target.wire.state == WIRE_TARGET_UP)
        return 0;
    /* a sidecar waits for its target; a recording and a pid that is not there do not */
    if (g->client || g->target.wire.state == WIRE_TARGET_GONE) {
        (void)fprintf(stderr, "pillion: %s\n", g->target.wire.reason);
        return -ESRCH;
    }
    log_warn("target not there", LOG_STR("reason", g->target.wire.reason));
    return 0;
}

void watch_run(struct guard *g)
{
    if (g->target.pidfd >= 0) {
        if (target_alive(&g->target))
            return;
        log_info("target exited", LOG_U64("pid", g->target.pid),
                 LOG_STR("name", g->target.wire.name));
        guard_members_release(&g->members);
        if (g->plan.select == PLAN_SELECT_PID)
            target_drop(&g->target, WIRE_TARGET_GONE, "the process with that pid has exited");
        else
            target_drop(&g->target, WIRE_TARGET_WAITING, "the target has exited; waiting for it");
        watch_news(g);
        g->search_at_ns = 0;
        return;
    }
    if (g->target.wire.state != WIRE_TARGET_GONE && clock_wait_ms(g->search_at_ns) == 0)
        look(g);
}

/* The guard knows nothing of the file; it reads it the way it did at the start, and takes nothing
 * but this: the rest needs a restart. A bad one has been refused in words by `pillion plan`. */
void watch_reload(struct guard *g)
{
    struct err e = {0};
    struct plan plan;
    int exit_code;

    if (g->client || g->ending)
        return;
    if (guard_plan(g->args, &plan, &exit_code, &e) != 0) {
        log_warn("the new configuration is refused: target.unsafe stays as it was",
                 LOG_STR(e.text[0] ? "reason" : NULL, e.text));
        return;
    }
    g->stops.wanted = plan.stops;
    if (guard_stops_right(&g->stops, &g->target))
        watch_news(g);
    if (guard_rates_reload(&g->rates, &g->target, &plan))
        watch_news(g);
}

int watch_relieve(struct guard *g)
{
    struct target *waiting;
    const char *what;
    pid_t pid = g->find.at;

    if (find_relieve(&g->find, &g->skip)) {
        g->find.at = 0;
        log_error("a process lets its reader wait without end and is left out",
                  LOG_U64("pid", (uint64_t)pid));
        return 0;
    }
    if (guard_stops_relieve(&g->stops) != 0) {
        log_error("the target lets the reader of its stack wait without end while it is stopped: "
                  "only our end lets it run on",
                  LOG_U64("pid", g->target.wire.pid));
        return -EIO;
    }
    waiting = guard_members_doing(&g->members);
    if (!waiting)
        waiting = &g->target;
    what = target_relieve(waiting);
    if (!what)
        return -EIO;
    (void)guard_stops_right(&g->stops, &g->target);
    log_error("the target lets its reader wait without end", LOG_U64("pid", waiting->wire.pid),
              LOG_STR("not_read_any_more", what));
    g->facts_due = true;
    watch_news(g);
    supervise_blocked(g);
    return 0;
}

static void process_use(struct wire_process *ret, const struct child *c, pid_t pid)
{
    struct proc_stat st;

    *ret = (struct wire_process){.pid = (uint32_t)pid, .restarts = c ? c->restarts : 0};
    if (pid > 0 && proc_stat(pid, &st) == 0) {
        ret->cpu_ns = st.cpu_ns;
        ret->rss_bytes = st.rss_bytes;
    }
}

/* With target.all the sum over those that run: a counter over it falls when one of them ends. */
static void target_use(struct wire_status *s)
{
    struct wire_process other;

    if (s->target.state != WIRE_TARGET_UP)
        return;
    process_use(&s->used, NULL, (pid_t)s->target.pid);
    for (uint32_t i = 1; i < s->members.count; i++) {
        process_use(&other, NULL, (pid_t)s->members.row[i].pid);
        s->used.cpu_ns += other.cpu_ns;
        s->used.rss_bytes += other.rss_bytes;
    }
}

/* Before the status that speaks of them. True: they are out. */
static bool tell_facts(struct guard *g)
{
    if (!g->facts_due)
        return true;
    g->facts_due = front_tell_facts(&g->to_front, &g->target.facts) == -EAGAIN;
    g->status_due = g->status_due || g->facts_due;
    return !g->facts_due;
}

static void tell_front(struct guard *g)
{
    struct wire_status s;
    int r;

    watch_members(g);
    memset(&s, 0, sizeof(s));
    s.target = g->target.wire;
    s.members = g->members.known;

    process_use(&s.process[WIRE_PROGRAM_GUARD], NULL, getpid());
    process_use(&s.process[WIRE_PROGRAM_SAMPLER], &g->sampler, g->sampler.pid);
    process_use(&s.process[WIRE_PROGRAM_FRONT], &g->front, g->front.pid);
    target_use(&s);
    s.sampler_up = g->to_sampler.fd >= 0;
    s.sampler_signal = (uint32_t)g->sampler.last_signal;
    codec_text(s.note, sizeof(s.note), g->note);
    r = front_tell(&g->to_front, &s, g->sampler_for_front);
    g->status_at_ns = clock_mono_ns() + GUARD_STATUS_MS * CLOCK_NS_PER_MS;
    g->status_due = r == -EAGAIN; /* full: when poll(2) says that there is room */
    if (r == -EAGAIN)
        return;
    if (r == 0 && g->sampler_for_front >= 0) {
        (void)close(g->sampler_for_front);
        g->sampler_for_front = -1;
    }
}

void watch_tell(struct guard *g)
{
    if (g->sampler_due && g->to_sampler.fd >= 0 &&
        (g->to_sampler.turn.state & WIRE_STATE_RUN) /* it learns the rest by its hello */) {
        if (answer_guard_tell(&g->to_sampler, &g->target.wire) != -EAGAIN)
            g->sampler_due = false;
    }
    if (g->to_front.fd < 0)
        return;
    if (!g->facts_due && !g->status_due && g->sampler_for_front < 0 &&
        clock_wait_ms(g->status_at_ns) != 0)
        return;
    if (tell_facts(g))
        tell_front(g);
}
