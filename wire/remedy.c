/*
 * A line of YAML has to be enough by itself, or it is not given: where two edits are needed
 * (another user, and a filter), they are one line, and where that cannot be, the next larger right
 * is named.
 */
#include "wire/remedy.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <string.h>

#include "base/caps.h"

#define ALONE           (RIGHTS_OTHER_USER | RIGHTS_OTHER_GROUP) /* lifted by the target's user and group */
#define ARGS_BYTES      96
#define CAPS_SHOWN      64 /* bytes of their names in a sentence */
#define YAML_LOCALHOST  "seccompProfile: {type: Localhost, localhostProfile: pillion.json}"
#define YAML_UNCONFINED "seccompProfile: {type: Unconfined}"

const char *remedy_place_name(enum remedy_place place)
{
    static const char *const names[] = {
        [REMEDY_OURS] = "Pillion's container",
        [REMEDY_TARGET] = "the target's container",
        [REMEDY_POD] = "the Pod",
        [REMEDY_NODE] = "the node",
    };

    return names[place];
}

static const struct {
    const char *key, *name;
} calls[WIRE_CALLS] = {
    [WIRE_CALL_PERF_USER] = {"perf_user", "perf_event_open"},
    [WIRE_CALL_PERF_KERNEL] = {"perf_kernel", "perf_event_open with kernel frames"},
    [WIRE_CALL_MEMORY] = {"process_vm_readv", "process_vm_readv"},
    [WIRE_CALL_PTRACE] = {"ptrace", "ptrace"},
    [WIRE_CALL_PIDFD] = {"pidfd_open", "pidfd_open"},
    [WIRE_CALL_MAPS] = {"maps", "/proc/T/maps"},
    [WIRE_CALL_EXE] = {"exe", "/proc/T/exe"},
    [WIRE_CALL_ROOT] = {"root", "/proc/T/root"},
    [WIRE_CALL_ENVIRON] = {"environ", "/proc/T/environ"},
    [WIRE_CALL_FD] = {"fd", "/proc/T/fd"},
    [WIRE_CALL_SYSCALL] = {"syscall", "/proc/T/syscall"},
};

const char *remedy_call_name(enum wire_call call)
{
    return call < WIRE_CALLS ? calls[call].name : "";
}

const char *remedy_call_key(enum wire_call call)
{
    return call < WIRE_CALLS ? calls[call].key : "";
}

const char *remedy_verdict(int32_t v, char *out, size_t bytes)
{
    const char *name = v < 0 ? strerrorname_np(-v) : NULL;

    if (v == 0)
        (void)snprintf(out, bytes, "ok");
    else if (v > 0)
        (void)snprintf(out, bytes, "untried");
    else if (name)
        (void)snprintf(out, bytes, "%s", name);
    else
        (void)snprintf(out, bytes, "errno %" PRId32, -v);
    return out;
}

/* --- causes --- */

/* Grows a text; what does not fit whole is left out. True when it was taken. */
__attribute__((format(printf, 3, 4))) static bool add(char *out, size_t bytes, const char *fmt, ...)
{
    size_t n = strlen(out);
    va_list ap;
    int w;

    if (n >= bytes)
        return false;
    va_start(ap, fmt);
    w = vsnprintf(out + n, bytes - n, fmt, ap);
    va_end(ap);
    if (w >= 0 && (size_t)w < bytes - n)
        return true;
    out[n] = '\0';
    return false;
}

/* One id where its three are one, as nearly always. */
static void ids_text(const uint32_t id[static 3], char *out, size_t bytes)
{
    if (id[0] == id[1] && id[0] == id[2])
        (void)snprintf(out, bytes, "%" PRIu32, id[0]);
    else
        (void)snprintf(out, bytes, "%" PRIu32 "/%" PRIu32 "/%" PRIu32, id[0], id[1], id[2]);
}

static void say_user(const struct wire_facts *f, char *out, size_t bytes)
{
    char ids[40];

    ids_text(f->theirs.uid, ids, sizeof(ids));
    (void)snprintf(out, bytes, "the target runs as another user (uid %s, we are %" PRIu32 ")", ids,
                   f->ours.uid[0]);
}

static void say_group(const struct wire_facts *f, char *out, size_t bytes)
{
    char ids[40];

    ids_text(f->theirs.gid, ids, sizeof(ids));
    (void)snprintf(out, bytes, "the target runs as another group (gid %s, we are %" PRIu32 ")", ids,
                   f->ours.gid[0]);
}

static void say_caps(const struct wire_facts *f, char *out, size_t bytes)
{
    char more[CAPS_SHOWN];

    (void)snprintf(out, bytes, "the target has more capabilities than we have (such as %s)",
                   caps_text(f->theirs.permitted & ~f->ours.permitted, more, sizeof(more)));
}

static void say_paranoid(const struct wire_facts *f, char *out, size_t bytes)
{
    (void)snprintf(out, bytes, "kernel.perf_event_paranoid is %" PRId32, f->paranoid);
}

static void say_yama(const struct wire_facts *f, char *out, size_t bytes)
{
    (void)snprintf(out, bytes, "kernel.yama.ptrace_scope is %" PRId32, f->yama);
}

static void say_label(const struct wire_facts *f, char *out, size_t bytes)
{
    (void)snprintf(out, bytes,
                   "a security module may forbid it (the target's label is \"%.60s\", ours "
                   "\"%.60s\")",
                   f->theirs.label, f->ours.label);
}

static void say_unknown(const struct wire_facts *f, char *out, size_t bytes)
{
    (void)snprintf(out, bytes, "%s",
                   f->theirs.uid[1] == 0 && f->generation
                       ? "the target, which is root's, may be not dumpable (PR_SET_DUMPABLE)"
                       : "the kernel does not say why");
}

/* In the order in which they are said: what is certain and near first. */
static const struct {
    uint32_t cause;
    const char *key, *words; /* NULL: ${say} finds them */
    void (*say)(const struct wire_facts *f, char *out, size_t bytes);
} causes[REMEDY_CAUSES_MAX] = {
    {RIGHTS_SECCOMP, "seccomp", "a seccomp profile forbids it", NULL},
    {RIGHTS_OLD_RULE, "old_seccomp_rule",
     "and does so though PERFMON is granted, as in CRI-O and podman before October 2025", NULL},
    {RIGHTS_ENTRY, "not_entry_point",
     "capabilities are granted (in the bounding set) and not permitted: pillion-guard, which takes "
     "them up (+p), has to be the container's first program",
     NULL},
    {RIGHTS_OTHER_USER, "other_user", NULL, say_user},
    {RIGHTS_OTHER_GROUP, "other_group", NULL, say_group},
    {RIGHTS_UNDUMPABLE, "not_dumpable",
     "the target is not dumpable (PR_SET_DUMPABLE, or it changed its user without an exec)", NULL},
    {RIGHTS_USER_NS, "user_namespace", "the target is in another user namespace", NULL},
    {RIGHTS_MORE_CAPS, "more_capabilities", NULL, say_caps},
    {RIGHTS_PARANOID, "perf_event_paranoid", NULL, say_paranoid},
    {RIGHTS_YAMA, "yama", NULL, say_yama},
    {RIGHTS_LABEL, "label", NULL, say_label},
    {RIGHTS_POWERLESS, "powerless",
     "PERFMON is ours and does not help: within a user namespace (hostUsers: false) it does not "
     "count, and a security module may refuse",
     NULL},
    {RIGHTS_TRACED, "traced", "a debugger has the target", NULL},
    {RIGHTS_FILE_MODE, "file_mode", "the file is the target's user's alone", NULL},
    {RIGHTS_NO_CALL, "no_such_call", "this kernel or sandbox does not have it", NULL},
    {RIGHTS_BLOCKED, "blocked",
     "the target let a read of it wait without end (userfaultfd, FUSE); what it knows itself is "
     "not read any more",
     NULL},
    {RIGHTS_UNKNOWN, "unknown", NULL, say_unknown},
};

const char *remedy_cause_key(uint32_t cause)
{
    for (size_t i = 0; i < REMEDY_CAUSES_MAX; i++) {
        if (causes[i].cause == cause)
            return causes[i].key;
    }
    return NULL;
}

const char *remedy_why(const struct wire_facts *f, enum rights_want want, char *out, size_t bytes)
{
    uint32_t found = rights_causes(f, want);
    enum wire_call call = rights_refused(f, want);
    const char *joint = ": ";
    char text[REMEDY_WHY_BYTES];

    out[0] = '\0';
    if (call == WIRE_CALLS)
        return out;
    (void)add(out, bytes, "%s is refused (%s)", remedy_call_name(call),
              remedy_verdict(f->call[call], text, sizeof(text)));
    for (size_t i = 0; i < REMEDY_CAUSES_MAX; i++) {
        if (!(found & causes[i].cause))
            continue;
        if (causes[i].words)
            (void)snprintf(text, sizeof(text), "%s", causes[i].words);
        else
            causes[i].say(f, text, sizeof(text));
        if (add(out, bytes, "%s%s", joint, text))
            joint = ", ";
    }
    return out;
}

/* --- what would grant it --- */

struct ways {
    const struct wire_facts *f;
    uint32_t causes;
    bool perf; /* wanted of perf */
    struct remedy_grant *out;
    size_t count;
};

static void way(struct ways *w, enum remedy_place place, const char *note, const char *yaml)
{
    struct remedy_grant *g = &w->out[w->count];

    if (w->count == REMEDY_GRANTS_MAX)
        return;
    (void)snprintf(g->yaml, sizeof(g->yaml), "%s", yaml);
    g->note = note;
    g->place = place;
    w->count++;
}

__attribute__((format(printf, 3, 4))) static void ours(struct ways *w, const char *note,
                                                       const char *fmt, ...)
{
    char yaml[REMEDY_YAML_BYTES] = "securityContext: {";
    size_t n = strlen(yaml);
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(yaml + n, sizeof(yaml) - n - 1, fmt, ap); /* the longest has 132 characters */
    va_end(ap);
    (void)add(yaml, sizeof(yaml), "}");
    way(w, REMEDY_OURS, note, yaml);
}

/* No capability at all: the target's user and group, and a filter that lets perf through. */
static void without_caps(struct ways *w)
{
    const struct wire_side *t = &w->f->theirs;
    bool filter = w->causes & RIGHTS_SECCOMP;
    char ids[ARGS_BYTES] = "";

    if (w->causes & ((RIGHTS_IDENTITY & ~ALONE) | RIGHTS_PARANOID | RIGHTS_YAMA))
        return;
    /* of three that differ none is the right one */
    if ((w->causes & ALONE) && (t->uid[0] != t->uid[1] || t->gid[0] != t->gid[1]))
        return;
    if (w->causes & (ALONE | RIGHTS_FILE_MODE))
        (void)snprintf(ids, sizeof(ids), "runAsUser: %" PRIu32 ", runAsGroup: %" PRIu32, t->uid[0],
                       t->gid[0]);
    if (filter && w->perf) {
        ours(w, "k8s/seccomp.json on the node; Pod Security restricted permits it", "%s%s%s", ids,
             ids[0] ? ", " : "", YAML_LOCALHOST);
        ours(w, "Pod Security level privileged", "%s%s%s", ids, ids[0] ? ", " : "",
             YAML_UNCONFINED);
    } else if (ids[0]) {
        ours(w, "", "%s", ids);
    }
}

/* The smallest set that is enough, unless it is there already. */
static void with_caps(struct ways *w, enum rights_want want)
{
    bool ptrace =
        (w->causes & (RIGHTS_IDENTITY | RIGHTS_YAMA)) || (!w->perf && (w->causes & RIGHTS_SECCOMP));
    bool perfmon = w->perf && (w->causes & ~(uint32_t)RIGHTS_OLD_RULE);
    const char *note = "Pod Security level privileged; the image's entry point, or root";
    const char *filter = "";

    if ((w->causes & (RIGHTS_ENTRY | RIGHTS_OLD_RULE)) == RIGHTS_ENTRY || (!ptrace && !perfmon))
        return;
    if (w->causes & RIGHTS_OLD_RULE) {
        if (!ptrace && !(w->causes & RIGHTS_PARANOID))
            return; /* PERFMON is granted, and a filter is all that is in the way */
        filter = ", " YAML_LOCALHOST;
    } else if (w->causes == RIGHTS_SECCOMP && w->perf) {
        note = "containerd 1.7 and moby open their own profile for it; Pod Security level "
               "privileged";
    }
    /* the ptrace check lets us through to perf as well; that a filter does may hang on PERFMON */
    if (want == RIGHTS_CPU && !(w->causes & ~(uint32_t)RIGHTS_IDENTITY) &&
        !(w->f->ours.bounding & CAPS_BIT(CAP_PERFMON)))
        ours(w, note, "capabilities: {drop: [ALL], add: [SYS_PTRACE]}");
    ours(w, note, "capabilities: {drop: [ALL], add: [%s%s%s]}%s", perfmon ? "PERFMON" : "",
         ptrace && perfmon ? ", " : "", ptrace ? "SYS_PTRACE" : "", filter);
}

/* Files of mode 0400 of another user want a capability more, which the image's guard has not. */
static void with_caps_as_root(struct ways *w)
{
    ours(w, "Pod Security level privileged",
         "runAsUser: 0, capabilities: {drop: [ALL], add: [SYS_PTRACE, DAC_READ_SEARCH]}");
}

/* Settings of the machine, for those who own it. */
static void of_the_node(struct ways *w, enum rights_want want)
{
    if ((w->causes & RIGHTS_PARANOID) && !(w->causes & (RIGHTS_IDENTITY | RIGHTS_SECCOMP)))
        way(w, REMEDY_NODE, "",
            want == RIGHTS_KERNEL ? "sysctl kernel.perf_event_paranoid=1"
                                  : "sysctl kernel.perf_event_paranoid=2");
    if (w->causes & RIGHTS_YAMA)
        way(w, REMEDY_NODE, "", "sysctl kernel.yama.ptrace_scope=0");
}

size_t remedy_grants(const struct wire_facts *f, enum rights_want want,
                     struct remedy_grant ret[static REMEDY_GRANTS_MAX])
{
    struct ways w = {.f = f,
                     .causes = rights_causes(f, want),
                     .perf = want == RIGHTS_CPU || want == RIGHTS_KERNEL,
                     .out = ret};

    if (w.causes & (RIGHTS_NO_CALL | RIGHTS_BLOCKED | RIGHTS_TRACED) || w.causes == 0)
        return 0;
    if (w.causes & RIGHTS_ENTRY)
        way(&w, REMEDY_OURS, "and no command: the image's own entry point takes them up",
            "args: [run]");
    without_caps(&w);
    if ((w.causes & RIGHTS_IDENTITY) == RIGHTS_MORE_CAPS &&
        !(w.causes & (RIGHTS_SECCOMP | RIGHTS_PARANOID)))
        way(&w, REMEDY_TARGET, "", "securityContext: {capabilities: {drop: [ALL]}}");
    if (w.causes & RIGHTS_POWERLESS)
        way(&w, REMEDY_POD, "", "hostUsers: true");
    else if (want == RIGHTS_WALL && (w.causes & (RIGHTS_FILE_MODE | RIGHTS_OTHER_USER)))
        with_caps_as_root(&w);
    else
        with_caps(&w, want);
    of_the_node(&w, want);
    return w.count;
}

const char *remedy_text(const struct wire_facts *f, enum rights_want want, char *out, size_t bytes)
{
    static const char outside[] = "; outside a container: sudo";
    struct remedy_grant grants[REMEDY_GRANTS_MAX];
    size_t count = remedy_grants(f, want, grants);
    const char *joint = "; grant it by";

    (void)remedy_why(f, want, out, bytes);
    if (!out[0] || bytes <= sizeof(outside))
        return out;
    for (size_t i = 0; i < count; i++) {
        const struct remedy_grant *g = &grants[i];

        if (add(out, bytes - sizeof(outside), "%s `%s`%s%s", joint, g->yaml,
                g->place == REMEDY_OURS ? "" : " in ",
                g->place == REMEDY_OURS ? "" : remedy_place_name(g->place)))
            joint = ", or";
    }
    if (count)
        (void)add(out, bytes, "%s", outside);
    return out;
}
