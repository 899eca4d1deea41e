/*
 * seccomp(2): the system calls a program may still make; any other ends it by SIGSYS, after a line
 * with the call's name (base/refused.c). Lists were found by running the whole test suite under
 * them, release and ASan builds. A call that libraries try and can do without gets an errno.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/refused.h"

#if defined(__x86_64__)
#    define SECCOMP_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#    define SECCOMP_ARCH AUDIT_ARCH_AARCH64
#endif

/*
 * What becomes of who makes any other call. TRAP: the call is not made, and our handler tells which
 * one it was and ends the program. Nobody inside can do without the handler: to set another one is
 * an end without a word, and where SIGSYS is blocked the kernel takes the default, which is the
 * same. MODE=permissive is for finding what a new libc or library needs.
 */
#ifdef SANDBOX_PERMISSIVE
#    define REFUSE SECCOMP_RET_LOG
#else
#    define REFUSE SECCOMP_RET_TRAP
#endif

enum {
    SECCOMP_MAX_INSNS = 512,
    MFD_NOEXEC_SEAL_FLAG = 8, /* Linux 6.3; not in Debian 12's headers */
};

/* Flags of memfd_create(2): no huge pages, whose absence is a SIGBUS for whoever maps them. */
#define MEMFD_FLAGS ((uint32_t)(MFD_CLOEXEC | MFD_ALLOW_SEALING) | MFD_NOEXEC_SEAL_FLAG)

/* What stays forbidden to who may write: a file without a name, and cutting one by opening it. */
#define OPEN_ODD ((uint32_t)(O_TRUNC | (O_TMPFILE & ~O_DIRECTORY)))

/* What makes open(2) more than reading. */
#define OPEN_CHANGES ((uint32_t)(O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY)))

/* The sidecar's: non-blocking sockets, and "is this a terminal?" when the log is set up anew. */
static const uint32_t ioctl_requests[] = {0x5421 /* FIONBIO */, 0x5401 /* TCGETS */,
                                          0x541B /* FIONREAD: the resolver */};

/*
 * The commands of fcntl(2) that are needed; above all not F_SETOWN with F_SETSIG, by which the
 * kernel sends a signal of the caller's choice to a process of the caller's choice.
 */
static const uint32_t fcntl_commands[] = {
    F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_ADD_SEALS, F_GET_SEALS,
};

/* Both programs: compute, log, wait, talk on what is open. */
static const int common_calls[] = {
    SYS_read,         SYS_write,         SYS_readv,
    SYS_writev,       SYS_close,         SYS_ppoll,
    SYS_recvmsg,      SYS_recvfrom,      SYS_brk,
    SYS_munmap,       SYS_mremap,        SYS_madvise,
    SYS_futex,        SYS_clock_gettime, SYS_clock_nanosleep,
    SYS_gettimeofday, SYS_getrandom,     SYS_getpid,
    SYS_gettid,       SYS_getuid,        SYS_rt_sigprocmask,
    SYS_rt_sigreturn, SYS_pread64,       SYS_restart_syscall,
    SYS_getrusage,    SYS_exit,          SYS_exit_group,
    SYS_fstat,        SYS_lseek,         SYS_sched_yield,
    SYS_ftruncate,
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_time
    SYS_time,
#endif
#ifdef SANDBOX_SANITIZED
    SYS_sigaltstack,  SYS_prctl,         SYS_sched_getaffinity,
    SYS_prlimit64,    SYS_readlink,      SYS_getrlimit,
    SYS_nanosleep,
#endif
};

/* The sidecar: libuv's loop, accepting, its own files. No socket, connect, bind: it has them,
 * or see connecting_calls. */
static const int sidecar_calls[] = {
    SYS_epoll_pwait, SYS_epoll_ctl,   SYS_accept4,    SYS_shutdown, SYS_getsockopt,
    SYS_getsockname, SYS_getpeername, SYS_newfstatat, SYS_statx,    SYS_getdents64,
    SYS_readlinkat,  SYS_geteuid,     SYS_getgid,     SYS_getegid,  SYS_uname,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
#ifdef SYS_stat
    SYS_stat,
#endif
#ifdef SYS_readlink
    SYS_readlink,
#endif
};

/* Where it keeps files: one is written aside, synced, and then gets its name. */
static const int keeper_calls[] = {
    SYS_fsync,    SYS_linkat, SYS_unlinkat, SYS_mkdirat, SYS_renameat2, SYS_flock,
#ifdef SYS_renameat
    SYS_renameat,
#endif
};

/*
 * Where it connects out: our own sockets, and what getaddrinfo(3) of glibc 2.36 was seen to do in a
 * pool thread (strace(1); files and DNS over UDP and TCP). What stands beside it:
 *
 * - socket(2) only of these families and with protocol 0: no MPTCP and no SCTP, which would go
 *   round Landlock's TCP ports. The resolver asks netlink which addresses we have, to sort what it
 *   found, and does without.
 * - An NSS module of the host would be loaded; it is not, and the next service is asked.
 */
static const int connecting_calls[] = {SYS_connect};

struct option {
    uint32_t level, name;
};
static const struct option server_options[] = {{SOL_SOCKET, SO_SNDBUF}};
static const struct option connecting_options[] = {
    {SOL_SOCKET, SO_SNDBUF},
    {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_IP, IP_RECVERR},
    {IPPROTO_IPV6, IPV6_RECVERR},
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

/* If the call is nr: allowed only when the low half of argument n is one of these. */
static void when_one_of(struct program *p, int nr, unsigned n, const uint32_t *values,
                        uint8_t count, uint32_t otherwise)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, (uint8_t)(count + 3));
    load(p, arg_low(n));
    for (uint8_t i = 0; i < count; i++)
        add(p, BPF_JMP | BPF_JEQ | BPF_K, values[i], (uint8_t)(count - i), 0);
    give(p, otherwise);
    give(p, SECCOMP_RET_ALLOW);
}

/* If the call is rt_sigaction: allowed but for SIGSYS, whose handler is ours to the end. */
static void when_signal_handler(struct program *p)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigaction, 0, 4);
    load(p, arg_low(0));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, SIGSYS, 0, 1);
    give(p, SECCOMP_RET_KILL_PROCESS);
    give(p, SECCOMP_RET_ALLOW);
}

/* If the call is setsockopt: allowed only for these; others load modules and run filters. */
static void when_socket_options(struct program *p, const struct option *options, uint8_t count,
                                uint32_t otherwise)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, (uint8_t)(5 * count + 1));
    for (uint8_t i = 0; i < count; i++) {
        load(p, arg_low(1));
        add(p, BPF_JMP | BPF_JEQ | BPF_K, options[i].level, 0, 3);
        load(p, arg_low(2));
        add(p, BPF_JMP | BPF_JEQ | BPF_K, options[i].name, 0, 1);
        give(p, SECCOMP_RET_ALLOW);
    }
    give(p, otherwise);
}

/* If the call is socket: allowed only for these families, with the protocol that they mean. */
static void when_socket(struct program *p, bool is_unix)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 8);
    load(p, arg_low(2));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5);
    load(p, arg_low(0));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, is_unix ? AF_UNIX : AF_INET, 0, 1);
    give(p, SECCOMP_RET_ALLOW);
    give(p, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
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

static void connecting_body(struct program *p, const struct sandbox_want *want)
{
    for (size_t i = 0; i < sizeof(connecting_calls) / sizeof(connecting_calls[0]); i++)
        when(p, connecting_calls[i], SECCOMP_RET_ALLOW);
    when_socket(p, want->connects_unix);
    when_arg(p, SYS_sendmmsg, 3, MSG_FASTOPEN, 0, REFUSE);
    when_socket_options(p, connecting_options,
                        sizeof(connecting_options) / sizeof(connecting_options[0]),
                        SECCOMP_RET_ERRNO | ENOPROTOOPT);
}

/*
 * What only the sidecar may do: serve, read the files of its configuration again, and keep profiles
 * where there is a folder for them (which folder, only Landlock can tell).
 */
static void sidecar_body(struct program *p, const struct sandbox_want *want)
{
    bool keeps = want->write_paths_count > 0;
    uint32_t refused = keeps ? OPEN_ODD : OPEN_CHANGES;

    for (size_t i = 0; i < sizeof(sidecar_calls) / sizeof(sidecar_calls[0]); i++)
        when(p, sidecar_calls[i], SECCOMP_RET_ALLOW);
    if (want->connects || want->connects_unix)
        connecting_body(p, want);
    else
        when_socket_options(p, server_options, 1, REFUSE);
    when_one_of(p, SYS_ioctl, 1, ioctl_requests, sizeof(ioctl_requests) / sizeof(ioctl_requests[0]),
                SECCOMP_RET_ERRNO | ENOTTY);
    /* also where there is no Landlock: it has the rights of a user over his files */
    when_arg(p, SYS_openat, 2, refused, 0, SECCOMP_RET_ERRNO | EACCES);
#ifdef SYS_open
    when_arg(p, SYS_open, 1, refused, 0, SECCOMP_RET_ERRNO | EACCES);
#endif
    for (size_t i = 0; keeps && i < sizeof(keeper_calls) / sizeof(keeper_calls[0]); i++)
        when(p, keeper_calls[i], SECCOMP_RET_ALLOW);
}

static void sampler_body(struct program *p)
{
    when(p, SYS_ioctl, SECCOMP_RET_ERRNO | ENOTTY);
    when(p, SYS_openat, SECCOMP_RET_ERRNO | EACCES);
    when(p, SYS_newfstatat, SECCOMP_RET_ALLOW); /* fstat(2) of newer libcs */
}

static void body(struct program *p, const struct sandbox_want *want)
{
    for (size_t i = 0; i < sizeof(common_calls) / sizeof(common_calls[0]); i++)
        when(p, common_calls[i], SECCOMP_RET_ALLOW);
    when_signal_handler(p);
    /* libc may try to load a module for names where there is no Landlock to hide it */
    when_arg(p, SYS_mmap, 2, PROT_EXEC, 0, want->connects ? SECCOMP_RET_ERRNO | EACCES : REFUSE);
    when_arg(p, SYS_mprotect, 2, PROT_EXEC, 0, REFUSE);
    /* abort() signals itself and nobody else */
    when_arg(p, SYS_tgkill, 0, UINT32_MAX, (uint32_t)getpid(), REFUSE);
    when_arg(p, SYS_memfd_create, 1, ~MEMFD_FLAGS, 0, REFUSE);
    /* TCP Fast Open connects: a listener that was shut down becomes a client by it (tcp(7)) */
    when_arg(p, SYS_sendto, 3, MSG_FASTOPEN, 0, REFUSE);
    when_arg(p, SYS_sendmsg, 2, MSG_FASTOPEN, 0, REFUSE);
    when_one_of(p, SYS_fcntl, 1, fcntl_commands, sizeof(fcntl_commands) / sizeof(fcntl_commands[0]),
                REFUSE);
    if (want->role == SANDBOX_SIDECAR)
        sidecar_body(p, want);
    else
        sampler_body(p);
    /* tried by libraries, done without: io_uring (libuv >= 1.45), thread and kernel hints */
    when(p, SYS_io_uring_setup, SECCOMP_RET_ERRNO | ENOSYS);
    when(p, SYS_rseq, SECCOMP_RET_ERRNO | ENOSYS);
    when(p, SYS_sched_setattr, SECCOMP_RET_ERRNO | EPERM);
    when(p, SYS_sysinfo, SECCOMP_RET_ERRNO | ENOSYS);
#ifdef SYS_access
    when(p, SYS_access, SECCOMP_RET_ERRNO | EACCES);
#endif
    give(p, REFUSE);
}

int seccomp_enter(const struct sandbox_want *want)
{
#ifdef SECCOMP_ARCH
    struct program p = {.count = 0};
    struct sock_fprog prog;

    head(&p);
    body(&p, want);
    if (p.count > SECCOMP_MAX_INSNS)
        return -E2BIG;
    refused_report();
    prog = (struct sock_fprog){(unsigned short)p.count, p.insn};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) == 0)
        return (int)p.count;
    if (errno == ENOSYS)
        return 0;
    /* EINVAL: no filters in this kernel, or a mistake in ours; the kernel knows which */
    return errno == EINVAL && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 ? 0 : -errno;
#else
    (void)want;
    return 0;
#endif
}
