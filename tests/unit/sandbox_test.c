/*
 * base/{sandbox,landlock,seccomp}.c from the inside: each attempt runs in a process of its own that
 * has entered a role, and tries what somebody who took the program over would try next.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
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
static char kept[96], kept_file[128]; /* a folder that may be written to, and a file in it */
static bool keeps;                    /* the next attempts have it, and a thread */
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

/* --- attempts of one that keeps files --- */

static int beneath(const char *name, char *out, size_t bytes)
{
    return snprintf(out, bytes, "%s/%s", kept, name) < (int)bytes ? 0 : -1;
}

static int make_kept(void)
{
    char path[160];

    (void)beneath("new", path, sizeof(path));
    return code(open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
}

static int sync_kept(void)
{
    int fd = open(kept_file, O_WRONLY);

    return fd < 0 ? errno : code(fsync(fd));
}

static int folder_kept(void)
{
    char path[160];

    (void)beneath("folder", path, sizeof(path));
    return code(mkdirat(AT_FDCWD, path, 0700));
}

/* Into another folder: what the spool is made of. */
static int link_kept(void)
{
    char path[160];

    (void)beneath("folder/link", path, sizeof(path));
    return code(linkat(AT_FDCWD, kept_file, AT_FDCWD, path, 0));
}

static int rename_kept(void)
{
    char from[160], to[160];

    (void)beneath("folder/link", from, sizeof(from));
    (void)beneath("renamed", to, sizeof(to));
    return code(renameat(AT_FDCWD, from, AT_FDCWD, to));
}

static int unlink_kept(void)
{
    char path[160];

    (void)beneath("renamed", path, sizeof(path));
    return code(unlinkat(AT_FDCWD, path, 0));
}

static int link_out(void)
{
    char path[160];

    (void)snprintf(path, sizeof(path), "%s/out", folder);
    return linkat(AT_FDCWD, kept_file, AT_FDCWD, path, 0) == 0 ? ALLOWED : EACCES;
}

static int special_file(void)
{
    char path[160];

    (void)beneath("fifo", path, sizeof(path));
    return code(mknodat(AT_FDCWD, path, S_IFIFO | 0600, 0));
}

static int symbolic_link(void)
{
    char path[160];

    (void)beneath("symlink", path, sizeof(path));
    return code(symlinkat("/etc/passwd", AT_FDCWD, path));
}

static int nameless_kept(void)
{
    return code(open(kept, O_RDWR | O_TMPFILE, 0600));
}

static int truncate_kept(void)
{
    return code(open(kept_file, O_WRONLY | O_TRUNC));
}

static pthread_barrier_t gate;
static pthread_t worker;
static int (*work)(void);

static void *at_work(void *data)
{
    (void)pthread_barrier_wait(&gate); /* begun */
    (void)pthread_barrier_wait(&gate); /* now */
    *(int *)data = work ? work() : 0;
    return NULL;
}

static int worker_says;

/* Begun, not only made: what libc does at a thread's start would end it under the filter. */
static int one_thread(void)
{
    if (pthread_barrier_init(&gate, NULL, 2) != 0 ||
        pthread_create(&worker, NULL, at_work, &worker_says) != 0)
        return -EAGAIN;
    (void)pthread_barrier_wait(&gate);
    return 0;
}

/* The thread was there before the filter, and has it all the same, and Landlock's rules. */
static int in_thread(int (*what)(void))
{
    work = what;
    (void)pthread_barrier_wait(&gate);
    (void)pthread_join(worker, NULL);
    return worker_says;
}

static int thread_opens_passwd(void)
{
    return in_thread(open_passwd);
}

static int thread_keeps(void)
{
    return in_thread(sync_kept);
}

static int thread_socket(void)
{
    return in_thread(make_socket);
}

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

/* In this order: some build upon those before. */
static const struct attempt keeper[] = {
    {"create", make_kept, OTHER, ALLOWED, false},
    {"fsync", sync_kept, OTHER, ALLOWED, false},
    {"mkdir", folder_kept, OTHER, ALLOWED, false},
    {"link", link_kept, OTHER, ALLOWED, false},
    {"rename", rename_kept, OTHER, ALLOWED, false},
    {"unlink", unlink_kept, OTHER, ALLOWED, false},
    {"create elsewhere", create, OTHER, EACCES, true},
    {"write a file that may be read", open_granted_to_write, OTHER, EACCES, true},
    {"unlink elsewhere", delete_file, OTHER, EACCES, true},
    {"link to elsewhere", link_out, OTHER, EACCES, true},
    {"open a file", open_passwd, OTHER, EACCES, true},
    {"mkfifo", special_file, OTHER, KILLED, false},
    {"symlink", symbolic_link, OTHER, KILLED, false},
    {"nameless file", nameless_kept, OTHER, EACCES, false},
    {"truncate", truncate_kept, OTHER, EACCES, false},
    {"chmod", change_mode, OTHER, KILLED, false},
    {"thread", start_thread, OTHER, KILLED, false},
    {"fork", fork_off, OTHER, KILLED, false},
    {"a thread's file", thread_opens_passwd, OTHER, EACCES, true},
    {"a thread keeps", thread_keeps, OTHER, ALLOWED, false},
    {"a thread's socket", thread_socket, OTHER, KILLED, false},
};

static struct sandbox_want want_of(enum sandbox_role role)
{
    struct sandbox_want want = {.role = role, .nofile = 64};

    if (role == SANDBOX_SIDECAR) {
        want.allow = landlock_allow_paths;
        want.read_paths[0] = folder;
        want.read_paths_count = 1;
        if (keeps) {
            want.write_paths[0] = kept;
            want.write_paths_count = 1;
            want.threads = one_thread;
        }
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

static void try_all(enum sandbox_role role, const struct attempt *list, size_t n)
{
    struct sandbox_state s;
    unsigned wrong = 0;

    assert_int_equal(run_in(role, NULL, &s), 0);
    if (s.seccomp == 0)
        skip();
    for (size_t i = 0; i < n; i++) {
        const struct attempt *a = &list[i];
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
    try_all(SANDBOX_SAMPLER, attempts, sizeof(attempts) / sizeof(attempts[0]));
}

static void the_sidecar(void **state)
{
    (void)state;
    try_all(SANDBOX_SIDECAR, attempts, sizeof(attempts) / sizeof(attempts[0]));
}

/* Link and rename between folders take ABI 2; before it the spool copies (EXDEV). */
static void a_sidecar_that_keeps(void **state)
{
    struct sandbox_state s;

    (void)state;
    keeps = true;
    assert_int_equal(run_in(SANDBOX_SIDECAR, NULL, &s), 0);
    if (s.landlock_abi != 1)
        try_all(SANDBOX_SIDECAR, keeper, sizeof(keeper) / sizeof(keeper[0]));
    keeps = false;
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
    (void)snprintf(kept, sizeof(kept), "%s/kept", folder);
    (void)snprintf(kept_file, sizeof(kept_file), "%s/file", kept);
    if (mkdir(kept, 0700) != 0 || close(open(kept_file, O_WRONLY | O_CREAT, 0600)) != 0)
        return -1;
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
    char path[160];

    (void)state;
    (void)unlink(file);
    (void)unlink(kept_file);
    (void)beneath("new", path, sizeof(path));
    (void)unlink(path);
    (void)beneath("folder", path, sizeof(path));
    (void)rmdir(path);
    (void)rmdir(kept);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sampler),
        cmocka_unit_test(the_sidecar),
        cmocka_unit_test(a_sidecar_that_keeps),
        cmocka_unit_test(what_is_left),
        cmocka_unit_test(kernels_that_have_less),
    };

    return cmocka_run_group_tests(tests, prepare, clean);
}
