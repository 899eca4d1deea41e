/*
 * seccomp(2): the system calls a program may still make; any other ends it (SIGSYS, which the
 * guard reports with the signal's name). Lists were found by running the whole test suite under
 * them, release and ASan builds. A call that libraries try and can do without gets an errno.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#    define SECCOMP_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#    define SECCOMP_ARCH AUDIT_ARCH_AARCH64
#endif

#if defined(__SANITIZE_ADDRESS__)
#    define SECCOMP_ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define SECCOMP_ASAN 1
#    endif
#endif

enum {
    SECCOMP_MAX_INSNS = 256,
    FIONBIO_REQUEST = 0x5421,
};

/* Both programs: compute, log, wait, talk on what is open. */
static const int common_calls[] = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_close,
    SYS_ppoll,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendto,
    SYS_recvfrom,
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_futex,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_getpid,
    SYS_gettid,
    SYS_getuid,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigaction,
    SYS_restart_syscall,
    SYS_getrusage,
    SYS_exit,
    SYS_exit_group,
    SYS_fstat,
    SYS_lseek,
    SYS_sched_yield,
    SYS_memfd_create,
    SYS_ftruncate,
    SYS_fcntl,
    SYS_pread64,
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_time
    SYS_time,
#endif
#ifdef SECCOMP_ASAN
    SYS_sigaltstack,
    SYS_prctl,
    SYS_sched_getaffinity,
    SYS_prlimit64,
    SYS_readlink,
    SYS_getrlimit,
#endif
};

/* The sidecar: libuv's loop, accepting, its own files. No socket, connect, bind: it has them. */
static const int sidecar_calls[] = {
    SYS_epoll_pwait, SYS_epoll_ctl,   SYS_accept4, SYS_shutdown,   SYS_setsockopt, SYS_getsockopt,
    SYS_getsockname, SYS_getpeername, SYS_openat,  SYS_newfstatat, SYS_statx,      SYS_getdents64,
    SYS_readlinkat,  SYS_geteuid,     SYS_getgid,  SYS_getegid,    SYS_pipe2,      SYS_eventfd2,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
#ifdef SYS_stat
    SYS_stat,
#endif
#ifdef SYS_open
    SYS_open,
#endif
#ifdef SYS_readlink
    SYS_readlink,
#endif
};

struct program {
    struct sock_filter insn[SECCOMP_MAX_INSNS];
    unsigned count;
};

static void add(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
    if (p->count < SECCOMP_MAX_INSNS)
        p->insn[p->count] = (struct sock_filter){code, jt, jf, k};
    p->count++;
}

static void load(struct program *p, size_t offset)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void give(struct program *p, uint32_t action)
{
    add(p, BPF_RET | BPF_K, action, 0, 0);
}

/* If the call is nr: the action. The accumulator holds the call's number before and after. */
static void when(struct program *p, int nr, uint32_t action)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1);
    give(p, action);
}

static size_t arg_low(unsigned n) /* low half of argument n; little endian only */
{
    return offsetof(struct seccomp_data, args) + n * sizeof(uint64_t);
}

/* If the call is nr: allowed only when (low half of argument n & mask) == value, else the action.
 */
static void when_arg(struct program *p, int nr, unsigned n, uint32_t mask, uint32_t value,
                     uint32_t otherwise)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 5);
    load(p, arg_low(n));
    add(p, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    give(p, SECCOMP_RET_ALLOW);
    give(p, otherwise);
}

static void head(struct program *p)
{
    load(p, offsetof(struct seccomp_data, arch));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, SECCOMP_ARCH, 1, 0);
    give(p, SECCOMP_RET_KILL_PROCESS);
    load(p, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
    add(p, BPF_JMP | BPF_JGE | BPF_K, 0x40000000 /* x32 */, 0, 1);
    give(p, SECCOMP_RET_KILL_PROCESS);
#endif
}

static void body(struct program *p, enum sandbox_role role)
{
    for (size_t i = 0; i < sizeof(common_calls) / sizeof(common_calls[0]); i++)
        when(p, common_calls[i], SECCOMP_RET_ALLOW);
    when_arg(p, SYS_mmap, 2, PROT_EXEC, 0, SECCOMP_RET_KILL_PROCESS);
    when_arg(p, SYS_mprotect, 2, PROT_EXEC, 0, SECCOMP_RET_KILL_PROCESS);
    /* abort() signals itself and nobody else */
    when_arg(p, SYS_tgkill, 0, UINT32_MAX, (uint32_t)getpid(), SECCOMP_RET_KILL_PROCESS);
    if (role == SANDBOX_SIDECAR) {
        for (size_t i = 0; i < sizeof(sidecar_calls) / sizeof(sidecar_calls[0]); i++)
            when(p, sidecar_calls[i], SECCOMP_RET_ALLOW);
        when_arg(p, SYS_ioctl, 1, UINT32_MAX, FIONBIO_REQUEST, SECCOMP_RET_ERRNO | ENOTTY);
    } else {
        when(p, SYS_ioctl, SECCOMP_RET_ERRNO | ENOTTY);
        when(p, SYS_openat, SECCOMP_RET_ERRNO | EACCES);
        when(p, SYS_newfstatat, SECCOMP_RET_ALLOW); /* fstat(2) of newer libcs */
    }
    /* tried by libraries, done without: io_uring (libuv >= 1.45), thread and kernel hints */
    when(p, SYS_io_uring_setup, SECCOMP_RET_ERRNO | ENOSYS);
    when(p, SYS_rseq, SECCOMP_RET_ERRNO | ENOSYS);
    when(p, SYS_sched_setattr, SECCOMP_RET_ERRNO | EPERM);
    when(p, SYS_sysinfo, SECCOMP_RET_ERRNO | ENOSYS);
#ifdef SYS_access
    when(p, SYS_access, SECCOMP_RET_ERRNO | EACCES);
#endif
    give(p, SECCOMP_RET_KILL_PROCESS);
}

int seccomp_enter(enum sandbox_role role)
{
#ifdef SECCOMP_ARCH
    struct program p = {.count = 0};
    struct sock_fprog prog;

    head(&p);
    body(&p, role);
    if (p.count > SECCOMP_MAX_INSNS)
        return -E2BIG;
    prog = (struct sock_fprog){(unsigned short)p.count, p.insn};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) != 0)
        return errno == ENOSYS || errno == EINVAL ? 0 : -errno;
    return (int)p.count;
#else
    (void)role;
    return 0;
#endif
}
