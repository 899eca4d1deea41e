/*
 * Written for people first (`curl … | jq`), for dashboards second: names are the ones the log and
 * the metrics use, and what is not known is an empty text rather than a missing member.
 */
#include "sidecar/routes/api.h"

#include "base/json.h"
#include "sidecar/forward/report.h"
#include "sidecar/store/show.h"
#include "wire/codec.h"
#include "wire/facts_json.h"
#include "wire/rate_names.h"

static const char *state_name(uint32_t state)
{
    static const char *const names[] = {
        [WIRE_TARGET_WAITING] = "waiting",
        [WIRE_TARGET_UP] = "up",
        [WIRE_TARGET_GONE] = "gone",
        [WIRE_TARGET_AMBIGUOUS] = "ambiguous",
    };

    return state <= WIRE_TARGET_AMBIGUOUS ? names[state] : "waiting";
}

/* What was found by trying, next to the capabilities that are there: they need not agree. */
static void rights(struct json *j, uint32_t bits)
{
    json_object_begin(j, "rights");
    json_bool(j, "perf", bits & WIRE_RIGHT_PERF);
    json_bool(j, "perf_kernel", bits & WIRE_RIGHT_PERF_KERNEL);
    json_bool(j, "memory", bits & WIRE_RIGHT_MEMORY);
    json_bool(j, "files", bits & WIRE_RIGHT_FILES);
    json_bool(j, "cap_perfmon", bits & WIRE_RIGHT_PERFMON_CAP);
    json_bool(j, "cap_sys_ptrace", bits & WIRE_RIGHT_PTRACE_CAP);
    json_object_end(j);
}

/* target.unsafe: what is written into the target, and what came of it; "off" is the rule. */
static void writes(struct json *j, const struct wire_target *t)
{
    static const char *const keys[WIRE_RATES] = {
#define X(kind, key, variable) [WIRE_RATE_##kind] = WIRE_RATE_UNSAFE key,
        WIRE_RATE_KEYS(X)
#undef X
    };
    static const char *const names[WIRE_RATE_STATES][2] = {
#define X(state, name, words) [WIRE_RATE_##state] = {name, words},
        WIRE_RATE_WORDS(X)
#undef X
    };

    json_array_begin(j, "writes");
    for (size_t i = 0; i < WIRE_RATES; i++) {
        const struct wire_rate *r = &t->rate[i];

        json_object_begin(j, NULL);
        json_str(j, "key", keys[i]);
        json_str(j, "state", names[r->state][0]);
        json_str(j, "reason", names[r->state][1]);
        json_u64(j, "wanted", r->wanted);
        json_u64(j, "value", r->value);
        json_u64(j, "old", r->old);
        json_u64(j, "set_unix_ns", r->set_real_ns);
        json_object_end(j);
    }
    json_array_end(j);
}

static void target(struct json *j, const char *key, const struct state *st)
{
    const struct wire_target *t = &st->status.target;
    bool up = t->state == WIRE_TARGET_UP;

    json_object_begin(j, key);
    json_str(j, "state", state_name(t->state));
    json_str(j, "name", t->name);
    if (up) {
        json_u64(j, "pid", t->pid);
        json_u64(j, "uid", t->uid);
        json_u64(j, "started_unix_ns", t->start_real_ns);
        json_u64(j, "cpus", t->cpus);
        json_str(j, "language", st->about.language);
        json_str(j, "version", st->about.version);
        json_str(j, "build_id", st->about.build_id);
        json_str(j, "note", st->about.note);
    }
    json_u64(j, "generation", t->generation);
    json_bool(j, "all", t->all);
    json_u64(j, "processes", t->all ? st->status.members.count : up);
    json_u64(j, "processes_left_out", st->status.members.missed);
    json_str(j, "mode", codec_mode_name(t->mode));
    rights(j, t->rights);
    json_i64(j, "perf_event_paranoid", t->paranoid);
    json_str(j, "reason", t->reason);
    writes(j, t);
    json_object_end(j);
}

/* target.all: one of the others. Names with the same keys as the first one's. */
static void member(struct json *j, const struct wire_member *m)
{
    json_object_begin(j, NULL);
    json_str(j, "state", "up");
    json_str(j, "name", m->name);
    json_u64(j, "pid", m->pid);
    json_u64(j, "uid", m->uid);
    json_u64(j, "started_unix_ns", m->start_real_ns);
    json_u64(j, "generation", m->generation);
    json_str(j, "mode", codec_mode_name(m->mode));
    rights(j, m->rights);
    json_object_end(j);
}

/* In the order of enum wire_program; the guard reports them every few seconds. */
static void programs(struct json *j, const struct wire_status *s)
{
    static const char *const names[WIRE_PROGRAMS] = {"guard", "sampler", "sidecar"};

    json_array_begin(j, "programs");
    for (size_t i = 0; i < WIRE_PROGRAMS; i++) {
        json_object_begin(j, NULL);
        json_str(j, "name", names[i]);
        json_u64(j, "pid", s->process[i].pid);
        json_u64(j, "restarts", s->process[i].restarts);
        json_double(j, "cpu_seconds", (double)s->process[i].cpu_ns / 1e9);
        json_u64(j, "resident_bytes", s->process[i].rss_bytes);
        json_object_end(j);
    }
    json_array_end(j);
}

static void limits(struct json *j, const struct config *c)
{
    json_object_begin(j, "limits");
    json_u64(j, "default_seconds", c->limits.default_seconds);
    json_u64(j, "profile_seconds", c->limits.profile_seconds);
    json_u64(j, "trace_seconds", c->limits.trace_seconds);
    json_u64(j, "hz", c->limits.hz);
    json_u64(j, "min_interval_ms", c->limits.min_interval_ms);
    json_u64(j, "concurrent", c->limits.concurrent);
    json_bool(j, "share", c->limits.share);
    json_object_end(j);
}

void api_status_json(const struct state *st, uint32_t scopes, struct buf *out)
{
    char why[STATE_WHY_BYTES], cpu[STATE_WHY_BYTES];
    bool ready = state_ready(st, why);
    struct json j;

    (void)state_refuses_cpu(st, cpu);
    json_begin(&j, out);
    json_object_begin(&j, NULL);
    json_str(&j, "version", PILLION_VERSION);
    json_u64(&j, "started_unix_ns", st->began_real_ns);
    json_bool(&j, "ready", ready);
    json_str(&j, "reason", why);
    json_str(&j, "mode", codec_mode_name(st->status.target.mode));
    json_str(&j, "admin", st->admin);
    target(&j, "target", st);
    facts_json(&st->facts, &j, "facts");
    json_bool(&j, "sampler_up", st->sampler_up);
    json_str(&j, "sampler_note", st->status.note);
    json_str(&j, "cpu_unavailable", cpu);
    json_u64(&j, "in_flight", session_count(&st->session));
    if ((scopes & CONFIG_SCOPE_GOROUTINE) && leak_watch_leak(st->leak_watch))
        leak_json(leak_watch_leak(st->leak_watch), &j, "goroutines");
    report_json(st->forward, st->collect, &j);
    show_json(st->store, st->history, &j);
    limits(&j, st->config);
    json_bool(&j, "reload_ok", st->reload_ok);
    programs(&j, &st->status);
    json_object_end(&j);
    buf_putc(out, '\n');
}

void api_status(struct visit *v)
{
    struct buf body;

    buf_init(&body, API_MAX_BYTES);
    api_status_json(v->state, v->who.scopes, &body);
    visit_answer(v, 200, "application/json", &body);
}

void api_targets(struct visit *v)
{
    struct buf body;
    struct json j;

    buf_init(&body, API_MAX_BYTES);
    json_begin(&j, &body);
    json_object_begin(&j, NULL);
    json_array_begin(&j, "targets");
    target(&j, NULL, v->state);
    for (uint32_t i = 1; i < v->state->status.members.count; i++)
        member(&j, &v->state->status.members.row[i]);
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(&body, '\n');
    visit_answer(v, 200, "application/json", &body);
}
