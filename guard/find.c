#include "guard/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/num.h"
#include "guard/cgroup.h"
#include "guard/relief.h"
#include "guard/select.h"

enum {
    FIND_ANCESTORS_MAX = 64,
};

struct search {
    const struct plan *plan;
    const struct find_skip *skip;
    struct select select;
    pid_t ours[FIND_OURS_MAX + FIND_ANCESTORS_MAX];
    size_t ours_count;
    char own_cgroup[PROC_TEXT_MAX_BYTES];
};

/* A pid that was named may be an ancestor: in a debug container the target is PID 1. */
static bool is_ours(const struct search *s, pid_t pid, uint32_t select)
{
    if (select == PLAN_SELECT_PID)
        return pid == getpid();
    for (size_t i = 0; i < s->ours_count; i++) {
        if (s->ours[i] == pid)
            return true;
    }
    return false;
}

static void add_ancestors(struct search *s)
{
    struct proc_stat st;
    pid_t pid = getpid();

    for (int i = 0; i < FIND_ANCESTORS_MAX && pid > 0; i++) {
        s->ours[s->ours_count++] = pid;
        if (proc_stat(pid, &st) != 0)
            return;
        pid = st.ppid;
    }
}

/* --- auto and containers: of many processes, the eldest of each family --- */

static bool is_init(pid_t pid, const struct proc_stat *st)
{
    static const char *const names[] = {
        "pause", "catatonit", "tini",     "dumb-init", "docker-init", "systemd",
        "init",  "s6-svscan", "runsvdir", "conmon",    "pod",         "bash",
        "sh",    "dash",      "ash",      "busybox",   "crun"};
    static const char creating[] =
        "runc:["; /* its init waits here until its container is started */

    if (strncmp(st->comm, creating, sizeof(creating) - 1) == 0)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(st->comm, names[i]) == 0)
            return true;
    }
    return pid == 1 && strcmp(st->comm, "pause") == 0;
}

struct candidate {
    pid_t pid, ppid;
    uint64_t start_ticks;
    bool other_cgroup;
};

static void show(struct find *ret, pid_t pid)
{
    char argv[FIND_LINE_BYTES] = "";
    char clean[80];
    struct proc_stat st = {0};
    ssize_t n = proc_read(pid, "cmdline", argv, sizeof(argv));

    if (ret->matches >= FIND_SHOWN_MAX)
        return;
    for (ssize_t i = 0; i + 1 < n; i++) {
        if (argv[i] == '\0')
            argv[i] = ' ';
    }
    (void)proc_stat(pid, &st);
    (void)snprintf(ret->shown[ret->matches], FIND_LINE_BYTES, "pid %d  uid %lld  %s  %s", (int)pid,
                   (long long)proc_uid(pid), st.comm,
                   err_clean(clean, sizeof(clean), argv, strlen(argv)));
}

static void take(struct find *ret, pid_t pid, uint64_t start_ticks)
{
    ret->at = pid;
    relief_begin();
    show(ret, pid);
    relief_end();
    ret->at = 0;
    if (ret->matches++ > 0)
        return;
    ret->pid = pid;
    ret->start_ticks = start_ticks;
}

static bool has_parent_among(const struct candidate *c, size_t n, pid_t ppid)
{
    for (size_t i = 0; i < n; i++) {
        if (c[i].pid == ppid)
            return true;
    }
    return false;
}

/* Keep the eldest of each family; other control groups before our own. */
static void take_families(struct find *ret, const struct candidate *c, size_t n)
{
    bool others = false;

    if (!c)
        return; /* nobody matches */
    for (size_t i = 0; i < n; i++)
        others = others || c[i].other_cgroup;
    for (size_t i = 0; i < n; i++) {
        if ((!others || c[i].other_cgroup) && !has_parent_among(c, n, c[i].ppid))
            take(ret, c[i].pid, c[i].start_ticks);
    }
}

static bool wants_families(const struct plan *plan)
{
    return plan->select == PLAN_SELECT_AUTO || plan->select == PLAN_SELECT_CONTAINER ||
           plan->select == PLAN_SELECT_ENV;
}

static bool is_skipped(const struct find_skip *skip, pid_t pid, uint64_t start_ticks)
{
    for (uint32_t i = 0; i < skip->count; i++) {
        if (skip->row[i].pid == pid && skip->row[i].start_ticks == start_ticks)
            return true;
    }
    return false;
}

/* Cheap first, and nothing of a process's own memory, which it may let us wait for. */
static bool usable(const struct search *s, pid_t pid, struct proc_stat *st)
{
    if (s->plan->select == PLAN_SELECT_PID && (uint64_t)pid != s->plan->number)
        return false;
    if (is_ours(s, pid, s->plan->select) || proc_stat(pid, st) != 0 || st->state == 'Z' ||
        st->state == 'X' || st->kernel_thread || is_skipped(s->skip, pid, st->start_ticks))
        return false;
    return !wants_families(s->plan) || !is_init(pid, st);
}

static bool looks_right(struct search *s, struct find *ret, pid_t pid, const struct proc_stat *st)
{
    bool right;

    ret->at = pid;
    relief_begin();
    right = select_match(&s->select, pid, st);
    relief_end();
    ret->at = 0;
    return right;
}

/* What a scan has seen: candidates, or with target.all every process that is one. */
struct seen {
    struct candidate *c;
    struct kin_row *kin;
    size_t n, cap;
};

static int make_room(struct seen *seen, bool all)
{
    size_t cap = seen->cap ? seen->cap * 2 : 64;
    void *p;

    if (seen->n < seen->cap)
        return 0;
    p = all ? realloc(seen->kin, cap * sizeof(*seen->kin))
            : realloc(seen->c, cap * sizeof(*seen->c));
    if (!p)
        return -ENOMEM;
    if (all)
        seen->kin = p;
    else
        seen->c = p;
    seen->cap = cap;
    return 0;
}

static bool other_cgroup(const struct search *s, pid_t pid)
{
    char cgroup[PROC_TEXT_MAX_BYTES] = "";

    (void)proc_read(pid, "cgroup", cgroup, sizeof(cgroup));
    return strcmp(cgroup, s->own_cgroup) != 0;
}

static int note_candidate(struct search *s, struct find *ret, struct seen *seen, pid_t pid)
{
    struct proc_stat st;

    if (!usable(s, pid, &st) || !looks_right(s, ret, pid, &st))
        return 0;
    if (!wants_families(s->plan)) {
        take(ret, pid, st.start_ticks);
        return 0;
    }
    if (make_room(seen, false) != 0)
        return -ENOMEM;
    seen->c[seen->n++] = (struct candidate){pid, st.ppid, st.start_ticks, other_cgroup(s, pid)};
    return 0;
}

/*
 * target.all: whoever does not match may descend from one that does. Our own are never in, but for
 * an ancestor that was named by its number; auto's init programs do not match, their children may.
 */
static int note_kin(struct search *s, struct find *ret, struct seen *seen, pid_t pid)
{
    struct kin_row *row;
    struct proc_stat st;

    if (proc_stat(pid, &st) != 0 || st.state == 'Z' || st.state == 'X' || st.kernel_thread)
        return 0;
    if (make_room(seen, true) != 0)
        return -ENOMEM;
    row = &seen->kin[seen->n++];
    *row = (struct kin_row){.pid = pid, .ppid = st.ppid, .start_ticks = st.start_ticks};
    memcpy(row->comm, st.comm, sizeof(row->comm));
    row->match = usable(s, pid, &st) && looks_right(s, ret, pid, &st);
    row->never = !row->match &&
                 (is_ours(s, pid, PLAN_SELECT_AUTO) || is_skipped(s->skip, pid, st.start_ticks));
    return 0;
}

/* A child in a container of its own is another application: a runtime's shim has many. */
static bool same_container(void *ctx, pid_t parent, pid_t child)
{
    char of_parent[CGROUP_ID_BYTES] = "", of_child[CGROUP_ID_BYTES] = "";
    char text[PROC_TEXT_MAX_BYTES];

    (void)ctx;
    if (proc_read(parent, "cgroup", text, sizeof(text)) > 0)
        (void)cgroup_container(text, of_parent);
    if (proc_read(child, "cgroup", text, sizeof(text)) > 0)
        (void)cgroup_container(text, of_child);
    return strcmp(of_parent, of_child) == 0;
}

/* auto and containers: other control groups before our own, as without target.all. */
static void prefer_others(const struct search *s, struct kin_row *kin, size_t n)
{
    bool others = false;

    for (size_t i = 0; i < n && !others; i++)
        others = kin[i].match && other_cgroup(s, kin[i].pid);
    for (size_t i = 0; i < n && others; i++)
        kin[i].match = kin[i].match && other_cgroup(s, kin[i].pid);
}

static void take_kin(const struct search *s, struct find *ret, struct seen *seen)
{
    size_t in;

    if (!seen->kin)
        return;
    if (wants_families(s->plan))
        prefer_others(s, seen->kin, seen->n);
    in = kin_close(seen->kin, seen->n, same_container, NULL);
    if (in == 0)
        return;
    take(ret, seen->kin[0].pid, seen->kin[0].start_ticks);
    ret->kin = (uint32_t)(in < WIRE_MEMBERS_MAX ? in : WIRE_MEMBERS_MAX);
    ret->kin_missed = (uint32_t)in - ret->kin;
    memcpy(ret->kin_row, seen->kin, ret->kin * sizeof(ret->kin_row[0]));
}

static int scan(struct search *s, struct find *ret)
{
    struct seen seen = {0};
    struct dirent *de;
    DIR *dir = opendir("/proc");
    int r = 0;

    if (!dir)
        return -errno;
    for (int i = 0; i < FIND_PROCESSES_MAX && r == 0 && (de = readdir(dir)) != NULL; i++) {
        pid_t pid;

        if (proc_number(de->d_name, &pid))
            r = s->plan->all ? note_kin(s, ret, &seen, pid) : note_candidate(s, ret, &seen, pid);
    }
    (void)closedir(dir);
    if (r == 0 && s->plan->all)
        take_kin(s, ret, &seen);
    else if (r == 0)
        take_families(ret, seen.c, seen.n);
    free(seen.c);
    free(seen.kin);
    return r;
}

static int prepare(struct search *s, const struct plan *plan)
{
    (void)proc_read(getpid(), "cgroup", s->own_cgroup, sizeof(s->own_cgroup));
    return select_init(&s->select, plan);
}

bool find_relieve(const struct find *f, struct find_skip *skip)
{
    struct proc_stat st = {0};

    if (f->at == 0 || skip->count == FIND_SKIP_MAX)
        return false;
    (void)proc_stat(f->at, &st);
    skip->row[skip->count].pid = f->at;
    skip->row[skip->count++].start_ticks = st.start_ticks;
    return true;
}

int find_target(const struct plan *plan, const struct find_skip *skip, const pid_t *ours,
                size_t count, struct find *ret)
{
    struct search s = {.plan = plan, .skip = skip};
    int r;

    memset(ret, 0, sizeof(*ret));
    ret->hint = "";
    for (size_t i = 0; i < count && i < FIND_OURS_MAX; i++)
        s.ours[s.ours_count++] = ours[i];
    add_ancestors(&s);
    r = prepare(&s, plan);
    if (r == 0)
        r = scan(&s, ret);
    if (ret->matches == 0 && plan->select == PLAN_SELECT_PORT)
        ret->hint = s.select.inodes_count
                        ? "something listens on that port, but whose socket it is cannot "
                          "be seen without being its user or root"
                        : "nothing listens on that port in this network namespace";
    select_release(&s.select);
    return r;
}
