#include "guard/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/num.h"
#include "base/sandbox.h"
#include "guard/cgroup.h"
#include "guard/event.h"
#include "guard/proc.h"
#include "wire/codec.h"

enum {
    PROBE_NOBODY = INT32_MAX, /* above PID_MAX_LIMIT (include/linux/threads.h): nobody's pid */
    PROBE_PARANOID_UNKNOWN = -100,
    PROBE_YAMA_NONE = -1,
};

/* --- /proc text --- */

static int32_t read_setting(const char *name, int32_t unknown)
{
    char text[32];
    ssize_t n = proc_read(0, name, text, sizeof(text));
    bool minus = n > 0 && text[0] == '-';
    uint64_t v;

    if (n <= 0 || num_u64(text + minus, strspn(text + minus, "0123456789"), 10, 100, &v))
        return unknown;
    return minus ? -(int32_t)v : (int32_t)v;
}

/* Number ${n} (from 0) behind this word; names in status cannot hold a newline, so no forging. */
static uint64_t status_value(const char *status, const char *word, unsigned n, unsigned base)
{
    const char *digits = base == 16 ? "0123456789abcdef" : "0123456789";
    const char *at = strstr(status, word);
    uint64_t v = 0;

    if (!at)
        return 0;
    at += strlen(word);
    for (unsigned i = 0; i <= n; i++) {
        size_t width;

        at += strspn(at, "\t ");
        width = strspn(at, digits);
        if (num_u64(at, width, base, UINT64_MAX, &v))
            return 0;
        at += width;
    }
    return v;
}

/* The label of a security module; EINVAL where there is none. */
static void read_label(pid_t pid, char *out, size_t bytes)
{
    char text[PROC_TEXT_MAX_BYTES];
    ssize_t n = proc_read(pid, "attr/apparmor/current", text, sizeof(text));

    if (n <= 0)
        n = proc_read(pid, "attr/current", text, sizeof(text));
    if (n < 0)
        n = 0;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    codec_text(out, bytes, text);
}

/* Version 2 alone has one line, "0::path" (cgroups(7)). */
static uint32_t cgroup_version(const char *text)
{
    if (!text[0])
        return 0;
    return strncmp(text, "0::", 3) == 0 && !strchr(text, '\n')[1] ? 2 : 1;
}

static uint64_t user_ns(pid_t pid)
{
    char path[64];
    char link[64];
    ssize_t n;
    uint64_t inode;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    n = readlink(path, link, sizeof(link) - 1);
    if (n < 8 || memcmp(link, "user:[", 6) != 0 ||
        num_u64(link + 6, (size_t)n - 7, 10, UINT64_MAX, &inode))
        return 0;
    return inode;
}

/* One side. Its flags are the target's only. */
static void read_side(pid_t pid, struct wire_side *s, uint32_t *ret_flags)
{
    char *status = malloc(PROBE_STATUS_BYTES);
    char cgroup[PROC_TEXT_MAX_BYTES];

    memset(s, 0, sizeof(*s));
    if (status && proc_read(pid, "status", status, PROBE_STATUS_BYTES) > 0) {
        for (unsigned i = 0; i < 3; i++) {
            s->uid[i] = (uint32_t)status_value(status, "\nUid:", i, 10);
            s->gid[i] = (uint32_t)status_value(status, "\nGid:", i, 10);
        }
        s->permitted = status_value(status, "\nCapPrm:", 0, 16);
        s->effective = status_value(status, "\nCapEff:", 0, 16);
        s->bounding = status_value(status, "\nCapBnd:", 0, 16);
        s->no_new_privs = status_value(status, "\nNoNewPrivs:", 0, 10) != 0;
        s->seccomp = (uint32_t)status_value(status, "\nSeccomp:", 0, 10);
        if (status_value(status, "\nTracerPid:", 0, 10))
            *ret_flags |= WIRE_FACT_TRACED;
    }
    free(status);
    s->user_ns = user_ns(pid);
    read_label(pid, s->label, sizeof(s->label));
    if (proc_read(pid, "cgroup", cgroup, sizeof(cgroup)) > 0)
        (void)cgroup_container(cgroup, s->container);
}

/* --- which namespace, dumpable or not --- */

/*
 * The link tells where it may be read; else the maps, which everybody may. Two namespaces with the
 * same map are taken for one: then the other causes are all there is to say.
 */
static bool other_user_ns(const struct wire_facts *f, pid_t pid)
{
    char *maps = malloc((size_t)2 * PROBE_MAP_BYTES);
    bool other = false;

    if (f->ours.user_ns && f->theirs.user_ns) {
        other = f->ours.user_ns != f->theirs.user_ns;
    } else if (maps) {
        char *theirs = maps + PROBE_MAP_BYTES;

        other = proc_read(getpid(), "uid_map", maps, PROBE_MAP_BYTES) >= 0 &&
                proc_read(pid, "uid_map", theirs, PROBE_MAP_BYTES) >= 0 &&
                strcmp(maps, theirs) != 0;
    }
    free(maps);
    return other;
}

/* Of a process that is not dumpable the files in its /proc folder are root's, though the folder
 * itself is not (fs/proc/base.c, task_dump_owner). Of root's processes that tells nothing. */
static bool undumpable(const struct wire_facts *f, pid_t pid)
{
    struct stat st;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    return stat(path, &st) == 0 && st.st_uid != f->theirs.uid[1];
}

/* --- the calls --- */

static int32_t try_link(pid_t pid, const char *name)
{
    char path[64];
    char target[PROC_PATH_BYTES];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return readlink(path, target, sizeof(target)) < 0 ? -errno : 0;
}

/* Opened and not read: the right to see it is asked there (fs/proc/base.c, environ_open). */
static int32_t try_open(pid_t pid, const char *name)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    (void)close(fd);
    return 0;
}

/* This one asks when it is read (fs/proc/base.c, proc_pid_syscall). */
static int32_t try_read(pid_t pid, const char *name)
{
    char text[256];
    ssize_t n = proc_read(pid, name, text, sizeof(text));

    return n < 0 ? (int32_t)n : 0;
}

static int32_t try_folder(pid_t pid, const char *name)
{
    char path[64];
    DIR *dir;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    dir = opendir(path);
    if (!dir)
        return -errno;
    (void)closedir(dir);
    return 0;
}

/* One byte at the start of the first mapping: the right to read is the question, not the content;
 * EFAULT is asked about after it (mm/process_vm_access.c). */
static int32_t try_memory(pid_t pid, uint64_t address)
{
    char byte;
    struct iovec local = {&byte, 1};
    struct iovec remote = {(void *)(uintptr_t)address, 1};

    if (process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1 || errno == EFAULT)
        return 0;
    return -errno;
}

/* Does a filter let us call it at all? */
static int32_t try_ptrace(void)
{
    long r = ptrace(PTRACE_SEIZE, PROBE_NOBODY, NULL, NULL);

    return r == 0 || errno == ESRCH ? 0 : -errno;
}

/* May we attach? /proc/T/syscall and process_vm_readv(2) want the same right, each behind one
 * obstacle of its own: the file's mode, a filter. Only one tracer can be there. */
static int32_t attach_verdict(const struct wire_facts *f)
{
    int32_t r = try_ptrace();

    if (r)
        return r;
    if (f->flags & WIRE_FACT_TRACED)
        return -EPERM;
    return f->call[WIRE_CALL_MEMORY] == 0 || f->call[WIRE_CALL_SYSCALL] == 0 ? 0 : -EPERM;
}

static void try_perf(struct wire_facts *f, pid_t pid)
{
    struct guard_event_rights rights;

    guard_event_probe(pid, &rights);
    f->call[WIRE_CALL_PERF_USER] = -rights.user_errno;
    f->call[WIRE_CALL_PERF_KERNEL] = -rights.kernel_errno;
}

/* --- the order of it all --- */

void probe_self(struct wire_facts *f)
{
    char cgroup[PROC_TEXT_MAX_BYTES] = "";
    uint32_t unused = 0;

    memset(f, 0, sizeof(*f));
    read_side(getpid(), &f->ours, &unused);
    f->paranoid = read_setting("sys/kernel/perf_event_paranoid", PROBE_PARANOID_UNKNOWN);
    f->yama = read_setting("sys/kernel/yama/ptrace_scope", PROBE_YAMA_NONE);
    if (proc_read(getpid(), "cgroup", cgroup, sizeof(cgroup)) > 0)
        f->cgroup = cgroup_version(cgroup);
    probe_begin(f, 0);
}

void probe_begin(struct wire_facts *f, uint32_t generation)
{
    f->generation = generation;
    f->flags = 0;
    for (size_t i = 0; i < WIRE_CALLS; i++)
        f->call[i] = WIRE_CALL_UNTRIED;
    memset(&f->theirs, 0, sizeof(f->theirs));
    f->ours.permitted = f->ours.effective = sandbox_caps(); /* sandbox_set_caps: they are one */
}

void probe_waiting(struct wire_facts *f, pid_t pid)
{
    char text[256];
    ssize_t n = proc_read(pid, "maps", text, sizeof(text));
    uint64_t start = 0;

    f->call[WIRE_CALL_MAPS] = n < 0 ? (int32_t)n : 0;
    /* without an address the right is asked for all the same, before the address is looked at */
    if (n > 0)
        (void)num_u64(text, strspn(text, "0123456789abcdef"), 16, UINT64_MAX, &start);
    f->call[WIRE_CALL_MEMORY] = try_memory(pid, start);
}

void probe_rest(struct wire_facts *f, pid_t pid)
{
    read_side(pid, &f->theirs, &f->flags);
    if (other_user_ns(f, pid))
        f->flags |= WIRE_FACT_OTHER_USER_NS;
    if (undumpable(f, pid))
        f->flags |= WIRE_FACT_UNDUMPABLE;
    f->call[WIRE_CALL_PIDFD] = 0; /* it is held by one */
    f->call[WIRE_CALL_EXE] = try_link(pid, "exe");
    f->call[WIRE_CALL_ROOT] = try_link(pid, "root");
    f->call[WIRE_CALL_ENVIRON] = try_open(pid, "environ");
    f->call[WIRE_CALL_FD] = try_folder(pid, "fd");
    f->call[WIRE_CALL_SYSCALL] = try_read(pid, "syscall");
    f->call[WIRE_CALL_PTRACE] = attach_verdict(f);
    try_perf(f, pid);
}

/* Files of ours in /proc tell nothing: we are not dumpable. */
void probe_host(struct wire_facts *f)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    probe_begin(f, 0);
    f->call[WIRE_CALL_PIDFD] = fd < 0 ? -errno : 0;
    if (fd >= 0)
        (void)close(fd);
    f->call[WIRE_CALL_MEMORY] = try_memory(getpid(), (uint64_t)(uintptr_t)f);
    f->call[WIRE_CALL_PTRACE] = try_ptrace();
    try_perf(f, getpid());
}
