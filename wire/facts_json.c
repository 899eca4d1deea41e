#include "wire/facts_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/caps.h"

static void caps(struct json *j, const char *key, uint64_t bits)
{
    char text[CAPS_TEXT_BYTES];

    json_str(j, key, caps_text(bits, text, sizeof(text)));
}

static void ids(struct json *j, const char *key, const uint32_t id[static 3])
{
    json_array_begin(j, key);
    for (size_t i = 0; i < 3; i++)
        json_u64(j, NULL, id[i]);
    json_array_end(j);
}

static void side(const struct wire_side *s, struct json *j, const char *key)
{
    json_object_begin(j, key);
    ids(j, "uid", s->uid);
    ids(j, "gid", s->gid);
    caps(j, "permitted", s->permitted);
    caps(j, "effective", s->effective);
    caps(j, "bounding", s->bounding);
    json_u64(j, "user_namespace", s->user_ns);
    json_bool(j, "no_new_privs", s->no_new_privs);
    json_u64(j, "seccomp", s->seccomp);
    json_str(j, "label", s->label);
    json_str(j, "container", s->container);
    json_object_end(j);
}

void facts_json(const struct wire_facts *f, struct json *j, const char *key)
{
    char verdict[32];

    json_object_begin(j, key);
    json_u64(j, "generation", f->generation);
    json_object_begin(j, "calls");
    for (unsigned i = 0; i < WIRE_CALLS; i++)
        json_str(j, remedy_call_key((enum wire_call)i),
                 remedy_verdict(f->call[i], verdict, sizeof(verdict)));
    json_object_end(j);
    json_i64(j, "perf_event_paranoid", f->paranoid);
    json_i64(j, "yama_ptrace_scope", f->yama);
    json_u64(j, "cgroup_version", f->cgroup);
    side(&f->ours, j, "ours");
    if (f->generation) {
        json_bool(j, "dumpable", !(f->flags & WIRE_FACT_UNDUMPABLE));
        json_bool(j, "same_user_namespace", !(f->flags & WIRE_FACT_OTHER_USER_NS));
        json_bool(j, "traced", f->flags & WIRE_FACT_TRACED);
        side(&f->theirs, j, "target");
    }
    json_object_end(j);
}

static void grants(const struct wire_facts *f, enum rights_want want, struct json *j)
{
    struct remedy_grant grant[REMEDY_GRANTS_MAX];
    size_t count = remedy_grants(f, want, grant);

    json_array_begin(j, "grants");
    for (size_t i = 0; i < count; i++) {
        json_object_begin(j, NULL);
        json_str(j, "yaml", grant[i].yaml);
        json_str(j, "in", remedy_place_name(grant[i].place));
        json_str(j, "note", grant[i].note);
        json_object_end(j);
    }
    json_array_end(j);
}

void facts_json_want(const struct wire_facts *f, enum rights_want want, struct json *j)
{
    uint32_t causes = rights_causes(f, want);
    char why[REMEDY_WHY_BYTES];

    json_str(j, "reason", remedy_why(f, want, why, sizeof(why)));
    json_array_begin(j, "causes");
    for (uint32_t bit = 1; bit && bit <= causes; bit <<= 1) {
        if (causes & bit)
            json_str(j, NULL, remedy_cause_key(bit));
    }
    json_array_end(j);
    grants(f, want, j);
}
