/*
 * base/{sandbox,landlock,seccomp}.c from the inside: each attempt runs in a process of its own that
 * has entered a role, and tries what somebody who took the program over would try next.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sandbox.h"

#ifdef SANDBOX_SANITIZED
#    define UNDER_ASAN 1
#else
#    define UNDER_ASAN 0
#endif

enum {
    KILLED = -1, /* by the filter */
    ALLOWED = 0,
    OTHER = 100, /* exit codes of an attempt: errno values lie below */
    BROKEN = 250,
};

static char folder[64], file[96];
static pid_t parent;
static int listener = -1, pair[2] = {-1, -1};

/* --- attempts: 0 or the errno --- */

static int code(long r)
{
    return r < 0 ? errno : ALLOWED;
}

static int open_passwd(void)
{
    return code(open("/etc/passwd", O_RDONLY));
}

static int open_granted(void)
{
    return code(open(file, O_RDONLY));
}

static int open_granted_to_write(void)
{
    return code(open(file, O_RDWR));
}

static int create(void)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/new", folder);
    return code(open(path, O_RDONLY | O_CREAT, 0600));
}

static int truncate_granted(void)
{
    return code(open(file, O_RDONLY | O_TRUNC));
}

static int nameless_file(void)
{
    return code(open(folder, O_RDWR | O_TMPFILE, 0600));
}

static int open_with_openat2(void)
{
    uint64_t how[3] = {O_RDONLY, 0, 0};

    return code(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how)));
}

static int make_socket(void)
{
    return code(socket(AF_INET, SOCK_STREAM, 0));
}

static int make_pair(void)
{
    int fds[2];

    return code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
}

static int connect_out(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};

    return code(connect(pair[0], (struct sockaddr *)&to, sizeof(to)));
}

/* A listener that is shut down can be connected by sending: TCP Fast Open, tcp(7). */
static int connect_by_sending(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)shutdown(listener, SHUT_RDWR);
    return code(
        sendto(listener, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to)));
}

static int connect_by_message(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct iovec iov = {(void *)(uintptr_t) "x", 1};
    struct msghdr m = {
        .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1};

    return code(sendmsg(listener, &m, MSG_FASTOPEN | MSG_NOSIGNAL));
}

static int plain_send(void)
{
    return code(sendto(pair[0], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0));
}

static int socket_filter(void)
{
    struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
    struct sock_fprog program = {1, &all};

    return code(setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
}

static int tcp_option(void)
{
    return code(setsockopt(listener, IPPROTO_TCP, 31 /* TCP_ULP: loads modules */, "tls", 4));
}

static int send_buffer(void)
{
    return code(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int)));
}

static int fork_off(void)
{
    return code(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int start_thread(void)
{
    return code(syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0));
}

static int execute(void)
{
    return code(execl("/bin/true", "true", (char *)NULL));
}

static int execute_memory(void)
{
    char *nothing[] = {NULL};
    int fd = memfd_create("x", MFD_CLOEXEC);

    return code(syscall(SYS_execveat, fd, "", nothing, nothing, AT_EMPTY_PATH));
}

static int trace(void)
{
    return code(syscall(SYS_ptrace, 0x4206 /* SEIZE */, parent, 0, 0));
}

static int read_memory(void)
{
    char here[8];
    struct iovec local = {here, 8}, remote = {here, 8};

    return code(process_vm_readv(parent, &local, 1, &remote, 1, 0));
}

static int write_memory(void)
{
    char here[8] = "";
    struct iovec local = {here, 8}, remote = {here, 8};

    return code(process_vm_writev(parent, &local, 1, &remote, 1, 0));
}

static int open_by_handle(void)
{
    uint32_t handle[8] = {0};

    return code(syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY));
}

static int signal_parent(void)
{
    return code(kill(parent, 0));
}

static int signal_parent_thread(void)
{
    return code(syscall(SYS_tgkill, parent, parent, 0));
}

static int signal_ourselves(void)
{
    return code(syscall(SYS_tgkill, getpid(), getpid(), 0));
}

static int signal_by_tid(void)
{
    return code(syscall(SYS_tkill, parent, 0));
}

static int hold_parent(void)
{
    return code(syscall(SYS_pidfd_open, parent, 0));
}

/* Input on a socket would signal its owner: fcntl(2), F_SETOWN and F_SETSIG. */
static int own_for_parent(void)
{
    return code(fcntl(pair[0], F_SETOWN, parent));
}

static int signal_on_input(void)
{
    return code(fcntl(pair[0], F_SETSIG, SIGKILL));
}

static int lease(void)
{
    return code(fcntl(pair[0], F_SETLEASE, F_RDLCK));
}

static int non_blocking(void)
{
    return code(fcntl(pair[0], F_SETFL, O_NONBLOCK));
}

static int executable_memory(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : ALLOWED;
}

static int made_executable(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return code(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int made_executable_by_key(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return code(syscall(SYS_pkey_mprotect, p, 4096, PROT_READ | PROT_EXEC, -1));
}

static int plain_memory(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : code(mprotect(p, 4096, PROT_READ));
}

static int huge_memfd(void)
{
    return code(memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
}

static int memfd(void)
{
    return code(memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

static int fill_memory(void)
{
    void *p = mmap(NULL, (size_t)(SANDBOX_ADDRESS_GIB + 1) << 30, PROT_READ,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? errno : ALLOWED;
}

static int become_dumpable(void)
{
    return code(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int ring(void)
{
    char params[120] = {0};

    return code(syscall(SYS_io_uring_setup, 8, params));
}

static int fault_handler(void)
{
    return code(syscall(SYS_userfaultfd, 0));
}

static int type_on_terminal(void)
{
    return code(ioctl(0, TIOCSTI, "x"));
}

static int perf(void)
{
    char attr[128] = {0};

    return code(syscall(SYS_perf_event_open, attr, 0, -1, -1, 0));
}

static int bpf(void)
{
    return code(syscall(SYS_bpf, 0, NULL, 0));
}

static int new_namespace(void)
{
    return code(unshare(CLONE_NEWUSER));
}

static int raise_limits(void)
{
    struct rlimit no = {RLIM_INFINITY, RLIM_INFINITY};

    return code(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &no, NULL));
}

static int delete_file(void)
{
    return code(unlinkat(AT_FDCWD, file, 0));
}

static int rename_file(void)
{
    return code(syscall(SYS_renameat2, AT_FDCWD, file, AT_FDCWD, file, 0));
}

static int change_mode(void)
{
    return code(fchmodat(AT_FDCWD, file, 0777, 0));
}

static int change_user(void)
{
    return code(setuid(0));
}

static int add_key(void)
{
    return code(syscall(SYS_add_key, "user", "x", "x", 1, -1));
}

#if defined(__x86_64__)
static int x32_call(void)
{
    return code(syscall(0x40000000 + SYS_getpid));
}

static int call_of_32_bit(void)
{
    long r = 20; /* getpid */

    __asm__ volatile("int $0x80" : "+a"(r)::"memory", "r8", "r9", "r10", "r11");
    return r < 0 ? (int)-r : ALLOWED;
}
#endif

/* --- the table --- */

/* In an ASan build the runtime needs calls of its own, which are no loss there. */
#define BUT_ASAN (UNDER_ASAN ? OTHER : KILLED)

static const struct attempt {
    const char *name;
    int (*run)(void);
    int sampler, sidecar; /* KILLED, an errno, ALLOWED, OTHER: nothing is said about it */
    bool needs_landlock;  /* for the sidecar's answer */
} attempts[] = {
    {"open a file", open_passwd, EACCES, EACCES, true},
    {"open a granted file", open_granted, EACCES, ALLOWED, false},
    {"write a granted file", open_granted_to_write, EACCES, EACCES, false},
    {"create", create, EACCES, EACCES, false},
    {"truncate", truncate_granted, EACCES, EACCES, false},
    {"nameless file", nameless_file, EACCES, EACCES, false},
    {"openat2", open_with_openat2, KILLED, KILLED, false},
    {"open_by_handle_at", open_by_handle, KILLED, KILLED, false},
    {"unlink", delete_file, KILLED, KILLED, false},
    {"rename", rename_file, KILLED, KILLED, false},
    {"chmod", change_mode, KILLED, KILLED, false},
    {"socket", make_socket, KILLED, KILLED, false},
    {"socketpair", make_pair, KILLED, KILLED, false},
    {"connect", connect_out, KILLED, KILLED, false},
    {"connect by sendto", connect_by_sending, KILLED, KILLED, false},
    {"connect by sendmsg", connect_by_message, KILLED, KILLED, false},
    {"send", plain_send, ALLOWED, ALLOWED, false},
    {"socket filter", socket_filter, KILLED, KILLED, false},
    {"TCP_ULP", tcp_option, KILLED, KILLED, false},
    {"SO_SNDBUF", send_buffer, KILLED, ALLOWED, false},
    {"fork", fork_off, KILLED, KILLED, false},
    {"thread", start_thread, KILLED, KILLED, false},
    {"exec", execute, KILLED, KILLED, false},
    {"exec of memory", execute_memory, KILLED, KILLED, false},
    {"ptrace", trace, KILLED, KILLED, false},
    {"process_vm_readv", read_memory, KILLED, KILLED, false},
    {"process_vm_writev", write_memory, KILLED, KILLED, false},
    {"kill", signal_parent, KILLED, KILLED, false},
    {"tgkill of another", signal_parent_thread, KILLED, KILLED, false},
    {"tgkill of ourselves", signal_ourselves, ALLOWED, ALLOWED, false},
    {"tkill", signal_by_tid, KILLED, KILLED, false},
    {"pidfd_open", hold_parent, KILLED, KILLED, false},
    {"F_SETOWN", own_for_parent, KILLED, KILLED, false},
    {"F_SETSIG", signal_on_input, KILLED, KILLED, false},
    {"F_SETLEASE", lease, KILLED, KILLED, false},
    {"O_NONBLOCK", non_blocking, ALLOWED, ALLOWED, false},
    {"mmap PROT_EXEC", executable_memory, KILLED, KILLED, false},
    {"mprotect PROT_EXEC", made_executable, KILLED, KILLED, false},
    {"pkey_mprotect", made_executable_by_key, KILLED, KILLED, false},
    {"mmap", plain_memory, ALLOWED, ALLOWED, false},
    {"5 GiB", fill_memory, UNDER_ASAN ? OTHER : ENOMEM, UNDER_ASAN ? OTHER : ENOMEM, false},
    {"memfd of huge pages", huge_memfd, KILLED, KILLED, false},
    {"memfd", memfd, ALLOWED, ALLOWED, false},
    {"PR_SET_DUMPABLE", become_dumpable, BUT_ASAN, BUT_ASAN, false},
    {"io_uring", ring, ENOSYS, ENOSYS, false},
    {"userfaultfd", fault_handler, KILLED, KILLED, false},
    {"TIOCSTI", type_on_terminal, ENOTTY, ENOTTY, false},
    {"perf_event_open", perf, KILLED, KILLED, false},
    {"bpf", bpf, KILLED, KILLED, false},
    {"unshare", new_namespace, KILLED, KILLED, false},
    {"prlimit", raise_limits, BUT_ASAN, BUT_ASAN, false},
    {"setuid", change_user, KILLED, KILLED, false},
    {"add_key", add_key, KILLED, KILLED, false},
#if defined(__x86_64__)
    {"x32", x32_call, KILLED, KILLED, false},
    {"32 bit", call_of_32_bit, KILLED, KILLED, false},
#endif
};

static struct sandbox_want want_of(enum sandbox_role role)
{
    struct sandbox_want want = {.role = role, .nofile = 64};

    if (role == SANDBOX_SIDECAR) {
        want.allow = landlock_allow_paths;
        want.read_paths[0] = folder;
        want.read_paths_count = 1;
    }
    return want;
}

/* What became of it: KILLED, or its exit code. */
static int run_in(enum sandbox_role role, int (*run)(void), struct sandbox_state *ret)
{
    struct sandbox_want want = want_of(role);
    struct err e = {0};
    int fds[2];
    int status;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox_state state = {0};

        if (sandbox_enter(&want, &state, &e) != 0) {
            (void)fprintf(stderr, "%s\n", e.text);
            _exit(BROKEN);
        }
        if (write(fds[1], &state, sizeof(state)) != (ssize_t)sizeof(state))
            _exit(BROKEN);
        _exit(run ? run() : 0);
    }
    (void)close(fds[1]);
    if (ret && read(fds[0], ret, sizeof(*ret)) != (ssize_t)sizeof(*ret))
        memset(ret, 0, sizeof(*ret));
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? KILLED
           : WIFSIGNALED(status)                             ? BROKEN + 1
                                                             : WEXITSTATUS(status);
}

static void try_all(enum sandbox_role role)
{
    struct sandbox_state s;
    unsigned wrong = 0;

    assert_int_equal(run_in(role, NULL, &s), 0);
    if (s.seccomp == 0)
        skip();
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        const struct attempt *a = &attempts[i];
        int wants = role == SANDBOX_SAMPLER ? a->sampler : a->sidecar;
        int got;

        if (wants == OTHER || (role == SANDBOX_SIDECAR && a->needs_landlock && !s.landlock_abi))
            continue;
        got = run_in(role, a->run, NULL);
        if (got != wants) {
            print_error("%s: %d instead of %d\n", a->name, got, wants);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void the_sampler(void **state)
{
    (void)state;
    try_all(SANDBOX_SAMPLER);
}

static void the_sidecar(void **state)
{
    (void)state;
    try_all(SANDBOX_SIDECAR);
}

/* --- what is left --- */

static int show_limits(void)
{
    struct rlimit core, processes, files;

    (void)getrlimit(RLIMIT_CORE, &core);
    (void)getrlimit(RLIMIT_NPROC, &processes);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    if (core.rlim_max || files.rlim_max > 64 || files.rlim_cur != files.rlim_max)
        return 1;
    return processes.rlim_max && !prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) ? 2 : 0;
}

/* The guard has no filter, so it can be asked; the others are asked by sandbox_state. */
static void what_is_left(void **state)
{
    struct sandbox_state s;

    (void)state;
    assert_int_equal(run_in(SANDBOX_GUARD, show_limits, &s), 0);
    assert_true(s.no_new_privs && !s.dumpable && s.caps == 0 && s.starts_programs);
    assert_int_equal(run_in(SANDBOX_SAMPLER, NULL, &s), 0);
    assert_true(s.no_new_privs && !s.dumpable && s.caps == 0 && !s.starts_programs);
}

/* --- kernels that have less --- */

/* From here on this call fails with that errno. */
static void forbid(int nr, int err)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        _exit(BROKEN);
}

/* Runs in a process of its own: enter with calls missing; which layers came to be? */
static int layers_without(int nr, int err)
{
    struct sandbox_want want = want_of(SANDBOX_SIDECAR);
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct sandbox_state s = {0};
        struct err e = {0};

        forbid(nr, err);
        if (sandbox_enter(&want, &s, &e) != 0)
            _exit(BROKEN);
        _exit((s.landlock_abi ? 1 : 0) | (s.seccomp ? 2 : 0));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void kernels_that_have_less(void **state)
{
    struct sandbox_state s;
    int all;

    (void)state;
    assert_int_equal(run_in(SANDBOX_SIDECAR, NULL, &s), 0);
    all = (s.landlock_abi ? 1 : 0) | (s.seccomp ? 2 : 0);
    assert_int_equal(layers_without(444 /* landlock_create_ruleset */, ENOSYS), all & 2);
    assert_int_equal(layers_without(444, EOPNOTSUPP), all & 2); /* switched off at boot */
    assert_int_equal(layers_without(444, EPERM), all & 2);      /* by a runtime's old profile */
    assert_int_equal(layers_without(SYS_seccomp, ENOSYS), all & 1);
    /* a filter that the kernel does not take is our mistake, and no reason to go on without */
    assert_int_equal(layers_without(SYS_seccomp, EINVAL), BROKEN);
    assert_int_equal(layers_without(446 /* landlock_restrict_self */, E2BIG), all & 1 ? BROKEN : 2);
}

static int prepare(void **state)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd;

    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/pillion-sandbox-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(file, sizeof(file), "%s/file", folder);
    fd = open(file, O_WRONLY | O_CREAT, 0600);
    (void)close(fd);
    parent = getpid();
    listener = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 || bind(listener, (struct sockaddr *)&any, sizeof(any)) != 0 ||
                   listen(listener, 1) != 0 ||
                   socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0
               ? -1
               : 0;
}

static int clean(void **state)
{
    (void)state;
    (void)unlink(file);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sampler),
        cmocka_unit_test(the_sidecar),
        cmocka_unit_test(what_is_left),
        cmocka_unit_test(kernels_that_have_less),
    };

    return cmocka_run_group_tests(tests, prepare, clean);
}
