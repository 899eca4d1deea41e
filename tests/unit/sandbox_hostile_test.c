/*
 * Somebody who took the sampler or the sidecar over: what he can do next. The programs' own way
 * into the sandbox (confine_enter() with a configuration, as pillion-sidecar does it), and then the
 * attempts of the threat model in docs/sandbox.md, each in a process of its own.
 *
 * Beside it stands a process of the same user that would let itself be traced: the target as it is
 * in "restricted" mode, where sidecar and target have one uid. First that each attempt works
 * without the sandbox, so that the test proves something; then with all of it; then with one layer
 * alone, the other being a kernel that has none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "sidecar/confine.h"

enum {
    KILLED = -1,
    ALLOWED = 0,
    OTHER = 100, /* nothing is said about it; the errno values of an attempt lie below */
    BROKEN = 250,
    OLD_LANDLOCK = 444, /* landlock_create_ruleset(2): has one number everywhere */
    SCOPED_ABI = 6,     /* Landlock that knows signals and abstract sockets */
    NET_ABI = 4,
};

static pid_t victim;            /* of our uid, without capabilities, dumpable */
static char *secret;            /* in its memory, at this address in ours too */
static char folder[64];         /* of the sidecar's configuration */
static uint16_t listens, other; /* ports on 127.0.0.1 where somebody listens */
static char abstract[32];       /* name of a socket of the victim */
static int abstract_fd = -1, port_fds[2] = {-1, -1};

static int code(long r)
{
    return r < 0 ? errno : ALLOWED;
}

/* --- against the process beside us --- */

static int read_memory(void)
{
    char here[8] = "";
    struct iovec local = {here, sizeof(here)}, remote = {secret, sizeof(here)};

    return code(process_vm_readv(victim, &local, 1, &remote, 1, 0));
}

static int write_memory(void)
{
    char here[8] = "taken";
    struct iovec local = {here, sizeof(here)}, remote = {secret, sizeof(here)};

    return code(process_vm_writev(victim, &local, 1, &remote, 1, 0));
}

static int trace(void)
{
    return code(ptrace(PTRACE_SEIZE, victim, NULL, NULL));
}

static int send_signal(void)
{
    return code(kill(victim, SIGUSR1));
}

static int send_thread_signal(void)
{
    return code(syscall(SYS_tgkill, victim, victim, SIGUSR1));
}

static int queue_signal(void)
{
    siginfo_t info = {.si_code = SI_QUEUE};

    return code(syscall(SYS_rt_sigqueueinfo, victim, SIGUSR1, &info));
}

static int send_by_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, victim, 0);

    return fd < 0 ? errno : code(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
}

static int take_descriptor(void)
{
    int fd = (int)syscall(SYS_pidfd_open, victim, 0);

    return fd < 0 ? errno : code(syscall(SYS_pidfd_getfd, fd, 2, 0));
}

static int open_proc(const char *what, int flags)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)victim, what);
    return code(open(path, flags));
}

static int open_memory(void)
{
    return open_proc("mem", O_RDONLY);
}

static int open_environment(void)
{
    return open_proc("environ", O_RDONLY);
}

static int open_maps(void)
{
    return open_proc("maps", O_RDONLY);
}

static int open_program(void)
{
    return open_proc("exe", O_RDONLY);
}

static int open_root(void)
{
    return open_proc("root/etc/passwd", O_RDONLY);
}

static int other_limits(void)
{
    struct rlimit_pair {
        uint64_t cur, max;
    } none = {0, 0};

    return code(syscall(SYS_prlimit64, victim, 0 /* RLIMIT_CPU */, &none, NULL));
}

static int other_priority(void)
{
    return code(syscall(SYS_setpriority, 0 /* PRIO_PROCESS */, victim, 19));
}

static int other_perf(void)
{
    uint32_t attr[32] = {1 /* software */, sizeof(attr), 1 /* task clock */};

    attr[10] = 1 << 5 | 1 << 6; /* user time only, as an ordinary user may */
    return code(syscall(SYS_perf_event_open, attr, victim, -1, -1, 0));
}

/* --- kernel, files, network --- */

static int own_memory(void)
{
    return code(open("/proc/self/mem", O_RDWR));
}

static int own_environment(void)
{
    return code(open("/proc/self/environ", O_RDONLY));
}

static int foreign_file(void)
{
    return code(open("/etc/passwd", O_RDONLY));
}

static int foreign_file_write(void)
{
    return code(open("/tmp/pillion-sandbox-hostile", O_WRONLY | O_CREAT, 0600));
}

static int device(void)
{
    return code(open("/dev/null", O_RDWR));
}

static int execute(void)
{
    char *argv[] = {(char *)(uintptr_t) "true", NULL};

    return code(execve("/bin/true", argv, argv + 1));
}

static int fork_off(void)
{
    return code(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int fork_by_clone3(void)
{
    uint64_t args[8] = {0};

    args[4] = SIGCHLD;
    return code(syscall(SYS_clone3, args, sizeof(args)));
}

static int everybody(void)
{
    return code(kill(-1, 0));
}

static int group(void)
{
    return code(kill(0, 0));
}

static int own_signals(void)
{
    return code(fcntl(abstract_fd, F_SETOWN, victim));
}

static int async_input(void)
{
    return code(ioctl(abstract_fd, 0x8901 /* FIOSETOWN */, &victim));
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd < 0 ? errno : code(connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

static int connect_named(void)
{
    return connect_to(listens);
}

static int connect_other(void)
{
    return connect_to(other);
}

static int bind_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? errno : code(bind(fd, (struct sockaddr *)&at, sizeof(at)));
}

static int listen_somewhere(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? errno : code(listen(fd, 1)); /* binds by itself */
}

static int raw_socket(void)
{
    return code(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int packet_socket(void)
{
    return code(socket(AF_PACKET, SOCK_RAW, 0));
}

static int netlink_socket(void)
{
    return code(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
}

static int vsock(void)
{
    return code(socket(AF_VSOCK, SOCK_STREAM, 0));
}

static int mptcp(void)
{
    return code(socket(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP: not Landlock's TCP */));
}

static int algorithms(void)
{
    return code(socket(AF_ALG, SOCK_SEQPACKET, 0));
}

static int abstract_socket(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = strlen(abstract);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(to.sun_path + 1, abstract, n);
    if (fd < 0)
        return errno;
    return code(connect(fd, (struct sockaddr *)&to,
                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)));
}

static int write_and_execute(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : ALLOWED;
}

static int code_made_writable(void)
{
    uintptr_t page = (uintptr_t)&code & ~(uintptr_t)4095;

    return code(mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
}

static int shared_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return code(mprotect(p, 4096, PROT_EXEC));
}

static int memory_file(void)
{
    return code(memfd_create("x", 0x10 /* MFD_EXEC */));
}

static int memory_program(void)
{
    char *argv[] = {(char *)(uintptr_t) "x", NULL};
    int fd = memfd_create("x", MFD_CLOEXEC);

    return code(syscall(SYS_execveat, fd, "", argv, argv + 1, AT_EMPTY_PATH));
}

static int dumpable_again(void)
{
    return code(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int let_trace(void)
{
    return code(prctl(0x59616d61 /* PR_SET_PTRACER */, -1L, 0, 0, 0));
}

static int filter_again(void)
{
    return code(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
}

static int own_sigsys(void)
{
    return signal(SIGSYS, SIG_IGN) == SIG_ERR ? errno : ALLOWED;
}

static int landlock_again(void)
{
    return code(syscall(OLD_LANDLOCK, NULL, 0, 1u));
}

static int ring(void)
{
    char params[120] = {0};

    return code(syscall(SYS_io_uring_setup, 8, params));
}

static int ring_enter(void)
{
    return code(syscall(SYS_io_uring_enter, 0, 0, 0, 0, NULL, 0));
}

static int fault_handler(void)
{
    return code(syscall(SYS_userfaultfd, 1 /* user mode only */));
}

static int bpf(void)
{
    return code(syscall(SYS_bpf, 0, NULL, 0));
}

static int keys(void)
{
    return code(syscall(SYS_keyctl, 0, -3 /* the session's */, 0));
}

static int mount_something(void)
{
    return code(mount("none", "/mnt", "tmpfs", 0, NULL));
}

static int clone_tree(void)
{
    return code(syscall(428 /* open_tree */, AT_FDCWD, "/", 1));
}

static int unshare_user(void)
{
    return code(unshare(CLONE_NEWUSER | CLONE_NEWNET));
}

static int enter_namespace(void)
{
    return code(setns(abstract_fd, 0));
}

static int change_root(void)
{
    return code(chroot("/tmp"));
}

static int turn_root(void)
{
    return code(syscall(SYS_pivot_root, "/tmp", "/tmp"));
}

static int change_folder(void)
{
    return code(chdir("/"));
}

static int terminal_input(void)
{
    return code(ioctl(0, TIOCSTI, "x"));
}

static int terminal_selection(void)
{
    char sel[16] = {2};

    return code(ioctl(0, TIOCLINUX, sel));
}

static int take_terminal(void)
{
    return code(setsid());
}

static int kernel_log(void)
{
    return code(syscall(SYS_syslog, 10 /* size */, NULL, 0));
}

static int kernel_module(void)
{
    return code(syscall(SYS_init_module, NULL, 0, ""));
}

static int set_clock(void)
{
    return code(syscall(SYS_clock_settime, 0, NULL));
}

static int set_host(void)
{
    return code(sethostname("x", 1));
}

static int make_node(void)
{
    return code(mknodat(AT_FDCWD, "/tmp/pillion-node", 0020666, 0x103));
}

static int splice_in(void)
{
    return code(syscall(SYS_vmsplice, abstract_fd, NULL, 0, 0));
}

static int watch_files(void)
{
    return code(syscall(SYS_fanotify_init, 0, 0));
}

static int compare(void)
{
    return code(syscall(SYS_kcmp, getpid(), victim, 0, 0, 0));
}

/* --- the tables --- */

/*
 * What each does to a process of our own uid: without a sandbox it works, and Landlock alone
 * refuses it. bare: OTHER where kernels differ (Yama, perf_event_paranoid).
 */
static const struct against {
    const char *name;
    int (*run)(void);
    int bare, landlock;
    int needs_abi; /* for Landlock's answer */
} against[] = {
    {"process_vm_readv", read_memory, ALLOWED, EPERM, 1},
    {"process_vm_writev", write_memory, ALLOWED, EPERM, 1},
    {"ptrace", trace, ALLOWED, EPERM, 1},
    {"kill", send_signal, ALLOWED, EPERM, SCOPED_ABI},
    {"tgkill", send_thread_signal, ALLOWED, EPERM, SCOPED_ABI},
    {"rt_sigqueueinfo", queue_signal, ALLOWED, EPERM, SCOPED_ABI},
    {"pidfd_send_signal", send_by_pidfd, ALLOWED, EPERM, SCOPED_ABI},
    {"pidfd_getfd", take_descriptor, ALLOWED, EPERM, 1},
    {"/proc/PID/mem", open_memory, ALLOWED, EACCES, 1},
    {"/proc/PID/environ", open_environment, ALLOWED, EACCES, 1},
    {"/proc/PID/maps", open_maps, ALLOWED, EACCES, 1},
    {"/proc/PID/exe", open_program, ALLOWED, EACCES, 1},
    {"/proc/PID/root", open_root, ALLOWED, EACCES, 1},
    {"perf_event_open", other_perf, OTHER, EACCES, 1},
    {"setpriority", other_priority, ALLOWED, OTHER, 1},
    {"prlimit", other_limits, ALLOWED, OTHER, 1},
};

/* What whole sandboxes answer: sampler, a server alone, one that also connects. */
static const struct attempt {
    const char *name;
    int (*run)(void);
    int sampler, server, connects;
    int needs_abi; /* for an EACCES of the sidecar's */
} attempts[] = {
    {"/proc/self/mem", own_memory, EACCES, EACCES, EACCES, 0},
    {"/proc/self/environ", own_environment, EACCES, EACCES, EACCES, 1},
    {"a file outside", foreign_file, EACCES, EACCES, EACCES, 1},
    {"a new file outside", foreign_file_write, EACCES, EACCES, EACCES, 0},
    {"a device", device, EACCES, EACCES, EACCES, 0},
    {"exec", execute, KILLED, KILLED, KILLED, 0},
    {"fork", fork_off, KILLED, KILLED, KILLED, 0},
    {"clone3", fork_by_clone3, KILLED, KILLED, KILLED, 0},
    {"kill everybody", everybody, KILLED, KILLED, KILLED, 0},
    {"kill the group", group, KILLED, KILLED, KILLED, 0},
    {"F_SETOWN", own_signals, KILLED, KILLED, KILLED, 0},
    {"FIOSETOWN", async_input, ENOTTY, ENOTTY, ENOTTY, 0},
    {"connect to what is named", connect_named, KILLED, KILLED, ALLOWED, 0},
    {"connect to what is not", connect_other, KILLED, KILLED, EACCES, NET_ABI},
    {"bind", bind_port, KILLED, KILLED, KILLED, 0},
    {"listen", listen_somewhere, KILLED, KILLED, KILLED, 0},
    {"raw socket", raw_socket, KILLED, KILLED, EAFNOSUPPORT, 0},
    {"packet socket", packet_socket, KILLED, KILLED, EAFNOSUPPORT, 0},
    {"netlink", netlink_socket, KILLED, KILLED, EAFNOSUPPORT, 0},
    {"vsock", vsock, KILLED, KILLED, EAFNOSUPPORT, 0},
    {"MPTCP", mptcp, KILLED, KILLED, EAFNOSUPPORT, 0},
    {"AF_ALG", algorithms, KILLED, KILLED, EAFNOSUPPORT, 0},
    {"abstract socket", abstract_socket, KILLED, KILLED, EAFNOSUPPORT, 0},
    {"W+X memory", write_and_execute, KILLED, KILLED, EACCES, 0},
    {"code made writable", code_made_writable, KILLED, KILLED, KILLED, 0},
    {"data made code", shared_code, KILLED, KILLED, KILLED, 0},
    {"memfd to execute", memory_file, KILLED, KILLED, KILLED, 0},
    {"execveat of memory", memory_program, KILLED, KILLED, KILLED, 0},
    {"PR_SET_DUMPABLE", dumpable_again, KILLED, KILLED, KILLED, 0},
    {"PR_SET_PTRACER", let_trace, KILLED, KILLED, KILLED, 0},
    {"PR_SET_SECCOMP", filter_again, KILLED, KILLED, KILLED, 0},
    {"SIGSYS taken", own_sigsys, KILLED, KILLED, KILLED, 0},
    {"landlock_create_ruleset", landlock_again, KILLED, KILLED, KILLED, 0},
    {"io_uring_setup", ring, ENOSYS, ENOSYS, ENOSYS, 0},
    {"io_uring_enter", ring_enter, KILLED, KILLED, KILLED, 0},
    {"userfaultfd", fault_handler, KILLED, KILLED, KILLED, 0},
    {"bpf", bpf, KILLED, KILLED, KILLED, 0},
    {"keyctl", keys, KILLED, KILLED, KILLED, 0},
    {"mount", mount_something, KILLED, KILLED, KILLED, 0},
    {"open_tree", clone_tree, KILLED, KILLED, KILLED, 0},
    {"unshare", unshare_user, KILLED, KILLED, KILLED, 0},
    {"setns", enter_namespace, KILLED, KILLED, KILLED, 0},
    {"chroot", change_root, KILLED, KILLED, KILLED, 0},
    {"pivot_root", turn_root, KILLED, KILLED, KILLED, 0},
    {"chdir", change_folder, KILLED, KILLED, KILLED, 0},
    {"TIOCSTI", terminal_input, ENOTTY, ENOTTY, ENOTTY, 0},
    {"TIOCLINUX", terminal_selection, ENOTTY, ENOTTY, ENOTTY, 0},
    {"setsid", take_terminal, KILLED, KILLED, KILLED, 0},
    {"syslog", kernel_log, KILLED, KILLED, KILLED, 0},
    {"init_module", kernel_module, KILLED, KILLED, KILLED, 0},
    {"clock_settime", set_clock, KILLED, KILLED, KILLED, 0},
    {"sethostname", set_host, KILLED, KILLED, KILLED, 0},
    {"mknod", make_node, KILLED, KILLED, KILLED, 0},
    {"vmsplice", splice_in, KILLED, KILLED, KILLED, 0},
    {"fanotify", watch_files, KILLED, KILLED, KILLED, 0},
    {"kcmp", compare, KILLED, KILLED, KILLED, 0},
};

/* --- the ways in --- */

static char server_yaml[] = "{}";
static char connects_yaml[128];

static int enter_sidecar(const char *yaml)
{
    struct config *c = calloc(1, sizeof(*c));
    struct err e = {0};
    int r = c ? config_parse(c, "/x/c.yaml", yaml, strlen(yaml), &e) : -ENOMEM;

    if (r == 0) {
        (void)snprintf(c->path, sizeof(c->path), "%s/pillion.yaml", folder);
        r = confine_enter(c, &e);
    }
    if (r)
        (void)fprintf(stderr, "%s\n", e.text);
    return r;
}

static int enter_server(void)
{
    return enter_sidecar(server_yaml);
}

static int enter_connects(void)
{
    return enter_sidecar(connects_yaml);
}

static int enter_sampler(void)
{
    struct sandbox_want want = {.role = SANDBOX_SAMPLER, .nofile = 64};
    struct err e = {0};

    return sandbox_enter(&want, NULL, &e);
}

static int enter_nothing(void)
{
    return 0;
}

/* From here on this call fails with ENOSYS, as in a kernel that has not got it. */
static void forbid(int nr)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        _exit(BROKEN);
}

/* An ordinary user's process, whoever runs the test. */
static void become_ordinary(void)
{
    if (geteuid() == 0 && (setgid(SANDBOX_UID) != 0 || setuid(SANDBOX_UID) != 0))
        _exit(BROKEN);
}

/* KILLED, or the exit code of ${run} in a process that has gone that way. */
static int outcome(int (*enter)(void), int without, int (*run)(void))
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)alarm(20);
        become_ordinary();
        if (without)
            forbid(without);
        if (enter() != 0)
            _exit(BROKEN);
        _exit(run());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : BROKEN + 1;
    return WEXITSTATUS(status);
}

static int landlock_abi(void)
{
    long abi = syscall(OLD_LANDLOCK, NULL, 0, 1u);

    return abi < 0 ? 0 : (int)abi;
}

/* --- the tests --- */

static void start_victim(void)
{
    int pipes[2];
    char c;

    assert_int_equal(pipe(pipes), 0);
    victim = fork();
    assert_true(victim >= 0);
    if (victim == 0) {
        become_ordinary();
        (void)signal(SIGUSR1, SIG_IGN);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* what setuid(2) has taken */
        (void)write(pipes[1], "x", 1);
        for (;;)
            (void)pause();
    }
    (void)close(pipes[1]);
    assert_int_equal(read(pipes[0], &c, 1), 1);
    (void)close(pipes[0]);
}

static int listen_on(uint16_t *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static int prepare(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    (void)state;
    secret = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)snprintf(folder, sizeof(folder), "/tmp/pillion-hostile-XXXXXX");
    if (secret == MAP_FAILED || !mkdtemp(folder))
        return -1;
    port_fds[0] = listen_on(&listens);
    port_fds[1] = listen_on(&other);
    (void)snprintf(abstract, sizeof(abstract), "pillion-hostile-%d", (int)getpid());
    memcpy(at.sun_path + 1, abstract, strlen(abstract));
    abstract_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(abstract_fd, (struct sockaddr *)&at,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract))) != 0 ||
        listen(abstract_fd, 64) != 0)
        return -1;
    (void)snprintf(connects_yaml, sizeof(connects_yaml),
                   "forward: [{name: a, type: parca, url: 'http://127.0.0.1:%u'}]", listens);
    start_victim();
    return 0;
}

static int clean(void **state)
{
    (void)state;
    (void)kill(victim, SIGKILL);
    (void)waitpid(victim, NULL, 0);
    (void)close(abstract_fd);
    (void)close(port_fds[0]);
    (void)close(port_fds[1]);
    return rmdir(folder);
}

static unsigned differs(const char *way, const char *name, int got, int wants)
{
    if (got == wants || wants == OTHER)
        return 0;
    print_error("%s: %s: %d instead of %d\n", way, name, got, wants);
    return 1;
}

/* The control: a process of the same uid can do all of this. One that traces must be the last. */
static void without_a_sandbox(void **state)
{
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(against) / sizeof(against[0]); i++) {
        int got = outcome(enter_nothing, 0, against[i].run);

        /* Yama (ptrace_scope) refuses what looks into another process; then there is less to
         * prove, and what follows must hold all the same */
        if (got == EPERM && against[i].bare == ALLOWED)
            continue;
        wrong += differs("no sandbox", against[i].name, got, against[i].bare);
    }
    assert_int_equal(wrong, 0);
}

/* Seccomp missing: Landlock keeps the processes outside out of reach. */
static void landlock_alone(void **state)
{
    unsigned wrong = 0;
    int abi = landlock_abi();

    (void)state;
    if (abi == 0)
        skip();
    for (size_t i = 0; i < sizeof(against) / sizeof(against[0]); i++) {
        int wants = abi < against[i].needs_abi ? OTHER : against[i].landlock;

        wrong += differs("Landlock alone, sidecar", against[i].name,
                         outcome(enter_server, SYS_seccomp, against[i].run), wants);
        wrong += differs("Landlock alone, sampler", against[i].name,
                         outcome(enter_sampler, SYS_seccomp, against[i].run), wants);
    }
    if (abi >= SCOPED_ABI)
        wrong += differs("Landlock alone", "abstract socket",
                         outcome(enter_server, SYS_seccomp, abstract_socket), EPERM);
    if (abi >= NET_ABI) {
        wrong += differs("Landlock alone", "connect",
                         outcome(enter_server, SYS_seccomp, connect_named), EACCES);
        wrong += differs("Landlock alone", "bind", outcome(enter_server, SYS_seccomp, bind_port),
                         EACCES);
    }
    assert_int_equal(wrong, 0);
}

/* Landlock missing: the calls are not there. Reading files as this user remains, and only that. */
static void seccomp_alone(void **state)
{
    int (*const ways[])(void) = {enter_sampler, enter_server, enter_connects};
    unsigned wrong = 0;

    (void)state;
    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        for (size_t i = 0; i < sizeof(against) / sizeof(against[0]); i++) {
            bool is_file = against[i].landlock == EACCES && against[i].run != other_perf;
            int wants = !is_file ? KILLED : ways[w] == enter_sampler ? EACCES : OTHER;

#ifdef SANDBOX_SANITIZED
            if (against[i].run == other_limits) /* its runtime asks for limits */
                continue;
#endif
            wrong += differs("seccomp alone", against[i].name,
                             outcome(ways[w], OLD_LANDLOCK, against[i].run), wants);
        }
    }
    assert_int_equal(wrong, 0);
}

static bool runtime_needs(const struct attempt *a)
{
#ifdef SANDBOX_SANITIZED
    return a->run == dumpable_again || a->run == let_trace || a->run == filter_again;
#else
    (void)a;
    return false;
#endif
}

static void everything(void **state)
{
    unsigned wrong = 0;
    int abi = landlock_abi();

    (void)state;
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        const struct attempt *a = &attempts[i];
        bool less = abi < a->needs_abi;

        if (runtime_needs(a))
            continue;
        wrong += differs("sampler", a->name, outcome(enter_sampler, 0, a->run), a->sampler);
        wrong += differs("server", a->name, outcome(enter_server, 0, a->run),
                         less && a->server == EACCES ? OTHER : a->server);
        wrong += differs("connects", a->name, outcome(enter_connects, 0, a->run),
                         less && a->connects == EACCES ? OTHER : a->connects);
    }
    for (size_t i = 0; i < sizeof(against) / sizeof(against[0]); i++) {
        bool is_file = against[i].landlock == EACCES && against[i].run != other_perf;
        int wants = !is_file ? KILLED : abi ? EACCES : OTHER;

#ifdef SANDBOX_SANITIZED
        if (against[i].run == other_limits)
            continue;
#endif
        wrong +=
            differs("server", against[i].name, outcome(enter_server, 0, against[i].run), wants);
        wrong +=
            differs("connects", against[i].name, outcome(enter_connects, 0, against[i].run), wants);
    }
    assert_int_equal(wrong, 0);
}

/* The last line of one that is refused, from ${run} in that way. */
static void last_words(int (*enter)(void), int (*run)(void), char *ret, size_t bytes)
{
    int fds[2];
    pid_t pid;
    size_t n = 0;
    ssize_t got;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        become_ordinary();
        log_setup("test", LOG_LEVEL_ERROR, LOG_FORMAT_JSON);
        if (dup2(fds[1], STDERR_FILENO) < 0 || enter() != 0)
            _exit(BROKEN);
        _exit(run());
    }
    (void)close(fds[1]);
    while (n + 1 < bytes && (got = read(fds[0], ret + n, bytes - 1 - n)) > 0)
        n += (size_t)got;
    ret[n] = '\0';
    (void)close(fds[0]);
    (void)waitpid(pid, NULL, 0);
}

static int no_such_call(void)
{
    return code(syscall(4000));
}

/* SIGSYS blocked: the kernel ends it all the same, without a word. */
static int blocked_signal(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    return execute();
}

static void the_call_is_named(void **state)
{
    static const struct {
        int (*run)(void);
        const char *call;
    } rows[] = {{execute, "execve"},    {trace, "ptrace"},         {bind_port, "socket"},
                {bpf, "bpf"},           {everybody, "kill"},       {shared_code, "mprotect"},
                {own_signals, "fcntl"}, {no_such_call, "? (4000)"}};
    char text[1024];
    char wants[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(wants, sizeof(wants), "\"call\":\"%s", rows[i].call);
        last_words(enter_sampler, rows[i].run, text, sizeof(text));
        assert_non_null(strstr(text, "system call refused"));
        assert_non_null(strstr(text, wants));
        last_words(enter_server, rows[i].run, text, sizeof(text));
        assert_non_null(strstr(text, wants));
    }
    assert_int_equal(outcome(enter_server, 0, blocked_signal), KILLED);
    assert_int_equal(outcome(enter_sampler, 0, no_such_call), KILLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_sandbox), cmocka_unit_test(landlock_alone),
        cmocka_unit_test(seccomp_alone),     cmocka_unit_test(everything),
        cmocka_unit_test(the_call_is_named),
    };

    return cmocka_run_group_tests(tests, prepare, clean);
}
