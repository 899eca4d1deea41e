/*
 * wire/{rights,remedy}.c and base/caps.c: what facts mean, the rows of the privilege matrix as they
 * were found in real Pods: which mode, which causes, which line first; and that the words fit.
 */
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/caps.h"
#include "wire/remedy.h"

enum { UID = 1000, ROOT = 0 };

/* The 14 that runtimes give root by default. */
#define DEFAULTS UINT64_C(0xa80425fb)
#define PERFMON  CAPS_BIT(CAP_PERFMON)
#define PTRACE   CAPS_BIT(CAP_SYS_PTRACE)

static struct wire_facts f;

static void side(struct wire_side *s, uint32_t uid, uint64_t permitted)
{
    memset(s, 0, sizeof(*s));
    for (size_t i = 0; i < 3; i++)
        s->uid[i] = s->gid[i] = uid;
    s->permitted = s->effective = s->bounding = permitted;
    s->user_ns = 4026531837;
}

/* The calls of the ptrace check: seen from the side, from the front, or not at all. */
static void relation(int32_t read, int32_t attach)
{
    f.call[WIRE_CALL_EXE] = f.call[WIRE_CALL_ROOT] = f.call[WIRE_CALL_MAPS] =
        f.call[WIRE_CALL_ENVIRON] = f.call[WIRE_CALL_FD] = f.call[WIRE_CALL_SYSCALL] = read;
    f.call[WIRE_CALL_MEMORY] = f.call[WIRE_CALL_PTRACE] = attach;
}

static void perf(int32_t user, int32_t kernel)
{
    f.call[WIRE_CALL_PERF_USER] = user;
    f.call[WIRE_CALL_PERF_KERNEL] = kernel;
}

/* One row: who, and what the kernel said. Machine: paranoid 2, no Yama. */
static void row(uint32_t us, uint64_t our_caps, uint32_t them, uint64_t their_caps, int32_t user,
                int32_t kernel, bool related)
{
    memset(&f, 0, sizeof(f));
    f.generation = 1;
    f.paranoid = 2;
    f.yama = -1;
    f.cgroup = 2;
    side(&f.ours, us, our_caps);
    side(&f.theirs, them, their_caps);
    perf(user, kernel);
    relation(related ? 0 : -EACCES, related ? 0 : -EPERM);
}

static const char *first(enum rights_want want)
{
    static struct remedy_grant grant[REMEDY_GRANTS_MAX];

    return remedy_grants(&f, want, grant) ? grant[0].yaml : "";
}

static bool grants(enum rights_want want, const char *yaml)
{
    struct remedy_grant grant[REMEDY_GRANTS_MAX];
    size_t count = remedy_grants(&f, want, grant);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(grant[i].yaml, yaml) == 0)
            return true;
    }
    return false;
}

static void says(enum rights_want want, const char *words)
{
    char text[REMEDY_WHY_BYTES];

    if (!strstr(remedy_why(&f, want, text, sizeof(text)), words))
        fail_msg("\"%s\" lacks \"%s\"", text, words);
}

#define SC(inner)  "securityContext: {" inner "}"
#define LOCALHOST  "seccompProfile: {type: Localhost, localhostProfile: pillion.json}"
#define UNCONFINED "seccompProfile: {type: Unconfined}"
#define CAPS(list) "capabilities: {drop: [ALL], add: [" list "]}"

/* --- the matrix of facts/kubernetes.md, row by row --- */

static void same_user_under_runtime_default(void **state)
{
    (void)state;
    row(UID, 0, UID, 0, -EPERM, -EPERM, true);
    assert_int_equal(rights_mode(&f), WIRE_MODE_RESTRICTED);
    assert_int_equal(rights_causes(&f, RIGHTS_CPU), RIGHTS_SECCOMP);
    assert_true(rights_can(&f, RIGHTS_RUNTIME));
    assert_true(rights_can(&f, RIGHTS_WALL));
    assert_true(rights_can(&f, RIGHTS_PTRACE));
    assert_string_equal(first(RIGHTS_CPU), SC(LOCALHOST));
    assert_true(grants(RIGHTS_CPU, SC(UNCONFINED)));
    assert_true(grants(RIGHTS_CPU, SC(CAPS("PERFMON"))));
    says(RIGHTS_CPU, "perf_event_open is refused (EPERM): a seccomp profile");
    /* kernel frames: a filter that lets it through is not enough at paranoid 2 */
    assert_int_equal(rights_causes(&f, RIGHTS_KERNEL), RIGHTS_SECCOMP | RIGHTS_PARANOID);
    assert_string_equal(first(RIGHTS_KERNEL), SC(CAPS("PERFMON")));
}

static void same_user_unconfined(void **state)
{
    (void)state;
    row(UID, 0, UID, 0, 0, -EACCES, true);
    assert_int_equal(rights_mode(&f), WIRE_MODE_PERF);
    assert_true(rights_can(&f, RIGHTS_CPU));
    assert_int_equal(rights_causes(&f, RIGHTS_KERNEL), RIGHTS_PARANOID);
    assert_true(grants(RIGHTS_KERNEL, "sysctl kernel.perf_event_paranoid=1"));
    says(RIGHTS_KERNEL, "perf_event_paranoid is 2");
    assert_string_equal(first(RIGHTS_CPU), ""); /* it is there */
}

static void perfmon_in_the_bounding_set(void **state)
{
    (void)state;
    row(UID, 0, UID, 0, 0, -EACCES, true);
    f.ours.bounding = PERFMON;
    assert_int_equal(rights_mode(&f), WIRE_MODE_PERF);
    assert_int_equal(rights_causes(&f, RIGHTS_KERNEL), RIGHTS_PARANOID | RIGHTS_ENTRY);
    assert_string_equal(first(RIGHTS_KERNEL), "args: [run]");
    says(RIGHTS_KERNEL, "in the bounding set");
    /* an ordinary user of a bare machine has all of them there, and it means nothing */
    f.ours.bounding = CAPS_ALL;
    assert_int_equal(rights_causes(&f, RIGHTS_KERNEL), RIGHTS_PARANOID);
}

static void file_capabilities(void **state)
{
    (void)state;
    row(UID, PERFMON | PTRACE, ROOT, DEFAULTS, 0, 0, true);
    assert_int_equal(rights_mode(&f), WIRE_MODE_FULL);
    for (int want = 0; want < RIGHTS_WANTS; want++)
        assert_int_equal(rights_causes(&f, (enum rights_want)want), 0);
    /* and not taken: another program came first */
    row(UID, 0, ROOT, DEFAULTS, 0, -EACCES, false);
    f.ours.bounding = PERFMON | PTRACE;
    perf(-EACCES, -EACCES);
    assert_int_equal(rights_mode(&f), WIRE_MODE_NONE);
    assert_true(rights_causes(&f, RIGHTS_RUNTIME) & RIGHTS_ENTRY);
    assert_string_equal(first(RIGHTS_RUNTIME), "args: [run]");
    assert_false(grants(RIGHTS_RUNTIME, SC(CAPS("SYS_PTRACE")))); /* granted already */
}

static void root_without_anything(void **state)
{
    (void)state;
    row(ROOT, 0, UID, 0, -EPERM, -EPERM, false);
    assert_int_equal(rights_mode(&f), WIRE_MODE_NONE);
    assert_int_equal(rights_causes(&f, RIGHTS_CPU),
                     RIGHTS_SECCOMP | RIGHTS_OTHER_USER | RIGHTS_OTHER_GROUP);
    /* both edits at once, or none of the two helps */
    assert_string_equal(first(RIGHTS_CPU), SC("runAsUser: 1000, runAsGroup: 1000, " LOCALHOST));
    assert_string_equal(first(RIGHTS_RUNTIME), SC("runAsUser: 1000, runAsGroup: 1000"));
    assert_true(grants(RIGHTS_RUNTIME, SC(CAPS("SYS_PTRACE"))));
    says(RIGHTS_RUNTIME, "another user (uid 1000, we are 0)");
}

static void root_with_sys_ptrace(void **state)
{
    (void)state;
    row(ROOT, PTRACE, UID, 0, -EPERM, -EPERM, true);
    f.call[WIRE_CALL_ENVIRON] = f.call[WIRE_CALL_FD] = f.call[WIRE_CALL_SYSCALL] = -EACCES;
    assert_int_equal(rights_mode(&f), WIRE_MODE_PTRACE);
    assert_int_equal(rights_causes(&f, RIGHTS_CPU), RIGHTS_SECCOMP);
    assert_true(rights_can(&f, RIGHTS_RUNTIME));
    assert_true(rights_can(&f, RIGHTS_PTRACE));
    assert_int_equal(rights_causes(&f, RIGHTS_WALL), RIGHTS_FILE_MODE);
    assert_string_equal(first(RIGHTS_WALL), SC("runAsUser: 1000, runAsGroup: 1000"));
}

static void root_with_perfmon(void **state)
{
    (void)state;
    row(ROOT, PERFMON, UID, 0, 0, 0, false);
    f.call[WIRE_CALL_MAPS] = 0; /* from Linux 6.15 on */
    assert_int_equal(rights_mode(&f), WIRE_MODE_PERF);
    assert_int_equal(rights_causes(&f, RIGHTS_RUNTIME), RIGHTS_OTHER_USER | RIGHTS_OTHER_GROUP);
    assert_true(rights_can(&f, RIGHTS_CPU));
}

static void the_old_rule_of_podman(void **state)
{
    (void)state;
    row(ROOT, PERFMON, UID, 0, -EPERM, -EPERM, false);
    assert_int_equal(rights_mode(&f), WIRE_MODE_NONE);
    assert_int_equal(rights_causes(&f, RIGHTS_CPU), RIGHTS_SECCOMP | RIGHTS_OLD_RULE);
    says(RIGHTS_CPU, "podman before October 2025");
    assert_string_equal(first(RIGHTS_CPU), SC(LOCALHOST));
    assert_false(grants(RIGHTS_CPU, SC(CAPS("PERFMON")))); /* it is there, and does not help */
}

static void more_capabilities(void **state)
{
    (void)state;
    row(ROOT, 0, ROOT, DEFAULTS, -EACCES, -EACCES, false);
    assert_int_equal(rights_causes(&f, RIGHTS_RUNTIME), RIGHTS_MORE_CAPS);
    says(RIGHTS_RUNTIME, "more capabilities than we have (such as CHOWN,");
    assert_string_equal(first(RIGHTS_RUNTIME), SC("capabilities: {drop: [ALL]}"));
    assert_true(grants(RIGHTS_RUNTIME, SC(CAPS("SYS_PTRACE"))));
    row(ROOT, DEFAULTS, ROOT, DEFAULTS, -EPERM, -EPERM, true);
    assert_int_equal(rights_mode(&f), WIRE_MODE_RESTRICTED);
}

static void not_dumpable(void **state)
{
    (void)state;
    row(UID, 0, UID, 0, -EACCES, -EACCES, false);
    f.flags = WIRE_FACT_UNDUMPABLE;
    assert_int_equal(rights_causes(&f, RIGHTS_CPU), RIGHTS_UNDUMPABLE);
    says(RIGHTS_CPU, "not dumpable");
    assert_string_equal(first(RIGHTS_CPU), SC(CAPS("SYS_PTRACE")));
    /* root's: its files are root's either way */
    row(ROOT, 0, ROOT, 0, -EACCES, -EACCES, false);
    assert_int_equal(rights_causes(&f, RIGHTS_CPU), RIGHTS_UNKNOWN);
    says(RIGHTS_CPU, "may be not dumpable");
}

static void ids(void **state)
{
    (void)state;
    row(UID, 0, UID, 0, -EACCES, -EACCES, false);
    f.theirs.gid[2] = 5; /* a saved group is enough */
    assert_int_equal(rights_causes(&f, RIGHTS_CPU), RIGHTS_OTHER_GROUP);
    says(RIGHTS_CPU, "another group (gid 1000/1000/5, we are 1000)");
    row(UID, 0, UID, 0, -EACCES, -EACCES, false);
    f.theirs.uid[1] = 7;
    says(RIGHTS_CPU, "another user (uid 1000/7/1000, we are 1000)");
    assert_string_equal(first(RIGHTS_CPU), SC(CAPS("SYS_PTRACE"))); /* no user is all three */
}

static void user_namespace(void **state)
{
    (void)state;
    row(UID, 0, UID, CAPS_ALL, -EACCES, -EACCES, false);
    f.flags = WIRE_FACT_OTHER_USER_NS;
    assert_int_equal(rights_causes(&f, RIGHTS_CPU), RIGHTS_USER_NS); /* its caps do not count */
    says(RIGHTS_CPU, "another user namespace");
    assert_string_equal(first(RIGHTS_RUNTIME), SC(CAPS("SYS_PTRACE")));
    /* hostUsers: false, both in it, root with PERFMON: perf knows the first namespace only */
    row(ROOT, PERFMON | PTRACE, ROOT, 0, 0, -EACCES, true);
    assert_int_equal(rights_mode(&f), WIRE_MODE_PERF);
    assert_int_equal(rights_causes(&f, RIGHTS_KERNEL), RIGHTS_POWERLESS);
    assert_string_equal(first(RIGHTS_KERNEL), "hostUsers: true");
}

static void yama(void **state)
{
    (void)state;
    row(UID, 0, UID, 0, 0, -EACCES, true);
    relation(0, -EPERM); /* to read is not restricted, to attach is */
    f.call[WIRE_CALL_SYSCALL] = -EPERM;
    f.yama = 1;
    assert_int_equal(rights_mode(&f), WIRE_MODE_PERF);
    assert_int_equal(rights_causes(&f, RIGHTS_RUNTIME), RIGHTS_YAMA);
    says(RIGHTS_RUNTIME, "yama.ptrace_scope is 1");
    assert_string_equal(first(RIGHTS_RUNTIME), SC(CAPS("SYS_PTRACE")));
    assert_true(grants(RIGHTS_RUNTIME, "sysctl kernel.yama.ptrace_scope=0"));
    f.yama = 0; /* then a filter */
    assert_int_equal(rights_causes(&f, RIGHTS_RUNTIME), RIGHTS_SECCOMP);
}

static void labels(void **state)
{
    (void)state;
    row(UID, 0, UID, 0, 0, -EACCES, false);
    (void)snprintf(f.theirs.label, sizeof(f.theirs.label), "unconfined");
    (void)snprintf(f.ours.label, sizeof(f.ours.label), "cri-containerd.apparmor.d (enforce)");
    assert_int_equal(rights_causes(&f, RIGHTS_RUNTIME), RIGHTS_LABEL);
    says(RIGHTS_RUNTIME, "cri-containerd.apparmor.d");
}

static void high_paranoid(void **state)
{
    (void)state;
    row(UID, 0, UID, 0, -EACCES, -EACCES, true);
    f.paranoid = 3;
    assert_int_equal(rights_mode(&f), WIRE_MODE_RESTRICTED);
    assert_int_equal(rights_causes(&f, RIGHTS_CPU), RIGHTS_PARANOID);
    assert_string_equal(first(RIGHTS_CPU), SC(CAPS("PERFMON")));
    assert_true(grants(RIGHTS_CPU, "sysctl kernel.perf_event_paranoid=2"));
    /* a filter as well: no way without PERFMON */
    perf(-EPERM, -EPERM);
    assert_int_equal(rights_causes(&f, RIGHTS_CPU), RIGHTS_SECCOMP | RIGHTS_PARANOID);
    assert_string_equal(first(RIGHTS_CPU), SC(CAPS("PERFMON")));
}

static void others(void **state)
{
    (void)state;
    row(UID, 0, UID, 0, -ENOSYS, -ENOSYS, true);
    assert_int_equal(rights_causes(&f, RIGHTS_CPU), RIGHTS_NO_CALL);
    assert_string_equal(first(RIGHTS_CPU), "");
    row(UID, 0, UID, 0, 0, 0, true);
    f.flags = WIRE_FACT_TRACED;
    f.call[WIRE_CALL_PTRACE] = -EPERM;
    assert_int_equal(rights_causes(&f, RIGHTS_PTRACE), RIGHTS_TRACED);
    row(UID, 0, UID, 0, 0, 0, true);
    f.call[WIRE_CALL_MEMORY] = -EIO;
    assert_int_equal(rights_causes(&f, RIGHTS_RUNTIME), RIGHTS_BLOCKED);
    says(RIGHTS_RUNTIME, "wait without end");
    /* nothing was tried yet: nothing is refused, and nothing is there */
    for (size_t i = 0; i < WIRE_CALLS; i++)
        f.call[i] = WIRE_CALL_UNTRIED;
    assert_true(rights_can(&f, RIGHTS_CPU));
    assert_int_equal(rights_mode(&f), WIRE_MODE_NONE);
}

/* --- texts --- */

/* Every combination of causes: bounded, one line, and a grant is whole or not there. */
static void every_text(void **state)
{
    static const int32_t verdicts[] = {0, -EPERM, -EACCES, -ENOSYS, -EIO, -4095};
    char text[WIRE_TEXT_BYTES];
    struct remedy_grant grant[REMEDY_GRANTS_MAX];

    (void)state;
    for (unsigned n = 0; n < 6 * 6 * 64; n++) {
        row(n & 1 ? UINT32_MAX : 0, n & 2 ? PERFMON | PTRACE : 0, UINT32_MAX - 1, CAPS_ALL,
            verdicts[n / 64 % 6], verdicts[n / 64 / 6], n & 4);
        f.flags = n >> 3 & WIRE_FACT_FLAGS;
        f.yama = n & 8 ? 3 : -1;
        f.paranoid = n & 16 ? INT32_MIN : 4;
        memset(f.theirs.label, 'x', sizeof(f.theirs.label) - 1);
        for (int want = 0; want < RIGHTS_WANTS; want++) {
            enum rights_want w = (enum rights_want)want;
            size_t count = remedy_grants(&f, w, grant);
            unsigned ticks = 0;

            assert_true(count <= REMEDY_GRANTS_MAX);
            for (size_t i = 0; i < count; i++) {
                assert_true(strlen(grant[i].yaml) < REMEDY_YAML_BYTES - 1);
                assert_null(strstr(grant[i].yaml, "add: []"));
            }
            (void)remedy_text(&f, w, text, sizeof(text));
            assert_true(strlen(text) < sizeof(text));
            assert_null(strchr(text, '\n'));
            for (const char *p = text; (p = strchr(p, '`')) != NULL; p++)
                ticks++;
            assert_int_equal(ticks % 2, 0);
            assert_int_equal(text[0] == '\0', rights_can(&f, w));
        }
    }
    /* room for nothing */
    assert_string_equal(remedy_why(&f, RIGHTS_CPU, text, 1), "");
}

static void every_cause_has_words(void **state)
{
    (void)state;
    for (uint32_t bit = 1; bit <= RIGHTS_UNKNOWN; bit <<= 1)
        assert_non_null(remedy_cause_key(bit));
    assert_null(remedy_cause_key(RIGHTS_UNKNOWN << 1));
    for (unsigned call = 0; call < WIRE_CALLS; call++)
        assert_true(remedy_call_name((enum wire_call)call)[0] != '\0');
}

static void capability_names(void **state)
{
    char text[CAPS_TEXT_BYTES];
    char small[16];

    (void)state;
    assert_string_equal(caps_text(0, text, sizeof(text)), "none");
    assert_string_equal(caps_text(CAPS_ALL, text, sizeof(text)), "all");
    assert_string_equal(caps_text(PTRACE | PERFMON | 1, text, sizeof(text)),
                        "PERFMON,SYS_PTRACE,CHOWN");
    assert_string_equal(caps_text(CAPS_BIT(41), text, sizeof(text)), "0x20000000000");
    assert_string_equal(caps_text(PERFMON | CAPS_BIT(63), text, sizeof(text)),
                        "PERFMON,0x8000000000000000");
    /* all but one by name fit */
    assert_non_null(strstr(caps_text(CAPS_ALL & ~UINT64_C(1), text, sizeof(text)), "CHECKPOINT"));
    assert_string_equal(caps_text(PTRACE | PERFMON, small, sizeof(small)), "PERFMON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_user_under_runtime_default),
        cmocka_unit_test(same_user_unconfined),
        cmocka_unit_test(perfmon_in_the_bounding_set),
        cmocka_unit_test(file_capabilities),
        cmocka_unit_test(root_without_anything),
        cmocka_unit_test(root_with_sys_ptrace),
        cmocka_unit_test(root_with_perfmon),
        cmocka_unit_test(the_old_rule_of_podman),
        cmocka_unit_test(more_capabilities),
        cmocka_unit_test(not_dumpable),
        cmocka_unit_test(ids),
        cmocka_unit_test(user_namespace),
        cmocka_unit_test(yama),
        cmocka_unit_test(labels),
        cmocka_unit_test(high_paranoid),
        cmocka_unit_test(others),
        cmocka_unit_test(every_text),
        cmocka_unit_test(every_cause_has_words),
        cmocka_unit_test(capability_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
