#include "guard/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bulk.h"
#include "base/num.h"
#include "guard/cgroup.h"
#include "guard/mapped.h"
#include "guard/probe.h"
#include "guard/relief.h"
#include "wire/codec.h"
#include "wire/remedy.h"

static int make_arena(struct target *t)
{
    int fd = bulk_open("pillion-arena");
    void *p;

    if (fd < 0)
        return fd;
    /* the sampler maps it too: it must not be able to shrink it under our writes */
    if (ftruncate(fd, WIRE_ARENA_BYTES) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        int saved = errno;

        (void)close(fd);
        return -saved;
    }
    p = mmap(NULL, WIRE_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        (void)close(fd);
        return -ENOMEM;
    }
    t->arena = p;
    t->arena_fd = fd;
    return 0;
}

int target_init(struct target *t)
{
    int r;

    memset(t, 0, sizeof(*t));
    t->pidfd = -1;
    t->arena_fd = -1;
    probe_self(&t->facts);
    r = make_arena(t);
    if (r == 0)
        target_drop(t, WIRE_TARGET_WAITING, "");
    return r;
}

void target_init_member(struct target *t, struct target *first)
{
    memset(t, 0, sizeof(*t));
    t->first = first;
    t->facts = first->facts; /* who we are, and the machine */
    t->pidfd = -1;
    t->arena_fd = -1;
    target_drop(t, WIRE_TARGET_WAITING, "");
}

static struct target *first_of(struct target *t)
{
    return t->first ? t->first : t;
}

void target_release(struct target *t)
{
    if (!t)
        return;
    if (t->arena)
        (void)munmap(t->arena, WIRE_ARENA_BYTES);
    if (t->arena_fd >= 0)
        (void)close(t->arena_fd);
    if (t->pidfd >= 0)
        (void)close(t->pidfd);
    t->arena = NULL;
    t->arena_fd = t->pidfd = -1;
}

void target_drop(struct target *t, uint32_t state, const char *reason)
{
    uint32_t generation = t->wire.generation;
    uint32_t all = t->wire.all;

    if (t->pidfd >= 0)
        (void)close(t->pidfd);
    t->pidfd = -1;
    t->pid = 0;
    t->blocked = 0;
    memset(&t->wire, 0, sizeof(t->wire));
    t->wire.generation = generation;
    t->wire.all = all;
    t->wire.state = state;
    codec_text(t->wire.reason, sizeof(t->wire.reason), reason);
}

bool target_alive(const struct target *t)
{
    struct pollfd p = {.fd = t->pidfd, .events = POLLIN};

    return t->pidfd >= 0 && poll(&p, 1, 0) == 0;
}

/* --- what may wait for ever --- */

static int act_begin(struct target *t, uint32_t act)
{
    if (t->blocked & act)
        return -EIO;
    t->doing = act;
    relief_begin();
    return 0;
}

static void act_end(struct target *t)
{
    relief_end(); /* does not return when it took too long: what follows is another thread's */
    t->doing = 0;
}

/* --- what is allowed, found by trying --- */

static uint32_t count_cpus(pid_t pid)
{
    unsigned long mask[1024 / sizeof(unsigned long)];
    long bytes = syscall(SYS_sched_getaffinity, pid, sizeof(mask), mask);
    uint32_t n = 0;

    for (long i = 0; i < bytes / (long)sizeof(mask[0]); i++)
        n += (uint32_t)__builtin_popcountl(mask[i]);
    return n;
}

/* What users read first: why no CPU profile, or else why no memory. */
static void say_reason(struct wire_target *w, const struct wire_facts *f)
{
    enum rights_want want = rights_can(f, RIGHTS_CPU) ? RIGHTS_RUNTIME : RIGHTS_CPU;
    char text[WIRE_TEXT_BYTES];

    codec_text(w->reason, sizeof(w->reason), remedy_text(f, want, text, sizeof(text)));
}

static void probe(struct target *t)
{
    struct wire_target *w = &t->wire;
    struct wire_facts *f = &t->facts;
    int r;

    probe_begin(f, w->generation);
    r = act_begin(t, TARGET_ACT_MEMORY | TARGET_ACT_TEXT);
    if (r == 0) {
        probe_waiting(f, t->pid);
        act_end(t);
    } else {
        f->call[WIRE_CALL_MEMORY] = f->call[WIRE_CALL_MAPS] = r;
    }
    probe_rest(f, t->pid);
    w->paranoid = f->paranoid;
    w->cpus = count_cpus(t->pid);
    w->rights = rights_bits(f);
    w->mode = rights_mode(f);
    w->perf_errno = f->call[WIRE_CALL_PERF_USER];
    w->memory_errno =
        f->call[WIRE_CALL_MEMORY] ? f->call[WIRE_CALL_MEMORY] : f->call[WIRE_CALL_MAPS];
    say_reason(w, f);
}

void target_host(struct target *t)
{
    probe_host(&t->facts);
}

int target_take(struct target *t, pid_t pid, uint64_t start_ticks)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    char exe[PROC_PATH_BYTES];
    char cgroup[PROC_TEXT_MAX_BYTES];
    struct proc_stat st;
    int64_t uid;

    if (fd < 0)
        return -errno;
    target_drop(t, WIRE_TARGET_WAITING, "");
    t->pidfd = fd;
    t->pid = pid;
    uid = proc_uid(pid);
    if (proc_stat(pid, &st) != 0 || st.start_ticks != start_ticks || uid < 0 || !target_alive(t)) {
        target_drop(t, WIRE_TARGET_WAITING, "");
        return -ESRCH;
    }
    t->wire.generation = ++first_of(t)->given;
    t->wire.state = WIRE_TARGET_UP;
    t->wire.pid = (uint32_t)pid;
    t->wire.uid = (uint32_t)uid;
    t->wire.start_ticks = st.start_ticks;
    t->wire.start_real_ns = proc_start_real_ns(st.start_ticks);
    codec_text(t->wire.name, sizeof(t->wire.name),
               proc_exe(pid, exe, sizeof(exe)) == 0 ? proc_base(exe) : st.comm);
    if (proc_read(pid, "cgroup", cgroup, sizeof(cgroup)) > 0)
        (void)cgroup_container(cgroup, t->wire.container);
    probe(t);
    return 0;
}

const char *target_relieve(struct target *t)
{
    uint32_t act = t->doing;

    if (!act || make_arena(first_of(t)) != 0)
        return NULL;
    t->doing = 0;
    t->blocked |= act;
    probe(t);
    if (act & TARGET_ACT_MEMORY)
        return "memory";
    return act & TARGET_ACT_TEXT ? "maps or cmdline" : "files";
}

/* --- the operations --- */

static int check_generation(const struct target *t, uint32_t generation)
{
    if (t->pidfd < 0)
        return -ESRCH;
    return generation == t->wire.generation ? 0 : -ESTALE;
}

/* After an operation: what was read is the target's only if it was alive to the end. */
static int still_there(const struct target *t)
{
    return target_alive(t) ? 0 : -ESRCH;
}

/* A /proc file of the target as a bulk of at most max_bytes. */
static int proc_bulk(struct target *t, const char *name, size_t max_bytes, int *ret_fd,
                     uint32_t *ret_truncated)
{
    char *text = malloc(max_bytes + 2);
    ssize_t n;
    int fd;

    if (!text)
        return -ENOMEM;
    n = act_begin(t, TARGET_ACT_TEXT);
    if (n == 0) {
        n = proc_read(t->pid, name, text, max_bytes + 2);
        act_end(t);
    }
    if (n < 0) {
        free(text);
        return (int)n;
    }
    *ret_truncated = (size_t)n > max_bytes;
    if ((size_t)n > max_bytes)
        n = (ssize_t)max_bytes;
    fd = still_there(t);
    if (fd == 0)
        fd = bulk_make(text, (size_t)n);
    free(text);
    if (fd < 0)
        return fd;
    *ret_fd = fd;
    return 0;
}

int target_maps(struct target *t, uint32_t generation, int *ret_fd, uint32_t *ret_truncated)
{
    int r = check_generation(t, generation);

    return r ? r : proc_bulk(t, "maps", WIRE_MAPS_MAX_BYTES, ret_fd, ret_truncated);
}

int target_cmdline(struct target *t, uint32_t generation, int *ret_fd)
{
    uint32_t truncated;
    int r = check_generation(t, generation);

    return r ? r : proc_bulk(t, "cmdline", WIRE_CMDLINE_MAX_BYTES, ret_fd, &truncated);
}

int target_file(struct target *t, const struct wire_file *file, int *ret_fd)
{
    int fd = -1;
    int r = check_generation(t, file->generation);

    if (r == 0)
        r = act_begin(t, TARGET_ACT_FILES);
    if (r)
        return r;
    r = mapped_open(t->pid, file, &fd);
    act_end(t);
    if (r == 0)
        r = still_there(t);
    if (r == 0)
        *ret_fd = fd;
    else if (fd >= 0)
        target_close(t, fd);
    return r;
}

/* A file system in user space is asked at each close too (FUSE_FLUSH). */
void target_close(struct target *t, int fd)
{
    /* blocked or not: it has to be closed */
    t->doing = TARGET_ACT_FILES;
    relief_begin();
    (void)close(fd);
    act_end(t);
}

ssize_t target_peek(struct target *t, uint64_t address, void *out, size_t bytes)
{
    struct iovec local = {out, bytes};
    struct iovec remote = {(void *)(uintptr_t)address, bytes};
    ssize_t n = act_begin(t, TARGET_ACT_MEMORY);

    if (n)
        return n;
    n = process_vm_readv(t->pid, &local, 1, &remote, 1, 0);
    n = n < 0 ? -errno : n;
    act_end(t);
    return n;
}

/* Unlike /proc/PID/mem it keeps to the protection of the page: what is read-only stays so. */
ssize_t target_poke(struct target *t, uint64_t address, const void *data, size_t bytes)
{
    struct iovec local = {(void *)(uintptr_t)data, bytes};
    struct iovec remote = {(void *)(uintptr_t)address, bytes};
    ssize_t n = act_begin(t, TARGET_ACT_MEMORY);

    if (n)
        return n;
    n = process_vm_writev(t->pid, &local, 1, &remote, 1, 0);
    n = n < 0 ? -errno : n;
    act_end(t);
    return n;
}

ssize_t target_text(struct target *t, const char *name, char *out, size_t bytes)
{
    ssize_t n = act_begin(t, TARGET_ACT_TEXT);

    if (n)
        return n;
    n = proc_read(t->pid, name, out, bytes);
    act_end(t);
    return n;
}

int target_dataseg(struct target *t, uint64_t address, uint64_t bytes, struct dataseg_id *ret)
{
    int r = act_begin(t, TARGET_ACT_TEXT);

    if (r)
        return r;
    r = dataseg_read(t->pid, address, bytes, ret);
    act_end(t);
    return r;
}

int target_read(struct target *t, uint32_t generation, const struct wire_range *ranges,
                uint32_t count, uint32_t *ret_got)
{
    struct iovec local[WIRE_READ_MAX_RANGES];
    struct iovec remote[WIRE_READ_MAX_RANGES];
    size_t at = 0;
    uint32_t i = 0;
    int r = check_generation(t, generation);

    if (r)
        return r;
    for (uint32_t k = 0; k < count; k++) {
        local[k] = (struct iovec){first_of(t)->arena + at, ranges[k].bytes};
        remote[k] = (struct iovec){(void *)(uintptr_t)ranges[k].address, ranges[k].bytes};
        at += ((size_t)ranges[k].bytes + 7) & ~(size_t)7;
        ret_got[k] = 0;
    }
    /* process_vm_readv(2) stops at the first range it cannot read whole: go on behind it */
    while (i < count) {
        ssize_t got = act_begin(t, TARGET_ACT_MEMORY);

        if (got)
            return (int)got;
        got = process_vm_readv(t->pid, local + i, count - i, remote + i, count - i, 0);
        r = got < 0 ? -errno : 0;
        act_end(t);
        if (r && r != -EFAULT)
            return r;
        for (; i < count && got >= (ssize_t)remote[i].iov_len; i++) {
            ret_got[i] = (uint32_t)remote[i].iov_len;
            got -= (ssize_t)remote[i].iov_len;
        }
        if (i < count)
            ret_got[i++] = got > 0 ? (uint32_t)got : 0;
    }
    return still_there(t);
}
